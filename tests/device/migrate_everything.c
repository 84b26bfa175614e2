/* SPDX-License-Identifier: MIT */
/*
 * migrate_everything.c - a request about all addresses there can be finds what is mapped there, and
 * says that not all is
 *
 * There are 64 million blocks. One by one that takes a minute in a guest, and on a kernel that checks
 * itself longer than a test may.
 */
#include "devmem.h"

#define PAGES  64u
#define LOWEST 0x10000ul         /* of the addresses that the device can see */
#define END    0x7ffffffff000ul

int main(void)
{
    struct hmmsvm_migrate m;
    struct harness h;
    uint64_t *p;

    devmem_open(&h, 1, "remote");
    p = devmem_small(1);
    devmem_fill(p, PAGES, 3);
    CHECK_EQ(devmem_move(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE), PAGES);

    CHECK_EQ(devmem_request(&h, (void *)LOWEST, END - LOWEST, DEVMEM_TO_SYSTEM, &m),
             -EFAULT);
    CHECK_EQ(m.pages_moved, PAGES);
    CHECK_EQ(m.pages_failed, 0);
    CHECK_EQ(devmem_resident(&h), 0);
    devmem_check(p, PAGES, 3);
    harness_close(&h);
    return 0;
}
