// SPDX-License-Identifier: GPL-2.0
/*
 * tpp - new memory is local, cold memory is demoted ahead of need, promotion asks twice
 *
 * Models TPP: Maruf et al., Transparent Page Placement for CXL-Enabled Tiered-Memory,
 * ASPLOS 2023, with device memory as the local tier. New memory (the first use of a
 * region) comes to device memory while more than the reserve is free. When less is free,
 * blocks that showed no access in two samples are demoted, so that there is headroom for
 * what is new and what is promoted. What is in system memory is promoted when an access to
 * it is seen (there, a NUMA hint fault) that was not the first one lately: a page on the
 * inactive list is only moved to the active one, and promoted the next time.
 *
 * What differs: samples are the withdrawal of a block's entries on a tick, and activity is
 * known of blocks and not of pages. The CPU gets its region back, which in TPP it uses
 * where it is.
 *
 * Keeps scans of cold data out, at the price of two samples for what is hot; demotion
 * copies ahead of need. Has nothing against ping-pong with the CPU.
 *
 * Tunables: sample, reserve, tick.
 */
#include "policy-lib.h"

enum { TPP_SAMPLE, TPP_RESERVE, TPP_TICK };

static const struct hmmsvm_tunable tpp_tunables[] = {
	[TPP_SAMPLE] = {
		.name = "sample",
		.help = "percent of the blocks whose accesses are watched in each tick",
		.value = 20, .min = 1, .max = 100,
	},
	[TPP_RESERVE] = {
		.name = "reserve",
		.help = "percent of device memory that is kept free for what is new",
		.value = 4, .min = 0, .max = 50,
	},
	[TPP_TICK] = {
		.name = "tick",
		.help = "milliseconds between ticks",
		.value = 5, .min = 1, .max = 10000,
	},
};

/* A block's priv. */
enum {
	TPP_WATCHED,	/* 1: entries were withdrawn on the last tick */
	TPP_SEEN,	/* 1: an access was seen since */
	TPP_IDLE,	/* samples in a row without an access, 2 at the most */
	TPP_ACTIVE,	/* 1: the sample before saw an access, too */
	TPP_KNOWN,	/* 32 bits: regions that have been used before */
};

static bool tpp_short(const struct hmmsvm_policy_env *env)
{
	return env->free_pages * 100 < env->total_pages * policy_tunable(env, TPP_RESERVE);
}

static void tpp_device_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			     const struct hmmsvm_policy_fault *fault,
			     struct hmmsvm_policy_decision *decision)
{
	__u64 region = 1ull << fault->page / HMMSVM_POLICY_REGION_PAGES;
	bool known = block->priv[TPP_KNOWN] & region;

	block->priv[TPP_SEEN] = 1;
	block->priv[TPP_KNOWN] |= region;
	if (hmmsvm_pages_test(&block->resident, fault->page))
		return;
	if (known ? block->priv[TPP_ACTIVE] != 0 : !tpp_short(env))
		policy_decide_piece(decision, HMMSVM_ACTION_TO_DEVICE, fault->page,
				    HMMSVM_POLICY_REGION_PAGES);
}

static void tpp_tick(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
		     struct hmmsvm_policy_decision *decision)
{
	if (block->priv[TPP_WATCHED]) {
		block->priv[TPP_WATCHED] = 0;
		block->priv[TPP_ACTIVE] = block->priv[TPP_SEEN];
		block->priv[TPP_IDLE] = block->priv[TPP_SEEN] ? 0 :
					policy_min(block->priv[TPP_IDLE] + 1, 2);
	}
	if (block->priv[TPP_IDLE] == 2 && policy_resident(block) && tpp_short(env)) {
		policy_decide_block(decision, HMMSVM_ACTION_TO_SYSTEM);
		return;
	}
	if (env->random % 100 < policy_tunable(env, TPP_SAMPLE)) {
		block->priv[TPP_WATCHED] = 1;
		block->priv[TPP_SEEN] = 0;
		policy_decide_block(decision, HMMSVM_ACTION_WITHDRAW);
	}
}

const struct hmmsvm_placement hmmsvm_placement_tpp = {
	.name = "tpp",
	.help = "new memory to the device; demote the cold early, promote what is seen twice",
	.tunables = tpp_tunables,
	.nr_tunables = POLICY_ARRAY_SIZE(tpp_tunables),
	.tick_tunable = TPP_TICK,
	.device_fault = tpp_device_fault,
	.tick = tpp_tick,
};
