// SPDX-License-Identifier: GPL-2.0
/*
 * Blocks, what is known of them, and the policy's decisions about them.
 *
 * The mechanism asks here what to do; here is where a policy is called, where
 * what it says is checked, and where advice overrules it. Nothing here moves a
 * page or sets an entry, but for the tick, which carries out what the policy wants
 * done without a fault.
 *
 * A context without device memory has no blocks and asks no policy.
 *
 * Locking: blocks and a context's policy are covered by the lock of the device
 * memory, under which policies run. The array of blocks is changed under its
 * own lock and read under RCU; blocks are never taken out of it.
 */
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "block.h"
#include "compat.h"
#include "devmem.h"
#include "events.h"
#include "migrate.h"

/* What things cost until something else was observed, ns. */
#define BLOCK_FAULT_NS		2000
#define BLOCK_COPY_PAGE_NS	500

/* So many times what was known before is believed at once to be the cost for everybody. */
#define BLOCK_COST_MOST		8ull

/* So often a thread may come back to a page that was evicted meanwhile, and to no other. */
#define BLOCK_MAX_RETURNS	16

/* At most so many decisions are carried out in one tick. */
#define BLOCK_TICK_ACTIONS	64

/* And at most so many blocks looked at; the next tick goes on there. */
#define BLOCK_TICK_BLOCKS	4096

#define BLOCK_MAX_RESIDENCY	4096

/* The block of @addr, or NULL if there is none yet. */
struct hmmsvm_block *hmmsvm_block_find(struct hmmsvm_context *ctx, unsigned long addr)
{
	return xa_load(&ctx->blocks, addr >> HMMSVM_BLOCK_SHIFT);
}

/* The block of @addr, made if need be; NULL without memory. */
struct hmmsvm_block *hmmsvm_block_get(struct hmmsvm_context *ctx, unsigned long addr)
{
	unsigned long index = addr >> HMMSVM_BLOCK_SHIFT;
	struct hmmsvm_block *block = hmmsvm_block_find(ctx, addr), *other;

	if (likely(block))
		return block;
	block = kzalloc_obj(*block, GFP_KERNEL_ACCOUNT);
	if (!block)
		return NULL;
	block->policy.start = index << HMMSVM_BLOCK_SHIFT;
	mutex_init(&block->migrate_mutex);
	other = xa_cmpxchg(&ctx->blocks, index, NULL, block, GFP_KERNEL_ACCOUNT);
	if (!other)
		return block;
	kfree(block);
	return xa_is_err(other) ? NULL : other;
}

/* ---- calling the policy; all under dm->lock ----------------------------------- */

/* A running average that forgets slowly; of the first value that there is, that one. */
static void cost_average(struct hmmsvm_costs *costs, enum hmmsvm_cost which, u64 value)
{
	if (costs->ns[which])
		value = (costs->ns[which] * 15 + value) / 16;
	costs->ns[which] = max_t(u64, 1, value);
}

/*
 * What it cost this time: so much does the context know then; and, where it is @typical, those
 * that come after it. They may be others', whom one that took long should not mislead for long.
 */
static void block_cost(struct hmmsvm_context *ctx, enum hmmsvm_cost which, u64 value, bool typical)
{
	struct hmmsvm_costs *all = &ctx->devmem->costs;

	lockdep_assert_held(&ctx->devmem->lock);
	cost_average(&ctx->costs, which, value);
	if (typical && all->ns[which])
		value = min(value, BLOCK_COST_MOST * all->ns[which]);
	if (typical)
		cost_average(all, which, value);
}

static u64 block_cost_ns(const struct hmmsvm_context *ctx, enum hmmsvm_cost which, u64 guess)
{
	return ctx->costs.ns[which] ?: ctx->devmem->costs.ns[which] ?: guess;
}

static struct hmmsvm_policy_env *block_env(struct hmmsvm_context *ctx, struct hmmsvm_block *block)
{
	struct hmmsvm_policy_env *env = &ctx->policy_env;
	struct hmmsvm_devmem *dm = ctx->devmem;

	lockdep_assert_held(&dm->lock);
	if (block->policy_generation != ctx->policy_generation) {
		memset(block->policy.priv, 0, sizeof(block->policy.priv));
		block->policy_generation = ctx->policy_generation;
	}
	env->device_fault_ns = block_cost_ns(ctx, HMMSVM_COST_DEVICE_FAULT, BLOCK_FAULT_NS);
	env->cpu_fault_ns = block_cost_ns(ctx, HMMSVM_COST_CPU_FAULT, BLOCK_FAULT_NS);
	env->copy_page_ns = block_cost_ns(ctx, HMMSVM_COST_COPY_PAGE, BLOCK_COPY_PAGE_NS);
	env->costs_known = ctx->costs.ns[HMMSVM_COST_COPY_PAGE] ||
			   dm->costs.ns[HMMSVM_COST_COPY_PAGE];
	env->now_ns = ktime_get_ns();
	env->running_ns = (ctx->stalls ? ctx->stall_ns : env->now_ns) - ctx->started_ns -
			  ctx->stalled_ns;
	hmmsvm_share_see(ctx, &env->total_pages, &env->free_pages);
	env->tunables = ctx->tunables;
	/* xorshift64 */
	env->random ^= env->random << 13;
	env->random ^= env->random >> 7;
	env->random ^= env->random << 17;
	return env;
}

/*
 * A fault, or a move or withdrawal of entries, begins on behalf of @ctx: until all of them
 * have ended, time is not running_ns.
 */
void hmmsvm_block_stall(struct hmmsvm_context *ctx)
{
	if (!ctx->devmem)
		return;
	spin_lock(&ctx->devmem->lock);
	if (!ctx->stalls++)
		ctx->stall_ns = ktime_get_ns();
	spin_unlock(&ctx->devmem->lock);
}

void hmmsvm_block_go_on(struct hmmsvm_context *ctx)
{
	if (!ctx->devmem)
		return;
	spin_lock(&ctx->devmem->lock);
	if (!--ctx->stalls)
		ctx->stalled_ns += ktime_get_ns() - ctx->stall_ns;
	spin_unlock(&ctx->devmem->lock);
}

/* Whether a decision about a fault on @page makes sense. */
static bool block_decision_valid(const struct hmmsvm_policy_decision *d, unsigned int page)
{
	return d->first < HMMSVM_BLOCK_PAGES && d->count &&
	       d->count <= HMMSVM_BLOCK_PAGES - d->first && page >= d->first &&
	       page < d->first + d->count && !hmmsvm_pages_test(&d->except, page);
}

/* The same for what a policy says to a device fault. */
static bool block_answer_valid(const struct hmmsvm_policy_decision *d, unsigned int page)
{
	if (d->action == HMMSVM_ACTION_NONE && !d->count)
		return true;
	return (d->action == HMMSVM_ACTION_NONE || d->action == HMMSVM_ACTION_TO_DEVICE) &&
	       block_decision_valid(d, page);
}

/*
 * Whether the calling thread faults on the same few pages again and again, as each one's coming
 * evicts another. One instruction may need four of them at once (two operands, each across a
 * border), and never end if there is room for fewer.
 */
static bool block_goes_round(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
			     unsigned long addr, unsigned int page)
{
	struct hmmsvm_returns *r = &ctx->returns[hash_ptr(current, ilog2(HMMSVM_RETURNS_THREADS))];
	unsigned int i;

	lockdep_assert_held(&ctx->devmem->lock);
	if (r->task != current) {
		memset(r, 0, sizeof(*r));
		r->task = current;
	}
	for (i = 0; i < HMMSVM_RETURNS_PAGES; i++)
		if (r->pages[i] == addr)
			break;
	if (i == HMMSVM_RETURNS_PAGES) {
		r->pages[r->next++ % HMMSVM_RETURNS_PAGES] = addr;
		r->count = 0;
	} else if (hmmsvm_pages_test(&block->evicted, page)) {
		r->count++;
	}
	return r->count >= BLOCK_MAX_RETURNS;
}

/*
 * The device touched @addr of @block, where there is a page if it is @present; @dpage
 * is the device page it found there, or NULL if it found something else or nothing.
 * Says what to do, and returns whether entries of the block had been withdrawn.
 */
bool hmmsvm_block_device_fault(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
			       unsigned long addr, bool write, bool present, struct page *dpage,
			       struct hmmsvm_policy_decision *decision)
{
	unsigned int advice = hmmsvm_advice_at(ctx, addr);
	struct hmmsvm_policy_fault fault = {
		.page = (addr - block->policy.start) >> PAGE_SHIFT,
		.write = write,
		.absent = !present,
	};
	struct hmmsvm_devmem *dm = ctx->devmem;
	struct hmmsvm_policy_env *env;

	memset(decision, 0, sizeof(*decision));
	spin_lock(&dm->lock);
	env = block_env(ctx, block);
	fault.sampled = block->withdrawn;
	block->withdrawn = false;
	if (fault.sampled)
		hmmsvm_count(ctx, sampled_faults);
	if (dpage && hmmsvm_devmem_of(dpage) == dm)
		hmmsvm_devmem_touch(dm, dpage, advice & HMMSVM_ADVICE_DEVICE);

	if (block_goes_round(ctx, block, addr, fault.page) ||
	    advice & (HMMSVM_ADVICE_SYSTEM | HMMSVM_ADVICE_READ_MOSTLY)) {
		;
	} else if (advice & HMMSVM_ADVICE_DEVICE) {
		decision->action = HMMSVM_ACTION_TO_DEVICE;
		decision->first = round_down(fault.page, HMMSVM_REGION_PAGES);
		decision->count = HMMSVM_REGION_PAGES;
	} else if (ctx->placement->device_fault && (!dpage || fault.sampled)) {
		ctx->placement->device_fault(env, &block->policy, &fault, decision);
		if (!block_answer_valid(decision, fault.page)) {
			hmmsvm_count(ctx, policy_errors);
			memset(decision, 0, sizeof(*decision));
		}
	}
	if (dpage && decision->action == HMMSVM_ACTION_TO_DEVICE) {
		decision->action = HMMSVM_ACTION_NONE;
		decision->count = 0;
	}
	block->policy.device_faults++;
	block->policy.device_ns = env->now_ns;
	spin_unlock(&dm->lock);
	return fault.sampled;
}

/*
 * The CPU touched a page of @block, in device memory, or is about to go on there. What is to come
 * back, and what of it not; of a block ahead possibly nothing.
 */
void hmmsvm_block_cpu_fault(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
			    const struct hmmsvm_policy_fault *fault,
			    struct hmmsvm_policy_decision *decision)
{
	struct hmmsvm_policy_env *env;

	*decision = (struct hmmsvm_policy_decision){
		.first = round_down(fault->page, HMMSVM_REGION_PAGES),
		.count = HMMSVM_REGION_PAGES,
	};
	spin_lock(&ctx->devmem->lock);
	env = block_env(ctx, block);
	block->policy.cpu_faults += !fault->ahead;
	if (ctx->placement->cpu_fault) {
		decision->count = 0;
		ctx->placement->cpu_fault(env, &block->policy, fault, decision);
		if (fault->ahead && !decision->count)
			goto out;
		if (!block_decision_valid(decision, fault->ahead ? decision->first : fault->page)) {
			hmmsvm_count(ctx, policy_errors);
			*decision = (struct hmmsvm_policy_decision){
				.first = fault->page,
				.count = !fault->ahead,
			};
		}
	}
	if (!fault->ahead)
		block->policy.cpu_ns = env->now_ns;
out:
	spin_unlock(&ctx->devmem->lock);
}

/* A chunk with pages of @ctx is emptied for @by. Under dm->lock. */
static void block_count_eviction(struct hmmsvm_context *ctx, struct hmmsvm_context *by,
				 enum hmmsvm_scope scope)
{
	hmmsvm_count(ctx, evictions);
	if (ctx != by)
		hmmsvm_count(ctx, evictions_by_others);
	if (scope != HMMSVM_SCOPE_DEVICE)
		hmmsvm_count(ctx, evictions_limit);
}

/* Pages are about to be evicted for @by. Returns the address of the first block. */
unsigned long hmmsvm_block_evicting(struct hmmsvm_context *by, const struct hmmsvm_victim *victim)
{
	struct hmmsvm_devmem *dm = by->devmem;
	struct hmmsvm_context *last_ctx = NULL;
	struct hmmsvm_block *last = NULL;
	unsigned long address = 0;
	unsigned int i;

	spin_lock(&dm->lock);
	for (i = 0; i < HMMSVM_BLOCK_REGIONS; i++) {
		struct hmmsvm_region *region = &victim->chunk->regions[i];
		struct hmmsvm_block *block = region->block;
		struct hmmsvm_policy_env *env;

		if (!region->ctx || !region->used ||
		    !hmmsvm_pages_test(&victim->pages, i * HMMSVM_REGION_PAGES))
			continue;
		if (region->ctx != last_ctx)
			block_count_eviction(region->ctx, by, victim->scope);
		last_ctx = region->ctx;
		if (!block || block == last)
			continue;
		last = block;
		if (!address)
			address = block->policy.start;
		env = block_env(region->ctx, block);
		block->policy.evictions++;
		block->policy.evicted_ns = env->now_ns;
		if (region->ctx->placement->evicted)
			region->ctx->placement->evicted(env, &block->policy);
	}
	spin_unlock(&dm->lock);
	return address;
}

/* ---- bookkeeping ------------------------------------------------------------------ */

/*
 * @pages of @block were brought to device memory since @begin, of which @zeroed did not have
 * to be copied.
 */
void hmmsvm_block_migrated(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
			   unsigned long pages, unsigned long zeroed, u64 begin)
{
	u64 now = ktime_get_ns();

	if (!pages)
		return;
	spin_lock(&ctx->devmem->lock);
	block->policy.migrations++;
	block->policy.migrated_ns = now;
	if (zeroed <= pages / 2)
		block_cost(ctx, HMMSVM_COST_COPY_PAGE, (now - begin) / pages,
			   pages >= HMMSVM_BLOCK_PAGES / 2);
	spin_unlock(&ctx->devmem->lock);
}

/* A device fault took so long, without the time that pages moved. */
void hmmsvm_block_faulted(struct hmmsvm_context *ctx, u64 took)
{
	spin_lock(&ctx->devmem->lock);
	block_cost(ctx, HMMSVM_COST_DEVICE_FAULT, took, true);
	spin_unlock(&ctx->devmem->lock);
}

/* A CPU fault since @begin brought @pages back. */
void hmmsvm_block_came_back(struct hmmsvm_context *ctx, unsigned long pages, u64 begin)
{
	u64 took = ktime_get_ns() - begin, copy;

	if (!pages)
		return;
	spin_lock(&ctx->devmem->lock);
	copy = pages * block_cost_ns(ctx, HMMSVM_COST_COPY_PAGE, BLOCK_COPY_PAGE_NS);
	block_cost(ctx, HMMSVM_COST_CPU_FAULT, took > copy ? took - copy : 1, true);
	spin_unlock(&ctx->devmem->lock);
}

/* How many of the pages are in device memory. */
unsigned int hmmsvm_block_resident(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
				   unsigned int first, unsigned int count)
{
	unsigned int n;

	spin_lock(&ctx->devmem->lock);
	n = hmmsvm_pages_count(&block->policy.resident, first, count);
	spin_unlock(&ctx->devmem->lock);
	return n;
}

/* How many of the pages, which are back in device memory, had been evicted from it. */
unsigned int hmmsvm_block_forget_evicted(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
					 unsigned int first, unsigned int count)
{
	unsigned int n;

	spin_lock(&ctx->devmem->lock);
	n = hmmsvm_pages_count(&block->evicted, first, count);
	hmmsvm_pages_clear(&block->evicted, first, count);
	spin_unlock(&ctx->devmem->lock);
	return n;
}

/* HMMSVM_IOC_RESIDENCY */
int hmmsvm_residency(struct hmmsvm_context *ctx, struct hmmsvm_residency *residency)
{
	struct hmmsvm_residency_block __user *user = u64_to_user_ptr(residency->blocks);
	unsigned long index = residency->start >> HMMSVM_BLOCK_SHIFT;
	u32 room = residency->count, n = 0;
	struct hmmsvm_block *block;

	if (!room || room > BLOCK_MAX_RESIDENCY)
		return -EINVAL;
	residency->start = 0;
	xa_for_each_start(&ctx->blocks, index, block, index) {
		struct hmmsvm_residency_block out = { .start = block->policy.start };

		if (n == room) {
			residency->start = out.start;
			break;
		}
		spin_lock(&ctx->devmem->lock);
		out.device_pages = hmmsvm_pages_count(&block->policy.resident, 0,
						      HMMSVM_BLOCK_PAGES);
		out.device_faults = block->policy.device_faults;
		out.cpu_faults = block->policy.cpu_faults;
		out.evictions = block->policy.evictions;
		spin_unlock(&ctx->devmem->lock);
		if (copy_to_user(&user[n++], &out, sizeof(out)))
			return -EFAULT;
	}
	residency->count = n;
	return 0;
}

/* ---- choosing a policy --------------------------------------------------------------- */

/* Under dm->lock, if there is device memory. */
static void policy_set(struct hmmsvm_context *ctx, const struct hmmsvm_placement *placement)
{
	unsigned int i;

	WRITE_ONCE(ctx->placement, placement);
	ctx->policy_generation++;
	memset(ctx->policy_env.priv, 0, sizeof(ctx->policy_env.priv));
	for (i = 0; i < placement->nr_tunables; i++)
		ctx->tunables[i] = placement->tunables[i].value;
}

/* When the policy wants to be asked next without a fault; 0: never. */
static unsigned long policy_tick(const struct hmmsvm_context *ctx)
{
	const struct hmmsvm_placement *placement;
	unsigned long delay = 0;

	if (!ctx->devmem)
		return 0;
	spin_lock(&ctx->devmem->lock);
	placement = ctx->placement;
	if (placement->tick && placement->tick_tunable >= 0)
		delay = max(1UL, msecs_to_jiffies(ctx->tunables[placement->tick_tunable]));
	spin_unlock(&ctx->devmem->lock);
	return delay;
}

static void policy_restart_tick(struct hmmsvm_context *ctx)
{
	unsigned long delay = policy_tick(ctx);

	if (delay && READ_ONCE(ctx->ticking))
		mod_delayed_work(hmmsvm_workqueue, &ctx->tick, delay);
}

/* HMMSVM_IOC_POLICY */
int hmmsvm_policy_choose(struct hmmsvm_context *ctx, struct hmmsvm_policy_choice *choice)
{
	const struct hmmsvm_placement *placement = NULL;
	const struct hmmsvm_eviction *eviction = NULL;
	struct hmmsvm_devmem *dm = ctx->devmem;

	if (choice->flags & ~(HMMSVM_POLICY_SET_PLACEMENT | HMMSVM_POLICY_SET_EVICTION))
		return -EINVAL;
	if (choice->flags && !dm)
		return -ENODEV;
	choice->placement[sizeof(choice->placement) - 1] = '\0';
	choice->eviction[sizeof(choice->eviction) - 1] = '\0';
	if (choice->flags & HMMSVM_POLICY_SET_PLACEMENT) {
		placement = hmmsvm_placement_find(choice->placement);
		if (!placement)
			return -EINVAL;
	}
	if (choice->flags & HMMSVM_POLICY_SET_EVICTION) {
		eviction = hmmsvm_eviction_find(choice->eviction);
		if (!eviction)
			return -EINVAL;
	}
	/* Without device memory there is nothing to set. */
	if (dm) {
		spin_lock(&dm->lock);
		if (placement)
			policy_set(ctx, placement);
		if (eviction)
			WRITE_ONCE(ctx->eviction, eviction);
		spin_unlock(&dm->lock);
	}
	placement = READ_ONCE(ctx->placement);
	eviction = READ_ONCE(ctx->eviction);
	strscpy_pad(choice->placement, placement->name, sizeof(choice->placement));
	strscpy_pad(choice->eviction, eviction->name, sizeof(choice->eviction));
	if (choice->flags)
		policy_restart_tick(ctx);
	return 0;
}

/* HMMSVM_IOC_TUNABLE */
int hmmsvm_policy_tunable(struct hmmsvm_context *ctx, struct hmmsvm_tunable_value *value)
{
	const struct hmmsvm_placement *placement;
	const struct hmmsvm_tunable *tunable;
	struct hmmsvm_devmem *dm = ctx->devmem;
	u32 i;

	if (value->flags & ~HMMSVM_TUNABLE_SET)
		return -EINVAL;
	if (!dm)
		return -ENODEV;
	value->name[sizeof(value->name) - 1] = '\0';
	spin_lock(&dm->lock);
	placement = ctx->placement;
	i = value->index;
	if (value->name[0])
		for (i = 0; i < placement->nr_tunables; i++)
			if (!strcmp(placement->tunables[i].name, value->name))
				break;
	if (i >= placement->nr_tunables) {
		spin_unlock(&dm->lock);
		return -ENOENT;
	}
	tunable = &placement->tunables[i];
	value->clamped = 0;
	if (value->flags & HMMSVM_TUNABLE_SET) {
		ctx->tunables[i] = hmmsvm_tunable_clamp(tunable, value->value);
		value->clamped = ctx->tunables[i] != value->value;
	}
	value->index = i;
	value->value = ctx->tunables[i];
	spin_unlock(&dm->lock);
	value->preset = tunable->value;
	value->min = tunable->min;
	value->max = tunable->max;
	strscpy_pad(value->name, tunable->name, sizeof(value->name));
	strscpy_pad(value->help, tunable->help, sizeof(value->help));
	if (value->flags)
		policy_restart_tick(ctx);
	return 0;
}

/* HMMSVM_IOC_POLICY_INFO */
int hmmsvm_policy_describe(struct hmmsvm_policy_info *info)
{
	const struct hmmsvm_placement *placement;
	const struct hmmsvm_eviction *eviction;
	const char *name, *help;

	info->tunables = 0;
	switch (info->kind) {
	case HMMSVM_POLICY_PLACEMENT:
		placement = hmmsvm_placement_at(info->index);
		if (!placement)
			return -ENOENT;
		info->tunables = placement->nr_tunables;
		name = placement->name;
		help = placement->help;
		break;
	case HMMSVM_POLICY_EVICTION:
		eviction = hmmsvm_eviction_at(info->index);
		if (!eviction)
			return -ENOENT;
		name = eviction->name;
		help = eviction->help;
		break;
	default:
		return -EINVAL;
	}
	strscpy_pad(info->name, name, sizeof(info->name));
	strscpy_pad(info->help, help, sizeof(info->help));
	return 0;
}

/* ---- the tick ---------------------------------------------------------------------- */

/* Takes the device's entries of the block away, so that its next access is seen. */
static void tick_withdraw(struct hmmsvm_context *ctx, struct hmmsvm_block *block)
{
	struct hmmsvm_range *range = hmmsvm_range_find(ctx, block->policy.start);

	if (!range)
		return;
	spin_lock(&ctx->devmem->lock);
	block->withdrawn = true;
	block->policy.withdrawn_ns = ktime_get_ns();
	spin_unlock(&ctx->devmem->lock);
	hmmsvm_range_withdraw(range, block->policy.start,
			      block->policy.start + HMMSVM_BLOCK_SIZE);
	hmmsvm_count(ctx, withdrawals);
	hmmsvm_event(ctx, HMMSVM_EVENT_WITHDRAW, 0, block->policy.start, HMMSVM_BLOCK_PAGES,
		     ktime_get_ns());
}

/*
 * What the application said of pages goes before what the policy wants: they stay, or are not
 * shown.
 */
static void tick_heed_advice(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
			     struct hmmsvm_policy_decision *d)
{
	unsigned int against = HMMSVM_ADVICE_SYSTEM | HMMSVM_ADVICE_READ_MOSTLY, page;

	if (!READ_ONCE(ctx->advised) || d->action == HMMSVM_ACTION_TO_SYSTEM)
		return;
	/* Its next fault is to bring it over. */
	if (d->action == HMMSVM_ACTION_NONE)
		against = HMMSVM_ADVICE_DEVICE;
	for (page = d->first; page < d->first + d->count; page++)
		if (hmmsvm_advice_at(ctx, block->policy.start + page * PAGE_SIZE) & against)
			hmmsvm_pages_set(&d->except, page, 1);
}

/* Shows the device [@start, @end) as the policy decided: its next use is not seen any more. */
static void tick_show(struct hmmsvm_context *ctx, struct hmmsvm_block *block, unsigned long start,
		      unsigned long end, const struct hmmsvm_policy_decision *d)
{
	if (!hmmsvm_mirror_show(ctx, start, end, d))
		return;
	spin_lock(&ctx->devmem->lock);
	block->withdrawn = false;
	spin_unlock(&ctx->devmem->lock);
}

/* Has the device see the range where it is; what it sees as a whole it sees. */
static void tick_show_range(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
			    const struct hmmsvm_policy_decision *d)
{
	unsigned long start = block->policy.start + d->first * PAGE_SIZE;

	if (hmmsvm_range_is_whole(ctx, start) || !mmget_not_zero(ctx->app_mm))
		return;
	tick_show(ctx, block, start, start + PAGE_SIZE, d);
	mmput_async(ctx->app_mm);
}

static void tick_migrate(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
			 const struct hmmsvm_policy_decision *d)
{
	unsigned long start = block->policy.start + d->first * PAGE_SIZE;
	unsigned long end = start + d->count * PAGE_SIZE;
	bool to_device = d->action == HMMSVM_ACTION_TO_DEVICE;
	struct mm_struct *mm = ctx->app_mm;
	struct hmmsvm_moved moved = {};

	if (!mmget_not_zero(mm))
		return;
	/* A tick is not worth waiting for. */
	if (mmap_read_trylock(mm)) {
		hmmsvm_migrate_piece(ctx, start, end, to_device ? HMMSVM_MIGRATE_TO_DEVICE :
				     HMMSVM_MIGRATE_TO_SYSTEM, d, &moved);
		mmap_read_unlock(mm);
		if (to_device)
			tick_show(ctx, block, start, end, d);
	}
	mmput_async(mm);
}

static void tick_carry_out(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
			   struct hmmsvm_policy_decision *d)
{
	if (d->action == HMMSVM_ACTION_WITHDRAW) {
		tick_withdraw(ctx, block);
		return;
	}
	if (d->action > HMMSVM_ACTION_WITHDRAW || !block_decision_valid(d, d->first)) {
		hmmsvm_count(ctx, policy_errors);
		return;
	}
	tick_heed_advice(ctx, block, d);
	if (d->action == HMMSVM_ACTION_NONE)
		tick_show_range(ctx, block, d);
	else
		tick_migrate(ctx, block, d);
}

static void block_tick(struct work_struct *work)
{
	struct hmmsvm_context *ctx = container_of(to_delayed_work(work), struct hmmsvm_context,
						  tick);
	unsigned long index = ctx->tick_next, delay;
	unsigned int actions = 0, blocks = 0;
	struct hmmsvm_block *block;

	if (READ_ONCE(ctx->app_gone))
		return;
	ctx->tick_next = 0;
	xa_for_each_start(&ctx->blocks, index, block, index) {
		struct hmmsvm_policy_decision d = {};

		spin_lock(&ctx->devmem->lock);
		if (ctx->placement->tick)
			ctx->placement->tick(block_env(ctx, block), &block->policy, &d);
		spin_unlock(&ctx->devmem->lock);
		if (d.action != HMMSVM_ACTION_NONE || d.count) {
			hmmsvm_block_stall(ctx);
			tick_carry_out(ctx, block, &d);
			hmmsvm_block_go_on(ctx);
			actions++;
		}
		/* Who ends the context waits for this. */
		if (!READ_ONCE(ctx->ticking))
			break;
		if (actions == BLOCK_TICK_ACTIONS || ++blocks == BLOCK_TICK_BLOCKS) {
			ctx->tick_next = index + 1;
			break;
		}
		cond_resched();
	}
	delay = policy_tick(ctx);
	if (delay && READ_ONCE(ctx->ticking))
		queue_delayed_work(hmmsvm_workqueue, &ctx->tick, delay);
}

/* ---- lifetime ------------------------------------------------------------------------ */

void hmmsvm_blocks_init(struct hmmsvm_context *ctx)
{
	/* Without it only nodes that were not to be had at once are charged, whatever the store says. */
	xa_init_flags(&ctx->blocks, XA_FLAGS_ACCOUNT);
	INIT_DELAYED_WORK(&ctx->tick, block_tick);
	ctx->policy_env.random = 0x9e3779b97f4a7c15ull;
	ctx->eviction = hmmsvm_eviction_find(HMMSVM_DEFAULT_EVICTION);
	policy_set(ctx, hmmsvm_placement_find(HMMSVM_DEFAULT_PLACEMENT));
}

/* The context has its application and its device memory. */
void hmmsvm_blocks_start(struct hmmsvm_context *ctx)
{
	ctx->started_ns = ktime_get_ns();
	WRITE_ONCE(ctx->ticking, true);
	policy_restart_tick(ctx);
}

/* No policy is asked without a fault any more. */
void hmmsvm_blocks_stop(struct hmmsvm_context *ctx)
{
	WRITE_ONCE(ctx->ticking, false);
	/* For good: who is choosing a policy right now must not queue it again. */
	disable_delayed_work_sync(&ctx->tick);
}

/* The last reference to the context is gone. */
void hmmsvm_blocks_free(struct hmmsvm_context *ctx)
{
	struct hmmsvm_block *block;
	unsigned long index;

	xa_for_each(&ctx->blocks, index, block)
		kfree(block);
	xa_destroy(&ctx->blocks);
}
