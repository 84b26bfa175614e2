// SPDX-License-Identifier: GPL-2.0
/*
 * twice - regions come over, until the CPU has taken memory of the block back too often
 *
 * An example. Tunables: limit.
 */
#include "policy-lib.h"

enum { TWICE_LIMIT };

static const struct hmmsvm_tunable twice_tunables[] = {
	[TWICE_LIMIT] = {
		.name = "limit",
		.help = "CPU faults in a block before it stays in system memory",
		.value = 2, .min = 1, .max = 1000,
	},
};

static void twice_device_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			       const struct hmmsvm_policy_fault *fault,
			       struct hmmsvm_policy_decision *decision)
{
	if (block->cpu_faults >= policy_tunable(env, TWICE_LIMIT))
		return;
	policy_decide_piece(decision, HMMSVM_ACTION_TO_DEVICE, fault->page,
			    HMMSVM_POLICY_REGION_PAGES);
}

const struct hmmsvm_placement hmmsvm_placement_twice = {
	.name = "twice",
	.help = "regions come over, until the CPU has taken some back too often",
	.tunables = twice_tunables,
	.nr_tunables = POLICY_ARRAY_SIZE(twice_tunables),
	.tick_tunable = -1,
	.device_fault = twice_device_fault,
};
