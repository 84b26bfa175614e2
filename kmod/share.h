/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who may have how much of a device memory: limits, fair shares. See share.c.
 *
 * The first part is arithmetic alone, which tests/unit/test_share.c compiles, too. Amounts
 * are in regions of 64 KiB.
 */
#ifndef HMMSVM_SHARE_H
#define HMMSVM_SHARE_H

#include <linux/types.h>
#ifndef __KERNEL__
#include <stdbool.h>
#endif

#define HMMSVM_SHARE_CHUNK	32u	/* regions of a chunk, which go together */

/*
 * The level of one party among others: the most that it can have if it asks for all there
 * is, the others for no more than they have, and nobody gets more than another who asks
 * for more (max-min fairness). As water is filled in: begin, add each of the others,
 * and again as long as hmmsvm_level_rises().
 */
struct hmmsvm_level {
	__u32 capacity;
	__u32 level;
	__u32 left;			/* without those that have no more than @level */
	__u32 parties;			/* that have more, and the one it is about */
};

static inline void hmmsvm_level_begin(struct hmmsvm_level *l, __u32 capacity)
{
	l->capacity = capacity;
	l->level = 0;
	l->left = capacity;
	l->parties = 1;
}

static inline void hmmsvm_level_add(struct hmmsvm_level *l, __u32 has)
{
	if (has > l->level)
		l->parties++;
	else
		l->left -= has < l->left ? has : l->left;
}

static inline bool hmmsvm_level_rises(struct hmmsvm_level *l)
{
	__u32 level = l->left / l->parties;
	bool rises = level > l->level;

	if (rises)
		l->level = level;
	l->left = l->capacity;
	l->parties = 1;
	return rises;
}

/*
 * Whether a party that has @has, and wants @missing more than is free, may take it from those
 * that have more than @level. Not if it would then have more than that: two that
 * are less than a chunk apart would take the same one from each other forever. Where a
 * level is less than a chunk, that cannot be had.
 */
static inline bool hmmsvm_level_entitles(__u32 level, __u32 has, __u32 missing)
{
	return level < HMMSVM_SHARE_CHUNK ? has < level : has + missing <= level;
}

#ifdef __KERNEL__

#include <linux/list.h>
#include <linux/uidgid.h>

struct hmmsvm_context;
struct hmmsvm_devmem;
struct hmmsvm_limit;
struct hmmsvm_stats;

/* A context's part in its device memory. Covered by hmmsvm_devmem.lock, but for @user. */
struct hmmsvm_share {
	struct list_head node;		/* hmmsvm_devmem.holders, while it has any */
	unsigned int regions;		/* taken and charged to it */
	unsigned int limit;		/* of its own choice; UINT_MAX: none */
	bool victim;			/* may be taken from; see hmmsvm_share_victims() */
	kuid_t user;			/* charged, too; constant when bound */
};

/* For whom room is made. */
enum hmmsvm_scope {
	HMMSVM_SCOPE_CONTEXT,		/* it has reached its limit */
	HMMSVM_SCOPE_USER,		/* its user has */
	HMMSVM_SCOPE_DEVICE,		/* there is no more */
};

void hmmsvm_share_init(struct hmmsvm_context *ctx);
void hmmsvm_share_bind(struct hmmsvm_context *ctx);
void hmmsvm_share_charge(struct hmmsvm_context *ctx);
void hmmsvm_share_uncharge(struct hmmsvm_context *ctx);
unsigned int hmmsvm_share_room(struct hmmsvm_context *ctx);
enum hmmsvm_scope hmmsvm_share_victims(struct hmmsvm_context *ctx, unsigned int missing, bool own,
				       bool *all);
void hmmsvm_share_see(struct hmmsvm_context *ctx, u64 *total_pages, u64 *free_pages);
void hmmsvm_share_stats(struct hmmsvm_context *ctx, struct hmmsvm_stats *stats);
void hmmsvm_share_set_limit(struct hmmsvm_context *ctx, u64 bytes);
bool hmmsvm_share_over_limit(struct hmmsvm_context *ctx);
void hmmsvm_share_describe(struct hmmsvm_context *ctx, struct hmmsvm_limit *limit);

#endif /* __KERNEL__ */

#endif /* HMMSVM_SHARE_H */
