/* SPDX-License-Identifier: MIT */
/*
 * tick_advice.c - what a policy promotes in its ticks leaves out what is advised to stay
 *
 * "hot" brings over a block that is used, but for 16 pages that the application wants in system
 * memory.
 */
#include "devmem.h"

#define ADVISED 16

int main(void)
{
    const unsigned rest = DEVMEM_BLOCK_PAGES - ADVISED;
    struct harness h;
    struct agent a;
    uint64_t *p;

    devmem_open(&h, 1, "hot");
    agent_begin(&a, &h);
    p = devmem_small(1);
    for (unsigned i = 0; i < DEVMEM_BLOCK_PAGES; i++)
        p[i * 512] = i;
    CHECK_OK(hmmsvm_device_advise(h.dev, p + 64 * 512, ADVISED * HARNESS_PAGE,
                                  HMMSVM_ADVICE_SYSTEM, 0));
    devmem_tune(&h, "tick", 50);
    devmem_tune(&h, "sample", 100);
    for (unsigned ms = 0;; ms += 20) {
        CHECK_LT(ms, HARNESS_PATIENCE_S * 1000);
        CHECK_EQ(agent_sum_pages(&a, p, DEVMEM_BLOCK_PAGES),
                 DEVMEM_BLOCK_PAGES * (DEVMEM_BLOCK_PAGES - 1) / 2);
        if (devmem_block(&h, p).device_pages >= rest)
            break;
        usleep(20000);
    }
    /* Nor do they follow. */
    usleep(300000);
    CHECK_EQ(agent_sum_pages(&a, p, DEVMEM_BLOCK_PAGES),
             DEVMEM_BLOCK_PAGES * (DEVMEM_BLOCK_PAGES - 1) / 2);
    CHECK_EQ(devmem_block(&h, p).device_pages, rest);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
