/* SPDX-License-Identifier: MIT */
/*
 * migrate_huge_shared.c - a huge page that a forked child has mapped, too, and of which there is room
 * for a part only: that part moves, and the child finds all of it
 */
#include "devmem.h"

#define PAGES DEVMEM_BLOCK_PAGES
#define ROOM 256ul

static uint32_t *step;

/* What the child does once the page has been parted; it does not wait for ever. */
static void child_runs(uint64_t *p)
{
    alarm(60);
    harness_until(step, 1);
    devmem_check(p, PAGES, 100);
    for (unsigned i = 0; i < PAGES; i++)
        p[i * 512] = i;
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], i);
    _exit(0);
}

int main(void)
{
    uint64_t limit = ROOM * HARNESS_PAGE, *p;
    struct hmmsvm_limit l;
    struct harness h;
    struct agent a;
    int status;
    pid_t child;

    step = mmap(NULL, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(step != MAP_FAILED);
    devmem_open(&h, 1, "remote");
    if (!(h.info.kernel.features & HMMSVM_FEATURE_HUGE_PAGES))
        SKIP("this kernel has no huge device pages");
    agent_begin(&a, &h);
    p = memory_blocks(1);
    CHECK(!madvise(p, DEVMEM_BLOCK, MADV_HUGEPAGE));
    devmem_fill(p, PAGES, 100);
    CHECK_EQ(memory_smaps(p, "AnonHugePages"), DEVMEM_BLOCK >> 10);
    CHECK_OK(hmmsvm_device_limit(h.dev, &limit, &l));
    child = fork();
    CHECK(child >= 0);
    if (!child)
        child_runs(p);
    DEVMEM_REQUEST(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, ROOM, 0, PAGES - ROOM);
    CHECK_EQ(devmem_resident(&h), ROOM);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(agent_read(&a, &p[i * 512 + i]), 100 + i);
    harness_set(step, 1);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    devmem_check(p, PAGES, 100);
    CHECK_EQ(devmem_resident(&h), 0);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
