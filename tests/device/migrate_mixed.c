/* SPDX-License-Identifier: MIT */
/*
 * migrate_mixed.c - a request over a hole, a file, shared, read-only and inaccessible
 * memory moves what can move, says EFAULT for the hole, and leaves the rest alone
 */
#include "devmem.h"

#define PART 8ul
#define PARTS 7ul

int main(void)
{
    char path[] = "/tmp/hmmsvm-mixed-XXXXXX";
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    unlink(path);
    CHECK(!ftruncate(fd, PART * HARNESS_PAGE));
    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(1);
    devmem_fill(p, PARTS * PART, 100);
    /* 0 anonymous, 1 hole, 2 shared file, 3 read-only, 4 shared anonymous, 5 PROT_NONE, 6 anonymous */
    CHECK(!munmap(p + PART * 512, PART * HARNESS_PAGE));
    CHECK(mmap(p + 2 * PART * 512, PART * HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
               fd, 0) != MAP_FAILED);
    devmem_fill(p + 2 * PART * 512, PART, 200);
    CHECK(!mprotect(p + 3 * PART * 512, PART * HARNESS_PAGE, PROT_READ));
    CHECK(mmap(p + 4 * PART * 512, PART * HARNESS_PAGE, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
    devmem_fill(p + 4 * PART * 512, PART, 400);
    CHECK(!mprotect(p + 5 * PART * 512, PART * HARNESS_PAGE, PROT_NONE));
    harness_mark(&h);

    /* The hole is counted as failed, as are the two shared parts. */
    {
        struct hmmsvm_migrate m;
        uint64_t none;

        CHECK_EQ(devmem_request(&h, p, PARTS * PART * HARNESS_PAGE, DEVMEM_TO_DEVICE, &m), -EFAULT);
        CHECK_EQ(m.pages_there, 0);
        CHECK_EQ(m.pages_moved + m.pages_failed, PARTS * PART);
        CHECK_GE(m.pages_moved, 3 * PART);
        /* Inaccessible memory may move or stay, but all alike. */
        none = m.pages_moved - 3 * PART;
        CHECK(none == 0 || none == PART);
        s = harness_delta(&h);
        CHECK_EQ(s.pages_to_device, 3 * PART + none);
        CHECK_EQ(s.device_pages, 3 * PART + none);
        CHECK_EQ(s.cpu_faults, 0);
        printf("inaccessible memory %s\n", none ? "moves" : "stays");
    }

    CHECK_EQ(agent_read(&a, &p[3]), 0);
    CHECK_EQ(agent_read(&a, &p[2 * 512 + 2]), 102);
    agent_write(&a, &p[2 * 512 + 2], 7);
    CHECK_EQ(agent_read(&a, &p[2 * PART * 512]), 200);
    CHECK_EQ(agent_read(&a, &p[(3 * PART + 1) * 512 + 3 * PART + 1]), 100 + 3 * PART + 1);
    CHECK_EQ(agent_read(&a, &p[(4 * PART + 1) * 512 + 1]), 401);
    CHECK_EQ(p[2 * 512 + 2], 7);
    p[2 * 512 + 2] = 102;

    /* Read-only memory in device memory: the CPU reads it, the device must not write it. */
    agent_dies(&a, AGENT_WRITE, p + 3 * PART * 512);
    agent_begin(&a, &h);
    agent_dies(&a, AGENT_READ, p + PART * 512);
    agent_begin(&a, &h);
    agent_dies(&a, AGENT_READ, p + 5 * PART * 512);
    agent_begin(&a, &h);

    CHECK(!mprotect(p + 5 * PART * 512, PART * HARNESS_PAGE, PROT_READ));
    devmem_check(p, PART, 100);
    devmem_check(p + 2 * PART * 512, PART, 200);
    devmem_check(p + 4 * PART * 512, PART, 400);
    for (unsigned k = 3; k < PARTS; k++)
        for (unsigned long i = k * PART; k != 4 && i < (k + 1) * PART; i++)
            CHECK_EQ(p[i * 512 + i % 512], 100 + i);
    CHECK_EQ(devmem_resident(&h), 0);

    /* Back over the same range: the hole again. */
    DEVMEM_REQUEST(&h, p, PART * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PART, 0, 0);
    {
        struct hmmsvm_migrate m;

        CHECK_EQ(devmem_request(&h, p, PARTS * PART * HARNESS_PAGE, DEVMEM_TO_SYSTEM, &m), -EFAULT);
        CHECK_EQ(m.pages_moved, PART);
    }
    devmem_check(p, PART, 100);
    /* Nothing but a hole. */
    DEVMEM_REQUEST(&h, p + PART * 512, PART * HARNESS_PAGE, DEVMEM_TO_DEVICE, -EFAULT, 0, 0, PART);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
