/* SPDX-License-Identifier: MIT */
/*
 * devmem.h - for tests of device memory: opening it, moving pages, and looking
 * where they are
 *
 * Locking: none; as harness.h.
 */
#ifndef HMMSVM_TEST_DEVMEM_H
#define HMMSVM_TEST_DEVMEM_H

#include "agent.h"
#include "memory.h"

#define DEVMEM_BLOCK (2ul << 20)
#define DEVMEM_BLOCK_PAGES 512ul

/** devmem_open - the device with its memory and @policy; a skip where there is none */
static inline void devmem_open(struct harness *h, unsigned workers, const char *policy)
{
    harness_open(h, workers);
    if (!(h->info.kernel.features & HMMSVM_FEATURE_DEVICE_MEMORY))
        SKIP("the module has no device memory here (devmem_mb, CONFIG_DEVICE_PRIVATE)");
    CHECK_OK(hmmsvm_device_policy(h->dev, policy, NULL));
    harness_mark(h);
}

/** devmem_move - brings a range over; how many pages moved */
static inline uint64_t devmem_move(struct harness *h, void *start, size_t length, unsigned flags)
{
    struct hmmsvm_migrate m;

    CHECK_OK(hmmsvm_device_migrate(h->dev, start, length, flags, &m));
    return m.pages_moved;
}

/** devmem_resident - pages of the context in device memory now */
static inline uint64_t devmem_resident(struct harness *h)
{
    struct hmmsvm_stats s;

    CHECK_OK(hmmsvm_device_stats(h->dev, &s));
    return s.device_pages;
}

/** devmem_small - a mapping of small pages, aligned to a block */
static inline void *devmem_small(unsigned blocks)
{
    void *p = memory_blocks(blocks);

    CHECK(!madvise(p, blocks * DEVMEM_BLOCK, MADV_NOHUGEPAGE));
    return p;
}

/* Writes a word that says where it is into each page. */
static inline void devmem_fill(void *p, size_t pages, uint64_t seed)
{
    for (size_t i = 0; i < pages; i++)
        ((uint64_t *)p)[i * 512 + i % 512] = seed + i;
}

static inline void devmem_check(const void *p, size_t pages, uint64_t seed)
{
    for (size_t i = 0; i < pages; i++)
        CHECK_EQ(((const uint64_t *)p)[i * 512 + i % 512], seed + i);
}

#endif /* HMMSVM_TEST_DEVMEM_H */
