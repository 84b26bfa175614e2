/* SPDX-License-Identifier: MIT */
/*
 * first_touch.c - memory nobody has touched: a sequential device access brings
 * it in ahead in growing steps, a sparse one no page more than it touches
 */
#include "agent.h"

#define PAGES 4096ul /* 16 MiB */

/* Resident pages of [p, p + pages), from mincore(). */
static unsigned long resident(void *p, unsigned long pages)
{
    unsigned char *v = malloc(pages);
    unsigned long n = 0;

    CHECK(v && !mincore(p, pages * HARNESS_PAGE, v));
    for (unsigned long i = 0; i < pages; i++)
        n += v[i] & 1;
    free(v);
    return n;
}

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;

    harness_open_params(&h, (struct hmmsvm_open_params){.workers = 1, .fault_around = 512});
    agent_begin(&a, &h);

    p = harness_map(PAGES * HARNESS_PAGE);
    CHECK(!madvise(p, PAGES * HARNESS_PAGE, MADV_NOHUGEPAGE));
    agent_fill_pages(&a, p, 1, PAGES);
    for (unsigned long i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], i + 1);
    s = harness_delta(&h);
    CHECK_EQ(s.pages_mirrored, PAGES);
    /* 1, 2, 4, ... 512 pages, then a block at a time and one more per block edge. */
    CHECK_LE(s.device_faults, 10 + 2 * PAGES / 512);
    CHECK_EQ(s.pages_populated + s.app_faults, PAGES);

    /* Every 64th page only. */
    p = harness_map(PAGES * HARNESS_PAGE);
    CHECK(!madvise(p, PAGES * HARNESS_PAGE, MADV_NOHUGEPAGE));
    harness_mark(&h);
    agent_order(&a, AGENT_FILL, p, 1, PAGES / 64, 64 * 512);
    s = harness_delta(&h);
    CHECK_EQ(s.pages_populated, 0);
    CHECK_EQ(s.pages_mirrored, PAGES / 64);
    CHECK_EQ(resident(p, PAGES), PAGES / 64);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
