/* SPDX-License-Identifier: MIT */
/*
 * coherent_left_goes.c - what was held of device memory that the CPU reaches beyond the end of its context,
 * and is not any more, makes room for who wants all there is; its process goes on with it
 */
#include "bare.h"
#include "held.h"

int main(void)
{
    unsigned index = devmem_coherent(), chunks = devmem_chunks(index, 1);
    struct held held;
    uint64_t *p, *q;
    int fd;

    fd = bare_open(index);
    p = devmem_small(1);
    devmem_fill(p, DEVMEM_BLOCK_PAGES, 3);
    CHECK_EQ(bare_move(fd, p, DEVMEM_BLOCK_PAGES), DEVMEM_BLOCK_PAGES);
    held_begin(&held, p, 1, 1);
    close(fd);
    held_end(&held);
    devmem_used_is(index, 1);

    /* It is the oldest, and in a chunk with what came last: which goes with it, and comes once more. */
    fd = bare_open(index);
    bare_eviction(fd, "fifo");
    q = devmem_small(chunks);
    devmem_fill(q, chunks * DEVMEM_BLOCK_PAGES, 4);
    for (unsigned round = 0; round < 2; round++)
        bare_move(fd, q, chunks * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(bare_stats(fd).device_pages, chunks * DEVMEM_BLOCK_PAGES);
    devmem_used_is(index, chunks * DEVMEM_BLOCK_PAGES);
    p[0]++;
    CHECK_EQ(p[0], 4);
    devmem_check(q, chunks * DEVMEM_BLOCK_PAGES, 4);
    close(fd);
    devmem_used_is(index, 0);
    return 0;
}
