/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Device memory, as migration and the mirror know it. See devmem.c.
 */
#ifndef HMMSVM_DEVMEM_H
#define HMMSVM_DEVMEM_H

#include <linux/llist.h>
#include <linux/memremap.h>

#include <hmmsvm/policy.h>

#include "hmmsvm.h"

/*
 * 64 KiB of device memory.
 *
 * It is taken while a page of it is used or it is reserved. @block and @ctx are
 * cleared before either is freed.
 */
struct hmmsvm_region {
	struct hmmsvm_context *ctx;	/* charged; NULL: it has ended */
	struct hmmsvm_block *block;	/* NULL: an orphan */
	unsigned int chunk;
	u16 used;			/* a bit a page */
	u16 retired;			/* of those: content has gone to system memory */
	u8 number;			/* in the block */
	bool reserved;			/* a migration is going on */
};

/* 2 MiB of device memory. */
struct hmmsvm_chunk {
	struct list_head node;		/* free, partial, full or evicting */
	struct page *backing;		/* NULL in coherent memory */
	struct hmmsvm_policy_chunk *policy;
	u32 taken;			/* a bit a region */
	u16 used;			/* pages */
	u8 reserved;			/* regions */
	bool evicting;			/* being emptied; see hmmsvm_devmem_victim() */
	bool stuck;			/* was to be, and somebody holds what has stayed */
	bool mixed;			/* has, or had, regions of several contexts */
	struct hmmsvm_context *owner;	/* if it is not mixed: that of all its regions */
	struct hmmsvm_region regions[HMMSVM_BLOCK_REGIONS];
};

/* Why pages go to system memory. */
enum hmmsvm_reason {
	HMMSVM_REASON_CPU_FAULT,
	HMMSVM_REASON_EVICTION,
	HMMSVM_REASON_REQUEST,		/* of the application, or the policy */
	HMMSVM_REASON_CLOSE,
};

struct hmmsvm_devmem {
	u32 kind;				/* HMMSVM_MEMORY_* */
	int node;
	unsigned int nr_chunks;
	unsigned long first_pfn;
	resource_size_t res_start;
	struct hmmsvm_chunk *chunks;
	struct hmmsvm_policy_chunk *policy;	/* one a chunk, as policies want them */
	struct llist_head freed;		/* free pages that are to be taken back */
	struct work_struct freed_work;

	spinlock_t lock;			/* all that follows; see devmem.c */
	struct list_head free, partial, full, evicting;
	struct list_head holders;		/* contexts that are charged for regions */
	unsigned int nr_stuck;			/* chunks */
	unsigned long stuck_since;		/* jiffies; the first of them */
	unsigned int free_regions;
	unsigned long used_pages;
	u64 sequence;
	struct hmmsvm_costs costs;		/* as all contexts have observed them; see block.c */
	const struct hmmsvm_eviction *eviction;	/* whose priv it is */
	__u64 eviction_priv[4];

	struct dev_pagemap pgmap;		/* last: it has a flexible array */
};

/* A chunk to empty; see hmmsvm_devmem_victim(). */
struct hmmsvm_victim {
	struct hmmsvm_chunk *chunk;		/* NULL: none */
	enum hmmsvm_scope scope;		/* for whom */
	bool error;				/* the policy chose one that cannot be */
	struct hmmsvm_pages pages;		/* that are to go */
};

int hmmsvm_devmem_init(void);
void hmmsvm_devmem_exit(void);
void *hmmsvm_devmem_owner(void);
struct hmmsvm_devmem *hmmsvm_devmem_at(unsigned int index);
unsigned int hmmsvm_devmem_count(void);
bool hmmsvm_devmem_huge(void);
struct hmmsvm_devmem *hmmsvm_devmem_of(struct page *page);
struct page *hmmsvm_devmem_backing(struct hmmsvm_devmem *dm, struct page *page);

unsigned int hmmsvm_devmem_reserve(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
				   unsigned int first, unsigned int count, unsigned int absent,
				   bool *limited);
void hmmsvm_devmem_unreserve(struct hmmsvm_context *ctx, struct hmmsvm_block *block);
struct page *hmmsvm_devmem_alloc(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
				 unsigned int page);
struct page *hmmsvm_devmem_alloc_huge(struct hmmsvm_context *ctx, struct hmmsvm_block *block);
bool hmmsvm_devmem_is_huge(struct hmmsvm_context *ctx, struct hmmsvm_block *block);

void hmmsvm_devmem_leave(struct hmmsvm_devmem *dm, struct page *page, unsigned int nr,
			 enum hmmsvm_reason reason);
void hmmsvm_devmem_given(struct hmmsvm_devmem *dm, struct page *page, struct page *to);
bool hmmsvm_devmem_retired(struct hmmsvm_devmem *dm, struct page *page);
void hmmsvm_devmem_touch(struct hmmsvm_devmem *dm, struct page *page, bool advised);
struct hmmsvm_context *hmmsvm_devmem_user(struct hmmsvm_devmem *dm, struct page *page,
					  struct hmmsvm_block **block);

void hmmsvm_devmem_victim(struct hmmsvm_context *ctx, unsigned int missing,
			  struct hmmsvm_block *named, struct hmmsvm_victim *victim);
void hmmsvm_devmem_evicted(struct hmmsvm_devmem *dm, const struct hmmsvm_victim *victim);
struct hmmsvm_chunk *hmmsvm_devmem_next_of(struct hmmsvm_devmem *dm, struct hmmsvm_context *ctx,
					   unsigned int *at, struct hmmsvm_pages *pages);
bool hmmsvm_devmem_busy_of(struct hmmsvm_devmem *dm, struct hmmsvm_context *ctx);
void hmmsvm_devmem_left(struct hmmsvm_devmem *dm, struct hmmsvm_chunk *chunk);
void hmmsvm_devmem_disown(struct hmmsvm_devmem *dm, struct hmmsvm_context *ctx);

#endif /* HMMSVM_DEVMEM_H */
