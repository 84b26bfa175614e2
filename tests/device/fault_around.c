/* SPDX-License-Identifier: MIT */
/* fault_around.c - one device fault mirrors as many present pages as was asked for, aligned */
#include "agent.h"

#define BLOCK (2ul << 20)
#define PAGES 512

static void with(unsigned around)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p, sum = 0;

    harness_open_params(&h, (struct hmmsvm_open_params){.workers = 1, .fault_around = around});
    agent_begin(&a, &h);
    p = harness_map(2 * BLOCK);
    CHECK(!madvise(p, 2 * BLOCK, MADV_NOHUGEPAGE));
    p = (uint64_t *)(((uintptr_t)p + BLOCK - 1) & ~(BLOCK - 1));
    for (int i = 0; i < PAGES; i++)
        sum += p[i * 512] = i + 1;

    CHECK_EQ(agent_sum_pages(&a, p, PAGES), sum);
    s = harness_delta(&h);
    CHECK_EQ(s.device_faults, PAGES / around);
    CHECK_EQ(s.pages_mirrored, PAGES);
    CHECK_EQ(s.pages_writable, 0);
    /* Every page is present: the walk is only ever repeated for a move under it. */
    CHECK_LE(s.app_faults, s.retries);

    /* Writing makes the neighbours writable too. */
    harness_mark(&h);
    agent_fill_pages(&a, p, 1, PAGES);
    s = harness_delta(&h);
    CHECK_EQ(s.device_faults, PAGES / around);
    CHECK_EQ(s.pages_upgraded, PAGES);
    CHECK_EQ(s.pages_mirrored, 0);

    agent_end(&a);
    harness_close(&h);
}

int main(void)
{
    with(1);
    with(16);
    with(512);
    return 0;
}
