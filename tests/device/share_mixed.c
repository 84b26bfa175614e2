/* SPDX-License-Identifier: MIT */
/*
 * share_mixed.c - where contexts have pieces of the same chunk only what those have goes that have to
 * make room; nobody's share is less than what a full device memory can give, however many ask
 */
#include "bare.h"

#define REGION_PAGES 16u
#define MANY         24u

/* A region of its own between those of one that fills the rest, and a third one that wants half. */
static void pieces(unsigned chunks)
{
    struct hmmsvm_stats s;
    uint64_t *p[3];
    int fd[3];

    for (unsigned i = 0; i < 3; i++) {
        fd[i] = devmem_node();
        bare_context(fd[i], 0);
        p[i] = devmem_small(chunks);
        devmem_fill(p[i], chunks * DEVMEM_BLOCK_PAGES, 1000 * i);
    }
    CHECK_EQ(bare_move(fd[0], p[0], REGION_PAGES), REGION_PAGES);
    /* Also the chunk that the first one has broken. */
    CHECK_EQ(bare_move(fd[1], p[1], chunks * DEVMEM_BLOCK_PAGES - REGION_PAGES),
             chunks * DEVMEM_BLOCK_PAGES - REGION_PAGES);
    devmem_used_is(0, chunks * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(bare_stats(fd[1]).evictions, 0);
    bare_move(fd[2], p[2], chunks * DEVMEM_BLOCK_PAGES);
    s = bare_stats(fd[2]);
    printf("beside a context with a region: %llu pages for one, %llu for another that asked later\n",
           (unsigned long long)bare_stats(fd[1]).device_pages, (unsigned long long)s.device_pages);
    /* But for less than a chunk. */
    CHECK_GT(s.device_pages, (chunks / 2 - 1) * DEVMEM_BLOCK_PAGES - REGION_PAGES);
    CHECK_GT(bare_stats(fd[1]).device_pages, (chunks / 2 - 1) * DEVMEM_BLOCK_PAGES);
    CHECK_GE(bare_stats(fd[1]).evictions_by_others, chunks / 2 - 1);
    s = bare_stats(fd[0]);
    CHECK_EQ(s.evictions, 0);
    CHECK_EQ(s.device_pages, REGION_PAGES);
    CHECK_EQ(s.device_pages_charged, REGION_PAGES);
    for (unsigned i = 0; i < 3; i++) {
        devmem_check(p[i], chunks * DEVMEM_BLOCK_PAGES, 1000 * i);
        close(fd[i]);
    }
}

/* More contexts than chunks, each of which wants four regions: all get them. */
static void many(unsigned chunks)
{
    uint64_t *p[MANY], *all;
    int fd[MANY], first;

    first = devmem_node();
    bare_context(first, 0);
    all = devmem_small(chunks);
    devmem_fill(all, chunks * DEVMEM_BLOCK_PAGES, 77);
    CHECK_EQ(bare_move(first, all, chunks * DEVMEM_BLOCK_PAGES), chunks * DEVMEM_BLOCK_PAGES);
    for (unsigned i = 0; i < MANY; i++) {
        fd[i] = devmem_node();
        bare_context(fd[i], 0);
        p[i] = devmem_small(1);
        devmem_fill(p[i], DEVMEM_BLOCK_PAGES, 1000 * i);
        CHECK_EQ(bare_move(fd[i], p[i], 4 * REGION_PAGES), 4 * REGION_PAGES);
    }
    for (unsigned i = 0; i < MANY; i++) {
        CHECK_EQ(bare_stats(fd[i]).device_pages, 4 * REGION_PAGES);
        CHECK_EQ(bare_stats(fd[i]).evictions, 0);
    }
    printf("%u contexts that came later have 4 regions each, the first one %llu pages of %u\n", MANY,
           (unsigned long long)bare_stats(first).device_pages, chunks * 512);
    CHECK_EQ(bare_stats(first).evictions_by_others, (MANY * 4 + 31) / 32);
    CHECK_EQ(bare_stats(first).device_pages, (chunks - (MANY * 4 + 31) / 32) * DEVMEM_BLOCK_PAGES);
    devmem_check(all, chunks * DEVMEM_BLOCK_PAGES, 77);
    close(first);
    for (unsigned i = 0; i < MANY; i++) {
        devmem_check(p[i], DEVMEM_BLOCK_PAGES, 1000 * i);
        close(fd[i]);
    }
}

int main(void)
{
    unsigned chunks;

    devmem_needed();
    chunks = devmem_chunks(0, 6);
    pieces(chunks);
    devmem_used_is(0, 0);
    many(chunks);
    devmem_used_is(0, 0);
    return 0;
}
