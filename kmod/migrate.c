// SPDX-License-Identifier: GPL-2.0
/*
 * Migration: pages go to device memory and come back.
 *
 * To the device, a range of one block at a time: places for its pages are
 * reserved first, for which others may have to be evicted; then the core
 * isolates what is there, we copy, and the core replaces the application's
 * entries by device-private ones, or by ones that show coherent device memory.
 * What does not move (files, shared memory, pinned or locked pages) stays where it
 * is; that is normal.
 *
 * Back to system memory there are three ways: by address (a CPU fault, a
 * request), by number of the device page (eviction, the end of a context, of
 * the module), which works whoever has them mapped, but needs hold of their
 * reverse map, see anon.c. The CPU fault is the CPU's only way home from private
 * memory; coherent memory it reaches in place. It needs one page: if there is
 * none to be had, one of a small reserve; if that is used up too, the thread gets
 * SIGBUS, never a hang. Pages are charged to the same memory cgroup before and
 * after, so that no limit is in the way.
 *
 * The engine's entries are taken away by the notifications that the core sends
 * before it unmaps a page, on either way; see range.c.
 *
 * Locking, see hmmsvm.h: block->migrate_mutex, under the application's
 * mmap_lock held for reading, serialises migrations of a block to the device.
 * Nothing that a CPU fault or an eviction does waits for it.
 */
#include <linux/delay.h>
#include <linux/ksm.h>
#include <linux/migrate.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>

#include "anon.h"
#include "block.h"
#include "compat.h"
#include "events.h"
#include "migrate.h"

/*
 * Nobody is to be killed for a page that may as well stay where it is. For one that the
 * CPU waits for, GFP_HIGHUSER_MOVABLE.
 */
#define MIGRATE_GFP (GFP_HIGHUSER_MOVABLE | __GFP_NORETRY | __GFP_NOWARN)
#define MIGRATE_GFP_CLOSE (GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* Victims to try for one migration, if the first ones have pages that do not move. */
#define MIGRATE_VICTIMS 8

/* How often, and how long, the end of a context waits for who is emptying a chunk of its. */
#define MIGRATE_WAITS	200
#define MIGRATE_WAIT_MS	5

/* Pages kept for CPU faults when there is no memory. */
#define MIGRATE_RESERVE 64

/* What the core wants to have for a block. */
struct migrate_work {
	unsigned long src[HMMSVM_BLOCK_PAGES];
	unsigned long dst[HMMSVM_BLOCK_PAGES];
};

/* The same by number, with the reverse maps of what moves. */
struct migrate_number {
	struct migrate_work work;
	struct hmmsvm_anon_hold anon;
};

static DEFINE_SPINLOCK(reserve_lock);
static struct page *reserve[MIGRATE_RESERVE];
static unsigned int reserve_count;

static void reserve_refill(void)
{
	while (READ_ONCE(reserve_count) < MIGRATE_RESERVE) {
		struct page *page = alloc_page(GFP_HIGHUSER_MOVABLE | __GFP_NORETRY |
					       __GFP_NOWARN);

		if (!page)
			return;
		spin_lock(&reserve_lock);
		if (reserve_count < MIGRATE_RESERVE) {
			reserve[reserve_count++] = page;
			page = NULL;
		}
		spin_unlock(&reserve_lock);
		if (page)
			__free_page(page);
	}
}

static struct page *reserve_take(void)
{
	struct page *page = NULL;

	spin_lock(&reserve_lock);
	if (reserve_count)
		page = reserve[--reserve_count];
	spin_unlock(&reserve_lock);
	return page;
}

static void reserve_free(void)
{
	struct page *page;

	while ((page = reserve_take()))
		__free_page(page);
}

static void copy_pages(struct page *to, struct page *from, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		copy_highpage(to + i, from + i);
}

/* Whether there is one in the set, which may be NULL. */
static bool pages_any(const struct hmmsvm_pages *set)
{
	return set && hmmsvm_pages_count(set, 0, HMMSVM_BLOCK_PAGES);
}

/* ---- to system memory ----------------------------------------------------------- */

/* What a way back to system memory has to know and finds out. */
struct migrate_home {
	struct vm_area_struct *vma;	/* NULL: by number */
	unsigned long start;		/* address of the first entry, if vma */
	struct page *fault_page;	/* must come back; NULL: none */
	const struct hmmsvm_pages *except;	/* pages of their block that stay; NULL: none */
	gfp_t gfp;			/* for all but fault_page */
	bool last_resort;		/* a huge page may take the backing memory with it */
	enum hmmsvm_reason reason;
	bool parted;			/* a huge page stayed, to be split before it moves */
	unsigned long pages, huge, no_memory;
};

/* Whether the page of entry @i is to stay. */
static bool home_excepts(const struct migrate_home *home, unsigned int i)
{
	unsigned long first = (home->start & (HMMSVM_BLOCK_SIZE - 1)) >> PAGE_SHIFT;

	return home->except && hmmsvm_pages_test(home->except, first + i);
}

static struct page *home_alloc_small(struct migrate_home *home, unsigned int i, bool must)
{
	gfp_t gfp = must ? GFP_HIGHUSER_MOVABLE | __GFP_NOWARN : home->gfp;
	struct page *page;

	if (home->vma)
		page = alloc_page_vma(gfp, home->vma, home->start + i * PAGE_SIZE);
	else
		page = alloc_page(gfp);
	if (!page && must)
		page = reserve_take();
	return page;
}

/* A huge page for the content of @spage, or NULL; with the content. */
static struct page *home_huge(struct migrate_home *home, struct hmmsvm_devmem *dm,
			      struct page *spage)
{
	struct page *backing = hmmsvm_devmem_backing(dm, spage);
	unsigned int order = folio_order(page_folio(spage));
	struct folio *folio;

	folio = folio_alloc((home->gfp & ~__GFP_NOFAIL) | __GFP_NORETRY | __GFP_NOWARN, order);
	if (folio) {
		copy_pages(folio_page(folio, 0), backing, 1U << order);
	} else if (home->last_resort && order == HMMSVM_BLOCK_SHIFT - PAGE_SHIFT) {
		/* At the very end the content may stay where it is: the memory goes along. */
		folio = page_folio(backing);
		folio_get(folio);
		folio_set_large_rmappable(folio);
	} else {
		return NULL;
	}
	folio_lock(folio);
	return folio_page(folio, 0);
}

/*
 * Gives every isolated device page a page of system memory with its content.
 * Returns false if there is none for the page that must come back.
 */
static bool home_copy(struct migrate_home *home, unsigned long *src, unsigned long *dst,
		      unsigned int npages)
{
	struct folio *fault = home->fault_page ? page_folio(home->fault_page) : NULL;
	unsigned int i, nr;
	bool found = true;

	for (i = 0; i < npages; i += nr) {
		struct page *spage = migrate_pfn_to_page(src[i]), *dpage;
		struct hmmsvm_devmem *dm;
		bool must;

		nr = 1;
		if (!spage || !(src[i] & MIGRATE_PFN_MIGRATE))
			continue;
		dm = hmmsvm_devmem_of(spage);
		if (WARN_ON_ONCE(!dm) || hmmsvm_devmem_retired(dm, spage) ||
		    home_excepts(home, i)) {
			src[i] &= ~MIGRATE_PFN_MIGRATE;
			continue;
		}
		must = fault && fault == page_folio(spage);
		if (src[i] & HMMSVM_MIGRATE_PFN_COMPOUND) {
			nr = folio_nr_pages(page_folio(spage));
			dpage = home_huge(home, dm, spage);
			if (dpage) {
				dst[i] = migrate_pfn(page_to_pfn(dpage)) |
					 HMMSVM_MIGRATE_PFN_COMPOUND;
				continue;
			}
			if (!must) {
				src[i] &= ~MIGRATE_PFN_MIGRATE;
				/* Without a mapping the core cannot split it. */
				if (home->vma)
					home->parted = true;
				else
					home->no_memory += nr;
				continue;
			}
		}
		/*
		 * A small page for a huge one has the core split it, which it cannot, as the CPU
		 * fault holds it; but it does split the entry, and the next fault is one for a
		 * small page.
		 */
		dpage = home_alloc_small(home, i, must);
		if (dpage) {
			lock_page(dpage);
			copy_highpage(dpage, hmmsvm_devmem_backing(dm, spage));
			dst[i] = migrate_pfn(page_to_pfn(dpage));
			home->no_memory += nr - 1;
		} else {
			src[i] &= ~MIGRATE_PFN_MIGRATE;
			home->no_memory += nr;
			found &= !must;
		}
	}
	return found;
}

/* Counts what has moved, while the device pages are still locked. */
static void home_account(struct migrate_home *home, unsigned long *src, unsigned long *dst,
			 unsigned int npages)
{
	unsigned int i, nr;

	for (i = 0; i < npages; i += nr) {
		struct page *spage = migrate_pfn_to_page(src[i]);
		bool huge = dst[i] & HMMSVM_MIGRATE_PFN_COMPOUND;

		nr = huge ? HMMSVM_BLOCK_PAGES : 1;
		if (!spage || !dst[i] || !(src[i] & MIGRATE_PFN_MIGRATE))
			continue;
		if (huge)
			hmmsvm_devmem_given(hmmsvm_devmem_of(spage), spage,
					    migrate_pfn_to_page(dst[i]));
		hmmsvm_devmem_leave(hmmsvm_devmem_of(spage), spage, nr, home->reason);
		home->pages += nr;
		home->huge += huge;
	}
}

/*
 * Brings what is in device memory of [@start, @end), within a block and a
 * mapping whose mmap_lock is held, back to system memory. @src and @dst have room
 * for so many pages. Returns 0, -ENOMEM if there was none for home->fault_page,
 * or what the core says.
 */
static int home_by_address(struct migrate_home *home, unsigned long start, unsigned long end,
			   unsigned long *src, unsigned long *dst)
{
	struct migrate_vma args = {
		.vma = home->vma,
		.start = start,
		.end = end,
		.src = src,
		.dst = dst,
		.pgmap_owner = hmmsvm_devmem_owner(),
		.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE | MIGRATE_VMA_SELECT_DEVICE_COHERENT,
		.fault_page = home->fault_page,
	};
	bool found, again;
	int err;

	/* A huge page goes whole, or is split. */
	if (end - start == HMMSVM_BLOCK_SIZE && !pages_any(home->except))
		args.flags |= HMMSVM_MIGRATE_VMA_SELECT_COMPOUND;
	home->start = start;
	do {
		home->parted = false;
		memset(dst, 0, ((end - start) >> PAGE_SHIFT) * sizeof(*dst));
		err = migrate_vma_setup(&args);
		if (err)
			return err;
		found = home_copy(home, src, dst, args.npages);
		migrate_vma_pages(&args);
		home_account(home, src, dst, args.npages);
		migrate_vma_finalize(&args);
		/* As on the way over, in hmmsvm_migrate_to_device(). */
		again = args.flags & HMMSVM_MIGRATE_VMA_SELECT_COMPOUND;
		args.flags &= ~HMMSVM_MIGRATE_VMA_SELECT_COMPOUND;
	} while (home->parted && again);
	return found ? 0 : -ENOMEM;
}

/*
 * The same for @nr device pages from number @pfn on, whoever has them mapped. The reverse
 * map of each is held, and none is allocated meanwhile.
 */
static void home_by_number(struct migrate_home *home, unsigned long pfn, unsigned int nr,
			   struct migrate_number *number)
{
	struct migrate_work *work = &number->work;
	unsigned int i;

	memset(work, 0, sizeof(*work));
	migrate_device_range(work->src, pfn, nr);
	for (i = 0; i < nr; i++)
		if (work->src[i] & MIGRATE_PFN_MIGRATE)
			WARN_ON_ONCE(!hmmsvm_anon_is_held(&number->anon,
							  migrate_pfn_to_page(work->src[i])));
	home_copy(home, work->src, work->dst, nr);
	migrate_device_pages(work->src, work->dst, nr);
	home_account(home, work->src, work->dst, nr);
	migrate_device_finalize(work->src, work->dst, nr);
}

/*
 * Empties @chunk, which is marked so that nothing of it is allocated, of the pages in @pages
 * if that is not NULL. Those that somebody else is at work on stay.
 */
static void empty_chunk(struct hmmsvm_devmem *dm, struct hmmsvm_chunk *chunk,
			const struct hmmsvm_pages *pages, struct migrate_home *home,
			struct migrate_number *number)
{
	unsigned long pfn = dm->first_pfn + (chunk - dm->chunks) * HMMSVM_BLOCK_PAGES;
	unsigned int first, end;

	number->anon.nr = 0;
	for (first = 0; first < HMMSVM_BLOCK_PAGES; first = end + 1) {
		for (end = first; end < HMMSVM_BLOCK_PAGES; end++)
			if ((pages && !hmmsvm_pages_test(pages, end)) ||
			    !hmmsvm_anon_hold(&number->anon, pfn_to_page(pfn + end)))
				break;
		if (end > first)
			home_by_number(home, pfn + first, end - first, number);
		hmmsvm_anon_release(&number->anon);
	}
}

/*
 * Evicts pages for @ctx, which wants @missing regions more: where its block @named (NULL: none) has
 * a place, if that may go. Returns false if there is no hope.
 */
static bool make_room(struct hmmsvm_context *ctx, unsigned int missing,
		      struct hmmsvm_block *named)
{
	struct migrate_home home = {
		.gfp = MIGRATE_GFP,
		.reason = HMMSVM_REASON_EVICTION,
	};
	struct hmmsvm_devmem *dm = ctx->devmem;
	u64 begin = ktime_get_ns();
	struct migrate_number *number;
	struct hmmsvm_victim victim;
	unsigned long address;

	number = kmalloc_obj(*number, GFP_KERNEL);
	if (!number)
		return false;
	hmmsvm_devmem_victim(ctx, missing, named, &victim);
	if (victim.error)
		hmmsvm_count(ctx, policy_errors);
	if (!victim.chunk) {
		kfree(number);
		return false;
	}
	address = hmmsvm_block_evicting(ctx, &victim);
	empty_chunk(dm, victim.chunk, &victim.pages, &home, number);
	hmmsvm_devmem_evicted(dm, &victim);
	kfree(number);
	hmmsvm_count_add(ctx, failed_no_system_memory, home.no_memory);
	hmmsvm_event(ctx, HMMSVM_EVENT_EVICT, home.huge ? HMMSVM_EVENT_HUGE : 0, address,
		     home.pages, begin);
	return true;
}

/* Evicts what @ctx has beyond its limit, as far as it can go. */
void hmmsvm_migrate_to_limit(struct hmmsvm_context *ctx)
{
	unsigned int tries;

	for (tries = 0; tries < ctx->devmem->nr_chunks && hmmsvm_share_over_limit(ctx) &&
			!fatal_signal_pending(current); tries++) {
		if (!make_room(ctx, 0, NULL))
			break;
		cond_resched();
	}
}

/* ---- to device memory ------------------------------------------------------------ */

/* Whether memory of this mapping can be in device memory at all. mmap_lock is held. */
bool hmmsvm_migrate_possible(const struct vm_area_struct *vma)
{
	if (vma->vm_flags & (VM_SHARED | VM_SPECIAL | VM_HUGETLB) || !(vma->vm_flags & VM_READ))
		return false;
	/*
	 * A merged page that the core isolates by address, and KSM's scanner meanwhile
	 * passes, is not in its reverse map any more: the entry at that address is never
	 * restored, and whoever touches it faults for ever (seen in 7.3).
	 */
	if (vma->vm_flags & VM_MERGEABLE)
		return false;
	/* A handler of user space wants to see every page come. */
	return !userfaultfd_armed((struct vm_area_struct *)vma) &&
	       !vma_is_dax((struct vm_area_struct *)vma);
}

static bool page_may_move(struct page *page)
{
	struct folio *folio = page_folio(page);

	return folio_test_anon(folio) && !folio_test_ksm(folio) &&
	       (HMMSVM_SWAP_CACHE_MIGRATES || !folio_test_swapcache(folio));
}

static unsigned int to_device_small(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
				    unsigned int page, struct page *spage, unsigned long *dst)
{
	struct page *dpage = hmmsvm_devmem_alloc(ctx, block, page);
	struct page *backing;

	if (!dpage)
		return 0;
	backing = hmmsvm_devmem_backing(ctx->devmem, dpage);
	if (spage)
		copy_highpage(backing, spage);
	else
		clear_highpage(backing);
	*dst = migrate_pfn(page_to_pfn(dpage));
	return 1;
}

/*
 * Gives every isolated page, or hole, a device page with its content. Returns false if there is a
 * huge page that there is no huge device page for: it stays. The core would take small ones for
 * it, and split what it has unmapped; but it parts the huge entry of this mapping only, and a
 * forked child is left with one of a small page (seen in 7.3: memory corruption, panic).
 */
static bool to_device_copy(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
			   struct migrate_work *work, unsigned int first, unsigned int npages,
			   const struct hmmsvm_pages *except, struct hmmsvm_moved *moved)
{
	unsigned int i, k, nr;
	bool whole = true;

	for (i = 0; i < npages; i += nr) {
		struct page *spage = migrate_pfn_to_page(work->src[i]), *dpage;

		nr = 1;
		if (except && hmmsvm_pages_test(except, first + i)) {
			moved->excepted++;
			work->src[i] &= ~MIGRATE_PFN_MIGRATE;
			continue;
		}
		if (!(work->src[i] & MIGRATE_PFN_MIGRATE))
			continue;
		if (spage && !page_may_move(spage)) {
			work->src[i] &= ~MIGRATE_PFN_MIGRATE;
			continue;
		}
		if (work->src[i] & HMMSVM_MIGRATE_PFN_COMPOUND) {
			nr = HMMSVM_BLOCK_PAGES;
			dpage = hmmsvm_devmem_alloc_huge(ctx, block);
			if (dpage) {
				struct page *backing = hmmsvm_devmem_backing(ctx->devmem, dpage);

				if (spage)
					copy_pages(backing, spage, nr);
				else
					for (k = 0; k < nr; k++)
						clear_highpage(backing + k);
				work->dst[i] = migrate_pfn(page_to_pfn(dpage)) |
					       HMMSVM_MIGRATE_PFN_COMPOUND;
				continue;
			}
			if (spage) {
				work->src[i] &= ~MIGRATE_PFN_MIGRATE;
				whole = false;
				continue;
			}
		}
		for (k = 0; k < nr; k++)
			if (!to_device_small(ctx, block, first + i + k, spage, &work->dst[i + k]))
				moved->no_memory++;
		if (nr == 1)
			continue;
		/* A hole after all: the core would fill all of a huge one, or fall into it. */
		for (k = 0; k < nr; k++)
			work->src[i + k] = work->dst[i + k] ? MIGRATE_PFN_MIGRATE : 0;
	}
	return whole;
}

static void to_device_account(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
			      struct migrate_work *work, unsigned int first, unsigned int npages,
			      struct hmmsvm_moved *moved)
{
	unsigned long refaults = 0, huge = 0;
	unsigned int i, nr;

	for (i = 0; i < npages; i += nr) {
		bool is_huge = work->dst[i] & HMMSVM_MIGRATE_PFN_COMPOUND;

		nr = is_huge ? HMMSVM_BLOCK_PAGES : 1;
		if (!work->dst[i] || !(work->src[i] & MIGRATE_PFN_MIGRATE))
			continue;
		moved->pages += nr;
		huge += is_huge;
		if (!migrate_pfn_to_page(work->src[i]))
			moved->zeroed += nr;
		refaults += hmmsvm_block_forget_evicted(ctx, block, first + i, nr);
	}
	hmmsvm_count_add(ctx, pages_to_device, moved->pages);
	hmmsvm_count_add(ctx, pages_zeroed, moved->zeroed);
	hmmsvm_count_add(ctx, refaults, refaults);
	hmmsvm_count_add(ctx, huge_to_device, huge);
}

/*
 * Brings pages [@first, @first + @count) of @block, as far as they lie in @vma,
 * to device memory. The application's mmap_lock is held for reading; nothing
 * else is. @decision (NULL: it is a request) is the policy's that wants that, and says which
 * stay all the same, and what goes first if there is no room. @absent (may be NULL) is a page
 * that was not in device memory. @moved is added to.
 */
void hmmsvm_migrate_to_device(struct hmmsvm_context *ctx, struct vm_area_struct *vma,
			      struct hmmsvm_block *block, unsigned int first, unsigned int count,
			      const struct hmmsvm_policy_decision *decision,
			      const struct hmmsvm_absent *absent, struct hmmsvm_moved *moved)
{
	const struct hmmsvm_pages *except = decision ? &decision->except : NULL;
	unsigned long start = max(block->policy.start + first * PAGE_SIZE, vma->vm_start);
	unsigned long end = min(block->policy.start + (first + count) * PAGE_SIZE, vma->vm_end);
	struct migrate_vma args = {
		.vma = vma,
		.start = start,
		.end = end,
		.pgmap_owner = hmmsvm_devmem_owner(),
		.flags = MIGRATE_VMA_SELECT_SYSTEM,
	};
	struct hmmsvm_block *named = NULL;
	struct hmmsvm_moved this = {};
	u64 begin = ktime_get_ns(), copying;
	unsigned int tries, missing, page = -1u;
	struct migrate_work *work;
	bool whole, again;

	mmap_assert_locked(vma->vm_mm);
	if (start >= end)
		return;
	first = (start - block->policy.start) >> PAGE_SHIFT;
	count = (end - start) >> PAGE_SHIFT;
	work = kmalloc_obj(*work, GFP_KERNEL);
	if (!work)
		return;
	if (mutex_lock_killable(&block->migrate_mutex))
		goto out_free;

	/* Somebody may have brought it while we waited. */
	if (absent && !mmu_interval_read_retry(absent->notifier, absent->seq))
		page = absent->page;
	this.there = hmmsvm_block_resident(ctx, block, first, count);
	if (decision && decision->victim)
		named = hmmsvm_block_find(ctx, decision->victim);
	for (tries = 0;; tries++) {
		missing = hmmsvm_devmem_reserve(ctx, block, first, count, page, &this.limited);
		if (!missing || tries == MIGRATE_VICTIMS || fatal_signal_pending(current) ||
		    !make_room(ctx, missing, tries ? NULL : named))
			break;
	}

	copying = ktime_get_ns();
	args.src = work->src;
	args.dst = work->dst;
	/* What the core isolates as a whole moves as a whole. */
	if (count == HMMSVM_BLOCK_PAGES && !(vma->vm_flags & VM_NOHUGEPAGE) &&
	    ctx->devmem->kind == HMMSVM_MEMORY_PRIVATE && !pages_any(except))
		args.flags |= HMMSVM_MIGRATE_VMA_SELECT_COMPOUND;
	do {
		memset(work->dst, 0, sizeof(work->dst));
		if (migrate_vma_setup(&args) || !args.cpages)
			break;
		whole = to_device_copy(ctx, block, work, first, args.npages, except, &this);
		migrate_vma_pages(&args);
		to_device_account(ctx, block, work, first, args.npages, &this);
		migrate_vma_finalize(&args);
		/* Nothing has moved, as the block is one huge page: the core splits it first. */
		again = args.flags & HMMSVM_MIGRATE_VMA_SELECT_COMPOUND;
		args.flags &= ~HMMSVM_MIGRATE_VMA_SELECT_COMPOUND;
	} while (!whole && again);
	hmmsvm_count_add(ctx, failed_no_memory, this.no_memory);
	if (this.limited)
		hmmsvm_count_add(ctx, failed_limit, this.no_memory);
	hmmsvm_count_add(ctx, failed_busy,
			 count - min(count, this.pages + this.there + this.no_memory + this.excepted));
	hmmsvm_devmem_unreserve(ctx, block);
	hmmsvm_block_migrated(ctx, block, this.pages, this.zeroed, copying);
	mutex_unlock(&block->migrate_mutex);

	if (this.pages) {
		hmmsvm_count(ctx, migrations_to_device);
		hmmsvm_event(ctx, HMMSVM_EVENT_TO_DEVICE, 0, start, this.pages, begin);
	}
	hmmsvm_count_add(ctx, migrate_ns, ktime_get_ns() - begin);
	moved->pages += this.pages;
	moved->there += this.there;
	moved->no_memory += this.no_memory;
out_free:
	kfree(work);
}

/* ---- requests ---------------------------------------------------------------------- */

/*
 * Brings [@start, @end), within a block and @vma, back to system memory. The
 * mmap_lock of @vma is held. @decision as in hmmsvm_migrate_to_device(). @moved is added to.
 */
void hmmsvm_migrate_to_system(struct hmmsvm_context *ctx, struct vm_area_struct *vma,
			      unsigned long start, unsigned long end,
			      const struct hmmsvm_policy_decision *decision,
			      struct hmmsvm_moved *moved)
{
	struct migrate_home home = {
		.vma = vma,
		.except = decision ? &decision->except : NULL,
		.gfp = MIGRATE_GFP_CLOSE,
		.reason = HMMSVM_REASON_REQUEST,
	};
	u64 begin = ktime_get_ns();
	struct migrate_work *work;

	mmap_assert_locked(vma->vm_mm);
	work = kmalloc_obj(*work, GFP_KERNEL);
	if (!work)
		return;
	home_by_address(&home, start, end, work->src, work->dst);
	kfree(work);
	if (home.pages)
		hmmsvm_event(ctx, HMMSVM_EVENT_TO_SYSTEM, home.huge ? HMMSVM_EVENT_HUGE : 0, start,
			     home.pages, begin);
	hmmsvm_count_add(ctx, failed_no_system_memory, home.no_memory);
	moved->pages += home.pages;
}

/* Whether a request has anything to do with this mapping. What is there comes back in any case. */
static bool request_applies(const struct vm_area_struct *vma, u32 flags)
{
	if (flags & HMMSVM_MIGRATE_TO_SYSTEM)
		return !(vma->vm_flags & (VM_SHARED | VM_SPECIAL | VM_HUGETLB)) &&
		       !vma_is_dax(vma);
	return hmmsvm_migrate_possible(vma);
}

/*
 * Moves what of [@start, @end), within a block, can move, whatever mappings it
 * has. HMMSVM_MIGRATE_* say where to. @decision as in hmmsvm_migrate_to_device(). The
 * application's mmap_lock is held. Returns 0, -EFAULT if a part is not mapped, or -ENOMEM.
 */
int hmmsvm_migrate_piece(struct hmmsvm_context *ctx, unsigned long start, unsigned long end,
			 u32 flags, const struct hmmsvm_policy_decision *decision,
			 struct hmmsvm_moved *moved)
{
	struct vm_area_struct *vma;
	struct hmmsvm_block *block;
	unsigned long at = start;
	int err = 0;

	while (at < end) {
		unsigned long stop;

		vma = find_vma(ctx->app_mm, at);
		if (!vma || vma->vm_start >= end)
			return -EFAULT;
		if (vma->vm_start > at) {
			err = -EFAULT;
			at = vma->vm_start;
		}
		stop = min(end, vma->vm_end);
		if (!request_applies(vma, flags)) {
			at = stop;
			continue;
		}
		if (flags & HMMSVM_MIGRATE_TO_SYSTEM) {
			hmmsvm_migrate_to_system(ctx, vma, at, stop, decision, moved);
			block = hmmsvm_block_find(ctx, at);
			if (block)
				moved->stayed += hmmsvm_block_resident(ctx, block,
						(at - block->policy.start) >> PAGE_SHIFT,
						(stop - at) >> PAGE_SHIFT);
		} else {
			block = hmmsvm_block_get(ctx, at);
			if (!block)
				return -ENOMEM;
			hmmsvm_migrate_to_device(ctx, vma, block,
						 (at - block->policy.start) >> PAGE_SHIFT,
						 (stop - at) >> PAGE_SHIFT, decision, NULL, moved);
		}
		at = stop;
	}
	return err;
}

/*
 * From where on [@at, @end), within a mapping whose mmap_lock is held, may have entries; what has no
 * page tables has none, and may be terabytes. Looks at one GiB of those that there are, at most.
 */
static unsigned long request_skip_empty(struct mm_struct *mm, unsigned long at, unsigned long end)
{
	while (at < end) {
		pgd_t *pgd = pgd_offset(mm, at);
		p4d_t *p4d;
		pud_t *pud;

		if (pgd_none(*pgd)) {
			at = pgd_addr_end(at, end);
			continue;
		}
		p4d = p4d_offset(pgd, at);
		if (p4d_none(*p4d)) {
			at = p4d_addr_end(at, end);
			continue;
		}
		pud = pud_offset(p4d, at);
		if (pud_none(*pud)) {
			at = pud_addr_end(at, end);
			continue;
		}
		end = pud_addr_end(at, end);
		if (pud_leaf(*pud))
			break;
		while (at < end && pmd_none(pmdp_get_lockless(pmd_offset(pud, at))))
			at = pmd_addr_end(at, end);
		break;
	}
	return at;
}

/* HMMSVM_IOC_MIGRATE. The caller is the application. */
int hmmsvm_migrate_request(struct hmmsvm_context *ctx, struct hmmsvm_migrate *request)
{
	struct mm_struct *mm = ctx->app_mm;
	struct hmmsvm_moved moved = {};
	unsigned long at, end;
	u64 pages;
	int err = 0;

	if (request->flags != HMMSVM_MIGRATE_TO_DEVICE &&
	    request->flags != HMMSVM_MIGRATE_TO_SYSTEM)
		return -EINVAL;
	if (!request->length || request->start + request->length < request->start ||
	    request->start < ctx->va_start || request->start + request->length > ctx->va_end)
		return -EINVAL;
	if (!ctx->devmem)
		return -ENODEV;
	if (!mmget_not_zero(mm))
		return -EFAULT;
	at = request->start & PAGE_MASK;
	end = PAGE_ALIGN(request->start + request->length);
	pages = (end - at) >> PAGE_SHIFT;
	while (at < end) {
		struct vm_area_struct *vma;
		unsigned long stop;
		int ret;

		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
		/* Let go of the lock in between: others want it too. */
		if (mmap_read_lock_killable(mm)) {
			err = -EINTR;
			break;
		}
		/* Over what is not mapped, or cannot move, in one step: it may be terabytes. */
		vma = find_vma(mm, at);
		if (!vma || vma->vm_start > at)
			err = -EFAULT;
		if (vma && vma->vm_start <= at && !request_applies(vma, request->flags))
			at = vma->vm_end;
		else
			at = vma ? max(at, vma->vm_start) : end;
		if (at >= end) {
			mmap_read_unlock(mm);
			break;
		}
		if (request->flags & HMMSVM_MIGRATE_TO_SYSTEM && at < vma->vm_end) {
			stop = request_skip_empty(mm, at, min(end, vma->vm_end));
			if (stop > at) {
				mmap_read_unlock(mm);
				at = stop;
				cond_resched();
				continue;
			}
		}
		stop = min(end, (at | (HMMSVM_BLOCK_SIZE - 1)) + 1);
		ret = hmmsvm_migrate_piece(ctx, at, stop, request->flags, NULL, &moved);
		mmap_read_unlock(mm);
		if (ret && ret != -EFAULT) {
			err = ret;
			break;
		}
		if (ret)
			err = ret;
		at = stop;
		cond_resched();
	}
	mmput(mm);
	request->pages_moved = moved.pages;
	if (request->flags & HMMSVM_MIGRATE_TO_SYSTEM)
		moved.there = pages - min(pages, moved.pages + moved.stayed);
	request->pages_there = moved.there;
	request->pages_failed = pages - min(pages, moved.pages + moved.there);
	return err;
}

/* ---- the CPU faults ------------------------------------------------------------------ */

/*
 * What the policy wants back, too, of at most @blocks blocks of @vma after that of @addr, which the
 * CPU has faulted on, as long as they have something there. @vma's mmap_lock is held. Failure is of
 * no consequence.
 */
static void cpu_fault_ahead(struct hmmsvm_context *ctx, struct vm_area_struct *vma,
			    unsigned long addr, unsigned int blocks)
{
	const struct hmmsvm_policy_fault fault = { .ahead = true };
	struct migrate_work *work = kmalloc_obj(*work, GFP_KERNEL);

	mmap_assert_locked(vma->vm_mm);
	for (blocks = min(blocks, HMMSVM_POLICY_AHEAD); work && blocks; blocks--) {
		struct hmmsvm_policy_decision d;
		struct migrate_home home = {
			.vma = vma,
			.except = &d.except,
			.gfp = MIGRATE_GFP,
			.reason = HMMSVM_REASON_CPU_FAULT,
		};
		struct hmmsvm_block *block;
		unsigned long start, end;
		u64 begin = ktime_get_ns();

		addr = ALIGN_DOWN(addr, HMMSVM_BLOCK_SIZE) + HMMSVM_BLOCK_SIZE;
		block = addr < vma->vm_end ? hmmsvm_block_find(ctx, addr) : NULL;
		if (!block || !hmmsvm_block_resident(ctx, block, 0, HMMSVM_BLOCK_PAGES) ||
		    fatal_signal_pending(current))
			break;
		hmmsvm_block_cpu_fault(ctx, block, &fault, &d);
		if (!d.count)
			break;
		if (hmmsvm_devmem_is_huge(ctx, block))
			d = (struct hmmsvm_policy_decision){ .count = HMMSVM_BLOCK_PAGES };
		start = addr + d.first * PAGE_SIZE;
		end = min(start + d.count * PAGE_SIZE, vma->vm_end);
		if (start < end)
			home_by_address(&home, start, end, work->src, work->dst);
		hmmsvm_count_add(ctx, failed_no_system_memory, home.no_memory);
		if (home.pages)
			hmmsvm_event(ctx, HMMSVM_EVENT_TO_SYSTEM, home.huge ? HMMSVM_EVENT_HUGE : 0,
				     start, home.pages, begin);
		/* Nobody waits for these. */
		if (!home.pages || home.no_memory)
			break;
		cond_resched();
	}
	kfree(work);
}

/* The CPU touched a page that is in device memory. See struct dev_pagemap_ops. */
vm_fault_t hmmsvm_migrate_cpu_fault(struct vm_fault *vmf)
{
	struct hmmsvm_devmem *dm = hmmsvm_devmem_of(vmf->page);
	struct migrate_home home = {
		.vma = vmf->vma,
		.fault_page = vmf->page,
		.gfp = MIGRATE_GFP,
		.reason = HMMSVM_REASON_CPU_FAULT,
	};
	unsigned long addr = vmf->address & PAGE_MASK, start = addr, end = addr + PAGE_SIZE;
	bool own = current->mm == vmf->vma->vm_mm;
	u64 begin = ktime_get_ns();
	struct hmmsvm_context *ctx;
	struct hmmsvm_block *block;
	unsigned long one_src, one_dst;
	struct hmmsvm_policy_decision d = {};
	struct migrate_work *work;
	int err;

	ctx = hmmsvm_devmem_user(dm, vmf->page, &block);
	if (ctx)
		hmmsvm_block_stall(ctx);
	if (hmmsvm_fault_is_huge(vmf)) {
		start = ALIGN_DOWN(addr, HMMSVM_BLOCK_SIZE);
		end = start + HMMSVM_BLOCK_SIZE;
	}
	/*
	 * The policy has a say if it is the application that wants the page, where
	 * it was put. Others (a debugger, the device itself for a page that has to be
	 * copied) get just the page.
	 */
	if (ctx && block && own && vmf->vma->vm_mm == ctx->app_mm &&
	    block->policy.start == ALIGN_DOWN(addr, HMMSVM_BLOCK_SIZE)) {
		const struct hmmsvm_policy_fault fault = {
			.page = (addr - block->policy.start) >> PAGE_SHIFT,
			.write = vmf->flags & FAULT_FLAG_WRITE,
		};

		hmmsvm_block_cpu_fault(ctx, block, &fault, &d);
		/* A huge page comes back whole, whatever the policy thinks. */
		start = min(start, block->policy.start + d.first * PAGE_SIZE);
		end = max(end, block->policy.start + (d.first + d.count) * PAGE_SIZE);
		if (!folio_test_large(page_folio(vmf->page)))
			home.except = &d.except;
	}
	start = max(start, vmf->vma->vm_start);
	end = min(end, vmf->vma->vm_end);
	if (folio_test_large(page_folio(vmf->page)) && !hmmsvm_fault_is_huge(vmf)) {
		/*
		 * Small entries of a huge page: the core splits it, and then takes its
		 * first page for the one that the fault has locked (seen in 7.3). The
		 * next fault finds small pages.
		 */
		start = addr;
		end = addr + PAGE_SIZE;
	}

	work = end - start > PAGE_SIZE ? kmalloc_obj(*work, GFP_KERNEL) : NULL;
	if (work) {
		err = home_by_address(&home, start, end, work->src, work->dst);
		kfree(work);
	} else {
		/* One page does not need much. */
		start = addr;
		err = home_by_address(&home, addr, addr + PAGE_SIZE, &one_src, &one_dst);
	}
	if (READ_ONCE(reserve_count) < MIGRATE_RESERVE)
		reserve_refill();

	if (ctx) {
		hmmsvm_count(ctx, cpu_faults);
		hmmsvm_count_add(ctx, failed_no_system_memory, home.no_memory);
		hmmsvm_block_came_back(ctx, home.pages, begin);
		hmmsvm_event(ctx, HMMSVM_EVENT_CPU_FAULT,
			     (vmf->flags & FAULT_FLAG_WRITE ? HMMSVM_EVENT_WRITE : 0) |
			     (home.huge ? HMMSVM_EVENT_HUGE : 0), start, home.pages, begin);
		/*
		 * What the core has locked for this fault has gone then: nothing that is ahead may
		 * be a part of it, and wait for that lock.
		 */
		if (!err && d.ahead && home.pages && !home.no_memory)
			cpu_fault_ahead(ctx, vmf->vma, addr, d.ahead);
		hmmsvm_count_add(ctx, cpu_fault_ns, ktime_get_ns() - begin);
		hmmsvm_block_go_on(ctx);
		hmmsvm_context_put(ctx);
	}
	/*
	 * If the page did not move, somebody else is at work on it: the access
	 * faults again. Only without memory there is no use in that.
	 */
	return err == -ENOMEM ? VM_FAULT_SIGBUS : 0;
}

/* ---- the ends -------------------------------------------------------------------------- */

/* Brings everything that is charged to @ctx back. What cannot stays, as nobody's. */
void hmmsvm_migrate_empty_of(struct hmmsvm_context *ctx)
{
	struct hmmsvm_devmem *dm = ctx->devmem;
	struct migrate_home home = {
		.gfp = MIGRATE_GFP_CLOSE,
		.reason = HMMSVM_REASON_CLOSE,
	};
	struct migrate_number *number;
	struct hmmsvm_pages pages;
	struct hmmsvm_chunk *chunk;
	unsigned int at, tries, waits = 0;
	bool left;

	number = kmalloc_obj(*number, GFP_KERNEL);
	for (tries = 0; number && tries < 3; tries++) {
		left = false;
		at = 0;
		while ((chunk = hmmsvm_devmem_next_of(dm, ctx, &at, &pages))) {
			left = true;
			empty_chunk(dm, chunk, &pages, &home, number);
			hmmsvm_devmem_left(dm, chunk);
			cond_resched();
		}
		/* Only waits: what does not go, and is emptied again and again, keeps others waiting. */
		for (; hmmsvm_devmem_busy_of(dm, ctx) && waits < MIGRATE_WAITS; waits++) {
			left = true;
			msleep(MIGRATE_WAIT_MS);
		}
		if (!left)
			break;
	}
	kfree(number);
	hmmsvm_devmem_disown(dm, ctx);
}

/*
 * Brings everything back, as long as it takes: the device memory is about to end, and nobody
 * can allocate of it any more.
 */
void hmmsvm_migrate_empty(struct hmmsvm_devmem *dm)
{
	struct migrate_home home = {
		.gfp = GFP_HIGHUSER_MOVABLE | __GFP_NOFAIL,
		.last_resort = true,
		.reason = HMMSVM_REASON_CLOSE,
	};
	struct migrate_number *number = kmalloc_obj(*number, GFP_KERNEL | __GFP_NOFAIL);
	unsigned int i;

	while (READ_ONCE(dm->used_pages)) {
		for (i = 0; i < dm->nr_chunks; i++)
			if (READ_ONCE(dm->chunks[i].used))
				empty_chunk(dm, &dm->chunks[i], NULL, &home, number);
		/* Somebody holds a page for a moment. */
		if (READ_ONCE(dm->used_pages))
			msleep(20);
	}
	kfree(number);
	reserve_free();
}
