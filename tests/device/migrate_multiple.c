/* SPDX-License-Identifier: MIT */
/* migrate_multiple.c - many buffers, one after the other and all at once, there and back */
#include "devmem.h"

#define BUFFERS 12ul
#define PAGES 64ul
#define ROUNDS 8

int main(void)
{
    uint64_t *p[BUFFERS], sum;
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    for (unsigned round = 0; round < ROUNDS; round++) {
        harness_mark(&h);
        for (unsigned b = 0; b < BUFFERS; b++) {
            p[b] = memory_blocks(1);
            CHECK(!madvise(p[b], PAGES * HARNESS_PAGE, MADV_NOHUGEPAGE));
            for (unsigned i = 0; i < PAGES; i++)
                p[b][i * 512] = round * 1000 + b;
            DEVMEM_REQUEST(&h, p[b], PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
        }
        s = harness_delta(&h);
        CHECK_EQ(s.pages_to_device, BUFFERS * PAGES);
        CHECK_EQ(s.device_pages, BUFFERS * PAGES);
        CHECK_EQ(s.pages_to_system, 0);
        for (unsigned b = 0; b < BUFFERS; b++) {
            CHECK_EQ(agent_sum_pages(&a, p[b], PAGES), PAGES * (round * 1000 + b));
            agent_fill_pages(&a, p[b], b, PAGES);
        }
        /* Every third by a request, every third by CPU faults, the rest is unmapped there. */
        for (unsigned b = 0; b < BUFFERS; b++) {
            if (b % 3 == 0)
                DEVMEM_REQUEST(&h, p[b], PAGES * HARNESS_PAGE, DEVMEM_TO_SYSTEM, 0, PAGES, 0, 0);
            for (unsigned i = sum = 0; b % 3 < 2 && i < PAGES; i++)
                sum += p[b][i * 512];
            if (b % 3 < 2)
                CHECK_EQ(sum, PAGES * b + PAGES * (PAGES - 1) / 2);
            CHECK(!munmap(p[b], PAGES * HARNESS_PAGE));
        }
        s = harness_delta(&h);
        CHECK_EQ(s.device_pages, 0);
        CHECK_EQ(s.pages_to_system, BUFFERS / 3 * 2 * PAGES);
        CHECK_EQ(s.pages_to_system_cpu, BUFFERS / 3 * PAGES);
        CHECK_EQ(s.failed_busy + s.failed_no_memory + s.failed_no_system_memory, 0);
    }
    agent_end(&a);
    harness_close(&h);
    devmem_used_is(0, 0);
    return 0;
}
