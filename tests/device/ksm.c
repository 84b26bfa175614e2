/* SPDX-License-Identifier: MIT */
/* ksm.c - equal pages are merged under a running kernel; its write parts them again */
#include "agent.h"
#include "memory.h"

#define PAGES 64
#define KSM "/sys/kernel/mm/ksm/"

/* Pages of the process that are merged, -1 if the kernel does not tell. */
static long merged(void)
{
    return memory_get(KSM "pages_sharing");
}

int main(void)
{
    struct harness h;
    struct agent a;
    uint64_t *p;

    if (merged() < 0)
        SKIP("this kernel has no KSM");
    agent_open(&a, &h);
    p = harness_map(PAGES * HARNESS_PAGE);
    for (int i = 0; i < PAGES * 512; i++)
        p[i] = 0x5151515151515151;
    agent_sum_pages(&a, p, PAGES);
    AGENT_FAULTS(&h, PAGES);
    for (int i = 0; i < PAGES; i++)
        agent_write(&a, p + i * 512, 0x5151515151515151);
    AGENT_FAULTS(&h, PAGES);

    if (memory_put(KSM "pages_to_scan", "10000") || memory_put(KSM "sleep_millisecs", "1") ||
        memory_put(KSM "run", "1"))
        SKIP("KSM cannot be switched on: %s", strerror(errno));
    CHECK(!madvise(p, PAGES * HARNESS_PAGE, MADV_MERGEABLE));
    for (int i = 0; i < 3000 && merged() < PAGES / 2; i++)
        usleep(10000);
    CHECK_GE(merged(), PAGES / 2);
    CHECK_GE(harness_delta(&h).invalidations_zapped, PAGES / 2);
    harness_mark(&h);

    for (int i = 0; i < PAGES; i++)
        CHECK_EQ(agent_read(&a, p + i * 512), 0x5151515151515151);
    agent_write(&a, p + 3 * 512, 3);
    for (int i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], i == 3 ? 3 : 0x5151515151515151);
    CHECK_GE(harness_delta(&h).device_faults, PAGES / 2);
    CHECK_EQ(harness_delta(&h).failed_faults, 0);

    memory_put(KSM "run", "2");
    CHECK_EQ(agent_read(&a, p + 3 * 512), 3);
    CHECK_EQ(agent_read(&a, p + 4 * 512), 0x5151515151515151);
    memory_put(KSM "run", "0");
    agent_end(&a);
    harness_close(&h);
    return 0;
}
