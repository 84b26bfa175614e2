// SPDX-License-Identifier: GPL-2.0
/*
 * hot - blocks are watched by sampling; the hottest live in device memory
 *
 * Models migration by access counters: NVIDIA UVM's (uvm_gpu_access_counters.c), and
 * of tiered memory the hot set taken from an access histogram, MEMTIS (Lee et al.,
 * SOSP 2023), with samples by protection faults as in AutoNUMA and TPP (Maruf et
 * al., ASPLOS 2023).
 *
 * A device fault never migrates. On each tick the device's entries of `sample`
 * percent of the blocks are withdrawn; until the block's next tick each fault in it
 * is counted. The sample's score is that count, or the accesses a tick that the
 * time until the first suggests if those are more (a page in steady use faults only
 * once). A block's heat is the average score, each new one counting half: old ones
 * age. A histogram of the heat of all blocks (powers of two) says where to cut: in
 * the class in which device memory is full if it is filled with the hottest first.
 * From there on up blocks are promoted, as a whole; but only what is two classes
 * above it displaces others, as samples are noisy. Less than `reserve` percent free,
 * and what is two classes below it, or shows no accesses at all, is demoted.
 *
 * Never copies data that is used once and finds the hot set of any pattern, but
 * takes some ticks for it, pays for samples for ever, and knows no ping-pong beyond
 * this: a CPU fault halves the heat.
 *
 * Tunables: those above; `tick`.
 */
#include "policy-lib.h"

enum { HOT_SAMPLE, HOT_RESERVE, HOT_TICK };

static const struct hmmsvm_tunable hot_tunables[] = {
	[HOT_SAMPLE] = {
		.name = "sample",
		.help = "percent of the blocks whose accesses are watched in each tick",
		.value = 20, .min = 1, .max = 100,
	},
	[HOT_RESERVE] = {
		.name = "reserve",
		.help = "percent of device memory below which free memory is short",
		.value = 2, .min = 0, .max = 50,
	},
	[HOT_TICK] = {
		.name = "tick",
		.help = "milliseconds between ticks",
		.value = 10, .min = 1, .max = 10000,
	},
};

#define HOT_ONE		256u	/* fixed point: a score of 1 */
#define HOT_CLASSES	14u
#define HOT_SCORE_MAX	65536u

/* A block's priv. */
enum {
	HOT_HEAT,	/* average score of a sample, in HOT_ONE */
	HOT_SAMPLING,	/* 1 while the block is watched */
	HOT_FAULTS,	/* in the sample under way */
	HOT_RATE,	/* accesses a tick, as its first fault has it */
	HOT_SAMPLES,	/* taken so far */
	HOT_SEEN,	/* the round of ticks it was last in */
};

/* The context's priv. */
enum {
	HOT_ROUND = 0,				/* the round of ticks under way */
	HOT_NOW = 1,				/* histogram of the last full round */
	HOT_NEXT = HOT_NOW + HOT_CLASSES,	/* that of the round under way */
};

static __u32 hot_class(__u64 heat)
{
	__u32 class = 0;

	/* Class 0: less than one fault in four samples. */
	for (heat /= HOT_ONE / 4; heat && class < HOT_CLASSES - 1; heat /= 2)
		class++;
	return class;
}

/* The class in which device memory is full if the hottest are filled in first; not 0. */
static __u32 hot_cut(const struct hmmsvm_policy_env *env)
{
	__u64 room = env->total_pages / HMMSVM_POLICY_BLOCK_PAGES;
	__u32 class;

	for (class = HOT_CLASSES - 1; class > 1; class--) {
		if (env->priv[HOT_NOW + class] > room)
			break;
		room -= env->priv[HOT_NOW + class];
	}
	return class;
}

static void hot_count(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
		      __u32 class)
{
	__u32 i;

	if (policy_round(&env->priv[HOT_ROUND], block->priv[HOT_SEEN])) {
		for (i = 0; i < HOT_CLASSES; i++) {
			env->priv[HOT_NOW + i] = env->priv[HOT_NEXT + i];
			env->priv[HOT_NEXT + i] = 0;
		}
	}
	block->priv[HOT_SEEN] = env->priv[HOT_ROUND];
	env->priv[HOT_NEXT + class]++;
}

static void hot_device_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			     const struct hmmsvm_policy_fault *fault,
			     struct hmmsvm_policy_decision *decision)
{
	__u64 tick = policy_tunable(env, HOT_TICK) * POLICY_NS_PER_MS;

	if (!block->priv[HOT_SAMPLING])
		return;
	if (!block->priv[HOT_FAULTS])
		block->priv[HOT_RATE] =
			tick / policy_max(policy_since(env, block->withdrawn_ns), 1);
	block->priv[HOT_FAULTS]++;
}

static void hot_cpu_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			  const struct hmmsvm_policy_fault *fault,
			  struct hmmsvm_policy_decision *decision)
{
	block->priv[HOT_HEAT] /= 2;
	policy_decide_piece(decision, HMMSVM_ACTION_TO_SYSTEM, fault->page,
			    HMMSVM_POLICY_REGION_PAGES);
}

static void hot_tick(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
		     struct hmmsvm_policy_decision *decision)
{
	__u32 resident = policy_resident(block);
	__u32 class, cut;
	__u64 score;

	if (block->priv[HOT_SAMPLING]) {
		score = policy_min(policy_max(block->priv[HOT_FAULTS], block->priv[HOT_RATE]),
				   HOT_SCORE_MAX);
		block->priv[HOT_HEAT] = policy_average(block->priv[HOT_HEAT], score * HOT_ONE, 1);
		block->priv[HOT_SAMPLING] = 0;
		block->priv[HOT_FAULTS] = 0;
		block->priv[HOT_RATE] = 0;
		block->priv[HOT_SAMPLES]++;
	}
	class = hot_class(block->priv[HOT_HEAT]);
	hot_count(env, block, class);
	cut = hot_cut(env);

	if (class >= cut && resident < HMMSVM_POLICY_BLOCK_PAGES &&
	    (class > cut + 1 || HMMSVM_POLICY_BLOCK_PAGES - resident <= env->free_pages)) {
		policy_decide_block(decision, HMMSVM_ACTION_TO_DEVICE);
	} else if ((class + 1 < cut || !class) && resident && block->priv[HOT_SAMPLES] &&
		   env->free_pages * 100 < env->total_pages * policy_tunable(env, HOT_RESERVE)) {
		policy_decide_block(decision, HMMSVM_ACTION_TO_SYSTEM);
	} else if (env->random % 100 < policy_tunable(env, HOT_SAMPLE)) {
		block->priv[HOT_SAMPLING] = 1;
		policy_decide_block(decision, HMMSVM_ACTION_WITHDRAW);
	}
}

const struct hmmsvm_placement hmmsvm_placement_hot = {
	.name = "hot",
	.help = "sample accesses; promote the hottest blocks that fit",
	.tunables = hot_tunables,
	.nr_tunables = POLICY_ARRAY_SIZE(hot_tunables),
	.tick_tunable = HOT_TICK,
	.device_fault = hot_device_fault,
	.cpu_fault = hot_cpu_fault,
	.tick = hot_tick,
};
