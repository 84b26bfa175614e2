/* SPDX-License-Identifier: MIT */
/*
 * cpu_ahead.c - a CPU that goes from block to block faults on two of them
 *
 * Under "adaptive" the second fault brings back the blocks that follow, too.
 */
#include "devmem.h"

#define BLOCKS 4
#define TAKEN  17   /* pages that the first fault takes of small ones */

int main(void)
{
    const unsigned pages = BLOCKS * DEVMEM_BLOCK_PAGES;
    struct harness h;
    struct hmmsvm_stats d;
    struct agent a;
    uint64_t *p;

    devmem_open(&h, 1, "adaptive");
    /* Nothing comes over by itself. */
    devmem_tune(&h, "pace", 0);
    agent_begin(&a, &h);
    p = devmem_small(BLOCKS);
    /* Nobody has touched it: it comes over at once, and perhaps what the agent needs. */
    harness_mark(&h);
    agent_fill_pages(&a, p, 7, pages);
    CHECK(harness_delta(&h).pages_to_device >= pages);
    harness_mark(&h);
    for (unsigned b = 0; b < BLOCKS; b++)
        CHECK_EQ(p[b * DEVMEM_BLOCK_PAGES * 512], 7 + b * DEVMEM_BLOCK_PAGES);
    d = harness_delta(&h);
    CHECK_EQ(d.cpu_faults, 2);
    CHECK_EQ(d.pages_to_system_cpu, TAKEN + (BLOCKS - 1) * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(d.policy_errors, 0);
    for (unsigned i = 0; i < pages; i++)
        CHECK_EQ(p[i * 512], 7 + i);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
