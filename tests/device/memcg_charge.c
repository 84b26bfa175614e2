/* SPDX-License-Identifier: MIT */
/*
 * memcg_charge.c - a page is charged to the same memory cgroup in device memory as in system
 * memory, once, however it goes and comes, and no longer when it is unmapped
 */
#include "cgroup.h"
#include "devmem.h"

#define BLOCKS 4
#define PAGES (BLOCKS * DEVMEM_BLOCK_PAGES)

/* The group has @more pages more than @base, give or take what the kernel has in batches. */
#define CHARGED(base, more)                                                                        \
    do {                                                                                           \
        long charged_ = cgroup_pages() - (base);                                                   \
                                                                                                   \
        CHECK_GE(charged_, (long)(more)-CGROUP_SLACK);                                             \
        CHECK_LE(charged_, (long)(more) + CGROUP_SLACK);                                           \
    } while (0)

static void app(bool huge)
{
    size_t length = BLOCKS * DEVMEM_BLOCK;
    struct harness h;
    long base, tables;
    uint64_t *p;

    cgroup_join();
    devmem_open(&h, 1, "remote");
    p = memory_blocks(BLOCKS);
    CHECK(!madvise(p, length, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
    /* What the device has for a range, and page tables, is there after a first time. */
    devmem_fill(p, PAGES, 1);
    CHECK_EQ(devmem_move(&h, p, length, DEVMEM_TO_DEVICE), PAGES);
    CHECK(!madvise(p, length, MADV_DONTNEED));
    devmem_used_is(0, 0);
    base = cgroup_pages();

    devmem_fill(p, PAGES, 2);
    CHARGED(base, PAGES);
    tables = cgroup_pages() - PAGES;
    CHECK_EQ(devmem_move(&h, p, length, DEVMEM_TO_DEVICE), PAGES);
    CHECK_EQ(devmem_resident(&h), PAGES);
    CHARGED(tables, PAGES);
    /* By request, and by CPU faults. */
    CHECK_EQ(devmem_move(&h, p, length, DEVMEM_TO_SYSTEM), PAGES);
    CHARGED(tables, PAGES);
    CHECK_EQ(devmem_move(&h, p, length, DEVMEM_TO_DEVICE), PAGES);
    devmem_check(p, PAGES, 2);
    CHECK_EQ(devmem_resident(&h), 0);
    CHARGED(tables, PAGES);
    /* Unmapped in device memory. */
    CHECK_EQ(devmem_move(&h, p, length, DEVMEM_TO_DEVICE), PAGES);
    CHECK(!madvise(p, length, MADV_DONTNEED));
    devmem_used_is(0, 0);
    CHARGED(base, 0);
    /* Never touched: charged when it comes into being, which is in device memory. */
    CHECK_EQ(devmem_move(&h, p, length, DEVMEM_TO_DEVICE), PAGES);
    CHECK_EQ(devmem_resident(&h), PAGES);
    CHARGED(base, PAGES);
    /* The end of the context brings them back, still charged. */
    harness_close(&h);
    devmem_used_is(0, 0);
    CHECK_GE(cgroup_pages() - base, (long)PAGES - CGROUP_SLACK - 512);
    CHECK(!madvise(p, length, MADV_DONTNEED));
    CHECK_LE(cgroup_pages() - base, CGROUP_SLACK);
    _exit(0);
}

int main(void)
{
    devmem_needed();
    devmem_used_is(0, 0);
    for (int huge = 0; huge < 2; huge++) {
        pid_t pid;

        cgroup_make();
        pid = fork();
        CHECK(pid >= 0);
        if (!pid)
            app(huge);
        devmem_child_ok(pid);
        cgroup_remove();
    }
    return 0;
}
