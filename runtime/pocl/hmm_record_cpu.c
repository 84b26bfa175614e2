/* SPDX-License-Identifier: MIT */
/*
 * hmm_record_cpu.c - which pages the CPU writes while no kernel runs
 *
 * The kernel (6.7 or newer) notes writes to memory that is registered with an asynchronous
 * write-protecting userfaultfd: it takes the protection away by itself, nobody is woken, and system
 * calls of the program see nothing of it. What kernels have used is registered when their launch has
 * ended, and protected anew whenever no launch is left; before the next one, the pages without
 * protection are those that were written. Kernels write such pages too, which is why nothing is
 * looked at while one runs.
 *
 * Memory that is not registered (yet) has no such notes. There, a page that exists at all was
 * written by the CPU.
 *
 * Reads are not seen here. Nor are writes to shared memory and to files.
 *
 * Locking: hmm_record.c's lock.
 */
#define _GNU_SOURCE
#include "hmm_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of Linux 6.4 and 6.7; headers may be older than the kernel. */
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif

#ifndef PAGEMAP_SCAN
#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)

#define PAGE_IS_WPALLOWED (1 << 0)
#define PAGE_IS_WRITTEN   (1 << 1)
#define PAGE_IS_FILE      (1 << 2)
#define PAGE_IS_PRESENT   (1 << 3)
#define PAGE_IS_SWAPPED   (1 << 4)
#define PAGE_IS_PFNZERO   (1 << 5)

struct page_region {
    uint64_t start, end, categories;
};

struct pm_scan_arg {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#endif

#define REGIONS     1024
#define ADDRESSES   (1ull << 47)
#define BLOCK_SHIFT 21
#define BLOCK       (1ull << BLOCK_SHIFT)
#define USED_BYTES  (ADDRESSES / BLOCK / 8)

static struct {
    int uffd, pagemap;
    uint64_t *used; /* a bit for each block that kernels have used */
    struct uffdio_range *watched;
    size_t nwatched, watched_room;
} cpu = { .uffd = -1, .pagemap = -1 };

/** hmm_record_cpu_open - whether this kernel can tell what is written */
bool hmm_record_cpu_open(void)
{
    struct uffdio_api api = {
        .api = UFFD_API,
        .features = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED,
    };
    struct page_region region;
    struct pm_scan_arg scan = {
        .size = sizeof(scan),
        .end = 1 << RECORD_PAGE_SHIFT,
        .vec = (uintptr_t)&region,
        .vec_len = 1,
        .category_mask = PAGE_IS_PRESENT,
        .return_mask = PAGE_IS_PRESENT,
    };

    cpu.used = mmap(NULL, USED_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    cpu.uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    cpu.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (cpu.used != MAP_FAILED && cpu.uffd >= 0 && cpu.pagemap >= 0
        && ioctl(cpu.uffd, UFFDIO_API, &api) == 0 && ioctl(cpu.pagemap, PAGEMAP_SCAN, &scan) >= 0)
        return true;
    if (cpu.uffd >= 0)
        close(cpu.uffd);
    if (cpu.pagemap >= 0)
        close(cpu.pagemap);
    cpu.uffd = cpu.pagemap = -1;
    return false;
}

/* Room for one more of @count. Out of memory, the recording would not be what it says. */
static void *grow(void *array, size_t count, size_t size, size_t *room)
{
    if (count < *room)
        return array;
    *room = *room != 0 ? 2 * *room : 256;
    array = realloc(array, *room * size);
    if (array == NULL) {
        hmm_message("out of memory for a recording");
        abort();
    }
    return array;
}

/* ---- before a launch ------------------------------------------------------------------------- */

/* Whether pages of these categories were written by the CPU since no launch was left. */
static bool is_written(uint64_t categories)
{
    if (categories & PAGE_IS_WPALLOWED)
        return categories & PAGE_IS_WRITTEN;
    return (categories & (PAGE_IS_PRESENT | PAGE_IS_SWAPPED)) != 0
           && !(categories & (PAGE_IS_FILE | PAGE_IS_PFNZERO));
}

/**
 * hmm_record_cpu_written - what the CPU has written: an array to be freed, and how many
 *
 * Called before the first launch is made when none is left.
 */
struct record_run *hmm_record_cpu_written(size_t *count)
{
    struct page_region regions[REGIONS];
    struct pm_scan_arg scan = {
        .size = sizeof(scan),
        .end = ADDRESSES - (1 << RECORD_PAGE_SHIFT),
        .vec = (uintptr_t)regions,
        .vec_len = REGIONS,
        .category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        .return_mask = PAGE_IS_WPALLOWED | PAGE_IS_WRITTEN | PAGE_IS_FILE | PAGE_IS_PRESENT
                       | PAGE_IS_SWAPPED | PAGE_IS_PFNZERO,
    };
    struct record_run *runs = NULL;
    size_t room = 0;

    *count = 0;
    while (cpu.pagemap >= 0 && scan.start < scan.end) {
        long n = ioctl(cpu.pagemap, PAGEMAP_SCAN, &scan);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            hmm_message("cannot see what the CPU writes: %s", strerror(errno));
            break;
        }
        for (long i = 0; i < n; i++) {
            if (!is_written(regions[i].categories))
                continue;
            runs = grow(runs, *count, sizeof(*runs), &room);
            runs[(*count)++] = (struct record_run){
                .page = regions[i].start >> RECORD_PAGE_SHIFT,
                .count = (regions[i].end - regions[i].start) >> RECORD_PAGE_SHIFT,
            };
        }
        scan.start = scan.walk_end;
    }
    return runs;
}

/* ---- after a launch -------------------------------------------------------------------------- */

static bool is_used(uint64_t address)
{
    uint64_t block = address >> BLOCK_SHIFT;

    return cpu.used[block / 64] >> (block % 64) & 1;
}

/** hmm_record_cpu_used - notes what a launch has used; whether there are blocks among it that are new */
bool hmm_record_cpu_used(const struct record *records, uint64_t count)
{
    bool new = false;

    for (uint64_t i = 0; cpu.uffd >= 0 && i < count; i++) {
        uint64_t address = records[i].key >> 1 << RECORD_PAGE_SHIFT, block = address >> BLOCK_SHIFT;

        if (address >= ADDRESSES || is_used(address))
            continue;
        cpu.used[block / 64] |= 1ull << (block % 64);
        new = true;
    }
    return new;
}

/* Registers what kernels have used of a mapping. Fails where the program does so itself. */
static void watch_mapping(uint64_t start, uint64_t end)
{
    while (start < end) {
        uint64_t next = (start | (BLOCK - 1)) + 1;
        struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_WP };

        if (!is_used(start)) {
            start = next;
            continue;
        }
        while (next < end && is_used(next))
            next += BLOCK;
        if (next > end)
            next = end;
        range.range = (struct uffdio_range){ .start = start, .len = next - start };
        if (ioctl(cpu.uffd, UFFDIO_REGISTER, &range) == 0) {
            cpu.watched = grow(cpu.watched, cpu.nwatched, sizeof(*cpu.watched), &cpu.watched_room);
            cpu.watched[cpu.nwatched++] = range.range;
        }
        start = next;
    }
}

/**
 * hmm_record_cpu_watch - registers what is to be watched from now on
 * @maps: the text of /proc/self/maps
 */
void hmm_record_cpu_watch(const char *maps, size_t size)
{
    const char *end = maps + size;

    if (cpu.uffd < 0)
        return;
    cpu.nwatched = 0;
    while (maps < end) {
        const char *newline = memchr(maps, '\n', (size_t)(end - maps));
        size_t n = newline != NULL ? (size_t)(newline - maps) : (size_t)(end - maps);
        uint64_t first, last;
        unsigned long inode;
        char line[128], access[5];

        snprintf(line, sizeof(line), "%.*s", (int)(n < sizeof(line) ? n : sizeof(line) - 1), maps);
        maps += n + 1;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %lu", &first, &last, access, &inode) == 4
            && access[1] == 'w' && access[3] == 'p' && inode == 0 && last <= ADDRESSES)
            watch_mapping(first, last);
    }
}

/** hmm_record_cpu_protect - from now on, what is written was written by the CPU: no launch is left */
void hmm_record_cpu_protect(void)
{
    for (size_t i = 0; i < cpu.nwatched; i++) {
        struct uffdio_writeprotect protect = {
            .range = cpu.watched[i],
            .mode = UFFDIO_WRITEPROTECT_MODE_WP,
        };

        /* what was unmapped meanwhile is not there any more */
        while (ioctl(cpu.uffd, UFFDIO_WRITEPROTECT, &protect) != 0 && errno == EAGAIN)
            ;
    }
}
