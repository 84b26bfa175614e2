/* SPDX-License-Identifier: MIT */
/*
 * migrate_hole.c - an untouched block goes to the device though parts of its place there
 * are still used by pages that were moved to another address
 *
 * So it cannot become one huge page, and not every hole can be filled.
 */
#include "devmem.h"

#define PAGES DEVMEM_BLOCK_PAGES

int main(void)
{
    struct harness h;
    struct agent a;
    uint64_t *p, *elsewhere;
    uint64_t moved;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = memory_blocks(1);
    CHECK(!madvise(p, DEVMEM_BLOCK, MADV_HUGEPAGE));
    elsewhere = memory_blocks(1);
    CHECK(!madvise(p, DEVMEM_BLOCK, MADV_NOHUGEPAGE));
    devmem_fill(p + 100 * 512, 100, 40);
    CHECK_EQ(devmem_move(&h, p + 100 * 512, 100 * HARNESS_PAGE, HMMSVM_MIGRATE_TO_DEVICE), 100);

    CHECK(mremap(p + 100 * 512, 100 * HARNESS_PAGE, 100 * HARNESS_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                 elsewhere) == elsewhere);
    CHECK(mmap(p, DEVMEM_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
               0) == p);
    CHECK(!madvise(p, DEVMEM_BLOCK, MADV_HUGEPAGE));
    moved = devmem_move(&h, p, DEVMEM_BLOCK, HMMSVM_MIGRATE_TO_DEVICE);
    CHECK_LE(moved, PAGES);
    CHECK_GE(moved, PAGES - 112); /* the regions those pages lie in */
    CHECK_EQ(devmem_resident(&h), moved + 100);

    CHECK_EQ(agent_sum_pages(&a, p, PAGES), 0);
    agent_fill_pages(&a, p, 7, PAGES);
    for (unsigned i = 0; i < 100; i++)
        CHECK_EQ(agent_read(&a, &elsewhere[i * 512 + i % 512]), 40 + i);
    devmem_check(elsewhere, 100, 40);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], 7 + i);
    CHECK_EQ(devmem_resident(&h), 0);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
