/* SPDX-License-Identifier: MIT */
/*
 * devmem.h - for tests of device memory: opening it, moving pages, and looking
 * where they are
 *
 * Locking: none; as harness.h.
 */
#ifndef HMMSVM_TEST_DEVMEM_H
#define HMMSVM_TEST_DEVMEM_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent.h"
#include "memory.h"

#define DEVMEM_BLOCK (2ul << 20)
#define DEVMEM_BLOCK_PAGES 512ul

/* Whether the test holds for memory that the CPU reaches, too. */
static bool devmem_any_kind;

/* Most tests count the CPU's faults, of which there are none where it reaches the memory. */
static inline void devmem_check_kind(const struct hmmsvm_memory *memory)
{
    if (memory->kind == HMMSVM_MEMORY_COHERENT && !devmem_any_kind)
        SKIP("device memory %u is one that the CPU reaches; the coherent_* tests are about those",
             memory->index);
}

/** devmem_open - the device with its memory and @policy; a skip where there is none */
static inline void devmem_open(struct harness *h, unsigned workers, const char *policy)
{
    struct hmmsvm_memory memory;

    /* MPOL_LOCAL: with a policy of its own NUMA balancing takes no entries away, which would count. */
    syscall(SYS_set_mempolicy, 4, NULL, 0ul);
    harness_open(h, workers);
    if (!(h->info.kernel.features & HMMSVM_FEATURE_DEVICE_MEMORY))
        SKIP("the module has no device memory here (devmem_mb, CONFIG_DEVICE_PRIVATE)");
    CHECK_OK(hmmsvm_device_memory(h->dev, &memory));
    devmem_check_kind(&memory);
    CHECK_OK(hmmsvm_device_policy(h->dev, policy, NULL));
    harness_mark(h);
}

/** devmem_move - brings a range over; how many pages moved */
static inline uint64_t devmem_move(struct harness *h, void *start, size_t length, unsigned flags)
{
    struct hmmsvm_migrate m;

    CHECK_OK(hmmsvm_device_migrate(h->dev, start, length, flags, &m));
    return m.pages_moved;
}

/** devmem_request - the same, with all that is said of it; 0 or what the library returns */
static inline int devmem_request(struct harness *h, void *start, size_t length, unsigned flags,
                                 struct hmmsvm_migrate *out)
{
    memset(out, 0, sizeof(*out));
    return hmmsvm_device_migrate(h->dev, start, length, flags, out);
}

/* A request that has to end with @rc, and these counts. */
#define DEVMEM_REQUEST(h, start, length, flags, rc, moved, there, failed)                          \
    do {                                                                                           \
        struct hmmsvm_migrate devmem_m_;                                                           \
                                                                                                   \
        CHECK_EQ(devmem_request(h, start, length, flags, &devmem_m_), rc);                         \
        CHECK_EQ(devmem_m_.pages_moved, moved);                                                    \
        CHECK_EQ(devmem_m_.pages_there, there);                                                    \
        CHECK_EQ(devmem_m_.pages_failed, failed);                                                  \
    } while (0)

#define DEVMEM_TO_DEVICE HMMSVM_MIGRATE_TO_DEVICE
#define DEVMEM_TO_SYSTEM HMMSVM_MIGRATE_TO_SYSTEM

/** devmem_tune - gives the policy's tunable @name that value */
static inline void devmem_tune(struct harness *h, const char *name, int64_t value)
{
    CHECK_OK(hmmsvm_device_tunable(h->dev, name, &value, true, NULL));
}

/** devmem_block - what is known of the block at @p, which the device has used */
static inline struct hmmsvm_residency_block devmem_block(struct harness *h, const void *p)
{
    struct hmmsvm_residency_block block;
    uint64_t start = (uintptr_t)p;
    uint32_t count = 1;

    CHECK_OK(hmmsvm_device_residency(h->dev, &start, &block, &count));
    CHECK_EQ(count, 1);
    CHECK_EQ(block.start, (uintptr_t)p);
    return block;
}

/** devmem_resident - pages of the context in device memory now */
static inline uint64_t devmem_resident(struct harness *h)
{
    struct hmmsvm_stats s;

    CHECK_OK(hmmsvm_device_stats(h->dev, &s));
    return s.device_pages;
}

/** devmem_node - the node, opened without a context of its own */
static inline int devmem_node(void)
{
    const char *node = getenv("HMMSVM_DEVICE");
    int fd = open(node && *node ? node : "/dev/hmmsvm", O_RDWR | O_CLOEXEC);

    CHECK(fd >= 0);
    return fd;
}

/** devmem_memory - what device memory @index is; false if there is none */
static inline bool devmem_memory(unsigned index, struct hmmsvm_memory *out)
{
    int fd = devmem_node(), rc;

    *out = (struct hmmsvm_memory){.size = sizeof(*out), .index = index};
    rc = ioctl(fd, HMMSVM_IOC_MEMORY, out);
    if (rc)
        CHECK_EQ(errno, ENODEV);
    close(fd);
    return !rc;
}

/** devmem_at_most - a test that fills all of @memory skips where that is more than @mib MiB */
static inline void devmem_at_most(const struct hmmsvm_memory *memory, unsigned mib)
{
    if (memory->bytes > (uint64_t)mib << 20)
        SKIP("%llu MiB of device memory are too many for this test",
             (unsigned long long)memory->bytes >> 20);
}

/** devmem_needed - a test that opens its devices in children skips where there is no memory */
static inline void devmem_needed(void)
{
    const char *mode = getenv("HMMSVM_TEST_MODE");
    struct hmmsvm_memory memory;

    if (mode && !strcmp(mode, "direct"))
        SKIP("direct mode has no mirror to test");
    if ((!mode || !*mode) && access("/dev/hmmsvm", F_OK))
        SKIP("there is no /dev/hmmsvm");
    if (!devmem_memory(0, &memory))
        SKIP("the module has no device memory here (devmem_mb, CONFIG_DEVICE_PRIVATE)");
    devmem_check_kind(&memory);
}

/** devmem_coherent - a memory that the CPU reaches is the one that is opened; which, or a skip */
static inline unsigned devmem_coherent(void)
{
    struct hmmsvm_memory memory;
    char text[16];

    devmem_any_kind = true;
    devmem_needed();
    for (unsigned i = 0; devmem_memory(i, &memory); i++) {
        if (memory.kind != HMMSVM_MEMORY_COHERENT)
            continue;
        snprintf(text, sizeof(text), "%u", i);
        CHECK(!setenv("HMMSVM_MEMORY", text, 1));
        return i;
    }
    SKIP("the module has no device memory that the CPU reaches (devmem_range=)");
}

/*
 * Pages of device memory @index in use, by whomever. What freed the last ones may
 * still be at it, so waits until it is @wanted, half a minute at most.
 */
static inline void devmem_used_is(unsigned index, uint64_t wanted)
{
    struct hmmsvm_memory memory;

    for (int i = 0; i < 3000; i++) {
        CHECK(devmem_memory(index, &memory));
        if (memory.used_bytes == wanted * HARNESS_PAGE)
            return;
        usleep(10000);
    }
    CHECK_EQ(memory.used_bytes / HARNESS_PAGE, wanted);
}

/** devmem_chunks - how many memory @index has, for a test that fills all; fewer than @least are a skip */
static inline unsigned devmem_chunks(unsigned index, unsigned least)
{
    struct hmmsvm_memory memory;
    unsigned chunks;

    CHECK(devmem_memory(index, &memory));
    devmem_at_most(&memory, 64);
    chunks = (unsigned)(memory.bytes / DEVMEM_BLOCK);
    if (chunks < least)
        SKIP("%u chunks of device memory are too few for this test", chunks);
    devmem_used_is(index, 0);
    return chunks;
}

/** devmem_child_ok - waits for a child that has to end with 0 */
static inline void devmem_child_ok(pid_t pid)
{
    int status;

    CHECK(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == HARNESS_SKIP)
        _exit(HARNESS_SKIP);
    CHECK_EQ(status, 0);
}

/** devmem_settle - pages that some CPU still holds to put them on a list are let go of */
static inline void devmem_settle(void)
{
    memory_put("/proc/sys/vm/drop_caches", "1");
}

/** devmem_small - a mapping of small pages, aligned to a block */
static inline void *devmem_small(unsigned blocks)
{
    void *p = memory_blocks(blocks);

    CHECK(!madvise(p, blocks * DEVMEM_BLOCK, MADV_NOHUGEPAGE));
    return p;
}

/* Writes a word that says where it is into each page. */
static inline void devmem_fill(void *p, size_t pages, uint64_t seed)
{
    for (size_t i = 0; i < pages; i++)
        ((uint64_t *)p)[i * 512 + i % 512] = seed + i;
}

static inline void devmem_check(const void *p, size_t pages, uint64_t seed)
{
    for (size_t i = 0; i < pages; i++)
        CHECK_EQ(((const uint64_t *)p)[i * 512 + i % 512], seed + i);
}

#endif /* HMMSVM_TEST_DEVMEM_H */
