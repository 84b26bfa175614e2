/* SPDX-License-Identifier: MIT */
/*
 * migrate_mixed_huge.c - huge and small pages next to each other go and come, whole or in
 * part; what becomes small or huge in between stays right
 */
#include "devmem.h"

#define BLOCKS 4ul
#define PAGES (BLOCKS * DEVMEM_BLOCK_PAGES)

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p, there;
    bool huge;

    devmem_open(&h, 1, "remote");
    huge = h.info.kernel.features & HMMSVM_FEATURE_HUGE_PAGES;
    agent_begin(&a, &h);
    p = memory_blocks(BLOCKS);
    /* In turns: huge, small. */
    for (unsigned b = 0; b < BLOCKS; b++)
        CHECK(!madvise(p + b * 512 * 512, DEVMEM_BLOCK, b % 2 ? MADV_NOHUGEPAGE : MADV_HUGEPAGE));
    devmem_fill(p, PAGES, 100);
    harness_mark(&h);
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
    s = harness_delta(&h);
    CHECK_EQ(s.huge_to_device, huge ? BLOCKS / 2 : 0);
    CHECK_EQ(s.migrations_to_device, BLOCKS);

    /* A middle part of all of it comes back: huge pages are split for that. */
    harness_mark(&h);
    DEVMEM_REQUEST(&h, p + 256 * 512, DEVMEM_BLOCK, DEVMEM_TO_SYSTEM, 0, DEVMEM_BLOCK_PAGES, 0, 0);
    CHECK_EQ(devmem_resident(&h), PAGES - DEVMEM_BLOCK_PAGES);
    CHECK_EQ(harness_delta(&h).huge_to_system, 0);
    for (unsigned i = 0; i < PAGES; i += 37)
        CHECK_EQ(agent_read(&a, &p[i * 512 + i % 512]), 100 + i);
    /* It goes over again, next to what is there. */
    devmem_settle();
    DEVMEM_REQUEST(&h, p + 256 * 512, DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, DEVMEM_BLOCK_PAGES, 0, 0);
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, 0, PAGES, 0);

    /* Advice to the kernel changes while they are there. */
    for (unsigned b = 0; b < BLOCKS; b++)
        CHECK(!madvise(p + b * 512 * 512, DEVMEM_BLOCK, b % 2 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
    CHECK_EQ(devmem_resident(&h), PAGES);
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_SYSTEM, 0, PAGES, 0, 0);
    devmem_check(p, PAGES, 100);

    /* Huge pages in part: only the pages that were asked for move. */
    CHECK(!munmap(p, PAGES * HARNESS_PAGE));
    p = memory_blocks(1);
    CHECK(!madvise(p, DEVMEM_BLOCK, MADV_HUGEPAGE));
    devmem_fill(p, DEVMEM_BLOCK_PAGES, 100);
    CHECK_EQ(memory_smaps(p, "AnonHugePages"), DEVMEM_BLOCK >> 10);
    DEVMEM_REQUEST(&h, p + 5 * 512, 3 * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, 3, 0, 0);
    CHECK_EQ(devmem_resident(&h), 3);
    devmem_settle();
    for (unsigned i = 0; i < 512; i++)
        CHECK_EQ(agent_read(&a, &p[i * 512 + i]), 100 + i);
    devmem_settle();
    DEVMEM_REQUEST(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, 509, 3, 0);
    devmem_check(p, DEVMEM_BLOCK_PAGES, 100);

    /* A huge page of which a part is unmapped, and one that lies across two mappings. */
    CHECK(!munmap(p, DEVMEM_BLOCK));
    p = memory_blocks(1);
    CHECK(!madvise(p, DEVMEM_BLOCK, MADV_HUGEPAGE));
    devmem_fill(p, DEVMEM_BLOCK_PAGES, 100);
    CHECK(!mprotect(p + 200 * 512, 100 * HARNESS_PAGE, PROT_READ));
    /* Before 7.0 a huge page behind small entries does not move. */
    there = devmem_move(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE);
    if (huge)
        CHECK_EQ(there, 512);
    CHECK_EQ(agent_read(&a, &p[250 * 512 + 250]), 350);
    agent_write(&a, &p[199 * 512], 5);
    CHECK(!munmap(p, 10 * HARNESS_PAGE));
    CHECK_EQ(devmem_resident(&h), there ? 502 : 0);
    for (unsigned i = 10; i < 512; i++)
        CHECK_EQ(p[i * 512 + i], 100 + i);
    CHECK_EQ(p[199 * 512], 5);
    CHECK_EQ(devmem_resident(&h), 0);

    /* The huge zero page, read before it moves: nothing to copy. */
    p = memory_blocks(1);
    CHECK(!madvise(p, DEVMEM_BLOCK, MADV_HUGEPAGE));
    CHECK_EQ(*(volatile uint64_t *)p, 0);
    harness_mark(&h);
    DEVMEM_REQUEST(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, 512, 0, 0);
    CHECK_EQ(harness_delta(&h).pages_zeroed, 512);
    CHECK_EQ(agent_sum_pages(&a, p, 512), 0);
    agent_fill_pages(&a, p, 1, 512);
    for (unsigned i = 0; i < 512; i++)
        CHECK_EQ(p[i * 512], 1 + i);
    /* The small one. */
    p = devmem_small(1);
    for (unsigned i = 0; i < 512; i++)
        CHECK_EQ(((volatile uint64_t *)p)[i * 512], 0);
    harness_mark(&h);
    DEVMEM_REQUEST(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, 512, 0, 0);
    CHECK_EQ(harness_delta(&h).pages_zeroed, 512);
    CHECK_EQ(p[9 * 512], 0);
    p[9 * 512] = 9;
    CHECK_EQ(agent_read(&a, &p[9 * 512]), 9);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
