// SPDX-License-Identifier: GPL-2.0
/*
 * counter - memory is used where it is until its region has been used often enough
 *
 * Models migration by access counters alone: NVIDIA UVM's (open-gpu-kernel-modules,
 * kernel-open/nvidia-uvm/uvm_gpu_access_counters.c), where the device counts remote
 * accesses in pieces of some 64 KiB and interrupts when a counter gets to a threshold
 * (256 by default); and delayed migration by threshold of Ganguly et al., Adaptive Page
 * Migration for Irregular Data-intensive Applications under GPU Memory Oversubscription,
 * IPDPS 2020.
 *
 * What differs: there are no counters in hardware. On each tick the device's entries of
 * the blocks it has faulted in since are withdrawn, and a fault counts for one access: a
 * region is counted at most once a tick, so the threshold is one of ticks in which the
 * region was in use. The CPU takes its region back, and the count starts anew.
 *
 * Never copies data used once; slow to bring over what is hot (threshold ticks), and
 * pays faults for what stays remote for ever. Knows neither full memory nor ping-pong.
 *
 * Tunables: threshold, tick, shown (more than a region: fewer faults, and fewer uses that are
 * seen).
 */
#include "policy-lib.h"

enum { COUNTER_THRESHOLD, COUNTER_TICK, COUNTER_SHOWN };

static const struct hmmsvm_tunable counter_tunables[] = {
	[COUNTER_THRESHOLD] = {
		.name = "threshold",
		.help = "uses of a region, one a tick at most, before it comes over",
		.value = 3, .min = 1, .max = 15,
	},
	[COUNTER_TICK] = {
		.name = "tick",
		.help = "milliseconds between ticks",
		.value = 2, .min = 1, .max = 3600000,
	},
	[COUNTER_SHOWN] = {
		.name = "shown",
		.help = "pages that the device sees at once where they are, a power of two",
		.value = HMMSVM_POLICY_REGION_PAGES, .min = HMMSVM_POLICY_REGION_PAGES,
		.max = HMMSVM_POLICY_BLOCK_PAGES,
	},
};

/* A block's priv. */
enum {
	COUNTER_USES = 0,	/* 2 words: 4 bits a region */
	COUNTER_SEEN = 2,	/* 1: a region has been used where it is since the last tick */
};

static void counter_device_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
				 const struct hmmsvm_policy_fault *fault,
				 struct hmmsvm_policy_decision *decision)
{
	__u32 region = fault->page / HMMSVM_POLICY_REGION_PAGES;
	__u64 uses;

	if (hmmsvm_pages_test(&block->resident, fault->page))
		return;
	uses = policy_field(&block->priv[COUNTER_USES], 4, region) + 1;
	if (uses >= policy_tunable(env, COUNTER_THRESHOLD)) {
		policy_field_set(&block->priv[COUNTER_USES], 4, region, 0);
		policy_decide_piece(decision, HMMSVM_ACTION_TO_DEVICE, fault->page,
				    HMMSVM_POLICY_REGION_PAGES);
		return;
	}
	policy_field_set(&block->priv[COUNTER_USES], 4, region, uses);
	block->priv[COUNTER_SEEN] = 1;
	if (policy_tunable(env, COUNTER_SHOWN) > HMMSVM_POLICY_REGION_PAGES)
		policy_decide_piece(decision, HMMSVM_ACTION_NONE, fault->page,
				    policy_power_below((__u32)policy_tunable(env, COUNTER_SHOWN)));
}

static void counter_cpu_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			      const struct hmmsvm_policy_fault *fault,
			      struct hmmsvm_policy_decision *decision)
{
	policy_field_set(&block->priv[COUNTER_USES], 4, fault->page / HMMSVM_POLICY_REGION_PAGES,
			 0);
	policy_decide_piece(decision, HMMSVM_ACTION_TO_SYSTEM, fault->page,
			    HMMSVM_POLICY_REGION_PAGES);
}

static void counter_tick(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			 struct hmmsvm_policy_decision *decision)
{
	if (!block->priv[COUNTER_SEEN])
		return;
	block->priv[COUNTER_SEEN] = 0;
	policy_decide_block(decision, HMMSVM_ACTION_WITHDRAW);
}

const struct hmmsvm_placement hmmsvm_placement_counter = {
	.name = "counter",
	.help = "use memory where it is until its region was used often enough",
	.tunables = counter_tunables,
	.nr_tunables = POLICY_ARRAY_SIZE(counter_tunables),
	.tick_tunable = COUNTER_TICK,
	.device_fault = counter_device_fault,
	.cpu_fault = counter_cpu_fault,
	.tick = counter_tick,
};
