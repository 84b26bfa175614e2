/* SPDX-License-Identifier: MIT */
/*
 * hung.c - a work-group that hangs is ended alone, and where it has seen to it that it cannot be, the engine
 * is reset: its launch ends as hung, the others that ran as lost, those that had not started run
 */
#include "harness.h"

struct work {
    uint32_t started, stop, deaf;
    volatile uint64_t turns;
    uint64_t word;
};

/* Blocks all signals if told so; never ends. */
HARNESS_WG static void hangs(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                             unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);
    uint64_t all = ~0ull;
    long ret = SYS_rt_sigprocmask;
    register long r10 __asm__("r10") = sizeof(all);

    (void)ctx, (void)x, (void)y, (void)z;
    w->word = 7;
    if (w->deaf)
        __asm__ volatile("syscall"
                         : "+a"(ret)
                         : "D"(2l), "S"(&all), "d"(0l), "r"(r10)
                         : "rcx", "r11", "memory");
    harness_set(&w->started, 1);
    for (;;)
        w->turns++;
}

/* Ends when it is told to; says that it waits, as pocl's kernels do. */
HARNESS_WG static void waits(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                             unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);

    (void)x, (void)y, (void)z;
    harness_set(&w->started, 1);
    while (!harness_get(&w->stop))
        ++*(volatile uint32_t *)ctx;
}

HARNESS_WG static void adds(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                            unsigned long z)
{
    (void)ctx, (void)x, (void)y, (void)z;
    __atomic_add_fetch(&HARNESS_ARG(struct work, args, 0)->word, 1, __ATOMIC_SEQ_CST);
}

static struct harness h;

static void submit(hmmsvm_workgroup_fn fn, void **slot, struct work *w, uint64_t id, uint64_t after)
{
    static uint32_t ctx;
    struct hmmsvm_launch launch = {.name = "test", .fn = fn, .groups = {1, 1, 1}, .args = slot,
                                   .nargs = 1, HMMSVM_NO_CTX, .id = id, .after = after, .user = w};

    launch.ctx = &ctx;
    launch.ctx_size = sizeof(ctx);
    launch.ctx_waiting = 0;
    *slot = w;
    CHECK_OK(hmmsvm_submit(h.dev, &launch));
}

/* The completion of @w's launch, with others coming in between. */
static void ends(struct work *w, struct work **all, uint32_t *status, unsigned n)
{
    for (;;) {
        struct hmmsvm_completion c;
        unsigned i;

        for (i = 0; i < n; i++)
            if (all[i] == w && status[i] != UINT32_MAX)
                return;
        c = harness_wait(&h);
        for (i = 0; i < n && all[i] != c.user; i++)
            ;
        CHECK_LT(i, n);
        CHECK_EQ(status[i], UINT32_MAX);
        status[i] = c.status;
        if (c.status == HMMSVM_HUNG)
            CHECK_EQ(c.group[0] + c.groups_run, 0);
    }
}

int main(void)
{
    struct hmmsvm_device_info info;

    setenv("HMMSVM_WATCHDOG_MS", "300", 1);
    /* For the one that waits, the one that hangs, and one more. */
    harness_open(&h, 3);
    for (unsigned deaf = 0; deaf < 2; deaf++) {
        struct work *all[4];
        uint32_t status[4];
        void *slot[4];

        for (unsigned i = 0; i < 4; i++) {
            all[i] = harness_map(HARNESS_PAGE);
            status[i] = UINT32_MAX;
        }
        struct work *waiting = all[0], *hung = all[1], *after = all[2], *next = all[3];

        hung->deaf = deaf;
        submit(waits, &slot[0], waiting, 0, 0);
        harness_until(&waiting->started, 1);
        submit(hangs, &slot[1], hung, 100 + deaf, 0);
        submit(adds, &slot[2], after, 0, 100 + deaf);
        harness_until(&hung->started, 1);
        ends(hung, all, status, 4);
        ends(after, all, status, 4);
        CHECK_EQ(status[1], HMMSVM_HUNG);
        CHECK_EQ(status[2], HMMSVM_CANCELLED);
        CHECK_EQ(hung->word, 7);
        CHECK_EQ(after->word, 0);
        /* The other one is lost only with the engine. */
        if (!deaf) {
            CHECK_EQ(status[0], UINT32_MAX);
            harness_set(&waiting->stop, 1);
        }
        ends(waiting, all, status, 4);
        CHECK_EQ(status[0], deaf ? HMMSVM_DEVICE_LOST : HMMSVM_OK);
        submit(adds, &slot[3], next, 0, 0);
        ends(next, all, status, 4);
        CHECK_EQ(status[3], HMMSVM_OK);
        CHECK_EQ(next->word, 1);
        hmmsvm_device_info(h.dev, &info);
        CHECK_EQ(info.resets, deaf);
        CHECK_EQ(info.engine_pid == h.info.engine_pid, !deaf);
    }
    harness_close(&h);
    return 0;
}
