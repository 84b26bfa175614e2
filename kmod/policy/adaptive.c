// SPDX-License-Identifier: GPL-2.0
/*
 * adaptive - rent or buy: cost against benefit, from what was observed
 *
 * Each access to a page in system memory costs rent (`remote_ns`); bringing pages
 * over is a purchase (fault, copy, the copy back, the eviction of something else).
 * The decision is that of the ski rental problem (Karlin et al., Competitive Snoopy
 * Caching, Algorithmica 1988): buy when the rent paid has reached the price, which
 * costs at most twice what knowing the future would. The idea to have no threshold
 * but cost and benefit is that of ARMS (adaptive tiering, 2025).
 *
 * Kept for every block, in nanoseconds: the rent paid since it last left (debt), and,
 * since it came, what its stay has cost (charge) and saved (credit). When a stay
 * ends (the CPU takes pages back, or eviction) they are compared:
 *
 *  - A block that has never lost comes over at the first fault: nothing is known
 *    against it. A stay that did not pay doubles the price of the next (backoff),
 *    one that did halves it again: ping-pong ends in remote use, and a hot block
 *    that was unlucky comes back once its rent is high enough.
 *  - The average of credit to charge of all stays is the context's yield. While
 *    memory is full nothing comes over unseen unless stays have paid on the whole
 *    (yield of 1 or more): a scan over more than device memory goes remote
 *    and leaves what is resident alone. Then rent counts only as far as it is
 *    more than what an average resident block saves in that time, so that
 *    equals do not displace each other.
 *
 * How much comes: the largest of three. Density prefetch as in tree.c; sequential
 * streams, eight of them a context, double what they take (64 KiB ... 2 MiB, as
 * Linux readahead does) until it is a whole block a fault; and, while there is room and
 * nothing is known against the block, as much as copies in the time of a fault, or up to
 * twice that: if it is used it saves one, and if not it has cost no more than two. The CPU's way back
 * grows in the same manner, by streams alone. A promotion on a tick takes the piece
 * that the sample saw in use.
 *
 * How the rent of entries that do not fault is known: by sampling. Each tick withdraws
 * the entries of a few blocks, as many as `overhead` percent of the time pay for (and
 * none while earlier ones have cost more, as entries may fault long after the sample);
 * what faults until the block's next tick is an access seen, 16 of them in the region
 * after the one seen last. If the first comes so soon that accesses at that rate
 * would be more than those seen, that counts: a page that is used all the time faults
 * only once. What a sample says is taken to hold since the one before (at most 64
 * times its length).
 *
 * Trade-offs: what is learned costs samples; bursts shorter than a tick, in memory
 * that does not fault, are seen by chance; remote_ns is an estimate that nobody
 * measures. The first stay of every block is a gamble.
 *
 * Tunables: tick in milliseconds, remote_ns, overhead in percent (0: no samples,
 * and no promotion but by faults), density as in tree.c.
 */
#include "policy-lib.h"

enum { ADAPTIVE_REMOTE, ADAPTIVE_OVERHEAD, ADAPTIVE_DENSITY, ADAPTIVE_TICK };

static const struct hmmsvm_tunable adaptive_tunables[] = {
	[ADAPTIVE_REMOTE] = {
		.name = "remote_ns",
		.help = "nanoseconds that the use of a page in system memory costs the device more",
		.value = 500, .min = 1, .max = 1000000,
	},
	[ADAPTIVE_OVERHEAD] = {
		.name = "overhead",
		.help = "percent of the time that sampling may cost",
		.value = 2, .min = 0, .max = 50,
	},
	[ADAPTIVE_DENSITY] = {
		.name = "density",
		.help = "percent of a subtree that must be populated before all of it comes over",
		.value = 51, .min = 1, .max = 100,
	},
	[ADAPTIVE_TICK] = {
		.name = "tick",
		.help = "milliseconds between ticks",
		.value = 10, .min = 1, .max = 10000,
	},
};

#define ADAPTIVE_LEVEL_MAX	24u	/* doublings of the price */
#define ADAPTIVE_STREAMS	8u
#define ADAPTIVE_CPU_STREAMS	2u
#define ADAPTIVE_ONE		256u	/* fixed point: a yield of 1 */
#define ADAPTIVE_EXTRAPOLATE	64u	/* lengths of a sample that it may speak for */
#define ADAPTIVE_NS_MAX		(1ull << 56)	/* accounts stop here, far from overflow */

/* A block's priv. */
enum {
	ADAPTIVE_DEBT,		/* rent paid since it last left */
	ADAPTIVE_CHARGE,	/* what its stay has cost */
	ADAPTIVE_CREDIT,	/* what its stay has saved */
	ADAPTIVE_STATE,		/* see below */
	ADAPTIVE_SEEN,		/* what this sample saw, see below */
	ADAPTIVE_FIRST,		/* how long after the withdrawal the first came; 0: none */
	ADAPTIVE_GAP,		/* average of that over the samples; 0: none yet */
	ADAPTIVE_KNOWN,		/* until when the accounts are complete */
};

/*
 * Fields of ADAPTIVE_STATE. 8 bits each: the backoff; whether the block is sampled: 1,
 * or 2 + the region seen last; whether the CPU has taken pages back since some came;
 * the last round of ticks. Then, 32 bits: how many pages came.
 */
enum { ADAPTIVE_LEVEL, ADAPTIVE_SAMPLING, ADAPTIVE_LEFT, ADAPTIVE_IN_ROUND };

/* Fields of ADAPTIVE_SEEN: a bit for each region in the first 32 bits, then 16 each. */
enum { ADAPTIVE_REGIONS = 0, ADAPTIVE_ACCESSES = 2, ADAPTIVE_FAULTS = 3 };

/* The context's priv. */
enum {
	ADAPTIVE_STREAM = 0,
	ADAPTIVE_CPU_STREAM = ADAPTIVE_STREAM + 2 * ADAPTIVE_STREAMS,
	ADAPTIVE_ROUND = ADAPTIVE_CPU_STREAM + 2 * ADAPTIVE_CPU_STREAMS,
	ADAPTIVE_BLOCKS,	/* in that round of ticks */
	ADAPTIVE_BLOCKS_LAST,	/* in the one before */
	ADAPTIVE_SAVED,		/* what a resident block saves in a tick, average */
	ADAPTIVE_YIELD,		/* credit to charge, average, plus 1; 0: none yet */
	ADAPTIVE_SAMPLE_COST,	/* what a sample costs while it lasts, average */
	ADAPTIVE_SPENT,		/* what faults on withdrawn entries cost beyond the budget */
};

static __u64 adaptive_state(const struct hmmsvm_policy_block *block, __u32 field)
{
	return policy_field(&block->priv[ADAPTIVE_STATE], 8, field);
}

static void adaptive_state_set(struct hmmsvm_policy_block *block, __u32 field, __u64 value)
{
	policy_field_set(&block->priv[ADAPTIVE_STATE], 8, field, value);
}

static __u64 adaptive_pages(const struct hmmsvm_policy_block *block)
{
	return policy_field(&block->priv[ADAPTIVE_STATE], 32, 1);
}

static void adaptive_pages_set(struct hmmsvm_policy_block *block, __u64 pages)
{
	policy_field_set(&block->priv[ADAPTIVE_STATE], 32, 1,
			 policy_min(pages, HMMSVM_POLICY_BLOCK_PAGES));
}

static void adaptive_add(struct hmmsvm_policy_block *block, __u32 account, __u64 ns)
{
	block->priv[account] = policy_min(block->priv[account] + ns, ADAPTIVE_NS_MAX);
}

static __u64 adaptive_tick_ns(const struct hmmsvm_policy_env *env)
{
	return policy_tunable(env, ADAPTIVE_TICK) * POLICY_NS_PER_MS;
}

/* Credits a resident block with what an average one would have saved since it is known. */
static void adaptive_assume(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block)
{
	__u64 ticks = policy_since(env, block->priv[ADAPTIVE_KNOWN]) / adaptive_tick_ns(env);

	if (ticks && adaptive_pages(block))
		adaptive_add(block, ADAPTIVE_CREDIT,
			     policy_min(ticks, 1u << 20) * env->priv[ADAPTIVE_SAVED]);
	block->priv[ADAPTIVE_KNOWN] = env->now_ns;
}

/* A stay, or a part of it, is over: did it pay? */
static void adaptive_settle(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block)
{
	__u64 charge = block->priv[ADAPTIVE_CHARGE], credit;
	__u64 level = adaptive_state(block, ADAPTIVE_LEVEL);
	__u64 yield = env->priv[ADAPTIVE_YIELD] ? env->priv[ADAPTIVE_YIELD] - 1 : ADAPTIVE_ONE;

	adaptive_assume(env, block);
	credit = block->priv[ADAPTIVE_CREDIT];
	if (charge) {
		env->priv[ADAPTIVE_YIELD] = 1 +
			policy_average(yield, policy_min(credit * ADAPTIVE_ONE / charge,
							 4 * ADAPTIVE_ONE), 3);
		if (credit < charge)
			level = policy_min(level + 1, ADAPTIVE_LEVEL_MAX);
		else if (level)
			level--;
	}
	adaptive_state_set(block, ADAPTIVE_LEVEL, level);
	block->priv[ADAPTIVE_CHARGE] = 0;
	block->priv[ADAPTIVE_CREDIT] = 0;
	block->priv[ADAPTIVE_DEBT] = 0;
}

static bool adaptive_full(const struct hmmsvm_policy_env *env, __u32 pages)
{
	return env->free_pages < pages;
}

/* What it costs to bring @pages over, and probably back. */
static __u64 adaptive_price(const struct hmmsvm_policy_env *env,
			    const struct hmmsvm_policy_block *block, __u32 pages)
{
	__u64 copy = pages * env->copy_page_ns, price = copy;

	if (adaptive_full(env, pages))
		price += copy;
	if (block->cpu_faults)
		price += copy + env->cpu_fault_ns;
	return price;
}

/* Whether to bring @pages over now. */
static bool adaptive_worth(const struct hmmsvm_policy_env *env,
			   const struct hmmsvm_policy_block *block, __u32 pages)
{
	__u64 level = adaptive_state(block, ADAPTIVE_LEVEL);
	bool yields = !env->priv[ADAPTIVE_YIELD] || env->priv[ADAPTIVE_YIELD] > ADAPTIVE_ONE;

	if (!level && (yields || !adaptive_full(env, pages)))
		return true;
	return block->priv[ADAPTIVE_DEBT] >= adaptive_price(env, block, pages) << level;
}

/* @pages come over, of which @used are known to be wanted. */
static void adaptive_bought(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			    __u32 pages, __u32 used)
{
	adaptive_assume(env, block);
	adaptive_add(block, ADAPTIVE_CHARGE, env->device_fault_ns + pages * env->copy_page_ns);
	adaptive_add(block, ADAPTIVE_CREDIT, used * policy_tunable(env, ADAPTIVE_REMOTE));
	adaptive_pages_set(block, adaptive_pages(block) + pages);
	block->priv[ADAPTIVE_DEBT] = 0;
}

/* Notes an access seen in a sample: one page, or a region if it goes on from the last. */
static void adaptive_see(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			 __u32 page)
{
	__u64 *seen = &block->priv[ADAPTIVE_SEEN];
	__u64 regions = policy_field(seen, 32, ADAPTIVE_REGIONS);
	__u64 accesses = policy_field(seen, 16, ADAPTIVE_ACCESSES);
	__u64 faults = policy_field(seen, 16, ADAPTIVE_FAULTS);
	__u64 last = adaptive_state(block, ADAPTIVE_SAMPLING);
	__u32 region = page / HMMSVM_POLICY_REGION_PAGES;

	if (!faults)
		block->priv[ADAPTIVE_FIRST] =
			policy_max(policy_since(env, block->withdrawn_ns), 1);
	accesses += last >= 2 && last - 1 == region ? HMMSVM_POLICY_REGION_PAGES : 1;
	policy_field_set(seen, 32, ADAPTIVE_REGIONS, regions | 1ull << region);
	policy_field_set(seen, 16, ADAPTIVE_ACCESSES, policy_min(accesses, 0xffff));
	policy_field_set(seen, 16, ADAPTIVE_FAULTS, policy_min(faults + 1, 0xffff));
	adaptive_state_set(block, ADAPTIVE_SAMPLING, 2 + region);
}

/* How many pages of the piece are not in device memory. */
static __u32 adaptive_missing(const struct hmmsvm_policy_block *block, __u32 first, __u32 count)
{
	return count - hmmsvm_pages_count(&block->resident, first, count);
}

/*
 * How large a piece copies in the time of a fault, rounded up to a power of two: a region or
 * more, if there is room.
 */
static __u32 adaptive_affordable(const struct hmmsvm_policy_env *env,
				 const struct hmmsvm_policy_block *block)
{
	__u64 pages = policy_min(env->device_fault_ns / env->copy_page_ns,
				 HMMSVM_POLICY_BLOCK_PAGES);
	__u32 piece = policy_power_below((__u32)pages);

	if (adaptive_state(block, ADAPTIVE_LEVEL) || block->cpu_faults ||
	    adaptive_full(env, HMMSVM_POLICY_BLOCK_PAGES))
		return HMMSVM_POLICY_REGION_PAGES;
	return (__u32)policy_max(piece < pages ? 2 * piece : piece, HMMSVM_POLICY_REGION_PAGES);
}

static void adaptive_device_fault(struct hmmsvm_policy_env *env,
				  struct hmmsvm_policy_block *block,
				  const struct hmmsvm_policy_fault *fault,
				  struct hmmsvm_policy_decision *decision)
{
	__u32 region = fault->page & ~(HMMSVM_POLICY_REGION_PAGES - 1);
	__u32 slot, stream, tree, first, count, pages, used;

	if (!block->priv[ADAPTIVE_KNOWN])
		block->priv[ADAPTIVE_KNOWN] = env->now_ns;
	if (fault->sampled)
		env->priv[ADAPTIVE_SPENT] = policy_min(env->priv[ADAPTIVE_SPENT] +
						       env->device_fault_ns, ADAPTIVE_NS_MAX);
	if (adaptive_state(block, ADAPTIVE_SAMPLING))
		adaptive_see(env, block, fault->page);
	if (hmmsvm_pages_test(&block->resident, fault->page))
		return;
	if (adaptive_state(block, ADAPTIVE_LEFT)) {
		adaptive_settle(env, block);
		adaptive_pages_set(block, policy_resident(block));
		adaptive_state_set(block, ADAPTIVE_LEFT, 0);
	}

	stream = policy_stream_pages(&env->priv[ADAPTIVE_STREAM], ADAPTIVE_STREAMS, block->start,
				     region, &slot);
	tree = policy_tree_pages(&block->resident, fault->page,
				 policy_tunable(env, ADAPTIVE_DENSITY), 0);
	tree = (__u32)policy_max(tree, adaptive_affordable(env, block));
	first = fault->page & ~(tree - 1);
	count = tree;
	if (stream &&
	    adaptive_missing(block, region, stream) >= adaptive_missing(block, first, count)) {
		first = region;
		count = stream;
	}
	policy_stream_note(&env->priv[ADAPTIVE_STREAM], slot, block->start, first, count,
			   stream ? 2 * (__u32)env->priv[ADAPTIVE_STREAM + 2 * slot + 1] : 0);

	pages = adaptive_missing(block, first, count);
	used = stream ? policy_min(pages, stream) : 1;
	if (!fault->sampled)
		adaptive_add(block, ADAPTIVE_DEBT,
			     policy_min(used, HMMSVM_POLICY_REGION_PAGES) *
			     policy_tunable(env, ADAPTIVE_REMOTE));
	if (!adaptive_worth(env, block, pages))
		return;
	adaptive_bought(env, block, pages, used);
	policy_decide(decision, HMMSVM_ACTION_TO_DEVICE, first, count);
}

static void adaptive_cpu_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			       const struct hmmsvm_policy_fault *fault,
			       struct hmmsvm_policy_decision *decision)
{
	__u64 *streams = &env->priv[ADAPTIVE_CPU_STREAM];
	__u32 region = fault->page & ~(HMMSVM_POLICY_REGION_PAGES - 1);
	__u32 slot, stream, count;

	stream = policy_stream_pages(streams, ADAPTIVE_CPU_STREAMS, block->start, region, &slot);
	count = stream ? stream : HMMSVM_POLICY_REGION_PAGES;
	policy_stream_note(streams, slot, block->start, region, count,
			   stream ? 2 * (__u32)streams[2 * slot + 1] : 0);
	adaptive_add(block, ADAPTIVE_CHARGE,
		     env->cpu_fault_ns + env->copy_page_ns *
		     hmmsvm_pages_count(&block->resident, region, count));
	adaptive_state_set(block, ADAPTIVE_LEFT, 1);
	policy_decide(decision, HMMSVM_ACTION_TO_SYSTEM, region, count);
}

static void adaptive_evicted(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block)
{
	adaptive_add(block, ADAPTIVE_CHARGE,
		     adaptive_pages(block) * env->copy_page_ns);
	adaptive_settle(env, block);
	adaptive_pages_set(block, 0);
	adaptive_state_set(block, ADAPTIVE_LEFT, 0);
	block->priv[ADAPTIVE_KNOWN] = env->now_ns;
}

/* What a sample costs: as long as none is known, a fault for each region. */
static __u64 adaptive_sample_cost(const struct hmmsvm_policy_env *env)
{
	return env->priv[ADAPTIVE_SAMPLE_COST] ? env->priv[ADAPTIVE_SAMPLE_COST] :
	       POLICY_REGIONS * env->device_fault_ns;
}

/*
 * Takes the sample of the block in: rent or savings since the one before. Whether
 * anything was seen; if so, where.
 */
static bool adaptive_sampled(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			     __u32 *first, __u32 *count)
{
	__u64 length = policy_max(policy_since(env, block->withdrawn_ns), 1);
	__u64 since = policy_max(policy_since(env, block->priv[ADAPTIVE_KNOWN]), length);
	__u64 accesses = policy_field(&block->priv[ADAPTIVE_SEEN], 16, ADAPTIVE_ACCESSES);
	__u64 faults = policy_field(&block->priv[ADAPTIVE_SEEN], 16, ADAPTIVE_FAULTS);
	__u32 regions = (__u32)policy_field(&block->priv[ADAPTIVE_SEEN], 32, ADAPTIVE_REGIONS);
	__u64 gap = accesses ? block->priv[ADAPTIVE_FIRST] : length;
	__u64 tick = adaptive_tick_ns(env), ns, usual;

	env->priv[ADAPTIVE_SAMPLE_COST] = policy_average(adaptive_sample_cost(env),
							 faults * env->device_fault_ns, 3);
	block->priv[ADAPTIVE_GAP] = block->priv[ADAPTIVE_GAP] ?
		policy_max(policy_average(block->priv[ADAPTIVE_GAP], gap, 1), 1) : gap;
	if (accesses)
		accesses = policy_max(accesses, length / block->priv[ADAPTIVE_GAP]);
	ns = accesses * policy_tunable(env, ADAPTIVE_REMOTE);
	since = policy_min(since, length * ADAPTIVE_EXTRAPOLATE);

	if (policy_resident(block)) {
		env->priv[ADAPTIVE_SAVED] = policy_average(env->priv[ADAPTIVE_SAVED],
							   ns * tick / length, 3);
		adaptive_add(block, ADAPTIVE_CREDIT, ns * since / length);
	} else {
		usual = adaptive_full(env, HMMSVM_POLICY_BLOCK_PAGES) ?
			env->priv[ADAPTIVE_SAVED] * since / tick : 0;
		ns = block->priv[ADAPTIVE_DEBT] + ns * since / length;
		block->priv[ADAPTIVE_DEBT] = policy_min(ns > usual ? ns - usual : 0,
							ADAPTIVE_NS_MAX);
	}
	block->priv[ADAPTIVE_KNOWN] = env->now_ns;
	block->priv[ADAPTIVE_SEEN] = 0;
	block->priv[ADAPTIVE_FIRST] = 0;
	adaptive_state_set(block, ADAPTIVE_SAMPLING, 0);
	if (!regions)
		return false;
	policy_mask_piece(regions, first, count);
	return true;
}

/* What samples may cost in a round of ticks. */
static __u64 adaptive_budget(const struct hmmsvm_policy_env *env)
{
	return adaptive_tick_ns(env) * policy_tunable(env, ADAPTIVE_OVERHEAD) / 100;
}

/* Whether to sample a block now: as many a round as may be paid for, debts first. */
static bool adaptive_sample(const struct hmmsvm_policy_env *env)
{
	__u64 cost = policy_max(adaptive_sample_cost(env), 1);
	__u64 blocks = env->priv[ADAPTIVE_BLOCKS_LAST];
	__u64 budget = adaptive_budget(env);

	/* In the first round nobody knows how many share the budget. */
	if (!blocks || env->priv[ADAPTIVE_SPENT] > budget)
		return false;
	return env->random % 1024 < budget * 1024 / (cost * blocks);
}

static void adaptive_tick(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			  struct hmmsvm_policy_decision *decision)
{
	__u32 first, count, pages;

	if (policy_round(&env->priv[ADAPTIVE_ROUND], adaptive_state(block, ADAPTIVE_IN_ROUND))) {
		env->priv[ADAPTIVE_BLOCKS_LAST] = env->priv[ADAPTIVE_BLOCKS];
		env->priv[ADAPTIVE_BLOCKS] = 0;
		env->priv[ADAPTIVE_SPENT] -= policy_min(env->priv[ADAPTIVE_SPENT],
							adaptive_budget(env));
	}
	env->priv[ADAPTIVE_BLOCKS]++;
	adaptive_state_set(block, ADAPTIVE_IN_ROUND, env->priv[ADAPTIVE_ROUND]);

	if (adaptive_state(block, ADAPTIVE_SAMPLING) &&
	    adaptive_sampled(env, block, &first, &count)) {
		pages = adaptive_missing(block, first, count);
		if (pages && adaptive_worth(env, block, pages)) {
			adaptive_bought(env, block, pages, 0);
			policy_decide(decision, HMMSVM_ACTION_TO_DEVICE, first, count);
			return;
		}
	}
	if (!adaptive_state(block, ADAPTIVE_SAMPLING) && adaptive_sample(env)) {
		adaptive_state_set(block, ADAPTIVE_SAMPLING, 1);
		policy_decide_block(decision, HMMSVM_ACTION_WITHDRAW);
	}
}

const struct hmmsvm_placement hmmsvm_placement_adaptive = {
	.name = "adaptive",
	.help = "cost against benefit from what was observed; the default",
	.tunables = adaptive_tunables,
	.nr_tunables = POLICY_ARRAY_SIZE(adaptive_tunables),
	.tick_tunable = ADAPTIVE_TICK,
	.device_fault = adaptive_device_fault,
	.cpu_fault = adaptive_cpu_fault,
	.tick = adaptive_tick,
	.evicted = adaptive_evicted,
};
