/* SPDX-License-Identifier: MIT */
/*
 * migrate_sparse.c - a request to bring back a large mapping that is nearly empty finds what is
 * there, and leaves nothing behind for what is not
 */
#include "devmem.h"

#define LENGTH (64ul << 30)
#define PAGES  64u

/* How many blocks of the context the module knows, of the 4096 that one call tells. */
static uint32_t blocks_known(struct harness *h)
{
    static struct hmmsvm_residency_block blocks[4096];
    uint32_t count = 4096;
    uint64_t start = 0;

    CHECK_OK(hmmsvm_device_residency(h->dev, &start, blocks, &count));
    CHECK_EQ(start, 0);
    return count;
}

int main(void)
{
    const unsigned long at[] = {0, 1ul << 30, (33ul << 30) + 7 * DEVMEM_BLOCK, LENGTH - DEVMEM_BLOCK};
    uint64_t found = 0, *p;
    struct harness h;
    uint32_t known;
    char *m;

    devmem_open(&h, 1, "remote");
    m = mmap(NULL, LENGTH + DEVMEM_BLOCK, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(m != MAP_FAILED);
    m += -(uintptr_t)m % DEVMEM_BLOCK;
    CHECK(!madvise(m, LENGTH, MADV_NOHUGEPAGE));
    for (unsigned i = 0; i < sizeof(at) / sizeof(*at); i++) {
        p = (uint64_t *)(m + at[i]);
        devmem_fill(p, PAGES, i);
        found += devmem_move(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE);
    }
    CHECK_EQ(devmem_resident(&h), found);
    CHECK_GE(found, PAGES);
    known = blocks_known(&h);

    CHECK_EQ(devmem_move(&h, m, LENGTH, DEVMEM_TO_SYSTEM), found);
    CHECK_EQ(devmem_resident(&h), 0);
    CHECK_EQ(blocks_known(&h), known);
    for (unsigned i = 0; i < sizeof(at) / sizeof(*at); i++)
        devmem_check(m + at[i], PAGES, i);
    harness_close(&h);
    return 0;
}
