/* SPDX-License-Identifier: MIT */
/*
 * coherent_share_own.c - a context that wants more of the device memory that the CPU reaches than its
 * share evicts its own only: the other's pages stay where they are
 */
#include "bare.h"

#define OTHER 2u

int main(void)
{
    unsigned index = devmem_coherent(), chunks = devmem_chunks(index, 2 * OTHER);
    struct hmmsvm_stats s;
    int fd, other;
    uint64_t *p, *q;

    other = bare_open(index);
    q = devmem_small(OTHER);
    devmem_fill(q, OTHER * DEVMEM_BLOCK_PAGES, 7);
    CHECK_EQ(bare_move(other, q, OTHER * DEVMEM_BLOCK_PAGES), OTHER * DEVMEM_BLOCK_PAGES);
    fd = bare_open(index);
    p = devmem_small(chunks);
    devmem_fill(p, chunks * DEVMEM_BLOCK_PAGES, 8);

    CHECK_EQ(bare_move(fd, p, chunks * DEVMEM_BLOCK_PAGES), chunks * DEVMEM_BLOCK_PAGES);
    s = bare_stats(fd);
    CHECK_EQ(s.device_pages, (chunks - OTHER) * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.device_pages_share, (chunks - OTHER) * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.evictions, OTHER);
    CHECK_EQ(s.evictions_by_others + s.evictions_limit, 0);
    CHECK_EQ(s.pages_to_system_evicted, OTHER * DEVMEM_BLOCK_PAGES);
    /* What it lost, again. */
    CHECK_EQ(bare_move(fd, p, OTHER * DEVMEM_BLOCK_PAGES), OTHER * DEVMEM_BLOCK_PAGES);
    s = bare_stats(fd);
    CHECK_EQ(s.evictions, 2 * OTHER);
    CHECK_EQ(s.refaults, OTHER * DEVMEM_BLOCK_PAGES);

    s = bare_stats(other);
    CHECK_EQ(s.evictions + s.pages_to_system, 0);
    CHECK_EQ(s.device_pages, OTHER * DEVMEM_BLOCK_PAGES);
    devmem_check(p, chunks * DEVMEM_BLOCK_PAGES, 8);
    devmem_check(q, OTHER * DEVMEM_BLOCK_PAGES, 7);
    close(fd);
    close(other);
    devmem_used_is(index, 0);
    return 0;
}
