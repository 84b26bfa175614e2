/* SPDX-License-Identifier: MIT */
/*
 * migrate_userfaultfd.c - memory that a pager of user space serves does not move while
 * it does; what is on the device when one registers comes back for it
 */
#include "devmem.h"
#include "pager.h"

#define PAGES 32ul

int main(void)
{
    struct pager pager = {.fd = pager_open(), .pages = PAGES};
    struct uffdio_register reg;
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;

    if (pager.fd < 0)
        SKIP("userfaultfd: %s", strerror(errno));
    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(1);
    for (unsigned i = 0; i < PAGES; i++)
        p[i * 512] = 100 + i;
    pager.memory = p;
    pager_register(&pager);

    /* All of it is present, so that nobody has to serve anything. */
    harness_mark(&h);
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, 0, 0, PAGES);
    CHECK_OK(hmmsvm_device_policy(h.dev, "touch", NULL));
    agent_fill_pages(&a, p, 200, PAGES);
    s = harness_delta(&h);
    CHECK_EQ(s.pages_to_device, 0);
    CHECK_GE(s.failed_kind, 1);
    CHECK_EQ(s.failed_faults, 0);
    CHECK_OK(hmmsvm_device_policy(h.dev, "remote", NULL));

    /* No longer served, it moves. */
    reg = pager_range(&pager);
    CHECK(!ioctl(pager.fd, UFFDIO_UNREGISTER, &reg.range));
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
    agent_fill_pages(&a, p, 300, PAGES);

    /* Served again while it is there: nothing is missing, the CPU and the device find it. */
    pager_register(&pager);
    CHECK_EQ(devmem_resident(&h), PAGES);
    CHECK_EQ(agent_read(&a, &p[5 * 512]), 305);
    agent_write(&a, &p[6 * 512], 1306);
    CHECK_EQ(p[5 * 512], 305);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], i == 6 ? 1306 : 300 + i);
    CHECK_EQ(devmem_resident(&h), 0);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
