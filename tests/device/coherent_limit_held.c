/* SPDX-License-Identifier: MIT */
/*
 * coherent_limit_held.c - pages that somebody holds stay when a limit is lowered below what there is,
 * charged by whole regions; so the context gets no others, until they are let go of and leave
 */
#include "bare.h"
#include "held.h"

#define REGIONS 4u
#define REGION  16u /* pages */

int main(void)
{
    unsigned index = devmem_coherent();
    const uint64_t held_bytes = REGIONS * REGION * HARNESS_PAGE;
    struct hmmsvm_stats s;
    struct held held;
    uint64_t *p, *q;
    int fd;

    devmem_used_is(index, 0);
    fd = bare_open(index);
    p = devmem_small(1);
    q = devmem_small(1);
    devmem_fill(p, DEVMEM_BLOCK_PAGES, 5);
    devmem_fill(q, DEVMEM_BLOCK_PAGES, 6);
    CHECK_EQ(bare_move(fd, p, DEVMEM_BLOCK_PAGES), DEVMEM_BLOCK_PAGES);
    /* One page in each of four regions. */
    held_begin(&held, p, REGIONS, REGION);
    CHECK_EQ(bare_limit(fd, true, held_bytes / 2).charged, held_bytes);
    s = bare_stats(fd);
    CHECK_EQ(s.device_pages, REGIONS);
    CHECK_EQ(s.pages_to_system_evicted, DEVMEM_BLOCK_PAGES - REGIONS);
    CHECK_EQ(bare_move(fd, q, DEVMEM_BLOCK_PAGES), 0);
    s = bare_stats(fd);
    CHECK_EQ(s.failed_limit, DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.device_pages, REGIONS);

    /* So much more as the limit has beyond what is held. */
    CHECK_EQ(bare_limit(fd, true, held_bytes + 2 * REGION * HARNESS_PAGE).charged, held_bytes);
    CHECK_EQ(bare_move(fd, q, 2 * REGION), 2 * REGION);
    CHECK_EQ(bare_limit(fd, false, 0).charged, held_bytes + 2 * REGION * HARNESS_PAGE);

    held_end(&held);
    CHECK_EQ(bare_limit(fd, true, 0).charged, 0);
    CHECK_EQ(bare_stats(fd).device_pages, 0);
    devmem_check(p, DEVMEM_BLOCK_PAGES, 5);
    devmem_check(q, DEVMEM_BLOCK_PAGES, 6);
    close(fd);
    devmem_used_is(index, 0);
    return 0;
}
