// SPDX-License-Identifier: GPL-2.0
/*
 * arms - two averages tell hot from cold, and a promotion has to pay within its horizon
 *
 * Models ARMS: Yadalam et al., Adaptive and Robust Memory Tiering System,
 * arXiv:2508.04417, 2025: no thresholds of hotness, but a short and a long moving average
 * of each page's accesses, a migration only where its benefit exceeds its cost, and
 * migrations in batches.
 *
 * Samples are as in hot.c: a fault is an access seen, or the rate that the time until the
 * first suggests. A block's score is the larger of its averages, so that what has just
 * become hot counts at once and what was hot for long is not forgotten at once. To
 * promote a block has to save, at that rate and for as long as its long average spans (8
 * samples), more than the copies cost: its own, and if memory is full that of another and
 * what that one saves (the average score of resident blocks). Nothing moves on a fault, and no more
 * than `batch` blocks a round of ticks.
 *
 * What differs: blocks and not pages; the batch is a number and does not follow the
 * bandwidth in use, which a policy does not know.
 *
 * Slow to begin, as everything starts in system memory. The CPU gets its region back, and
 * the score is halved.
 *
 * Tunables: remote_ns, sample, batch, tick.
 */
#include "policy-lib.h"

enum { ARMS_REMOTE, ARMS_SAMPLE, ARMS_BATCH, ARMS_TICK };

static const struct hmmsvm_tunable arms_tunables[] = {
	[ARMS_REMOTE] = {
		.name = "remote_ns",
		.help = "nanoseconds that the use of a page in system memory costs the device more",
		.value = 500, .min = 1, .max = 1000000,
	},
	[ARMS_SAMPLE] = {
		.name = "sample",
		.help = "percent of the blocks whose accesses are watched in each tick",
		.value = 20, .min = 1, .max = 100,
	},
	[ARMS_BATCH] = {
		.name = "batch",
		.help = "blocks promoted in one round of ticks at the most",
		.value = 16, .min = 1, .max = 10000,
	},
	[ARMS_TICK] = {
		.name = "tick",
		.help = "milliseconds between ticks",
		.value = 5, .min = 1, .max = 10000,
	},
};

#define ARMS_ONE	256u	/* fixed point: an access a tick */
#define ARMS_SCORE_MAX	65536u
#define ARMS_HORIZON	8u	/* samples that the long average spans */

/* A block's priv. */
enum {
	ARMS_SHORT,	/* averages of accesses a tick, in ARMS_ONE */
	ARMS_LONG,
	ARMS_WATCHED,	/* 1 while it is sampled */
	ARMS_FAULTS,	/* in the sample under way */
	ARMS_RATE,	/* accesses a tick, as its first fault has it */
	ARMS_SEEN,	/* the round of ticks it was last in */
};

/* The context's priv. */
enum {
	ARMS_ROUND,
	ARMS_MOVED,	/* promotions in it */
	ARMS_RESIDENT,	/* average score of resident blocks */
};

static __u64 arms_score(const struct hmmsvm_policy_block *block)
{
	return policy_max(block->priv[ARMS_SHORT], block->priv[ARMS_LONG]);
}

static void arms_device_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			      const struct hmmsvm_policy_fault *fault,
			      struct hmmsvm_policy_decision *decision)
{
	__u64 tick = policy_tunable(env, ARMS_TICK) * POLICY_NS_PER_MS;

	if (!block->priv[ARMS_WATCHED])
		return;
	if (!block->priv[ARMS_FAULTS])
		block->priv[ARMS_RATE] =
			tick / policy_max(policy_since(env, block->withdrawn_ns), 1);
	block->priv[ARMS_FAULTS]++;
}

static void arms_cpu_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			   const struct hmmsvm_policy_fault *fault,
			   struct hmmsvm_policy_decision *decision)
{
	block->priv[ARMS_SHORT] /= 2;
	block->priv[ARMS_LONG] /= 2;
	policy_decide_piece(decision, HMMSVM_ACTION_TO_SYSTEM, fault->page,
			    HMMSVM_POLICY_REGION_PAGES);
}

/* What a rate of accesses saves within the horizon, if they were local. */
static __u64 arms_saves(const struct hmmsvm_policy_env *env, __u64 score)
{
	/* A block is sampled once in so many ticks. */
	__u64 ticks = ARMS_HORIZON * 100 / policy_tunable(env, ARMS_SAMPLE);

	return score * ticks * policy_tunable(env, ARMS_REMOTE) / ARMS_ONE;
}

static bool arms_pays(const struct hmmsvm_policy_env *env, const struct hmmsvm_policy_block *block,
		      __u32 pages)
{
	__u64 cost = pages * env->copy_page_ns;

	if (env->free_pages < pages)
		cost += HMMSVM_POLICY_BLOCK_PAGES * env->copy_page_ns +
			arms_saves(env, env->priv[ARMS_RESIDENT]);
	return arms_saves(env, arms_score(block)) > cost;
}

static void arms_tick(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
		      struct hmmsvm_policy_decision *decision)
{
	__u32 resident = policy_resident(block);
	__u64 sample;

	if (policy_round(&env->priv[ARMS_ROUND], block->priv[ARMS_SEEN]))
		env->priv[ARMS_MOVED] = 0;
	block->priv[ARMS_SEEN] = env->priv[ARMS_ROUND];

	if (block->priv[ARMS_WATCHED]) {
		sample = ARMS_ONE * policy_min(policy_max(block->priv[ARMS_FAULTS],
							  block->priv[ARMS_RATE]),
					       ARMS_SCORE_MAX);
		block->priv[ARMS_SHORT] = policy_average(block->priv[ARMS_SHORT], sample, 1);
		block->priv[ARMS_LONG] = policy_average(block->priv[ARMS_LONG], sample, 3);
		block->priv[ARMS_WATCHED] = 0;
		block->priv[ARMS_FAULTS] = 0;
		block->priv[ARMS_RATE] = 0;
		if (resident)
			env->priv[ARMS_RESIDENT] = policy_average(env->priv[ARMS_RESIDENT],
								  arms_score(block), 4);
	}
	if (resident < HMMSVM_POLICY_BLOCK_PAGES &&
	    env->priv[ARMS_MOVED] < policy_tunable(env, ARMS_BATCH) &&
	    arms_pays(env, block, HMMSVM_POLICY_BLOCK_PAGES - resident)) {
		env->priv[ARMS_MOVED]++;
		policy_decide_block(decision, HMMSVM_ACTION_TO_DEVICE);
	} else if (env->random % 100 < policy_tunable(env, ARMS_SAMPLE)) {
		block->priv[ARMS_WATCHED] = 1;
		policy_decide_block(decision, HMMSVM_ACTION_WITHDRAW);
	}
}

const struct hmmsvm_placement hmmsvm_placement_arms = {
	.name = "arms",
	.help = "promote what saves more than it costs, by two averages of sampled accesses",
	.tunables = arms_tunables,
	.nr_tunables = POLICY_ARRAY_SIZE(arms_tunables),
	.tick_tunable = ARMS_TICK,
	.device_fault = arms_device_fault,
	.cpu_fault = arms_cpu_fault,
	.tick = arms_tick,
};
