/* SPDX-License-Identifier: MIT */
/*
 * migrate_swap.c - swapped-out pages come in and go to the device when it touches
 * them; once back they can be swapped out again with what the device wrote
 */
#include "devmem.h"

#define PAGES 64ul

static unsigned swapped(uint64_t *p)
{
    unsigned out = 0;

    for (int tries = 0; tries < 50 && out < PAGES; tries++) {
        CHECK(!madvise(p, PAGES * HARNESS_PAGE, MADV_PAGEOUT));
        out = 0;
        for (unsigned i = 0; i < PAGES; i++)
            out += (unsigned)memory_swapped(p + i * 512);
        usleep(10000);
    }
    return out;
}

int main(void)
{
    struct hmmsvm_stats s;
    struct hmmsvm_migrate m;
    struct harness h;
    struct agent a;
    uint64_t *p;
    unsigned out;

    if (!memory_has_swap())
        SKIP("no swap space");
    devmem_open(&h, 1, "touch");
    agent_begin(&a, &h);
    p = devmem_small(1);
    for (unsigned i = 0; i < PAGES; i++)
        p[i * 512] = 100 + i;
    out = swapped(p);
    CHECK_GE(out, PAGES / 2);
    harness_mark(&h);
    CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * 100 + PAGES * (PAGES - 1) / 2);
    s = harness_delta(&h);
    CHECK_GE(s.app_faults, 1);
    /* Before 7.0 what is still in the swap cache cannot go. */
    if (h.info.kernel.features & HMMSVM_FEATURE_HUGE_PAGES)
        CHECK_GE(s.pages_to_device, PAGES / 2);
    CHECK_EQ(s.failed_faults, 0);
    agent_fill_pages(&a, p, 500, PAGES);
    if (h.info.kernel.features & HMMSVM_FEATURE_HUGE_PAGES)
        CHECK_GE(devmem_resident(&h), PAGES / 2);

    /* Back, out again, and home by the CPU. */
    devmem_move(&h, p, DEVMEM_BLOCK, DEVMEM_TO_SYSTEM);
    CHECK_EQ(devmem_resident(&h), 0);
    out = swapped(p);
    CHECK_GE(out, PAGES / 2);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], 500 + i);

    /* A request moves what is in memory, and does not bring in what is out. */
    out = swapped(p);
    CHECK_EQ(devmem_request(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, &m), 0);
    CHECK_EQ(m.pages_moved + m.pages_failed, PAGES);
    printf("%u pages were out, %llu moved\n", out, (unsigned long long)m.pages_moved);
    CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * 500 + PAGES * (PAGES - 1) / 2);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], 500 + i);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
