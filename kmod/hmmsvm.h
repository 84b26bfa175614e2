/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of hmmsvm.ko know of each other.
 *
 *   main.c     the node and its requests            (top)
 *   context.c  contexts: lifetime, who is application, who is engine
 *   mirror.c   the engine's mapping and its faults
 *   block.c    blocks of 2 MiB; calls the policy     advice.c, policy/
 *   migrate.c  moves pages to device memory and back
 *   anon.c     the reverse maps of pages that move by number
 *   devmem.c   device memory: what there is, whose it is
 *   share.c    who may have how much of it
 *   coherent.c the ranges of memory that the CPU reaches, too
 *   range.c    watching the application's page table
 *   events.c   event rings and tracepoints           (bottom)
 *
 * Calls go downwards, with three exceptions: the policy's tick (block.c) has
 * migrate.c move pages and mirror.c show them, and the core calls migrate.c for
 * a CPU fault.
 *
 * Lock order, outermost first. Left column: a device fault, or what a tick shows
 * (which only TRIES the engine's mmap_lock). Right column: a
 * change of the application's page table. They meet in range->lock only.
 *
 *   engine mm: mmap_lock or VMA lock (read)    application mm: mmap_lock, and
 *     application mm: mmap_lock (read,           whatever rmap locks the core
 *     TRY only; dropped before the next)         holds; none of ours
 *       range->tables
 *       range->lock (read)                         range->lock (write)
 *         engine's page table lock                   i_mmap_rwsem of ctx->inode
 *                                                      engine's page table lock
 *
 * Migration: the application's mmap_lock (read), then block->migrate_mutex, then
 * what the core takes (folio locks, always tried; rmap locks), which ends in the
 * right column. A CPU fault and an eviction take none of our mutexes. While
 * migrating nothing of the left column is held but the first lock's application
 * half. hmmsvm_devmem.lock and ctx->events_lock are leaves; the former is taken
 * under page table locks when a device page is freed.
 *
 * ctx->bind_mutex and ctx->range_mutex are taken with no lock of ours and no
 * mmap_lock held; an application's mmap_lock may be taken within bind_mutex.
 * contexts_lock is a leaf among the sleeping locks (bind_mutex is outside), as is
 * ctx->advice_mutex;
 * ctx->pending_lock and range->streams_lock are leaves altogether.
 */
#ifndef HMMSVM_KMOD_H
#define HMMSVM_KMOD_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/maple_tree.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <hmmsvm/policy.h>
#include <hmmsvm/uapi.h>

#include "share.h"

#define HMMSVM_BLOCK_SHIFT	PMD_SHIFT
#define HMMSVM_BLOCK_SIZE	BIT(HMMSVM_BLOCK_SHIFT)
#define HMMSVM_BLOCK_PAGES	(HMMSVM_BLOCK_SIZE >> PAGE_SHIFT)

#define HMMSVM_REGION_PAGES	HMMSVM_POLICY_REGION_PAGES
#define HMMSVM_BLOCK_REGIONS	(HMMSVM_BLOCK_PAGES / HMMSVM_REGION_PAGES)

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
	atomic64_t device_pages;
	atomic64_t device_pages_peak;
	atomic64_t pages_mirrored_device;
	atomic64_t huge_mirrored;
	atomic64_t cpu_faults;
	atomic64_t cpu_fault_ns;
	atomic64_t migrations_to_device;
	atomic64_t pages_to_device;
	atomic64_t pages_zeroed;
	atomic64_t pages_to_system;
	atomic64_t pages_to_system_cpu;
	atomic64_t pages_to_system_evicted;
	atomic64_t evictions;
	atomic64_t evictions_by_others;
	atomic64_t evictions_limit;
	atomic64_t refaults;
	atomic64_t huge_to_device;
	atomic64_t huge_to_system;
	atomic64_t migrate_ns;
	atomic64_t failed_no_memory;
	atomic64_t failed_limit;
	atomic64_t failed_no_system_memory;
	atomic64_t failed_busy;
	atomic64_t failed_kind;
	atomic64_t policy_errors;
	atomic64_t withdrawals;
	atomic64_t sampled_faults;
};

struct hmmsvm_devmem;

enum hmmsvm_cost {
	HMMSVM_COST_DEVICE_FAULT,
	HMMSVM_COST_CPU_FAULT,
	HMMSVM_COST_COPY_PAGE,
	HMMSVM_NR_COSTS,
};

/* Running averages of what was observed; 0: nothing was. */
struct hmmsvm_costs {
	u64 ns[HMMSVM_NR_COSTS];
};

#define HMMSVM_RETURNS_THREADS	8
#define HMMSVM_RETURNS_PAGES	4

/* Where a thread of the engine faulted last; see block_goes_round(). */
struct hmmsvm_returns {
	struct task_struct *task;	/* compared only */
	unsigned long pages[HMMSVM_RETURNS_PAGES];
	unsigned int next;		/* of those to be replaced */
	unsigned int count;
};

/*
 * A context: one application, at most one engine.
 *
 * Lifetime: it ends with the last close of the file (hmmsvm_context_end()); the
 * engine's mappings and its faults hold the file. Its memory, and that of its
 * blocks, is kept by @refs a while longer where somebody may be about to count
 * something: a CPU fault, a request from outside, an event ring. The address spaces
 * are held with mmgrab() from the request that named them to the end, and with
 * mmget_not_zero() only as long as one fault takes.
 */
struct hmmsvm_context {
	refcount_t refs;
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
	struct hmmsvm_devmem *devmem;	/* NULL: none */
	struct hmmsvm_share share;	/* in it */

	struct mm_struct *engine_mm;	/* contexts_lock */

	struct xarray ranges;		/* address >> HMMSVM_RANGE_SHIFT */
	struct mutex range_mutex;	/* adds to ranges */

	spinlock_t pending_lock;	/* pending, nr_pending */
	struct list_head pending;
	unsigned int nr_pending;

	bool app_gone;
	wait_queue_head_t poll_wait;

	struct xarray blocks;		/* address >> HMMSVM_BLOCK_SHIFT; see block.c */

	/* The policy; covered by devmem->lock. */
	const struct hmmsvm_placement *placement;
	const struct hmmsvm_eviction *eviction;
	struct hmmsvm_policy_env policy_env;
	struct hmmsvm_costs costs;	/* that it has observed itself */
	unsigned int stalls;		/* faults and moves that are under way */
	u64 started_ns, stall_ns;	/* when it began, and the first of these did */
	u64 stalled_ns;			/* how long there was one, in all */
	__s64 tunables[HMMSVM_POLICY_TUNABLES];
	unsigned int policy_generation;
	struct hmmsvm_returns returns[HMMSVM_RETURNS_THREADS];
	struct delayed_work tick;
	unsigned long tick_next;	/* block to go on with; the work's own */
	bool ticking;

	struct maple_tree advice;	/* see advice.c */
	struct mutex advice_mutex;
	unsigned int advice_changes;
	bool advised;			/* there is or was some */

	spinlock_t events_lock;		/* rings, nr_rings, nr_rings_others */
	struct list_head rings;
	unsigned int nr_rings;
	unsigned int nr_rings_others;

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
	/*
	 * Blocks that have one entry for all of them. Set with tables held for
	 * writing and lock for reading, cleared with lock held for writing.
	 */
	DECLARE_BITMAP(huge, HMMSVM_RANGE_BLOCKS);
	struct rw_semaphore tables;	/* read: page tables for small entries are made */

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

static inline void hmmsvm_context_get(struct hmmsvm_context *ctx)
{
	refcount_inc(&ctx->refs);
}

/* context.c */
struct hmmsvm_context *hmmsvm_context_new(struct file *file);
void hmmsvm_context_end(struct hmmsvm_context *ctx);
void hmmsvm_context_put(struct hmmsvm_context *ctx);
struct hmmsvm_context *hmmsvm_context_target(struct hmmsvm_context *own,
					     const struct hmmsvm_target *target);
int hmmsvm_context_bind(struct hmmsvm_context *ctx, const struct hmmsvm_create *how);
int hmmsvm_context_attach(struct hmmsvm_context *ctx);
bool hmmsvm_context_bound(struct hmmsvm_context *ctx);
bool hmmsvm_context_is_engine(struct hmmsvm_context *ctx);
struct mm_struct *hmmsvm_context_get_engine(struct hmmsvm_context *ctx);
bool hmmsvm_context_is_party(struct hmmsvm_context *ctx);

/* mirror.c */
int hmmsvm_mirror_mmap(struct hmmsvm_context *ctx, struct vm_area_struct *vma);
bool hmmsvm_mirror_show(struct hmmsvm_context *ctx, unsigned long start, unsigned long end,
			const struct hmmsvm_policy_decision *decision);
void hmmsvm_mirror_forget_pending(struct hmmsvm_context *ctx);

/* range.c */
struct hmmsvm_range *hmmsvm_range_find(struct hmmsvm_context *ctx, unsigned long addr);
struct hmmsvm_range *hmmsvm_range_get(struct hmmsvm_context *ctx, unsigned long addr);
void hmmsvm_range_withdraw(struct hmmsvm_range *range, unsigned long start, unsigned long end);
bool hmmsvm_range_is_whole(struct hmmsvm_context *ctx, unsigned long addr);
void hmmsvm_range_split(struct hmmsvm_range *range, unsigned int nr);
void hmmsvm_ranges_free(struct hmmsvm_context *ctx);
unsigned long hmmsvm_range_predict(struct hmmsvm_range *range, unsigned long addr,
				   unsigned int max, bool all, unsigned long limit);

#endif /* HMMSVM_KMOD_H */
