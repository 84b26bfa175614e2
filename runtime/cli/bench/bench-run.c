/* SPDX-License-Identifier: MIT */
/*
 * bench-run.c - one run of `hmmsvm bench`; see bench-run.h. One thread; no locking.
 *
 * A workload stops before and after its measured part. While it waits it gets its policies with
 * their tunables, and the counters are read, so that a record has what the measured part alone did.
 * A program of the user's does not stop: it gets them at its start, and its record has all that it
 * did.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench-run.h"
#include "bench-settings.h"
#include "cli.h"
#include "counters.h"
#include "device/monitor.h"
#include "device/node.h"

#define WATCH_LEAST_S 0.02 /* between two looks */
#define WATCH_PART    50   /* and not more often than in such a part of the time so far */

struct process {
    const struct bench_job *job;
    pid_t pid;
    int in, out, pidfd; /* in, out: -1 without steps */
    struct hmmsvm_target target;
    double begin, deadline;
    char line[65536]; /* of its output, so far */
    size_t length;
    char *error;
    bool timed_out;
    FILE *watch;
    double watch_begin, watch_next, total_mib;
    unsigned page_size;
    struct monitor_sample last;
    struct node_blocks blocks;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

void bench_catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal }; /* no SA_RESTART: poll() has to return */

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool bench_interrupted(void)
{
    return interrupted;
}

/* The first thing that went wrong is the reason. */
static void failed(struct process *p, char *why)
{
    if (p->error)
        free(why);
    else
        p->error = why;
}

/* ---- the process ---- */

static void child(const struct bench_job *job, int in, int out)
{
    int log = open(job->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), err;

    /* It ends with the command, and what the terminal sends is for the command. */
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    dup2(in >= 0 ? in : open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    if (log < 0)
        cli_die("cannot write %s: %s", job->log, strerror(errno));
    dup2(out >= 0 ? out : log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    setenv("HMMSVM_MODE", "kernel", 1);
    unsetenv("HMMSVM_TUNABLES");
    if (job->steps) {
        /* Nothing moves before the measured part. */
        setenv("HMMSVM_POLICY", "remote", 1);
        unsetenv("HMMSVM_EVICTION");
        unsetenv("HMMSVM_STATS");
    } else {
        if (job->settings->count)
            setenv("HMMSVM_TUNABLES", bench_settings_text(job->settings), 1);
        setenv("HMMSVM_POLICY", job->key.policy, 1);
        setenv("HMMSVM_EVICTION", job->key.eviction, 1);
        setenv("HMMSVM_STATS", "json", 1);
    }
    execvp(job->argv[0], job->argv);
    err = errno;
    cli_say("cannot run %s: %s", job->argv[0], strerror(err));
    _exit(err == ENOENT ? CLI_NOT_FOUND : CLI_NOT_RUNNABLE);
}

static void process_start(struct process *p)
{
    int to[2] = { -1, -1 }, from[2] = { -1, -1 };

    if (p->job->steps && (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC)))
        cli_die("cannot make a pipe: %s", strerror(errno));
    fflush(NULL);
    p->pid = fork();
    if (p->pid < 0)
        cli_die("cannot start a process: %s", strerror(errno));
    if (!p->pid)
        child(p->job, to[0], from[1]);
    setpgid(p->pid, p->pid); /* whoever is first */
    p->in = to[1];
    p->out = from[0];
    if (p->job->steps) {
        close(to[0]);
        close(from[1]);
    }
    p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (p->pidfd < 0)
        cli_die("cannot watch process %d: %s", (int)p->pid, strerror(errno));
    p->target.pid = (unsigned)p->pid;
}

/* ---- watching ---- */

static void watch_open(struct process *p)
{
    struct hmmsvm_version version = { .size = sizeof(version) };

    if (!p->job->watch)
        return;
    p->watch = fopen(p->job->watch, "we");
    if (!p->watch)
        cli_die("cannot write %s: %s", p->job->watch, strerror(errno));
    p->page_size = node_ask(p->job->node, HMMSVM_IOC_VERSION, &version) ? 4096 : version.page_size;
    p->total_mib = node_memory_mib(p->job->node);
    p->watch_begin = p->watch_next = cli_seconds();
}

/* One look, as a line. */
static void watch_look(struct process *p)
{
    struct monitor_sample now = { .seconds = cli_seconds() - p->watch_begin };
    struct monitor_rates rates;

    p->watch_next = p->watch_begin + now.seconds +
                    (now.seconds / WATCH_PART > WATCH_LEAST_S ? now.seconds / WATCH_PART
                                                              : WATCH_LEAST_S);
    if (!p->watch || node_stats(p->job->node, &p->target, &now.stats))
        return;
    node_residency(p->job->node, &p->target, &p->blocks);
    rates = monitor_rates(&p->last, &now, p->page_size);
    monitor_json_open(p->watch, &rates, p->total_mib, &now.stats);
    fputs(",\"blocks\":", p->watch);
    monitor_map_json(p->watch, p->blocks.items, p->blocks.count);
    fputs("}\n", p->watch);
    p->last = now;
}

static void watch_close(struct process *p)
{
    if (p->watch && (fflush(p->watch) || fsync(fileno(p->watch)) || fclose(p->watch)))
        cli_die("cannot write %s: %s", p->job->watch, strerror(errno));
    p->watch = NULL;
    free(p->blocks.items);
    p->blocks = (struct node_blocks){ 0 };
}

/* ---- waiting ---- */

/* Waits until fd can be read, looking on meanwhile; false if it takes too long or is to end. */
static bool ready_wait(struct process *p, int fd)
{
    for (;;) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        double now = cli_seconds(), until = p->deadline;

        if (interrupted)
            return false;
        if (now >= p->deadline) {
            p->timed_out = true;
            failed(p, cli_format("did not end within %ld s", p->job->limit_s));
            return false;
        }
        if (p->watch && p->watch_next < until)
            until = p->watch_next;
        if (poll(&ready, 1, until > now ? (int)((until - now) * 1000) + 1 : 0) > 0)
            return true;
        if (p->watch && cli_seconds() >= p->watch_next)
            watch_look(p);
    }
}

/* The next line of its output, valid until the next call; NULL if none comes. */
static const char *line_next(struct process *p)
{
    char *end;
    ssize_t n;

    /* What was returned the last time is in front, ended by a NUL. */
    if (p->length && (end = memchr(p->line, '\0', p->length))) {
        p->length -= (size_t)(end + 1 - p->line);
        memmove(p->line, end + 1, p->length);
    }
    while (!(end = p->length ? memchr(p->line, '\n', p->length) : NULL)) {
        if (p->length == sizeof(p->line)) {
            failed(p, cli_format("printed a line of more than %zu bytes", sizeof(p->line)));
            return NULL;
        }
        if (!ready_wait(p, p->out))
            return NULL;
        n = read(p->out, p->line + p->length, sizeof(p->line) - p->length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return NULL;
        p->length += (size_t)n;
    }
    *end = '\0';
    return p->line;
}

/* Waits for the line that says so; false if it does not come. */
static bool step_wait(struct process *p, const char *where)
{
    const char *line = line_next(p);

    if (line && !strcmp(line, where))
        return true;
    if (line)
        failed(p, cli_format("printed \"%.60s\", not \"%s\"", line, where));
    return false;
}

static bool step_go(struct process *p)
{
    if (write(p->in, "\n", 1) == 1)
        return true;
    failed(p, cli_format("does not listen: %s", strerror(errno)));
    return false;
}

/* Waits for its end, ending it and what it started if it must; sets the error if it was no good
 * one. */
static void process_end(struct process *p)
{
    int status = 0;

    if (p->error || !ready_wait(p, p->pidfd))
        kill(-p->pid, SIGKILL);
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    kill(-p->pid, SIGKILL);
    if (WIFSIGNALED(status))
        failed(p, cli_format("ended by signal %d (%s)", WTERMSIG(status),
                             strsignal(WTERMSIG(status))));
    else if (WEXITSTATUS(status))
        failed(p, cli_format("exit status %d", WEXITSTATUS(status)));
    close(p->pidfd);
    if (p->in >= 0)
        close(p->in);
    if (p->out >= 0)
        close(p->out);
}

/* ---- the record ---- */

static void counters_add(struct json_object *record, const struct hmmsvm_stats *before,
                         const struct hmmsvm_stats *after)
{
    struct json_object *counters = json_object_new_object();

    /* Two of them are no counts but how much there is. */
#define ADD(name)                                                                                  \
    json_object_object_add(counters, #name,                                                        \
                           json_object_new_int64((int64_t)(                                        \
                               !strncmp(#name, "device_pages", 12) ? after->name                   \
                                                                   : after->name - before->name)));
    MIRROR_COUNTERS(ADD)
    MEMORY_COUNTERS(ADD)
#undef ADD
    json_object_object_add(record, "counters", counters);
}

/* A tunable as the run had it. */
static void tunable_add(struct json_object *record, const char *name, long long value)
{
    struct json_object *tunables;

    if (!json_object_object_get_ex(record, "tunables", &tunables)) {
        tunables = json_object_new_object();
        json_object_object_add(record, "tunables", tunables);
    }
    json_object_object_add(tunables, name, json_object_new_int64(value));
}

/* Gives the process its policies; 0 or a negative errno value. */
static int policies_give(struct process *p, struct json_object *record)
{
    const struct bench_job *job = p->job;
    struct hmmsvm_tunable_value t;
    int err = node_policy_set(job->node, &p->target, job->key.policy, job->key.eviction);
    size_t i;

    for (i = 0; !err && i < job->settings->count; i++) {
        err = node_tunable_set(job->node, &p->target, &job->settings->items[i], &t);
        if (!err)
            tunable_add(record, t.name, t.value);
    }
    return err;
}

/* The measured part of a program that stops around it. */
static void run_steps(struct process *p, struct json_object *record)
{
    struct hmmsvm_stats before, after;
    struct json_object *result, *value;
    const char *line;
    int err;

    if (!step_wait(p, "ready"))
        return;
    err = policies_give(p, record);
    if (!err)
        err = node_stats(p->job->node, &p->target, &before);
    if (err) {
        failed(p, err == -ENOENT ? cli_format("does not use the device") :
                                   cli_format("the module refuses: %s", strerror(-err)));
        return;
    }
    watch_open(p);
    watch_look(p);
    if (!step_go(p) || !step_wait(p, "done"))
        return;
    err = node_stats(p->job->node, &p->target, &after);
    watch_look(p);
    watch_close(p);
    if (err) {
        failed(p, cli_format("the module does not answer: %s", strerror(-err)));
        return;
    }
    if (!step_go(p) || !(line = line_next(p)))
        return;
    result = json_tokener_parse(line);
    if (!result || !json_object_object_get_ex(result, "ms", &value)) {
        failed(p, cli_format("printed \"%.60s\", no result", line));
    } else {
        json_object_object_add(record, "ms", json_object_get(value));
        if (json_object_object_get_ex(result, "bytes", &value))
            json_object_object_add(record, "bytes", json_object_get(value));
        counters_add(record, &before, &after);
    }
    json_object_put(result);
}

/* Adds up the counters that the devices of a program printed when they were closed. */
static struct json_object *counters_logged(const char *path)
{
    struct json_object *sum = NULL, *one, *value;
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;

    while (file && getline(&line, &room, file) > 0) {
        if (strncmp(line, "{\"hmmsvm\":1,", 12) || !(one = json_tokener_parse(line)))
            continue;
        sum = sum ? sum : json_object_new_object();
        json_object_object_foreach(one, name, number) {
            if (!json_object_is_type(number, json_type_int))
                continue;
            json_object_object_add(
                sum, name,
                json_object_new_int64(json_object_get_int64(number) +
                                      (json_object_object_get_ex(sum, name, &value)
                                           ? json_object_get_int64(value) : 0)));
        }
        json_object_put(one);
    }
    free(line);
    if (file)
        fclose(file);
    return sum;
}

/* All of a program that does not stop. */
static void run_whole(struct process *p, struct json_object *record)
{
    struct json_object *counters, *ms = json_object_new_array();
    double took;
    bool ended;
    size_t i;

    for (i = 0; i < p->job->settings->count; i++)
        tunable_add(record, p->job->settings->items[i].name, p->job->settings->items[i].value);
    watch_open(p);
    ended = ready_wait(p, p->pidfd);
    took = (cli_seconds() - p->begin) * 1000;
    watch_close(p);
    json_object_array_add(ms, json_object_new_double(took));
    if (ended && (counters = counters_logged(p->job->log))) {
        json_object_object_add(record, "ms", ms);
        json_object_object_add(record, "counters", counters);
        return;
    }
    json_object_put(ms);
}

static struct json_object *record_new(const struct bench_job *job)
{
    struct json_object *record = json_object_new_object();

    json_object_object_add(record, "workload", json_object_new_string(job->key.workload));
    json_object_object_add(record, "policy", json_object_new_string(job->key.policy));
    json_object_object_add(record, "eviction", json_object_new_string(job->key.eviction));
    json_object_object_add(record, "ratio", json_object_new_int((int)job->key.ratio));
    json_object_object_add(record, "repetition", json_object_new_int(job->key.repetition));
    json_object_object_add(record, "size_mib", json_object_new_double(job->mib));
    return record;
}

struct json_object *bench_run(const struct bench_job *job)
{
    struct process *p = calloc(1, sizeof(*p));
    struct json_object *record = record_new(job);

    if (!p)
        cli_die("out of memory");
    p->job = job;
    p->begin = cli_seconds();
    p->deadline = p->begin + (double)job->limit_s;
    process_start(p);
    if (job->steps)
        run_steps(p, record);
    else
        run_whole(p, record);
    process_end(p);
    watch_close(p);
    json_object_object_add(record, "seconds", json_object_new_double(cli_seconds() - p->begin));
    if (!p->error && !json_object_object_get_ex(record, "ms", NULL))
        failed(p, cli_format(job->steps ? "ended before it was done"
                                        : "did not use the device, or did not close it"));
    if (p->error) {
        json_object_object_del(record, "ms");
        json_object_object_add(record, "error", json_object_new_string(p->error));
        json_object_object_add(record, "timed_out", json_object_new_boolean(p->timed_out));
    }
    free(p->error);
    free(p);
    if (!interrupted)
        return record;
    json_object_put(record);
    return NULL;
}
