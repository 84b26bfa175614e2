/* SPDX-License-Identifier: MIT */
/*
 * tick_advice.c - what a policy promotes in its ticks leaves out what is advised to stay
 *
 * "hot" brings over a block that is used, but for 16 pages that the application wants in system
 * memory.
 */
#include "devmem.h"

#define ADVISED 16

static void set(struct harness *h, const char *name, int64_t value)
{
    CHECK_OK(hmmsvm_device_tunable(h->dev, name, &value, true, NULL));
}

static unsigned device_pages(struct harness *h, const void *p)
{
    struct hmmsvm_residency_block block;
    uint64_t start = (uintptr_t)p;
    uint32_t count = 1;

    CHECK_OK(hmmsvm_device_residency(h->dev, &start, &block, &count));
    return count && block.start == (uintptr_t)p ? block.device_pages : 0;
}

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
    set(&h, "tick", 50);
    set(&h, "sample", 100);
    for (unsigned ms = 0; device_pages(&h, p) < rest; ms += 20) {
        CHECK_LT(ms, HARNESS_PATIENCE_S * 1000);
        CHECK_EQ(agent_sum_pages(&a, p, DEVMEM_BLOCK_PAGES),
                 DEVMEM_BLOCK_PAGES * (DEVMEM_BLOCK_PAGES - 1) / 2);
        usleep(20000);
    }
    /* Nor do they follow. */
    usleep(300000);
    CHECK_EQ(agent_sum_pages(&a, p, DEVMEM_BLOCK_PAGES),
             DEVMEM_BLOCK_PAGES * (DEVMEM_BLOCK_PAGES - 1) / 2);
    CHECK_EQ(device_pages(&h, p), rest);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
