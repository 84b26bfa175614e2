/* SPDX-License-Identifier: MIT */
/* thp_split.c - a huge page is split, in part discarded and in part protected, under a kernel */
#include "agent.h"
#include "memory.h"

#define PAGES 512

int main(void)
{
    struct harness h;
    struct agent a;
    uint64_t *p;

    agent_open(&a, &h);
    p = memory_blocks(1);
    CHECK(!madvise(p, MEMORY_BLOCK, MADV_HUGEPAGE));
    for (int i = 0; i < PAGES; i++)
        p[i * 512] = i;
    if (memory_smaps(p, "AnonHugePages") != MEMORY_BLOCK >> 10)
        SKIP("the kernel gives no huge page for MADV_HUGEPAGE");
    CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * (PAGES - 1) / 2);
    AGENT_FAULTS(&h, PAGES);

    /* A hole of four pages. */
    CHECK(!madvise(p + 100 * 512, 4 * HARNESS_PAGE, MADV_DONTNEED));
    CHECK_GE(harness_delta(&h).invalidations_zapped, 1);
    CHECK_EQ(memory_smaps(p, "AnonHugePages"), 0);
    harness_mark(&h);
    for (int i = 0; i < PAGES; i++)
        CHECK_EQ(agent_read(&a, p + i * 512), i >= 100 && i < 104 ? 0 : i);
    CHECK_GE(harness_delta(&h).device_faults, 4);
    CHECK_EQ(harness_delta(&h).failed_faults, 0);

    /* Another one, write-protected in part. */
    CHECK(!mprotect(p + 200 * 512, HARNESS_PAGE, PROT_READ));
    agent_write(&a, p + 199 * 512, 1);
    agent_write(&a, p + 201 * 512, 2);
    CHECK_EQ(p[199 * 512], 1);
    CHECK_EQ(p[201 * 512], 2);
    CHECK_EQ(agent_read(&a, p + 200 * 512), 200);
    agent_dies(&a, AGENT_WRITE, p + 200 * 512);
    harness_close(&h);
    return 0;
}
