/* SPDX-License-Identifier: MIT */
/*
 * bad_address.c - a kernel that touches what it may not ends alone: with the
 * address, the access and the group, and the next one is right
 */
#include "agent.h"

struct work {
    uint64_t *bad;
    unsigned long bad_group;
    uint32_t done[64];
};

HARNESS_WG static void one_goes_wrong(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                                      unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);

    (void)ctx, (void)y, (void)z;
    if (x == w->bad_group)
        *(volatile uint64_t *)w->bad = 1;
    w->done[x] = 1;
}

/* Not volatile: that would be put where it can be written. */
static const uint64_t constant[512] __attribute__((aligned(4096))) = {1};

int main(void)
{
    struct work *w = malloc(sizeof(*w));
    struct hmmsvm_completion c;
    struct harness h;
    struct agent a;

    agent_open(&a, &h);
    agent_dies(&a, AGENT_READ, NULL);
    agent_begin(&a, &h);
    agent_dies(&a, AGENT_WRITE, (void *)0x1000);
    agent_begin(&a, &h);
    /* Mapped in the application, but not for writing. */
    agent_dies(&a, AGENT_WRITE, (void *)(uintptr_t)&constant[5]);
    agent_begin(&a, &h);
    /* Not canonical: the CPU does not even say where. */
    harness_mark(&h);
    agent_ask(&a, AGENT_READ, (void *)0x8000000000000000, 0, 0, 0);
    c = harness_wait(&h);
    CHECK_STATUS(&c, HMMSVM_BAD_ADDRESS);
    CHECK_EQ(harness_delta(&h).failed_faults, 0);

    /* One group of many. */
    CHECK(w);
    memset(w, 0, sizeof(*w));
    w->bad = (uint64_t *)0x123450;
    w->bad_group = 5;
    c = harness_run(&h, one_goes_wrong, w, 64);
    CHECK_STATUS(&c, HMMSVM_BAD_ADDRESS);
    CHECK_EQ(c.address, 0x123450);
    CHECK_EQ(c.access, HMMSVM_WRITE);
    CHECK_EQ(c.group[0], 5);
    CHECK_EQ(w->done[5], 0);
    CHECK_LT(c.groups_run, 64);

    w->bad_group = 64;
    harness_run_ok(&h, one_goes_wrong, w, 64);
    for (int i = 0; i < 64; i++)
        CHECK_EQ(w->done[i], 1);

    /* All of it in one engine. */
    hmmsvm_device_info(h.dev, &h.info);
    CHECK_EQ(h.info.resets, 0);
    harness_close(&h);
    return 0;
}
