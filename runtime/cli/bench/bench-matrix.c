/* SPDX-License-Identifier: MIT */
/*
 * bench-matrix.c - `hmmsvm bench`: workloads x policies x evictions x sizes x repetitions, here or
 * all in one guest. What each run did is appended to results.jsonl at once, so that the same
 * command goes on where it was interrupted. No locking; one run at a time.
 *
 * In a guest it runs itself there, through `hmmsvm run --guest`; the report is made here.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../bench/place.h"
#include "bench-matrix.h"
#include "bench-records.h"
#include "bench-report.h"
#include "bench-run.h"
#include "bench-settings.h"
#include "cli.h"
#include "device/node.h"
#include "machines.h"

#define INTERRUPTED 130
#define GUEST_DEVMEM "32" /* MiB: an emulated guest is slow */
#define SIZE_MARK "{mib}"

static const char *const workloads[] = {
    "triad", "gups", "stride", "chase", "stencil", "spmv", "bfs", "hashjoin", "kmeans", "pingpong",
    "readmostly", "phases", "zipf", "falseshare",
};

#define WORKLOADS (sizeof(workloads) / sizeof(workloads[0]))

enum {
    OPT_WORKLOAD = 'w',
    OPT_POLICY = 'p',
    OPT_EVICTION = 'e',
    OPT_RATIO = 'r',
    OPT_SET = 's',
    OPT_MACHINE = 'm',
    OPT_REPEAT = 'n',
    OPT_OUTPUT = 'o',
    OPT_GUEST = 'g',
    OPT_KERNEL = 'k',
    OPT_WARMUP = 256,
    OPT_PASSES,
    OPT_SEED,
    OPT_PEER,
    OPT_GRAPH,
    OPT_LIMIT,
    OPT_MODULE,
    OPT_DEVMEM,
    OPT_PNG,
    OPT_NO_REPORT,
};

static const struct argp_option options[] = {
    { NULL, 0, NULL, 0, "What to compare:", 1 },
    { "workload", OPT_WORKLOAD, "LIST", 0, "Workloads (default: all), see below", 1 },
    { "policy", OPT_POLICY, "LIST", 0,
      "Placement policies, or all (default: adaptive,remote,touch)", 1 },
    { "eviction", OPT_EVICTION, "LIST", 0, "Eviction policies, or all (default: lru)", 1 },
    { "ratio", OPT_RATIO, "LIST", 0,
      "Percent that a workload's memory is of device memory (default: 75,110,125,150)", 1 },
    { "set", OPT_SET, "[POLICY.]NAME=VALUE", 0, "Set a tunable of one placement policy or of all "
      "that have it; may be given several times", 1 },
    { "graph", OPT_GRAPH, "FILE", 0,
      "For bfs and spmv: Matrix Market, an edge list or a Packages file", 1 },
    { NULL, 0, NULL, 0, "How:", 2 },
    { "repeat", OPT_REPEAT, "N", 0, "Runs of each cell (default 5)", 2 },
    { "warmup", OPT_WARMUP, "N", 0,
      "Runs before that which do not count (default 1); the very first is watched for the report",
      2 },
    { "passes", OPT_PASSES, "N", 0, "Passes of a workload over its memory (default 8)", 2 },
    { "seed", OPT_SEED, "N", 0, "For what is random in the workloads (default 1)", 2 },
    { "limit", OPT_LIMIT, "SECONDS", 0,
      "For each run (default 600); after one that did not end in time its cell has no further ones",
      2 },
    { NULL, 0, NULL, 0, "Output:", 3 },
    { "output", OPT_OUTPUT, "FOLDER", 0, "Where results go (default bench-results)", 3 },
    { "peer", OPT_PEER, "POLICY", 0, "The policy that others are compared with (default: remote)",
      3 },
    { "machine", OPT_MACHINE, "NAME", 0,
      "What moving is priced for, as for `hmmsvm sim` (default: " CLI_MACHINE ")", 3 },
    { "png", OPT_PNG, NULL, 0, "Write plots as PNG, too", 3 },
    { "no-report", OPT_NO_REPORT, NULL, 0, "Only run and record", 3 },
    { "guest", OPT_GUEST, NULL, 0, "Run in a virtual machine with a test kernel and the module",
      4 },
    { NULL, 0, NULL, 0, "With --guest:", 5 },
    { "kernel", OPT_KERNEL, "VERSION", 0, "The test kernel, 7.3 (default) or 6.12", 6 },
    { "module", OPT_MODULE, "FILE", 0, "Load this module, not the one built for the kernel", 6 },
    { "devmem", OPT_DEVMEM, "MIB", 0, "Size of its device memory (default " GUEST_DEVMEM ")", 6 },
    { 0 }
};

struct matrix {
    char *workload_list, *policy_list, *eviction_list, *ratio_list;
    struct cli_strings workloads, policies, evictions;
    unsigned *ratios;
    size_t nr_ratios;
    long repeat, warmup, passes, seed, limit_s;
    const char *output, *peer, *machine, *graph, *kernel, *module, *devmem;
    bool guest, png, no_report;
    struct cli_settings set;
    char **app;
    /* while running */
    struct cli_settings *settings; /* of each policy */
    int node, file;
    char *folder;
    double devmem_mib;
    struct bench_results results;
    size_t total, done, ran, failed, left_out;
    struct cli_strings slow; /* cells of which a run did not end in time */
    double begin;
};

/* ---- lists ---- */

/* Whether there is such a program, as execvp(3) looks for it. */
static bool program_there(const char *name)
{
    char *rest = cli_format("%s", getenv("PATH") ? getenv("PATH") : ""), *folder;

    if (strchr(name, '/'))
        return !access(name, X_OK);
    while ((folder = strsep(&rest, ":"))) {
        char *path = cli_format("%s/%s", folder, name);
        bool there = !access(path, X_OK);

        free(path);
        if (there)
            return true;
    }
    return false;
}

static void workloads_choose(struct matrix *m)
{
    size_t i, k;

    if (m->app) {
        const char *slash = strrchr(m->app[0], '/');

        if (!program_there(m->app[0]))
            cli_die("there is no program \"%s\" (a workload is chosen with --workload)", m->app[0]);
        cli_strings_add(&m->workloads, cli_format("%s", slash ? slash + 1 : m->app[0]));
        return;
    }
    if (!strcmp(m->workload_list, "all")) {
        for (i = 0; i < WORKLOADS; i++)
            cli_strings_add(&m->workloads, cli_format("%s", workloads[i]));
        return;
    }
    cli_strings_split(&m->workloads, "--workload", m->workload_list);
    for (i = 0; i < m->workloads.count; i++) {
        for (k = 0; k < WORKLOADS && strcmp(workloads[k], m->workloads.items[i]); k++)
            ;
        if (k == WORKLOADS)
            cli_die("there is no workload \"%s\"; --help lists them", m->workloads.items[i]);
    }
}

static void ratios_choose(struct matrix *m)
{
    struct cli_strings texts = { 0 };
    size_t i;

    cli_strings_split(&texts, "--ratio", m->ratio_list);
    m->ratios = calloc(texts.count, sizeof(*m->ratios));
    if (!m->ratios)
        cli_die("out of memory");
    for (i = 0; i < texts.count; i++)
        m->ratios[m->nr_ratios++] = (unsigned)cli_number("--ratio", texts.items[i], 1, 10000);
    /* A program that is not told a size has its own. */
    for (i = 0; m->app && m->app[i] && !strstr(m->app[i], SIZE_MARK); i++)
        ;
    if (m->app && !m->app[i]) {
        m->nr_ratios = 1;
        m->ratios[0] = 0;
    }
}

/* Policies that the module has. */
static void policies_choose(int node, unsigned kind, const char *option, const char *text,
                            struct cli_strings *out)
{
    char *name;
    size_t i;

    if (strcmp(text, "all"))
        cli_strings_split(out, option, text);
    else
        for (i = 0; (name = node_policy_name(node, kind, (unsigned)i)); i++)
            cli_strings_add(out, name);
    for (i = 0; i < out->count; i++)
        node_policy_check(node, kind, out->items[i]);
}

/* ---- the file of results ---- */

static void line_append(const struct matrix *m, struct json_object *o)
{
    char *line = cli_format("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    size_t n = strlen(line);

    if (write(m->file, line, n) != (ssize_t)n || fsync(m->file))
        cli_die("cannot write %s/results.jsonl: %s", m->folder, strerror(errno));
    free(line);
}

static struct json_object *head_new(const struct matrix *m)
{
    struct json_object *head = json_object_new_object(), *set, *app;
    struct place p;
    size_t i;

    place_find(&p);
    json_object_object_add(head, "hmmsvm_bench", json_object_new_int(1));
    json_object_object_add(head, "version", json_object_new_string(HMMSVM_VERSION));
    json_object_object_add(head, "kernel", json_object_new_string(p.kernel));
    json_object_object_add(head, "guest", json_object_new_string(p.guest));
    json_object_object_add(head, "machine", json_object_new_string(p.machine));
    json_object_object_add(head, "cpu", json_object_new_string(p.cpu));
    json_object_object_add(head, "cpus", json_object_new_int((int)p.cpus));
    json_object_object_add(head, "devmem_mib", json_object_new_double(m->devmem_mib));
    json_object_object_add(head, "seed", json_object_new_int64(m->seed));
    json_object_object_add(head, "passes", json_object_new_int64(m->passes));
    json_object_object_add(head, "graph", json_object_new_string(m->graph ? m->graph : ""));
    set = json_object_new_array();
    for (i = 0; i < m->set.count; i++)
        json_object_array_add(set, json_object_new_string(m->set.items[i].text));
    json_object_object_add(head, "set", set);
    app = json_object_new_array();
    for (i = 0; m->app && m->app[i]; i++)
        json_object_array_add(app, json_object_new_string(m->app[i]));
    json_object_object_add(head, "app", app);
    return head;
}

/* Opens it to go on; the head has to be the same, or the results could not be compared. */
static void results_open(struct matrix *m)
{
    char *path = cli_format("%s/results.jsonl", m->folder);
    struct json_object *head = head_new(m);

    bench_results_read(&m->results, path);
    /* Results from before there was --set. */
    if (m->results.head && !json_object_object_get_ex(m->results.head, "set", NULL))
        json_object_object_add(m->results.head, "set", json_object_new_array());
    m->file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (m->file < 0 || ftruncate(m->file, m->results.whole))
        cli_die("cannot write %s: %s", path, strerror(errno));
    if (!m->results.head)
        line_append(m, head);
    json_object_object_foreach(head, name, value) {
        struct json_object *before = NULL;

        if (!m->results.head)
            break;
        json_object_object_get_ex(m->results.head, name, &before);
        if (!before || !json_object_equal(before, value))
            cli_die("%s has results with %s %s, and now it is %s: --output names another folder",
                    m->folder, name, before ? json_object_to_json_string(before) : "unknown",
                    json_object_to_json_string(value));
    }
    json_object_put(head);
    free(path);
}

/* ---- running ---- */

/* The program with its arguments. */
static char **argv_make(const struct matrix *m, const char *workload, double mib, long passes,
                        bool steps)
{
    struct cli_strings argv = { 0 };
    size_t i;

    for (i = 0; m->app && m->app[i]; i++) {
        const char *text = m->app[i], *at = strstr(text, SIZE_MARK);

        cli_strings_add(&argv, at ? cli_format("%.*s%g%s", (int)(at - text), text, mib,
                                               at + strlen(SIZE_MARK))
                                  : cli_format("%s", text));
    }
    if (m->app)
        return argv.items;
    cli_strings_add(&argv,
                    cli_format("%s/libexec/hmmsvm/samples/workloads/%s", cli_prefix(), workload));
    cli_strings_add(&argv, cli_format("--size=%g", mib));
    cli_strings_add(&argv, cli_format("--repeat=%ld", passes));
    cli_strings_add(&argv, cli_format("--seed=%ld", m->seed));
    if (m->graph && (!strcmp(workload, "bfs") || !strcmp(workload, "spmv")))
        cli_strings_add(&argv, cli_format("--graph=%s", m->graph));
    if (steps)
        cli_strings_add(&argv, cli_format("--step"));
    return argv.items;
}

static void argv_free(char **argv)
{
    size_t i;

    for (i = 0; argv[i]; i++)
        free(argv[i]);
    free(argv);
}

/* How far it is, and how long the rest takes if it takes what a run took on average. */
static void progress(const struct matrix *m, const struct bench_key *key,
                     struct json_object *record)
{
    struct json_object *error = NULL, *value = NULL;
    double left = (cli_seconds() - m->begin) / (double)m->ran * (double)(m->total - m->done);
    char *size = key->ratio ? cli_format(" %u %%", key->ratio) : cli_format("%s", "");
    char *turn =
        key->repetition < 0 ? cli_format("warm-up") : cli_format("%d", key->repetition + 1);

    json_object_object_get_ex(record, "error", &error);
    json_object_object_get_ex(record, "seconds", &value);
    fprintf(stderr, "[%zu/%zu] %s%s %s %s: %s%s%.1f s; %.0f min %02.0f s left\n", m->done, m->total,
            key->workload, size, bench_policies(key), turn,
            error ? json_object_get_string(error) : "", error ? ", " : "",
            json_object_get_double(value), floor(left / 60), fmod(left, 60));
    free(size);
    free(turn);
}

static bool cell_is_slow(const struct matrix *m, const struct bench_key *key)
{
    char *name = bench_cell_name(key);
    bool found = false;
    size_t i;

    for (i = 0; i < m->slow.count && !found; i++)
        found = !strcmp(m->slow.items[i], name);
    free(name);
    return found;
}

/* Warm-up runs do not show up in the results, so that one of them alone says nothing. */
static void cell_judge(struct matrix *m, const struct bench_key *key, struct json_object *record)
{
    struct json_object *timed_out = NULL;

    if (key->repetition >= 0 && json_object_object_get_ex(record, "timed_out", &timed_out) &&
        json_object_get_boolean(timed_out))
        cli_strings_add(&m->slow, bench_cell_name(key));
}

/*
 * One run, unless there is a good record of it, or another of its cell took too long just now;
 * false if the command is to end.
 */
static bool run_one(struct matrix *m, const struct bench_key *key,
                    const struct cli_settings *settings)
{
    const struct bench_record *before = bench_results_find(&m->results, key);
    double mib = key->ratio ? m->devmem_mib * key->ratio / 100 : 0;
    char *log, *name, *watch = NULL;
    struct json_object *record, *error = NULL;
    struct bench_job job = { .key = *key, .settings = settings, .steps = !m->app, .mib = mib,
                             .limit_s = m->limit_s, .node = m->node };

    if (before && !before->error)
        return true;
    if (cell_is_slow(m, key)) {
        m->done++;
        m->left_out++;
        return true;
    }
    name = bench_cell_name(key);
    log = cli_format("%s/logs/%s-%d.log", m->folder, name, key->repetition);
    free(name);
    /* The first run of a cell is looked at, which might cost it some time. */
    if (key->repetition == -(int)m->warmup)
        watch = bench_watch_path(m->folder, key);
    job.argv = argv_make(m, key->workload, mib, m->passes, true);
    job.log = log;
    job.watch = watch;
    record = bench_run(&job);
    argv_free(job.argv);
    free(watch);
    if (!record) {
        free(log);
        return false;
    }
    m->done++;
    m->ran++;
    line_append(m, record);
    progress(m, key, record);
    cell_judge(m, key, record);
    if (json_object_object_get_ex(record, "error", &error))
        m->failed++;
    else
        unlink(log);
    json_object_put(record);
    free(log);
    return true;
}

/*
 * All runs in their order: pairs of policies take turns, so that what disturbs the machine disturbs
 * all, and another one is first in each repetition. Only counts those that are to do, if count is
 * set.
 */
static bool runs_walk(struct matrix *m, bool count)
{
    size_t pairs = m->policies.count * m->evictions.count, w, r, i;
    long n;

    for (w = 0; w < m->workloads.count; w++)
    for (r = 0; r < m->nr_ratios; r++)
    for (n = -m->warmup; n < m->repeat; n++)
    for (i = 0; i < pairs; i++) {
        size_t pair = (i + (size_t)(n + m->warmup)) % pairs;
        struct bench_key key = {
            .workload = m->workloads.items[w],
            .policy = m->policies.items[pair / m->evictions.count],
            .eviction = m->evictions.items[pair % m->evictions.count],
            .ratio = m->ratios[r],
            .repetition = (int)n,
        };
        const struct bench_record *before = bench_results_find(&m->results, &key);

        if (!count) {
            if (!run_one(m, &key, &m->settings[pair / m->evictions.count]))
                return false;
            continue;
        }
        m->total++;
        m->done += before && !before->error;
    }
    return true;
}

/* Size of the device memory that programs get. */
static double devmem_find(int node)
{
    const char *which = getenv("HMMSVM_MEMORY");
    struct hmmsvm_memory memory = { .size = sizeof(memory) };

    if (which && *which)
        memory.index = (unsigned)cli_number("HMMSVM_MEMORY", which, 0, 1 << 16);
    if (node_ask(node, HMMSVM_IOC_MEMORY, &memory))
        cli_die("the module has no such device memory: nothing can migrate (sudo hmmsvm load)");
    return (double)memory.bytes / (1 << 20);
}

static int matrix_here(struct matrix *m)
{
    const char *tunables = getenv("HMMSVM_TUNABLES");
    struct hmmsvm_version version;
    bool ended;

    cli_environment();
    m->node = node_open(&version);
    m->devmem_mib = devmem_find(m->node);
    policies_choose(m->node, HMMSVM_POLICY_PLACEMENT, "--policy", m->policy_list, &m->policies);
    policies_choose(m->node, HMMSVM_POLICY_EVICTION, "--eviction", m->eviction_list, &m->evictions);
    m->settings = bench_settings_make(&m->set, &m->policies);
    if (tunables && *tunables)
        cli_say("HMMSVM_TUNABLES is left out: --set is for that, and results tell of it");
    results_open(m);
    runs_walk(m, true);
    cli_say("%zu runs, of which %zu are done; device memory of %g MiB; results in %s", m->total,
            m->done, m->devmem_mib, m->folder);
    m->begin = cli_seconds();
    bench_catch_signals();
    ended = runs_walk(m, false);
    if (m->failed)
        cli_say(
            "%zu runs failed: %s/logs has what they said, and the same command tries them again",
            m->failed, m->folder);
    if (m->left_out)
        cli_say("%zu runs were left out, as another of their cell did not end within %ld s",
                m->left_out, m->limit_s);
    if (!ended) {
        cli_say("interrupted after %zu of %zu runs: the same command goes on", m->done, m->total);
        return INTERRUPTED;
    }
    return m->failed ? 1 : 0;
}

/* Has the kernels compiled here, where that is fast: the guest finds them in pocl's cache. */
static void kernels_compile(const struct matrix *m)
{
    size_t i;

    for (i = 0; i < m->workloads.count; i++) {
        char **argv = argv_make(m, m->workloads.items[i], 8, 1, false);

        cli_say("%s: compiling the kernels for the guest", m->workloads.items[i]);
        cli_run_unseen(argv, true);
        argv_free(argv);
    }
}

static int matrix_in_guest(const struct matrix *m)
{
    struct cli_strings args = { 0 };
    char *graph = m->graph ? realpath(m->graph, NULL) : NULL;
    size_t i;

    if (m->graph && !graph)
        cli_die("cannot read %s: %s", m->graph, strerror(errno));
    cli_environment();
    cli_guest_kernels();
    kernels_compile(m);

    cli_strings_add(&args, "hmmsvm run");
    cli_strings_add(&args, "--guest");
    cli_strings_add(&args, "--timeout=0");
    cli_strings_add(&args, cli_format("--share=%s", m->folder));
    cli_strings_add(&args, cli_format("--devmem=%s", m->devmem ? m->devmem : GUEST_DEVMEM));
    if (m->kernel)
        cli_strings_add(&args, cli_format("--kernel=%s", m->kernel));
    if (m->module)
        cli_strings_add(&args, cli_format("--module=%s", m->module));
    cli_strings_add(&args, "--");
    cli_strings_add(&args, cli_format("%s/bin/hmmsvm", cli_prefix()));
    cli_strings_add(&args, "bench");
    cli_strings_add(&args, "--no-report");
    cli_strings_add(&args, cli_format("--output=%s", m->folder));
    cli_strings_add(&args, cli_format("--workload=%s", m->workload_list));
    cli_strings_add(&args, cli_format("--policy=%s", m->policy_list));
    cli_strings_add(&args, cli_format("--eviction=%s", m->eviction_list));
    cli_strings_add(&args, cli_format("--ratio=%s", m->ratio_list));
    cli_strings_add(&args, cli_format("--repeat=%ld", m->repeat));
    cli_strings_add(&args, cli_format("--warmup=%ld", m->warmup));
    cli_strings_add(&args, cli_format("--passes=%ld", m->passes));
    cli_strings_add(&args, cli_format("--seed=%ld", m->seed));
    cli_strings_add(&args, cli_format("--limit=%ld", m->limit_s));
    for (i = 0; i < m->set.count; i++)
        cli_strings_add(&args, cli_format("--set=%s", m->set.items[i].text));
    if (graph)
        cli_strings_add(&args, cli_format("--graph=%s", graph));
    if (m->app)
        cli_strings_add(&args, "--");
    for (i = 0; m->app && m->app[i]; i++)
        cli_strings_add(&args, m->app[i]);
    return cli_run((int)args.count, args.items);
}

/* ---- options ---- */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct matrix *m = state->input;

    switch (key) {
    case OPT_WORKLOAD: m->workload_list = arg; break;
    case OPT_POLICY: m->policy_list = arg; break;
    case OPT_EVICTION: m->eviction_list = arg; break;
    case OPT_RATIO: m->ratio_list = arg; break;
    case OPT_REPEAT: m->repeat = cli_number("--repeat", arg, 1, 10000); break;
    case OPT_WARMUP: m->warmup = cli_number("--warmup", arg, 0, 100); break;
    case OPT_PASSES: m->passes = cli_number("--passes", arg, 1, 1000000); break;
    case OPT_SEED: m->seed = cli_number("--seed", arg, 0, 1l << 62); break;
    case OPT_LIMIT: m->limit_s = cli_number("--limit", arg, 1, 1000000); break;
    case OPT_SET: cli_settings_add(&m->set, arg); break;
    case OPT_GRAPH: m->graph = arg; break;
    case OPT_OUTPUT: m->output = arg; break;
    case OPT_PEER: m->peer = arg; break;
    case OPT_MACHINE: m->machine = arg; break;
    case OPT_PNG: m->png = true; break;
    case OPT_NO_REPORT: m->no_report = true; break;
    case OPT_GUEST: m->guest = true; break;
    case OPT_KERNEL: m->kernel = arg; break;
    case OPT_MODULE: m->module = arg; break;
    case OPT_DEVMEM: m->devmem = arg; break;
    case ARGP_KEY_ARGS:
        m->app = state->argv + state->next;
        break;
    case ARGP_KEY_END:
        if (!m->guest && (m->kernel || m->module || m->devmem))
            argp_error(state, "--kernel, --module and --devmem are for --guest");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int bench_matrix(int argc, char **argv)
{
    char *doc = cli_format("%s", "Compare migration policies: run workloads under each of them at "
                                 "several sizes, in kernel mode, and "
                                 "report what won and why. With a program of your own (-- "
                                 "PROGRAM), that is the workload; " SIZE_MARK
                                 " in its arguments becomes the size in MiB.\v"
                                 "`hmmsvm bench micro` measures what the device costs; `hmmsvm "
                                 "bench report FOLDER` only reports.\n"
                                 "The same command goes on where it was interrupted, and tries "
                                 "again what failed. Workloads:");
    struct argp argp = { .options = options,
                         .parser = parse,
                         .args_doc = "\n-- PROGRAM [ARGUMENT...]" };
    struct matrix m = {
        .workload_list = "all", .policy_list = "adaptive,remote,touch", .eviction_list = "lru",
        .ratio_list = "75,110,125,150", .repeat = 5, .warmup = 1, .passes = 8, .seed = 1,
        .limit_s = 600, .output = "bench-results", .peer = "remote",
        .machine = CLI_MACHINE,
    };
    struct sim_machine machine;
    size_t i;
    int status;

    for (i = 0; i < WORKLOADS; i++)
        doc = cli_format("%s %s", doc, workloads[i]);
    argp.doc = cli_format(
        "%s. samples/README.md and docs/benchmarks.md say more. Exit status: 0; 1 if runs "
        "failed; 130 interrupted; 125 hmmsvm failed.",
        doc);
    argp_err_exit_status = CLI_FAILED;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &m);
    cli_machine_read(m.machine, &machine);
    workloads_choose(&m);
    ratios_choose(&m);
    m.folder = cli_output_folder(m.output, "logs");
    free(cli_output_folder(m.output, "watch"));
    status = m.guest ? matrix_in_guest(&m) : matrix_here(&m);
    if (!m.no_report && (status == 0 || status == 1))
        bench_report_all(m.folder, m.peer, &machine, m.png);
    return status;
}
