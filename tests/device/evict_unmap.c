/* SPDX-License-Identifier: MIT */
/*
 * evict_unmap.c - pages are evicted by one process while the last that has them mapped, another,
 * unmaps them or ends: what the eviction still needs of it outlives it
 *
 * That it does, KASAN sees. What is asserted is that pages were unmapped when they were on their
 * way, and that nothing is left.
 */
#include <signal.h>
#include <sys/prctl.h>

#include "bare.h"

struct shared {
    uint32_t stop;
    uint64_t rounds; /* of the evictor */
    uint64_t met;    /* unmapped in the middle of it */
};

/* Fills all of device memory again and again, with pages that have to push out others. */
static void evictor(struct shared *shared, uint64_t pages)
{
    struct hmmsvm_stats s;
    struct harness h;
    uint64_t *p;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    devmem_open(&h, 1, "remote");
    p = devmem_small((unsigned)(pages / DEVMEM_BLOCK_PAGES));
    devmem_fill(p, pages, 7);
    while (!harness_get(&shared->stop)) {
        devmem_move(&h, p, pages * HARNESS_PAGE, DEVMEM_TO_DEVICE);
        __atomic_fetch_add(&shared->rounds, 1, __ATOMIC_SEQ_CST);
    }
    s = harness_delta(&h);
    CHECK_EQ(s.failed_no_system_memory + s.policy_errors, 0);
    devmem_check(p, pages, 7);
    harness_close(&h);
    _exit(0);
}

/*
 * Waits until the page at @p leaves device memory; at most ten seconds. Returns whether it is on
 * its way, which shows as an entry of another type (low bits of the pagemap's).
 */
static bool leaves(const void *p, uint64_t device_type)
{
    for (uint64_t end = harness_ns() + 10000000000u; harness_ns() < end;) {
        uint64_t entry = memory_pagemap(p);

        if (entry >> 63)
            return false;
        if ((entry & 31) != device_type)
            return true;
    }
    FAIL("nobody evicts");
}

int main(void)
{
    unsigned rounds = getenv("HMMSVM_TEST_SLOW") ? 10 : 40;
    struct hmmsvm_memory memory;
    struct shared *shared;
    struct hmmsvm_stats s;
    struct harness h;
    uint64_t began;
    pid_t pid;

    devmem_needed();
    CHECK(devmem_memory(0, &memory));
    devmem_at_most(&memory, 128);
    devmem_used_is(0, 0);
    /* What the evicting process asks for is more than its share: it would evict its own. */
    bare_parameter("fair_share", 0);
    shared = mmap(NULL, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    pid = fork();
    CHECK(pid >= 0);
    if (!pid)
        evictor(shared, 2 * memory.bytes / HARNESS_PAGE);

    devmem_open(&h, 1, "remote");
    while (!__atomic_load_n(&shared->rounds, __ATOMIC_SEQ_CST))
        usleep(1000);
    harness_mark(&h);
    began = __atomic_load_n(&shared->rounds, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < rounds; i++) {
        size_t size = 2 * DEVMEM_BLOCK;
        uint8_t *map = harness_map(size);
        uint64_t *p = (uint64_t *)(((uintptr_t)map + DEVMEM_BLOCK - 1) & ~(DEVMEM_BLOCK - 1));
        uint64_t type;
        pid_t child = 0;

        CHECK(!madvise(map, size, i % 4 < 2 ? MADV_NOHUGEPAGE : MADV_HUGEPAGE));
        devmem_fill(p, DEVMEM_BLOCK_PAGES, i);
        devmem_move(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE);
        type = memory_pagemap(p) & 31;
        /* Every other time the last one that has them is a child. */
        if (i % 2) {
            child = fork();
            CHECK(child >= 0);
            if (!child) {
                if (leaves(p, type))
                    __atomic_fetch_add(&shared->met, 1, __ATOMIC_SEQ_CST);
                _exit(0);
            }
        } else if (leaves(p, type)) {
            __atomic_fetch_add(&shared->met, 1, __ATOMIC_SEQ_CST);
        }
        CHECK(!munmap(map, size));
        if (child)
            devmem_child_ok(child);
    }
    s = harness_delta(&h);
    printf("%u rounds, %llu met\n", rounds, (unsigned long long)shared->met);
    CHECK_GE(s.pages_to_device, rounds * DEVMEM_BLOCK_PAGES / 2);
    CHECK_GE(s.evictions, rounds / 2);
    CHECK_GE(shared->met, 1);
    CHECK_EQ(s.failed_no_system_memory + s.policy_errors, 0);
    CHECK_GT(__atomic_load_n(&shared->rounds, __ATOMIC_SEQ_CST), began);
    harness_close(&h);
    harness_set(&shared->stop, 1);
    devmem_child_ok(pid);
    devmem_used_is(0, 0);
    bare_parameter("fair_share", 1);
    return 0;
}
