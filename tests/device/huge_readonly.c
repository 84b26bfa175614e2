/* SPDX-License-Identifier: MIT */
/*
 * huge_readonly.c - a block that is shown by one entry, read-only, is written to, where only one page
 * may be: the entry gives way to small ones
 *
 * The application has the huge page in small entries, which fork() has made read-only. With the child gone, a
 * write makes one of them writable again, without a notification.
 */
#include "devmem.h"

#include <sys/wait.h>

#define PAGES DEVMEM_BLOCK_PAGES

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;
    pid_t child;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = memory_blocks(1);
    CHECK(!madvise(p, DEVMEM_BLOCK, MADV_HUGEPAGE));
    for (unsigned i = 0; i < PAGES; i++)
        p[i * 512] = i;
    if (memory_smaps(p, "AnonHugePages") != DEVMEM_BLOCK >> 10)
        SKIP("the kernel gives no huge page for MADV_HUGEPAGE");
    /* It stays one, but khugepaged does not give it one entry again. */
    CHECK(!madvise(p, DEVMEM_BLOCK, MADV_NOHUGEPAGE));
    CHECK(!mprotect(p + 7 * 512, HARNESS_PAGE, PROT_READ));
    CHECK(!mprotect(p + 7 * 512, HARNESS_PAGE, PROT_READ | PROT_WRITE));
    child = fork();
    CHECK(child >= 0);
    if (!child)
        _exit(0);
    CHECK(waitpid(child, NULL, 0) == child);

    harness_mark(&h);
    CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * (PAGES - 1) / 2);
    s = harness_delta(&h);
    if (!s.huge_mirrored)
        SKIP("no entry for the whole block: the kernel keeps its pages apart");
    CHECK_EQ(s.huge_mirrored, 1);
    harness_mark(&h);
    agent_write(&a, p + 300 * 512, 7);
    s = harness_delta(&h);
    /* Made writable in place: the one entry goes, then there are small ones. Before 7.x it is copied. */
    CHECK_EQ(s.device_faults, s.invalidations_zapped ? 1 : 2);
    CHECK_EQ(s.huge_mirrored, 0);
    CHECK_EQ(p[300 * 512], 7);
    harness_mark(&h);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(agent_read(&a, p + i * 512), i == 300 ? 7 : i);
    CHECK_LE(harness_delta(&h).device_faults, 1);
    agent_write(&a, p + 301 * 512, 8);
    p[302 * 512] = 9;
    CHECK_EQ(agent_read(&a, p + 301 * 512), 8);
    CHECK_EQ(p[301 * 512], 8);
    CHECK_EQ(agent_read(&a, p + 302 * 512), 9);
    harness_close(&h);
    return 0;
}
