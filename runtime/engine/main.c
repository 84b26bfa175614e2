/* SPDX-License-Identifier: MIT */
/*
 * hmmsvm-engine - the process that runs work-groups in kernel mode
 *
 * Started by libhmmsvm with the descriptors of ring.h. It attaches to the
 * application's context, moves into the window, maps the mirror, gives up all
 * system calls but a few, starts the workers, and then only waits for its end: when the application has gone
 * (its process, or its address space by exec), or when libhmmsvm says so.
 *
 * main() runs twice: where the kernel loaded the program (engine_outside())
 * and in the copy in the window (engine_inside()). See window.c.
 *
 * Locking: the main thread sleeps; see ring.h for what the workers do.
 */
#include <argp.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "crash.h"
#include "sandbox.h"
#include "selftest.h"
#include "watchdog.h"
#include "window.h"

#define ENGINE_ATTACH_TRIES 200 /* times 5 ms */

extern const int __rseq_offset;
extern const unsigned int __rseq_size;

const char *argp_program_version = "hmmsvm-engine " HMMSVM_VERSION;

static const char doc[] =
    "Runs the work-groups of an application that uses the hmmsvm device in kernel mode."
    "\vThis program is started by libhmmsvm, not by hand. By hand it can only show that it "
    "works on this machine: --self-test needs neither the module nor any permission.";

enum { KEY_ATTACH = 256, KEY_SELF_TEST };

static const struct argp_option options[] = {
    {"attach", KEY_ATTACH, NULL, OPTION_HIDDEN, "Serve the application that started this", 0},
    {"self-test", KEY_SELF_TEST, "WHERE", OPTION_ARG_OPTIONAL,
     "Move into a window (WHERE: \"far\", where nothing is, or \"here\", around this program) and "
     "check that nothing was left behind, that memory comes from the window, that crashes of "
     "work-groups are caught, and that they can make no system calls; exits with 0 if all is well", 0},
    {0}};

struct arguments {
    bool attach;
    const char *self_test; /* NULL: none */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_ATTACH:
        a->attach = true;
        return 0;
    case KEY_SELF_TEST:
        a->self_test = arg ? arg : "far";
        if (strcmp(a->self_test, "far") && strcmp(a->self_test, "here"))
            argp_error(state, "--self-test is \"%s\": it has to be far or here", arg);
        return 0;
    case ARGP_KEY_END:
        if (!a->attach && !a->self_test)
            argp_error(state, "started by hand: see --help");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};

/* ---- where the kernel loaded it -------------------------------------------------- */

/* Maps the ring as libhmmsvm made it; ends the process if it is another version's. */
static struct ring *engine_map_ring(void)
{
    const size_t least = offsetof(struct ring, workers);
    struct ring *ring = MAP_FAILED;
    struct stat st;

    if (!fstat(RING_FD_RING, &st) && (size_t)st.st_size >= least)
        ring = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, RING_FD_RING, 0);
    if (ring == MAP_FAILED || ring->magic != RING_MAGIC) {
        fprintf(stderr, "hmmsvm-engine: descriptor %d is not a ring: this program is started by "
                "libhmmsvm, not by hand\n", RING_FD_RING);
        _exit(2);
    }
    if (ring->version != RING_VERSION || ring->size != sizeof(*ring) ||
        (size_t)st.st_size != sizeof(*ring))
        engine_fail(ring, RING_STEP_RING, EPROTO, ring->version);
    return ring;
}

/*
 * Sees to it that the C library has not told the kernel of an area for
 * restartable sequences: the kernel would go on writing there when it is the
 * application's memory. libhmmsvm sets the tunable; by hand it is set here.
 */
static void engine_without_rseq(char **argv)
{
    static char tunable[] = "GLIBC_TUNABLES=glibc.pthread.rseq=0";
    char *env[] = {tunable, NULL};
    const char *now = getenv("GLIBC_TUNABLES");

    if (!__rseq_size)
        return;
    if (!now || strcmp(now, strchr(tunable, '=') + 1)) {
        execve("/proc/self/exe", argv, env);
        _exit(3);
    }
    /* A C library without the tunable: take it back by hand. */
    if (syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, 1, 0x53053053))
        _exit(4);
}

static void engine_set_limit(int resource, bool lowest)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit))
        return;
    limit.rlim_cur = lowest ? 0 : limit.rlim_max;
    setrlimit(resource, &limit);
}

/* Attaches to the context. The former engine's last traces may still be going. */
static void engine_attach(struct ring *ring, struct window_params *params)
{
    struct hmmsvm_attach attach;

    for (unsigned tries = 0;; tries++) {
        memset(&attach, 0, sizeof(attach));
        attach.size = sizeof(attach);
        if (!ioctl(RING_FD_CONTEXT, HMMSVM_IOC_ATTACH, &attach))
            break;
        if (errno == EINTR)
            continue;
        if (errno != EBUSY || tries == ENGINE_ATTACH_TRIES)
            engine_fail(ring, RING_STEP_ATTACH, errno, 0);
        usleep(5000);
    }
    atomic_store(&ring->state, RING_ATTACHED);
    ring_futex_wake(&ring->state, INT_MAX);
    params->start = attach.window_start;
    params->len = attach.window_len;
    params->va_start = attach.va_start;
    params->va_end = attach.va_end;
}

__attribute__((noreturn)) static void engine_outside(char **argv)
{
    struct window_params params = {.mirror_fd = RING_FD_CONTEXT, .ring_fd = RING_FD_RING};
    struct ring *ring;

    engine_without_rseq(argv);
    ring = engine_map_ring();
    prctl(PR_SET_NAME, "hmmsvm-engine");
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    /* It sees the application's memory: not a place for debuggers or dumps by accident. */
    if (!ring->debug)
        prctl(PR_SET_DUMPABLE, 0);
    engine_set_limit(RLIMIT_CORE, true);
    engine_set_limit(RLIMIT_AS, false);
    engine_attach(ring, &params);
    window_enter(&params, ring);
}

/* ---- in the window ------------------------------------------------------------------ */

/* Waits for the end of the application, or the word of libhmmsvm, or of what hangs. */
__attribute__((noreturn)) static void engine_watch(struct ring *ring, struct hmmsvm_pool *pool)
{
    const uint32_t limit_ms = ring->watchdog_ms;
    struct pollfd fds[] = {
        {.fd = RING_FD_APP, .events = POLLIN},
        {.fd = RING_FD_CONTEXT, .events = 0}, /* POLLHUP comes unasked */
        {.fd = RING_FD_STOP, .events = POLLIN},
    };

    for (;;) {
        int n = poll(fds, 3, watchdog_tick_ms(limit_ms));

        if (n < 0 && errno != EINTR)
            engine_fail(ring, RING_STEP_WATCH, errno, 0);
        if (limit_ms && !watchdog_look(pool, limit_ms))
            _exit(1);
        for (unsigned i = 0; i < 3; i++)
            if (n > 0 && fds[i].revents)
                _exit(0);
    }
}

__attribute__((noreturn)) static void engine_inside(const struct window_params *params)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
    struct ring *ring = params->ring;
    static struct hmmsvm_pool pool;
    uint64_t residue;
    int err;

    /* It goes when the application goes, whatever is typed at the terminal. */
    for (unsigned i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
        signal(ignored[i], SIG_IGN);
    if (ring->debug) {
        residue = window_residue(params);
        if (residue)
            engine_fail(ring, RING_STEP_RESIDUE, ENOTEMPTY, residue);
    }
    close(params->ring_fd); /* it is mapped */
    crash_install(ring);
    err = sandbox_enter();
    if (err)
        engine_fail(ring, RING_STEP_SANDBOX, -err, 0);
    err = hmmsvm_pool_start(&pool, ring, &crash_guard);
    if (err)
        engine_fail(ring, RING_STEP_WORKERS, -err, 0);
    atomic_store(&ring->state, RING_READY);
    ring_futex_wake(&ring->state, INT_MAX);
    engine_watch(ring, &pool);
}

int main(int argc, char **argv)
{
    const struct window_params *params = window_params();
    struct arguments arguments = {0};
    sigset_t all;

    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);

    if (arguments.self_test) {
        if (params)
            return selftest_inside(params);
        engine_without_rseq(argv);
        selftest_outside(arguments.self_test);
    }
    if (params)
        engine_inside(params);
    engine_outside(argv);
}
