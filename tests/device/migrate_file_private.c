/* SPDX-License-Identifier: MIT */
/*
 * migrate_file_private.c - of a private mapping of a file the pages that were copied
 * move, those of the file stay; the file never sees what the device wrote
 */
#include "devmem.h"

#define PAGES 32ul

int main(void)
{
    char path[] = "/tmp/hmmsvm-private-XXXXXX";
    uint64_t page[512] = {0};
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    unlink(path);
    for (unsigned i = 0; i < PAGES; i++) {
        page[0] = 100 + i;
        CHECK_EQ(write(fd, page, sizeof(page)), sizeof(page));
    }
    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = mmap(NULL, PAGES * HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED);
    /* The first quarter is copied, the second read, the rest not touched. */
    for (unsigned i = 0; i < PAGES / 4; i++)
        p[i * 512] = 200 + i;
    for (unsigned i = PAGES / 4; i < PAGES / 2; i++)
        CHECK_EQ(p[i * 512], 100 + i);
    harness_mark(&h);
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES / 4, 0, PAGES * 3 / 4);
    s = harness_delta(&h);
    CHECK_EQ(s.device_pages, PAGES / 4);
    CHECK_EQ(s.pages_zeroed, 0);
    CHECK_EQ(s.failed_no_memory, 0);

    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(agent_read(&a, &p[i * 512]), (i < PAGES / 4 ? 200 : 100) + i);
    /* The device's writes make copies, which may move then. */
    agent_fill_pages(&a, p, 300, PAGES * 3 / 4);
    CHECK_EQ(devmem_resident(&h), PAGES / 4);
    CHECK_EQ(harness_delta(&h).cpu_faults, 0);
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES / 2, PAGES / 4, PAGES / 4);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], (i < PAGES * 3 / 4 ? 300 : 100) + i);
    CHECK_EQ(devmem_resident(&h), 0);
    for (unsigned i = 0; i < PAGES; i++) {
        CHECK_EQ(pread(fd, page, 8, (off_t)(i * HARNESS_PAGE)), 8);
        CHECK_EQ(page[0], 100 + i);
    }

    /* Dropped in device memory: the file's content is there again. */
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES * 3 / 4, 0, PAGES / 4);
    CHECK(!madvise(p, PAGES * HARNESS_PAGE, MADV_DONTNEED));
    CHECK_EQ(devmem_resident(&h), 0);
    CHECK_EQ(agent_read(&a, p), 100);
    CHECK_EQ(p[512], 101);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
