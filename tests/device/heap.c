/* SPDX-License-Identifier: MIT */
/* heap.c - malloc'ed memory is read and written by the device, both ways, page by page */
#include "agent.h"

#define PAGES 64

int main(void)
{
    struct harness h;
    struct agent a;
    uint64_t *p, sum = 0;

    agent_open(&a, &h);
    /* Allocated while the kernel runs, and not page-aligned by malloc. */
    p = malloc((PAGES + 1) * HARNESS_PAGE);
    CHECK(p);
    p = (uint64_t *)(((uintptr_t)p + HARNESS_PAGE) & ~(HARNESS_PAGE - 1));

    for (int i = 0; i < PAGES; i++)
        sum += p[i * 512] = 1000 + i;
    CHECK_EQ(agent_sum_pages(&a, p, PAGES), sum);
    AGENT_FAULTS(&h, PAGES);

    /* The device writes, the host reads; the entries become writable one by one. */
    agent_fill_pages(&a, p, 5000, PAGES);
    for (int i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], 5000 + i);
    CHECK_EQ(harness_delta(&h).pages_upgraded, PAGES);
    AGENT_FAULTS(&h, PAGES);

    /* The host writes, the device reads: no map, no unmap, no fault any more. */
    for (int i = 0; i < PAGES; i++)
        p[i * 512] = 3 * i;
    CHECK_EQ(agent_sum_pages(&a, p, PAGES), 3 * PAGES * (PAGES - 1) / 2);
    AGENT_FAULTS(&h, 0);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
