/* SPDX-License-Identifier: MIT */
/*
 * coherent_held_victim.c - where a page of each region of the oldest chunk is held, an eviction that begins
 * with the oldest goes on with the next: what is held keeps nobody from the rest
 */
#include "bare.h"
#include "held.h"

#define REGIONS 32u
#define REGION  16u /* pages */

int main(void)
{
    unsigned index = devmem_coherent(), chunks = devmem_chunks(index, 3);
    struct hmmsvm_stats s;
    struct held held;
    uint64_t *p;
    int fd;

    fd = bare_open(index);
    bare_eviction(fd, "fifo");
    p = devmem_small(chunks + 2);
    devmem_fill(p, (chunks + 2) * DEVMEM_BLOCK_PAGES, 3);
    CHECK_EQ(bare_move(fd, p, chunks * DEVMEM_BLOCK_PAGES), chunks * DEVMEM_BLOCK_PAGES);
    held_begin(&held, p, REGIONS, REGION);

    /* Of the oldest goes what can; then the second, and for the next block the third. */
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(bare_move(fd, p + (chunks + i) * DEVMEM_BLOCK_PAGES * 512, DEVMEM_BLOCK_PAGES),
                 DEVMEM_BLOCK_PAGES);
        s = bare_stats(fd);
        /* What would not go is tried again now and then. */
        CHECK_GE(s.evictions, 2 + i);
        CHECK_EQ(s.pages_to_system_evicted, (1 + i) * DEVMEM_BLOCK_PAGES + DEVMEM_BLOCK_PAGES - REGIONS);
        CHECK_EQ(s.device_pages, (chunks - 1) * DEVMEM_BLOCK_PAGES + REGIONS);
        CHECK_EQ(s.device_pages_charged, chunks * DEVMEM_BLOCK_PAGES);
        CHECK_EQ(s.failed_no_memory, 0);
    }
    held_end(&held);
    devmem_check(p, (chunks + 2) * DEVMEM_BLOCK_PAGES, 3);
    close(fd);
    devmem_used_is(index, 0);
    return 0;
}
