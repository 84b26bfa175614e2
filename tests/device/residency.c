/* SPDX-License-Identifier: MIT */
/* residency.c - which blocks have how many pages where, with the faults in each, in order and in parts */
#include "devmem.h"

#define BLOCKS 6u

int main(void)
{
    struct hmmsvm_residency_block got[64];
    uint64_t start = 0, total = 0, *p;
    uint32_t count, seen = 0;
    struct harness h;
    struct agent a;
    char *bytes;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(BLOCKS);
    bytes = (char *)p;
    memset(p, 1, BLOCKS * DEVMEM_BLOCK);
    /* i * 20 + 1 pages in block i, from its page i on. */
    for (unsigned i = 0; i < BLOCKS; i++)
        CHECK_EQ(devmem_move(&h, bytes + i * DEVMEM_BLOCK + i * HARNESS_PAGE, (i * 20 + 1) * HARNESS_PAGE,
                             DEVMEM_TO_DEVICE), i * 20 + 1);
    /* A CPU fault in block 2 (its first region: pages 2 to 15 of 2 to 42), two device faults in block 3. */
    ((volatile uint64_t *)p)[(2 * 512 + 5) * 512] = 1;
    agent_read(&a, &p[(3 * 512 + 4) * 512]);
    agent_write(&a, &p[(3 * 512 + 5) * 512], 3);

    count = 64;
    CHECK_OK(hmmsvm_device_residency(h.dev, &start, got, &count));
    CHECK_EQ(start, 0);
    for (uint32_t k = 0; k < count; k++) {
        if (k)
            CHECK(got[k].start > got[k - 1].start);
        CHECK_EQ(got[k].start % DEVMEM_BLOCK, 0);
        CHECK_EQ(got[k].evictions, 0);
        total += got[k].device_pages;
        if (got[k].start >= (uintptr_t)p && got[k].start < (uintptr_t)(bytes + BLOCKS * DEVMEM_BLOCK)) {
            unsigned i = (unsigned)((got[k].start - (uintptr_t)p) / DEVMEM_BLOCK);

            seen++;
            CHECK_EQ(got[k].device_pages, i * 20 + 1 - (i == 2 ? 14 : 0));
            CHECK_EQ(got[k].cpu_faults, i == 2);
            CHECK_EQ(got[k].device_faults, i == 3 ? 2 : 0);
        }
    }
    CHECK_EQ(seen, BLOCKS);
    CHECK_EQ(total, devmem_resident(&h));

    /* The same one by one. */
    start = 0;
    for (uint32_t k = 0; k < count; k++) {
        struct hmmsvm_residency_block one;
        uint32_t room = 1;

        CHECK_OK(hmmsvm_device_residency(h.dev, &start, &one, &room));
        CHECK_EQ(room, 1);
        CHECK(!memcmp(&one, &got[k], sizeof(one)));
        CHECK_EQ(start != 0, k + 1 < count);
    }
    /* Beyond the last one there is nothing. */
    start = got[count - 1].start + DEVMEM_BLOCK;
    count = 64;
    CHECK_OK(hmmsvm_device_residency(h.dev, &start, got, &count));
    CHECK_EQ(count, 0);
    CHECK_EQ(start, 0);
    count = 0;
    CHECK_EQ(hmmsvm_device_residency(h.dev, &start, got, &count), -EINVAL);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
