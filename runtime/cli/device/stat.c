/* SPDX-License-Identifier: MIT */
/*
 * stat.c - `hmmsvm stat`: watches what the device does with the memory of a process, as a system
 * monitor does. monitor.c computes and prints; here is who is watched and when.
 *
 * One thread; no locking. The end of the process is seen through its pidfd.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli.h"
#include "monitor.h"
#include "node.h"

#define LOOK_S      0.1     /* counters are looked at so often: they are gone with the process */
#define HEAD_EVERY  20      /* lines */
#define MAP_ROWS    24
#define MAP_COLUMNS 64

enum format { FORMAT_TEXT, FORMAT_CSV, FORMAT_JSON };

enum {
    OPT_INTERVAL = 'i',
    OPT_COUNT = 'n',
    OPT_OUTPUT = 'o',
    OPT_CSV = 256,
    OPT_JSON,
    OPT_MAP,
    OPT_CONTEXT,
};

static const struct argp_option options[] = {
    { "interval", OPT_INTERVAL, "SECONDS", 0, "Time between two lines (default 1)", 0 },
    { "count", OPT_COUNT, "N", 0, "End after so many lines (default: with the process)", 0 },
    { "csv", OPT_CSV, NULL, 0, "Print CSV, with every counter", 0 },
    { "json", OPT_JSON, NULL, 0, "Print JSON, an object a line, with every counter", 0 },
    { "map", OPT_MAP, NULL, 0, "Show as well where the memory is; not with --csv", 0 },
    { "output", OPT_OUTPUT, "FILE", 0,
      "Write there (default: standard output, or standard error beside a program)", 0 },
    { "context", OPT_CONTEXT, "N", 0, "Which of the process's contexts (default 0, the oldest)",
      0 },
    { 0 }
};

struct stat_options {
    double interval;
    long count;
    enum format format;
    bool map;
    unsigned context, pid;
    const char *output;
    char **argv;
};

struct watch {
    const struct stat_options *o;
    FILE *out;
    int fd, pidfd;
    struct hmmsvm_target target;
    unsigned page_size;
    double begin, total_mib;
    bool screen;
    long lines;
    struct node_blocks blocks;
};

static int sample_take(struct watch *w, struct monitor_sample *sample)
{
    struct hmmsvm_stats stats;
    int err = node_stats(w->fd, &w->target, &stats);

    if (!err)
        *sample = (struct monitor_sample){ .seconds = cli_seconds() - w->begin, .stats = stats };
    return err;
}

static void title_make(struct watch *w, char *title, size_t size)
{
    struct hmmsvm_policy_choice choice = { .size = sizeof(choice), .target = w->target };

    if (node_ask(w->fd, HMMSVM_IOC_POLICY, &choice))
        snprintf(title, size, "process %u", w->o->pid);
    else
        snprintf(title, size, "process %u  policy %.16s, eviction %.16s", w->o->pid,
                 choice.placement, choice.eviction);
}

static void line_print(struct watch *w, const struct monitor_sample *before,
                       const struct monitor_sample *after)
{
    struct monitor_rates rates = monitor_rates(before, after, w->page_size);
    char title[128];

    if (w->o->map)
        node_residency(w->fd, &w->target, &w->blocks);
    switch (w->o->format) {
    case FORMAT_CSV:
        if (!w->lines)
            monitor_csv_head(w->out);
        monitor_csv_line(w->out, &rates, w->total_mib, &after->stats);
        break;
    case FORMAT_JSON:
        monitor_json_open(w->out, &rates, w->total_mib, &after->stats);
        if (w->o->map) {
            fputs(",\"blocks\":", w->out);
            monitor_map_json(w->out, w->blocks.items, w->blocks.count);
        }
        fputs("}\n", w->out);
        break;
    case FORMAT_TEXT:
        if (w->screen) {
            fputs("\033[H\033[2J", w->out);
            title_make(w, title, sizeof(title));
            monitor_screen(w->out, &rates, w->total_mib, &after->stats, title, MAP_COLUMNS);
            fputc('\n', w->out);
        } else {
            if (w->lines % HEAD_EVERY == 0 || w->o->map)
                monitor_text_head(w->out);
            monitor_text_line(w->out, &rates, w->total_mib);
        }
        if (w->o->map)
            monitor_map(w->out, w->blocks.items, w->blocks.count, MAP_COLUMNS, MAP_ROWS);
        break;
    }
    if (fflush(w->out))
        cli_die("cannot write: %s", strerror(errno));
    w->lines++;
}

/* Whether the process ends within that time. */
static bool process_ends(const struct watch *w, double within)
{
    struct pollfd ready = { .fd = w->pidfd, .events = POLLIN };
    int ms = within <= 0 ? 0 : (int)(within * 1000) + 1;

    return poll(&ready, 1, ms) > 0;
}

/* Waits until a program that was started has a context; false if it ends without one. */
static bool context_wait(struct watch *w, struct monitor_sample *sample)
{
    int err;

    while ((err = sample_take(w, sample))) {
        if (err != -ENOENT && err != -ESRCH && err != -EPERM)
            node_target_failed(err, &w->target);
        if (process_ends(w, 0.01))
            return false;
    }
    return true;
}

/* Prints until the process or its context ends, or it is enough. */
static void watch_loop(struct watch *w, struct monitor_sample before, struct monitor_sample last)
{
    double next = before.seconds + w->o->interval;

    while (!w->o->count || w->lines < w->o->count) {
        double now = cli_seconds() - w->begin;
        double pause = next - now < LOOK_S ? next - now : LOOK_S;

        if (process_ends(w, pause) || sample_take(w, &last)) {
            if (last.seconds > before.seconds)
                line_print(w, &before, &last);
            return;
        }
        if (last.seconds < next)
            continue;
        line_print(w, &before, &last);
        before = last;
        for (; next <= last.seconds; next += w->o->interval)
            ;
    }
}

static void watch_begin(struct watch *w, struct stat_options *o)
{
    struct hmmsvm_version version;

    w->o = o;
    w->fd = node_open(&version);
    w->page_size = version.page_size;
    w->total_mib = node_memory_mib(w->fd);
    w->out = o->argv ? stderr : stdout;
    if (o->output && !(w->out = fopen(o->output, "we")))
        cli_die("cannot write %s: %s", o->output, strerror(errno));
    w->screen = o->format == FORMAT_TEXT && !o->argv && isatty(fileno(w->out));
}

static void watch_target(struct watch *w, unsigned pid)
{
    w->target = (struct hmmsvm_target){ .pid = pid, .context = w->o->context };
    w->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (w->pidfd < 0)
        node_target_failed(-errno, &w->target);
    w->begin = cli_seconds();
}

static int watch_program(struct stat_options *o)
{
    struct monitor_sample before = { 0 }, last;
    struct watch w = { 0 };
    pid_t pid;
    int status;

    watch_begin(&w, o);
    pid = cli_program_start(o->argv);
    /* What the terminal sends to both is for the program. */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    o->pid = (unsigned)pid;
    watch_target(&w, (unsigned)pid);
    if (context_wait(&w, &last))
        watch_loop(&w, before, last);
    status = cli_program_end(pid);
    if (!w.lines && status != CLI_NOT_FOUND && status != CLI_NOT_RUNNABLE)
        cli_say("there was nothing to watch: %s did not open the device itself in kernel mode, or "
                "not for long", o->argv[0]);
    return status;
}

static int watch_process(struct stat_options *o)
{
    struct monitor_sample first;
    struct watch w = { 0 };
    int err;

    watch_begin(&w, o);
    watch_target(&w, o->pid);
    err = sample_take(&w, &first);
    if (err)
        node_target_failed(err, &w.target);
    watch_loop(&w, first, first);
    return 0;
}

/* ---- without a process ---- */

static double listed_page_mib;

/* The name of a program, as ps(1) has it; "?" if it is gone. */
static void program_name(unsigned pid, char name[64])
{
    char *path = cli_format("/proc/%u/comm", pid);
    FILE *file = fopen(path, "re");

    strcpy(name, "?");
    if (file && fgets(name, 64, file))
        name[strcspn(name, "\n")] = '\0';
    if (file)
        fclose(file);
    free(path);
}

static void context_print(const struct hmmsvm_stats *s)
{
    char name[64];

    program_name(s->target.pid, name);
    printf("%8u %7u %-16s %8.1f %8.1f %8.1f %10llu %10llu %14llu %14llu\n", s->target.pid,
           s->target.context, name, (double)s->device_pages * listed_page_mib,
           (double)s->device_pages_share * listed_page_mib,
           (double)s->device_pages_limit * listed_page_mib, (unsigned long long)s->evictions,
           (unsigned long long)s->evictions_by_others, (unsigned long long)s->device_faults,
           (unsigned long long)s->cpu_faults);
}

static void context_print_json(const struct hmmsvm_stats *s)
{
    char name[64];

    program_name(s->target.pid, name);
    printf("{\"pid\":%u,\"context\":%u,", s->target.pid, s->target.context);
    monitor_json_string(stdout, "program", name);
    printf(",\"resident_mib\":%.3f,\"share_mib\":%.3f,\"limit_mib\":%.3f",
           (double)s->device_pages * listed_page_mib,
           (double)s->device_pages_share * listed_page_mib,
           (double)s->device_pages_limit * listed_page_mib);
    monitor_json_counters(stdout, s);
    puts("}");
}

static int contexts_list(bool json)
{
    struct hmmsvm_version version;
    int fd = node_open(&version);

    listed_page_mib = (double)version.page_size / (1 << 20);
    if (json) {
        node_contexts(fd, context_print_json);
        close(fd);
        return 0;
    }
    printf("%8s %7s %-16s %8s %8s %8s %10s %10s %14s %14s\n", "PID", "context", "program",
           "MiB", "share", "limit", "evictions", "for others", "device faults", "CPU faults");
    if (!node_contexts(fd, context_print))
        puts("no process of yours uses the device now");
    close(fd);
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct stat_options *o = state->input;
    char *end;

    switch (key) {
    case OPT_INTERVAL:
        o->interval = strtod(arg, &end);
        if (end == arg || *end || !(o->interval >= 0.05 && o->interval <= 86400))
            argp_error(state, "--interval takes seconds from 0.05 to 86400, not \"%s\"", arg);
        break;
    case OPT_COUNT: o->count = cli_number("--count", arg, 1, 1000000000); break;
    case OPT_OUTPUT: o->output = arg; break;
    case OPT_CSV: o->format = FORMAT_CSV; break;
    case OPT_JSON: o->format = FORMAT_JSON; break;
    case OPT_MAP: o->map = true; break;
    case OPT_CONTEXT: o->context = (unsigned)cli_number("--context", arg, 0, 65535); break;
    case ARGP_KEY_ARGS:
        o->argv = state->argv + state->next;
        if (o->argv[0][strspn(o->argv[0], "0123456789")])
            break;
        if (o->argv[1])
            argp_error(state, "after a process there is nothing: options go before it");
        o->pid = (unsigned)cli_number("a process id", o->argv[0], 1, 1 << 22);
        o->argv = NULL;
        break;
    case ARGP_KEY_END:
        if (o->map && o->format == FORMAT_CSV)
            argp_error(state, "--map does not go with --csv");
        if (!o->argv && !o->pid && o->format == FORMAT_CSV)
            argp_error(state, "--csv is for a process; the list of them is text or --json");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int cli_stat(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[PID]\n-- PROGRAM [ARGUMENT...]",
        .doc = "Watch what the device does with the memory of a process: faults of either side, "
               "memory that moves, evictions, and how much is in device memory."
               "\vWith a program, it is run as `hmmsvm run` does and watched to its end; the exit "
               "status is its own. Without either, the contexts of your processes are listed, with what "
               "each has of device memory, its fair share of it and its limit. "
               "\"failed\" counts device faults that ended in a signal, pages that could not "
               "move, and errors of the policy. Exit status: 0, or 125 if hmmsvm failed.",
    };
    struct stat_options o = { .interval = 1 };

    argp_err_exit_status = CLI_FAILED;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o);
    if (o.argv)
        return watch_program(&o);
    return o.pid ? watch_process(&o) : contexts_list(o.format == FORMAT_JSON);
}
