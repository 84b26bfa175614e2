/* SPDX-License-Identifier: MIT */
/*
 * migrate_ksm.c - memory that KSM may merge stays where it is, however often it is asked for while
 * the scanner is at it, and no page of it is lost; what is no longer for KSM moves; device pages
 * are not merged, and come back
 */
#include "devmem.h"

#define PAGES 128ul
#define KSM "/sys/kernel/mm/ksm/"
#define WORD 0x7272727272727272ull
#define ROUNDS 16u

static void whole_is(const uint64_t *p)
{
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512 + 511], WORD);
}

int main(void)
{
    struct harness h;
    struct agent a;
    uint64_t *p;

    if (memory_get(KSM "pages_sharing") < 0)
        SKIP("this kernel has no KSM");
    devmem_open(&h, 1, "touch");
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

    /* Asked for, read by the device, parted by writes, and merged again, with the scanner at it. */
    harness_mark(&h);
    for (unsigned n = 0; n < ROUNDS; n++) {
        DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, 0, 0, PAGES);
        for (unsigned i = n % 4; i < PAGES; i += 4)
            p[i * 512] = n % 8 ? n : WORD;
        agent_write(&a, &p[(n % PAGES) * 512], n);
        usleep(2000);
        whole_is(p);
    }
    CHECK_EQ(harness_delta(&h).pages_to_device, 0);
    CHECK_EQ(devmem_resident(&h), 0);
    for (unsigned i = 0; i < PAGES; i++)
        p[i * 512] = WORD;
    CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * WORD);

    /* Not for KSM any more. The scanner holds pages that it looks at, also past that; a stop waits. */
    CHECK(!memory_put(KSM "run", "0"));
    CHECK(!madvise(p, PAGES * HARNESS_PAGE, MADV_UNMERGEABLE));
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);

    /* For KSM again, but the scanner cannot see it. */
    CHECK(!memory_put(KSM "run", "1"));
    CHECK(!madvise(p, PAGES * HARNESS_PAGE, MADV_MERGEABLE));
    usleep(300000);
    CHECK_EQ(devmem_resident(&h), PAGES);
    CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * WORD);
    CHECK_EQ(devmem_resident(&h), PAGES);
    DEVMEM_REQUEST(&h, p, PAGES / 2 * HARNESS_PAGE, DEVMEM_TO_SYSTEM, 0, PAGES / 2, 0, 0);
    harness_mark(&h);
    whole_is(p);
    CHECK_EQ(harness_delta(&h).pages_to_system_cpu, PAGES / 2);
    memory_put(KSM "run", "2");
    memory_put(KSM "run", "0");
    agent_end(&a);
    harness_close(&h);
    return 0;
}
