/* SPDX-License-Identifier: MIT */
/*
 * migrate_fork.c - fork() with memory on the device: child, parent and device each
 * read what was there and write on their own side; a child outlives the context
 */
#include "devmem.h"

#define PAGES 64ul

static uint32_t *step;

static void next(uint32_t n)
{
    harness_set(step, n);
}

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;
    pid_t child;

    step = mmap(NULL, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(step != MAP_FAILED);
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
        /* Pages 0-7 are read, 8-15 written, 32-39 read after the device wrote, the rest later. */
        for (unsigned i = 0; i < 8; i++)
            CHECK_EQ(p[i * 512], 100 + i);
        for (unsigned i = 8; i < 16; i++)
            p[i * 512] = 900 + i;
        next(1);
        harness_until(step, 2);
        for (unsigned i = 32; i < 40; i++)
            CHECK_EQ(p[i * 512], 100 + i);
        next(3);
        harness_until(step, 4);
        /* The context is gone. */
        for (unsigned i = 0; i < PAGES; i++)
            CHECK_EQ(p[i * 512], (i >= 8 && i < 16 ? 900 : 100) + i);
        for (unsigned i = 0; i < PAGES; i++)
            p[i * 512] = i;
        for (unsigned i = 0; i < PAGES; i++)
            CHECK_EQ(p[i * 512], i);
        _exit(0);
    }
    CHECK_EQ(devmem_resident(&h), PAGES);
    harness_mark(&h);
    harness_set(step + 1, 1);
    harness_until(step, 1);
    s = harness_delta(&h);
    /* Another process gets page by page. */
    CHECK_EQ(s.cpu_faults, 16);
    CHECK_EQ(s.pages_to_system_cpu, 16);
    CHECK_EQ(s.device_pages, PAGES - 16);

    /* The device still reads all of it, where it is. */
    CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * 100 + PAGES * (PAGES - 1) / 2);
    CHECK_EQ(devmem_resident(&h), PAGES - 16);

    /* It writes 32-47, of which each has to be copied first, and comes back to the device. */
    harness_mark(&h);
    for (unsigned i = 32; i < 48; i++)
        agent_write(&a, &p[i * 512], 500 + i);
    s = harness_delta(&h);
    CHECK_EQ(s.device_write_faults, 16);
    CHECK_EQ(s.app_faults, 16);
    CHECK_EQ(s.pages_to_device, 16);
    CHECK_EQ(s.pages_to_system, 16);
    CHECK_EQ(s.device_pages, PAGES - 16);
    CHECK_EQ(s.failed_faults, 0);
    /* The CPU writes 48-63: a region, one fault. */
    harness_mark(&h);
    for (unsigned i = 48; i < 64; i++)
        p[i * 512] = 500 + i;
    s = harness_delta(&h);
    CHECK_EQ(s.cpu_faults, 1);
    CHECK_EQ(s.pages_to_system_cpu, 16);
    next(2);
    harness_until(step, 3);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(agent_read(&a, &p[i * 512]), (i >= 32 ? 500 : 100) + i);

    agent_end(&a);
    harness_close(&h);
    next(4);
    devmem_child_ok(child);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], (i >= 32 ? 500 : 100) + i);
    devmem_used_is(0, 0);
    return 0;
}
