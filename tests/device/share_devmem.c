/* SPDX-License-Identifier: MIT */
/*
 * share_devmem.c - two processes, each with a buffer larger than all device memory, use
 * it at once under several policies: each gets its own data right, and nothing is left
 */
#include <signal.h>

#include "devmem.h"

struct work {
    uint64_t *p;
    uint64_t pages;
    uint64_t add;
};

HARNESS_WG static void sweep(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                             unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);

    (void)ctx, (void)x, (void)y, (void)z;
    for (int round = 0; round < 2; round++)
        for (uint64_t i = 0; i < w->pages; i++)
            w->p[i * 512 + i % 512] += w->add;
}

/* One process, for one pair of policies each round; @both is a barrier of two. */
static void app(unsigned self, uint32_t *both, uint64_t pages)
{
    static const char *const placement[] = {"touch", "tree", "hot", "thrash", "adaptive"};
    static const char *const eviction[] = {"lru", "fifo", "clock", "lfu"};
    struct hmmsvm_stats s;
    struct harness h;
    struct work *w;

    devmem_open(&h, 1, "remote");
    w = harness_map(HARNESS_PAGE);
    w->pages = pages;
    w->p = memory_blocks(pages / DEVMEM_BLOCK_PAGES);
    for (unsigned i = 0; i < 5; i++) {
        /* The other one has another policy. */
        unsigned policy = (i + 2 * self) % 5;

        CHECK(!madvise(w->p, pages * HARNESS_PAGE, (i + self) % 2 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
        /* What a round before left mapped where it is would not be faulted on in this one. */
        CHECK(!madvise(w->p, pages * HARNESS_PAGE, MADV_DONTNEED));
        devmem_fill(w->p, pages, i * 1000 + self);
        w->add = 1 + i;
        CHECK_OK(hmmsvm_device_policy(h.dev, placement[policy], eviction[(i + self) % 4]));
        __atomic_fetch_add(both, 1, __ATOMIC_SEQ_CST);
        while (harness_get(both) < 2 * (i + 1))
            usleep(1000);
        harness_mark(&h);
        harness_run_ok(&h, sweep, w, 1);
        s = harness_delta(&h);
        CHECK_EQ(s.policy_errors + s.failed_faults + s.failed_no_system_memory, 0);
        /* These two want every page; before 7.0 huge ones may stay. */
        if (policy < 2 && h.info.kernel.features & HMMSVM_FEATURE_HUGE_PAGES) {
            CHECK_GE(s.pages_to_device, pages);
            CHECK_GE(s.pages_to_system_evicted, 1);
        }
        devmem_check(w->p, pages, i * 1000 + self + 2 * w->add);
    }
    /* Once there is room, a block goes over and is left there. */
    devmem_move(&h, w->p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE);
    harness_close(&h);
    devmem_check(w->p, pages, 4000 + self + 10);
    _exit(0);
}

int main(void)
{
    struct hmmsvm_memory memory;
    uint32_t *both;
    pid_t pid[2];

    devmem_needed();
    CHECK(devmem_memory(0, &memory));
    devmem_at_most(&memory, 128);
    devmem_used_is(0, 0);
    both = mmap(NULL, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(both != MAP_FAILED);
    for (unsigned i = 0; i < 2; i++) {
        pid[i] = fork();
        CHECK(pid[i] >= 0);
        if (!pid[i])
            app(i, both, 2 * memory.bytes / HARNESS_PAGE);
    }
    for (unsigned i = 0; i < 2; i++) {
        int status;
        pid_t done = wait(&status);

        CHECK(done == pid[0] || done == pid[1]);
        if (status) {
            kill(pid[0], SIGKILL);
            kill(pid[1], SIGKILL);
            FAIL("process %d ended with status 0x%x", done == pid[1], status);
        }
    }
    devmem_used_is(0, 0);
    return 0;
}
