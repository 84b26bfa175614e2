/* SPDX-License-Identifier: MIT */
/* file_private.c - a private file mapping: the device reads the file, its writes stay out of it */
#include <fcntl.h>

#include "agent.h"

#define PAGES 8

int main(void)
{
    char name[] = "/tmp/hmmsvm-test-XXXXXX";
    uint64_t word[512] = {0}, back;
    struct harness h;
    struct agent a;
    uint64_t *p;
    int fd;

    agent_open(&a, &h);
    fd = mkstemp(name);
    CHECK(fd >= 0);
    unlink(name);
    for (int i = 0; i < PAGES; i++) {
        word[0] = 100 + i;
        CHECK_EQ(write(fd, word, sizeof(word)), sizeof(word));
    }
    p = mmap(NULL, PAGES * HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED);

    CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * 100 + PAGES * (PAGES - 1) / 2);
    AGENT_FAULTS(&h, PAGES);

    agent_write(&a, p + 2 * 512, 7);
    CHECK_EQ(p[2 * 512], 7);
    CHECK_EQ(pread(fd, &back, 8, 2 * HARNESS_PAGE), 8);
    CHECK_EQ(back, 102);
    CHECK_EQ(harness_delta(&h).device_write_faults, 1);
    CHECK_EQ(harness_delta(&h).app_faults, 1);
    /* The copy took the place of the page of the file, and that was noticed. */
    CHECK_GE(harness_delta(&h).invalidations_zapped, 1);
    harness_mark(&h);

    /* A write to the file reaches the pages that are still the file's. */
    back = 555;
    CHECK_EQ(pwrite(fd, &back, 8, 3 * HARNESS_PAGE), 8);
    CHECK_EQ(agent_read(&a, p + 3 * 512), 555);
    CHECK_EQ(pwrite(fd, &back, 8, 2 * HARNESS_PAGE), 8);
    CHECK_EQ(agent_read(&a, p + 2 * 512), 7);
    AGENT_FAULTS(&h, 0);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
