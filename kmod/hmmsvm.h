/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of hmmsvm.ko know of each other.
 *
 *   main.c     the node and its requests            (top)
 *   context.c  contexts: lifetime, who is application, who is engine
 *   mirror.c   the engine's mapping and its faults
 *   range.c    watching the application's page table (bottom)
 *
 * Calls go downwards only.
 *
 * Lock order, outermost first. Left column: a device fault. Right column: a
 * change of the application's page table. They meet in range->lock only.
 *
 *   engine mm: mmap_lock or VMA lock (read)    application mm: mmap_lock, and
 *     application mm: mmap_lock (read,           whatever rmap locks the core
 *     TRY only; dropped before the next)         holds; none of ours
 *       range->lock (read)                         range->lock (write)
 *         engine's page table lock                   i_mmap_rwsem of ctx->inode
 *                                                      engine's page table lock
 *
 * ctx->bind_mutex and ctx->range_mutex are taken with no lock of ours and no
 * mmap_lock held; an application's mmap_lock may be taken within bind_mutex.
 * contexts_lock is a leaf among the sleeping locks (bind_mutex is outside),
 * ctx->pending_lock and range->streams_lock are leaves altogether.
 */
#ifndef HMMSVM_KMOD_H
#define HMMSVM_KMOD_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include <hmmsvm/uapi.h>

#define HMMSVM_BLOCK_SHIFT	PMD_SHIFT
#define HMMSVM_BLOCK_SIZE	BIT(HMMSVM_BLOCK_SHIFT)
#define HMMSVM_BLOCK_PAGES	(HMMSVM_BLOCK_SIZE >> PAGE_SHIFT)

#define HMMSVM_RANGE_SHIFT	30
#define HMMSVM_RANGE_SIZE	BIT(HMMSVM_RANGE_SHIFT)
#define HMMSVM_RANGE_BLOCKS	(HMMSVM_RANGE_SIZE >> HMMSVM_BLOCK_SHIFT)
#define HMMSVM_RANGE_STREAMS	8

/* The counters of struct hmmsvm_stats, as the kernel keeps them. */
struct hmmsvm_counters {
	atomic64_t device_faults;
	atomic64_t device_write_faults;
	atomic64_t app_faults;
	atomic64_t retries;
	atomic64_t failed_faults;
	atomic64_t pages_mirrored;
	atomic64_t pages_writable;
	atomic64_t pages_upgraded;
	atomic64_t pages_populated;
	atomic64_t invalidations;
	atomic64_t invalidations_zapped;
	atomic64_t ranges;
	atomic64_t fault_ns;
};

/*
 * A context: one application, at most one engine.
 *
 * Lifetime: the open file is the only reference; the engine's mappings and
 * its faults hold the file. The address spaces are held with mmgrab() from
 * the request that named them to the end, and with mmget_not_zero() only as
 * long as one fault takes.
 */
struct hmmsvm_context {
	struct list_head node;		/* contexts; contexts_lock */
	struct inode *inode;		/* its i_mapping finds the mirrors */

	struct mutex bind_mutex;	/* serialises hmmsvm_context_bind() */
	/* Set once by hmmsvm_context_bind(), then constant. */
	struct mm_struct *app_mm;
	const struct cred *app_cred;
	struct mmu_interval_notifier app_notifier;	/* tells when app_mm ends */
	unsigned long window_start, window_end;
	unsigned long va_start, va_end;
	unsigned int fault_around;	/* pages, a power of two */

	struct mm_struct *engine_mm;	/* contexts_lock */

	struct xarray ranges;		/* address >> HMMSVM_RANGE_SHIFT */
	struct mutex range_mutex;	/* adds to ranges */

	spinlock_t pending_lock;	/* pending, nr_pending */
	struct list_head pending;
	unsigned int nr_pending;

	bool app_gone;
	wait_queue_head_t poll_wait;

	struct hmmsvm_counters count;
};

/*
 * One GiB of the application's addresses that is watched.
 *
 * A bit of blocks is set when an entry of that block may be in the engine's
 * page table: under lock held for reading, before the entry is set. It is
 * cleared under lock held for writing, after the block was taken away whole.
 */
struct hmmsvm_range {
	struct mmu_interval_notifier notifier;
	struct hmmsvm_context *ctx;
	unsigned long start;
	struct rw_semaphore lock;
	DECLARE_BITMAP(blocks, HMMSVM_RANGE_BLOCKS);

	/* Where sequential accesses to fresh memory are expected to go on. */
	spinlock_t streams_lock;
	unsigned int stream_next;	/* the one to be replaced */
	struct {
		unsigned long expected;
		unsigned int pages;
	} streams[HMMSVM_RANGE_STREAMS];
};

#define hmmsvm_count_add(ctx, what, n)	atomic64_add((n), &(ctx)->count.what)
#define hmmsvm_count(ctx, what)		atomic64_inc(&(ctx)->count.what)

/* context.c */
struct hmmsvm_context *hmmsvm_context_new(struct file *file);
void hmmsvm_context_free(struct hmmsvm_context *ctx);
int hmmsvm_context_bind(struct hmmsvm_context *ctx, const struct hmmsvm_create *how);
int hmmsvm_context_attach(struct hmmsvm_context *ctx);
bool hmmsvm_context_bound(struct hmmsvm_context *ctx);
bool hmmsvm_context_is_engine(struct hmmsvm_context *ctx);
bool hmmsvm_context_is_party(struct hmmsvm_context *ctx);

/* mirror.c */
int hmmsvm_mirror_mmap(struct hmmsvm_context *ctx, struct vm_area_struct *vma);
void hmmsvm_mirror_forget_pending(struct hmmsvm_context *ctx);

/* range.c */
struct hmmsvm_range *hmmsvm_range_find(struct hmmsvm_context *ctx, unsigned long addr);
struct hmmsvm_range *hmmsvm_range_get(struct hmmsvm_context *ctx, unsigned long addr);
void hmmsvm_ranges_free(struct hmmsvm_context *ctx);
unsigned long hmmsvm_range_predict(struct hmmsvm_range *range, unsigned long addr,
				   unsigned int max, unsigned long limit);

#endif /* HMMSVM_KMOD_H */
