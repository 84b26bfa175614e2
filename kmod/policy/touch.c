// SPDX-License-Identifier: GPL-2.0
/*
 * touch - what the device touches comes over, in aligned pieces of one size
 *
 * Models on-demand migration in chunks: Linux drm_gpusvm and xe (2 MiB, 64 KiB or
 * 4 KiB, drivers/gpu/drm/drm_gpusvm.c) and amdkfd (2 MiB,
 * drivers/gpu/drm/amd/amdkfd/kfd_svm.c). The piece goes back as a whole when the
 * CPU touches it, as it does there.
 *
 * Large pieces save faults on dense access and copy in vain on sparse access;
 * small ones the other way round. There is no protection against ping-pong or
 * against more data than device memory.
 *
 * Tunables: granularity, pages of a piece: 1, 16 (a region) and 512 (a block) are
 * the sizes that the field uses; others are rounded down to a power of two.
 */
#include "policy-lib.h"

enum { TOUCH_GRANULARITY };

static const struct hmmsvm_tunable touch_tunables[] = {
	[TOUCH_GRANULARITY] = {
		.name = "granularity",
		.help = "pages that migrate together, a power of two",
		.value = HMMSVM_POLICY_REGION_PAGES, .min = 1, .max = HMMSVM_POLICY_BLOCK_PAGES,
	},
};

static void touch_device_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			       const struct hmmsvm_policy_fault *fault,
			       struct hmmsvm_policy_decision *decision)
{
	policy_decide_piece(decision, HMMSVM_ACTION_TO_DEVICE, fault->page,
			    policy_power_below((__u32)policy_tunable(env, TOUCH_GRANULARITY)));
}

static void touch_cpu_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			    const struct hmmsvm_policy_fault *fault,
			    struct hmmsvm_policy_decision *decision)
{
	policy_decide_piece(decision, HMMSVM_ACTION_TO_SYSTEM, fault->page,
			    policy_power_below((__u32)policy_tunable(env, TOUCH_GRANULARITY)));
}

const struct hmmsvm_placement hmmsvm_placement_touch = {
	.name = "touch",
	.help = "migrate the aligned piece around the page that the device touched",
	.tunables = touch_tunables,
	.nr_tunables = POLICY_ARRAY_SIZE(touch_tunables),
	.tick_tunable = -1,
	.device_fault = touch_device_fault,
	.cpu_fault = touch_cpu_fault,
};
