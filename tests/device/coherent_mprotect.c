/* SPDX-License-Identifier: MIT */
/*
 * coherent_mprotect.c - pages in device memory that the CPU reaches, which mprotect()
 * made read-only and writable again, become writable for both where they are
 */
#include "devmem.h"

#define PAGES DEVMEM_BLOCK_PAGES

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;

    devmem_coherent();
    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(1);
    devmem_fill(p, PAGES, 100);
    DEVMEM_REQUEST(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
    agent_fill_pages(&a, p, 1000, PAGES);

    for (unsigned round = 0; round < 2; round++) {
        CHECK(!mprotect(p, DEVMEM_BLOCK, PROT_READ));
        CHECK_EQ(agent_read(&a, &p[5 * 512]), 1005 + round * 1000);
        CHECK(!mprotect(p, DEVMEM_BLOCK, PROT_READ | PROT_WRITE));

        harness_mark(&h);
        if (round)
            for (unsigned i = 0; i < PAGES; i++)
                p[i * 512] = 3000 + i;
        else
            agent_fill_pages(&a, p, 2000, PAGES);
        s = harness_delta(&h);
        CHECK_EQ(s.device_faults, !round);
        CHECK_EQ(s.cpu_faults, 0);
        CHECK_EQ(s.pages_to_system, 0);
        CHECK_EQ(s.pages_to_device, 0);
        CHECK_EQ(s.device_pages, PAGES);
        for (unsigned i = 0; i < PAGES; i++)
            CHECK_EQ(p[i * 512], 2000 + round * 1000 + i);
    }
    CHECK_EQ(agent_read(&a, &p[5 * 512]), 3005);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
