/* SPDX-License-Identifier: MIT */
/*
 * memcg_limit.c - a memory cgroup's limit is in no page's way home; who exceeds it is killed
 * alone, with its pages in device memory, which are free again
 */
#include <signal.h>

#include "cgroup.h"
#include "devmem.h"

#define BLOCKS 2
#define PAGES (BLOCKS * DEVMEM_BLOCK_PAGES)
#define ROOM 384 /* pages, fewer than PAGES */

static void app(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    uint64_t *p, *q;

    cgroup_join();
    devmem_open(&h, 1, "remote");
    p = devmem_small(BLOCKS);
    q = devmem_small(2 * BLOCKS);
    devmem_fill(p, PAGES, 1);
    CHECK_EQ(devmem_move(&h, p, BLOCKS * DEVMEM_BLOCK, DEVMEM_TO_DEVICE), PAGES);
    cgroup_set("memory.max", (unsigned long long)(cgroup_pages() + ROOM) * HARNESS_PAGE);

    /* There is not room for a second copy of them, and none is needed. */
    harness_mark(&h);
    devmem_check(p, PAGES, 1);
    s = harness_delta(&h);
    CHECK_EQ(s.pages_to_system_cpu, PAGES);
    CHECK_EQ(s.failed_no_system_memory, 0);
    CHECK_EQ(s.device_pages, 0);
    CHECK_EQ(devmem_move(&h, p, BLOCKS * DEVMEM_BLOCK, DEVMEM_TO_DEVICE), PAGES);
    CHECK_EQ(devmem_move(&h, p, BLOCKS * DEVMEM_BLOCK, DEVMEM_TO_SYSTEM), PAGES);
    CHECK_EQ(devmem_move(&h, p, BLOCKS * DEVMEM_BLOCK, DEVMEM_TO_DEVICE), PAGES);
    CHECK_EQ(cgroup_event("oom_kill"), 0);

    /* Too much: what is in device memory cannot be reclaimed. */
    devmem_fill(q, 2 * PAGES, 1);
    FAIL("%u pages fitted where there was room for %u", (unsigned)(2 * PAGES), ROOM);
}

int main(void)
{
    int status;
    pid_t pid;

    devmem_needed();
    devmem_used_is(0, 0);
    cgroup_make();
    if (access(cgroup_file("memory.swap.max"), F_OK) == 0)
        cgroup_set("memory.swap.max", 0);
    pid = fork();
    CHECK(pid >= 0);
    if (!pid)
        app();
    CHECK(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status))
        _exit(WEXITSTATUS(status));
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    CHECK_GE(cgroup_event("oom_kill"), 1);
    devmem_used_is(0, 0);
    cgroup_remove();
    return 0;
}
