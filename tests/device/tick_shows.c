/* SPDX-License-Identifier: MIT */
/*
 * tick_shows.c - what a policy brings over without a fault is shown without a fault, too
 *
 * "hot" is made to bring a block over: it takes the entries away, sees one access, and promotes the
 * block in the next tick. From then on the device reads all of it without a fault, and needs one to
 * write.
 */
#include "devmem.h"

#define TRIES 20

/*
 * Whether it could be seen: by chance "hot" may take the entries away again. It does so with all that
 * the device uses, the agent's own code, too, so that faults are those of the block.
 */
static bool promoted(struct harness *h, struct agent *a)
{
    uint64_t *p = devmem_small(1), faults;

    for (unsigned i = 0; i < DEVMEM_BLOCK_PAGES; i++)
        p[i * 512] = 1;
    CHECK_OK(hmmsvm_device_policy(h->dev, "hot", NULL));
    devmem_tune(h, "tick", 100);
    devmem_tune(h, "sample", 100);
    do {
        harness_mark(h);
        CHECK_EQ(agent_sum_pages(a, p, 1), 1);
        faults = devmem_block(h, p).device_faults;
        usleep(150000);
        CHECK_EQ(agent_sum_pages(a, p, 1), 1);
    } while (devmem_block(h, p).device_faults == faults);
    /* That was seen. */
    devmem_tune(h, "sample", 1);
    for (unsigned ms = 0; devmem_block(h, p).device_pages < DEVMEM_BLOCK_PAGES; ms++) {
        CHECK_LT(ms, HARNESS_PATIENCE_S * 1000);
        usleep(1000);
    }
    CHECK_OK(hmmsvm_device_policy(h->dev, "remote", NULL));
    for (unsigned ms = 0; harness_delta(h).pages_mirrored_device < DEVMEM_BLOCK_PAGES; ms++) {
        CHECK_LT(ms, HARNESS_PATIENCE_S * 1000);
        usleep(1000);
    }

    faults = devmem_block(h, p).device_faults;
    harness_mark(h);
    CHECK_EQ(agent_sum_pages(a, p, DEVMEM_BLOCK_PAGES), DEVMEM_BLOCK_PAGES);
    if (harness_delta(h).sampled_faults)
        return false;
    CHECK_EQ(devmem_block(h, p).device_faults, faults);
    agent_fill_pages(a, p, 5, DEVMEM_BLOCK_PAGES);
    CHECK_EQ(devmem_block(h, p).device_faults, faults + 1);
    CHECK_EQ(harness_delta(h).pages_upgraded, DEVMEM_BLOCK_PAGES);
    for (unsigned i = 0; i < DEVMEM_BLOCK_PAGES; i++)
        CHECK_EQ(p[i * 512], 5 + i);
    return true;
}

int main(void)
{
    struct harness h;
    struct agent a;
    unsigned tries;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    for (tries = 0; !promoted(&h, &a); tries++)
        CHECK_LT(tries, TRIES);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
