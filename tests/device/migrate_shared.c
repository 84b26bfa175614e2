/* SPDX-License-Identifier: MIT */
/*
 * migrate_shared.c - shared memory, files and huge TLB pages stay where they are,
 * on request and on device faults, and the device uses them there
 */
#include "devmem.h"

#define PAGES 64ul

static void stays(struct harness *h, struct agent *a, uint64_t *p, size_t bytes, bool written)
{
    uint64_t pages = bytes / HARNESS_PAGE;
    struct hmmsvm_stats s;

    for (unsigned i = 0; i < pages; i++)
        CHECK_EQ(p[i * 512], written ? 100 + i : 0);
    harness_mark(h);
    DEVMEM_REQUEST(h, p, bytes, DEVMEM_TO_DEVICE, 0, 0, 0, pages);
    s = harness_delta(h);
    CHECK_EQ(s.pages_to_device, 0);
    CHECK_EQ(s.migrations_to_device, 0);
    CHECK_EQ(s.device_pages, 0);

    /* A policy that always migrates is not asked. */
    CHECK_OK(hmmsvm_device_policy(h->dev, "touch", NULL));
    harness_mark(h);
    agent_fill_pages(a, p, 500, pages);
    s = harness_delta(h);
    CHECK_GE(s.failed_kind, 1);
    CHECK_LE(s.failed_kind, s.device_faults + s.retries);
    CHECK_EQ(s.pages_to_device, 0);
    CHECK_EQ(s.device_pages, 0);
    CHECK_EQ(s.policy_errors + s.failed_faults, 0);
    for (unsigned i = 0; i < pages; i++)
        CHECK_EQ(p[i * 512], 500 + i);
    CHECK_EQ(harness_delta(h).cpu_faults, 0);
    CHECK_OK(hmmsvm_device_policy(h->dev, "remote", NULL));
    CHECK(!munmap(p, bytes));
}

int main(void)
{
    char path[] = "/tmp/hmmsvm-shared-XXXXXX";
    struct harness h;
    struct agent a;
    uint64_t *p;
    int fd;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = mmap(NULL, PAGES * HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    for (unsigned i = 0; i < PAGES; i++)
        p[i * 512] = 100 + i;
    stays(&h, &a, p, PAGES * HARNESS_PAGE, true);

    fd = mkstemp(path);
    CHECK(fd >= 0);
    unlink(path);
    CHECK(!ftruncate(fd, PAGES * HARNESS_PAGE));
    p = mmap(NULL, PAGES * HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    stays(&h, &a, p, PAGES * HARNESS_PAGE, false);
    for (unsigned i = 0; i < PAGES; i++) {
        uint64_t word;

        CHECK_EQ(pread(fd, &word, 8, (off_t)(i * HARNESS_PAGE)), 8);
        CHECK_EQ(word, 500 + i);
    }

    memory_put("/proc/sys/vm/nr_hugepages", "2");
    p = mmap(NULL, DEVMEM_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB,
             -1, 0);
    if (p == MAP_FAILED) {
        printf("no huge TLB pages: %s\n", strerror(errno));
    } else {
        for (unsigned i = 0; i < DEVMEM_BLOCK_PAGES; i++)
            p[i * 512] = 100 + i;
        stays(&h, &a, p, DEVMEM_BLOCK, true);
    }
    memory_put("/proc/sys/vm/nr_hugepages", "0");
    agent_end(&a);
    harness_close(&h);
    return 0;
}
