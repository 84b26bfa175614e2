/* SPDX-License-Identifier: MIT */
/*
 * migrate_engine_killed.c - an engine that dies takes no device pages with it: they stay
 * there for the next one, and the CPU finds what it had written
 */
#include <signal.h>

#include "devmem.h"

#define PAGES DEVMEM_BLOCK_PAGES

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;

    devmem_open(&h, 1, "remote");
    for (int huge = 0; huge < 2; huge++) {
        agent_begin(&a, &h);
        p = memory_blocks(1);
        CHECK(!madvise(p, DEVMEM_BLOCK, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
        for (unsigned i = 0; i < PAGES; i++)
            p[i * 512] = i;
        CHECK_EQ(devmem_move(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE), PAGES);
        agent_fill_pages(&a, p, 500, PAGES);
        hmmsvm_device_info(h.dev, &h.info);
        CHECK(!kill(h.info.engine_pid, SIGKILL));
        CHECK_EQ(harness_wait(&h).status, HMMSVM_DEVICE_LOST);
        CHECK_EQ(devmem_resident(&h), PAGES);

        /* The next one. */
        agent_begin(&a, &h);
        harness_mark(&h);
        CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * 500 + PAGES * (PAGES - 1) / 2);
        agent_write(&a, &p[7 * 512 + 1], 7);
        s = harness_delta(&h);
        CHECK_EQ(s.pages_mirrored_device, PAGES);
        CHECK_EQ(s.pages_to_system, 0);
        CHECK_EQ(s.device_pages, PAGES);
        for (unsigned i = 0; i < PAGES; i++)
            CHECK_EQ(p[i * 512], 500 + i);
        CHECK_EQ(p[7 * 512 + 1], 7);
        CHECK_EQ(devmem_resident(&h), 0);

        /* And dead while a policy moves pages for it. */
        CHECK_OK(hmmsvm_device_policy(h.dev, "touch", NULL));
        for (int round = 0; round < 10; round++) {
            uint64_t written = 0;

            agent_ask(&a, AGENT_FILL, p, 10000 * (uint64_t)(round + 1), PAGES, HARNESS_PAGE / 8);
            usleep(200 * (unsigned)round);
            hmmsvm_device_info(h.dev, &h.info);
            CHECK(!kill(h.info.engine_pid, SIGKILL));
            CHECK_EQ(harness_wait(&h).status, HMMSVM_DEVICE_LOST);
            for (unsigned i = 0; i < PAGES; i++) {
                uint64_t now = p[i * 512], is = 10000 * (uint64_t)(round + 1) + i;

                /* In order, and each one new or as it was. */
                if (now == is)
                    CHECK_EQ(written, i);
                else
                    CHECK(now % 10000 == i || now == 500 + i);
                written += now == is;
                p[i * 512] = 10000 * (uint64_t)round + i;
            }
            agent_begin(&a, &h);
        }
        CHECK_OK(hmmsvm_device_policy(h.dev, "remote", NULL));
        agent_end(&a);
        CHECK(!munmap(p, DEVMEM_BLOCK));
        CHECK_EQ(devmem_resident(&h), 0);
    }
    harness_close(&h);
    devmem_used_is(0, 0);
    return 0;
}
