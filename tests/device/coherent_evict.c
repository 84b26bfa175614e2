/* SPDX-License-Identifier: MIT */
/*
 * coherent_evict.c - more than fits into device memory that the CPU reaches: what has
 * been there longest makes room, whoever has it mapped, and at the end all is back
 */
#include "devmem.h"

int main(void)
{
    unsigned index = devmem_coherent();
    uint64_t pages, *p, *last;
    struct hmmsvm_memory memory;
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    pid_t child;
    int go[2];
    char c;

    CHECK(!pipe(go));
    CHECK(devmem_memory(index, &memory));
    devmem_at_most(&memory, 128);
    pages = memory.bytes / HARNESS_PAGE;
    devmem_used_is(index, 0);
    devmem_open(&h, 1, "remote");
    CHECK_OK(hmmsvm_device_policy(h.dev, "remote", "fifo"));
    agent_begin(&a, &h);
    p = devmem_small((unsigned)(2 * pages / DEVMEM_BLOCK_PAGES));
    last = p + (2 * pages - DEVMEM_BLOCK_PAGES) * 512;
    devmem_fill(p, 2 * pages, 1000);

    harness_mark(&h);
    DEVMEM_REQUEST(&h, p, memory.bytes, DEVMEM_TO_DEVICE, 0, pages, 0, 0);
    s = harness_delta(&h);
    CHECK_EQ(s.pages_to_system_evicted, 0);
    CHECK_EQ(s.device_pages, pages);
    devmem_used_is(index, pages);

    /* A child shares the first half: its pages are evicted from both. */
    child = fork();
    CHECK(child >= 0);
    if (!child) {
        CHECK_EQ(read(go[0], &c, 1), 1);
        devmem_check(p, 2 * pages, 1000);
        _exit(0);
    }
    harness_mark(&h);
    DEVMEM_REQUEST(&h, p + pages * 512, memory.bytes, DEVMEM_TO_DEVICE, 0, pages, 0, 0);
    s = harness_delta(&h);
    CHECK_EQ(s.pages_to_device, pages);
    CHECK_EQ(s.pages_to_system, pages);
    CHECK_EQ(s.pages_to_system_evicted, pages);
    CHECK_EQ(s.evictions, pages / DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.cpu_faults, 0);
    CHECK_EQ(s.failed_no_memory + s.failed_no_system_memory + s.failed_busy, 0);
    CHECK_EQ(s.device_pages, pages);
    CHECK_EQ(write(go[1], "x", 1), 1);
    devmem_child_ok(child);
    devmem_check(p, 2 * pages, 1000);
    CHECK_EQ(devmem_resident(&h), pages);

    /* They had been evicted before, and push out those that pushed them. */
    harness_mark(&h);
    DEVMEM_REQUEST(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, DEVMEM_BLOCK_PAGES, 0, 0);
    s = harness_delta(&h);
    CHECK_EQ(s.refaults, DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.evictions, 1);
    CHECK_EQ(s.device_pages, pages);

    /* What the device wrote there last is what comes back. */
    agent_fill_pages(&a, last, 7000, DEVMEM_BLOCK_PAGES);
    agent_end(&a);
    harness_close(&h);
    devmem_used_is(index, 0);
    devmem_check(p, 2 * pages - DEVMEM_BLOCK_PAGES, 1000);
    for (unsigned i = 0; i < DEVMEM_BLOCK_PAGES; i++)
        CHECK_EQ(last[i * 512], 7000 + i);
    return 0;
}
