// SPDX-License-Identifier: GPL-2.0
/*
 * Device memory: what there is of it, and which page belongs to whom.
 *
 * A device memory is a range of device pages, 2 MiB of which are a chunk. In
 * private memory they are struct pages without memory, and behind each chunk is
 * one piece of ordinary memory of a chosen NUMA node. Which backing page belongs to
 * a device page is index arithmetic. The CPU's page tables hold device-private
 * entries, at which it faults; the engine's hold the backing page. Coherent memory
 * (coherent.c) lies behind its pages itself, and the CPU reaches it as it reaches
 * any other.
 *
 * Chunks are divided into regions of 16 pages. A region is taken for a region
 * of some block of a context's addresses and keeps its pages at the same
 * offsets, if possible in the same chunk as the block's other regions, so that
 * a block that is here as a whole lies contiguous. A region that no longer
 * belongs to a place in a block, as a forked child or a moved mapping still
 * uses pages of it, is an orphan: it has no block and is free when its last
 * page is.
 *
 * Every page is freed in one place, devmem_free(), which the core calls when the
 * last reference is gone. That of a coherent page may be the pin of a transfer that
 * ends in an interrupt: such a page waits in hmmsvm_devmem.freed for a worker.
 *
 * Locking: hmmsvm_devmem.lock, a leaf, covers chunks, regions, and of every
 * block that uses this memory the regions and the policy's view. devmem_free()
 * takes it under page table locks: nothing is allocated and nobody waits under
 * it. What this file does otherwise needs no lock.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ioport.h>
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/memremap.h>
#include <linux/migrate.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "block.h"
#include "coherent.h"
#include "compat.h"
#include "devmem.h"
#include "migrate.h"

#define DEVMEM_MAX 8

/* So long a chunk of which something would not go is no victim, if there are others; jiffies. */
#define DEVMEM_STUCK HZ

static unsigned int devmem_mb[DEVMEM_MAX];
static unsigned int devmem_mb_count;
module_param_array(devmem_mb, uint, &devmem_mb_count, 0444);
MODULE_PARM_DESC(devmem_mb, "size in MiB of each device memory, a multiple of 2 (default: none)");

static int devmem_node[DEVMEM_MAX] = { [0 ... DEVMEM_MAX - 1] = NUMA_NO_NODE };
module_param_array(devmem_node, int, NULL, 0444);
MODULE_PARM_DESC(devmem_node, "NUMA node that backs each device memory (default -1: any)");

static struct hmmsvm_devmem *devmems[DEVMEM_MAX];
static unsigned int nr_devmems;

/* Owner of the pages of all our device memories, as the core compares it. */
static const char devmem_owner;

void *hmmsvm_devmem_owner(void)
{
	return (void *)&devmem_owner;
}

/* Device memory number @index, or NULL. There are none beyond the first NULL. */
struct hmmsvm_devmem *hmmsvm_devmem_at(unsigned int index)
{
	return index < nr_devmems ? devmems[index] : NULL;
}

unsigned int hmmsvm_devmem_count(void)
{
	return nr_devmems;
}

/* Whether some device memory takes huge pages as such: coherent memory does not. */
bool hmmsvm_devmem_huge(void)
{
	unsigned int i;

	for (i = 0; HMMSVM_HUGE_DEVICE_PAGES && i < nr_devmems; i++)
		if (devmems[i]->kind == HMMSVM_MEMORY_PRIVATE)
			return true;
	return false;
}

/* The device memory that @page is a page of, or NULL if it is not ours. */
struct hmmsvm_devmem *hmmsvm_devmem_of(struct page *page)
{
	struct dev_pagemap *pgmap;

	if (!is_zone_device_page(page))
		return NULL;
	pgmap = hmmsvm_page_pgmap(page);
	if (pgmap->owner != &devmem_owner)
		return NULL;
	return container_of(pgmap, struct hmmsvm_devmem, pgmap);
}

static unsigned long devmem_index(struct hmmsvm_devmem *dm, struct page *page)
{
	return page_to_pfn(page) - dm->first_pfn;
}

/* The page that holds what is in device page @page: an ordinary one, or itself. */
struct page *hmmsvm_devmem_backing(struct hmmsvm_devmem *dm, struct page *page)
{
	unsigned long index = devmem_index(dm, page);

	if (dm->kind == HMMSVM_MEMORY_COHERENT)
		return page;
	return dm->chunks[index / HMMSVM_BLOCK_PAGES].backing + index % HMMSVM_BLOCK_PAGES;
}

static struct hmmsvm_region *devmem_region(struct hmmsvm_devmem *dm, unsigned long index)
{
	return &dm->chunks[index / HMMSVM_BLOCK_PAGES]
			.regions[index % HMMSVM_BLOCK_PAGES / HMMSVM_REGION_PAGES];
}

static struct hmmsvm_chunk *region_chunk(struct hmmsvm_devmem *dm, struct hmmsvm_region *region)
{
	return &dm->chunks[region->chunk];
}

static unsigned int region_slot(struct hmmsvm_devmem *dm, struct hmmsvm_region *region)
{
	return region - region_chunk(dm, region)->regions;
}

/* ---- regions: taken, given back; all under dm->lock ------------------------- */

static void chunk_update_list(struct hmmsvm_devmem *dm, struct hmmsvm_chunk *chunk)
{
	if (chunk->evicting)
		list_move(&chunk->node, &dm->evicting);
	else if (!chunk->taken)
		list_move(&chunk->node, &dm->free);
	else if (chunk->taken != ~0u)
		list_move(&chunk->node, &dm->partial);
	else
		list_move(&chunk->node, &dm->full);
}

/* Whether nothing of it is to be had for now: it is emptied or filled, or would not go. */
static bool chunk_is_hidden(struct hmmsvm_chunk *chunk)
{
	return chunk->evicting || chunk->reserved || chunk->stuck;
}

/* What the eviction policy sees of it. */
static void chunk_show(struct hmmsvm_chunk *chunk)
{
	chunk->policy->used = chunk_is_hidden(chunk) ? 0 : chunk->used;
}

static void chunk_set_stuck(struct hmmsvm_devmem *dm, struct hmmsvm_chunk *chunk, bool stuck)
{
	if (stuck && !chunk->stuck && !dm->nr_stuck++)
		dm->stuck_since = jiffies;
	else if (!stuck && chunk->stuck)
		dm->nr_stuck--;
	chunk->stuck = stuck;
	chunk_show(chunk);
}

/* The region is charged to @ctx, NULL: to nobody, from now on. */
static void region_charge(struct hmmsvm_region *region, struct hmmsvm_context *ctx)
{
	if (region->ctx)
		hmmsvm_share_uncharge(region->ctx);
	region->ctx = ctx;
	if (ctx)
		hmmsvm_share_charge(ctx);
}

/* Takes the region back into the pool if nothing uses or reserves it. */
static void region_release(struct hmmsvm_devmem *dm, struct hmmsvm_region *region)
{
	struct hmmsvm_chunk *chunk = region_chunk(dm, region);

	lockdep_assert_held(&dm->lock);
	if (region->used || region->reserved)
		return;
	if (region->block)
		region->block->regions[region->number] = NULL;
	region->block = NULL;
	region_charge(region, NULL);
	chunk->taken &= ~BIT(region_slot(dm, region));
	dm->free_regions++;
	chunk_update_list(dm, chunk);
}

/* The region no longer belongs to its place in the block. */
static void region_orphan(struct hmmsvm_devmem *dm, struct hmmsvm_region *region)
{
	struct hmmsvm_block *block = region->block;

	lockdep_assert_held(&dm->lock);
	block->regions[region->number] = NULL;
	hmmsvm_pages_clear(&block->policy.resident, region->number * HMMSVM_REGION_PAGES,
			   HMMSVM_REGION_PAGES);
	region->block = NULL;
	region_release(dm, region);
}

/* A free region for region @number of @block, in the best chunk; NULL if there is none. */
static struct hmmsvm_region *region_take(struct hmmsvm_devmem *dm, struct hmmsvm_context *ctx,
					 struct hmmsvm_block *block, unsigned int number,
					 bool whole)
{
	struct hmmsvm_chunk *chunk = NULL;
	struct hmmsvm_region *region;
	unsigned int i, slot;

	lockdep_assert_held(&dm->lock);
	/* Where the neighbours are, at the same offset. */
	for (i = 0; i < HMMSVM_BLOCK_REGIONS && !chunk; i++)
		if (block->regions[i])
			chunk = region_chunk(dm, block->regions[i]);
	if (!chunk || chunk->evicting || chunk->taken & BIT(number))
		chunk = NULL;
	/* A whole block wants a whole chunk; a piece uses up what is broken already. */
	if (!chunk && !whole)
		chunk = list_first_entry_or_null(&dm->partial, struct hmmsvm_chunk, node);
	if (!chunk)
		chunk = list_first_entry_or_null(&dm->free, struct hmmsvm_chunk, node);
	if (!chunk)
		chunk = list_first_entry_or_null(&dm->partial, struct hmmsvm_chunk, node);
	if (!chunk)
		return NULL;

	slot = chunk->taken & BIT(number) ? ffz(chunk->taken) : number;
	if (!chunk->taken) {
		chunk->policy->allocated = ++dm->sequence;
		chunk->policy->touches = 0;
		chunk->policy->preferred = false;
		chunk->owner = ctx;
		chunk->mixed = false;
	}
	chunk->mixed |= chunk->owner != ctx;
	region = &chunk->regions[slot];
	region_charge(region, ctx);
	region->block = block;
	region->number = number;
	chunk->taken |= BIT(slot);
	dm->free_regions--;
	chunk_update_list(dm, chunk);
	block->regions[number] = region;
	return region;
}

static void region_reserve(struct hmmsvm_devmem *dm, struct hmmsvm_region *region, bool reserve)
{
	struct hmmsvm_chunk *chunk = region_chunk(dm, region);

	if (region->reserved == reserve)
		return;
	region->reserved = reserve;
	chunk->reserved += reserve ? 1 : -1;
	chunk_show(chunk);
}

/* One page is free. Under dm->lock. */
static void devmem_free_one(struct hmmsvm_devmem *dm, unsigned long index)
{
	struct hmmsvm_region *region = devmem_region(dm, index);
	struct hmmsvm_chunk *chunk = region_chunk(dm, region);
	unsigned int at = index % HMMSVM_REGION_PAGES;

	if (WARN_ON_ONCE(!(region->used & BIT(at))))
		return;
	region->used &= ~BIT(at);
	chunk->used--;
	chunk_set_stuck(dm, chunk, false);
	dm->used_pages--;
	if (region->ctx)
		atomic64_dec(&region->ctx->count.device_pages);
	if (region->block)
		hmmsvm_pages_clear(&region->block->policy.resident,
				   region->number * HMMSVM_REGION_PAGES + at, 1);
	region_release(dm, region);
}

/* Takes back the pages that wait for it. Under dm->lock. */
static void devmem_take_freed(struct hmmsvm_devmem *dm)
{
	struct llist_node *node, *next;

	llist_for_each_safe(node, next, llist_del_all(&dm->freed))
		devmem_free_one(dm, devmem_index(dm, virt_to_page(node)));
}

/*
 * Makes sure that each page in [@first, @first + @count) of @block has a place,
 * until hmmsvm_devmem_unreserve(). @absent is a page that is known not to be in
 * device memory (or -1u): if its place is used all the same, somebody else does.
 * A place in a chunk that is being emptied is none: what moves by number there must not be
 * allocated anew (anon.c). Returns the number of regions that there is no room for; *@limited:
 * because of a limit.
 */
unsigned int hmmsvm_devmem_reserve(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
				   unsigned int first, unsigned int count, unsigned int absent,
				   bool *limited)
{
	struct hmmsvm_devmem *dm = ctx->devmem;
	unsigned int number, missing = 0, room;
	struct hmmsvm_region *region;

	spin_lock(&dm->lock);
	/* Their places may be the ones that are wanted. */
	if (!llist_empty(&dm->freed))
		devmem_take_freed(dm);
	room = hmmsvm_share_room(ctx);
	for (number = first / HMMSVM_REGION_PAGES;
	     number <= (first + count - 1) / HMMSVM_REGION_PAGES; number++) {
		region = block->regions[number];
		if (region && !region->reserved &&
		    (region_chunk(dm, region)->evicting ||
		     (absent / HMMSVM_REGION_PAGES == number &&
		      region->used & BIT(absent % HMMSVM_REGION_PAGES)))) {
			region_orphan(dm, region);
			region = NULL;
		}
		if (!region && room) {
			region = region_take(dm, ctx, block, number,
					     count == HMMSVM_BLOCK_PAGES);
			room -= !!region;
		}
		if (region)
			region_reserve(dm, region, true);
		else
			missing++;
	}
	*limited = missing > room;
	spin_unlock(&dm->lock);
	return missing;
}

void hmmsvm_devmem_unreserve(struct hmmsvm_context *ctx, struct hmmsvm_block *block)
{
	struct hmmsvm_devmem *dm = ctx->devmem;
	struct hmmsvm_region *region;
	unsigned int i;

	spin_lock(&dm->lock);
	for (i = 0; i < HMMSVM_BLOCK_REGIONS; i++) {
		region = block->regions[i];
		if (!region || !region->reserved)
			continue;
		region_reserve(dm, region, false);
		region_release(dm, region);
	}
	spin_unlock(&dm->lock);
}

/* ---- pages -------------------------------------------------------------------- */

static void chunk_touch(struct hmmsvm_devmem *dm, struct hmmsvm_chunk *chunk)
{
	chunk->policy->touched = ++dm->sequence;
	chunk->policy->touches++;
	chunk->policy->referenced = true;
}

/* Accounts @nr pages at @slot of the region as used. */
static void region_use(struct hmmsvm_devmem *dm, struct hmmsvm_region *region, unsigned int first,
		       unsigned int nr)
{
	struct hmmsvm_context *ctx = region->ctx;
	struct hmmsvm_chunk *chunk = region_chunk(dm, region);
	u64 now, peak;

	region->used |= GENMASK(first + nr - 1, first);
	region->retired &= ~GENMASK(first + nr - 1, first);
	chunk->used += nr;
	chunk_set_stuck(dm, chunk, false);
	dm->used_pages += nr;
	hmmsvm_pages_set(&region->block->policy.resident,
			 region->number * HMMSVM_REGION_PAGES + first, nr);
	now = atomic64_add_return(nr, &ctx->count.device_pages);
	peak = atomic64_read(&ctx->count.device_pages_peak);
	if (now > peak)
		atomic64_set(&ctx->count.device_pages_peak, now);
}

/*
 * The device page for page @page of @block, locked and with one reference, as
 * the core wants a destination; NULL if there is no place reserved for it.
 */
struct page *hmmsvm_devmem_alloc(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
				 unsigned int page)
{
	struct hmmsvm_devmem *dm = ctx->devmem;
	unsigned int at = page % HMMSVM_REGION_PAGES;
	struct hmmsvm_region *region;
	struct page *dpage = NULL;

	spin_lock(&dm->lock);
	region = block->regions[page / HMMSVM_REGION_PAGES];
	if (region && !(region->used & BIT(at))) {
		region_use(dm, region, at, 1);
		chunk_touch(dm, region_chunk(dm, region));
		dpage = pfn_to_page(dm->first_pfn + region->chunk * HMMSVM_BLOCK_PAGES +
				    region_slot(dm, region) * HMMSVM_REGION_PAGES + at);
	}
	spin_unlock(&dm->lock);
	if (dpage)
		hmmsvm_zone_device_page_init(dpage, &dm->pgmap, 0);
	return dpage;
}

/* Whether the regions of @block are all of one chunk, in order and with no page in use. */
static bool block_is_whole(struct hmmsvm_devmem *dm, struct hmmsvm_block *block)
{
	unsigned int i;

	for (i = 0; i < HMMSVM_BLOCK_REGIONS; i++) {
		struct hmmsvm_region *region = block->regions[i];

		if (!region || region->used || region->chunk != block->regions[0]->chunk ||
		    region_slot(dm, region) != i)
			return false;
	}
	return true;
}

/* The same for all of @block as one huge page; NULL if its place is not contiguous and unused. */
struct page *hmmsvm_devmem_alloc_huge(struct hmmsvm_context *ctx, struct hmmsvm_block *block)
{
	struct hmmsvm_devmem *dm = ctx->devmem;
	struct page *dpage = NULL;
	unsigned int i;

	if (!HMMSVM_HUGE_DEVICE_PAGES || dm->kind != HMMSVM_MEMORY_PRIVATE)
		return NULL;
	spin_lock(&dm->lock);
	if (block_is_whole(dm, block)) {
		for (i = 0; i < HMMSVM_BLOCK_REGIONS; i++)
			region_use(dm, block->regions[i], 0, HMMSVM_REGION_PAGES);
		chunk_touch(dm, region_chunk(dm, block->regions[0]));
		dpage = pfn_to_page(dm->first_pfn + block->regions[0]->chunk * HMMSVM_BLOCK_PAGES);
	}
	spin_unlock(&dm->lock);
	if (dpage)
		hmmsvm_zone_device_page_init(dpage, &dm->pgmap, HPAGE_PMD_ORDER);
	return dpage;
}

/* Whether @block is in device memory as a huge page. It may be split any time. */
bool hmmsvm_devmem_is_huge(struct hmmsvm_context *ctx, struct hmmsvm_block *block)
{
	struct hmmsvm_devmem *dm = ctx->devmem;
	struct hmmsvm_region *region;
	bool huge;

	spin_lock(&dm->lock);
	region = block->regions[0];
	huge = region && !region_slot(dm, region) &&
	       PageHead(pfn_to_page(dm->first_pfn + region->chunk * HMMSVM_BLOCK_PAGES));
	spin_unlock(&dm->lock);
	return huge;
}

/* Takes back what was freed where dm->lock may not be taken. */
static void devmem_free_later(struct work_struct *work)
{
	struct hmmsvm_devmem *dm = container_of(work, struct hmmsvm_devmem, freed_work);

	spin_lock(&dm->lock);
	devmem_take_freed(dm);
	spin_unlock(&dm->lock);
}

/*
 * The core's last reference is gone; possibly under a page table lock, and of coherent
 * memory in an interrupt, too. Those pages are small, and hold the list themselves.
 */
static void devmem_free(struct folio *folio)
{
	struct page *page = folio_page(folio, 0);
	struct hmmsvm_devmem *dm = container_of(hmmsvm_page_pgmap(page), struct hmmsvm_devmem,
						pgmap);
	unsigned long i, index = devmem_index(dm, page), nr = folio_nr_pages(folio);

	folio_clear_dirty(folio);
	if (nr > 1)
		hmmsvm_zone_device_page_break(page, &dm->pgmap, nr);
	if (dm->kind == HMMSVM_MEMORY_COHERENT && (in_interrupt() || irqs_disabled())) {
		if (llist_add(page_address(page), &dm->freed))
			queue_work(hmmsvm_workqueue, &dm->freed_work);
		return;
	}
	spin_lock(&dm->lock);
	for (i = 0; i < nr; i++)
		devmem_free_one(dm, index + i);
	spin_unlock(&dm->lock);
}

/*
 * The content of @nr device pages has gone to system memory, for @reason; under
 * their folio lock. Until the last reference is gone they may still be found by
 * number, which is why they are marked. Counts and tells the policy.
 */
void hmmsvm_devmem_leave(struct hmmsvm_devmem *dm, struct page *page, unsigned int nr,
			 enum hmmsvm_reason reason)
{
	unsigned long index = devmem_index(dm, page);

	spin_lock(&dm->lock);
	if (nr > 1 && devmem_region(dm, index)->ctx)
		hmmsvm_count(devmem_region(dm, index)->ctx, huge_to_system);
	for (; nr--; index++) {
		struct hmmsvm_region *region = devmem_region(dm, index);
		unsigned int at = index % HMMSVM_REGION_PAGES;

		region->retired |= BIT(at);
		if (!region->ctx)
			continue;
		hmmsvm_count(region->ctx, pages_to_system);
		if (reason == HMMSVM_REASON_CPU_FAULT)
			hmmsvm_count(region->ctx, pages_to_system_cpu);
		else if (reason == HMMSVM_REASON_EVICTION)
			hmmsvm_count(region->ctx, pages_to_system_evicted);
		if (reason == HMMSVM_REASON_EVICTION && region->block)
			hmmsvm_pages_set(&region->block->evicted,
					 region->number * HMMSVM_REGION_PAGES + at, 1);
	}
	spin_unlock(&dm->lock);
}

/*
 * Huge device page @page has moved to system memory at @to. If that is the memory that
 * was behind it, we have it no longer.
 */
void hmmsvm_devmem_given(struct hmmsvm_devmem *dm, struct page *page, struct page *to)
{
	struct hmmsvm_chunk *chunk = &dm->chunks[devmem_index(dm, page) / HMMSVM_BLOCK_PAGES];

	if (chunk->backing != to)
		return;
	chunk->backing = NULL;
	put_page(to);
}

/*
 * Whether what was in the page has gone to system memory; with its folio lock held. A
 * coherent page may be moved by the core itself, for a long-term pin, which says nothing;
 * but the page is charged to no memory cgroup any more.
 */
bool hmmsvm_devmem_retired(struct hmmsvm_devmem *dm, struct page *page)
{
	unsigned long index = devmem_index(dm, page);

	if (dm->kind == HMMSVM_MEMORY_COHERENT && !mem_cgroup_disabled() &&
	    !folio_memcg_charged(page_folio(page)))
		return true;
	return READ_ONCE(devmem_region(dm, index)->retired) & BIT(index % HMMSVM_REGION_PAGES);
}

/*
 * The device used @page: for the eviction policy. @advised: it is to stay if it
 * can. Under dm->lock.
 */
void hmmsvm_devmem_touch(struct hmmsvm_devmem *dm, struct page *page, bool advised)
{
	struct hmmsvm_chunk *chunk = &dm->chunks[devmem_index(dm, page) / HMMSVM_BLOCK_PAGES];

	lockdep_assert_held(&dm->lock);
	chunk_touch(dm, chunk);
	chunk->policy->preferred = advised;
}

/*
 * The context that @page is charged to, with a reference, or NULL; and the block
 * it was put into, which lives as long as the context, or NULL.
 */
struct hmmsvm_context *hmmsvm_devmem_user(struct hmmsvm_devmem *dm, struct page *page,
					  struct hmmsvm_block **block)
{
	struct hmmsvm_region *region = devmem_region(dm, devmem_index(dm, page));
	struct hmmsvm_context *ctx;

	spin_lock(&dm->lock);
	ctx = region->ctx;
	if (ctx)
		hmmsvm_context_get(ctx);
	*block = region->block;
	spin_unlock(&dm->lock);
	return ctx;
}

/* ---- chunks: victims ------------------------------------------------------------ */

/* From now on nothing of it is allocated; or it is an ordinary one again. */
static void chunk_set_evicting(struct hmmsvm_devmem *dm, struct hmmsvm_chunk *chunk, bool evicting)
{
	lockdep_assert_held(&dm->lock);
	chunk->evicting = evicting;
	chunk_show(chunk);
	chunk_update_list(dm, chunk);
}

/* Whether what is charged to @ctx may go for @scope; see hmmsvm_share_victims(). */
static bool context_is_victim(struct hmmsvm_context *ctx, enum hmmsvm_scope scope)
{
	return ctx ? ctx->share.victim : scope == HMMSVM_SCOPE_DEVICE;
}

/* How many pages of the chunk may go, where not everybody has to make room. */
static unsigned int chunk_victims(struct hmmsvm_chunk *chunk, enum hmmsvm_scope scope)
{
	unsigned int i, n = 0;

	if (chunk_is_hidden(chunk))
		return 0;
	if (!chunk->mixed)
		return context_is_victim(chunk->owner, scope) ? chunk->used : 0;
	for (i = 0; i < HMMSVM_BLOCK_REGIONS; i++)
		if (context_is_victim(chunk->regions[i].ctx, scope))
			n += hweight16(chunk->regions[i].used);
	return n;
}

/* What @eviction chooses of what it is shown. */
static int devmem_ask(struct hmmsvm_devmem *dm, const struct hmmsvm_eviction *eviction)
{
	if (dm->eviction != eviction) {
		dm->eviction = eviction;
		memset(dm->eviction_priv, 0, sizeof(dm->eviction_priv));
	}
	return eviction->victim(dm->policy, dm->nr_chunks, dm->eviction_priv);
}

/* The same where some are spared: of what others have it sees nothing. */
static int devmem_ask_some(struct hmmsvm_devmem *dm, const struct hmmsvm_eviction *eviction,
			   enum hmmsvm_scope scope)
{
	bool any = false;
	unsigned int c;
	int chosen = -1;

	for (c = 0; c < dm->nr_chunks; c++) {
		dm->policy[c].used = chunk_victims(&dm->chunks[c], scope);
		any |= dm->policy[c].used;
	}
	if (any)
		chosen = devmem_ask(dm, eviction);
	if (chosen >= 0 && chosen < dm->nr_chunks && !dm->policy[chosen].used)
		chosen = dm->nr_chunks;
	for (c = 0; c < dm->nr_chunks; c++)
		chunk_show(&dm->chunks[c]);
	return chosen;
}

/* The pages of the chunk that may go. */
static void chunk_victim_pages(struct hmmsvm_chunk *chunk, bool all, struct hmmsvm_victim *victim)
{
	unsigned int i;

	memset(&victim->pages, 0, sizeof(victim->pages));
	for (i = 0; i < HMMSVM_BLOCK_REGIONS; i++)
		if (all || context_is_victim(chunk->regions[i].ctx, victim->scope))
			hmmsvm_pages_set(&victim->pages, i * HMMSVM_REGION_PAGES,
					 HMMSVM_REGION_PAGES);
}

/* Those that would not go may be chosen again. */
static void devmem_forget_stuck(struct hmmsvm_devmem *dm)
{
	unsigned int c;

	for (c = 0; dm->nr_stuck && c < dm->nr_chunks; c++)
		chunk_set_stuck(dm, &dm->chunks[c], false);
}

/* What is chosen of those who have to make room, and if they have nothing, of @ctx's own. */
static int devmem_choose(struct hmmsvm_context *ctx, unsigned int missing,
			 struct hmmsvm_victim *victim, bool *all)
{
	const struct hmmsvm_eviction *eviction = READ_ONCE(ctx->eviction);
	struct hmmsvm_devmem *dm = ctx->devmem;
	bool own = false;
	int chosen;

	do {
		victim->scope = hmmsvm_share_victims(ctx, missing, own, all);
		chosen = *all ? devmem_ask(dm, eviction) :
				devmem_ask_some(dm, eviction, victim->scope);
		own = !own;
	} while (chosen == -1 && own && !*all && !ctx->share.victim);
	return chosen;
}

/*
 * The chunk where @named, a block of @ctx, has its first place that may go now, or -1. What
 * @ctx has there may go for it, whoever else would have to make room; but nothing that is
 * advised to stay.
 */
static int devmem_named(struct hmmsvm_context *ctx, unsigned int missing,
			struct hmmsvm_block *named, struct hmmsvm_victim *victim, bool *all)
{
	struct hmmsvm_devmem *dm = ctx->devmem;
	unsigned int i;

	for (i = 0; i < HMMSVM_BLOCK_REGIONS; i++) {
		struct hmmsvm_region *region = named->regions[i];
		struct hmmsvm_chunk *chunk;

		if (!region || !region->used)
			continue;
		chunk = region_chunk(dm, region);
		if (chunk_is_hidden(chunk) || chunk->policy->preferred)
			continue;
		victim->scope = hmmsvm_share_victims(ctx, missing, true, all);
		return region->chunk;
	}
	return -1;
}

/*
 * A chunk to empty, as @ctx is @missing regions short: that where its block @named (NULL: none) has
 * a place that may go; otherwise chosen by its eviction policy among those of the contexts that
 * have to make room, and if they have none that can go, of its own. Of a chunk of
 * several contexts only what those have goes. One that would not go is passed over for a while, or
 * until nothing else is left, whatever the policy: somebody holds its pages. Nobody
 * else gets the chunk, no region of it is taken, and so no page of it allocated, until
 * hmmsvm_devmem_evicted().
 */
void hmmsvm_devmem_victim(struct hmmsvm_context *ctx, unsigned int missing,
			  struct hmmsvm_block *named, struct hmmsvm_victim *victim)
{
	struct hmmsvm_devmem *dm = ctx->devmem;
	int chosen = -1;
	bool all;

	victim->chunk = NULL;
	victim->error = false;
	spin_lock(&dm->lock);
	if (dm->nr_stuck && time_after(jiffies, dm->stuck_since + DEVMEM_STUCK))
		devmem_forget_stuck(dm);
	if (named)
		chosen = devmem_named(ctx, missing, named, victim, &all);
	if (chosen == -1)
		chosen = devmem_choose(ctx, missing, victim, &all);
	if (chosen == -1 && dm->nr_stuck) {
		devmem_forget_stuck(dm);
		chosen = devmem_choose(ctx, missing, victim, &all);
	}
	if (chosen >= 0 && chosen < dm->nr_chunks && dm->policy[chosen].used) {
		victim->chunk = &dm->chunks[chosen];
		chunk_victim_pages(victim->chunk, all, victim);
		chunk_set_evicting(dm, victim->chunk, true);
	} else if (chosen != -1) {
		victim->error = true;
	}
	spin_unlock(&dm->lock);
}

/* Whether something of the victim has stayed. Under dm->lock. */
static bool victim_is_left(const struct hmmsvm_victim *victim)
{
	unsigned int i;

	for (i = 0; i < HMMSVM_BLOCK_REGIONS; i++)
		if (victim->chunk->regions[i].used &&
		    hmmsvm_pages_test(&victim->pages, i * HMMSVM_REGION_PAGES))
			return true;
	return false;
}

/* The chunk is an ordinary one again, and if it is not empty, not the next victim. */
void hmmsvm_devmem_evicted(struct hmmsvm_devmem *dm, const struct hmmsvm_victim *victim)
{
	struct hmmsvm_chunk *chunk = victim->chunk;

	spin_lock(&dm->lock);
	chunk_set_evicting(dm, chunk, false);
	chunk_set_stuck(dm, chunk, victim_is_left(victim));
	chunk->policy->preferred = false;
	if (chunk->used)
		chunk_touch(dm, chunk);
	else
		chunk->policy->touches = 0;
	spin_unlock(&dm->lock);
}

/* ---- the end of a context -------------------------------------------------------- */

/*
 * A chunk with pages of @ctx at or after number *@at, which moves on; NULL if there is
 * none. @pages are those. As with a victim no page of it is allocated anew until
 * hmmsvm_devmem_left(). One that somebody else is emptying is passed over.
 */
struct hmmsvm_chunk *hmmsvm_devmem_next_of(struct hmmsvm_devmem *dm, struct hmmsvm_context *ctx,
					   unsigned int *at, struct hmmsvm_pages *pages)
{
	struct hmmsvm_chunk *found = NULL;
	unsigned int i;

	memset(pages, 0, sizeof(*pages));
	spin_lock(&dm->lock);
	while (!found && *at < dm->nr_chunks) {
		struct hmmsvm_chunk *chunk = &dm->chunks[(*at)++];

		if (chunk->evicting)
			continue;
		for (i = 0; i < HMMSVM_BLOCK_REGIONS; i++) {
			if (chunk->regions[i].ctx != ctx || !chunk->regions[i].used)
				continue;
			hmmsvm_pages_set(pages, i * HMMSVM_REGION_PAGES, HMMSVM_REGION_PAGES);
			found = chunk;
		}
	}
	if (found)
		chunk_set_evicting(dm, found, true);
	spin_unlock(&dm->lock);
	return found;
}

/* Whether somebody else is emptying a chunk with pages of @ctx, perhaps only of pages of others. */
bool hmmsvm_devmem_busy_of(struct hmmsvm_devmem *dm, struct hmmsvm_context *ctx)
{
	struct hmmsvm_chunk *chunk;
	bool busy = false;
	unsigned int i;

	spin_lock(&dm->lock);
	list_for_each_entry(chunk, &dm->evicting, node)
		for (i = 0; i < HMMSVM_BLOCK_REGIONS; i++)
			busy |= chunk->regions[i].ctx == ctx && chunk->regions[i].used;
	spin_unlock(&dm->lock);
	return busy;
}

void hmmsvm_devmem_left(struct hmmsvm_devmem *dm, struct hmmsvm_chunk *chunk)
{
	spin_lock(&dm->lock);
	chunk_set_evicting(dm, chunk, false);
	spin_unlock(&dm->lock);
}

/* @ctx ends: what it still has of device memory is nobody's from now on. */
void hmmsvm_devmem_disown(struct hmmsvm_devmem *dm, struct hmmsvm_context *ctx)
{
	unsigned int c, i;

	for (c = 0; c < dm->nr_chunks; c++) {
		spin_lock(&dm->lock);
		if (dm->chunks[c].owner == ctx)
			dm->chunks[c].owner = NULL;
		for (i = 0; i < HMMSVM_BLOCK_REGIONS; i++) {
			struct hmmsvm_region *region = &dm->chunks[c].regions[i];

			if (region->ctx != ctx)
				continue;
			if (region->block)
				region_orphan(dm, region);
			region_charge(region, NULL);
		}
		spin_unlock(&dm->lock);
		cond_resched();
	}
}

/* ---- the whole ---------------------------------------------------------------------- */

HMMSVM_PAGEMAP_FREE_PAGE(devmem_free);

static const struct dev_pagemap_ops devmem_ops = {
	HMMSVM_PAGEMAP_FREE(devmem_free),
	.migrate_to_ram = hmmsvm_migrate_cpu_fault,
};

static void devmem_free_chunks(struct hmmsvm_devmem *dm)
{
	unsigned int i;

	for (i = 0; i < dm->nr_chunks; i++)
		if (dm->chunks[i].backing)
			__free_pages(dm->chunks[i].backing, HMMSVM_BLOCK_SHIFT - PAGE_SHIFT);
	kvfree(dm->policy);
	kvfree(dm->chunks);
}

/* One more chunk, of which there is memory. */
static void devmem_add_chunk(struct hmmsvm_devmem *dm, struct page *backing)
{
	struct hmmsvm_chunk *chunk = &dm->chunks[dm->nr_chunks];
	unsigned int i;

	chunk->backing = backing;
	chunk->policy = &dm->policy[dm->nr_chunks];
	list_add_tail(&chunk->node, &dm->free);
	for (i = 0; i < HMMSVM_BLOCK_REGIONS; i++)
		chunk->regions[i].chunk = dm->nr_chunks;
	dm->nr_chunks++;
	dm->free_regions += HMMSVM_BLOCK_REGIONS;
}

/* Backs as much of @wanted chunks as there is memory for. */
static int devmem_back(struct hmmsvm_devmem *dm, unsigned int wanted)
{
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL | __GFP_COMP;

	if (dm->node != NUMA_NO_NODE)
		gfp |= __GFP_THISNODE;
	while (dm->nr_chunks < wanted) {
		struct page *backing = alloc_pages_node(dm->node, gfp,
							HMMSVM_BLOCK_SHIFT - PAGE_SHIFT);

		if (!backing)
			break;
		devmem_add_chunk(dm, backing);
		cond_resched();
	}
	if (dm->nr_chunks < wanted)
		pr_notice("there was contiguous memory for %u of %u MiB of device memory only\n",
			  dm->nr_chunks << (HMMSVM_BLOCK_SHIFT - 20),
			  wanted << (HMMSVM_BLOCK_SHIFT - 20));
	return dm->nr_chunks ? 0 : -ENOMEM;
}

/* A device memory without any yet, that can have @chunks; NULL without memory. */
static struct hmmsvm_devmem *devmem_new(u32 kind, int node, unsigned int chunks)
{
	struct hmmsvm_devmem *dm = kzalloc_obj(*dm, GFP_KERNEL);

	if (!dm)
		return NULL;
	spin_lock_init(&dm->lock);
	INIT_LIST_HEAD(&dm->free);
	INIT_LIST_HEAD(&dm->partial);
	INIT_LIST_HEAD(&dm->full);
	INIT_LIST_HEAD(&dm->evicting);
	INIT_LIST_HEAD(&dm->holders);
	init_llist_head(&dm->freed);
	INIT_WORK(&dm->freed_work, devmem_free_later);
	dm->kind = kind;
	dm->node = node;
	dm->chunks = kvcalloc(chunks, sizeof(*dm->chunks), GFP_KERNEL);
	dm->policy = kvcalloc(chunks, sizeof(*dm->policy), GFP_KERNEL);
	if (dm->chunks && dm->policy)
		return dm;
	devmem_free_chunks(dm);
	kfree(dm);
	return NULL;
}

/* Makes the pages at @start, addresses that are ours, device pages. Ends @dm if that fails. */
static struct hmmsvm_devmem *devmem_map(struct hmmsvm_devmem *dm, resource_size_t start)
{
	resource_size_t size = (resource_size_t)dm->nr_chunks << HMMSVM_BLOCK_SHIFT;
	void *p;

	dm->res_start = start;
	dm->pgmap.type = dm->kind == HMMSVM_MEMORY_COHERENT ? MEMORY_DEVICE_COHERENT :
							      MEMORY_DEVICE_PRIVATE;
	dm->pgmap.range.start = start;
	dm->pgmap.range.end = start + size - 1;
	dm->pgmap.nr_range = 1;
	dm->pgmap.ops = &devmem_ops;
	dm->pgmap.owner = hmmsvm_devmem_owner();
	dm->first_pfn = PHYS_PFN(start);
	p = memremap_pages(&dm->pgmap, dm->node == NUMA_NO_NODE ? numa_node_id() : dm->node);
	if (!IS_ERR(p))
		return dm;
	release_mem_region(start, size);
	devmem_free_chunks(dm);
	kfree(dm);
	return ERR_CAST(p);
}

static struct hmmsvm_devmem *devmem_create(unsigned int mb, int node)
{
	unsigned int chunks = mb >> (HMMSVM_BLOCK_SHIFT - 20);
	struct hmmsvm_devmem *dm = devmem_new(HMMSVM_MEMORY_PRIVATE, node, chunks);
	struct resource *res;
	int err;

	if (!dm)
		return ERR_PTR(-ENOMEM);
	err = devmem_back(dm, chunks);
	if (err)
		goto fail;
	res = request_free_mem_region(&iomem_resource,
				      (resource_size_t)dm->nr_chunks << HMMSVM_BLOCK_SHIFT,
				      KBUILD_MODNAME);
	if (!IS_ERR(res))
		return devmem_map(dm, res->start);
	err = PTR_ERR(res);
fail:
	devmem_free_chunks(dm);
	kfree(dm);
	return ERR_PTR(err);
}

/* Coherent memory on @range, which is ours and goes if that fails. */
static struct hmmsvm_devmem *devmem_create_coherent(const struct range *range, int node)
{
	unsigned int chunks = range_len(range) >> HMMSVM_BLOCK_SHIFT;
	struct hmmsvm_devmem *dm = devmem_new(HMMSVM_MEMORY_COHERENT, node, chunks);

	if (!dm) {
		release_mem_region(range->start, range_len(range));
		return ERR_PTR(-ENOMEM);
	}
	while (dm->nr_chunks < chunks)
		devmem_add_chunk(dm, NULL);
	return devmem_map(dm, range->start);
}

static void devmem_destroy(struct hmmsvm_devmem *dm)
{
	resource_size_t size = range_len(&dm->pgmap.range);

	/* Nobody has a context, but pages may be left that forked children use. */
	hmmsvm_migrate_empty(dm);
	cancel_work_sync(&dm->freed_work);
	memunmap_pages(&dm->pgmap);
	release_mem_region(dm->res_start, size);
	devmem_free_chunks(dm);
	kfree(dm);
}

void hmmsvm_devmem_exit(void)
{
	while (nr_devmems)
		devmem_destroy(devmems[--nr_devmems]);
}

static int devmem_init_private(void)
{
	unsigned int i;

	for (i = 0; i < devmem_mb_count; i++) {
		struct hmmsvm_devmem *dm;
		int node = devmem_node[i];

		if (!devmem_mb[i])
			break;
		if (!IS_ENABLED(CONFIG_DEVICE_PRIVATE)) {
			pr_notice("this kernel has no CONFIG_DEVICE_PRIVATE, which devmem_mb= needs; devmem_range= makes device memory of a reserved range\n");
			return 0;
		}
		if (devmem_mb[i] % (HMMSVM_BLOCK_SIZE >> 20) ||
		    (node != NUMA_NO_NODE && (node < 0 || node >= MAX_NUMNODES ||
					      !node_state(node, N_MEMORY)))) {
			pr_err("devmem_mb=%u devmem_node=%d: a multiple of 2 MiB, and a node with memory (or -1) are wanted\n",
			       devmem_mb[i], node);
			return -EINVAL;
		}
		dm = devmem_create(devmem_mb[i], node);
		if (IS_ERR(dm)) {
			pr_err("no device memory of %u MiB on node %d (error %ld)\n", devmem_mb[i],
			       node, PTR_ERR(dm));
			return PTR_ERR(dm);
		}
		pr_info("device memory %u: %u MiB, node %d\n", nr_devmems,
			dm->nr_chunks << (HMMSVM_BLOCK_SHIFT - 20), node);
		devmems[nr_devmems++] = dm;
	}
	return 0;
}

static int devmem_init_coherent(void)
{
	unsigned int i;

	for (i = 0; i < hmmsvm_coherent_count(); i++) {
		struct hmmsvm_devmem *dm;
		struct range range;
		int node, err;

		if (nr_devmems == DEVMEM_MAX) {
			pr_err("more than %u device memories\n", DEVMEM_MAX);
			return -EINVAL;
		}
		err = hmmsvm_coherent_claim(i, &range, &node);
		if (err)
			return err;
		dm = devmem_create_coherent(&range, node);
		if (IS_ERR(dm)) {
			pr_err("no device memory on %#llx-%#llx (error %ld)\n", range.start,
			       range.end, PTR_ERR(dm));
			return PTR_ERR(dm);
		}
		pr_info("device memory %u: %u MiB at %#llx, which the CPU reaches, node %d\n",
			nr_devmems, dm->nr_chunks << (HMMSVM_BLOCK_SHIFT - 20), range.start, node);
		devmems[nr_devmems++] = dm;
	}
	return 0;
}

/* Makes the device memories that the module's parameters ask for, private ones first. */
int hmmsvm_devmem_init(void)
{
	int err = devmem_init_private();

	if (!err)
		err = devmem_init_coherent();
	if (err)
		hmmsvm_devmem_exit();
	else if (!nr_devmems)
		pr_info("no device memory%s: memory is mirrored where it is, nothing migrates\n",
			IS_ENABLED(CONFIG_DEVICE_PRIVATE) ?
			"" : ", for which this kernel needs devmem_range=");
	return err;
}
