/* SPDX-License-Identifier: MIT */
/*
 * migrate_partial.c - requests take every page they touch and no other one, and a CPU
 * fault, read or write, brings back what is there of its region
 */
#include "devmem.h"

#define PAGES (2 * DEVMEM_BLOCK_PAGES)

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;
    char *bytes;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(2);
    bytes = (char *)p;
    devmem_fill(p, PAGES, 100);
    harness_mark(&h);

    /* One byte is its page; two bytes may be two. */
    DEVMEM_REQUEST(&h, bytes + 5 * HARNESS_PAGE + 17, 1, DEVMEM_TO_DEVICE, 0, 1, 0, 0);
    DEVMEM_REQUEST(&h, bytes + 7 * HARNESS_PAGE - 1, 2, DEVMEM_TO_DEVICE, 0, 2, 0, 0);
    /* Across the end of a block: a migration in each. */
    DEVMEM_REQUEST(&h, bytes + 510 * HARNESS_PAGE, 4 * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, 4, 0, 0);
    s = harness_delta(&h);
    CHECK_EQ(s.migrations_to_device, 4);
    CHECK_EQ(s.pages_to_device, 7);
    CHECK_EQ(s.device_pages, 7);
    /* Some are there already. */
    DEVMEM_REQUEST(&h, bytes + 4 * HARNESS_PAGE, 4 * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, 1, 3, 0);
    DEVMEM_REQUEST(&h, bytes + 4 * HARNESS_PAGE, 4 * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, 0, 4, 0);
    CHECK_EQ(devmem_resident(&h), 8);

    /* A part of them goes back. */
    DEVMEM_REQUEST(&h, bytes + 6 * HARNESS_PAGE - 1, 2, DEVMEM_TO_SYSTEM, 0, 2, 0, 0);
    DEVMEM_REQUEST(&h, bytes + 6 * HARNESS_PAGE, 3 * HARNESS_PAGE, DEVMEM_TO_SYSTEM, 0, 1, 2, 0);
    CHECK_EQ(devmem_resident(&h), 5);
    s = harness_delta(&h);
    CHECK_EQ(s.cpu_faults, 0);
    CHECK_EQ(s.pages_to_system, 3);
    CHECK_EQ(s.pages_to_system_cpu, 0);

    /* Left of the first region: page 4. A read of it brings one page. */
    harness_mark(&h);
    CHECK_EQ(p[4 * 512 + 4], 104);
    s = harness_delta(&h);
    CHECK_EQ(s.cpu_faults, 1);
    CHECK_EQ(s.pages_to_system_cpu, 1);
    CHECK_EQ(s.device_pages, 4);
    /* A write brings 510 and 511, but nothing of the next block. */
    harness_mark(&h);
    p[511 * 512 + 5] = 4711;
    s = harness_delta(&h);
    CHECK_EQ(s.cpu_faults, 1);
    CHECK_EQ(s.pages_to_system_cpu, 2);
    CHECK_EQ(s.device_pages, 2);
    CHECK_EQ(agent_read(&a, &p[511 * 512 + 5]), 4711);
    /* What the device wrote there comes with the page. */
    agent_write(&a, &p[513 * 512 + 7], 815);
    harness_mark(&h);
    p[512 * 512 + 3] = 1;
    s = harness_delta(&h);
    CHECK_EQ(s.cpu_faults, 1);
    CHECK_EQ(s.pages_to_system_cpu, 2);
    CHECK_EQ(s.device_pages, 0);
    CHECK_EQ(p[513 * 512 + 7], 815);
    CHECK_EQ(p[512 * 512 + 3], 1);
    devmem_check(p, PAGES, 100);
    CHECK_EQ(harness_delta(&h).cpu_faults, 1);

    /* No such request. */
    CHECK_EQ(hmmsvm_device_migrate(h.dev, p, 1, 0, NULL), -EINVAL);
    CHECK_EQ(hmmsvm_device_migrate(h.dev, p, 1, DEVMEM_TO_DEVICE | DEVMEM_TO_SYSTEM, NULL), -EINVAL);
    CHECK_EQ(hmmsvm_device_migrate(h.dev, p, 1, 4, NULL), -EINVAL);
    CHECK_EQ(hmmsvm_device_migrate(h.dev, p, SIZE_MAX, DEVMEM_TO_DEVICE, NULL), -EINVAL);
    CHECK_EQ(devmem_resident(&h), 0);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
