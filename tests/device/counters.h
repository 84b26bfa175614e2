/* SPDX-License-Identifier: MIT */
/*
 * counters.h - for OpenCL tests that want to see pages move
 *
 * OpenCL cannot say where memory is. The module can: it tells anyone who may
 * trace a process about that process's contexts. So this asks it about the
 * process itself, over a descriptor of its own; the tests stay ordinary OpenCL
 * programs otherwise. In direct mode, without device memory or with a module
 * that does not know these requests, counters_there() says no, after printing
 * why, and a test leaves out what it cannot see.
 *
 * Locking: none; use from one thread.
 */
#ifndef HMMSVM_TEST_COUNTERS_H
#define HMMSVM_TEST_COUNTERS_H

#include "cl_harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <hmmsvm/uapi.h>

#define COUNTERS_PAGE  4096ul
#define COUNTERS_BLOCK (2ul << 20)

static int counters_fd = -1;

/* What the module counted for this process's device. Returns false and sets errno on failure. */
__attribute__((unused)) static bool counters_read(struct hmmsvm_stats *stats)
{
    memset(stats, 0, sizeof(*stats));
    stats->size = sizeof(*stats);
    stats->target.pid = (uint32_t)getpid();
    return ioctl(counters_fd, HMMSVM_IOC_STATS, stats) == 0;
}

/* The pages of [start, start + length) that are in device memory; both multiples of 2 MiB. */
__attribute__((unused)) static uint64_t counters_device_pages(const void *start, size_t length)
{
    struct hmmsvm_residency_block blocks[64];
    struct hmmsvm_residency ask = { .size = sizeof(ask), .start = (uintptr_t)start };
    uint64_t end = (uintptr_t)start + length, pages = 0;

    EQ((uintptr_t)start % COUNTERS_BLOCK, 0);
    EQ(length % COUNTERS_BLOCK, 0);
    ask.target.pid = (uint32_t)getpid();
    ask.blocks = (uintptr_t)blocks;
    do {
        ask.count = sizeof(blocks) / sizeof(blocks[0]);
        if (ioctl(counters_fd, HMMSVM_IOC_RESIDENCY, &ask) != 0)
            FAIL("HMMSVM_IOC_RESIDENCY: %s", strerror(errno));
        for (uint32_t i = 0; i < ask.count; i++)
            if (blocks[i].start >= (uintptr_t)start && blocks[i].start < end)
                pages += blocks[i].device_pages;
    } while (ask.start != 0 && ask.start < end);
    return pages;
}

/* Whether pages can be seen to move here; prints the reason if not. Call after cl_open(). */
__attribute__((unused)) static bool counters_there(void)
{
    struct hmmsvm_version version = { .size = sizeof(version) };
    struct hmmsvm_memory memory = { .size = sizeof(memory) };
    struct hmmsvm_residency ask = { .size = sizeof(ask) };
    struct hmmsvm_residency_block block;
    struct hmmsvm_stats stats;
    const char *why = NULL;

    errno = 0;
    ask.target.pid = (uint32_t)getpid();
    ask.count = 1;
    ask.blocks = (uintptr_t)&block;
    if (!cl_kernel_mode)
        why = "direct mode has no device memory";
    else if ((counters_fd = open("/dev/hmmsvm", O_RDWR | O_CLOEXEC)) < 0)
        why = "/dev/hmmsvm does not open";
    else if (ioctl(counters_fd, HMMSVM_IOC_VERSION, &version) != 0)
        why = "the module does not say its version";
    else if (!(version.features & HMMSVM_FEATURE_DEVICE_MEMORY))
        why = "the module has no device memory";
    else if (ioctl(counters_fd, HMMSVM_IOC_MEMORY, &memory) != 0)
        why = "the module does not describe its device memory";
    else if (!counters_read(&stats))
        why = "the module does not give this process's counters";
    else if (ioctl(counters_fd, HMMSVM_IOC_RESIDENCY, &ask) != 0)
        why = "the module does not say where pages are";
    if (why != NULL) {
        printf("not looking at where pages are: %s%s%s\n", why, errno != 0 ? ": " : "",
               errno != 0 ? strerror(errno) : "");
        return false;
    }
    if (memory.kind != HMMSVM_MEMORY_PRIVATE || memory.bytes - memory.used_bytes < (32u << 20)) {
        printf("not looking at where pages are: no 32 MiB of private device memory are free\n");
        return false;
    }
    return true;
}

/*
 * Most of @pages, as a page that is pinned or being looked at just then may stay, which is no
 * error: one in sixteen may.
 */
#define MOST(is, pages)                                                                   \
    do {                                                                                  \
        unsigned long long is_ = (is), pages_ = (pages);                                  \
        if (is_ > pages_ || is_ < pages_ - pages_ / 16)                                   \
            FAIL("%s is %llu, not most of %llu", #is, is_, pages_);                       \
    } while (0)

/* The same where pages come by device faults, which go on without what is busy: a quarter may stay. */
#define MANY(is, pages)                                                                   \
    do {                                                                                  \
        unsigned long long is_ = (is), pages_ = (pages);                                  \
        if (is_ > pages_ || is_ < pages_ - pages_ / 4)                                    \
            FAIL("%s is %llu, not three quarters of %llu", #is, is_, pages_);             \
    } while (0)

/* Anonymous memory in whole blocks, filled; never unmapped. */
__attribute__((unused)) static void *counters_blocks(size_t length, int byte)
{
    char *p = mmap(NULL, length + COUNTERS_BLOCK, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    p += -(uintptr_t)p % COUNTERS_BLOCK;
    memset(p, byte, length);
    return p;
}

#endif /* HMMSVM_TEST_COUNTERS_H */
