/* SPDX-License-Identifier: MIT */
/* mmap_over.c - a new mapping laid over an old one is what a running kernel sees */
#include <fcntl.h>

#include "agent.h"

int main(void)
{
    struct harness h;
    struct agent a;
    uint64_t *p, word = 4711;
    int fd;

    agent_open(&a, &h);
    p = harness_map(4 * HARNESS_PAGE);
    agent_fill_pages(&a, p, 20, 4);
    AGENT_FAULTS(&h, 4);

    /* Fresh anonymous memory. */
    CHECK(mmap(p, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
               0) == p);
    CHECK_EQ(agent_read(&a, p), 0);
    AGENT_FAULTS(&h, 1);

    /* A file. */
    fd = memfd_create("over", 0);
    CHECK(fd >= 0 && !ftruncate(fd, HARNESS_PAGE));
    CHECK_EQ(pwrite(fd, &word, 8, 0), 8);
    CHECK(mmap(p + 512, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
          p + 512);
    CHECK_EQ(agent_read(&a, p + 512), 4711);
    AGENT_FAULTS(&h, 1);
    agent_write(&a, p + 512, 4712);
    CHECK_EQ(pread(fd, &word, 8, 0), 8);
    CHECK_EQ(word, 4712);

    /* A read-only mapping. */
    CHECK(mmap(p + 2 * 512, HARNESS_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
               0) == p + 2 * 512);
    CHECK_EQ(agent_read(&a, p + 2 * 512), 0);
    CHECK_EQ(agent_read(&a, p + 3 * 512), 23);
    agent_dies(&a, AGENT_WRITE, p + 2 * 512);
    harness_close(&h);
    return 0;
}
