/* SPDX-License-Identifier: MIT */
/*
 * migrate_mremap.c - device pages of a mapping that moved are found at its new place,
 * and new pages at the old one get places of their own
 */
#include "devmem.h"

#define PAGES DEVMEM_BLOCK_PAGES

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p, *q;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    for (int huge = 0; huge < 2; huge++) {
        p = memory_blocks(1);
        q = memory_blocks(1);
        CHECK(!madvise(p, DEVMEM_BLOCK, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
        for (unsigned i = 0; i < PAGES; i++)
            p[i * 512] = 100 + i;
        CHECK_EQ(devmem_move(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE), PAGES);
        CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * 100 + PAGES * (PAGES - 1) / 2);
        CHECK(mremap(p, DEVMEM_BLOCK, DEVMEM_BLOCK, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
        CHECK_EQ(devmem_resident(&h), PAGES);

        /* There they are, still on the device. */
        harness_mark(&h);
        CHECK_EQ(agent_sum_pages(&a, q, PAGES), PAGES * 100 + PAGES * (PAGES - 1) / 2);
        agent_fill_pages(&a, q, 300, PAGES);
        s = harness_delta(&h);
        CHECK_EQ(s.pages_mirrored_device, PAGES);
        CHECK_EQ(s.device_pages, PAGES);
        CHECK_EQ(s.pages_to_system, 0);
        CHECK_EQ(s.failed_faults, 0);

        /* New memory where they were, and it moves as well. */
        CHECK(mmap(p, DEVMEM_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                   -1, 0) == p);
        CHECK(!madvise(p, DEVMEM_BLOCK, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
        for (unsigned i = 0; i < PAGES; i++)
            p[i * 512] = 600 + i;
        /* By device faults, which know that a page's old place is somebody else's now. */
        CHECK_OK(hmmsvm_device_policy(h.dev, "touch", NULL));
        CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * 600 + PAGES * (PAGES - 1) / 2);
        CHECK_EQ(devmem_resident(&h), 2 * PAGES);
        CHECK_OK(hmmsvm_device_policy(h.dev, "remote", NULL));
        agent_fill_pages(&a, p, 700, PAGES);
        CHECK_EQ(agent_sum_pages(&a, q, PAGES), PAGES * 300 + PAGES * (PAGES - 1) / 2);
        for (unsigned i = 0; i < PAGES; i++) {
            CHECK_EQ(q[i * 512], 300 + i);
            CHECK_EQ(p[i * 512], 700 + i);
        }
        CHECK_EQ(devmem_resident(&h), 0);

        /* Moved once more, and new memory at the old place is requested to come. */
        CHECK_EQ(devmem_move(&h, q, DEVMEM_BLOCK, DEVMEM_TO_DEVICE), PAGES);
        CHECK(mremap(q, DEVMEM_BLOCK, DEVMEM_BLOCK, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
        CHECK(mmap(q, DEVMEM_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                   -1, 0) == q);
        CHECK(!madvise(q, DEVMEM_BLOCK, MADV_NOHUGEPAGE));
        devmem_fill(q, PAGES, 5000);
        devmem_move(&h, q, DEVMEM_BLOCK, DEVMEM_TO_DEVICE);
        devmem_check(q, PAGES, 5000);
        for (unsigned i = 0; i < PAGES; i++)
            CHECK_EQ(p[i * 512], 300 + i);
        CHECK(!munmap(p, DEVMEM_BLOCK));
        CHECK(!munmap(q, DEVMEM_BLOCK));
        CHECK_EQ(devmem_resident(&h), 0);
    }
    agent_end(&a);
    harness_close(&h);
    devmem_used_is(0, 0);
    return 0;
}
