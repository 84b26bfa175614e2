/* SPDX-License-Identifier: MIT */
/*
 * coherent_fork.c - fork() with memory in device memory that the CPU reaches: each
 * side reads what was there, where it is, and a write makes a copy for the writer alone
 */
#include "devmem.h"

#define PAGES 64ul

int main(void)
{
    unsigned index = devmem_coherent();
    uint32_t *step = mmap(NULL, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;
    pid_t child;

    CHECK(step != MAP_FAILED);
    devmem_used_is(index, 0);
    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(1);
    for (unsigned i = 0; i < PAGES; i++)
        p[i * 512] = 100 + i;
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
    CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * 100 + PAGES * (PAGES - 1) / 2);

    child = fork();
    CHECK(child >= 0);
    if (!child) {
        harness_until(step + 1, 1);
        for (unsigned i = 0; i < PAGES; i++)
            CHECK_EQ(p[i * 512], 100 + i);
        /* A copy each: 0-15. */
        for (unsigned i = 0; i < 16; i++)
            p[i * 512] = 900 + i;
        harness_set(step, 1);
        harness_until(step, 2);
        /* What the device wrote, 16-31, and the parent, 32-47, is not seen here. */
        for (unsigned i = 0; i < PAGES; i++)
            CHECK_EQ(p[i * 512], (i < 16 ? 900 : 100) + i);
        harness_set(step, 3);
        harness_until(step, 4);
        /* The context is gone. */
        for (unsigned i = 0; i < PAGES; i++)
            CHECK_EQ(p[i * 512], (i < 16 ? 900 : 100) + i);
        for (unsigned i = 0; i < PAGES; i++)
            p[i * 512] = i;
        for (unsigned i = 0; i < PAGES; i++)
            CHECK_EQ(p[i * 512], i);
        _exit(0);
    }

    /* Both read all of it, and the child writes: none moves, its copies are its own. */
    harness_mark(&h);
    harness_set(step + 1, 1);
    harness_until(step, 1);
    CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * 100 + PAGES * (PAGES - 1) / 2);
    s = harness_delta(&h);
    CHECK_EQ(s.cpu_faults, 0);
    CHECK_EQ(s.pages_to_system, 0);
    CHECK_EQ(s.device_pages, PAGES);
    CHECK_EQ(s.failed_faults, 0);

    /*
     * The device writes 0-15, which are the parent's alone now, in place; and 16-31, which are
     * copied first. The child keeps the old ones where they are, the copies come over.
     */
    harness_mark(&h);
    for (unsigned i = 0; i < 16; i++)
        agent_write(&a, &p[i * 512], 500 + i);
    s = harness_delta(&h);
    CHECK_EQ(s.pages_to_device, 0);
    CHECK_EQ(s.device_pages, PAGES);
    harness_mark(&h);
    for (unsigned i = 16; i < 32; i++)
        agent_write(&a, &p[i * 512], 500 + i);
    s = harness_delta(&h);
    CHECK_EQ(s.device_write_faults, 16);
    CHECK_EQ(s.app_faults, 16);
    CHECK_EQ(s.pages_to_device, 16);
    CHECK_EQ(s.pages_to_system, 0);
    CHECK_EQ(s.device_pages, PAGES + 16);
    CHECK_EQ(s.failed_faults, 0);

    /* The parent writes 32-47: copies in system memory. */
    harness_mark(&h);
    for (unsigned i = 32; i < 48; i++)
        p[i * 512] = 500 + i;
    s = harness_delta(&h);
    CHECK_EQ(s.cpu_faults, 0);
    CHECK_EQ(s.pages_to_device, 0);
    CHECK_EQ(s.device_pages, PAGES + 16);
    harness_set(step, 2);
    harness_until(step, 3);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(agent_read(&a, &p[i * 512]), (i < 48 ? 500 : 100) + i);
    /* Back comes what the parent has there, and not what the child alone has: old 16-47. */
    CHECK_EQ(devmem_move(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_SYSTEM), 48);
    CHECK_EQ(devmem_resident(&h), 32);
    devmem_used_is(index, 32);

    agent_end(&a);
    harness_close(&h);
    harness_set(step, 4);
    devmem_child_ok(child);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], (i < 48 ? 500 : 100) + i);
    devmem_used_is(index, 0);
    return 0;
}
