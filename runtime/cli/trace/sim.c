/* SPDX-License-Identifier: MIT */
/*
 * sim.c - `hmmsvm sim`: replays traces against migration policies, all combinations at once, beside
 * the least that was possible. No locking; the work is done in processes, see matrix.c.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "machines.h"
#include "settings.h"
#include "sim-report.h"
#include "tune.h"

enum { SIM_MISBEHAVED = 1, SIM_LIST = 64 };

enum {
    OPT_POLICY = 'p',
    OPT_EVICTION = 'e',
    OPT_RATIO = 'r',
    OPT_DEVMEM = 'd',
    OPT_MACHINE = 'm',
    OPT_SET = 's',
    OPT_JOBS = 'j',
    OPT_TUNE = 't',
    OPT_JSON = 256,
    OPT_CSV,
    OPT_NO_HEADER,
    OPT_NO_ORACLE,
    OPT_JOBS_FILE,
    OPT_LIMIT,
    OPT_FAULT_AROUND,
    OPT_SMALL,
    OPT_WITH,
};

static const struct argp_option options[] = {
    { NULL, 0, NULL, 0, "What to compare:", 1 },
    { "policy", OPT_POLICY, "LIST", 0, "Placement policies (default: all)", 1 },
    { "eviction", OPT_EVICTION, "LIST", 0, "Eviction policies, or all (default: lru)", 1 },
    { "with", OPT_WITH, "FILE.so", 0, "Take the policy of that name in, which is not one of the "
      "module's; may be given several times", 1 },
    { "ratio", OPT_RATIO, "LIST", 0, "Percent that the device's pages are of device memory "
      "(default: 75,110,125,150)", 1 },
    { "devmem", OPT_DEVMEM, "MIB", 0, "Or so much device memory, a multiple of 2", 1 },
    { "machine", OPT_MACHINE, "LIST", 0, "What memory costs: files, or names (default: "
      CLI_MACHINE ")", 1 },
    { "set", OPT_SET, "[POLICY.]NAME=VALUE", 0, "Set a tunable of one policy or of all that have "
      "it; may be given several times", 1 },
    { "tune", OPT_TUNE, NULL, 0, "Also search the best tunables for each run", 1 },
    { "no-oracle", OPT_NO_ORACLE, NULL, 0, "Do not compute the least that was possible", 1 },
    { NULL, 0, NULL, 0, "How:", 2 },
    { "jobs", OPT_JOBS, "N", 0, "Processes at a time (default: one a processor)", 2 },
    { "limit", OPT_LIMIT, "SECONDS", 0, "Processor time after which a policy is taken to hang "
      "(default 600)", 2 },
    { "fault-around", OPT_FAULT_AROUND, "PAGES", 0, "As HMMSVM_FAULT_AROUND (default 512)", 2 },
    { "small-pages", OPT_SMALL, NULL, 0, "No huge device pages, as before Linux 7.0", 2 },
    { NULL, 0, NULL, 0, "Output:", 3 },
    { "json", OPT_JSON, NULL, 0, "Print JSON, with all counters", 3 },
    { "csv", OPT_CSV, NULL, 0, "Print CSV, with all counters", 3 },
    { "no-header", OPT_NO_HEADER, NULL, 0, "CSV without its first line", 3 },
    { "jobs-file", OPT_JOBS_FILE, "FILE", 0, "Run nothing; write commands, one a line, that "
      "together do (for GNU parallel, or job arrays)", 3 },
    { 0 }
};

struct sim_options {
    char *policies, *evictions, *ratios, *machines;
    struct cli_strings traces, with;
    struct cli_settings set;
    const char *jobs_file;
    unsigned devmem_mb, jobs, limit_s, fault_around;
    bool tune, no_oracle, no_header, small;
    enum report_form form;
};

/* Policies of shared objects, see --with. */
static struct {
    const struct hmmsvm_placement *placements[SIM_LIST];
    const struct hmmsvm_eviction *evictions[SIM_LIST];
    unsigned nr_placements, nr_evictions;
} others;

/* What the options name. */
struct sim_plan {
    const struct hmmsvm_placement *placements[SIM_LIST];
    const struct hmmsvm_eviction *evictions[SIM_LIST];
    struct sim_machine machines[SIM_LIST];
    unsigned ratios[SIM_LIST];
    unsigned nr_placements, nr_evictions, nr_machines, nr_ratios;
};

/* ---- lists --------------------------------------------------------------------------------- */

/* Calls add for each part of a list; the number of them. */
static unsigned list(const char *what, const char *text,
                     void (*add)(struct sim_plan *plan, unsigned at, const char *name),
                     struct sim_plan *plan)
{
    struct cli_strings names = { 0 };
    unsigned n;

    cli_strings_split(&names, what, text);
    if (names.count > SIM_LIST)
        cli_die("%s takes at most %d", what, SIM_LIST);
    for (n = 0; n < names.count; n++)
        add(plan, n, names.items[n]);
    free(names.items);
    return n;
}

/* All there are, those of shared objects last; NULL after the last. */
static const struct hmmsvm_placement *placement_at(unsigned i)
{
    unsigned own = 0;

    while (hmmsvm_placement_at(own))
        own++;
    return i < own ? hmmsvm_placement_at(i) :
           i - own < others.nr_placements ? others.placements[i - own] : NULL;
}

static const struct hmmsvm_eviction *eviction_at(unsigned i)
{
    unsigned own = 0;

    while (hmmsvm_eviction_at(own))
        own++;
    return i < own ? hmmsvm_eviction_at(i) :
           i - own < others.nr_evictions ? others.evictions[i - own] : NULL;
}

/* The policies that the file has under its own name. */
static void with_file(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    char *name = cli_format("%.*s", (int)strcspn(base, "."), base), *symbol;
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct hmmsvm_placement *placement;
    const struct hmmsvm_eviction *eviction;

    if (!object)
        cli_die("--with: %s", dlerror());
    symbol = cli_format("hmmsvm_placement_%s", name);
    placement = dlsym(object, symbol);
    free(symbol);
    symbol = cli_format("hmmsvm_eviction_%s", name);
    eviction = dlsym(object, symbol);
    free(symbol);
    if (!placement && !eviction)
        cli_die("--with: %s has neither hmmsvm_placement_%s nor hmmsvm_eviction_%s", path, name,
                name);
    if (others.nr_placements == SIM_LIST || others.nr_evictions == SIM_LIST)
        cli_die("--with: at most %d", SIM_LIST);
    if (placement)
        others.placements[others.nr_placements++] = placement;
    if (eviction)
        others.evictions[others.nr_evictions++] = eviction;
    free(name);
}

static void add_placement(struct sim_plan *plan, unsigned at, const char *name)
{
    const struct hmmsvm_placement *p;
    char *known = cli_format("%s", "");
    unsigned i;

    for (i = 0; (p = placement_at(i)); i++) {
        known = cli_format("%s %s", known, p->name);
        if (!strcmp(p->name, name)) {
            plan->placements[at] = p;
            return;
        }
    }
    cli_die("there is no placement policy \"%s\"; there are:%s", name, known);
}

static void add_eviction(struct sim_plan *plan, unsigned at, const char *name)
{
    const struct hmmsvm_eviction *e;
    char *known = cli_format("%s", "");
    unsigned i;

    for (i = 0; (e = eviction_at(i)); i++) {
        known = cli_format("%s %s", known, e->name);
        if (!strcmp(e->name, name)) {
            plan->evictions[at] = e;
            return;
        }
    }
    cli_die("there is no eviction policy \"%s\"; there are:%s", name, known);
}

static void add_ratio(struct sim_plan *plan, unsigned at, const char *name)
{
    plan->ratios[at] = (unsigned)cli_number("--ratio", name, 1, 10000);
}

static void add_machine(struct sim_plan *plan, unsigned at, const char *name)
{
    cli_machine_read(name, &plan->machines[at]);
}

static void plan_make(struct sim_plan *plan, const struct sim_options *o)
{
    if (!strcmp(o->policies, "all"))
        while (plan->nr_placements < SIM_LIST &&
               (plan->placements[plan->nr_placements] = placement_at(plan->nr_placements)))
            plan->nr_placements++;
    else
        plan->nr_placements = list("--policy", o->policies, add_placement, plan);
    if (!strcmp(o->evictions, "all"))
        while (plan->nr_evictions < SIM_LIST &&
               (plan->evictions[plan->nr_evictions] = eviction_at(plan->nr_evictions)))
            plan->nr_evictions++;
    else
        plan->nr_evictions = list("--eviction", o->evictions, add_eviction, plan);
    plan->nr_machines = list("--machine", o->machines, add_machine, plan);
    if (o->devmem_mb)
        plan->nr_ratios = 1; /* of 0, which means that size */
    else
        plan->nr_ratios = list("--ratio", o->ratios, add_ratio, plan);
}

/* ---- tunables ------------------------------------------------------------------------------ */

/* What --set says about the policy; counts in used which of them did. */
static void apply_set(struct sim_setup *setup, const struct cli_settings *set, unsigned *used)
{
    const struct hmmsvm_placement *p = setup->placement;
    size_t i;
    uint32_t t;

    for (i = 0; i < set->count; i++) {
        long long value = set->items[i].value;

        for (t = 0; t < p->nr_tunables; t++) {
            if (!cli_setting_fits(&set->items[i], p->name, p->tunables[t].name))
                continue;
            setup->tunables[t] = hmmsvm_tunable_clamp(&p->tunables[t], value);
            if (setup->tunables[t] != value && !used[i])
                cli_say("%s.%s: %lld is out of range; it is %lld now", p->name,
                        p->tunables[t].name, value, (long long)setup->tunables[t]);
            used[i]++;
        }
    }
}

/* ---- commands for others ------------------------------------------------------------------- */

static void put_quoted(FILE *out, const char *text)
{
    fputs(" '", out);
    for (; *text; text++)
        fputs(*text == '\'' ? "'\\''" : (char[]){ *text, '\0' }, out);
    putc('\'', out);
}

static void put_option(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s", name);
    put_quoted(out, value);
}

static int jobs_file(const struct sim_options *o, const struct sim_plan *plan)
{
    FILE *out = strcmp(o->jobs_file, "-") ? fopen(o->jobs_file, "w") : stdout;
    char *machines = cli_format("%s", o->machines), *rest = machines, *machine;
    char *self = cli_format("%s/bin/hmmsvm", cli_prefix()), number[32];
    size_t i, k;
    unsigned r;

    if (!out)
        cli_die("cannot create %s: %s", o->jobs_file, strerror(errno));
    while ((machine = strsep(&rest, ","))) {
        for (i = 0; *machine && i < o->traces.count; i++) {
            for (r = 0; r < plan->nr_ratios; r++) {
                put_quoted(out, self);
                fputs(" sim --csv --no-header -j1", out);
                snprintf(number, sizeof(number), "%u", o->limit_s);
                put_option(out, "--limit", number);
                snprintf(number, sizeof(number), "%u",
                         o->devmem_mb ? o->devmem_mb : plan->ratios[r]);
                put_option(out, o->devmem_mb ? "--devmem" : "--ratio", number);
                snprintf(number, sizeof(number), "%u", o->fault_around);
                put_option(out, "--fault-around", number);
                put_option(out, "--machine", machine);
                put_option(out, "--policy", o->policies);
                put_option(out, "--eviction", o->evictions);
                for (k = 0; k < o->with.count; k++)
                    put_option(out, "--with", o->with.items[k]);
                for (k = 0; k < o->set.count; k++)
                    put_option(out, "--set", o->set.items[k].text);
                fprintf(out, "%s%s%s", o->tune ? " --tune" : "",
                        o->no_oracle ? " --no-oracle" : "", o->small ? " --small-pages" : "");
                put_quoted(out, o->traces.items[i]);
                putc('\n', out);
            }
        }
    }
    free(machines);
    free(self);
    if (fflush(out) || ferror(out))
        cli_die("cannot write %s: %s", o->jobs_file, strerror(errno));
    return 0;
}

/* ---- running ------------------------------------------------------------------------------- */

struct loaded {
    struct hmmsvm_trace *trace;
    struct sim_layout *layout;
};

static struct loaded load(const char *path)
{
    struct loaded l;
    char error[256];

    l.trace = hmmsvm_trace_open(path, error, sizeof(error));
    if (!l.trace)
        cli_die("%s: %s", path, error);
    l.layout = sim_layout_new(l.trace, error, sizeof(error));
    if (!l.layout)
        cli_die("%s: %s", path, error);
    if (!l.layout->device_pages)
        cli_die("%s: the device uses nothing in it", path);
    return l;
}

static void *zalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);

    if (!p)
        cli_die("out of memory");
    return p;
}

/* Fills in one cell an oracle and one a row; returns how many. */
static size_t cells_make(const struct sim_options *o, const struct sim_plan *plan,
                         const struct loaded *traces, struct sim_cell *cells,
                         struct report_row *rows, size_t *nr_rows)
{
    unsigned *used = zalloc(o->set.count, sizeof(*used));
    size_t n = 0, t;
    unsigned m, r, p, e;

    *nr_rows = 0;
    for (t = 0; t < o->traces.count; t++)
    for (m = 0; m < plan->nr_machines; m++)
    for (r = 0; r < plan->nr_ratios; r++) {
        struct sim_cell *oracle = o->no_oracle ? NULL : &cells[n++];
        struct sim_setup setup = {
            .trace = traces[t].trace,
            .layout = traces[t].layout,
            .machine = &plan->machines[m],
            .chunks = o->devmem_mb ? o->devmem_mb / 2 :
                      sim_chunks_for(traces[t].layout, plan->ratios[r]),
        };

        if (oracle) {
            oracle->setup = setup;
            oracle->oracle = true;
        }
        for (p = 0; p < plan->nr_placements; p++)
        for (e = 0; e < plan->nr_evictions; e++) {
            struct sim_cell *cell = &cells[n++];

            cell->setup = setup;
            cell->setup.placement = plan->placements[p];
            cell->setup.eviction = plan->evictions[e];
            sim_setup_defaults(&cell->setup);
            cell->setup.fault_around = o->fault_around;
            cell->setup.huge = !o->small;
            apply_set(&cell->setup, &o->set, used);
            rows[(*nr_rows)++] = (struct report_row){
                .trace = o->traces.items[t],
                .ratio = o->devmem_mb ? 0 : plan->ratios[r],
                .cell = cell,
                .oracle = oracle,
            };
        }
    }
    for (t = 0; t < o->set.count; t++)
        if (!used[t])
            cli_die("--set %s: none of the policies has such a tunable", o->set.items[t].text);
    free(used);
    return n;
}

static void tune_all(const struct sim_options *o, struct report_row *rows, size_t count)
{
    struct sim_cell *tuned = zalloc(count, sizeof(*tuned));
    unsigned tried = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        tuned[i] = *rows[i].cell;
        rows[i].tuned = &tuned[i];
        if (tuned[i].setup.placement->nr_tunables && !tuned[i].result.faults &&
            !sim_tune(&tuned[i], o->jobs, o->limit_s, &tried))
            cli_die("cannot start processes: %s", strerror(errno));
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\rtuning: %zu of %zu, %u runs", i + 1, count, tried);
    }
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

static int run(const struct sim_options *o, const struct sim_plan *plan)
{
    size_t groups = o->traces.count * plan->nr_machines * plan->nr_ratios;
    size_t most = groups * (1 + plan->nr_placements * plan->nr_evictions), count, nr_rows, i;
    struct loaded *traces = zalloc(o->traces.count, sizeof(*traces));
    struct sim_cell *cells = zalloc(most, sizeof(*cells));
    struct report_row *rows = zalloc(most, sizeof(*rows));
    unsigned faults;

    for (i = 0; i < o->traces.count; i++)
        traces[i] = load(o->traces.items[i]);
    count = cells_make(o, plan, traces, cells, rows, &nr_rows);
    if (!sim_matrix_run(cells, count, o->jobs, o->limit_s))
        cli_die("cannot start processes: %s", strerror(errno));
    for (i = 0; i < count; i++)
        if (cells[i].no_memory)
            cli_say("a replay needs more memory than there is; try fewer --jobs");
    if (o->tune)
        tune_all(o, rows, nr_rows);
    report_print(rows, nr_rows, o->form, !o->no_header);
    fflush(stdout);
    faults = report_faults(rows, nr_rows);
    if (nr_rows && rows[0].tuned)
        free((void *)rows[0].tuned);
    for (i = 0; i < o->traces.count; i++) {
        sim_layout_free(traces[i].layout);
        hmmsvm_trace_close(traces[i].trace);
    }
    free(traces);
    free(cells);
    free(rows);
    return faults ? SIM_MISBEHAVED : 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct sim_options *o = state->input;

    switch (key) {
    case OPT_POLICY: o->policies = arg; break;
    case OPT_EVICTION: o->evictions = arg; break;
    case OPT_RATIO: o->ratios = arg; break;
    case OPT_MACHINE: o->machines = arg; break;
    case OPT_DEVMEM:
        o->devmem_mb = (unsigned)cli_number("--devmem", arg, 2, 1 << 24);
        if (o->devmem_mb % 2)
            argp_error(state, "--devmem takes a multiple of 2");
        break;
    case OPT_SET: cli_settings_add(&o->set, arg); break;
    case OPT_WITH:
        cli_strings_add(&o->with, arg);
        with_file(arg);
        break;
    case OPT_TUNE: o->tune = true; break;
    case OPT_NO_ORACLE: o->no_oracle = true; break;
    case OPT_JOBS: o->jobs = (unsigned)cli_number("--jobs", arg, 1, 4096); break;
    case OPT_LIMIT: o->limit_s = (unsigned)cli_number("--limit", arg, 1, 1 << 30); break;
    case OPT_FAULT_AROUND:
        o->fault_around = (unsigned)cli_number("--fault-around", arg, 1, 512);
        if (o->fault_around & (o->fault_around - 1))
            argp_error(state, "--fault-around takes a power of two");
        break;
    case OPT_SMALL: o->small = true; break;
    case OPT_JSON: o->form = REPORT_JSON; break;
    case OPT_CSV: o->form = REPORT_CSV; break;
    case OPT_NO_HEADER: o->no_header = true; break;
    case OPT_JOBS_FILE: o->jobs_file = arg; break;
    case ARGP_KEY_ARG: cli_strings_add(&o->traces, arg); break;
    case ARGP_KEY_END:
        if (!o->traces.count)
            argp_error(state, "which traces? (`hmmsvm trace --make triad -o FILE` makes one up)");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int cli_sim(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "TRACE...",
        .doc = "Replay traces against the migration policies, the very sources that the module is "
               "made of, and say what each costs beside the least that was possible."
               "\vMemory time is what faults, copies and the device's uses of memory take on the "
               "machine. \"x least\" is that over a bound which no policy can be below. "
               "docs/policy-lab.md has the rest. Exit status: 0; 1 if a policy was wrong, which is "
               "then named; 125 if hmmsvm failed.",
    };
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct sim_options o = {
        .policies = "all",
        .evictions = HMMSVM_DEFAULT_EVICTION,
        .ratios = "75,110,125,150",
        .machines = CLI_MACHINE,
        .jobs = processors > 0 ? (unsigned)processors : 1,
        .limit_s = 600,
        .fault_around = SIM_BLOCK_PAGES,
    };
    struct sim_plan plan = { 0 };

    argp_err_exit_status = CLI_FAILED;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    plan_make(&plan, &o);
    return o.jobs_file ? jobs_file(&o, &plan) : run(&o, &plan);
}
