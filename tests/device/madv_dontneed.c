/* SPDX-License-Identifier: MIT */
/* madv_dontneed.c - discarded memory reads as zero for a running kernel */
#include "agent.h"

#define PAGES 32

int main(void)
{
    struct harness h;
    struct agent a;
    uint64_t *p;

    agent_open(&a, &h);
    p = harness_map(PAGES * HARNESS_PAGE);
    agent_fill_pages(&a, p, 1, PAGES);
    AGENT_FAULTS(&h, PAGES);

    CHECK(!madvise(p + 8 * 512, 8 * HARNESS_PAGE, MADV_DONTNEED));
    CHECK_EQ(harness_delta(&h).invalidations_zapped, 1);
    harness_mark(&h);
    CHECK_EQ(agent_sum_pages(&a, p + 8 * 512, 8), 0);
    AGENT_FAULTS(&h, 8);
    CHECK_EQ(agent_sum_pages(&a, p, 8), 36);
    AGENT_FAULTS(&h, 0);

    /* The zero page was mirrored; a write must not reach it. */
    agent_write(&a, p + 9 * 512, 5);
    CHECK_EQ(p[9 * 512], 5);
    CHECK_EQ(p[10 * 512], 0);
    CHECK_EQ(agent_read(&a, p + 10 * 512), 0);
    CHECK_EQ(harness_delta(&h).device_write_faults, 1);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
