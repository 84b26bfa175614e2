/* SPDX-License-Identifier: MIT */
/*
 * footprint.h - what a process has, and the system for it, that must be after a long run as it was before
 *
 * Locking: none.
 */
#ifndef HMMSVM_TEST_FOOTPRINT_H
#define HMMSVM_TEST_FOOTPRINT_H

#include <malloc.h>

#include "../processes.h"
#include "harness.h"
#include "memory.h"

struct footprint {
    unsigned descriptors, mappings, engines;
    size_t heap;
    unsigned long available_kb;
};

static inline unsigned footprint_lines(const char *path)
{
    FILE *f = fopen(path, "r");
    unsigned n = 0;
    int c;

    CHECK(f);
    while ((c = fgetc(f)) != EOF)
        n += c == '\n';
    fclose(f);
    return n;
}

/*
 * Has the kernel give back what it keeps of freed objects, and no sum counts as available: half-empty slabs, and
 * what KASAN holds to see who uses it after all, up to a 32nd of the memory.
 */
static inline void footprint_shrink(void)
{
    DIR *dir = opendir("/sys/kernel/slab");
    const struct dirent *cache;
    char path[512];

    while (dir && (cache = readdir(dir))) {
        snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", cache->d_name);
        if (cache->d_type == DT_DIR) /* not the other names of merged ones */
            memory_put(path, "1");
    }
    if (dir)
        closedir(dir);
}

/** footprint_engines - how many there are in the whole system */
static inline unsigned footprint_engines(void)
{
    DIR *dir = opendir("/proc");
    unsigned n = 0;
    int pid;

    CHECK(dir);
    while ((pid = process_next(dir, "hmmsvm-engine")))
        n += (unsigned)harness_process_runs(pid);
    closedir(dir);
    return n;
}

static inline struct footprint footprint(void)
{
    struct footprint f = {
        .mappings = footprint_lines("/proc/self/maps"),
        .engines = footprint_engines(),
        .heap = mallinfo2().uordblks,
    };
    DIR *dir = opendir("/proc/self/fd");
    char line[128];
    FILE *file;

    CHECK(dir);
    while (readdir(dir))
        f.descriptors++;
    closedir(dir);
    footprint_shrink();
    file = fopen("/proc/meminfo", "r");
    CHECK(file);
    while (fgets(line, sizeof(line), file))
        sscanf(line, "MemAvailable: %lu", &f.available_kb);
    fclose(file);
    CHECK_GT(f.available_kb, 0);
    /* Free pages that a CPU keeps for itself, up to a hundred MiB, are in no sum of /proc/meminfo. */
    file = fopen("/proc/zoneinfo", "r");
    CHECK(file);
    while (fgets(line, sizeof(line), file)) {
        unsigned long pages;

        if (sscanf(line, " count: %lu", &pages) == 1)
            f.available_kb += pages * (HARNESS_PAGE >> 10);
    }
    fclose(file);
    return f;
}

/**
 * footprint_same - prints both, and checks that @after has no more than @before, and the one engine
 *
 * @slack_kb is memory that comes and goes, and what all that has happened may not add up to.
 */
static inline void footprint_same(const struct footprint *before, const struct footprint *after,
                                  unsigned long slack_kb)
{
    printf("descriptors %u, then %u; mappings %u, %u; engines %u, %u; heap %zu, %zu bytes; "
           "available %lu, %lu KiB\n",
           before->descriptors, after->descriptors, before->mappings, after->mappings, before->engines,
           after->engines, before->heap, after->heap, before->available_kb, after->available_kb);
    CHECK_EQ(after->engines, 1);
    CHECK_EQ(after->descriptors, before->descriptors);
    CHECK_LE(after->heap, before->heap + 65536);
    CHECK_LE(after->mappings, before->mappings + 64); /* mprotect() splits some for a moment */
    CHECK_GE(after->available_kb + slack_kb, before->available_kb);
}

#endif /* HMMSVM_TEST_FOOTPRINT_H */
