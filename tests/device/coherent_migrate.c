/* SPDX-License-Identifier: MIT */
/*
 * coherent_migrate.c - pages go to device memory that the CPU reaches: it and the
 * device both read and write them there, no access brings one back, a request does
 */
#include "devmem.h"

#define PAGES DEVMEM_BLOCK_PAGES

/* What neither moves a page nor finds it gone. */
static void nothing_moved(struct harness *h, uint64_t resident)
{
    struct hmmsvm_stats s = harness_delta(h);

    CHECK_EQ(s.cpu_faults, 0);
    CHECK_EQ(s.pages_to_device, 0);
    CHECK_EQ(s.pages_to_system, 0);
    CHECK_EQ(s.failed_faults, 0);
    CHECK_EQ(s.device_pages, resident);
}

/* Content goes over and comes back, in huge pages of system memory or small ones. */
static void there_and_back(struct harness *h, struct agent *a, unsigned index, int advice)
{
    uint64_t *p = memory_blocks(1);
    struct hmmsvm_stats s;

    CHECK(!madvise(p, DEVMEM_BLOCK, advice));
    devmem_fill(p, PAGES, 1000);
    harness_mark(h);
    DEVMEM_REQUEST(h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
    s = harness_delta(h);
    CHECK_EQ(s.pages_to_device, PAGES);
    CHECK_EQ(s.pages_zeroed, 0);
    CHECK_EQ(s.huge_to_device, 0);
    CHECK_EQ(s.device_pages, PAGES);
    devmem_used_is(index, PAGES);
    DEVMEM_REQUEST(h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, 0, PAGES, 0);

    /* The CPU has them mapped, and needs no fault to get at them. */
    harness_mark(h);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK(memory_present(p + i * 512));
    devmem_check(p, PAGES, 1000);
    for (unsigned i = 0; i < PAGES; i++)
        p[i * 512 + i % 512] = 5000 + i;
    nothing_moved(h, PAGES);

    /* The device sees what the CPU wrote, and the other way round, at once. One fault maps all. */
    harness_mark(h);
    agent_write(a, &p[4 * 512], 77);
    s = harness_delta(h);
    CHECK_EQ(s.device_faults, 1);
    CHECK_EQ(s.pages_mirrored, PAGES);
    CHECK_EQ(s.pages_mirrored_device, PAGES);
    CHECK_EQ(s.pages_writable, PAGES);
    CHECK_EQ(p[4 * 512], 77);
    for (unsigned i = 0; i < PAGES; i++) {
        uint64_t *at = &p[i * 512 + i % 512];

        if (i % 8)
            CHECK_EQ(*at, 5000 + i);
        else
            CHECK_EQ(agent_read(a, at), 5000 + i);
        *at = 6000 + i;
        if (i % 8)
            ++*at;
        else
            CHECK_EQ(agent_add(a, at, 1), 6000 + i);
        CHECK_EQ(*at, 6001 + i);
    }
    s = harness_delta(h);
    CHECK_EQ(s.device_faults, 1);
    CHECK_EQ(s.invalidations_zapped, 0);
    nothing_moved(h, PAGES);

    /* The half of them, and the rest. */
    harness_mark(h);
    DEVMEM_REQUEST(h, p, DEVMEM_BLOCK / 2, DEVMEM_TO_SYSTEM, 0, PAGES / 2, 0, 0);
    s = harness_delta(h);
    CHECK_EQ(s.pages_to_system, PAGES / 2);
    CHECK_EQ(s.pages_to_system_cpu, 0);
    CHECK_GE(s.invalidations_zapped, 1);
    CHECK_EQ(s.device_pages, PAGES / 2);
    devmem_check(p, PAGES, 6001);
    CHECK_EQ(agent_read(a, &p[3 * 512 + 3]), 6004);
    DEVMEM_REQUEST(h, p, DEVMEM_BLOCK, DEVMEM_TO_SYSTEM, 0, PAGES / 2, PAGES / 2, 0);
    devmem_used_is(index, 0);
    devmem_check(p, PAGES, 6001);
    CHECK_EQ(p[4 * 512], 77);
    CHECK(!munmap(p, DEVMEM_BLOCK));
}

int main(void)
{
    unsigned index = devmem_coherent();
    struct hmmsvm_memory memory;
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;

    devmem_used_is(index, 0);
    devmem_open(&h, 1, "remote");
    CHECK_OK(hmmsvm_device_memory(h.dev, &memory));
    CHECK_EQ(memory.index, index);
    CHECK_EQ(memory.kind, HMMSVM_MEMORY_COHERENT);
    CHECK_GE(memory.bytes, DEVMEM_BLOCK);
    agent_begin(&a, &h);

    there_and_back(&h, &a, index, MADV_NOHUGEPAGE);
    there_and_back(&h, &a, index, MADV_HUGEPAGE);

    /* Memory that nobody has touched is there, and zero. */
    p = devmem_small(1);
    harness_mark(&h);
    DEVMEM_REQUEST(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
    CHECK_EQ(harness_delta(&h).pages_zeroed, PAGES);
    harness_mark(&h);
    for (unsigned i = 0; i < PAGES * 512; i++)
        CHECK_EQ(p[i], 0);
    nothing_moved(&h, PAGES);

    /* Unmapped in part, and wholly: free at once, and nothing was copied. */
    CHECK(!madvise(p, 8 * HARNESS_PAGE, MADV_DONTNEED));
    nothing_moved(&h, PAGES - 8);
    devmem_used_is(index, PAGES - 8);
    CHECK_EQ(p[0], 0);
    CHECK(!munmap(p, DEVMEM_BLOCK));
    nothing_moved(&h, 0);
    devmem_used_is(index, 0);

    /* A policy that moves what the device touches does so here, too. */
    CHECK_OK(hmmsvm_device_policy(h.dev, "touch", NULL));
    p = devmem_small(1);
    devmem_fill(p, PAGES, 1);
    harness_mark(&h);
    CHECK_EQ(agent_read(&a, &p[3 * 512 + 3]), 4);
    s = harness_delta(&h);
    CHECK_GE(s.pages_to_device, 1);
    CHECK_EQ(s.pages_to_device, s.device_pages);
    devmem_check(p, PAGES, 1);
    CHECK_EQ(harness_delta(&h).cpu_faults, 0);
    CHECK_EQ(harness_delta(&h).device_pages, s.device_pages);

    /* With the context they are back in system memory. */
    agent_end(&a);
    harness_close(&h);
    devmem_used_is(index, 0);
    devmem_check(p, PAGES, 1);
    return 0;
}
