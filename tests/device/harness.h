/* SPDX-License-Identifier: MIT */
/*
 * harness.h - what every device test starts with
 *
 * A device test is one program about one behaviour of the mirror. It opens the
 * device in kernel mode, runs C functions of its own as work-groups in the
 * engine, and asserts what they saw and what the module counted. It ends with
 * 0 (passed), 1 (failed, with file:line and the values) or 77 (skipped, with
 * the reason). Which of the last two a machine without the module gets is
 * decided by HMMSVM_TEST_MODE:
 *
 *   kernel   the module has to be there: everything else is a failure
 *   direct   these tests have no meaning there: skipped
 *   not set  skipped if the node does not exist, else as "kernel"
 *
 * A work-group function is marked HARNESS_WG. It runs in the engine: no C
 * library, no thread-local variables, no system calls. The tests are compiled
 * with HARNESS_CFLAGS of tests/device/CMakeLists.txt, so that the compiler
 * puts in no such calls by itself, and linked with -z now.
 *
 * Locking: none; a test calls the harness from one thread, unless a function
 * says otherwise.
 */
#ifndef HMMSVM_TEST_HARNESS_H
#define HMMSVM_TEST_HARNESS_H

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <hmmsvm/client.h>

#define HARNESS_SKIP 77
#define HARNESS_MPOL_LOCAL 4 /* MPOL_LOCAL of <linux/mempolicy.h> */
#define HARNESS_PAGE 4096ul
/* How long a test waits for what has to come. A debug kernel in an emulated machine on a busy host takes its time. */
#define HARNESS_PATIENCE_S 300u

#define HARNESS_WG __attribute__((noinline, unused, no_sanitize("address", "thread", "undefined")))

/* The n-th argument of a work-group function, as a pointer to @type. */
#define HARNESS_ARG(type, args, n) ((type *)((void **)(void *)(args))[n])

/* ---- checks: each prints both sides and ends the test ------------------ */

__attribute__((noreturn, format(printf, 3, 4))) static inline void
harness_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    fflush(stdout);
    fprintf(stderr, "FAIL %s:%d: ", file, line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    /* Not exit(): other threads of the test may be running. */
    _exit(1);
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void
harness_skip(const char *fmt, ...)
{
    va_list ap;

    fflush(stdout);
    fprintf(stderr, "SKIP: ");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    _exit(HARNESS_SKIP);
}

#define FAIL(...) harness_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) harness_skip(__VA_ARGS__)

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            harness_fail(__FILE__, __LINE__, "%s (errno %d: %s)", #cond, errno, strerror(errno));  \
    } while (0)

/* Both sides as long long, so that it serves every integer and no pointer. */
#define HARNESS_COMPARE(a, op, b)                                                                  \
    do {                                                                                           \
        long long harness_a_ = (long long)(a), harness_b_ = (long long)(b);                        \
                                                                                                   \
        if (!(harness_a_ op harness_b_))                                                           \
            harness_fail(__FILE__, __LINE__, "%s is %lld (0x%llx), wanted " #op " %s: %lld (0x%llx)", \
                         #a, harness_a_, (unsigned long long)harness_a_, #b, harness_b_,           \
                         (unsigned long long)harness_b_);                                          \
    } while (0)

#define CHECK_EQ(a, b) HARNESS_COMPARE(a, ==, b)
#define CHECK_NE(a, b) HARNESS_COMPARE(a, !=, b)
#define CHECK_GE(a, b) HARNESS_COMPARE(a, >=, b)
#define CHECK_GT(a, b) HARNESS_COMPARE(a, >, b)
#define CHECK_LE(a, b) HARNESS_COMPARE(a, <=, b)
#define CHECK_LT(a, b) HARNESS_COMPARE(a, <, b)

/* A call of libhmmsvm that has to succeed. */
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        int harness_rc_ = (call);                                                                  \
                                                                                                   \
        if (harness_rc_)                                                                           \
            harness_fail(__FILE__, __LINE__, "%s is %d (%s): %s", #call, harness_rc_,              \
                         strerror(-harness_rc_), hmmsvm_last_error());                             \
    } while (0)

/* How a launch has to have ended; says where it did not. */
#define CHECK_STATUS(completion, wanted)                                                           \
    do {                                                                                           \
        const struct hmmsvm_completion *harness_c_ = (completion);                                 \
                                                                                                   \
        if (harness_c_->status != (uint32_t)(wanted))                                              \
            harness_fail(__FILE__, __LINE__,                                                       \
                         "launch ended %s, wanted %s (signal %d, address 0x%" PRIx64               \
                         ", access %u, group %" PRIu64 ", %" PRIu64 " groups run)",                \
                         hmmsvm_status_name(harness_c_->status), hmmsvm_status_name(wanted),       \
                         harness_c_->signal, harness_c_->address, harness_c_->access,              \
                         harness_c_->group[0], harness_c_->groups_run);                            \
    } while (0)

/* ---- the device -------------------------------------------------------- */

struct harness {
    struct hmmsvm_device *dev;
    struct hmmsvm_device_info info;
    struct hmmsvm_stats mark; /* what harness_delta() counts from */
};

/**
 * harness_mark - counts from here
 *
 * May be called from any thread if each has its own struct harness.
 */
static inline void harness_mark(struct harness *h)
{
    CHECK_OK(hmmsvm_device_stats(h->dev, &h->mark));
}

/** harness_delta - what was counted since harness_mark(); states (ranges, device_pages) are absolute */
static inline struct hmmsvm_stats harness_delta(struct harness *h)
{
    struct hmmsvm_stats now, out;
    uint64_t *count = (uint64_t *)&out.device_faults, *end = (uint64_t *)(&out + 1);
    const uint64_t *mark = (const uint64_t *)&h->mark.device_faults;

    CHECK_OK(hmmsvm_device_stats(h->dev, &now));
    out = now;
    while (count < end)
        *count++ -= *mark++;
    out.target = now.target;
    out.ranges = now.ranges;
    out.device_pages = now.device_pages;
    out.device_pages_peak = now.device_pages_peak;
    out.device_pages_charged = now.device_pages_charged;
    out.device_pages_limit = now.device_pages_limit;
    out.device_pages_share = now.device_pages_share;
    return out;
}

/**
 * harness_open_params - opens the device in kernel mode, or ends the test
 * @params: as for hmmsvm_device_open(), the mode left out
 *
 * Nothing migrates unless the test asks for it: where there is device memory
 * the policy is "remote", which makes counts those of the mirror alone.
 */
static inline void harness_open_params(struct harness *h, struct hmmsvm_open_params params)
{
    const char *mode = getenv("HMMSVM_TEST_MODE");
    const char *node = getenv("HMMSVM_DEVICE");

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!node || !*node)
        node = "/dev/hmmsvm";
    if (mode && !strcmp(mode, "direct"))
        SKIP("direct mode has no mirror to test");
    if (mode && *mode && strcmp(mode, "kernel"))
        FAIL("HMMSVM_TEST_MODE is \"%s\", not kernel or direct", mode);
    if ((!mode || !*mode) && access(node, F_OK))
        SKIP("%s does not exist; load the module or run this in the guest", node);

    /*
     * With a policy of its own the process's memory is left alone by NUMA balancing, whose hints
     * take entries away now and then, which no exact count survives. Without NUMA this fails.
     */
    syscall(SYS_set_mempolicy, HARNESS_MPOL_LOCAL, NULL, 0);
    memset(h, 0, sizeof(*h));
    params.mode = HMMSVM_MODE_KERNEL;
    CHECK_OK(hmmsvm_device_open(&params, &h->dev));
    hmmsvm_device_info(h->dev, &h->info);
    if (h->info.mode != HMMSVM_MODE_KERNEL)
        FAIL("asked for kernel mode, got %s: %s", hmmsvm_mode_name(h->info.mode), h->info.reason);
    if (h->info.engine_pid == getpid() || h->info.engine_pid <= 0)
        FAIL("the engine's process id is %d, this one's %d", h->info.engine_pid, getpid());
    if (h->info.kernel.features & HMMSVM_FEATURE_DEVICE_MEMORY)
        CHECK_OK(hmmsvm_device_policy(h->dev, "remote", NULL));
    harness_mark(h);
}

/** harness_open - the same with @workers workers; 0 is as many as there are CPUs */
static inline void harness_open(struct harness *h, unsigned workers)
{
    harness_open_params(h, (struct hmmsvm_open_params){.workers = workers});
}

static inline void harness_close(struct harness *h)
{
    hmmsvm_device_close(h->dev);
    h->dev = NULL;
}

/**
 * harness_submit - queues @groups work-groups of @fn, which get @arg as their
 * argument 0; @slot is where the argument array lives until the completion
 */
static inline void harness_submit(struct harness *h, hmmsvm_workgroup_fn fn, void **slot, void *arg,
                                  uint64_t groups)
{
    struct hmmsvm_launch launch = {
        .name = "test",
        .fn = fn,
        .groups = {groups, 1, 1},
        .args = slot,
        .nargs = 1,
        HMMSVM_NO_CTX,
        .user = arg,
    };

    *slot = arg;
    CHECK_OK(hmmsvm_submit(h->dev, &launch));
}

/** harness_wait - the next completion; the test fails if there is none in HARNESS_PATIENCE_S */
static inline struct hmmsvm_completion harness_wait(struct harness *h)
{
    struct hmmsvm_completion c;

    CHECK_OK(hmmsvm_wait(h->dev, &c, HARNESS_PATIENCE_S * 1000));
    return c;
}

/** harness_run - runs @groups work-groups of @fn on @arg and returns how it ended */
static inline struct hmmsvm_completion harness_run(struct harness *h, hmmsvm_workgroup_fn fn,
                                                   void *arg, uint64_t groups)
{
    void *slot;

    harness_submit(h, fn, &slot, arg, groups);
    return harness_wait(h);
}

/** harness_run_ok - the same, and every group must have run to its end */
#define harness_run_ok(h, fn, arg, groups)                                                         \
    do {                                                                                           \
        struct hmmsvm_completion harness_done_ = harness_run(h, fn, arg, groups);                  \
                                                                                                   \
        CHECK_STATUS(&harness_done_, HMMSVM_OK);                                                   \
        CHECK_EQ(harness_done_.groups_run, groups);                                                \
    } while (0)

/* ---- memory and time ---------------------------------------------------- */

/** harness_map - anonymous private memory that nobody has touched yet */
static inline void *harness_map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    return p;
}

static inline uint64_t harness_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A flag that the test and a work-group use to wait for each other. */
#define harness_get(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define harness_set(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/**
 * harness_until - waits in the test until *@p is @value; fails after HARNESS_PATIENCE_S
 *
 * The work-group's side is a plain loop over harness_get().
 */
static inline void harness_until(const uint32_t *p, uint32_t value)
{
    uint64_t end = harness_ns() + HARNESS_PATIENCE_S * 1000000000ull;

    while (harness_get(p) != value) {
        if (harness_ns() > end)
            FAIL("the flag at %p is %u after %u s, wanted %u", (const void *)p, harness_get(p),
                 HARNESS_PATIENCE_S, value);
        usleep(50);
    }
}

/*
 * Whether process @pid runs; a zombie does not. One that is reaped between
 * open and read has an empty file (ESRCH), and runs no more either.
 */
static inline int harness_process_runs(int pid)
{
    char path[64], state = 'X';
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "r");
    if (!f)
        return 0;
    if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
        CHECK_EQ(errno, ESRCH);
    fclose(f);
    return state != 'Z' && state != 'X';
}

#endif /* HMMSVM_TEST_HARNESS_H */
