/* SPDX-License-Identifier: MIT */
/* munmap.c - what is unmapped while a kernel runs is gone for it at once, and only that */
#include "agent.h"

#define PAGES 8

int main(void)
{
    struct harness h;
    struct agent a;
    struct hmmsvm_stats s;
    uint64_t *p;

    agent_open(&a, &h);
    p = harness_map(PAGES * HARNESS_PAGE);
    agent_fill_pages(&a, p, 1, PAGES);
    AGENT_FAULTS(&h, PAGES);

    CHECK(!munmap(p + 3 * 512, HARNESS_PAGE));
    s = harness_delta(&h);
    CHECK_GE(s.invalidations, 1);
    CHECK_EQ(s.invalidations_zapped, 1);

    /* The neighbours are still there, without a fault. */
    harness_mark(&h);
    CHECK_EQ(agent_read(&a, p + 2 * 512), 3);
    CHECK_EQ(agent_read(&a, p + 4 * 512), 5);
    AGENT_FAULTS(&h, 0);

    agent_dies(&a, AGENT_READ, p + 3 * 512);
    agent_begin(&a, &h);
    CHECK_EQ(agent_read(&a, p + 2 * 512), 3);
    agent_dies(&a, AGENT_WRITE, p + 3 * 512 + 1);

    /* All of it, and the next kernel is right. */
    CHECK(!munmap(p, PAGES * HARNESS_PAGE));
    agent_begin(&a, &h);
    agent_dies(&a, AGENT_READ, p);
    harness_close(&h);
    return 0;
}
