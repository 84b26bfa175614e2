/* SPDX-License-Identifier: MIT */
/*
 * storm.c - no update is lost while everything happens to the memory at once
 *
 * For some seconds work-groups and host threads add to the same counters,
 * spread over pages, while other threads fork, swap pages out, collapse and
 * split huge pages and move small ones. In the end the counters must hold all
 * that was added to them.
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness.h"
#include "memory.h"

#define BLOCKS 4
#define HUGE_BLOCKS 3 /* the first ones; the last has small pages, which are moved */
#define PAGES (BLOCKS * 512u)
#define GROUPS 2 /* as many as there are workers: each stays to the end */
#define SECONDS 12
#define HOST_THREADS 2

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

struct work {
    uint64_t *memory;
    uint32_t stop;
    uint64_t added[GROUPS];
};

static uint64_t *memory;
static uint32_t stop;
static unsigned forks, outs, collapses, splits, moves;

/* The same walk for host and device: a word in a page, both from the seed. */
static inline void add_all(uint64_t *p, uint32_t rounds, uint64_t seed)
{
    for (uint32_t i = 0; i < rounds; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        __atomic_fetch_add(&p[(seed >> 33) % PAGES * 512 + (seed >> 20) % 8], 1, __ATOMIC_RELAXED);
    }
}

HARNESS_WG static void device_adds(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                                   unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);

    (void)ctx, (void)y, (void)z;
    while (!harness_get(&w->stop)) {
        add_all(w->memory, 10, w->added[x] * GROUPS + x);
        w->added[x] += 10;
    }
}

static void *host_adds(void *arg)
{
    uint64_t *total = arg;

    while (!harness_get(&stop)) {
        add_all(memory, 1000, *total + 77);
        *total += 1000;
        usleep(1000);
    }
    return NULL;
}

static void *forks_thread(void *arg)
{
    (void)arg;
    while (!harness_get(&stop)) {
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (!pid) {
            /* Copies some pages on its side, which must not matter on ours. */
            for (unsigned i = 0; i < PAGES; i += 7)
                memory[i * 512] = 0;
            _exit(0);
        }
        CHECK(waitpid(pid, NULL, 0) == pid);
        forks++;
        usleep(20000);
    }
    return NULL;
}

static void *reclaim_thread(void *arg)
{
    (void)arg;
    for (unsigned i = 0; !harness_get(&stop); i++) {
        uint64_t *block = memory + i % HUGE_BLOCKS * (MEMORY_BLOCK / 8);

        outs += !madvise(block, MEMORY_BLOCK / 4, MADV_PAGEOUT);
        collapses += !madvise(block, MEMORY_BLOCK, MADV_COLLAPSE);
        /* Splits it: a change of the mapping in the middle, and back. */
        splits += !madvise(block + 512 * 100, HARNESS_PAGE, MADV_NOHUGEPAGE);
        splits += !madvise(block + 512 * 100, HARNESS_PAGE, MADV_HUGEPAGE);
        usleep(3000);
    }
    return NULL;
}

static void *move_thread(void *arg)
{
    (void)arg;
    for (unsigned i = 0; !harness_get(&stop); i++) {
        void *pages[64];
        int nodes[64], status[64];

        for (unsigned k = 0; k < 64; k++) {
            pages[k] = memory + (HUGE_BLOCKS * 512 + (i * 64 + k) % 512) * 512;
            nodes[k] = (int)(i & 1);
        }
        /* Node 1 may not exist; then this only looks pages up. */
        moves += syscall(SYS_move_pages, 0, 64ul, pages, nodes, status, 2) >= 0;
        usleep(3000);
    }
    return NULL;
}

int main(void)
{
    uint64_t added[HOST_THREADS] = {0}, want = 0, sum = 0, device = 0;
    pthread_t host[HOST_THREADS], other[3];
    struct hmmsvm_completion c;
    struct hmmsvm_stats s;
    struct harness h;
    struct work *w;
    void *slot;

    harness_open(&h, 2);
    memory = memory_blocks(BLOCKS);
    madvise(memory, HUGE_BLOCKS * MEMORY_BLOCK, MADV_HUGEPAGE);
    /*
     * With DEBUG_VM Linux 6.12 may warn in deferred_split_folio() when a huge page is unmapped in
     * part just as move_pages() has moved it (it queues the page after mapping it; 7.3 before). So
     * what is moved here is never huge.
     */
    madvise(memory + HUGE_BLOCKS * (MEMORY_BLOCK / 8), MEMORY_BLOCK, MADV_NOHUGEPAGE);
    w = harness_map(sizeof(*w));
    w->memory = memory;

    for (unsigned i = 0; i < HOST_THREADS; i++)
        CHECK(!pthread_create(&host[i], NULL, host_adds, &added[i]));
    CHECK(!pthread_create(&other[0], NULL, forks_thread, NULL));
    CHECK(!pthread_create(&other[1], NULL, reclaim_thread, NULL));
    CHECK(!pthread_create(&other[2], NULL, move_thread, NULL));

    harness_submit(&h, device_adds, &slot, w, GROUPS);
    sleep(SECONDS);
    harness_set(&w->stop, 1);
    c = harness_wait(&h);
    CHECK_STATUS(&c, HMMSVM_OK);
    CHECK_EQ(c.groups_run, GROUPS);
    for (unsigned i = 0; i < GROUPS; i++) {
        CHECK_GE(w->added[i], 10);
        device += w->added[i];
    }
    want += device;
    harness_set(&stop, 1);
    for (unsigned i = 0; i < HOST_THREADS; i++) {
        CHECK(!pthread_join(host[i], NULL));
        want += added[i];
    }
    for (unsigned i = 0; i < 3; i++)
        CHECK(!pthread_join(other[i], NULL));

    for (unsigned i = 0; i < PAGES; i++)
        for (unsigned k = 0; k < 8; k++)
            sum += memory[i * 512 + k];
    CHECK_EQ(sum, want);

    s = harness_delta(&h);
    printf("%llu updates by the device, %llu by the host; %u forks, %u swap-outs, %u collapses, %u splits, %u moves; %llu device faults, "
           "%llu invalidations took entries\n", (unsigned long long)device,
           (unsigned long long)(want - device), forks, outs, collapses, splits, moves,
           (unsigned long long)s.device_faults, (unsigned long long)s.invalidations_zapped);
    CHECK_GE(forks, 1);
    CHECK_GE(outs, 1);
    CHECK_GE(s.invalidations_zapped, 10);
    CHECK_EQ(s.failed_faults, 0);
    harness_close(&h);
    return 0;
}
