/* SPDX-License-Identifier: MIT */
/*
 * The self-test: every check prints a line, the first that fails ends it.
 *
 * Locking: none but the workers' own.
 */
#include "selftest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "crash.h"
#include "sandbox.h"
#include "watchdog.h"

#define SELFTEST_WINDOW (1ull << 30)
#define SELFTEST_FAR    0x200000000000ull
#define SELFTEST_END    0x7ffffffff000ull
#define SELFTEST_GROUPS 10u
#define SELFTEST_LIMIT  40u  /* of the watchdog */

/*
 * Of this a copy is run that is not among the engine's own code, where the watchdog leaves groups
 * alone: it calls nothing.
 */
#define SELFTEST_GROUP __attribute__((section("selftest_group"), noinline))

extern const uint8_t __start_selftest_group[], __stop_selftest_group[];

/* ---- outside ----------------------------------------------------------------- */

__attribute__((noreturn)) void selftest_outside(const char *where)
{
    struct window_params params = {
        .len = SELFTEST_WINDOW,
        .va_start = 0x10000,
        .va_end = SELFTEST_END,
        .mirror_fd = -1,
    };
    struct ring *ring;

    params.start = SELFTEST_FAR;
    if (!strcmp(where, "here"))
        /* Somewhere inside, so that it must make room and clear up on both sides. */
        params.start = ((uint64_t)(uintptr_t)&selftest_outside & ~0x1fffffull) - (4ull << 20);
    if (params.start + params.len > params.va_end)
        params.start = params.va_end - params.len;

    params.ring_fd = memfd_create("hmmsvm-self-test", MFD_CLOEXEC);
    if (params.ring_fd < 0 || ftruncate(params.ring_fd, sizeof(*ring))) {
        perror("hmmsvm-engine: no memory for a ring");
        _exit(1);
    }
    ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_SHARED, params.ring_fd, 0);
    if (ring == MAP_FAILED) {
        perror("hmmsvm-engine: cannot map a ring");
        _exit(1);
    }
    ring->debug = 1;
    ring->workers = 2;
    ring->resident = SELFTEST_GROUPS + 2;
    ring->local_size = 1u << 16;
    ring->stack_size = 1u << 20;
    printf("program at %p, window 0x%" PRIx64 " to 0x%" PRIx64 "\n", (void *)&selftest_outside,
           params.start, params.start + params.len);
    fflush(stdout);
    window_enter(&params, ring);
}

/* ---- inside ------------------------------------------------------------------- */

static const struct window_params *inside;
static struct hmmsvm_pool pool;
static uint32_t watchdog_ms; /* 0: nobody looks */
static uint8_t *group_copy;

static void selftest_check(bool ok, const char *what, uint64_t value)
{
    printf("%s: %s (0x%" PRIx64 ")\n", ok ? "ok" : "FAILED", what, value);
    fflush(stdout);
    if (!ok)
        _exit(1);
}

static void selftest_check_place(const char *what, const void *p)
{
    uint64_t a = (uint64_t)(uintptr_t)p;

    selftest_check(a >= inside->start && a < inside->start + inside->len, what, a);
}

static void *selftest_thread(void *arg)
{
    *(uintptr_t *)arg = (uintptr_t)__builtin_frame_address(0);
    return NULL;
}

/* ---- work-groups, good and bad ones ---- */

static inline void selftest_yield(void)
{
    long ret = SYS_sched_yield;

    __asm__ volatile("syscall" : "+a"(ret) : : "rcx", "r11", "memory");
}

struct selftest_work {
    volatile uint32_t count;
    volatile uint8_t *bad;
    long call[6]; /* a system call and its arguments */
    volatile long result;
    uint64_t ticks;
};

static void selftest_good(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                          unsigned long z)
{
    struct selftest_work *work = ((void **)(void *)args)[0];

    (void)ctx, (void)x, (void)y, (void)z;
    __atomic_add_fetch(&work->count, 1, __ATOMIC_RELAXED);
}

static void selftest_reads(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                           unsigned long z)
{
    struct selftest_work *work = ((void **)(void *)args)[0];

    (void)ctx, (void)y, (void)z;
    if (x == 3)
        work->count = *work->bad;
}

static void selftest_writes(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                            unsigned long z)
{
    struct selftest_work *work = ((void **)(void *)args)[0];

    (void)ctx, (void)x, (void)y, (void)z;
    *work->bad = 1;
}

static void selftest_jumps(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                           unsigned long z)
{
    struct selftest_work *work = ((void **)(void *)args)[0];

    (void)ctx, (void)x, (void)y, (void)z;
    ((void (*)(void))(uintptr_t)work->bad)();
}

static void selftest_overflows(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                               unsigned long z)
{
    volatile uint8_t space[4096];

    space[0] = space[4095] = (uint8_t)x;
    if (args) /* always */
        selftest_overflows(args, ctx, x + 1, y, z);
    space[1] = space[0];
}

static void selftest_traps(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                           unsigned long z)
{
    (void)args, (void)ctx, (void)x, (void)y, (void)z;
    __asm__ volatile("ud2");
}

static void selftest_divides(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                             unsigned long z)
{
    (void)args, (void)ctx, (void)x, (void)y, (void)z;
    __asm__ volatile("xor %%ecx, %%ecx\n\tmov $1, %%eax\n\tcltd\n\tidiv %%ecx"
                     :
                     :
                     : "eax", "ecx", "edx", "cc");
}

static inline __attribute__((always_inline)) long selftest_call(const struct selftest_work *work)
{
    register long r10 __asm__("r10") = work->call[4];
    register long r8 __asm__("r8") = work->call[5];
    register long r9 __asm__("r9") = 0;
    long ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(work->call[0]), "D"(work->call[1]), "S"(work->call[2]),
                       "d"(work->call[3]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

static void selftest_calls(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                           unsigned long z)
{
    struct selftest_work *work = ((void **)(void *)args)[0];
    (void)ctx, (void)x, (void)y, (void)z;
    work->result = selftest_call(work);
}

/* All of them have to be under way at once: workers are added. */
static void selftest_meets(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                           unsigned long z)
{
    struct selftest_work *work = ((void **)(void *)args)[0];

    (void)ctx, (void)x, (void)y, (void)z;
    __atomic_add_fetch(&work->count, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&work->count, __ATOMIC_SEQ_CST) < SELFTEST_GROUPS)
        selftest_yield();
}

/* One of them never ends. */
SELFTEST_GROUP static void selftest_hangs(uint8_t *args, uint8_t *ctx, unsigned long x,
                                          unsigned long y, unsigned long z)
{
    volatile uint64_t turns = 0;

    (void)args, (void)ctx, (void)y, (void)z;
    while (x == 4) /* NOLINT(bugprone-infinite-loop): that is what it is for */
        turns++;
}

/* The same, and will not be told. */
SELFTEST_GROUP static void selftest_hangs_deaf(uint8_t *args, uint8_t *ctx, unsigned long x,
                                               unsigned long y, unsigned long z)
{
    struct selftest_work *work = ((void **)(void *)args)[0];

    (void)ctx, (void)y, (void)z;
    work->result = selftest_call(work); /* blocks all signals */
    while (x < SELFTEST_GROUPS) /* NOLINT(bugprone-infinite-loop): likewise */
        work->count++;
}

/* Each of them is about as long as may be, or as often says that it waits. */
SELFTEST_GROUP static void selftest_takes_time(uint8_t *args, uint8_t *ctx, unsigned long x,
                                               unsigned long y, unsigned long z)
{
    struct selftest_work *work = ((void **)(void *)args)[0];
    uint64_t begin = __builtin_ia32_rdtsc();

    (void)x, (void)y, (void)z;
    while (__builtin_ia32_rdtsc() - begin < work->ticks)
        if (work->bad)
            ++*(volatile uint32_t *)ctx;
}

/* Runs ten groups of @fn in slot @n and returns how that ended. */
static struct hmmsvm_completion selftest_launch(struct ring *ring, uint32_t n,
                                                hmmsvm_workgroup_fn fn, struct selftest_work *work)
{
    struct ring_slot *slot = &ring->slots[n];
    uint64_t end = ring_now_ns() + 50000000000u;
    void *args[] = {work};

    work->count = 0;
    slot->id = n + 1;
    slot->total = SELFTEST_GROUPS;
    slot->launch = (struct hmmsvm_launch){
        .fn = fn,
        .groups = {SELFTEST_GROUPS, 1, 1},
        .args = args,
        .nargs = 1,
        HMMSVM_NO_CTX,
    };
    if (fn == selftest_takes_time) {
        slot->launch.ctx = (void *)(uintptr_t)work->call;
        slot->launch.ctx_size = sizeof(uint32_t);
        slot->launch.ctx_waiting = 0;
    }
    ring_start(ring, n, SELFTEST_GROUPS);
    ring_wake(ring, SELFTEST_GROUPS);
    while (atomic_load(&ring->completed) != n + 1) {
        if (ring_now_ns() > end)
            selftest_check(false, "the launch ends within 50 s", n);
        if (watchdog_ms && !watchdog_look(&pool, watchdog_ms))
            break;
        ring_futex_wait(&ring->completed, n, 20000000);
    }
    return slot->end;
}

/*
 * One that is to fail: with @status, @signal, @access and, if it touches @address,
 * that one (or none at all, if the processor does not say which it was).
 */
static void selftest_bad(struct ring *ring, uint32_t n, const char *what, hmmsvm_workgroup_fn fn,
                         uint64_t address, uint32_t status, int sig, uint32_t access)
{
    struct selftest_work work = {.bad = (volatile uint8_t *)(uintptr_t)address};
    struct hmmsvm_completion end = selftest_launch(ring, n, fn, &work);

    if (address >> 47)
        address = UINT64_MAX;

    selftest_check(end.status == status && end.signal == sig && end.access == access &&
                       (!address || end.address == address) && end.groups_run < 10,
                   what, end.address);
}

/* ---- system calls ---- */

/* A call that must be the end of the launch. */
static void selftest_refused(struct ring *ring, uint32_t n, const char *what, long nr, long a, long b,
                             long c, long d, long e)
{
    struct selftest_work work = {.call = {nr, a, b, c, d, e}};
    struct hmmsvm_completion end = selftest_launch(ring, n, selftest_calls, &work);
    char text[128];

    snprintf(text, sizeof(text), "no %s in a work-group", what);
    selftest_check(end.status == HMMSVM_REFUSED && end.signal == SIGSYS && !end.groups_run &&
                       end.access == (nr & 0x40000000 ? HMMSVM_NO_CALL : (uint32_t)nr),
                   text, end.access);
}

/* What nobody needs, and what is needed, but not like that. Returns the next launch's number. */
static uint32_t selftest_calls_all(struct ring *ring, uint32_t n)
{
    const long pid = getpid(), rwx = PROT_READ | PROT_WRITE | PROT_EXEC;
    const long anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
    struct selftest_work work = {.call = {SYS_clone3}};
    struct hmmsvm_completion end;

    selftest_refused(ring, n++, "file", SYS_openat, AT_FDCWD, 0, O_RDONLY, 0, 0);
    selftest_refused(ring, n++, "reading", SYS_read, 0, 0, 0, 0, 0);
    selftest_refused(ring, n++, "writing to standard output", SYS_write, 1, 0, 0, 0, 0);
    selftest_refused(ring, n++, "socket", SYS_socket, 1, 1, 0, 0, 0);
    selftest_refused(ring, n++, "ioctl", SYS_ioctl, 3, 0, 0, 0, 0);
    selftest_refused(ring, n++, "descriptor of others", SYS_pidfd_getfd, 5, 0, 0, 0, 0);
    selftest_refused(ring, n++, "program", SYS_execve, 0, 0, 0, 0, 0);
    selftest_refused(ring, n++, "fork", SYS_fork, 0, 0, 0, 0, 0);
    selftest_refused(ring, n++, "process by clone", SYS_clone, SIGCHLD, 0, 0, 0, 0);
    selftest_refused(ring, n++, "process that shares memory", SYS_clone, CLONE_VM | CLONE_VFORK, 0,
                     0, 0, 0);
    selftest_refused(ring, n++, "ptrace", SYS_ptrace, 16, pid, 0, 0, 0);
    selftest_refused(ring, n++, "memory of others", SYS_process_vm_writev, pid, 0, 0, 0, 0);
    selftest_refused(ring, n++, "signal to another process", SYS_kill, 1, 0, 0, 0, 0);
    selftest_refused(ring, n++, "signal to another's thread", SYS_tgkill, 1, 1, 0, 0, 0);
    selftest_refused(ring, n++, "executable memory", SYS_mmap, 0, 4096, rwx, anonymous, -1);
    selftest_refused(ring, n++, "mapping of a file", SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED, 3);
    selftest_refused(ring, n++, "memory made executable", SYS_mprotect, 0, 4096, rwx, 0, 0);
    selftest_refused(ring, n++, "mremap", SYS_mremap, 0, 4096, 4096, 0, 0);
    selftest_refused(ring, n++, "prctl", SYS_prctl, 4, 1, 0, 0, 0);
    selftest_refused(ring, n++, "io_uring", SYS_io_uring_setup, 1, 0, 0, 0, 0);
    selftest_refused(ring, n++, "x32 call", 0x40000000 | SYS_getpid, 0, 0, 0, 0, 0);
    selftest_refused(ring, n++, "call that is none", 9999, 0, 0, 0, 0, 0);

    end = selftest_launch(ring, n++, selftest_calls, &work);
    selftest_check(end.status == HMMSVM_OK && work.result == -ENOSYS, "there is no clone3",
                   (uint64_t)work.result);
    end = selftest_launch(ring, n++, selftest_meets, &work);
    selftest_check(end.status == HMMSVM_OK && atomic_load(&ring->extra) == SELFTEST_GROUPS - 2,
                   "workers are added where groups wait for each other", atomic_load(&ring->extra));
    return n;
}

/* ---- work-groups that do not end ---- */

static uint64_t selftest_ticks_a_ms(void)
{
    uint64_t begin = ring_now_ns(), ticks = ring_ticks();

    while (ring_now_ns() - begin < 20000000u)
        ;
    return (ring_ticks() - ticks) / 20;
}

/* Makes the copy of what SELFTEST_GROUP marks; later nothing can be made executable. */
static void selftest_copy_groups(void)
{
    const size_t size = (size_t)(__stop_selftest_group - __start_selftest_group);

    group_copy = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    selftest_check(group_copy != MAP_FAILED, "there is memory for code", size);
    memcpy(group_copy, __start_selftest_group, size);
}

static hmmsvm_workgroup_fn selftest_copy_of(hmmsvm_workgroup_fn fn)
{
    return (hmmsvm_workgroup_fn)((uintptr_t)fn - (uintptr_t)__start_selftest_group +
                                 (uintptr_t)group_copy);
}

static uint32_t selftest_watchdog(struct ring *ring, uint32_t n)
{
    struct selftest_work work = {.ticks = selftest_ticks_a_ms() * SELFTEST_LIMIT / 4};
    struct hmmsvm_completion end;

    watchdog_ms = SELFTEST_LIMIT;
    end = selftest_launch(ring, n++, selftest_copy_of(selftest_hangs), &work);
    selftest_check(end.status == HMMSVM_HUNG && end.signal == SIGXCPU && end.group[0] == 4 &&
                       end.groups_run == 9,
                   "a group that never ends is ended", end.groups_run);
    end = selftest_launch(ring, n++, selftest_takes_time, &work);
    selftest_check(end.status == HMMSVM_OK && end.groups_run == 10,
                   "groups that each end in time are left alone", (end.end_ns - end.start_ns) / 1000000);
    work.bad = (volatile uint8_t *)&work;
    work.ticks *= 10;
    end = selftest_launch(ring, n++, selftest_takes_time, &work);
    selftest_check(end.status == HMMSVM_OK && end.groups_run == 10,
                   "groups that say that they wait are left alone",
                   (end.end_ns - end.start_ns) / 1000000);
    return n;
}

/* It cannot be ended, so this must be the last one. */
static void selftest_deaf(struct ring *ring, uint32_t n)
{
    const uint64_t all = ~0ull;
    struct selftest_work work = {
        .call = {SYS_rt_sigprocmask, SIG_SETMASK, (long)(uintptr_t)&all, 0, sizeof(all)}};
    struct hmmsvm_completion end =
        selftest_launch(ring, n, selftest_copy_of(selftest_hangs_deaf), &work);

    selftest_check(!work.result && end.status == HMMSVM_HUNG && atomic_load(&ring->completed) == n,
                   "a group that cannot be ended is found out", end.status);
}

/* Empties a ring whose workers have ended. */
static void selftest_again(struct ring *ring)
{
    atomic_store(&ring->stop, 0);
    atomic_store(&ring->watch, RING_WATCH_SLEEPS);
    atomic_store(&ring->extra, 0);
    for (uint32_t i = 0; i < RING_SLOTS; i++)
        atomic_store(&ring->slots[i].failed, 0);
}

int selftest_inside(const struct window_params *params)
{
    struct ring *ring = params->ring;
    struct selftest_work work = {0};
    struct hmmsvm_completion end;
    uintptr_t thread_stack = 0;
    void *p;
    uint64_t residue;
    uint32_t n = 0;
    pthread_t thread;
    int local, err;

    inside = params;
    residue = window_residue(params);
    selftest_check(!residue, "nothing is left outside of the window", residue);
    selftest_check_place("the program is in the window", (void *)&selftest_inside);
    selftest_check_place("the stack is in the window", &local);
    selftest_check_place("thread-local data are in the window", &errno);
    p = malloc(100);
    selftest_check_place("small memory comes from the window", p);
    free(p);
    p = malloc(8u << 20);
    selftest_check_place("large memory comes from the window", p);
    free(p);
    p = mmap(NULL, 1u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    selftest_check_place("mappings come from the window", p);
    selftest_check(!pthread_create(&thread, NULL, selftest_thread, &thread_stack) &&
                       !pthread_join(thread, NULL), "threads start", 0);
    selftest_check_place("a thread's stack is in the window", (void *)thread_stack);

    crash_install(ring);
    selftest_check(!hmmsvm_pool_start(&pool, ring, &crash_guard), "workers start", ring->workers);
    end = selftest_launch(ring, n++, selftest_good, &work);
    hmmsvm_pool_stop(&pool);
    residue = window_residue(params);
    selftest_check(end.status == HMMSVM_OK && work.count == 10 && !residue,
                   "ten groups run, and still nothing is outside of the window", residue);

    selftest_copy_groups();
    /* The rest as in the engine, which then writes to standard error only. */
    selftest_again(ring);
    dup2(STDOUT_FILENO, STDERR_FILENO);
    stdout = stderr;
    err = sandbox_enter();
    selftest_check(!err, "system calls are given up", (uint64_t)-err);
    selftest_check(!hmmsvm_pool_start(&pool, ring, &crash_guard), "workers start", ring->workers);
    end = selftest_launch(ring, n++, selftest_good, &work);
    selftest_check(end.status == HMMSVM_OK && work.count == 10 && end.groups_run == 10,
                   "ten groups run", work.count);

    selftest_bad(ring, n++, "a bad read is caught", selftest_reads, 0x123458, HMMSVM_BAD_ADDRESS,
                 SIGSEGV, HMMSVM_READ);
    selftest_check(ring->slots[n - 1].end.group[0] == 3, "the group that did it is known",
                   ring->slots[n - 1].end.group[0]);
    selftest_bad(ring, n++, "a bad write is caught", selftest_writes, 0x7fff12345678,
                 HMMSVM_BAD_ADDRESS, SIGSEGV, HMMSVM_WRITE);
    selftest_bad(ring, n++, "a bad jump is caught", selftest_jumps, 0x123458, HMMSVM_BAD_ADDRESS,
                 SIGSEGV, HMMSVM_EXECUTE);
    selftest_bad(ring, n++, "an address that is none is caught", selftest_reads,
                 0x8000000000000000, HMMSVM_BAD_ADDRESS, SIGSEGV, HMMSVM_READ);
    selftest_bad(ring, n++, "a stack overflow is caught", selftest_overflows, 0,
                 HMMSVM_BAD_ADDRESS, SIGSEGV, HMMSVM_WRITE);
    selftest_bad(ring, n++, "an illegal instruction is caught", selftest_traps, 0, HMMSVM_CRASHED,
                 SIGILL, HMMSVM_EXECUTE);
    selftest_bad(ring, n++, "a division by zero is caught", selftest_divides, 0, HMMSVM_CRASHED,
                 SIGFPE, HMMSVM_EXECUTE);

    n = selftest_calls_all(ring, n);
    n = selftest_watchdog(ring, n);
    end = selftest_launch(ring, n++, selftest_good, &work);
    selftest_check(end.status == HMMSVM_OK && work.count == 10, "after all that, ten groups run",
                   work.count);
    selftest_deaf(ring, n);
    return 0;
}
