/* SPDX-License-Identifier: MIT */
/*
 * sim.c - one replay of a trace: what the mirror, the policy and migration would do
 *
 * Follows kmod/mirror.c (what a fault maps), block.c (when a policy is asked and what it is told),
 * migrate.c (what moves, what has to leave for it) and range.c (which entries go), for one
 * application whose device runs one access after the other. Left out is what only happens when
 * several threads meet (retries, busy pages), and memory that cannot move.
 *
 * Time goes on with what the machine's costs say, one thing after the other, and with what the
 * trace says; nothing is hidden behind anything else. No locking: a replay is one thread's.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "state.h"

/* As in block.c and migrate.c of the module. */
#define SIM_TICK_ACTIONS 64
#define SIM_TICK_BLOCKS 4096
#define SIM_VICTIMS 8
#define SIM_START_NS 1000000000ull
#define SIM_PS 1000ull
#define SIM_PS_PER_MS 1000000000ull

static const struct hmmsvm_pages all_pages = {
    { ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull }
};
static const struct hmmsvm_pages no_pages;

const char *sim_fault_text(enum sim_fault fault)
{
    switch (fault) {
    case SIM_FINE: return "fine";
    case SIM_BAD_RANGE:
        return "asked for a range that leaves its block or misses the page of the fault";
    case SIM_BAD_ACTION: return "answered with an action that is none";
    case SIM_BAD_VICTIM: return "chose a victim that is not in use or not there";
    case SIM_NO_VICTIM: return "found no victim although device memory is full";
    case SIM_WROTE: return "changed what it may only read";
    case SIM_BAD_TUNABLES: return "declares tunables that make no sense";
    case SIM_CRASHED: return "crashed";
    case SIM_HUNG: return "did not come back";
    }
    return "?";
}

void sim_wrong(struct sim *s, enum sim_fault fault)
{
    if (!s->result->faults++)
        s->result->fault = fault;
}

static bool pages_equal(const struct hmmsvm_pages *a, const struct hmmsvm_pages *b)
{
    return !memcmp(a, b, sizeof(*a));
}

static bool pages_none(const struct hmmsvm_pages *set)
{
    uint64_t any = 0;

    for (uint32_t i = 0; i < SIM_WORDS; i++)
        any |= set->bits[i];
    return !any;
}

/* ---- time ---------------------------------------------------------------------------------- */

static void spend(struct sim *s, uint64_t ps)
{
    s->now_ps += ps;
    s->memory_ps += ps;
    s->stalled_ps += ps;
}

static uint64_t now_ns(const struct sim *s)
{
    return s->now_ps / SIM_PS;
}

/* A cost as policies are told of it: never 0. */
static __u64 cost_ns(uint64_t ps)
{
    return ps < SIM_PS ? 1 : ps / SIM_PS;
}

/* A running average that forgets slowly; of the first sample that there is, that one. */
static void average(__u64 *value, bool *observed, uint64_t sample)
{
    *value = *observed ? (*value * 15 + sample) / 16 : sample;
    *observed = true;
    if (!*value)
        *value = 1;
}

/* ---- asking the policy --------------------------------------------------------------------- */

static void env_update(struct sim *s)
{
    struct hmmsvm_policy_env *env = &s->env;

    env->now_ns = now_ns(s);
    env->running_ns = (s->now_ps - s->stalled_ps) / SIM_PS - SIM_START_NS;
    env->total_pages = (uint64_t)s->dm.count * SIM_BLOCK_PAGES;
    env->free_pages = (uint64_t)s->dm.free_regions * SIM_REGION_PAGES;
    env->random ^= env->random << 13;
    env->random ^= env->random >> 7;
    env->random ^= env->random << 17;
}

/* What it was told before it was asked, to see whether it wrote where it may not. */
struct asked {
    struct hmmsvm_policy_block block;
    struct hmmsvm_policy_env env;
};

static void ask(struct sim *s, const struct sim_block *block, struct asked *before)
{
    env_update(s);
    memcpy(&before->block, &block->policy, offsetof(struct hmmsvm_policy_block, priv));
    memcpy(&before->env, &s->env, offsetof(struct hmmsvm_policy_env, priv));
}

static void asked(struct sim *s, struct sim_block *block, const struct asked *before)
{
    if (!memcmp(&before->block, &block->policy, offsetof(struct hmmsvm_policy_block, priv)) &&
        !memcmp(&before->env, &s->env, offsetof(struct hmmsvm_policy_env, priv)))
        return;
    sim_wrong(s, SIM_WROTE);
    memcpy(&block->policy, &before->block, offsetof(struct hmmsvm_policy_block, priv));
    memcpy(&s->env, &before->env, offsetof(struct hmmsvm_policy_env, priv));
}

static bool decision_valid(const struct hmmsvm_policy_decision *d, uint32_t page)
{
    return d->first < SIM_BLOCK_PAGES && d->count && d->count <= SIM_BLOCK_PAGES - d->first &&
           page >= d->first && page < d->first + d->count &&
           !hmmsvm_pages_test(&d->except, page);
}

static void decision_wrong(struct sim *s, enum sim_fault fault)
{
    s->count->policy_errors++;
    sim_wrong(s, fault);
}

/* ---- entries of the engine ----------------------------------------------------------------- */

/* Takes entries away. One for the whole block goes whole, whatever part of it was meant. */
static void zap(struct sim_block *block, uint32_t first, uint32_t count)
{
    if (block->huge_entry) {
        first = 0;
        count = SIM_BLOCK_PAGES;
        block->huge_entry = false;
    }
    hmmsvm_pages_clear(&block->mapped, first, count);
    hmmsvm_pages_clear(&block->writable, first, count);
}

/* The part of [first, first + count) around page that lies in the same mapping. */
static void clip(const struct sim_block *block, uint32_t page, uint32_t *first, uint32_t *count)
{
    uint32_t begin = page, end = page + 1;

    if (pages_equal(&block->valid, &all_pages))
        return;
    while (begin > *first && hmmsvm_pages_test(&block->valid, begin - 1))
        begin--;
    while (end < *first + *count && hmmsvm_pages_test(&block->valid, end))
        end++;
    *first = begin;
    *count = end - begin;
}

/* Whether system memory around a fault is mapped no further than its region. */
static bool confined(const struct sim *s)
{
    return s->setup->placement->device_fault != NULL;
}

/* Whether the policy wants the device to see a range where it is. */
static bool has_range(const struct hmmsvm_policy_decision *d)
{
    return d->action == HMMSVM_ACTION_NONE && d->count;
}

/* Which system memory may get an entry unasked by a fault on page. */
static struct hmmsvm_pages shown(const struct sim *s, uint32_t page,
                                 const struct hmmsvm_policy_decision *d)
{
    struct hmmsvm_pages see = no_pages;

    if (!confined(s))
        return all_pages;
    if (has_range(d))
        hmmsvm_pages_set(&see, d->first, d->count);
    else
        hmmsvm_pages_set(&see, page & ~(SIM_REGION_PAGES - 1), SIM_REGION_PAGES);
    return see;
}

/* Sets the entries that a fault on page sets, as mirror_set(); of system memory those of see. */
static void set_entries(struct sim *s, uint32_t b, uint32_t page, bool write,
                        const struct hmmsvm_pages *see, const struct hmmsvm_policy_decision *d)
{
    struct sim_block *block = &s->blocks[b];
    uint32_t around = s->setup->fault_around, first = page & ~(around - 1), count = around, i;
    bool device = hmmsvm_pages_test(&block->policy.resident, page);

    clip(block, page, &first, &count);
    write = write || d->writable;
    if (!block->table && count == SIM_BLOCK_PAGES &&
        (device ? pages_equal(&block->policy.resident, &all_pages) &&
                  sim_devmem_contiguous(s, b) : block->whole && pages_equal(see, &all_pages))) {
        if (!block->huge_entry) {
            s->count->pages_mirrored += SIM_BLOCK_PAGES;
            if (device)
                s->count->pages_mirrored_device += SIM_BLOCK_PAGES;
        }
        block->huge_entry = true;
        block->mapped = all_pages;
        if (write)
            block->writable = all_pages;
        return;
    }
    /* Small entries take its place. */
    if (block->huge_entry)
        zap(block, 0, SIM_BLOCK_PAGES);
    block->table = true;
    for (i = 0; i < SIM_WORDS; i++) {
        uint64_t resident = block->policy.resident.bits[i];
        uint64_t system = block->exists.bits[i] & ~resident & see->bits[i], set;

        set = (resident | system) & hmmsvm_pages_mask(i, first, count);
        s->count->pages_mirrored += (unsigned)__builtin_popcountll(set & ~block->mapped.bits[i]);
        s->count->pages_mirrored_device +=
            (unsigned)__builtin_popcountll(set & resident & ~block->mapped.bits[i]);
        block->mapped.bits[i] |= set;
        if (write)
            block->writable.bits[i] |= set & ~block->zero.bits[i];
    }
}

/* ---- to system memory ---------------------------------------------------------------------- */

enum reason { REASON_CPU, REASON_EVICTION, REASON_REQUEST };

/*
 * What of [first, first + count), but for those pages, is in device memory goes back. Returns how
 * many pages.
 */
static uint32_t to_system(struct sim *s, uint32_t b, uint32_t first, uint32_t count,
                          const struct hmmsvm_pages *except, enum reason reason)
{
    struct sim_block *block = &s->blocks[b];
    struct hmmsvm_pages go;
    uint32_t n, i;

    for (i = 0; i < SIM_WORDS; i++)
        go.bits[i] = block->policy.resident.bits[i] & ~except->bits[i];
    n = hmmsvm_pages_count(&go, first, count);

    if (reason != REASON_EVICTION)
        zap(block, first, count);
    if (!n)
        return 0;
    if (block->whole && n == SIM_BLOCK_PAGES)
        s->count->huge_to_system++;
    else
        block->whole = false;
    for (i = first; i < first + count; i++) {
        if (!hmmsvm_pages_test(&go, i))
            continue;
        if (reason == REASON_EVICTION) {
            zap(block, i, 1);
            hmmsvm_pages_set(&block->evicted, i, 1);
        }
        sim_devmem_free(s, b, i);
    }
    s->count->pages_to_system += n;
    if (reason == REASON_CPU)
        s->count->pages_to_system_cpu += n;
    else if (reason == REASON_EVICTION)
        s->count->pages_to_system_evicted += n;
    spend(s, n * s->machine->to_system_page_ps);
    return n;
}

/* Evicts a chunk, that of the victim if it is there. False if there is no hope. */
static bool make_room(struct sim *s, uint64_t victim)
{
    uint32_t c = SIM_NONE, i, last = SIM_NONE;
    struct sim_chunk *chunk;
    bool counted = false;

    if (victim)
        c = sim_devmem_named(s, victim);
    if (c == SIM_NONE)
        c = sim_devmem_victim(s);
    if (c == SIM_NONE)
        return false;
    chunk = &s->dm.chunks[c];
    for (i = 0; i < SIM_REGIONS; i++) {
        const struct sim_region *region = &chunk->regions[i];
        struct sim_block *block;
        struct asked before;

        if (!region->used)
            continue;
        s->count->evictions += !counted;
        counted = true;
        if (region->block == last)
            continue;
        last = region->block;
        block = &s->blocks[last];
        env_update(s);
        block->policy.evictions++;
        block->policy.evicted_ns = s->env.now_ns;
        if (!s->setup->placement->evicted)
            continue;
        memcpy(&before.block, &block->policy, offsetof(struct hmmsvm_policy_block, priv));
        memcpy(&before.env, &s->env, offsetof(struct hmmsvm_policy_env, priv));
        s->setup->placement->evicted(&s->env, &block->policy);
        asked(s, block, &before);
    }
    spend(s, s->machine->copy_ps);
    for (i = 0; i < SIM_REGIONS; i++) {
        const struct sim_region *region = &chunk->regions[i];

        if (!region->used)
            continue;
        /* A huge page goes at once, and with it all regions. */
        if (s->blocks[region->block].whole)
            to_system(s, region->block, 0, SIM_BLOCK_PAGES, &no_pages, REASON_EVICTION);
        else
            to_system(s, region->block, region->number * SIM_REGION_PAGES, SIM_REGION_PAGES,
                      &no_pages, REASON_EVICTION);
    }
    sim_devmem_evicted(s, c);
    return true;
}

/* ---- to device memory ---------------------------------------------------------------------- */

/*
 * Brings [first, first + count) of one mapping, but for those pages, to device memory, as far as
 * there is room. How many pages that was.
 */
static uint32_t to_device(struct sim *s, uint32_t b, uint32_t first, uint32_t count,
                          const struct hmmsvm_pages *except, uint64_t victim)
{
    struct sim_block *block = &s->blocks[b];
    uint32_t pages = 0, zeroed = 0, refaults = 0, tries, i;
    uint64_t begin;

    for (tries = 0; sim_devmem_reserve(s, b, first, count) && tries < SIM_VICTIMS; tries++)
        if (!make_room(s, tries ? 0 : victim))
            break;
    begin = now_ns(s);
    zap(block, first, count);
    if (count == SIM_BLOCK_PAGES && pages_none(&block->policy.resident) && pages_none(except) &&
        (block->whole || pages_none(&block->exists)) && sim_devmem_alloc_huge(s, b)) {
        pages = SIM_BLOCK_PAGES;
        zeroed = block->whole ? 0 : SIM_BLOCK_PAGES;
        refaults = hmmsvm_pages_count(&block->evicted, 0, SIM_BLOCK_PAGES);
        hmmsvm_pages_clear(&block->evicted, 0, SIM_BLOCK_PAGES);
        block->whole = true;
        block->exists = all_pages;
        s->count->huge_to_device++;
    } else {
        for (i = first; i < first + count; i++) {
            uint64_t bit = 1ull << (i % 64);

            if ((block->policy.resident.bits[i / 64] | except->bits[i / 64]) & bit)
                continue;
            if (!sim_devmem_alloc(s, b, i)) {
                s->count->failed_no_memory++;
                continue;
            }
            pages++;
            zeroed += !(block->exists.bits[i / 64] & bit) || (block->zero.bits[i / 64] & bit);
            refaults += (block->evicted.bits[i / 64] & bit) != 0;
            block->exists.bits[i / 64] |= bit;
            block->zero.bits[i / 64] &= ~bit;
            block->evicted.bits[i / 64] &= ~bit;
        }
        if (pages)
            block->whole = false;
    }
    sim_devmem_unreserve(s, b);
    if (!pages)
        return 0;
    spend(s, s->machine->copy_ps + zeroed * s->machine->zero_page_ps +
             (pages - zeroed) * s->machine->to_device_page_ps);
    s->count->migrations_to_device++;
    s->count->pages_to_device += pages;
    s->count->pages_zeroed += zeroed;
    s->count->refaults += refaults;
    block->policy.migrations++;
    block->policy.migrated_ns = now_ns(s);
    if (zeroed <= pages / 2)
        average(&s->env.copy_page_ns, &s->observed.copy_page, (now_ns(s) - begin) / pages);
    return pages;
}

/* ---- faults -------------------------------------------------------------------------------- */

/* Where sequential accesses to fresh memory are expected to go on, as range.c has it. */
struct stream_range {
    uint32_t next;
    struct {
        uint64_t expected;
        uint32_t pages;
    } streams[8];
};

/*
 * The application touches pages of its memory that are not in device memory. A write replaces the
 * shared page of zeros, whose entry goes.
 */
static void app_touch_word(struct sim_block *block, uint32_t word, uint64_t mask, bool write)
{
    if (write) {
        block->mapped.bits[word] &= ~(block->zero.bits[word] & mask);
        block->zero.bits[word] &= ~mask;
    } else {
        block->zero.bits[word] |= mask & ~block->exists.bits[word];
    }
    block->exists.bits[word] |= mask;
}

static void app_touch(struct sim_block *block, uint32_t first, uint32_t count, bool write)
{
    uint32_t i;

    for (i = 0; i < SIM_WORDS; i++)
        app_touch_word(block, i, hmmsvm_pages_mask(i, first, count), write);
}

/* The application's own fault on behalf of a device that uses the page there. */
static void bring_in(struct sim *s, struct stream_range **ranges, uint32_t b, uint32_t page,
                     bool write, const struct hmmsvm_policy_decision *d)
{
    struct sim_block *block = &s->blocks[b];
    uint64_t number = s->setup->layout->start[b] + page;
    struct stream_range *range;
    uint32_t pages = 1, i = 0, first = page, count = SIM_BLOCK_PAGES - page;

    app_touch(block, page, 1, write);
    s->count->app_faults++;
    if (has_range(d))
        count = d->first + d->count - page;
    else if (confined(s))
        return;
    range = ranges[number >> 18];
    if (!range) {
        range = calloc(1, sizeof(*range));
        if (!range)
            return;
        ranges[number >> 18] = range;
    }
    if (d->populate && has_range(d)) {
        pages = s->setup->fault_around;
        i = 8;
    }
    for (; i < 8 && range->streams[i].expected != number; i++)
        ;
    if (i < 8) {
        pages = 2 * range->streams[i].pages;
        if (pages > s->setup->fault_around)
            pages = s->setup->fault_around;
    } else {
        i = range->next;
        range->next = (i + 1) % 8;
    }
    clip(block, page, &first, &count);
    count = pages < count ? pages : count;
    range->streams[i].expected = number + count;
    range->streams[i].pages = pages;
    app_touch(block, page, count, write);
}

static void device_fault(struct sim *s, struct stream_range **ranges, uint32_t b, uint32_t page,
                         bool write)
{
    struct sim_block *block = &s->blocks[b];
    const struct hmmsvm_placement *placement = s->setup->placement;
    struct hmmsvm_policy_decision d = { .action = HMMSVM_ACTION_NONE };
    struct hmmsvm_policy_fault fault = { .page = page, .write = write };
    bool resident = hmmsvm_pages_test(&block->policy.resident, page);
    bool exists = hmmsvm_pages_test(&block->exists, page) &&
                  !(write && hmmsvm_pages_test(&block->zero, page));
    uint32_t moved = 0;
    struct asked before;
    struct hmmsvm_pages see;

    block->used = true;
    s->count->device_faults++;
    s->count->device_write_faults += write;
    spend(s, s->machine->device_fault_ps);
    fault.sampled = block->withdrawn;
    fault.absent = !hmmsvm_pages_test(&block->exists, page);
    block->withdrawn = false;
    s->count->sampled_faults += fault.sampled;
    if (resident)
        sim_devmem_touch(s, b, page);
    ask(s, block, &before);
    if (placement->device_fault && (!resident || fault.sampled)) {
        placement->device_fault(&s->env, &block->policy, &fault, &d);
        asked(s, block, &before);
        if (d.action != HMMSVM_ACTION_TO_DEVICE && d.action != HMMSVM_ACTION_NONE) {
            decision_wrong(s, SIM_BAD_ACTION);
            d = (struct hmmsvm_policy_decision){ 0 };
        } else if ((d.action == HMMSVM_ACTION_TO_DEVICE || d.count) && !decision_valid(&d, page)) {
            decision_wrong(s, SIM_BAD_RANGE);
            d = (struct hmmsvm_policy_decision){ 0 };
        }
        if (resident && d.action == HMMSVM_ACTION_TO_DEVICE) {
            d.action = HMMSVM_ACTION_NONE;
            d.count = 0;
        }
    }
    block->policy.device_faults++;
    block->policy.device_ns = s->env.now_ns;

    if (!resident && d.action == HMMSVM_ACTION_TO_DEVICE) {
        clip(block, page, &d.first, &d.count);
        if (exists || !hmmsvm_pages_test(&block->exists, page))
            moved = to_device(s, b, d.first, d.count, &d.except, d.victim);
        if (!exists && !hmmsvm_pages_test(&block->policy.resident, page)) {
            /* It has no page of its own, nor was there room for one: it gets one before. */
            s->count->app_faults++;
            app_touch(block, page, 1, write);
            moved += to_device(s, b, d.first, d.count, &d.except, d.victim);
        }
    } else if (!exists) {
        bring_in(s, ranges, b, page, write, &d);
    }
    /* Not where the application's own fault is a part of it. */
    if (moved || exists)
        average(&s->env.device_fault_ns, &s->observed.device_fault,
                s->machine->device_fault_ps / SIM_PS);
    see = shown(s, page, &d);
    set_entries(s, b, page, write, &see, &d);
}

/* Asks what of the block is to come back as the CPU used, or is about to use, that page. */
static struct hmmsvm_policy_decision cpu_ask(struct sim *s, struct sim_block *block,
                                             const struct hmmsvm_policy_fault *fault)
{
    struct hmmsvm_policy_decision d = {
        .first = fault->page & ~(SIM_REGION_PAGES - 1),
        .count = SIM_REGION_PAGES,
    };
    struct asked before;

    ask(s, block, &before);
    if (!fault->ahead) {
        block->policy.cpu_faults++;
        before.block.cpu_faults++;
    }
    if (s->setup->placement->cpu_fault) {
        d.count = 0;
        s->setup->placement->cpu_fault(&s->env, &block->policy, fault, &d);
        asked(s, block, &before);
        if (fault->ahead && !d.count)
            return d;
        if (!decision_valid(&d, fault->ahead ? d.first : fault->page)) {
            decision_wrong(s, SIM_BAD_RANGE);
            d = (struct hmmsvm_policy_decision){ .first = fault->page, .count = !fault->ahead };
        }
    }
    if (!d.count)
        return d;
    if (!fault->ahead)
        block->policy.cpu_ns = s->env.now_ns;
    if (block->whole) {
        d.first = 0;
        d.count = SIM_BLOCK_PAGES;
        d.except = no_pages;
    }
    clip(block, fault->ahead ? d.first : fault->page, &d.first, &d.count);
    return d;
}

/* Blocks that follow the one that the CPU faulted in. */
static void cpu_ahead(struct sim *s, uint32_t b, uint32_t blocks)
{
    if (blocks > HMMSVM_POLICY_AHEAD)
        blocks = HMMSVM_POLICY_AHEAD;
    while (blocks--) {
        struct hmmsvm_policy_fault fault = { .ahead = true };
        struct hmmsvm_policy_decision d;
        struct sim_block *block;

        if (++b >= s->setup->layout->count ||
            s->setup->layout->start[b] != s->setup->layout->start[b - 1] + SIM_BLOCK_PAGES)
            return;
        block = &s->blocks[b];
        if (pages_none(&block->policy.resident))
            return;
        d = cpu_ask(s, block, &fault);
        if (!d.count)
            return;
        spend(s, s->machine->copy_ps);
        if (!to_system(s, b, d.first, d.count, &d.except, REASON_CPU))
            return;
    }
}

static void cpu_fault(struct sim *s, uint32_t b, uint32_t page, bool write)
{
    struct hmmsvm_policy_fault fault = { .page = page, .write = write };
    uint64_t begin = now_ns(s), took, copy;
    struct hmmsvm_policy_decision d;
    uint32_t n;

    s->count->cpu_faults++;
    d = cpu_ask(s, &s->blocks[b], &fault);
    spend(s, s->machine->cpu_fault_ps + s->machine->copy_ps);
    n = to_system(s, b, d.first, d.count, &d.except, REASON_CPU);
    took = now_ns(s) - begin;
    copy = n * s->env.copy_page_ns;
    average(&s->env.cpu_fault_ns, &s->observed.cpu_fault, took > copy ? took - copy : 1);
    cpu_ahead(s, b, d.ahead);
}

/* ---- ticks --------------------------------------------------------------------------------- */

static uint64_t tick_ps(const struct sim *s)
{
    const struct hmmsvm_placement *p = s->setup->placement;

    if (!p->tick || p->tick_tunable < 0)
        return 0;
    return (uint64_t)s->tunables[p->tick_tunable] * SIM_PS_PER_MS;
}

static void tick_migrate(struct sim *s, uint32_t b, const struct hmmsvm_policy_decision *d)
{
    struct sim_block *block = &s->blocks[b];
    uint32_t at = d->first, end = d->first + d->count;

    while (at < end) {
        uint32_t first = at, count = end - at;

        if (!hmmsvm_pages_test(&block->valid, at)) {
            at++;
            continue;
        }
        clip(block, at, &first, &count);
        if (d->action == HMMSVM_ACTION_TO_DEVICE) {
            to_device(s, b, first, count, &d->except, d->victim);
            /* The device sees at once what came. */
            if (hmmsvm_pages_test(&block->policy.resident, first)) {
                set_entries(s, b, first, false, &no_pages, d);
                block->withdrawn = false;
            }
        } else if (d->action == HMMSVM_ACTION_TO_SYSTEM) {
            spend(s, s->machine->copy_ps);
            to_system(s, b, first, count, &d->except, REASON_REQUEST);
        }
        at = first + count;
    }
}

/* The device sees the range where it is; what it saw before stays. */
static void tick_show(struct sim *s, uint32_t b, const struct hmmsvm_policy_decision *d)
{
    struct hmmsvm_pages see = no_pages;
    uint32_t i;

    if (s->blocks[b].huge_entry)
        return;
    s->count->shows++;
    spend(s, s->machine->withdraw_ps);
    hmmsvm_pages_set(&see, d->first, d->count);
    for (i = 0; i < SIM_WORDS; i++)
        see.bits[i] &= ~d->except.bits[i];
    set_entries(s, b, d->first, false, &see, d);
    s->blocks[b].withdrawn = false;
}

static void tick(struct sim *s)
{
    uint32_t b = s->tick_next, actions = 0, blocks = 0;

    s->tick_next = 0;
    for (; b < s->setup->layout->count; b++) {
        struct hmmsvm_policy_decision d = { .action = HMMSVM_ACTION_NONE };
        struct sim_block *block = &s->blocks[b];
        struct asked before;

        if (!block->used)
            continue;
        ask(s, block, &before);
        s->setup->placement->tick(&s->env, &block->policy, &d);
        asked(s, block, &before);
        switch (d.action) {
        case HMMSVM_ACTION_NONE:
        case HMMSVM_ACTION_TO_DEVICE:
        case HMMSVM_ACTION_TO_SYSTEM:
            if (d.action == HMMSVM_ACTION_NONE && !d.count)
                break;
            if (!decision_valid(&d, d.first))
                decision_wrong(s, SIM_BAD_RANGE);
            else if (d.action == HMMSVM_ACTION_NONE)
                tick_show(s, b, &d);
            else
                tick_migrate(s, b, &d);
            actions++;
            break;
        case HMMSVM_ACTION_WITHDRAW:
            block->withdrawn = true;
            block->policy.withdrawn_ns = now_ns(s);
            zap(block, 0, SIM_BLOCK_PAGES);
            s->count->withdrawals++;
            spend(s, s->machine->withdraw_ps);
            actions++;
            break;
        default:
            decision_wrong(s, SIM_BAD_ACTION);
            actions++;
        }
        if (actions == SIM_TICK_ACTIONS || ++blocks == SIM_TICK_BLOCKS) {
            s->tick_next = b + 1;
            break;
        }
    }
}

static void tick_if_due(struct sim *s)
{
    if (s->now_ps < s->next_tick_ps)
        return;
    tick(s);
    s->next_tick_ps = s->now_ps + tick_ps(s);
}

/* Time in which nothing else happens. */
static void pass(struct sim *s, uint64_t ps)
{
    uint64_t end = s->now_ps + ps;

    while (s->next_tick_ps <= end) {
        if (s->now_ps < s->next_tick_ps)
            s->now_ps = s->next_tick_ps;
        tick_if_due(s);
    }
    if (s->now_ps < end)
        s->now_ps = end;
}

/* ---- accesses ------------------------------------------------------------------------------ */

/* Uses the pages of mask in that word; all have entries. */
static void use(struct sim *s, const struct sim_block *block, uint32_t word, uint64_t mask,
                uint64_t weight)
{
    uint64_t local = (unsigned)__builtin_popcountll(mask & block->policy.resident.bits[word]);
    uint64_t remote = (unsigned)__builtin_popcountll(mask) - local;

    s->count->accesses_local += local;
    s->count->accesses_remote += remote;
    local *= weight;
    remote *= weight;
    s->count->lines_local += local;
    s->count->lines_remote += remote;
    spend(s, local * s->machine->local_line_ps + remote * s->machine->remote_line_ps);
    s->stalled_ps -= local * s->machine->local_line_ps + remote * s->machine->remote_line_ps;
    tick_if_due(s);
}

static void device_word(struct sim *s, struct stream_range **ranges, uint32_t b, uint32_t word,
                        uint64_t mask, bool write, uint64_t weight)
{
    struct sim_block *block = &s->blocks[b];

    block->valid.bits[word] |= mask;
    for (;;) {
        uint64_t fine = write ? block->writable.bits[word] : block->mapped.bits[word];
        uint64_t absent = mask & ~fine, before;

        if (!absent) {
            use(s, block, word, mask, weight);
            return;
        }
        before = mask & ((absent & -absent) - 1);
        if (before) {
            use(s, block, word, before, weight);
            mask &= ~before;
            /* A tick may have taken entries away. */
            continue;
        }
        device_fault(s, ranges, b, word * 64 + (uint32_t)__builtin_ctzll(absent), write);
    }
}

static void cpu_word(struct sim *s, uint32_t b, uint32_t word, uint64_t mask, bool write)
{
    struct sim_block *block = &s->blocks[b];
    uint64_t resident;

    block->valid.bits[word] |= mask;
    while ((resident = mask & block->policy.resident.bits[word]))
        cpu_fault(s, b, word * 64 + (uint32_t)__builtin_ctzll(resident), write);
    app_touch_word(block, word, mask, write);
    tick_if_due(s);
}

static void access_run(struct sim *s, struct stream_range **ranges,
                       const struct hmmsvm_trace_event *e)
{
    uint64_t page = e->page, left = e->count;

    s->result->accesses += e->count;
    while (left) {
        uint32_t b = sim_layout_block(s->setup->layout, page), word = page % SIM_BLOCK_PAGES / 64;
        uint32_t bit = page % 64;
        uint64_t mask = 0;

        if (e->stride == 1) {
            uint64_t n = left < 64 - bit ? left : 64 - bit;

            mask = (n == 64 ? ~0ull : (1ull << n) - 1) << bit;
            left -= n;
            page += n;
        } else {
            do {
                mask |= 1ull << (page % 64);
                page += e->stride;
                left--;
                bit += (uint32_t)(e->stride < 64 ? e->stride : 64);
            } while (left && bit < 64);
        }
        if (e->cpu)
            cpu_word(s, b, word, mask, e->write);
        else
            device_word(s, ranges, b, word, mask, e->write, e->weight);
    }
}

/* Memory is allocated, or freed and then not valid unless all is. */
static void map_range(struct sim *s, uint64_t page, uint64_t left, bool alloc)
{
    while (left) {
        uint32_t first = page % SIM_BLOCK_PAGES, n = SIM_BLOCK_PAGES - first, i;

        if (n > left)
            n = (uint32_t)left;
        /* What is freed may never have been used. */
        if (s->setup->layout->number[page / SIM_BLOCK_PAGES]) {
            uint32_t b = sim_layout_block(s->setup->layout, page);
            struct sim_block *block = &s->blocks[b];

            if (alloc) {
                hmmsvm_pages_set(&block->valid, first, n);
            } else {
                zap(block, first, n);
                for (i = first; i < first + n; i++)
                    if (hmmsvm_pages_test(&block->policy.resident, i))
                        sim_devmem_free(s, b, i);
                if (s->setup->trace->allocs)
                    hmmsvm_pages_clear(&block->valid, first, n);
                hmmsvm_pages_clear(&block->exists, first, n);
                hmmsvm_pages_clear(&block->zero, first, n);
                hmmsvm_pages_clear(&block->evicted, first, n);
                block->whole = false;
            }
        }
        page += n;
        left -= n;
    }
}

/* ---- the whole ----------------------------------------------------------------------------- */

static bool tunables_valid(const struct hmmsvm_placement *p)
{
    uint32_t i;

    if (p->nr_tunables > HMMSVM_POLICY_TUNABLES || p->tick_tunable >= (int)p->nr_tunables ||
        (p->nr_tunables && !p->tunables))
        return false;
    for (i = 0; i < p->nr_tunables; i++)
        if (!p->tunables[i].name || p->tunables[i].min > p->tunables[i].max ||
            p->tunables[i].value != hmmsvm_tunable_clamp(&p->tunables[i], p->tunables[i].value))
            return false;
    /* A tick of no time would never end. */
    return p->tick_tunable < 0 || p->tunables[p->tick_tunable].min > 0;
}

void sim_setup_defaults(struct sim_setup *setup)
{
    uint32_t i;

    for (i = 0; i < setup->placement->nr_tunables && i < HMMSVM_POLICY_TUNABLES; i++)
        setup->tunables[i] = setup->placement->tunables[i].value;
    setup->fault_around = SIM_BLOCK_PAGES;
    setup->huge = true;
}

static void replay(struct sim *s, struct stream_range **ranges)
{
    const struct hmmsvm_trace *trace = s->setup->trace;
    struct hmmsvm_trace_cursor cursor = { 0 };
    struct hmmsvm_trace_event e;

    while (hmmsvm_trace_next(trace, &cursor, &e)) {
        switch (e.type) {
        case HMMSVM_TRACE_ACCESS: access_run(s, ranges, &e); break;
        case HMMSVM_TRACE_ALLOC: map_range(s, e.page, e.count, true); break;
        case HMMSVM_TRACE_FREE: map_range(s, e.page, e.count, false); break;
        case HMMSVM_TRACE_TIME: pass(s, e.ns * SIM_PS); break;
        case HMMSVM_TRACE_KERNEL:
        case HMMSVM_TRACE_NOTE:
        case HMMSVM_TRACE_END: break;
        }
    }
}

bool sim_run(const struct sim_setup *setup, struct sim_result *result)
{
    struct sim s = {
        .setup = setup,
        .machine = setup->machine,
        .result = result,
        .count = &result->count,
        .now_ps = SIM_START_NS * SIM_PS,
        .next_tick_ps = UINT64_MAX,
    };
    size_t ranges_size = (HMMSVM_TRACE_PAGES >> 18) * sizeof(struct stream_range *);
    struct stream_range **ranges;
    uint32_t i;
    size_t r;
    bool ok;

    memset(result, 0, sizeof(*result));
    if (!tunables_valid(setup->placement)) {
        sim_wrong(&s, SIM_BAD_TUNABLES);
        return true;
    }
    ranges = mmap(NULL, ranges_size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    s.blocks = calloc(setup->layout->count, sizeof(*s.blocks));
    ok = sim_devmem_init(&s) && s.blocks && ranges != MAP_FAILED;
    if (ok) {
        for (i = 0; i < setup->layout->count; i++) {
            s.blocks[i].policy.start = setup->layout->start[i] * HMMSVM_POLICY_PAGE_SIZE;
            memset(s.blocks[i].regions, 0xff, sizeof(s.blocks[i].regions));
            if (!setup->trace->allocs)
                s.blocks[i].valid = all_pages;
        }
        memcpy(s.tunables, setup->tunables, sizeof(s.tunables));
        s.env.tunables = (const __s64 *)s.tunables;
        s.env.device_fault_ns = cost_ns(s.machine->device_fault_ps);
        s.env.cpu_fault_ns = cost_ns(s.machine->cpu_fault_ps);
        s.env.copy_page_ns = cost_ns(s.machine->to_device_page_ps +
                                     s.machine->copy_ps / SIM_BLOCK_PAGES);
        s.env.costs_known = true;
        s.env.random = 0x9e3779b97f4a7c15ull;
        if (tick_ps(&s))
            s.next_tick_ps = s.now_ps + tick_ps(&s);
        replay(&s, ranges);
        result->memory_ps = s.memory_ps;
        result->total_ps = s.now_ps - SIM_START_NS * SIM_PS;
    }
    if (ranges != MAP_FAILED) {
        /* The devices' ranges are few; those that have no block have no streams. */
        for (i = 0; ok && i < setup->layout->count; i++) {
            r = setup->layout->start[i] >> 18;
            free(ranges[r]);
            ranges[r] = NULL;
        }
        munmap(ranges, ranges_size);
    }
    sim_devmem_exit(&s);
    free(s.blocks);
    return ok;
}
