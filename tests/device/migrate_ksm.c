/* SPDX-License-Identifier: MIT */
/* migrate_ksm.c - merged pages stay; parted again they move; device pages are not merged */
#include "devmem.h"

#define PAGES 64ul
#define KSM "/sys/kernel/mm/ksm/"
#define WORD 0x7272727272727272ull

int main(void)
{
    struct hmmsvm_migrate m;
    struct harness h;
    struct agent a;
    uint64_t *p;

    if (memory_get(KSM "pages_sharing") < 0)
        SKIP("this kernel has no KSM");
    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(1);
    for (unsigned i = 0; i < PAGES * 512; i++)
        p[i] = WORD;
    if (memory_put(KSM "pages_to_scan", "10000") || memory_put(KSM "sleep_millisecs", "1") ||
        memory_put(KSM "run", "1"))
        SKIP("KSM cannot be switched on: %s", strerror(errno));
    CHECK(!madvise(p, PAGES * HARNESS_PAGE, MADV_MERGEABLE));
    for (int i = 0; i < 3000 && memory_get(KSM "pages_sharing") < (long)PAGES - 1; i++)
        usleep(10000);
    CHECK_GE(memory_get(KSM "pages_sharing"), PAGES - 1);
    memory_put(KSM "run", "0");
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, 0, 0, PAGES);
    CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * WORD);
    /* Half of them are written, by either side. */
    for (unsigned i = 0; i < PAGES / 2; i++)
        if (i % 2)
            p[i * 512] = i;
        else
            agent_write(&a, &p[i * 512], i);
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES / 2, 0, PAGES / 2);

    /* The scanner passes by. */
    memory_put(KSM "run", "1");
    usleep(300000);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(agent_read(&a, &p[i * 512]), i < PAGES / 2 ? i : WORD);
    memory_put(KSM "run", "2");
    CHECK_EQ(devmem_request(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, &m), 0);
    for (unsigned i = 0; i < PAGES; i++) {
        CHECK_EQ(p[i * 512], i < PAGES / 2 ? i : WORD);
        CHECK_EQ(p[i * 512 + 511], WORD);
    }
    memory_put(KSM "run", "0");
    agent_end(&a);
    harness_close(&h);
    return 0;
}
