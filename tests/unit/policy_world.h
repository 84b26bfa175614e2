/* SPDX-License-Identifier: MIT */
/*
 * policy_world.h - a small deterministic world to try migration policies in
 *
 * Blocks, a device of some chunks (one block each), and a bill: faults, copied
 * pages, remote accesses. Not a model of any machine; just enough to see whether a
 * policy does what it is for. The same seed gives the same run.
 *
 * The bill counts what a perfect machine would not pay: an access costs nothing
 * but for the fault, copy or remote access it causes. Time, which policies see,
 * goes on with that and with 50 ns an access.
 *
 * Locking: none.
 */
#ifndef HMMSVM_TEST_POLICY_WORLD_H
#define HMMSVM_TEST_POLICY_WORLD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hmmsvm/policy.h>

enum { WORLD_BLOCKS = 256, WORLD_PAGES = HMMSVM_POLICY_BLOCK_PAGES };

struct world_costs {
    uint64_t device_fault_ns, cpu_fault_ns, copy_page_ns, remote_ns;
    uint32_t fault_around; /* pages that a fault maps where nothing migrates, a power of two */
};

struct world {
    const struct hmmsvm_placement *placement;
    const struct hmmsvm_eviction *eviction;
    struct world_costs costs;
    uint32_t count; /* chunks */
    struct hmmsvm_policy_env env;
    int64_t tunables[HMMSVM_POLICY_TUNABLES];
    struct hmmsvm_policy_block blocks[WORLD_BLOCKS];
    struct hmmsvm_pages mapped[WORLD_BLOCKS], withdrawn[WORLD_BLOCKS];
    struct hmmsvm_policy_chunk chunks[WORLD_BLOCKS];
    int chunk_of[WORLD_BLOCKS], block_of[WORLD_BLOCKS];
    uint64_t eviction_priv[4];
    uint64_t sequence, next_tick, seed, stalled_ns;
    uint64_t device_faults, sampled_faults, cpu_faults, copies, remote, evictions, errors;
};

static inline uint64_t world_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed * 0x2545f4914f6cdd1dull >> 16;
}

static inline struct world *world_new(const struct hmmsvm_placement *placement,
                                      const struct hmmsvm_eviction *eviction,
                                      const struct world_costs *costs, uint32_t chunks)
{
    struct world *w = calloc(1, sizeof(*w));

    if (!w || chunks > WORLD_BLOCKS)
        abort();
    w->placement = placement;
    w->eviction = eviction;
    w->costs = *costs;
    w->count = chunks;
    w->seed = 88172645463325252ull;
    for (uint32_t i = 0; i < placement->nr_tunables; i++)
        w->tunables[i] = placement->tunables[i].value;
    w->env.now_ns = 1000000000;
    w->env.total_pages = (uint64_t)chunks * WORLD_PAGES;
    w->env.tunables = (const __s64 *)w->tunables;
    w->env.device_fault_ns = costs->device_fault_ns;
    w->env.cpu_fault_ns = costs->cpu_fault_ns;
    w->env.copy_page_ns = costs->copy_page_ns;
    for (int i = 0; i < WORLD_BLOCKS; i++) {
        w->blocks[i].start = 0x7f0000000000ull + (uint64_t)i * WORLD_PAGES * 4096;
        w->chunk_of[i] = w->block_of[i] = -1;
    }
    return w;
}

static inline uint64_t world_bill(const struct world *w)
{
    return w->device_faults * w->costs.device_fault_ns + w->cpu_faults * w->costs.cpu_fault_ns +
           w->copies * w->costs.copy_page_ns + w->remote * w->costs.remote_ns;
}

/* What the policy is to see as of now. */
static inline struct hmmsvm_policy_env *world_env(struct world *w, int block)
{
    uint64_t free = 0;

    for (uint32_t i = 0; i < w->count; i++)
        free += w->block_of[i] < 0 ? WORLD_PAGES : 0;
    if (w->chunk_of[block] >= 0)
        free += WORLD_PAGES - w->chunks[w->chunk_of[block]].used;
    w->env.free_pages = free;
    w->env.running_ns = w->env.now_ns - w->stalled_ns;
    w->env.random = world_random(&w->seed);
    return &w->env;
}

/* Time in which nothing else happens. */
static inline void world_stall(struct world *w, uint64_t ns)
{
    w->env.now_ns += ns;
    w->stalled_ns += ns;
}

static inline void world_copy(struct world *w, uint32_t pages)
{
    w->copies += pages;
    world_stall(w, pages * w->costs.copy_page_ns);
}

static inline void world_free_chunk(struct world *w, int chunk)
{
    w->chunk_of[w->block_of[chunk]] = -1;
    w->block_of[chunk] = -1;
    memset(&w->chunks[chunk], 0, sizeof(w->chunks[chunk]));
}

static inline void world_touch(struct world *w, int chunk)
{
    w->chunks[chunk].touched = ++w->sequence;
    w->chunks[chunk].touches++;
    w->chunks[chunk].referenced = true;
}

/* Moves what of [first, first + count) is in device memory back. */
static inline void world_to_system(struct world *w, int b, uint32_t first, uint32_t count)
{
    struct hmmsvm_policy_block *block = &w->blocks[b];
    uint32_t n = hmmsvm_pages_count(&block->resident, first, count);

    if (!n)
        return;
    for (uint32_t p = first; p < first + count; p++) {
        if (hmmsvm_pages_test(&block->resident, p)) {
            hmmsvm_pages_clear(&w->mapped[b], p, 1);
            hmmsvm_pages_clear(&w->withdrawn[b], p, 1);
        }
    }
    hmmsvm_pages_clear(&block->resident, first, count);
    world_copy(w, n);
    w->chunks[w->chunk_of[b]].used = (uint16_t)(w->chunks[w->chunk_of[b]].used - n);
    if (!w->chunks[w->chunk_of[b]].used)
        world_free_chunk(w, w->chunk_of[b]);
}

static inline void world_evict(struct world *w)
{
    int chunk = w->eviction->victim(w->chunks, w->count, (__u64 *)w->eviction_priv), b;

    if (chunk < 0 || w->block_of[chunk] < 0)
        abort();
    b = w->block_of[chunk];
    world_to_system(w, b, 0, WORLD_PAGES);
    w->evictions++;
    w->blocks[b].evictions++;
    w->blocks[b].evicted_ns = w->env.now_ns;
    if (w->placement->evicted)
        w->placement->evicted(world_env(w, b), &w->blocks[b]);
}

static inline void world_to_device(struct world *w, int b, uint32_t first, uint32_t count)
{
    struct hmmsvm_policy_block *block = &w->blocks[b];
    uint32_t n = count - hmmsvm_pages_count(&block->resident, first, count);

    if (n && w->chunk_of[b] < 0) {
        int free = -1;

        while (free < 0) {
            for (uint32_t i = 0; i < w->count && free < 0; i++)
                free = w->block_of[i] < 0 ? (int)i : -1;
            if (free < 0)
                world_evict(w);
        }
        w->chunk_of[b] = free;
        w->block_of[free] = b;
        w->chunks[free].allocated = ++w->sequence;
    }
    if (n) {
        world_copy(w, n);
        w->chunks[w->chunk_of[b]].used = (uint16_t)(w->chunks[w->chunk_of[b]].used + n);
        world_touch(w, w->chunk_of[b]);
        block->migrations++;
        block->migrated_ns = w->env.now_ns;
    }
    hmmsvm_pages_set(&block->resident, first, count);
    hmmsvm_pages_set(&w->mapped[b], first, count);
    hmmsvm_pages_clear(&w->withdrawn[b], first, count);
}

/* The same for all that a decision names, but for the pages that it excepts. */
static inline void world_move(struct world *w, int b, const struct hmmsvm_policy_decision *d,
                              void (*move)(struct world *w, int b, uint32_t first, uint32_t count))
{
    uint32_t page = d->first, end = d->first + d->count, first;

    while (page < end) {
        for (first = page; page < end && !hmmsvm_pages_test(&d->except, page); page++)
            ;
        if (page > first)
            move(w, b, first, page - first);
        page += page < end;
    }
}

/* A range in its block; with the page, if that is not negative. */
static inline bool world_valid(const struct hmmsvm_policy_decision *d, int page)
{
    return d->count && d->first < WORLD_PAGES && d->count <= WORLD_PAGES - d->first &&
           (page < 0 || ((uint32_t)page >= d->first && (uint32_t)page < d->first + d->count &&
                         !hmmsvm_pages_test(&d->except, (uint32_t)page)));
}

static inline void world_tick(struct world *w)
{
    if (w->placement->tick_tunable < 0 || w->env.now_ns < w->next_tick)
        return;
    for (int b = 0; b < WORLD_BLOCKS; b++) {
        struct hmmsvm_policy_decision d = {.action = HMMSVM_ACTION_NONE};

        if (!w->blocks[b].device_faults || !w->placement->tick)
            continue;
        w->placement->tick(world_env(w, b), &w->blocks[b], &d);
        if ((d.action == HMMSVM_ACTION_TO_DEVICE || d.action == HMMSVM_ACTION_TO_SYSTEM) &&
            !world_valid(&d, -1)) {
            w->errors++;
        } else if (d.action == HMMSVM_ACTION_TO_DEVICE) {
            world_to_device(w, b, d.first, d.count);
        } else if (d.action == HMMSVM_ACTION_TO_SYSTEM) {
            world_to_system(w, b, d.first, d.count);
        } else if (d.action == HMMSVM_ACTION_WITHDRAW) {
            for (int i = 0; i < (int)HMMSVM_POLICY_WORDS; i++)
                w->withdrawn[b].bits[i] |= w->mapped[b].bits[i];
            memset(&w->mapped[b], 0, sizeof(w->mapped[b]));
            w->blocks[b].withdrawn_ns = w->env.now_ns;
        }
    }
    w->next_tick =
        w->env.now_ns + (uint64_t)w->tunables[w->placement->tick_tunable] * 1000000ull;
}

static inline void world_device(struct world *w, uint32_t number)
{
    int b = (int)(number / WORLD_PAGES);
    uint32_t page = number % WORLD_PAGES, around = w->costs.fault_around;
    struct hmmsvm_policy_block *block = &w->blocks[b];

    w->env.now_ns += 50;
    world_tick(w);
    if (!hmmsvm_pages_test(&w->mapped[b], page)) {
        struct hmmsvm_policy_fault fault = {
            .page = page,
            .write = true,
            .sampled = hmmsvm_pages_test(&w->withdrawn[b], page),
        };
        struct hmmsvm_policy_decision d = {.action = HMMSVM_ACTION_NONE};

        w->device_faults++;
        w->sampled_faults += fault.sampled;
        world_stall(w, w->costs.device_fault_ns);
        if (hmmsvm_pages_test(&block->resident, page))
            world_touch(w, w->chunk_of[b]);
        if (w->placement->device_fault)
            w->placement->device_fault(world_env(w, b), block, &fault, &d);
        block->device_faults++;
        block->device_ns = w->env.now_ns;
        if (d.action == HMMSVM_ACTION_TO_DEVICE && world_valid(&d, (int)page))
            world_move(w, b, &d, world_to_device);
        else if (d.action != HMMSVM_ACTION_NONE || (d.count && !world_valid(&d, (int)page)))
            w->errors++;
        if (!hmmsvm_pages_test(&w->mapped[b], page)) {
            bool range = d.action == HMMSVM_ACTION_NONE && world_valid(&d, (int)page);
            uint32_t first = range ? d.first : page & ~(around - 1);
            uint32_t count = range ? d.count : around;

            hmmsvm_pages_set(&w->mapped[b], first, count);
            hmmsvm_pages_clear(&w->withdrawn[b], first, count);
        }
    }
    if (!hmmsvm_pages_test(&block->resident, page)) {
        w->remote++;
        w->env.now_ns += w->costs.remote_ns;
    }
}

static inline void world_cpu(struct world *w, uint32_t number)
{
    int b = (int)(number / WORLD_PAGES);
    uint32_t page = number % WORLD_PAGES;
    struct hmmsvm_policy_block *block = &w->blocks[b];
    struct hmmsvm_policy_fault fault = {.page = page, .write = true};
    struct hmmsvm_policy_decision d = {.action = HMMSVM_ACTION_TO_SYSTEM};

    w->env.now_ns += 50;
    world_tick(w);
    if (!hmmsvm_pages_test(&block->resident, page))
        return;
    w->cpu_faults++;
    world_stall(w, w->costs.cpu_fault_ns);
    if (w->placement->cpu_fault) {
        d.action = HMMSVM_ACTION_NONE;
        w->placement->cpu_fault(world_env(w, b), block, &fault, &d);
    } else {
        d.first = page & ~(HMMSVM_POLICY_REGION_PAGES - 1);
        d.count = HMMSVM_POLICY_REGION_PAGES;
    }
    block->cpu_faults++;
    block->cpu_ns = w->env.now_ns;
    if (d.action == HMMSVM_ACTION_TO_SYSTEM && world_valid(&d, (int)page)) {
        world_move(w, b, &d, world_to_system);
    } else {
        w->errors++;
        world_to_system(w, b, page, 1);
    }
}

#endif /* HMMSVM_TEST_POLICY_WORLD_H */
