// SPDX-License-Identifier: GPL-2.0
/*
 * Advice: what the application said about ranges of its addresses.
 *
 * A maple tree from page numbers to HMMSVM_ADVICE_* bits; what is not in it has
 * no advice. Its nodes are charged to nobody, as the tree asks for them without that
 * first, whatever the store says; so ranges are limited in number.
 *
 * Locking: advice_mutex for changes, RCU for look-ups.
 */
#include <linux/maple_tree.h>
#include <linux/sched.h>
#include <linux/xarray.h>

#include "block.h"

#define ADVICE_ALL (HMMSVM_ADVICE_DEVICE | HMMSVM_ADVICE_SYSTEM | HMMSVM_ADVICE_READ_MOSTLY)
#define ADVICE_MAX_RANGES 65536

void hmmsvm_advice_init(struct hmmsvm_context *ctx)
{
	mt_init_flags(&ctx->advice, MT_FLAGS_USE_RCU);
	mutex_init(&ctx->advice_mutex);
}

void hmmsvm_advice_free(struct hmmsvm_context *ctx)
{
	mtree_destroy(&ctx->advice);
}

/* The advice for the page of @addr. */
unsigned int hmmsvm_advice_at(struct hmmsvm_context *ctx, unsigned long addr)
{
	void *entry;

	if (likely(!READ_ONCE(ctx->advised)))
		return 0;
	entry = mtree_load(&ctx->advice, addr >> PAGE_SHIFT);
	return entry ? xa_to_value(entry) : 0;
}

/* Whether there may be ranges more; to clear advice, more than to set it. */
static bool advice_has_room(struct hmmsvm_context *ctx, bool set)
{
	unsigned long at = 0;
	unsigned int n = 0;
	void *entry;

	/* A change makes at most two ranges more: count only when it may matter. */
	ctx->advice_changes++;
	if (ctx->advice_changes < ADVICE_MAX_RANGES / 2)
		return true;
	mt_for_each(&ctx->advice, entry, at, ULONG_MAX) {
		n++;
		cond_resched();
	}
	ctx->advice_changes = n / 2 + 1;
	return n < (set ? ADVICE_MAX_RANGES : 2 * ADVICE_MAX_RANGES) - 2;
}

/* Takes the device's entries of [@start, @end) away, so that its next access is a fault. */
static void advice_withdraw(struct hmmsvm_context *ctx, unsigned long start, unsigned long end)
{
	unsigned long index = start >> HMMSVM_RANGE_SHIFT;
	unsigned long last = (end - 1) >> HMMSVM_RANGE_SHIFT;
	struct hmmsvm_range *range;

	/* Ranges live as long as the context, which the caller's file holds. */
	xa_for_each_range(&ctx->ranges, index, range, index, last)
		hmmsvm_range_withdraw(range, max(start & PAGE_MASK, range->start),
				      min(PAGE_ALIGN(end), range->start + HMMSVM_RANGE_SIZE));
}

/* HMMSVM_IOC_ADVISE. The caller is the application. */
int hmmsvm_advise(struct hmmsvm_context *ctx, const struct hmmsvm_advise *advise)
{
	unsigned int set = advise->set, clear = advise->clear;
	unsigned long at, last;
	int err = 0;

	if (advise->reserved || set & ~ADVICE_ALL || (!set && !clear) || !advise->length ||
	    advise->start + advise->length < advise->start ||
	    advise->start < ctx->va_start || advise->start + advise->length > ctx->va_end ||
	    (set & HMMSVM_ADVICE_DEVICE && set & HMMSVM_ADVICE_SYSTEM))
		return -EINVAL;
	if (!ctx->devmem)
		return -ENODEV;
	if (set & HMMSVM_ADVICE_DEVICE)
		clear |= HMMSVM_ADVICE_SYSTEM;
	if (set & HMMSVM_ADVICE_SYSTEM)
		clear |= HMMSVM_ADVICE_DEVICE;

	at = advise->start >> PAGE_SHIFT;
	last = (advise->start + advise->length - 1) >> PAGE_SHIFT;
	if (mutex_lock_killable(&ctx->advice_mutex))
		return -EINTR;
	if (!advice_has_room(ctx, set))
		err = -ENOSPC;
	/* Piece by piece, as pieces may have different advice already. */
	while (!err && at <= last) {
		MA_STATE(mas, &ctx->advice, at, at);
		unsigned long stop;
		unsigned int bits;
		void *entry;

		mas_lock(&mas);
		entry = mas_walk(&mas);
		stop = min(last, mas.last);
		bits = entry ? xa_to_value(entry) : 0;
		bits = (bits & ~clear) | set;
		mas_unlock(&mas);
		err = mtree_store_range(&ctx->advice, at, stop, bits ? xa_mk_value(bits) : NULL,
					GFP_KERNEL_ACCOUNT);
		at = stop + 1;
		cond_resched();
	}
	if (set)
		WRITE_ONCE(ctx->advised, true);
	mutex_unlock(&ctx->advice_mutex);
	if (!err && set & HMMSVM_ADVICE_DEVICE)
		advice_withdraw(ctx, advise->start, advise->start + advise->length);
	return err;
}
