/* SPDX-License-Identifier: MIT */
/*
 * migrate.c - pages go to device memory on request and come back when the CPU
 * touches them, region by region, with their content
 */
#include "devmem.h"

#define PAGES DEVMEM_BLOCK_PAGES

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(1);
    devmem_fill(p, PAGES, 1000);
    harness_mark(&h);

    CHECK_EQ(devmem_move(&h, p, DEVMEM_BLOCK, HMMSVM_MIGRATE_TO_DEVICE), PAGES);
    s = harness_delta(&h);
    CHECK_EQ(s.pages_to_device, PAGES);
    CHECK_EQ(s.pages_zeroed, 0);
    CHECK_EQ(s.device_pages, PAGES);
    CHECK_EQ(s.cpu_faults, 0);

    /* The device reads and writes it there: one fault maps all, none comes back. */
    harness_mark(&h);
    CHECK_EQ(agent_read(&a, &p[3 * 512 + 3]), 1003);
    agent_write(&a, &p[3 * 512 + 4], 77);
    s = harness_delta(&h);
    CHECK_EQ(s.pages_mirrored, PAGES);
    CHECK_EQ(s.pages_mirrored_device, PAGES);
    CHECK_EQ(s.device_pages, PAGES);
    CHECK_EQ(s.pages_to_system, 0);
    CHECK_EQ(s.failed_faults, 0);

    /* The CPU touches one page: its region comes back. */
    harness_mark(&h);
    CHECK_EQ(p[3 * 512 + 4], 77);
    s = harness_delta(&h);
    CHECK_EQ(s.cpu_faults, 1);
    CHECK_EQ(s.pages_to_system, 16);
    CHECK_EQ(s.pages_to_system_cpu, 16);
    CHECK_EQ(s.device_pages, PAGES - 16);
    CHECK_GE(s.invalidations_zapped, 1);

    /* The device still sees it. */
    p[3 * 512 + 4] = 78;
    CHECK_EQ(agent_read(&a, &p[3 * 512 + 4]), 78);

    /* The rest, region by region. */
    harness_mark(&h);
    devmem_check(p, PAGES, 1000);
    s = harness_delta(&h);
    CHECK_EQ(s.cpu_faults, PAGES / 16 - 1);
    CHECK_EQ(s.pages_to_system, PAGES - 16);
    CHECK_EQ(s.device_pages, 0);
    CHECK_EQ(s.failed_busy + s.failed_no_memory + s.failed_no_system_memory, 0);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
