/* SPDX-License-Identifier: MIT */
/*
 * migrate_madvise.c - advice to the kernel about memory that is on the device:
 * DONTNEED frees it, FREE, COLD and PAGEOUT lose nothing
 */
#include "devmem.h"

#define PAGES DEVMEM_BLOCK_PAGES

#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif

int main(void)
{
    static const int keeps[] = {MADV_COLD, MADV_PAGEOUT};
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    for (int huge = 0; huge < 2; huge++) {
        p = memory_blocks(1);
        CHECK(!madvise(p, DEVMEM_BLOCK, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
        for (unsigned k = 0; k < 2; k++) {
            devmem_fill(p, PAGES, 100 + k);
            CHECK_EQ(devmem_move(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE), PAGES);
            harness_mark(&h);
            CHECK(!madvise(p, DEVMEM_BLOCK, keeps[k]));
            CHECK(!madvise(p + 40 * 512, 8 * HARNESS_PAGE, keeps[k]));
            s = harness_delta(&h);
            CHECK_EQ(s.device_pages, PAGES);
            CHECK_EQ(s.pages_to_system, 0);
            CHECK_EQ(agent_read(&a, &p[7 * 512 + 7]), 107 + k);
            devmem_check(p, PAGES, 100 + k);
        }

        /* FREE: what is written after it stays; each other page has its content or zeroes. */
        devmem_fill(p, PAGES, 900);
        CHECK_EQ(devmem_move(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE), PAGES);
        CHECK(!madvise(p, DEVMEM_BLOCK, MADV_FREE));
        agent_write(&a, &p[33 * 512 + 1], 33);
        CHECK_EQ(p[33 * 512 + 1], 33);
        for (unsigned i = 0; i < PAGES; i++)
            CHECK(p[i * 512 + i] == 900 + i || p[i * 512 + i] == 0);

        /* DONTNEED in the middle, then all of it. */
        devmem_fill(p, PAGES, 2000);
        devmem_move(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE);
        CHECK_EQ(devmem_resident(&h), PAGES);
        harness_mark(&h);
        CHECK(!madvise(p + 100 * 512, 50 * HARNESS_PAGE, MADV_DONTNEED));
        /* A huge device page keeps its place until it is split. */
        CHECK_EQ(devmem_resident(&h),
                 huge && h.info.kernel.features & HMMSVM_FEATURE_HUGE_PAGES ? PAGES : PAGES - 50);
        CHECK_EQ(agent_read(&a, &p[120 * 512 + 120]), 0);
        CHECK_EQ(agent_read(&a, &p[150 * 512 + 150]), 2150);
        agent_write(&a, &p[121 * 512 + 121], 5);
        CHECK_EQ(p[121 * 512 + 121], 5);
        CHECK_EQ(p[99 * 512 + 99], 2099);
        CHECK(!madvise(p, DEVMEM_BLOCK, MADV_DONTNEED));
        CHECK_EQ(devmem_resident(&h), 0);
        CHECK_EQ(agent_sum_pages(&a, p, PAGES), 0);
        for (unsigned i = 0; i < PAGES; i++)
            CHECK_EQ(p[i * 512 + i], 0);
        CHECK(!munmap(p, DEVMEM_BLOCK));
    }
    agent_end(&a);
    harness_close(&h);
    devmem_used_is(0, 0);
    return 0;
}
