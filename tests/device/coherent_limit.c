/* SPDX-License-Identifier: MIT */
/*
 * coherent_limit.c - a context never has more of device memory that the CPU reaches than its limit,
 * whoever asks: a request, and what the device faults on; what is there when the limit is lowered goes
 */
#include "bare.h"

#define BLOCKS 4u
#define PAGES  (BLOCKS * DEVMEM_BLOCK_PAGES)
#define REGION 16u /* pages */

static uint64_t limit_set(struct harness *h, uint64_t bytes)
{
    struct hmmsvm_limit l;

    CHECK_OK(hmmsvm_device_limit(h->dev, &bytes, &l));
    return l.charged;
}

int main(void)
{
    unsigned index = devmem_coherent();
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;

    devmem_used_is(index, 0);
    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(BLOCKS);
    devmem_fill(p, PAGES, 100);
    CHECK_EQ(limit_set(&h, 2 * DEVMEM_BLOCK), 0);
    harness_mark(&h);
    DEVMEM_REQUEST(&h, p, BLOCKS * DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
    s = harness_delta(&h);
    CHECK_EQ(s.device_pages, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.device_pages_charged, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.evictions, 2);
    CHECK_EQ(s.evictions_limit, 2);
    CHECK_EQ(s.pages_to_system_evicted, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.failed_no_memory + s.failed_limit, 0);
    devmem_used_is(index, 2 * DEVMEM_BLOCK_PAGES);

    /* The first block again, region by region, as the device touches it. */
    CHECK_OK(hmmsvm_device_policy(h.dev, "touch", NULL));
    for (unsigned i = 0; i < DEVMEM_BLOCK_PAGES; i += REGION)
        CHECK_EQ(agent_add(&a, &p[i * 512 + i % 512], 1), 100 + i);
    CHECK_OK(hmmsvm_device_policy(h.dev, "remote", NULL));
    s = harness_delta(&h);
    CHECK_GE(s.pages_to_device, PAGES + DEVMEM_BLOCK_PAGES);
    CHECK_GE(s.evictions, 3);
    CHECK_EQ(s.evictions_limit, s.evictions);
    CHECK_EQ(s.device_pages_peak, 2 * DEVMEM_BLOCK_PAGES);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512 + i % 512], 100 + i + (i < DEVMEM_BLOCK_PAGES && i % REGION == 0));
    CHECK_EQ(harness_delta(&h).cpu_faults, 0);

    /* Lowered: what is too much goes at once; and none is none. */
    CHECK_LE(limit_set(&h, DEVMEM_BLOCK), DEVMEM_BLOCK);
    CHECK_LE(devmem_resident(&h), DEVMEM_BLOCK_PAGES);
    CHECK_EQ(limit_set(&h, 0), 0);
    devmem_used_is(index, 0);
    harness_mark(&h);
    DEVMEM_REQUEST(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, 0, 0, DEVMEM_BLOCK_PAGES);
    CHECK_EQ(harness_delta(&h).failed_limit, DEVMEM_BLOCK_PAGES);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
