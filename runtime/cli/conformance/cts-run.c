/* SPDX-License-Identifier: MIT */
/*
 * cts-run.c - runs the tests of the CTS, each as a process of its own; see cts.h.
 *
 * A test has its own process group, temporary folder and pipe, nothing to read, and a time limit.
 * One thread, one poll loop; signals that end the command arrive through a signalfd. No locking.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "cts.h"

#define LIST_SECONDS    60
#define LOG_MAX         (8 << 20)   /* of a test that prints without end */
#define TEXT_MAX        (4 << 20)   /* of lists and results */
#define STILL_SECONDS   60          /* between two signs of life, where there is no terminal */

struct job {
    struct cts_test *test;
    pid_t pid;                      /* 0: none */
    int pidfd, output_fd;
    double start;
    bool timed_out;
    struct cts_output output;
    char *folder, *log_path;
    FILE *log;
    size_t logged;
};

/* A pass over some of the tests. */
struct pass {
    struct cts_run *run;
    bool peer;
    struct cts_test **queue;
    size_t count, next, done;
    struct job *jobs;
    size_t running;
    double start, last_said;
    bool terminal, status_shown, stop;
};

/* What can be read, at most TEXT_MAX. */
static char *file_read(int fd)
{
    char *text = malloc(TEXT_MAX + 1);
    size_t length = 0;
    ssize_t n;

    if (!text)
        cli_die("out of memory");
    while (length < TEXT_MAX && (n = read(fd, text + length, TEXT_MAX - length)) != 0) {
        if (n < 0 && errno != EINTR)
            break;
        length += n > 0 ? (size_t)n : 0;
    }
    text[length] = '\0';
    return text;
}

static int folder_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    remove(path);
    return 0;
}

static void folder_remove(const char *path)
{
    nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- listing ---- */

static void program_folder_enter(const char *program)
{
    char *folder = cli_format("%s", program), *slash = strrchr(folder, '/');

    if (slash) {
        *slash = '\0';
        if (*folder && chdir(folder)) {
            cli_say("cannot enter %s: %s", folder, strerror(errno));
            _exit(CLI_FAILED);
        }
    }
    free(folder);
}

struct found {
    struct cts_run *run;
    const struct cts_suite *suite;
    const char *program;
};

static void test_add(void *arg, const char *name)
{
    struct found *found = arg;
    struct cts_report *report = &found->run->report;

    report->tests = realloc(report->tests, (report->count + 1) * sizeof(*report->tests));
    if (!report->tests)
        cli_die("out of memory");
    report->tests[report->count++] = (struct cts_test){
        .suite = found->suite,
        .name = cli_format("%s", name),
        .program = cli_format("%s", found->program),
    };
}

void cts_tests_find(struct cts_run *run, const struct cts_suite *suite, const char *program)
{
    struct found found = { .run = run, .suite = suite, .program = program };
    int pipes[2], status = -1;
    size_t listed;
    char *text;
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC))
        cli_die("cannot make a pipe: %s", strerror(errno));
    pid = fork();
    if (pid < 0)
        cli_die("cannot start a process: %s", strerror(errno));
    if (!pid) {
        dup2(open("/dev/null", O_RDWR | O_CLOEXEC), STDIN_FILENO);
        dup2(pipes[1], STDOUT_FILENO);
        dup2(pipes[1], STDERR_FILENO);
        program_folder_enter(program);
        alarm(LIST_SECONDS);
        execl(program, program, "--list", (char *)NULL);
        _exit(errno == ENOENT ? CLI_NOT_FOUND : CLI_NOT_RUNNABLE);
    }
    close(pipes[1]);
    text = file_read(pipes[0]);
    close(pipes[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        fwrite(text, 1, strnlen(text, 2000), stderr);
        cli_die("%s --list failed (%s %d); is %s a build of the OpenCL-CTS for this machine?",
                program, WIFSIGNALED(status) ? "signal" : "status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), program);
    }
    listed = cts_list_parse(suite, text, test_add, &found);
    free(text);
    if (!listed)
        cli_die("%s --list names no test%s%s; a newer OpenCL-CTS may be needed", program,
                suite->match ? " like " : "", suite->match ? suite->match : "");
}

/* ---- progress ---- */

static void status_clear(struct pass *p)
{
    if (p->status_shown)
        fputs("\r\033[K", stderr);
    p->status_shown = false;
}

/* "12 of 640 done, running basic/x (3 s), basic/y (1 s); 95 s" */
static void status_say(struct pass *p)
{
    double now = cli_seconds();
    char names[160] = "";
    size_t i, n = 0;

    if (!p->terminal && now - p->last_said < STILL_SECONDS)
        return;
    for (i = 0; i < (size_t)p->run->jobs; i++)
        if (p->jobs[i].pid && n < sizeof(names))
            n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s/%s (%.0f s)", n ? ", " : "",
                                  p->jobs[i].test->suite->name, p->jobs[i].test->name,
                                  now - p->jobs[i].start);
    status_clear(p);
    fprintf(stderr, "%zu of %zu done, running %s; %.0f s%s", p->done, p->count, names,
            now - p->start, p->terminal ? "" : "\n");
    fflush(stderr);
    p->status_shown = p->terminal;
    p->last_said = now;
}

static void result_say(struct pass *p, const struct cts_test *test, enum cts_outcome outcome,
                       double seconds, const char *reason)
{
    static const char *const words[] = { "passed", "FAILED", "SKIPPED" };

    status_clear(p);
    fprintf(stderr, "[%3zu/%zu] %-7s %s/%s  %.1f s%s%s\n", p->done, p->count, words[outcome],
            test->suite->name, test->name, seconds, *reason ? "  " : "", reason);
    p->last_said = cli_seconds();
}

/* ---- a test ---- */

static void job_environment(const struct pass *p, const struct job *job)
{
    static const char *const forget[] = {
        "CL_DEVICE_TYPE", "CL_DEVICE_INDEX", "CL_PLATFORM_INDEX", "CL_WIMPY_MODE", "BAZEL_TEST",
    };
    char *results = cli_format("%s/results.json", job->folder);
    size_t i;

    for (i = 0; i < sizeof(forget) / sizeof(forget[0]); i++)
        unsetenv(forget[i]);
    setenv("CL_CONFORMANCE_RESULTS_FILENAME", results, 1);
    setenv("TMPDIR", job->folder, 1);
    setenv("POCL_DEVICES", p->peer ? p->run->report.peer : p->run->report.device, 1);
    setenv("HMMSVM_STATS", "json", 1);
}

static void job_exec(const struct pass *p, const struct job *job, int output)
{
    const struct cts_suite *suite = job->test->suite;
    struct rlimit no_core = { 0, 0 };
    struct cli_strings args = { 0 };
    sigset_t none;
    size_t i;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    job_environment(p, job);
    program_folder_enter(job->test->program);
    cli_strings_add(&args, job->test->program);
    for (i = 0; i < 3 && suite->args[i]; i++)
        cli_strings_add(&args, cli_format("%s", suite->args[i]));
    if (p->run->wimpy)
        cli_strings_add(&args, cli_format("--wimpy"));
    cli_strings_add(&args, job->test->name);
    execv(job->test->program, args.items);
    cli_say("cannot run %s: %s", job->test->program, strerror(errno));
    _exit(CLI_NOT_RUNNABLE);
}

static void job_log_open(const struct pass *p, struct job *job)
{
    const char *suite = job->test->suite->name, *results = p->run->results;
    char *folder = cli_format("%s/logs/%s", results, suite);

    if (mkdir(folder, 0777) && errno != EEXIST)
        cli_die("cannot create %s: %s", folder, strerror(errno));
    free(folder);
    job->log_path = cli_format("%s/logs/%s/%s%s%s.log", results, suite, job->test->name,
                               p->peer ? "." : "", p->peer ? p->run->report.peer : "");
    job->log = fopen(job->log_path, "we");
    if (!job->log)
        cli_die("cannot write %s: %s", job->log_path, strerror(errno));
    job->logged = 0;
}

static void job_start(struct pass *p, struct job *job, struct cts_test *test)
{
    const char *temp = getenv("TMPDIR");
    int pipes[2];

    *job = (struct job){ .test = test, .start = cli_seconds() };
    job->folder = cli_format("%s/hmmsvm-cts-XXXXXX", temp && *temp ? temp : "/tmp");
    if (!mkdtemp(job->folder))
        cli_die("cannot make a temporary folder (%s): %s", job->folder, strerror(errno));
    job_log_open(p, job);
    cts_output_begin(&job->output, test->name);
    if (pipe2(pipes, O_CLOEXEC))
        cli_die("cannot make a pipe: %s", strerror(errno));
    fflush(NULL);
    job->pid = fork();
    if (job->pid < 0)
        cli_die("cannot start a process: %s", strerror(errno));
    if (!job->pid)
        job_exec(p, job, pipes[1]);
    setpgid(job->pid, job->pid);
    close(pipes[1]);
    job->output_fd = pipes[0];
    fcntl(job->output_fd, F_SETFL, O_NONBLOCK);
    job->pidfd = (int)syscall(SYS_pidfd_open, job->pid, 0);
    if (job->pidfd < 0)
        cli_die("cannot watch a process: %s", strerror(errno));
    p->running++;
}

/* Takes what there is of the output. At the end of it the descriptor is closed. */
static void job_read(struct job *job)
{
    char data[65536];
    ssize_t n;

    while (job->output_fd >= 0) {
        size_t room = LOG_MAX - job->logged;

        n = read(job->output_fd, data, sizeof(data));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close(job->output_fd);
            job->output_fd = -1;
            return;
        }
        cts_output_feed(&job->output, data, (size_t)n);
        if (room) {
            size_t kept = (size_t)n < room ? (size_t)n : room;

            fwrite(data, 1, kept, job->log);
            job->logged += kept;
            if (job->logged == LOG_MAX)
                fputs("\n[there was more]\n", job->log);
        }
        if ((size_t)n < sizeof(data))
            return;
    }
}

static char *job_results(const struct job *job)
{
    char *path = cli_format("%s/results.json", job->folder), *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        text = file_read(fd);
        close(fd);
    }
    free(path);
    return text;
}

/* The process has ended: reaps it and whatever it left behind, and judges. */
static void job_finish(struct pass *p, struct job *job)
{
    struct cts_report *report = &p->run->report;
    struct cts_test *test = job->test;
    struct cts_ending ending = {
        .timed_out = job->timed_out,
        .limit_s = p->run->limit_s,
        .device = p->peer ? NULL : p->run->want_device,
    };
    double took = cli_seconds() - job->start;
    char reason[sizeof(test->reason)];
    enum cts_outcome outcome;
    char *results;

    while (waitpid(job->pid, &ending.status, 0) < 0 && errno == EINTR)
        ;
    kill(-job->pid, SIGKILL);
    job_read(job);
    if (job->output_fd >= 0)
        close(job->output_fd);
    close(job->pidfd);
    cts_output_end(&job->output);
    ending.results = results = job_results(job);
    outcome = cts_verdict(&job->output, &ending, reason, sizeof(reason));
    free(results);
    fclose(job->log);
    folder_remove(job->folder);
    if (outcome == CTS_PASSED)
        unlink(job->log_path);

    job->pid = 0;
    p->running--;
    if (!p->stop) {
        p->done++;
        if (p->peer) {
            test->peer_ran = true;
            test->peer = outcome;
        } else {
            test->ran = true;
            test->outcome = outcome;
            test->seconds = took;
            test->parts = job->output.parts;
            test->launches = job->output.launches;
            memcpy(test->reason, reason, sizeof(reason));
            if (outcome != CTS_PASSED)
                test->log = cli_format("logs/%s/%s.log", test->suite->name, test->name);
            if (*job->output.device)
                memcpy(report->device_name, job->output.device, sizeof(report->device_name));
        }
        result_say(p, test, outcome, took, reason);
    }
    free(job->folder);
    free(job->log_path);
}

/* ---- the loop ---- */

static void pass_start_more(struct pass *p)
{
    size_t i;

    while (!p->stop && p->next < p->count && p->running < (size_t)p->run->jobs) {
        struct cts_test *test = p->queue[p->next];

        /* Those that must be alone stand at the end of the queue. */
        if (p->running && !cts_test_shares(test->suite, test->name))
            return;
        for (i = 0; p->jobs[i].pid; i++)
            ;
        job_start(p, &p->jobs[i], test);
        p->next++;
        if (!cts_test_shares(test->suite, test->name))
            return;
    }
}

static void pass_poll(struct pass *p, int signals)
{
    size_t jobs = (size_t)p->run->jobs, i;
    struct pollfd polls[2 * jobs + 1];

    polls[2 * jobs] = (struct pollfd){ .fd = signals, .events = POLLIN };
    for (i = 0; i < jobs; i++) {
        const struct job *job = &p->jobs[i];

        polls[2 * i] = (struct pollfd){ .fd = job->pid ? job->output_fd : -1, .events = POLLIN };
        polls[2 * i + 1] = (struct pollfd){ .fd = job->pid ? job->pidfd : -1, .events = POLLIN };
    }
    if (poll(polls, 2 * jobs + 1, 500) < 0)
        return;
    if (polls[2 * jobs].revents) {
        struct signalfd_siginfo info;

        if (read(signals, &info, sizeof(info)) == sizeof(info))
            p->stop = p->run->report.interrupted = true;
    }
    for (i = 0; i < jobs; i++) {
        struct job *job = &p->jobs[i];

        if (!job->pid)
            continue;
        if (polls[2 * i].revents)
            job_read(job);
        if (polls[2 * i + 1].revents) {
            job_finish(p, job);
        } else if (p->stop || cli_seconds() - job->start > (double)p->run->limit_s) {
            job->timed_out = true;
            kill(-job->pid, SIGKILL);
        }
    }
}

static void pass_run(struct pass *p)
{
    sigset_t watched, before;
    int signals;

    p->start = p->last_said = cli_seconds();
    p->terminal = isatty(STDERR_FILENO);
    p->jobs = calloc((size_t)p->run->jobs, sizeof(*p->jobs));
    sigemptyset(&watched);
    sigaddset(&watched, SIGINT);
    sigaddset(&watched, SIGTERM);
    sigaddset(&watched, SIGHUP);
    sigprocmask(SIG_BLOCK, &watched, &before);
    signals = signalfd(-1, &watched, SFD_CLOEXEC);
    if (!p->jobs || signals < 0)
        cli_die("cannot watch for signals: %s", strerror(errno));
    while (p->running || (p->next < p->count && !p->stop)) {
        pass_start_more(p);
        status_say(p);
        pass_poll(p, signals);
    }
    status_clear(p);
    close(signals);
    sigprocmask(SIG_SETMASK, &before, NULL);
    free(p->jobs);
    free(p->queue);
}

static bool test_failed(const struct cts_test *test)
{
    return test->ran && test->outcome == CTS_FAILED;
}

/* Those that may run beside others first. */
static struct pass pass_make(struct cts_run *run, bool peer)
{
    struct pass p = { .run = run, .peer = peer };
    int alone;
    size_t i;

    p.queue = calloc(run->report.count + 1, sizeof(*p.queue));
    if (!p.queue)
        cli_die("out of memory");
    for (alone = 0; alone < 2; alone++)
        for (i = 0; i < run->report.count; i++) {
            struct cts_test *test = &run->report.tests[i];

            if (cts_test_shares(test->suite, test->name) == !alone &&
                (!peer || test_failed(test)))
                p.queue[p.count++] = test;
        }
    return p;
}

void cts_tests_run(struct cts_run *run)
{
    double start = cli_seconds();
    struct pass p = pass_make(run, false);

    pass_run(&p);
    run->report.seconds = cli_seconds() - start;
}

void cts_peer_run(struct cts_run *run)
{
    struct pass p = pass_make(run, true);

    if (!p.count) {
        free(p.queue);
        return;
    }
    cli_say("running the %zu that failed on %s", p.count, run->report.peer);
    pass_run(&p);
}
