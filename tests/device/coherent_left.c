/* SPDX-License-Identifier: MIT */
/*
 * coherent_left.c - what somebody holds of device memory that the CPU reaches beyond the end of its
 * context is nobody's: it counts for no user and for no share, but nobody else can have its regions
 */
#include "bare.h"
#include "held.h"

#define REGIONS 3u
#define REGION  16u /* pages */

int main(void)
{
    unsigned index = devmem_coherent(), chunks = devmem_chunks(index, 4);
    struct hmmsvm_limit l;
    struct hmmsvm_stats s;
    struct held held;
    uint64_t *p, *q;
    int fd;

    bare_parameter("user_limit_mb", 4);

    fd = bare_open(index);
    p = devmem_small(1);
    devmem_fill(p, DEVMEM_BLOCK_PAGES, 3);
    CHECK_EQ(bare_move(fd, p, DEVMEM_BLOCK_PAGES), DEVMEM_BLOCK_PAGES);
    held_begin(&held, p, REGIONS, REGION);
    CHECK_EQ(bare_limit(fd, false, 0).user_charged, DEVMEM_BLOCK);
    close(fd);
    devmem_used_is(index, REGIONS);
    devmem_check(p, DEVMEM_BLOCK_PAGES, 3);

    /* The same user may have all that his limit says. */
    fd = bare_open(index);
    CHECK_EQ(bare_limit(fd, false, 0).user_charged, 0);
    q = devmem_small(chunks);
    devmem_fill(q, chunks * DEVMEM_BLOCK_PAGES, 4);
    CHECK_EQ(bare_move(fd, q, 2 * DEVMEM_BLOCK_PAGES), 2 * DEVMEM_BLOCK_PAGES);
    s = bare_stats(fd);
    CHECK_EQ(s.device_pages, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.evictions, 0);
    CHECK_EQ(bare_limit(fd, false, 0).user_charged, 2 * DEVMEM_BLOCK);
    devmem_used_is(index, 2 * DEVMEM_BLOCK_PAGES + REGIONS);

    /* A share is a part of the rest. */
    bare_parameter("user_limit_mb", 0);
    l = bare_limit(fd, false, 0);
    CHECK_EQ(l.share, chunks * DEVMEM_BLOCK - REGIONS * REGION * HARNESS_PAGE);

    /* Let go of and unmapped it is free. */
    held_end(&held);
    devmem_check(p, DEVMEM_BLOCK_PAGES, 3);
    devmem_used_is(index, 2 * DEVMEM_BLOCK_PAGES + REGIONS);
    CHECK(!munmap(p, DEVMEM_BLOCK));
    devmem_used_is(index, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(bare_limit(fd, false, 0).share, chunks * DEVMEM_BLOCK);
    CHECK_EQ(bare_move(fd, q, chunks * DEVMEM_BLOCK_PAGES), (chunks - 2) * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(bare_stats(fd).device_pages, chunks * DEVMEM_BLOCK_PAGES);
    devmem_check(q, chunks * DEVMEM_BLOCK_PAGES, 4);
    close(fd);
    devmem_used_is(index, 0);
    return 0;
}
