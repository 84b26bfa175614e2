/* SPDX-License-Identifier: MIT */
/*
 * memcg_blocks.c - what a context keeps to find the blocks of 2 MiB that were used again is charged to
 * the memory cgroup of who used them, also where they are far apart
 */
#include "bare.h"
#include "cgroup.h"

#define BLOCKS 256ul
#define APART  (64 * DEVMEM_BLOCK) /* so many share a node of the kernel's array */
#define NODE   576ul               /* bytes of it, at least */

static void app(void)
{
    unsigned long before, wanted;
    uint8_t *p;
    int fd;

    cgroup_join();
    fd = bare_open(0);
    /* No page moves, which takes long. */
    bare_limit(fd, true, 0);
    p = mmap(NULL, (BLOCKS + 1) * APART, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(p != MAP_FAILED);
    CHECK_EQ(bare_move(fd, p + BLOCKS * APART, 1), 0);
    before = cgroup_stat("slab_reclaimable");
    wanted = before + BLOCKS * NODE - CGROUP_STAT_SLACK;
    for (unsigned long i = 0; i < BLOCKS; i++)
        CHECK_EQ(bare_move(fd, p + i * APART, 1), 0);
    cgroup_stat_reaches("slab_reclaimable", wanted);
    close(fd);
    _exit(0);
}

int main(void)
{
    pid_t pid;

    devmem_any_kind = true;
    devmem_needed();
    cgroup_make();
    pid = fork();
    CHECK(pid >= 0);
    if (!pid)
        app();
    devmem_child_ok(pid);
    cgroup_remove();
    return 0;
}
