/* SPDX-License-Identifier: MIT */
/* swap.c - pages written by the device are swapped out and come back when the device asks */
#include "agent.h"
#include "memory.h"

#define PAGES 128

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;
    int out = 0;

    if (!memory_has_swap())
        SKIP("no swap space");
    agent_open(&a, &h);
    p = harness_map(PAGES * HARNESS_PAGE);
    CHECK(!madvise(p, PAGES * HARNESS_PAGE, MADV_NOHUGEPAGE));
    /* The device is the only one to write: the dirty bit is the mirror's business. */
    agent_sum_pages(&a, p, PAGES);
    agent_fill_pages(&a, p, 3000, PAGES);
    harness_mark(&h);

    for (int tries = 0; tries < 20 && out < PAGES; tries++) {
        CHECK(!madvise(p, PAGES * HARNESS_PAGE, MADV_PAGEOUT));
        out = 0;
        for (int i = 0; i < PAGES; i++)
            out += memory_swapped(p + i * 512);
        usleep(10000);
    }
    CHECK_GE(out, PAGES / 2);
    CHECK_GE(harness_delta(&h).invalidations_zapped, out);
    harness_mark(&h);

    CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * 3000 + PAGES * (PAGES - 1) / 2);
    s = harness_delta(&h);
    CHECK_GE(s.device_faults, out);
    CHECK_GE(s.app_faults, 1);
    CHECK_EQ(s.failed_faults, 0);

    /* And out again with what the device adds to a page that came back. */
    for (int i = 0; i < PAGES; i++)
        CHECK_EQ(agent_add(&a, p + i * 512, 1), 3000 + i);
    CHECK(!madvise(p, PAGES * HARNESS_PAGE, MADV_PAGEOUT));
    for (int i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], 3001 + i);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
