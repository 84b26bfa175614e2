/* SPDX-License-Identifier: MIT */
/*
 * cgroup.h - for tests in a memory cgroup of their own
 *
 * The kernel charges memory in batches, of 64 pages and for each CPU, so that memory.current is
 * right up to CGROUP_SLACK pages.
 *
 * Locking: none, one group at a time.
 */
#ifndef HMMSVM_TEST_CGROUP_H
#define HMMSVM_TEST_CGROUP_H

#include <sys/stat.h>

#include "memory.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_SLACK (64 * sysconf(_SC_NPROCESSORS_ONLN) + 64)

static char cgroup_path[128];

/* The path of @file in the group; valid until the next call. */
static inline const char *cgroup_file(const char *file)
{
    static char path[192];

    snprintf(path, sizeof(path), "%s/%s", cgroup_path, file);
    return path;
}

/** cgroup_make - a new group for memory; a skip where there can be none */
static inline void cgroup_make(void)
{
    if (memory_put(CGROUP_ROOT "/cgroup.subtree_control", "+memory"))
        SKIP("no memory cgroups to be had in " CGROUP_ROOT ": %s", strerror(errno));
    snprintf(cgroup_path, sizeof(cgroup_path), CGROUP_ROOT "/hmmsvm-test-%d", getpid());
    CHECK(!mkdir(cgroup_path, 0755));
}

/** cgroup_join - the calling process and its children to come are in the group */
static inline void cgroup_join(void)
{
    CHECK(!memory_put(cgroup_file("cgroup.procs"), "0"));
}

/** cgroup_pages - what is charged to the group, in pages */
static inline long cgroup_pages(void)
{
    long bytes = memory_get(cgroup_file("memory.current"));

    CHECK_GE(bytes, 0);
    return bytes / (long)HARNESS_PAGE;
}

static inline void cgroup_set(const char *file, unsigned long long value)
{
    char text[32];

    snprintf(text, sizeof(text), "%llu", value);
    CHECK(!memory_put(cgroup_file(file), text));
}

/** cgroup_event - how often @name of memory.events has happened */
static inline unsigned long cgroup_event(const char *name)
{
    FILE *f = fopen(cgroup_file("memory.events"), "re");
    unsigned long value;
    char word[64];

    CHECK(f);
    while (fscanf(f, "%63s %lu", word, &value) == 2)
        if (!strcmp(word, name)) {
            fclose(f);
            return value;
        }
    fclose(f);
    FAIL("no %s in memory.events", name);
}

/** cgroup_remove - when all that were in it have ended, for which it waits half a minute */
static inline void cgroup_remove(void)
{
    for (int i = 0; i < 3000 && rmdir(cgroup_path); i++) {
        CHECK_EQ(errno, EBUSY);
        usleep(10000);
    }
    CHECK(access(cgroup_path, F_OK));
}

#endif /* HMMSVM_TEST_CGROUP_H */
