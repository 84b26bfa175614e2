/* SPDX-License-Identifier: MIT */
/*
 * trace.c - `hmmsvm trace`: prints, packs and makes up traces. No locking.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hmmsvm/trace.h>

#include "cli.h"
#include "sim.h"
#include "trace-make.h"

enum {
    OPT_OUTPUT = 'o',
    OPT_MAKE = 'm',
    OPT_INFO = 'i',
    OPT_PACK = 'p',
    OPT_MB = 256,
    OPT_SEED,
    OPT_JSON,
};

static const struct argp_option options[] = {
    { "info", OPT_INFO, NULL, 0, "Print how much is in it, not the records", 0 },
    { "pack", OPT_PACK, NULL, 0, "Write it as a binary trace", 0 },
    { "make", OPT_MAKE, "PATTERN", 0, "Make one up; see the list below", 0 },
    { "mb", OPT_MB, "N", 0, "Make one that uses about so many MiB (default 64)", 0 },
    { "seed", OPT_SEED, "N", 0, "For what is random in it (default 1)", 0 },
    { "output", OPT_OUTPUT, "FILE", 0, "Where to write it (default: standard output)", 0 },
    { "json", OPT_JSON, NULL, 0, "With --info: print JSON", 0 },
    { 0 }
};

struct trace_options {
    const char *file, *make, *output;
    bool info, pack, json;
    long mb, seed;
};

static struct hmmsvm_trace_writer *writer(const struct trace_options *o)
{
    const char *path = o->output ? o->output : "-";
    struct hmmsvm_trace_writer *w;

    if (!strcmp(path, "-") && isatty(STDOUT_FILENO))
        cli_die("a binary trace is nothing for a terminal: give -o FILE");
    w = hmmsvm_trace_create(path);
    if (!w)
        cli_die("cannot create %s: %s", path, strerror(errno));
    return w;
}

static int finish(struct hmmsvm_trace_writer *w, const struct trace_options *o)
{
    if (hmmsvm_trace_finish(w))
        cli_die("cannot write %s: %s", o->output ? o->output : "the trace", strerror(errno));
    return 0;
}

static int make(const struct trace_options *o)
{
    const char *name;
    unsigned i;

    for (i = 0; (name = trace_make_name(i, NULL)) && strcmp(name, o->make); i++)
        ;
    if (!name)
        cli_die("there is no pattern \"%s\"; hmmsvm trace --help lists them", o->make);
    {
        struct hmmsvm_trace_writer *w = writer(o);

        trace_make(w, o->make, (uint64_t)o->mb * 256, (uint64_t)o->seed);
        return finish(w, o);
    }
}

static int pack(const struct hmmsvm_trace *trace, const struct trace_options *o)
{
    struct hmmsvm_trace_writer *w = writer(o);
    struct hmmsvm_trace_cursor cursor = { 0 };
    struct hmmsvm_trace_event e;

    while (hmmsvm_trace_next(trace, &cursor, &e))
        hmmsvm_trace_write(w, &e);
    return finish(w, o);
}

static int info(const struct hmmsvm_trace *trace, const struct trace_options *o)
{
    char error[256];
    struct sim_layout *layout = sim_layout_new(trace, error, sizeof(error));

    if (!layout)
        cli_die("%s: %s", o->file, error);
    printf(o->json ? "{\"records\":%" PRIu64 ",\"kernels\":%" PRIu64 ",\"device_accesses\":%" PRIu64
                     ",\"cpu_accesses\":%" PRIu64 ",\"device_pages\":%" PRIu64 ",\"pages\":%" PRIu64
                     ",\"blocks\":%" PRIu32 "}\n"
                   : "records          %" PRIu64 "\nkernels          %" PRIu64
                     "\ndevice accesses  %" PRIu64 "\nCPU accesses     %" PRIu64
                     "\ndevice's pages   %" PRIu64 "\nall pages        %" PRIu64
                     "\nblocks of 2 MiB  %" PRIu32 "\n",
           trace->events, trace->kernels, trace->device_accesses,
           trace->accesses - trace->device_accesses, layout->device_pages, layout->pages,
           layout->count);
    sim_layout_free(layout);
    return 0;
}

static int print(const struct hmmsvm_trace *trace, const struct trace_options *o)
{
    FILE *out = o->output && strcmp(o->output, "-") ? fopen(o->output, "w") : stdout;
    struct hmmsvm_trace_cursor cursor = { 0 };
    struct hmmsvm_trace_event e;

    if (!out)
        cli_die("cannot create %s: %s", o->output, strerror(errno));
    while (hmmsvm_trace_next(trace, &cursor, &e))
        hmmsvm_trace_print(&e, out);
    if (ferror(out) | fclose(out))
        cli_die("cannot write %s: %s", o->output ? o->output : "it", strerror(errno));
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct trace_options *o = state->input;

    switch (key) {
    case OPT_INFO: o->info = true; break;
    case OPT_PACK: o->pack = true; break;
    case OPT_JSON: o->json = true; break;
    case OPT_MAKE: o->make = arg; break;
    case OPT_OUTPUT: o->output = arg; break;
    case OPT_MB: o->mb = cli_number("--mb", arg, 1, 1 << 20); break;
    case OPT_SEED: o->seed = cli_number("--seed", arg, 0, 1l << 62); break;
    case ARGP_KEY_ARG:
        if (o->file)
            argp_error(state, "one argument too many: \"%s\"", arg);
        o->file = arg;
        break;
    case ARGP_KEY_END:
        if (!o->make == !o->file)
            argp_error(state, "a trace is wanted, or --make PATTERN");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static char *help_filter(int key, const char *text, void *input)
{
    const char *name, *help;
    char *all;
    unsigned i;

    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    all = cli_format("%s", text);
    for (i = 0; (name = trace_make_name(i, &help)); i++) {
        char *more = cli_format("%s\n  %-12s %s", all, name, help);

        free(all);
        all = more;
    }
    return all;
}

int cli_trace(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "FILE\n--make PATTERN",
        .doc = "Print a trace as text, one record a line; or say how much is in it, make a binary "
               "trace of a text, or make one up."
               "\vA trace says which pages kernels and CPU code used; `hmmsvm sim` replays it. FILE "
               "may be - for standard input. Exit status: 0, or 125 if hmmsvm failed.\n\nPatterns:",
        .help_filter = help_filter,
    };
    struct trace_options o = { .mb = 64, .seed = 1 };
    struct hmmsvm_trace *trace;
    char error[256];
    int status;

    argp_err_exit_status = CLI_FAILED;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (o.make)
        return make(&o);
    trace = hmmsvm_trace_open(o.file, error, sizeof(error));
    if (!trace)
        cli_die("%s: %s", o.file, error);
    status = o.info ? info(trace, &o) : o.pack ? pack(trace, &o) : print(trace, &o);
    hmmsvm_trace_close(trace);
    return status;
}
