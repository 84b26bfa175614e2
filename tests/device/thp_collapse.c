/* SPDX-License-Identifier: MIT */
/* thp_collapse.c - small pages become a huge one under a running kernel */
#include "agent.h"
#include "memory.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define PAGES 512

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;

    agent_open(&a, &h);
    p = memory_blocks(1);
    CHECK(!madvise(p, MEMORY_BLOCK, MADV_NOHUGEPAGE));
    agent_fill_pages(&a, p, 10, PAGES);
    s = harness_delta(&h);
    CHECK_EQ(s.device_faults, PAGES);
    CHECK_EQ(memory_smaps(p, "AnonHugePages"), 0);
    harness_mark(&h);

    CHECK(!madvise(p, MEMORY_BLOCK, MADV_HUGEPAGE));
    if (madvise(p, MEMORY_BLOCK, MADV_COLLAPSE))
        SKIP("MADV_COLLAPSE: %s", strerror(errno));
    CHECK_EQ(memory_smaps(p, "AnonHugePages"), MEMORY_BLOCK >> 10);
    CHECK_GE(harness_delta(&h).invalidations_zapped, 1);
    harness_mark(&h);

    CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * 10 + PAGES * (PAGES - 1) / 2);
    AGENT_FAULTS(&h, PAGES);
    agent_fill_pages(&a, p, 20, PAGES);
    for (int i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], 20 + i);
    /* The device did not split it. */
    CHECK_EQ(memory_smaps(p, "AnonHugePages"), MEMORY_BLOCK >> 10);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
