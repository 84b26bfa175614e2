// SPDX-License-Identifier: GPL-2.0
/*
 * Who may have how much of a device memory: what contexts hold, limits, fair shares.
 *
 * A context is charged for each region (64 KiB) that is taken for a block of its, from the
 * migration that takes it until the last page of it is free, whoever uses the pages by
 * then. What a context leaves behind when it ends is nobody's. Its user is charged with it: the real
 * user of the application, or the one who made the user namespace that he is a user of.
 *
 * A limit, of a context or of a user over all his contexts of a device memory, is never
 * exceeded: who has reached it makes room of what the context or the user has. Without
 * limits a context may have what is free. If nothing is, it is entitled to its fair share,
 * the level of share.h: up to it others make room, those that have more than that level;
 * else it does itself. So none loses anything to one that would then have more than it had, and
 * one that has no more than an equal part of all there is loses nothing, whatever others do.
 * Among the chunks of those who have to make room the eviction policy chooses. (With
 * fair_share=N it chooses among all.)
 *
 * Locking: all of it under hmmsvm_devmem.lock, a leaf.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cred.h>
#include <linux/moduleparam.h>
#include <linux/user_namespace.h>

#include "devmem.h"
#include "share.h"

#define SHARE_REGION_SHIFT	(HMMSVM_BLOCK_SHIFT - 5)
#define SHARE_MB_REGIONS	(1u << (20 - SHARE_REGION_SHIFT))
#define SHARE_NONE		UINT_MAX

static_assert(HMMSVM_SHARE_CHUNK == HMMSVM_BLOCK_REGIONS);
static_assert(HMMSVM_SHARE_CHUNK << SHARE_REGION_SHIFT == HMMSVM_BLOCK_SIZE);

static unsigned int context_limit_mb;
module_param(context_limit_mb, uint, 0644);
MODULE_PARM_DESC(context_limit_mb,
		 "most MiB of device memory that a context may have (default 0: no limit)");

static unsigned int user_limit_mb;
module_param(user_limit_mb, uint, 0644);
MODULE_PARM_DESC(user_limit_mb,
		 "most MiB of each device memory that all contexts of a user may have (default 0: no limit)");

static bool fair_share = true;
module_param(fair_share, bool, 0644);
MODULE_PARM_DESC(fair_share,
		 "a context takes from others up to its fair share only (default Y); N: eviction policies choose among the chunks of all");

/* What a parameter says, in regions. */
static unsigned int share_parameter(unsigned int mb)
{
	return mb ? min_t(u64, (u64)mb * SHARE_MB_REGIONS, SHARE_NONE) : SHARE_NONE;
}

static unsigned int share_user_limit(void)
{
	return share_parameter(READ_ONCE(user_limit_mb));
}

static unsigned int share_context_limit(struct hmmsvm_context *ctx)
{
	return min(ctx->share.limit, share_parameter(READ_ONCE(context_limit_mb)));
}

/* ---- what contexts hold ------------------------------------------------------- */

/*
 * Whom @cred's memory is charged to. In a user namespace that somebody made who is not root,
 * users are whom he says they are, so it is himself.
 */
static kuid_t share_user(const struct cred *cred)
{
	struct user_namespace *ns;
	kuid_t user = cred->uid;

	for (ns = cred->user_ns; ns != &init_user_ns; ns = ns->parent)
		if (!uid_eq(ns->owner, GLOBAL_ROOT_UID))
			user = ns->owner;
	return user;
}

void hmmsvm_share_init(struct hmmsvm_context *ctx)
{
	INIT_LIST_HEAD(&ctx->share.node);
	ctx->share.limit = SHARE_NONE;
}

/* The caller becomes the context's application. */
void hmmsvm_share_bind(struct hmmsvm_context *ctx)
{
	ctx->share.user = share_user(current_cred());
}

/* @ctx takes a region. */
void hmmsvm_share_charge(struct hmmsvm_context *ctx)
{
	lockdep_assert_held(&ctx->devmem->lock);
	if (!ctx->share.regions++)
		list_add_tail(&ctx->share.node, &ctx->devmem->holders);
}

void hmmsvm_share_uncharge(struct hmmsvm_context *ctx)
{
	lockdep_assert_held(&ctx->devmem->lock);
	if (!--ctx->share.regions)
		list_del_init(&ctx->share.node);
}

static bool share_same_user(struct hmmsvm_context *a, struct hmmsvm_context *b)
{
	return uid_eq(a->share.user, b->share.user);
}

/* What the contexts of @ctx's user have. */
static unsigned int share_user_has(struct hmmsvm_context *ctx)
{
	struct hmmsvm_context *other;
	unsigned int has = 0;

	list_for_each_entry(other, &ctx->devmem->holders, share.node)
		if (share_same_user(ctx, other))
			has += other->share.regions;
	return has;
}

/* ---- what they may have --------------------------------------------------------- */

/* How many regions limits let @ctx take more. */
unsigned int hmmsvm_share_room(struct hmmsvm_context *ctx)
{
	unsigned int limit = share_context_limit(ctx), user_limit = share_user_limit();
	unsigned int room, has;

	lockdep_assert_held(&ctx->devmem->lock);
	room = limit - min(limit, ctx->share.regions);
	if (likely(user_limit == SHARE_NONE))
		return room;
	has = share_user_has(ctx);
	return min(room, user_limit - min(user_limit, has));
}

/* The level of @ctx among those that it shares @scope with. */
static unsigned int share_level(struct hmmsvm_context *ctx, enum hmmsvm_scope scope)
{
	struct hmmsvm_devmem *dm = ctx->devmem;
	struct hmmsvm_context *other;
	struct hmmsvm_level level;
	unsigned int capacity;

	if (scope == HMMSVM_SCOPE_CONTEXT)
		return share_context_limit(ctx);
	if (scope == HMMSVM_SCOPE_USER) {
		capacity = share_user_limit();
		/* Nothing to be filled into. */
		if (capacity == SHARE_NONE)
			return capacity;
	} else {
		/* All but what is nobody's. */
		capacity = dm->free_regions;
		list_for_each_entry(other, &dm->holders, share.node)
			capacity += other->share.regions;
	}
	hmmsvm_level_begin(&level, capacity);
	do {
		list_for_each_entry(other, &dm->holders, share.node)
			if (other != ctx &&
			    (scope == HMMSVM_SCOPE_DEVICE || share_same_user(ctx, other)))
				hmmsvm_level_add(&level, other->share.regions);
	} while (hmmsvm_level_rises(&level));
	return level.level;
}

/* What keeps @ctx from having @missing regions more. */
static enum hmmsvm_scope share_scope(struct hmmsvm_context *ctx, unsigned int missing)
{
	if (ctx->share.regions + missing > share_context_limit(ctx))
		return HMMSVM_SCOPE_CONTEXT;
	return missing > hmmsvm_share_room(ctx) ? HMMSVM_SCOPE_USER : HMMSVM_SCOPE_DEVICE;
}

/*
 * Marks the contexts that have to make room as @ctx wants @missing regions more than it got; with
 * @own itself in any case. Where the device memory is full what is nobody's may go, too. Returns
 * for whom room is made; *@all: everybody has to make it, marked or not.
 */
enum hmmsvm_scope hmmsvm_share_victims(struct hmmsvm_context *ctx, unsigned int missing, bool own,
				       bool *all)
{
	struct hmmsvm_context *other;
	enum hmmsvm_scope scope;
	unsigned int level;
	bool take;

	lockdep_assert_held(&ctx->devmem->lock);
	scope = share_scope(ctx, missing);
	*all = scope == HMMSVM_SCOPE_DEVICE;
	if (*all && !READ_ONCE(fair_share))
		return scope;
	level = share_level(ctx, scope);
	take = !own && scope != HMMSVM_SCOPE_CONTEXT &&
	       hmmsvm_level_entitles(level, ctx->share.regions, missing);
	list_for_each_entry(other, &ctx->devmem->holders, share.node) {
		if (other == ctx)
			other->share.victim = !take;
		else
			other->share.victim = take && other->share.regions > level &&
					      (scope == HMMSVM_SCOPE_DEVICE ||
					       share_same_user(ctx, other));
		*all &= other->share.victim;
	}
	return scope;
}

/* What @ctx can have now without taking from others what they may keep. */
static unsigned int share_can_have(struct hmmsvm_context *ctx)
{
	unsigned int can = ctx->share.regions + ctx->devmem->free_regions;
	unsigned int may = ctx->share.regions + hmmsvm_share_room(ctx);

	if (READ_ONCE(fair_share))
		can = max(can, share_level(ctx, HMMSVM_SCOPE_DEVICE));
	if (likely(may >= can))
		return can;
	return min3(can, share_context_limit(ctx), max(share_level(ctx, HMMSVM_SCOPE_USER), may));
}

/* Device memory as a policy of @ctx sees it: what it can have, and what of that it has not. */
void hmmsvm_share_see(struct hmmsvm_context *ctx, u64 *total_pages, u64 *free_pages)
{
	unsigned int can;

	lockdep_assert_held(&ctx->devmem->lock);
	can = share_can_have(ctx);
	*total_pages = (u64)can * HMMSVM_REGION_PAGES;
	*free_pages = (u64)(can - min(can, ctx->share.regions)) * HMMSVM_REGION_PAGES;
}

/* ---- telling ----------------------------------------------------------------------- */

/* The most that @ctx may have, of all there is. */
static unsigned int share_most(struct hmmsvm_context *ctx)
{
	return min3(share_context_limit(ctx), share_user_limit(),
		    ctx->devmem->nr_chunks * HMMSVM_SHARE_CHUNK);
}

static unsigned int share_fair(struct hmmsvm_context *ctx)
{
	return min3(share_most(ctx), share_level(ctx, HMMSVM_SCOPE_DEVICE),
		    share_level(ctx, HMMSVM_SCOPE_USER));
}

void hmmsvm_share_stats(struct hmmsvm_context *ctx, struct hmmsvm_stats *stats)
{
	struct hmmsvm_devmem *dm = ctx->devmem;

	if (!dm)
		return;
	spin_lock(&dm->lock);
	stats->device_pages_charged = (u64)ctx->share.regions * HMMSVM_REGION_PAGES;
	stats->device_pages_limit = (u64)share_most(ctx) * HMMSVM_REGION_PAGES;
	stats->device_pages_share = (u64)share_fair(ctx) * HMMSVM_REGION_PAGES;
	spin_unlock(&dm->lock);
}

/* Limits the context, to as many whole regions as fit into @bytes. */
void hmmsvm_share_set_limit(struct hmmsvm_context *ctx, u64 bytes)
{
	struct hmmsvm_devmem *dm = ctx->devmem;

	spin_lock(&dm->lock);
	ctx->share.limit = min_t(u64, bytes >> SHARE_REGION_SHIFT, SHARE_NONE);
	spin_unlock(&dm->lock);
}

/* Whether it has more than it may. */
bool hmmsvm_share_over_limit(struct hmmsvm_context *ctx)
{
	struct hmmsvm_devmem *dm = ctx->devmem;
	bool over;

	spin_lock(&dm->lock);
	over = share_scope(ctx, 0) == HMMSVM_SCOPE_CONTEXT;
	spin_unlock(&dm->lock);
	return over;
}

static u64 share_bytes(unsigned int regions)
{
	return regions == SHARE_NONE ? HMMSVM_NO_LIMIT : (u64)regions << SHARE_REGION_SHIFT;
}

/* Fills in all that HMMSVM_IOC_LIMIT says. */
void hmmsvm_share_describe(struct hmmsvm_context *ctx, struct hmmsvm_limit *limit)
{
	struct hmmsvm_devmem *dm = ctx->devmem;

	limit->user = from_kuid_munged(current_user_ns(), ctx->share.user);
	limit->context_max = share_bytes(share_parameter(READ_ONCE(context_limit_mb)));
	limit->user_max = share_bytes(share_user_limit());
	spin_lock(&dm->lock);
	limit->limit = share_bytes(ctx->share.limit);
	limit->charged = share_bytes(ctx->share.regions);
	limit->user_charged = share_bytes(share_user_has(ctx));
	limit->share = share_bytes(share_fair(ctx));
	spin_unlock(&dm->lock);
}
