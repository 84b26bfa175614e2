/* SPDX-License-Identifier: MIT */
/*
 * migrate_mprotect.c - device pages that mprotect() made read-only, and writable
 * again, are written by the device after one fault for all of them
 *
 * The kernel never makes such an entry writable by itself: the pages go back and
 * forth once, together.
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
    devmem_fill(p, PAGES, 100);
    CHECK_EQ(devmem_move(&h, p, DEVMEM_BLOCK, HMMSVM_MIGRATE_TO_DEVICE), PAGES);
    agent_fill_pages(&a, p, 1000, PAGES);

    /* Read-only, the device may not write. */
    CHECK(!mprotect(p, DEVMEM_BLOCK, PROT_READ));
    CHECK_EQ(agent_read(&a, &p[5 * 512]), 1005);
    CHECK_EQ(devmem_resident(&h), PAGES);
    CHECK(!mprotect(p, DEVMEM_BLOCK, PROT_READ | PROT_WRITE));
    CHECK_EQ(devmem_resident(&h), PAGES);

    harness_mark(&h);
    agent_fill_pages(&a, p, 2000, PAGES);
    s = harness_delta(&h);
    CHECK_EQ(s.device_faults, 1);
    CHECK_EQ(s.app_faults, 0);
    CHECK_EQ(s.cpu_faults, 0);
    CHECK_EQ(s.pages_to_system, PAGES);
    CHECK_EQ(s.pages_to_device, PAGES);
    CHECK_EQ(s.device_pages, PAGES);

    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], 2000 + i);
    CHECK_EQ(devmem_resident(&h), 0);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
