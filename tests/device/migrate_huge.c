/* SPDX-License-Identifier: MIT */
/*
 * migrate_huge.c - a huge page moves as a whole and is shown by one entry, both ways
 *
 * Where the kernel has no huge device pages (before 7.0) it is split on the way; it is
 * shown by one entry all the same, as its device pages lie side by side.
 */
#include <sys/utsname.h>

#include "devmem.h"

#define PAGES DEVMEM_BLOCK_PAGES

int main(void)
{
    struct hmmsvm_stats s;
    struct utsname names;
    struct harness h;
    struct agent a;
    uint64_t *p;
    bool huge;

    devmem_open(&h, 1, "remote");
    huge = h.info.kernel.features & HMMSVM_FEATURE_HUGE_PAGES;
    CHECK(!uname(&names));
    CHECK_EQ(huge, atoi(names.release) >= 7);
    agent_begin(&a, &h);
    p = memory_blocks(1);
    CHECK(!madvise(p, DEVMEM_BLOCK, MADV_HUGEPAGE));
    devmem_fill(p, PAGES, 5000);
    CHECK_EQ(memory_smaps(p, "AnonHugePages"), DEVMEM_BLOCK >> 10);
    harness_mark(&h);

    /* In system memory: one fault, one entry. */
    CHECK_EQ(agent_sum_pages(&a, p, PAGES), 5000);
    s = harness_delta(&h);
    CHECK_EQ(s.device_faults, 1);
    CHECK_EQ(s.huge_mirrored, 1);
    CHECK_EQ(s.pages_mirrored, PAGES);

    harness_mark(&h);
    CHECK_EQ(devmem_move(&h, p, DEVMEM_BLOCK, HMMSVM_MIGRATE_TO_DEVICE), PAGES);
    s = harness_delta(&h);
    CHECK_EQ(s.huge_to_device, huge ? 1 : 0);
    CHECK_EQ(s.device_pages, PAGES);
    CHECK_GE(s.invalidations_zapped, 1);

    harness_mark(&h);
    CHECK_EQ(agent_read(&a, &p[9 * 512 + 9]), 5009);
    agent_write(&a, &p[9 * 512 + 9], 6009);
    s = harness_delta(&h);
    CHECK_EQ(s.huge_mirrored, 1);
    CHECK_EQ(s.pages_mirrored_device, PAGES);
    CHECK_EQ(s.pages_upgraded, PAGES);
    CHECK_EQ(s.device_faults, 2);

    /* The CPU touches it: a huge page comes back whole, small ones by region. */
    harness_mark(&h);
    CHECK_EQ(p[9 * 512 + 9], 6009);
    s = harness_delta(&h);
    CHECK_EQ(s.cpu_faults, 1);
    CHECK_EQ(s.huge_to_system, huge ? 1 : 0);
    CHECK_EQ(s.pages_to_system, huge ? PAGES : 16);
    CHECK_EQ(memory_smaps(p, "AnonHugePages"), huge ? DEVMEM_BLOCK >> 10 : 0);
    p[9 * 512 + 9] = 5009;
    devmem_check(p, PAGES, 5000);
    CHECK_EQ(devmem_resident(&h), 0);

    /* Memory nobody has touched: a huge device page without a copy. */
    p = memory_blocks(1);
    CHECK(!madvise(p, DEVMEM_BLOCK, MADV_HUGEPAGE));
    harness_mark(&h);
    CHECK_EQ(devmem_move(&h, p, DEVMEM_BLOCK, HMMSVM_MIGRATE_TO_DEVICE), PAGES);
    s = harness_delta(&h);
    CHECK_EQ(s.pages_zeroed, PAGES);
    CHECK_EQ(s.huge_to_device, huge ? 1 : 0);
    CHECK_EQ(agent_sum_pages(&a, p, PAGES), 0);
    agent_fill_pages(&a, p, 100, PAGES);

    /* A hole in the middle. A huge page stays whole, until the CPU touches what is left. */
    CHECK(!munmap(p + 100 * 512, HARNESS_PAGE));
    CHECK_EQ(devmem_resident(&h), huge ? PAGES : PAGES - 1);
    for (unsigned i = 0; i < PAGES; i++)
        if (i != 100)
            CHECK_EQ(p[i * 512], 100 + i);
    CHECK_EQ(devmem_resident(&h), 0);
    CHECK_EQ(harness_delta(&h).policy_errors, 0);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
