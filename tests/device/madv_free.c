/* SPDX-License-Identifier: MIT */
/* madv_free.c - what the device writes after MADV_FREE is kept, what nobody wrote may go */
#include "agent.h"
#include "memory.h"

#define PAGES 64

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p, word;

    if (!memory_has_swap())
        SKIP("no swap space: the kernel then drops nothing lazily");
    agent_open(&a, &h);
    p = harness_map(PAGES * HARNESS_PAGE);
    CHECK(!madvise(p, PAGES * HARNESS_PAGE, MADV_NOHUGEPAGE));
    agent_fill_pages(&a, p, 1, PAGES);
    AGENT_FAULTS(&h, PAGES);

    CHECK(!madvise(p, PAGES * HARNESS_PAGE, MADV_FREE));
    CHECK_GE(harness_delta(&h).invalidations_zapped, 1);
    harness_mark(&h);
    /* Through the device only: the host's page table entries stay clean. */
    agent_fill_pages(&a, p, 1000, PAGES / 2);
    s = harness_delta(&h);
    CHECK_EQ(s.device_write_faults, PAGES / 2);
    CHECK_EQ(s.failed_faults, 0);

    CHECK(!madvise(p, PAGES * HARNESS_PAGE, MADV_PAGEOUT));
    for (int i = 0; i < PAGES / 2; i++) {
        word = agent_read(&a, p + i * 512);
        CHECK_EQ(word, 1000 + i);
        CHECK_EQ(p[i * 512], 1000 + i);
    }
    /* The rest is as it was, or zero, and the same for both. */
    for (int i = PAGES / 2; i < PAGES; i++) {
        word = agent_read(&a, p + i * 512);
        CHECK(word == 0 || word == 1u + i);
        CHECK_EQ(p[i * 512], word);
    }
    agent_end(&a);
    harness_close(&h);
    return 0;
}
