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

#include <stdbool.h>
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

/** cgroup_try - a new group for memory; NULL, or why there can be none */
static inline const char *cgroup_try(void)
{
    static char why[128];

    if (memory_put(CGROUP_ROOT "/cgroup.subtree_control", "+memory")) {
        snprintf(why, sizeof(why), "no memory cgroups to be had in " CGROUP_ROOT ": %s", strerror(errno));
        return why;
    }
    snprintf(cgroup_path, sizeof(cgroup_path), CGROUP_ROOT "/hmmsvm-test-%d", getpid());
    CHECK(!mkdir(cgroup_path, 0755));
    return NULL;
}

/** cgroup_make - the same, and a skip where there can be none */
static inline void cgroup_make(void)
{
    const char *why = cgroup_try();

    if (why)
        SKIP("%s", why);
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

/* What @file says of @name. */
static inline unsigned long cgroup_value(const char *file, const char *name)
{
    FILE *f = fopen(cgroup_file(file), "re");
    unsigned long value;
    char word[64];

    CHECK(f);
    while (fscanf(f, "%63s %lu", word, &value) == 2)
        if (!strcmp(word, name)) {
            fclose(f);
            return value;
        }
    fclose(f);
    FAIL("no %s in %s", name, file);
}

/*
 * What memory.stat says of @name, in bytes. Each CPU keeps up to a page to itself; the rest is told
 * within two seconds.
 */
#define CGROUP_STAT_SLACK (2 * HARNESS_PAGE * (unsigned long)sysconf(_SC_NPROCESSORS_ONLN))

static inline unsigned long cgroup_stat(const char *name)
{
    return cgroup_value("memory.stat", name);
}

/** cgroup_stat_reaches - waits until that is @wanted at least; a failure after ten seconds */
static inline void cgroup_stat_reaches(const char *name, unsigned long wanted)
{
    for (unsigned i = 0; i < 100 && cgroup_stat(name) < wanted; i++)
        usleep(100000);
    CHECK_GE(cgroup_stat(name), wanted);
}

/** cgroup_event - how often @name of memory.events has happened */
static inline unsigned long cgroup_event(const char *name)
{
    return cgroup_value("memory.events", name);
}

/** cgroup_freeze - freezes the group or thaws it; false if that is not so after HARNESS_PATIENCE_S */
static inline bool cgroup_freeze(int on)
{
    cgroup_set("cgroup.freeze", (unsigned long long)on);
    for (unsigned i = 0; i < HARNESS_PATIENCE_S * 100; i++) {
        if (cgroup_value("cgroup.events", "frozen") == (unsigned long)on)
            return true;
        usleep(10000);
    }
    return false;
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
