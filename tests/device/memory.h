/* SPDX-License-Identifier: MIT */
/*
 * memory.h - what the tests ask the system about their own memory
 *
 * Locking: none.
 */
#ifndef HMMSVM_TEST_MEMORY_H
#define HMMSVM_TEST_MEMORY_H

#include <fcntl.h>

#include "harness.h"

#define MEMORY_BLOCK (2ul << 20)

/* The entry of /proc/self/pagemap for @p: bit 63 present, bit 62 swapped. */
static inline uint64_t memory_pagemap(const volatile void *p)
{
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    uint64_t entry;

    CHECK(fd >= 0);
    CHECK_EQ(pread(fd, &entry, 8, (off_t)((uintptr_t)p / HARNESS_PAGE * 8)), 8);
    close(fd);
    return entry;
}

static inline int memory_present(const volatile void *p) { return memory_pagemap(p) >> 63 & 1; }
static inline int memory_swapped(const volatile void *p) { return memory_pagemap(p) >> 62 & 1; }

/* A number of kB from the mapping of /proc/self/smaps that holds @p. */
static inline unsigned long memory_smaps(const volatile void *p, const char *field)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    unsigned long start, end, value = 0;
    char line[512];
    int inside = 0;

    CHECK(f);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strchr(line, '-') &&
            strchr(line, '-') < strchr(line, ' '))
            inside = (uintptr_t)p >= start && (uintptr_t)p < end;
        else if (inside && !strncmp(line, field, strlen(field)))
            sscanf(line + strlen(field), ": %lu", &value);
    }
    fclose(f);
    return value;
}

/* The number in a one-line file of sysfs or procfs; -1 if there is no such file. */
static inline long memory_get(const char *path)
{
    FILE *f = fopen(path, "re");
    long value = -1;

    if (!f)
        return -1;
    if (fscanf(f, "%ld", &value) != 1)
        value = -1;
    fclose(f);
    return value;
}

static inline int memory_put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -1;
    n = write(fd, text, strlen(text));
    close(fd);
    return n < 0 ? -1 : 0;
}

/* Whether there is any swap space. */
static inline int memory_has_swap(void)
{
    FILE *f = fopen("/proc/swaps", "re");
    char line[256];
    int lines = 0;

    while (f && fgets(line, sizeof(line), f))
        lines++;
    if (f)
        fclose(f);
    return lines > 1;
}

/* @blocks aligned blocks of 2 MiB of fresh anonymous memory. */
static inline void *memory_blocks(unsigned long blocks)
{
    uint8_t *p = harness_map((blocks + 1) * MEMORY_BLOCK);

    return (void *)(((uintptr_t)p + MEMORY_BLOCK - 1) & ~(MEMORY_BLOCK - 1));
}

#endif /* HMMSVM_TEST_MEMORY_H */
