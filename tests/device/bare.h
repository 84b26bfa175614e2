/* SPDX-License-Identifier: MIT */
/*
 * bare.h - contexts without an engine, which is enough to move memory: quickly made, also by
 * another user, over a node that was opened before
 *
 * Locking: none; as harness.h.
 */
#ifndef HMMSVM_TEST_BARE_H
#define HMMSVM_TEST_BARE_H

#include "devmem.h"

#define BARE_WINDOW      (2ul << 20)
#define BARE_PARAMETERS  "/sys/module/hmmsvm/parameters/"

/** bare_context - makes the caller the application of a context of @fd, in device memory @memory */
static inline void bare_context(int fd, unsigned memory)
{
    struct hmmsvm_create c = {.size = sizeof(c), .window_len = BARE_WINDOW, .memory = memory};
    void *window = mmap(NULL, BARE_WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                        -1, 0);

    CHECK(window != MAP_FAILED);
    c.window_start = (uintptr_t)window;
    CHECK(!ioctl(fd, HMMSVM_IOC_CREATE, &c));
}

/** bare_open - the same over a node of its own; the descriptor */
static inline int bare_open(unsigned memory)
{
    int fd = devmem_node();

    bare_context(fd, memory);
    return fd;
}

/** bare_move - brings @pages from @at on to device memory; how many moved */
static inline uint64_t bare_move(int fd, void *at, uint64_t pages)
{
    struct hmmsvm_migrate m = {.size = sizeof(m), .flags = HMMSVM_MIGRATE_TO_DEVICE,
                               .start = (uintptr_t)at, .length = pages * HARNESS_PAGE};

    CHECK(!ioctl(fd, HMMSVM_IOC_MIGRATE, &m));
    CHECK_EQ(m.pages_moved + m.pages_there + m.pages_failed, pages);
    return m.pages_moved;
}

static inline struct hmmsvm_stats bare_stats(int fd)
{
    struct hmmsvm_stats s = {.size = sizeof(s)};

    CHECK(!ioctl(fd, HMMSVM_IOC_STATS, &s));
    return s;
}

/** bare_eviction - has the context's chunks chosen by policy @name */
static inline void bare_eviction(int fd, const char *name)
{
    struct hmmsvm_policy_choice c = {.size = sizeof(c), .flags = HMMSVM_POLICY_SET_EVICTION};

    snprintf(c.eviction, sizeof(c.eviction), "%s", name);
    CHECK(!ioctl(fd, HMMSVM_IOC_POLICY, &c));
}

/** bare_limit - what is said of limits, after setting @bytes if @set */
static inline struct hmmsvm_limit bare_limit(int fd, bool set, uint64_t bytes)
{
    struct hmmsvm_limit l = {.size = sizeof(l), .flags = set ? HMMSVM_LIMIT_SET : 0,
                             .limit = bytes};

    CHECK(!ioctl(fd, HMMSVM_IOC_LIMIT, &l));
    return l;
}

/** bare_parameter - sets a parameter of the module that is a number; a skip for who may not */
static inline void bare_parameter(const char *name, unsigned value)
{
    char path[128], text[16];

    snprintf(path, sizeof(path), BARE_PARAMETERS "%s", name);
    snprintf(text, sizeof(text), "%u", value);
    if (memory_put(path, text))
        SKIP("%s cannot be set: %s", path, strerror(errno));
}

/**
 * bare_in_turns - contexts in device memory @memory ask for @wants[] chunks one after the other, and
 * again; each has @get[] of them after either round, and loses none in the second
 */
static inline void bare_in_turns(unsigned memory, const unsigned *wants, const unsigned *get,
                                 unsigned n, const char *what)
{
    uint64_t lost[4], *p[4];
    struct hmmsvm_stats s;
    int fd[4];

    for (unsigned i = 0; i < n; i++) {
        fd[i] = bare_open(memory);
        p[i] = devmem_small(wants[i]);
        devmem_fill(p[i], wants[i] * DEVMEM_BLOCK_PAGES, 1000 * i);
    }
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < n; i++)
            bare_move(fd[i], p[i], wants[i] * DEVMEM_BLOCK_PAGES);
        for (unsigned i = 0; i < n; i++) {
            s = bare_stats(fd[i]);
            CHECK_EQ(s.device_pages, get[i] * DEVMEM_BLOCK_PAGES);
            CHECK_EQ(s.failed_no_memory, 0);
            /* What each has after the first round it keeps. */
            if (round)
                CHECK_EQ(s.evictions_by_others, lost[i]);
            lost[i] = s.evictions_by_others;
        }
    }
    for (unsigned i = 0; i < n; i++)
        printf("%s: %u chunks wanted, %u there, %llu lost to others\n", i ? "   " : what, wants[i],
               get[i], (unsigned long long)lost[i]);
    for (unsigned i = 0; i < n; i++) {
        devmem_check(p[i], wants[i] * DEVMEM_BLOCK_PAGES, 1000 * i);
        close(fd[i]);
    }
}

#endif /* HMMSVM_TEST_BARE_H */
