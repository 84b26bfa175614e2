/* SPDX-License-Identifier: MIT */
/*
 * huge_zero.c - the kernel's huge page of zeroes is shown, and taken away again
 *
 * Memory that may have huge pages and was only read is that page. The kernel takes an
 * entry that shows it as a whole for its own, so it is shown page by page.
 */
#include "devmem.h"

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;

    harness_open(&h, 1);
    agent_begin(&a, &h);
    p = memory_blocks(2);
    CHECK(!madvise(p, 2 * DEVMEM_BLOCK, MADV_HUGEPAGE));

    /* Read by the CPU first, and by the device first. */
    CHECK_EQ(p[100 * 512], 0);
    harness_mark(&h);
    CHECK_EQ(agent_sum_pages(&a, p, 2 * DEVMEM_BLOCK_PAGES), 0);
    s = harness_delta(&h);
    CHECK_EQ(s.huge_mirrored, 0);
    CHECK_GE(s.pages_mirrored, 2 * DEVMEM_BLOCK_PAGES);

    /* A write by each side, then it goes. */
    p[100 * 512] = 5;
    CHECK_EQ(agent_read(&a, &p[100 * 512]), 5);
    agent_write(&a, &p[700 * 512], 6);
    CHECK_EQ(p[700 * 512], 6);
    CHECK_EQ(p[701 * 512], 0);
    CHECK(!munmap(p, 2 * DEVMEM_BLOCK));
    agent_end(&a);
    harness_close(&h);
    return 0;
}
