// SPDX-License-Identifier: GPL-2.0
/*
 * tree - density prefetch: the denser a block's use, the more comes over at once
 *
 * Models NVIDIA UVM's prefetcher (open-gpu-kernel-modules,
 * kernel-open/nvidia-uvm/uvm_perf_prefetch.c): a binary tree over the block with
 * 64 KiB leaves; the largest subtree around the fault that would be more than
 * `density` percent populated, the faulting region included, comes over. On
 * sequential access that takes 6 faults a block: 16, 16, 32, 64, 128 and 256 pages.
 *
 * Good for dense access of any order; copies up to half a block in vain where a
 * block is used in part, and knows neither ping-pong nor a full memory (thrash.c
 * and adaptive.c do). UVM handles faults in batches and fills the tree with all of
 * a batch first; here it is one fault at a time, which needs a few faults more.
 * The CPU gets its region back.
 *
 * Tunables: density in percent, 51 as there; 100 never prefetches.
 */
#include "policy-lib.h"

enum { TREE_DENSITY };

static const struct hmmsvm_tunable tree_tunables[] = {
	[TREE_DENSITY] = {
		.name = "density",
		.help = "percent of a subtree that must be populated before all of it comes over",
		.value = 51, .min = 1, .max = 100,
	},
};

static void tree_device_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			      const struct hmmsvm_policy_fault *fault,
			      struct hmmsvm_policy_decision *decision)
{
	policy_decide_piece(decision, HMMSVM_ACTION_TO_DEVICE, fault->page,
			    policy_tree_pages(&block->resident, fault->page,
					      policy_tunable(env, TREE_DENSITY), 0));
}

const struct hmmsvm_placement hmmsvm_placement_tree = {
	.name = "tree",
	.help = "density prefetch over a binary tree per block, as NVIDIA UVM does",
	.tunables = tree_tunables,
	.nr_tunables = POLICY_ARRAY_SIZE(tree_tunables),
	.tick_tunable = -1,
	.device_fault = tree_device_fault,
};
