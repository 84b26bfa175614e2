/* SPDX-License-Identifier: MIT */
/* migrate_mlock.c - locked memory moves and comes back, locked and with its content */
#include "devmem.h"

#define PAGES 128ul

int main(void)
{
    struct harness h;
    struct agent a;
    uint64_t *p;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(1);
    if (mlock(p, PAGES * HARNESS_PAGE))
        SKIP("mlock: %s", strerror(errno));
    for (unsigned i = 0; i < PAGES; i++)
        p[i * 512] = 100 + i;
    CHECK_EQ(memory_smaps(p, "Locked"), PAGES * 4);
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
    agent_fill_pages(&a, p, 200, PAGES);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], 200 + i);
    CHECK_EQ(devmem_resident(&h), 0);
    CHECK_EQ(memory_smaps(p, "Locked"), PAGES * 4);
    /* Locked and unlocked while it is there: mlock() brings it back, munlock() does not. */
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
    CHECK(!munlock(p, PAGES * HARNESS_PAGE));
    CHECK_EQ(devmem_resident(&h), PAGES);
    CHECK(!mlock(p, PAGES * HARNESS_PAGE));
    CHECK_EQ(devmem_resident(&h), 0);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], 200 + i);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
