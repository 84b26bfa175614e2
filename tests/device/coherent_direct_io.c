/* SPDX-License-Identifier: MIT */
/*
 * coherent_direct_io.c - a disk reads into device memory that the CPU reaches, without a
 * copy; what is unmapped meanwhile is free when the disk is done, in its interrupt
 */
#include <linux/aio_abi.h>

#include "devmem.h"

#define ROUNDS 64

/* The disk that holds the swap space, to be read; a skip if there is none. */
static int disk_open(void)
{
    FILE *f = fopen("/proc/swaps", "re");
    char line[256], path[200] = "";
    int fd;

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "%199s partition", path) == 1 && !strncmp(path, "/dev/", 5))
            break;
    if (f)
        fclose(f);
    if (strncmp(path, "/dev/", 5))
        SKIP("there is no swap disk to read from");
    fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (fd < 0)
        SKIP("%s: %s", path, strerror(errno));
    return fd;
}

static void read_begin(aio_context_t aio, int fd, void *to)
{
    struct iocb cb = {
        .aio_fildes = (uint32_t)fd,
        .aio_lio_opcode = IOCB_CMD_PREAD,
        .aio_buf = (uintptr_t)to,
        .aio_nbytes = HARNESS_PAGE,
    }, *list = &cb;

    CHECK_EQ(syscall(SYS_io_submit, aio, 1, &list), 1);
}

/* Whether the read has ended; @wait: it has to. */
static bool read_end(aio_context_t aio, bool wait)
{
    struct timespec now = {0};
    struct io_event event;
    long n = syscall(SYS_io_getevents, aio, wait ? 1l : 0l, 1l, &event, wait ? NULL : &now);

    if (!wait && !n)
        return false;
    CHECK_EQ(n, 1);
    CHECK_EQ(event.res, HARNESS_PAGE);
    return true;
}

int main(void)
{
    unsigned index = devmem_coherent(), under_way = 0;
    int fd = disk_open();
    aio_context_t aio = 0;
    uint64_t *p, *plain, *map;
    struct harness h;
    struct agent a;

    devmem_used_is(index, 0);
    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    CHECK(!syscall(SYS_io_setup, 1, &aio));

    /* In place: the first page of the disk, which says what it is. */
    plain = harness_map(HARNESS_PAGE);
    read_begin(aio, fd, plain);
    CHECK(read_end(aio, true));
    CHECK(!memcmp((char *)plain + HARNESS_PAGE - 10, "SWAPSPACE2", 10));
    p = devmem_small(1);
    p[0] = 1;
    DEVMEM_REQUEST(&h, p, HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, 1, 0, 0);
    harness_mark(&h);
    read_begin(aio, fd, p);
    CHECK(read_end(aio, true));
    CHECK(!memcmp(p, plain, HARNESS_PAGE));
    for (unsigned i = 0; i < 512; i++)
        CHECK_EQ(agent_read(&a, &p[i]), plain[i]);
    CHECK_EQ(harness_delta(&h).device_pages, 1);
    CHECK_EQ(harness_delta(&h).pages_to_system, 0);
    CHECK(!munmap(p, DEVMEM_BLOCK));

    /* A page each, as the place of one may not be free yet for another at its address. */
    map = harness_map(ROUNDS * HARNESS_PAGE);
    for (unsigned i = 0; i < ROUNDS; i++) {
        p = map + i * 512;
        p[0] = i;
        DEVMEM_REQUEST(&h, p, HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, 1, 0, 0);
        read_begin(aio, fd, p);
        CHECK(!munmap(p, HARNESS_PAGE));
        if (read_end(aio, false))
            continue;
        under_way++;
        CHECK(read_end(aio, true));
    }
    printf("%u of %u reads ended after their memory was unmapped\n", under_way, ROUNDS);
    devmem_used_is(index, 0);
    CHECK_EQ(devmem_resident(&h), 0);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
