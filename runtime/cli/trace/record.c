/* SPDX-License-Identifier: MIT */
/*
 * record.c - `hmmsvm record`: runs a program and writes a trace of what its kernels do with memory
 *
 * The driver, in the program, connects to a socket here and sends (record.h); record-trace.c makes
 * the trace. So the trace is whole however the program ends.
 *
 * One thread; no locking.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli.h"
#include "record-trace.h"

enum {
    OPT_OUTPUT = 'o',
    OPT_IN_ORDER = '1',
    OPT_JSON = 256,
    OPT_LOG,
};

static const struct argp_option options[] = {
    { "output", OPT_OUTPUT, "FILE", 0, "Where the trace goes (default: PROGRAM.trace)", 0 },
    { "one-worker", OPT_IN_ORDER, NULL, 0,
      "Run work-groups one after the other: then the trace has the order of one processor", 0 },
    { "log", OPT_LOG, "MIB", 0,
      "Room for the uses of one launch, 16 bytes for each page that comes up anew (default 256)", 0 },
    { "json", OPT_JSON, NULL, 0, "Print the summary as JSON", 0 },
    { 0 }
};

struct record_options {
    const char *output;
    bool json;
    char **argv;
};

struct server {
    char folder[64], path[80];
    int listener, connection; /* -1: none (any more) */
    bool taken;               /* there was one */
    bool cut;                 /* and it ended within a message */
    unsigned others;          /* how many were refused */
    char *bytes;
    size_t room;
};

static void server_open(struct server *s)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    strcpy(s->folder, "/tmp/hmmsvm-record-XXXXXX");
    if (!mkdtemp(s->folder))
        cli_die("cannot create a folder in /tmp: %s", strerror(errno));
    snprintf(s->path, sizeof(s->path), "%s/socket", s->folder);
    strcpy(address.sun_path, s->path);
    s->connection = -1;
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&address, sizeof(address)) ||
        listen(s->listener, 16))
        cli_die("cannot listen at %s: %s", s->path, strerror(errno));
    if (setenv("HMMSVM_RECORD", s->path, 1))
        cli_die("cannot set HMMSVM_RECORD: %s", strerror(errno));
}

static void server_close(struct server *s)
{
    if (s->connection >= 0)
        close(s->connection);
    close(s->listener);
    unlink(s->path);
    rmdir(s->folder);
    free(s->bytes);
}

/* A trace is of one process's memory: the first that comes. */
static void server_accept(struct server *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    if (!s->taken) {
        s->taken = true;
        s->connection = fd;
        return;
    }
    s->others++;
    close(fd);
}

/* All of it, or false at the end. */
static bool read_fully(int fd, void *bytes, size_t size)
{
    char *p = bytes;

    while (size) {
        ssize_t n = read(fd, p, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        size -= (size_t)n;
    }
    return true;
}

/* Takes one message; false if there will be none any more. */
static bool server_read(struct server *s, struct recording *r)
{
    struct record_message message;
    const char *wrong;

    if (!read_fully(s->connection, &message, sizeof(message)))
        return false;
    if (message.size > s->room) {
        free(s->bytes);
        s->bytes = malloc(message.size);
        if (!s->bytes)
            cli_die("out of memory for a launch of %" PRIu64 " MiB", message.size >> 20);
        s->room = message.size;
    }
    s->cut = !read_fully(s->connection, s->bytes, message.size);
    if (s->cut)
        return false;
    wrong = recording_message(r, &message, s->bytes);
    if (wrong)
        cli_die("what the program sends cannot be used: %s", wrong);
    return true;
}

/* Until the program has ended and nothing is left to read. */
static void server_run(struct server *s, struct recording *r, int pidfd)
{
    bool ended = false;

    for (;;) {
        struct pollfd fds[] = {
            { .fd = s->listener, .events = POLLIN },
            { .fd = s->connection, .events = POLLIN },
            { .fd = ended ? -1 : pidfd, .events = POLLIN },
        };
        int n = poll(fds, 3, ended ? 0 : -1);

        if (n < 0 && errno != EINTR)
            cli_die("cannot wait for the program: %s", strerror(errno));
        if (n < 0)
            continue;
        if (!n)
            return;
        ended = ended || fds[2].revents;
        if (fds[0].revents)
            server_accept(s);
        if (fds[1].revents && !server_read(s, r)) {
            close(s->connection);
            s->connection = -1;
        }
    }
}

static void print_counts(const struct record_options *o, const struct recording_counts *c,
                         const struct record_hello *hello, uint64_t bytes)
{
    const char *mode = hello->mode == HMMSVM_MODE_KERNEL ? "kernel" : "direct";

    if (o->json) {
        fprintf(stderr,
                "{\"trace\":\"%s\",\"mode\":\"%s\",\"workers\":%u,\"launches\":%" PRIu64
                ",\"failed\":%" PRIu64 ",\"device_pages\":%" PRIu64 ",\"pages_read\":%" PRIu64
                ",\"pages_written\":%" PRIu64 ",\"reads\":%" PRIu64 ",\"writes\":%" PRIu64
                ",\"cpu_pages_read\":%" PRIu64 ",\"cpu_writes_seen\":%s,\"cpu_pages_written\":%" PRIu64
                ",\"lost\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n",
                o->output, mode, hello->workers, c->launches, c->failed, c->device_pages,
                c->device_read, c->device_written, c->reads, c->writes,
                c->cpu_read, hello->cpu ? "true" : "false", c->cpu_written, c->lost, bytes);
        return;
    }
    cli_say("%s: %" PRIu64 " launches in %s mode, %" PRIu64 " failed; %" PRIu64 " bytes", o->output,
            c->launches, mode, c->failed, bytes);
    cli_say("kernels used %" PRIu64 " pages, read %" PRIu64 " of them and wrote %" PRIu64 "; %"
            PRIu64 " reads and %" PRIu64 " writes of a line", c->device_pages, c->device_read,
            c->device_written, c->reads, c->writes);
    if (hello->cpu)
        cli_say("between launches the CPU wrote %" PRIu64 " pages; OpenCL commands read %" PRIu64,
                c->cpu_written, c->cpu_read);
    else
        cli_say("between launches OpenCL commands read %" PRIu64 " pages; this kernel does not tell "
                "what the CPU wrote", c->cpu_read);
}

static int record(const struct record_options *o)
{
    struct recording_counts counts;
    struct record_hello hello;
    struct server server = { 0 };
    struct recording *r;
    struct stat st = { 0 };
    int status, pidfd;
    pid_t pid;

    r = recording_new(o->output);
    if (!r)
        cli_die("cannot create %s: %s", o->output, strerror(errno));
    server_open(&server);
    pid = cli_program_start(o->argv);
    /* What the terminal sends to both is for the program. */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        cli_die("cannot watch the program: %s", strerror(errno));
    server_run(&server, r, pidfd);
    status = cli_program_end(pid);

    hello = *recording_hello(r);
    if (recording_finish(r, &counts))
        cli_die("cannot write %s: %s", o->output, strerror(errno));
    if (hello.version) {
        stat(o->output, &st);
        print_counts(o, &counts, &hello, (uint64_t)st.st_size);
    } else {
        unlink(o->output);
        if (status != CLI_NOT_FOUND && status != CLI_NOT_RUNNABLE)
            cli_say("there is no trace: %s did not open the device", o->argv[0]);
    }
    if (counts.lost)
        cli_say("%" PRIu64 " uses are LOST: the trace is not complete. A larger --log has room for "
                "more in one launch", counts.lost);
    if (server.cut)
        cli_say("the program ended while it sent a launch, which is not in the trace");
    if (server.others)
        cli_say("%u more processes used the device; a trace is of one, the first", server.others);
    server_close(&server);
    return status;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct record_options *o = state->input;

    switch (key) {
    case OPT_OUTPUT: o->output = arg; break;
    case OPT_IN_ORDER:
        if (setenv("HMMSVM_COMPUTE_UNITS", "1", 1))
            cli_die("cannot set HMMSVM_COMPUTE_UNITS: %s", strerror(errno));
        break;
    case OPT_LOG:
        cli_number("--log", arg, 1, 32768);
        if (setenv("HMMSVM_RECORD_MB", arg, 1))
            cli_die("cannot set HMMSVM_RECORD_MB: %s", strerror(errno));
        break;
    case OPT_JSON: o->json = true; break;
    case ARGP_KEY_ARGS: o->argv = state->argv + state->next; break;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which program? (hmmsvm record [OPTION...] -- PROGRAM [ARGUMENT...])");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int cli_record(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "-- PROGRAM [ARGUMENT...]",
        .doc = "Run a program and write a trace: the pages that its kernels use, launch by launch, "
               "reads and writes apart, each use counted."
               "\vKernels are compiled anew for it and ten to twenty times slower. `hmmsvm sim` replays "
               "the trace, `hmmsvm trace` prints it; docs/traces.md says what is in it, and what of "
               "the CPU is. The summary goes to standard error. Exit status: the program's own, 128 "
               "+ n if signal n killed it; 125 if hmmsvm failed; 126 and 127 if the program cannot "
               "be run or is not there.",
    };
    struct record_options o = { 0 };
    char *name;

    argp_err_exit_status = CLI_FAILED;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o);
    name = strrchr(o.argv[0], '/');
    if (!o.output)
        o.output = cli_format("%s.trace", name ? name + 1 : o.argv[0]);
    if (!strcmp(o.output, "-"))
        cli_die("standard output is the program's: give -o FILE");
    return record(&o);
}
