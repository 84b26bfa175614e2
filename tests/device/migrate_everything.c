/* SPDX-License-Identifier: MIT */
/*
 * migrate_everything.c - a request about all addresses there can be looks at what is mapped only
 *
 * There are 64 million blocks, and one by one that took minutes.
 */
#include "devmem.h"

#define PAGES  64u
#define LOWEST 0x10000ul         /* of the addresses that the device can see */
#define END    0x7ffffffff000ul
#define MOST_S 20 /* far more than it takes, far less than it took */

int main(void)
{
    struct hmmsvm_migrate m;
    struct harness h;
    uint64_t *p, begin;

    devmem_open(&h, 1, "remote");
    p = devmem_small(1);
    devmem_fill(p, PAGES, 3);
    CHECK_EQ(devmem_move(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE), PAGES);

    begin = harness_ns();
    CHECK_EQ(devmem_request(&h, (void *)LOWEST, END - LOWEST, DEVMEM_TO_SYSTEM, &m),
             -EFAULT);
    CHECK_LT((harness_ns() - begin) / 1000000000u, MOST_S);
    CHECK_EQ(m.pages_moved, PAGES);
    CHECK_EQ(m.pages_failed, 0);
    CHECK_EQ(devmem_resident(&h), 0);
    devmem_check(p, PAGES, 3);
    harness_close(&h);
    return 0;
}
