/* SPDX-License-Identifier: MIT */
/* file_shared.c - a shared file mapping: device, host mapping and read()/write() are one */
#include <fcntl.h>

#include "agent.h"

#define PAGES 8

int main(void)
{
    char name[] = "/tmp/hmmsvm-test-XXXXXX";
    struct harness h;
    struct agent a;
    uint64_t *p, *other, word;
    int fd;

    agent_open(&a, &h);
    fd = mkstemp(name);
    CHECK(fd >= 0);
    unlink(name);
    CHECK(!ftruncate(fd, PAGES * HARNESS_PAGE));
    p = mmap(NULL, PAGES * HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    other = mmap(NULL, PAGES * HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED && other != MAP_FAILED);

    agent_fill_pages(&a, p, 900, PAGES);
    CHECK_EQ(harness_delta(&h).device_write_faults, PAGES);
    AGENT_FAULTS(&h, PAGES);
    for (int i = 0; i < PAGES; i++) {
        CHECK_EQ(p[i * 512], 900 + i);
        CHECK_EQ(other[i * 512], 900 + i);
        CHECK_EQ(pread(fd, &word, 8, i * HARNESS_PAGE), 8);
        CHECK_EQ(word, 900 + i);
    }

    other[512] = 1;
    word = 2;
    CHECK_EQ(pwrite(fd, &word, 8, 2 * HARNESS_PAGE), 8);
    CHECK_EQ(agent_read(&a, p + 512), 1);
    CHECK_EQ(agent_read(&a, p + 2 * 512), 2);
    AGENT_FAULTS(&h, 0);

    /* After msync() the device's writes are found dirty again. */
    CHECK(!msync(p, PAGES * HARNESS_PAGE, MS_SYNC));
    agent_write(&a, p, 3);
    CHECK(!msync(p, PAGES * HARNESS_PAGE, MS_SYNC));
    CHECK_EQ(pread(fd, &word, 8, 0), 8);
    CHECK_EQ(word, 3);
    CHECK_EQ(harness_delta(&h).failed_faults, 0);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
