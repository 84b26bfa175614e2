/* SPDX-License-Identifier: MIT */
/*
 * migrate_accessed.c - pages that the device has used more than once move at the first request,
 * whichever CPU asks: what says to reclaim that they are in use holds none of them back
 */
#include "devmem.h"

#define PAGES 12ul /* fewer than a CPU collects before it moves them to the active list */
#define MORE 64ul  /* and as many as have it put new ones on a list at all */
#define ROUNDS 4u

int main(void)
{
    struct harness h;
    struct agent a;
    uint64_t *p;
    char *more;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(ROUNDS);
    more = devmem_small(1);
    for (unsigned n = 0; n < ROUNDS; n++, p += DEVMEM_BLOCK / sizeof(*p)) {
        devmem_fill(p, PAGES, n);
        devmem_fill(more + n * MORE * HARNESS_PAGE, MORE, n);
        /* Used n + 1 times: each change of the protection takes the entries away. */
        for (unsigned used = 0; used <= n; used++) {
            harness_mark(&h);
            agent_sum_pages(&a, p, PAGES);
            CHECK_EQ(harness_delta(&h).pages_mirrored, PAGES);
            CHECK(!mprotect(p, PAGES * HARNESS_PAGE, PROT_READ));
            CHECK(!mprotect(p, PAGES * HARNESS_PAGE, PROT_READ | PROT_WRITE));
        }
        DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
        CHECK_EQ(harness_delta(&h).failed_busy, 0);
    }
    CHECK_EQ(devmem_resident(&h), ROUNDS * PAGES);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
