/* SPDX-License-Identifier: MIT */
/*
 * The self-test: every check prints a line, the first that fails ends it.
 *
 * Locking: none but the workers' own.
 */
#include "selftest.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "crash.h"

#define SELFTEST_WINDOW (1ull << 30)
#define SELFTEST_FAR    0x200000000000ull
#define SELFTEST_END    0x7ffffffff000ull

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
    ring->local_size = 1u << 16;
    ring->stack_size = 1u << 20;
    printf("program at %p, window 0x%" PRIx64 " to 0x%" PRIx64 "\n", (void *)&selftest_outside,
           params.start, params.start + params.len);
    fflush(stdout);
    window_enter(&params, ring);
}

/* ---- inside ------------------------------------------------------------------- */

static const struct window_params *inside;

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

struct selftest_work {
    volatile uint32_t count;
    volatile uint8_t *bad;
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

/* Runs ten groups of @fn in slot @n and returns how that ended. */
static struct hmmsvm_completion selftest_launch(struct ring *ring, uint32_t n,
                                                hmmsvm_workgroup_fn fn, struct selftest_work *work)
{
    struct ring_slot *slot = &ring->slots[n];
    uint64_t end = ring_now_ns() + 20000000000u;
    void *args[] = {work};

    work->count = 0;
    slot->id = n + 1;
    slot->total = 10;
    slot->launch = (struct hmmsvm_launch){
        .fn = fn,
        .groups = {10, 1, 1},
        .args = args,
        .nargs = 1,
        HMMSVM_NO_CTX,
    };
    ring_start(ring, n, 10);
    ring_futex_wake(&ring->bell, 2);
    while (atomic_load(&ring->completed) != n + 1) {
        if (ring_now_ns() > end)
            selftest_check(false, "the launch ends within 20 s", n);
        ring_futex_wait(&ring->completed, n, 100000000);
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

int selftest_inside(const struct window_params *params)
{
    struct ring *ring = params->ring;
    struct selftest_work work = {0};
    struct hmmsvm_completion end;
    struct hmmsvm_pool pool;
    uintptr_t thread_stack = 0;
    void *p;
    uint64_t residue;
    uint32_t n = 0;
    pthread_t thread;
    int local;

    inside = params;
    residue = window_residue(params);
    selftest_check(!residue, "nothing is left outside of the window", residue);
    selftest_check_place("the program is in the window", (void *)&selftest_inside);
    selftest_check_place("the stack is in the window", &local);
    selftest_check_place("thread-local data are in the window", &errno);
    selftest_check_place("small memory comes from the window", malloc(100));
    selftest_check_place("large memory comes from the window", malloc(8u << 20));
    p = mmap(NULL, 1u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    selftest_check_place("mappings come from the window", p);
    selftest_check(!pthread_create(&thread, NULL, selftest_thread, &thread_stack) &&
                       !pthread_join(thread, NULL), "threads start", 0);
    selftest_check_place("a thread's stack is in the window", (void *)thread_stack);

    crash_install();
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

    end = selftest_launch(ring, n++, selftest_good, &work);
    selftest_check(end.status == HMMSVM_OK && work.count == 10, "after all that, ten groups run",
                   work.count);
    hmmsvm_pool_stop(&pool);
    residue = window_residue(params);
    selftest_check(!residue, "still nothing is outside of the window", residue);
    return 0;
}
