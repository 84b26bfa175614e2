/* SPDX-License-Identifier: MIT */
/*
 * devmem.c - device memory in a replay: chunks, regions, who gets which, as kmod/devmem.c does it
 *
 * The order of lists is the module's too: what is freed or taken last comes first. No locking.
 */
#include <stdlib.h>
#include <string.h>

#include "state.h"

/* ---- lists --------------------------------------------------------------------------------- */

static void list_remove(struct sim_devmem *dm, uint32_t c)
{
    struct sim_chunk *chunk = &dm->chunks[c];

    if (chunk->previous != SIM_NONE)
        dm->chunks[chunk->previous].next = chunk->next;
    else
        dm->first[chunk->list] = chunk->next;
    if (chunk->next != SIM_NONE)
        dm->chunks[chunk->next].previous = chunk->previous;
}

static void list_add(struct sim_devmem *dm, uint32_t c, enum sim_list list)
{
    struct sim_chunk *chunk = &dm->chunks[c];

    chunk->list = list;
    chunk->previous = SIM_NONE;
    chunk->next = dm->first[list];
    if (chunk->next != SIM_NONE)
        dm->chunks[chunk->next].previous = c;
    dm->first[list] = c;
}

static void chunk_update_list(struct sim_devmem *dm, uint32_t c)
{
    const struct sim_chunk *chunk = &dm->chunks[c];

    list_remove(dm, c);
    list_add(dm, c, chunk->evicting        ? SIM_EVICTING :
                    !chunk->taken          ? SIM_FREE :
                    chunk->taken != ~0u    ? SIM_PARTIAL :
                                             SIM_FULL);
}

static void chunk_show(struct sim_devmem *dm, uint32_t c)
{
    const struct sim_chunk *chunk = &dm->chunks[c];

    dm->policy[c].used = chunk->evicting || chunk->reserved ? 0 : chunk->used;
}

static void chunk_touch(struct sim_devmem *dm, uint32_t c)
{
    dm->policy[c].touched = ++dm->sequence;
    dm->policy[c].touches++;
    dm->policy[c].referenced = true;
}

/* ---- regions ------------------------------------------------------------------------------- */

static struct sim_region *region_at(struct sim_devmem *dm, uint32_t region)
{
    return &dm->chunks[region / SIM_REGIONS].regions[region % SIM_REGIONS];
}

static void region_release(struct sim *s, uint32_t r)
{
    struct sim_devmem *dm = &s->dm;
    struct sim_region *region = region_at(dm, r);

    if (region->used || region->reserved)
        return;
    s->blocks[region->block].regions[region->number] = SIM_NONE;
    region->block = SIM_NONE;
    dm->chunks[r / SIM_REGIONS].taken &= ~(1u << (r % SIM_REGIONS));
    dm->free_regions++;
    chunk_update_list(dm, r / SIM_REGIONS);
}

static void region_reserve(struct sim_devmem *dm, uint32_t r, bool reserve)
{
    struct sim_region *region = region_at(dm, r);
    struct sim_chunk *chunk = &dm->chunks[r / SIM_REGIONS];

    if (region->reserved == reserve)
        return;
    region->reserved = reserve;
    chunk->reserved = (uint16_t)(chunk->reserved + (reserve ? 1 : -1));
    chunk_show(dm, r / SIM_REGIONS);
}

static uint32_t region_take(struct sim *s, uint32_t b, uint32_t number, bool whole)
{
    struct sim_devmem *dm = &s->dm;
    struct sim_block *block = &s->blocks[b];
    struct sim_chunk *chunk;
    struct sim_region *region;
    uint32_t c = SIM_NONE, slot, i;

    for (i = 0; i < SIM_REGIONS && c == SIM_NONE; i++)
        if (block->regions[i] != SIM_NONE)
            c = block->regions[i] / SIM_REGIONS;
    if (c != SIM_NONE && (dm->chunks[c].evicting || dm->chunks[c].taken >> number & 1))
        c = SIM_NONE;
    if (c == SIM_NONE && !whole)
        c = dm->first[SIM_PARTIAL];
    if (c == SIM_NONE)
        c = dm->first[SIM_FREE];
    if (c == SIM_NONE)
        c = dm->first[SIM_PARTIAL];
    if (c == SIM_NONE)
        return SIM_NONE;

    chunk = &dm->chunks[c];
    slot = chunk->taken >> number & 1 ? (uint32_t)__builtin_ctz(~chunk->taken) : number;
    if (!chunk->taken) {
        dm->policy[c].allocated = ++dm->sequence;
        dm->policy[c].touches = 0;
        dm->policy[c].preferred = false;
    }
    region = &chunk->regions[slot];
    region->block = b;
    region->number = number;
    chunk->taken |= 1u << slot;
    dm->free_regions--;
    chunk_update_list(dm, c);
    block->regions[number] = c * SIM_REGIONS + slot;
    return block->regions[number];
}

/* Places for the pages, until they are unreserved. How many regions there is no room for. */
uint32_t sim_devmem_reserve(struct sim *s, uint32_t b, uint32_t first, uint32_t count)
{
    uint32_t number, missing = 0, region;

    for (number = first / SIM_REGION_PAGES; number <= (first + count - 1) / SIM_REGION_PAGES;
         number++) {
        region = s->blocks[b].regions[number];
        if (region == SIM_NONE)
            region = region_take(s, b, number, count == SIM_BLOCK_PAGES);
        if (region != SIM_NONE)
            region_reserve(&s->dm, region, true);
        else
            missing++;
    }
    return missing;
}

void sim_devmem_unreserve(struct sim *s, uint32_t b)
{
    uint32_t i, region;

    for (i = 0; i < SIM_REGIONS; i++) {
        region = s->blocks[b].regions[i];
        if (region == SIM_NONE || !region_at(&s->dm, region)->reserved)
            continue;
        region_reserve(&s->dm, region, false);
        region_release(s, region);
    }
}

/* ---- pages --------------------------------------------------------------------------------- */

static void region_use(struct sim *s, struct sim_block *block, uint32_t r, uint32_t first,
                       uint32_t nr)
{
    struct sim_region *region = region_at(&s->dm, r);

    region->used |= (uint16_t)(((1u << nr) - 1) << first);
    s->dm.chunks[r / SIM_REGIONS].used = (uint16_t)(s->dm.chunks[r / SIM_REGIONS].used + nr);
    chunk_show(&s->dm, r / SIM_REGIONS);
    s->dm.used_pages += nr;
    if (s->dm.used_pages > s->count->device_pages_peak)
        s->count->device_pages_peak = s->dm.used_pages;
    hmmsvm_pages_set(&block->policy.resident, region->number * SIM_REGION_PAGES + first, nr);
}

bool sim_devmem_alloc(struct sim *s, uint32_t b, uint32_t page)
{
    struct sim_block *block = &s->blocks[b];
    uint32_t r = block->regions[page / SIM_REGION_PAGES], at = page % SIM_REGION_PAGES;

    if (r == SIM_NONE || region_at(&s->dm, r)->used >> at & 1)
        return false;
    region_use(s, block, r, at, 1);
    chunk_touch(&s->dm, r / SIM_REGIONS);
    return true;
}

bool sim_devmem_contiguous(const struct sim *s, uint32_t b)
{
    const struct sim_block *block = &s->blocks[b];
    uint32_t i;

    for (i = 0; i < SIM_REGIONS; i++)
        if (block->regions[i] == SIM_NONE || block->regions[i] % SIM_REGIONS != i ||
            block->regions[i] / SIM_REGIONS != block->regions[0] / SIM_REGIONS)
            return false;
    return true;
}

bool sim_devmem_alloc_huge(struct sim *s, uint32_t b)
{
    struct sim_block *block = &s->blocks[b];
    uint32_t i;

    if (!s->setup->huge || !sim_devmem_contiguous(s, b))
        return false;
    for (i = 0; i < SIM_REGIONS; i++)
        if (region_at(&s->dm, block->regions[i])->used)
            return false;
    for (i = 0; i < SIM_REGIONS; i++)
        region_use(s, block, block->regions[i], 0, SIM_REGION_PAGES);
    chunk_touch(&s->dm, block->regions[0] / SIM_REGIONS);
    return true;
}

void sim_devmem_free(struct sim *s, uint32_t b, uint32_t page)
{
    struct sim_block *block = &s->blocks[b];
    uint32_t r = block->regions[page / SIM_REGION_PAGES];
    struct sim_chunk *chunk = &s->dm.chunks[r / SIM_REGIONS];

    region_at(&s->dm, r)->used &= (uint16_t)~(1u << (page % SIM_REGION_PAGES));
    chunk->used--;
    chunk_show(&s->dm, r / SIM_REGIONS);
    s->dm.used_pages--;
    hmmsvm_pages_clear(&block->policy.resident, page, 1);
    region_release(s, r);
}

/* The device used a page of the block that is in device memory. */
void sim_devmem_touch(struct sim *s, uint32_t b, uint32_t page)
{
    uint32_t c = s->blocks[b].regions[page / SIM_REGION_PAGES] / SIM_REGIONS;

    chunk_touch(&s->dm, c);
    s->dm.policy[c].preferred = false;
}

/* ---- victims ------------------------------------------------------------------------------- */

/* Whether the policy changed only what it may: it may lower touches and clear marks. */
static bool victim_wrote(const struct sim_devmem *dm)
{
    uint32_t i;

    for (i = 0; i < dm->count; i++) {
        const struct hmmsvm_policy_chunk *is = &dm->policy[i], *was = &dm->before[i];

        if (is->allocated != was->allocated || is->touched != was->touched ||
            is->used != was->used || is->preferred != was->preferred ||
            is->touches > was->touches || (is->referenced && !was->referenced))
            return true;
    }
    return false;
}

/* Nobody else takes it, or a place in it, until it is evicted. */
static uint32_t chunk_evict(struct sim_devmem *dm, uint32_t c)
{
    dm->chunks[c].evicting = true;
    chunk_show(dm, c);
    chunk_update_list(dm, c);
    return c;
}

/* The chunk in which the block at that address begins; SIM_NONE: it is nothing to evict. */
uint32_t sim_devmem_named(struct sim *s, uint64_t address)
{
    uint64_t page = address / HMMSVM_POLICY_PAGE_SIZE;
    struct sim_devmem *dm = &s->dm;
    const struct sim_block *block;
    uint32_t i, c;

    if (page >= HMMSVM_TRACE_PAGES || !s->setup->layout->number[page / SIM_BLOCK_PAGES])
        return SIM_NONE;
    block = &s->blocks[sim_layout_block(s->setup->layout, page)];
    for (i = 0; i < SIM_REGIONS; i++) {
        if (block->regions[i] == SIM_NONE)
            continue;
        c = block->regions[i] / SIM_REGIONS;
        if (dm->policy[c].used)
            return chunk_evict(dm, c);
    }
    return SIM_NONE;
}

uint32_t sim_devmem_victim(struct sim *s)
{
    struct sim_devmem *dm = &s->dm;
    int victim;
    uint32_t i;

    memcpy(dm->before, dm->policy, dm->count * sizeof(*dm->policy));
    victim = s->setup->eviction->victim(dm->policy, dm->count, (__u64 *)dm->eviction_priv);
    if (victim_wrote(dm)) {
        sim_wrong(s, SIM_WROTE);
        for (i = 0; i < dm->count; i++) {
            dm->policy[i].allocated = dm->before[i].allocated;
            dm->policy[i].touched = dm->before[i].touched;
            dm->policy[i].used = dm->before[i].used;
            dm->policy[i].preferred = dm->before[i].preferred;
        }
    }
    if (victim >= 0 && (uint32_t)victim < dm->count && dm->policy[victim].used)
        return chunk_evict(dm, (uint32_t)victim);
    if (victim != -1) {
        s->count->policy_errors++;
        sim_wrong(s, SIM_BAD_VICTIM);
        return SIM_NONE;
    }
    for (i = 0; i < dm->count; i++) {
        if (dm->policy[i].used) {
            sim_wrong(s, SIM_NO_VICTIM);
            break;
        }
    }
    return SIM_NONE;
}

void sim_devmem_evicted(struct sim *s, uint32_t c)
{
    struct sim_devmem *dm = &s->dm;

    dm->chunks[c].evicting = false;
    chunk_show(dm, c);
    chunk_update_list(dm, c);
    dm->policy[c].preferred = false;
    if (dm->chunks[c].used)
        chunk_touch(dm, c);
    else
        dm->policy[c].touches = 0;
}

/* ---- the whole ----------------------------------------------------------------------------- */

bool sim_devmem_init(struct sim *s)
{
    struct sim_devmem *dm = &s->dm;
    uint32_t c, i;

    dm->count = s->setup->chunks;
    dm->chunks = calloc(dm->count, sizeof(*dm->chunks));
    dm->policy = calloc(dm->count, sizeof(*dm->policy));
    dm->before = calloc(dm->count, sizeof(*dm->before));
    if (!dm->chunks || !dm->policy || !dm->before)
        return false;
    for (i = 0; i < SIM_LISTS; i++)
        dm->first[i] = SIM_NONE;
    /* The first one first. */
    for (c = dm->count; c--;) {
        for (i = 0; i < SIM_REGIONS; i++)
            dm->chunks[c].regions[i].block = SIM_NONE;
        list_add(dm, c, SIM_FREE);
    }
    dm->free_regions = dm->count * SIM_REGIONS;
    return true;
}

void sim_devmem_exit(struct sim *s)
{
    free(s->dm.chunks);
    free(s->dm.policy);
    free(s->dm.before);
}
