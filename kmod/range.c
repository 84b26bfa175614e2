// SPDX-License-Identifier: GPL-2.0
/*
 * Watching the application's page table, one GiB at a time.
 *
 * A range is made when the device first faults in it and stays as long as the
 * context. Watching only what the device has touched keeps a munmap() elsewhere
 * from disturbing anything: notifications for a range that is not watched cost
 * the application an interval tree look-up and nothing else.
 *
 * Locking: see hmmsvm.h. The callback runs under whatever locks the core
 * holds, possibly in reclaim: it takes range->lock for writing, sets the
 * sequence, takes the entries away, allocates nothing and waits for nobody
 * but inserters, which hold range->lock for reading for no longer than it
 * takes to set HMMSVM_BLOCK_PAGES entries of tables that exist already.
 */
#include <linux/lockdep.h>
#include <linux/slab.h>

#include "compat.h"
#include "hmmsvm.h"

/* The block numbers within @range that [start, end) touches. */
static void range_blocks(const struct hmmsvm_range *range, unsigned long start,
			 unsigned long end, unsigned long *first, unsigned long *last)
{
	*first = (start - range->start) >> HMMSVM_BLOCK_SHIFT;
	*last = (end - 1 - range->start) >> HMMSVM_BLOCK_SHIFT;
}

/*
 * Takes [start, end) out of the engine's page table. range->lock is held for
 * writing, so that no entry can come back before the sequence says so.
 */
static void range_zap(struct hmmsvm_range *range, unsigned long start, unsigned long end)
{
	unsigned long first, last, whole_first, whole_last;

	lockdep_assert_held_write(&range->lock);

	/*
	 * This enters the notifier machinery a second time, for the engine's
	 * mm, and takes the i_mmap_rwsem of our own inode. Lockdep knows both
	 * by class only and would see recursion. There is none: the engine's
	 * mm is never an application (hmmsvm_context_bind() and _attach() see
	 * to it), so that no callback of ours runs for it; and nobody who
	 * holds our inode's i_mmap_rwsem waits for memory, an mmap_lock or a
	 * range->lock: mmap(), munmap() and exit of the engine take it around
	 * linking and unlinking the mapping only. The one exception is
	 * mm_take_all_locks(), if the engine registers a notifier for its own
	 * mm after it has mapped the mirror, with another driver: our engine
	 * has no such descriptor, an attach with one is refused, and the node
	 * is not for everybody.
	 */
	lockdep_off();
	unmap_mapping_range(range->ctx->inode->i_mapping, start, end - start, 1);
	lockdep_on();

	range_blocks(range, start, end, &first, &last);
	/* An entry for a whole block goes whole, whatever part of it was meant. */
	bitmap_clear(range->huge, first, last - first + 1);
	whole_first = first + !IS_ALIGNED(start, HMMSVM_BLOCK_SIZE);
	whole_last = last + IS_ALIGNED(end, HMMSVM_BLOCK_SIZE);
	if (whole_first < whole_last)
		bitmap_clear(range->blocks, whole_first, whole_last - whole_first);
}

static bool range_invalidate(struct mmu_interval_notifier *notifier,
			     const struct mmu_notifier_range *change, unsigned long seq)
{
	struct hmmsvm_range *range = container_of(notifier, struct hmmsvm_range, notifier);
	unsigned long start = max(change->start, range->start);
	unsigned long end = min(change->end, range->start + HMMSVM_RANGE_SIZE);
	bool blockable = mmu_notifier_range_blockable(change);
	unsigned long first, last;
	bool mapped;

	if (blockable)
		down_write(&range->lock);
	else if (!down_write_trylock(&range->lock))
		return false;

	mmu_interval_set_seq(notifier, seq);
	hmmsvm_count(range->ctx, invalidations);

	range_blocks(range, start, end, &first, &last);
	mapped = find_next_bit(range->blocks, last + 1, first) <= last;
	if (mapped && blockable) {
		hmmsvm_count(range->ctx, invalidations_zapped);
		range_zap(range, start, end);
	}
	up_write(&range->lock);

	/* Zapping sleeps: who must not wait (the OOM reaper) has to skip this. */
	return !mapped || blockable;
}

/*
 * Takes the entries of [@start, @end) away though nothing has changed, so that
 * the next access is seen. Snapshots stay good.
 */
void hmmsvm_range_withdraw(struct hmmsvm_range *range, unsigned long start, unsigned long end)
{
	down_write(&range->lock);
	range_zap(range, start, end);
	up_write(&range->lock);
}

/* Takes the entry of block @nr of the range away if it is one for all of the block. */
void hmmsvm_range_split(struct hmmsvm_range *range, unsigned int nr)
{
	unsigned long start = range->start + ((unsigned long)nr << HMMSVM_BLOCK_SHIFT);

	down_write(&range->lock);
	if (test_bit(nr, range->huge))
		range_zap(range, start, start + HMMSVM_BLOCK_SIZE);
	up_write(&range->lock);
}

static const struct mmu_interval_notifier_ops range_ops = {
	.invalidate = range_invalidate,
};

/* The range of @addr, or NULL if it is not watched yet. */
struct hmmsvm_range *hmmsvm_range_find(struct hmmsvm_context *ctx, unsigned long addr)
{
	return xa_load(&ctx->ranges, addr >> HMMSVM_RANGE_SHIFT);
}

/* Whether one entry shows all of the block of @addr. */
bool hmmsvm_range_is_whole(struct hmmsvm_context *ctx, unsigned long addr)
{
	struct hmmsvm_range *range = hmmsvm_range_find(ctx, addr);

	return range && test_bit((addr - range->start) >> HMMSVM_BLOCK_SHIFT, range->huge);
}

/*
 * The range of @addr, which is watched from now on; or an ERR_PTR. The caller
 * holds a reference from mmget() on the application's mm, and no mmap_lock.
 */
struct hmmsvm_range *hmmsvm_range_get(struct hmmsvm_context *ctx, unsigned long addr)
{
	struct hmmsvm_range *range = hmmsvm_range_find(ctx, addr);
	int err;

	if (range)
		return range;

	if (mutex_lock_killable(&ctx->range_mutex))
		return ERR_PTR(-EINTR);
	range = hmmsvm_range_find(ctx, addr);
	if (range)
		goto out;

	err = -ENOMEM;
	range = kzalloc_obj(*range, GFP_KERNEL_ACCOUNT);
	if (!range)
		goto fail;
	range->ctx = ctx;
	range->start = addr & ~(HMMSVM_RANGE_SIZE - 1);
	init_rwsem(&range->lock);
	init_rwsem(&range->tables);
	spin_lock_init(&range->streams_lock);

	/* Not the first of its mm, that is the context's own: so this takes no mmap_lock. */
	err = mmu_interval_notifier_insert(&range->notifier, ctx->app_mm, range->start,
					   HMMSVM_RANGE_SIZE, &range_ops);
	if (err)
		goto fail;
	err = xa_err(xa_store(&ctx->ranges, addr >> HMMSVM_RANGE_SHIFT, range,
			      GFP_KERNEL_ACCOUNT));
	if (err) {
		mmu_interval_notifier_remove(&range->notifier);
		goto fail;
	}
	hmmsvm_count(ctx, ranges);
out:
	mutex_unlock(&ctx->range_mutex);
	return range;
fail:
	mutex_unlock(&ctx->range_mutex);
	kfree(range);
	return ERR_PTR(err);
}

/* Ends all watching. Nobody faults any more and the engine's mappings are gone. */
void hmmsvm_ranges_free(struct hmmsvm_context *ctx)
{
	struct hmmsvm_range *range;
	unsigned long index;

	xa_for_each(&ctx->ranges, index, range) {
		mmu_interval_notifier_remove(&range->notifier);
		kfree(range);
	}
	xa_destroy(&ctx->ranges);
}

/*
 * Up to which address it is worth bringing pages in when the device touches
 * memory at @addr that the application does not have yet: one page for an
 * access out of the blue, twice as many with each step of a sequential one,
 * @max pages at the most and not beyond @limit. So a sparse access costs the
 * application no memory, and a dense one at most twice what it touches. With @all so
 * many at once: somebody else says that it is dense.
 */
unsigned long hmmsvm_range_predict(struct hmmsvm_range *range, unsigned long addr,
				   unsigned int max, bool all, unsigned long limit)
{
	unsigned int i, pages = all ? max : 1;
	unsigned long end;

	spin_lock(&range->streams_lock);
	for (i = all ? HMMSVM_RANGE_STREAMS : 0; i < HMMSVM_RANGE_STREAMS; i++)
		if (range->streams[i].expected == addr)
			break;
	if (i < HMMSVM_RANGE_STREAMS) {
		pages = min(range->streams[i].pages * 2, max);
	} else {
		i = range->stream_next;
		range->stream_next = (i + 1) % HMMSVM_RANGE_STREAMS;
	}
	end = min(addr + pages * PAGE_SIZE, limit);
	range->streams[i].expected = end;
	range->streams[i].pages = pages;
	spin_unlock(&range->streams_lock);
	return end;
}
