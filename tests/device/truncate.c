/* SPDX-License-Identifier: MIT */
/* truncate.c - a page of a file that was cut off is a bad address, not a hang */
#include <fcntl.h>

#include "agent.h"

int main(void)
{
    struct harness h;
    struct agent a;
    uint64_t *p;
    int fd;

    agent_open(&a, &h);
    fd = memfd_create("truncate", 0);
    CHECK(fd >= 0 && !ftruncate(fd, 4 * HARNESS_PAGE));
    p = mmap(NULL, 4 * HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    agent_fill_pages(&a, p, 1, 4);
    AGENT_FAULTS(&h, 4);

    CHECK(!ftruncate(fd, 2 * HARNESS_PAGE));
    CHECK_GE(harness_delta(&h).invalidations_zapped, 1);
    harness_mark(&h);
    CHECK_EQ(agent_sum_pages(&a, p, 2), 3);
    AGENT_FAULTS(&h, 0);
    agent_dies(&a, AGENT_READ, p + 3 * 512);

    /* The file grows again: the page is there, and empty. */
    CHECK(!ftruncate(fd, 4 * HARNESS_PAGE));
    agent_begin(&a, &h);
    CHECK_EQ(agent_read(&a, p + 3 * 512), 0);
    AGENT_FAULTS(&h, 1);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
