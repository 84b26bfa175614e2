// SPDX-License-Identifier: GPL-2.0
/*
 * xe - the largest chunk that fits comes over, and ping-pong is slowed down by time slices
 *
 * Models Linux xe on drm_gpusvm (drivers/gpu/drm/xe/xe_svm.c, drm_gpusvm.c,
 * drm_pagemap.c): chunks of 2 MiB, 64 KiB or 4 KiB, the largest that the mapping has room
 * for, go to device memory as a whole and come back as a whole; memory that must be there
 * stays for a time slice (timeslice_ms), 5 ms at first, twice as long with each retry and
 * three attempts.
 *
 * What differs: there the CPU waits until the slice is over, and then takes the chunk back.
 * A policy cannot make it wait. So it is the device that does without: a chunk that the CPU
 * has taken back before its slice was over is used where it is until that slice would
 * have ended, and its next slice is twice as long, 8 times at the most. The chunk is the
 * block: the mechanism cuts it to the mapping.
 *
 * Good for dense access by one side at a time. Copies 2 MiB for one page, either way, and
 * has nothing against more data than device memory.
 *
 * Tunables: slice in milliseconds, chunk in pages; tick.
 */
#include "policy-lib.h"

enum { XE_SLICE, XE_CHUNK, XE_TICK };

static const struct hmmsvm_tunable xe_tunables[] = {
	[XE_SLICE] = {
		.name = "slice",
		.help = "milliseconds that a chunk is meant to stay at the least",
		.value = 5, .min = 0, .max = 10000,
	},
	[XE_CHUNK] = {
		.name = "chunk",
		.help = "pages that migrate together, a power of two",
		.value = HMMSVM_POLICY_BLOCK_PAGES, .min = 1, .max = HMMSVM_POLICY_BLOCK_PAGES,
	},
	[XE_TICK] = {
		.name = "tick",
		.help = "milliseconds between looks at whose slice is over",
		.value = 5, .min = 1, .max = 10000,
	},
};

#define XE_DOUBLINGS	3u

/* A block's priv. */
enum {
	XE_END,		/* when the slice that the CPU cut short would have ended */
	XE_LEVEL,	/* how often slices were doubled */
};

static __u32 xe_chunk(const struct hmmsvm_policy_env *env)
{
	return policy_power_below((__u32)policy_tunable(env, XE_CHUNK));
}

static void xe_device_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			    const struct hmmsvm_policy_fault *fault,
			    struct hmmsvm_policy_decision *decision)
{
	if (env->now_ns < block->priv[XE_END])
		return;
	policy_decide_piece(decision, HMMSVM_ACTION_TO_DEVICE, fault->page, xe_chunk(env));
}

static void xe_cpu_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			 const struct hmmsvm_policy_fault *fault,
			 struct hmmsvm_policy_decision *decision)
{
	__u64 slice = (policy_tunable(env, XE_SLICE) * POLICY_NS_PER_MS) << block->priv[XE_LEVEL];

	if (policy_since(env, block->migrated_ns) < slice) {
		block->priv[XE_END] = block->migrated_ns + slice;
		block->priv[XE_LEVEL] = policy_min(block->priv[XE_LEVEL] + 1, XE_DOUBLINGS);
	} else {
		block->priv[XE_LEVEL] = 0;
	}
	policy_decide_piece(decision, HMMSVM_ACTION_TO_SYSTEM, fault->page, xe_chunk(env));
}

/* Withdraws what was used where it is once the slice is over, so that it is seen again. */
static void xe_tick(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
		    struct hmmsvm_policy_decision *decision)
{
	if (!block->priv[XE_END] || env->now_ns < block->priv[XE_END])
		return;
	block->priv[XE_END] = 0;
	policy_decide_block(decision, HMMSVM_ACTION_WITHDRAW);
}

const struct hmmsvm_placement hmmsvm_placement_xe = {
	.name = "xe",
	.help = "migrate the whole chunk, as Linux xe does; time slices against ping-pong",
	.tunables = xe_tunables,
	.nr_tunables = POLICY_ARRAY_SIZE(xe_tunables),
	.tick_tunable = XE_TICK,
	.device_fault = xe_device_fault,
	.cpu_fault = xe_cpu_fault,
	.tick = xe_tick,
};
