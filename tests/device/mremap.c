/* SPDX-License-Identifier: MIT */
/* mremap.c - memory that is moved, grown or shrunk while a kernel runs */
#include "agent.h"

#define PAGES 16

int main(void)
{
    struct harness h;
    struct agent a;
    uint64_t *p, *q, *room;

    agent_open(&a, &h);
    p = harness_map(PAGES * HARNESS_PAGE);
    agent_fill_pages(&a, p, 70, PAGES);
    AGENT_FAULTS(&h, PAGES);

    room = harness_map(4 * PAGES * HARNESS_PAGE);
    q = mremap(p, PAGES * HARNESS_PAGE, 2 * PAGES * HARNESS_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
               room + 512 * PAGES);
    CHECK(q == room + 512 * PAGES);
    CHECK_GE(harness_delta(&h).invalidations_zapped, 1);
    harness_mark(&h);

    /* At the new place with what was written, and as many faults as pages. */
    CHECK_EQ(agent_sum_pages(&a, q, PAGES), PAGES * 70 + PAGES * (PAGES - 1) / 2);
    AGENT_FAULTS(&h, PAGES);
    /* The grown part is fresh. */
    CHECK_EQ(agent_read(&a, q + (PAGES + 1) * 512), 0);
    AGENT_FAULTS(&h, 1);

    /* The old place is nobody's. */
    agent_dies(&a, AGENT_READ, p);
    agent_begin(&a, &h);

    CHECK(mremap(q, 2 * PAGES * HARNESS_PAGE, HARNESS_PAGE, 0) == q);
    CHECK_EQ(agent_read(&a, q), 70);
    AGENT_FAULTS(&h, 0);
    agent_dies(&a, AGENT_READ, q + 512);
    harness_close(&h);
    return 0;
}
