/* SPDX-License-Identifier: MIT */
/*
 * limit_straddle.c - an access of the device that needs two pages at once ends, though the policy
 * wants to move both and there is room for one of them only
 */
#include "devmem.h"

#define REGION (64ul << 10)

HARNESS_WG static void straddles(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                                 unsigned long z)
{
    uint64_t *p = HARNESS_ARG(uint64_t, args, 0);

    (void)ctx, (void)x, (void)y, (void)z;
    /* One instruction: a compiler could make two of it. */
    __asm__ volatile("addq $1, (%0)" : : "r"((char *)p + REGION - 4) : "memory", "cc");
}

int main(void)
{
    uint64_t limit = REGION, value, *p;
    struct hmmsvm_stats s;
    struct hmmsvm_limit l;
    struct harness h;

    devmem_open(&h, 1, "touch");
    p = devmem_small(1);
    memset(p, 0, 2 * REGION);
    CHECK_OK(hmmsvm_device_limit(h.dev, &limit, &l));
    harness_mark(&h);
    harness_run_ok(&h, straddles, p, 1);
    s = harness_delta(&h);
    memcpy(&value, (char *)p + REGION - 4, sizeof(value));
    CHECK_EQ(value, 1);
    printf("%llu faults, %llu evictions\n", (unsigned long long)s.device_faults,
           (unsigned long long)s.evictions);
    /* It was moved to and fro, and not for long. */
    CHECK_GE(s.evictions, 2);
    CHECK_LE(s.device_faults, 200);
    harness_close(&h);
    return 0;
}
