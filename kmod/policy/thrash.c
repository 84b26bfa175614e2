// SPDX-License-Identifier: GPL-2.0
/*
 * thrash - density prefetch, and what both sides fight for stays in system memory
 *
 * Models NVIDIA UVM's thrashing control on top of its prefetcher (tree.c):
 * open-gpu-kernel-modules, kernel-open/nvidia-uvm/uvm_perf_thrashing.c. A page that
 * migrates again within `lapse` microseconds of its last migration, in whichever
 * direction, has a thrashing event; `threshold` of them in a row and it is pinned:
 * there the device uses it remotely for `pin` milliseconds. Then its entries are
 * withdrawn, so that the next access is seen and may migrate it again. Prefetch does
 * not grow into what is pinned. Migrations by eviction are no events.
 *
 * What differs: events are counted per region (64 KiB) and not per page, with
 * times kept to a quarter of a lapse and modulo 64 lapses (an older migration is
 * taken for a recent one in about 2 % of cases); the pin is always to system
 * memory; and there is no throttling stage before the pin, as a faulting device
 * thread cannot be made to wait by a policy. All pins of a block end together.
 *
 * Stops ping-pong that is faster than the lapse, and sees none that is slower. Each
 * end of a pin costs `threshold` more migrations if nothing has changed.
 *
 * Tunables: those above and density, see tree.c; `tick` says how often pins are
 * looked at.
 */
#include "policy-lib.h"

enum { THRASH_DENSITY, THRASH_LAPSE, THRASH_THRESHOLD, THRASH_PIN, THRASH_TICK };

static const struct hmmsvm_tunable thrash_tunables[] = {
	[THRASH_DENSITY] = {
		.name = "density",
		.help = "percent of a subtree that must be populated before all of it comes over",
		.value = 51, .min = 1, .max = 100,
	},
	[THRASH_LAPSE] = {
		.name = "lapse",
		.help = "microseconds within which a second migration is a thrashing event",
		.value = 500, .min = 1, .max = 1000000,
	},
	[THRASH_THRESHOLD] = {
		.name = "threshold",
		.help = "thrashing events in a row before a region is pinned",
		.value = 3, .min = 1, .max = 15,
	},
	[THRASH_PIN] = {
		.name = "pin",
		.help = "milliseconds that a region stays pinned to system memory",
		.value = 150, .min = 1, .max = 100000,
	},
	[THRASH_TICK] = {
		.name = "tick",
		.help = "milliseconds between looks at what is pinned",
		.value = 25, .min = 1, .max = 10000,
	},
};

/* A block's priv. */
enum {
	THRASH_EVENTS = 0,	/* 2 words: 4 bits a region, events in a row */
	THRASH_MASKS = 2,	/* 32 bits: regions that have migrated; 32 bits: pinned ones */
	THRASH_UNTIL = 3,	/* when the pins end */
	THRASH_STAMPS = 4,	/* 4 words: 8 bits a region, when it migrated last */
};

enum { THRASH_MOVED, THRASH_PINNED };

static __u32 thrash_mask(const struct hmmsvm_policy_block *block, __u32 which)
{
	return (__u32)policy_field(&block->priv[THRASH_MASKS], 32, which);
}

static void thrash_mask_add(struct hmmsvm_policy_block *block, __u32 which, __u32 regions)
{
	policy_field_set(&block->priv[THRASH_MASKS], 32, which,
			 thrash_mask(block, which) | regions);
}

/* Ends all pins of the block. Whether there were any. */
static bool thrash_unpin(const struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block)
{
	if (!thrash_mask(block, THRASH_PINNED) || env->now_ns < block->priv[THRASH_UNTIL])
		return false;
	policy_field_set(&block->priv[THRASH_MASKS], 32, THRASH_PINNED, 0);
	block->priv[THRASH_EVENTS] = 0;
	block->priv[THRASH_EVENTS + 1] = 0;
	return true;
}

static __u64 thrash_stamp(const struct hmmsvm_policy_env *env)
{
	return env->now_ns * 4 / (policy_tunable(env, THRASH_LAPSE) * POLICY_NS_PER_US);
}

/* @region is about to migrate, in either direction. Whether it is pinned by that. */
static bool thrash_event(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			 __u32 region)
{
	__u64 age = thrash_stamp(env) - policy_field(&block->priv[THRASH_STAMPS], 8, region);
	__u64 events = 0;

	/* The stamp rounds down: an age of 4 quarters is 3.01 to 4.99 of them. */
	if (thrash_mask(block, THRASH_MOVED) >> region & 1 && (age & 0xff) <= 4)
		events = policy_field(&block->priv[THRASH_EVENTS], 4, region) + 1;
	policy_field_set(&block->priv[THRASH_EVENTS], 4, region, policy_min(events, 15));
	if (events < policy_tunable(env, THRASH_THRESHOLD))
		return false;
	thrash_mask_add(block, THRASH_PINNED, 1u << region);
	block->priv[THRASH_UNTIL] = env->now_ns +
				    policy_tunable(env, THRASH_PIN) * POLICY_NS_PER_MS;
	return true;
}

/* The regions of @mask migrate now. */
static void thrash_moved(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			 __u32 mask)
{
	__u32 region;

	thrash_mask_add(block, THRASH_MOVED, mask);
	for (region = 0; region < POLICY_REGIONS; region++) {
		if (mask >> region & 1)
			policy_field_set(&block->priv[THRASH_STAMPS], 8, region,
					 thrash_stamp(env));
	}
}

static void thrash_device_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
				const struct hmmsvm_policy_fault *fault,
				struct hmmsvm_policy_decision *decision)
{
	__u32 region = fault->page / HMMSVM_POLICY_REGION_PAGES;
	__u32 pages;

	if (hmmsvm_pages_test(&block->resident, fault->page))
		return;
	thrash_unpin(env, block);
	if (thrash_mask(block, THRASH_PINNED) >> region & 1)
		return;
	if (thrash_event(env, block, region))
		return;
	pages = policy_tree_pages(&block->resident, fault->page,
				  policy_tunable(env, THRASH_DENSITY),
				  thrash_mask(block, THRASH_PINNED));
	thrash_moved(env, block, policy_region_mask(fault->page, pages));
	policy_decide_piece(decision, HMMSVM_ACTION_TO_DEVICE, fault->page, pages);
}

static void thrash_cpu_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			     const struct hmmsvm_policy_fault *fault,
			     struct hmmsvm_policy_decision *decision)
{
	__u32 region = fault->page / HMMSVM_POLICY_REGION_PAGES;

	thrash_unpin(env, block);
	thrash_event(env, block, region);
	thrash_moved(env, block, 1u << region);
	policy_decide_piece(decision, HMMSVM_ACTION_TO_SYSTEM, fault->page,
			    HMMSVM_POLICY_REGION_PAGES);
}

static void thrash_tick(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			struct hmmsvm_policy_decision *decision)
{
	if (thrash_unpin(env, block))
		policy_decide_block(decision, HMMSVM_ACTION_WITHDRAW);
}

const struct hmmsvm_placement hmmsvm_placement_thrash = {
	.name = "thrash",
	.help = "tree, and what CPU and device fight for is pinned to system memory",
	.tunables = thrash_tunables,
	.nr_tunables = POLICY_ARRAY_SIZE(thrash_tunables),
	.tick_tunable = THRASH_TICK,
	.device_fault = thrash_device_fault,
	.cpu_fault = thrash_cpu_fault,
	.tick = thrash_tick,
};
