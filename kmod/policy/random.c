// SPDX-License-Identifier: GPL-2.0
/*
 * random - chance decides: whether a region comes over, and which chunk goes
 *
 * The base line that a policy which looks has to beat. For eviction it is also a known
 * good one where everything that looks at recency fails: a cyclic scan over more than
 * device memory keeps a part of it (Belady, A Study of Replacement Algorithms for a
 * Virtual-Storage Computer, 1966, has RAND as one of the simplest class).
 *
 * Placement: each device fault brings its region over with a chance of `chance` percent.
 * What was not lucky is mapped where it is and not asked about again before its entries
 * go. Eviction: any chunk in use; a preferred one only if there is no other. priv[0] is
 * the state of the generator, the same sequence each time.
 *
 * Tunables: chance.
 */
#include "policy-lib.h"

enum { RANDOM_CHANCE };

static const struct hmmsvm_tunable random_tunables[] = {
	[RANDOM_CHANCE] = {
		.name = "chance",
		.help = "percent of the device faults that bring their region over",
		.value = 50, .min = 0, .max = 100,
	},
};

static void random_device_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
				const struct hmmsvm_policy_fault *fault,
				struct hmmsvm_policy_decision *decision)
{
	if (env->random % 100 < policy_tunable(env, RANDOM_CHANCE))
		policy_decide_piece(decision, HMMSVM_ACTION_TO_DEVICE, fault->page,
				    HMMSVM_POLICY_REGION_PAGES);
}

static int random_victim(struct hmmsvm_policy_chunk *chunks, __u32 count, __u64 *priv)
{
	__u32 used = 0, others = 0, left, i;
	bool preferred;

	for (i = 0; i < count; i++) {
		used += chunks[i].used != 0;
		others += chunks[i].used && !chunks[i].preferred;
	}
	if (!used)
		return -1;
	preferred = !others;
	/* The high bits of Knuth's linear congruential generator (MMIX). */
	priv[0] = priv[0] * 6364136223846793005ull + 1442695040888963407ull;
	left = (__u32)((priv[0] >> 33) % (preferred ? used : others));
	for (i = 0; i < count; i++) {
		if (!chunks[i].used || chunks[i].preferred != preferred)
			continue;
		if (!left--)
			return (int)i;
	}
	return -1;
}

const struct hmmsvm_placement hmmsvm_placement_random = {
	.name = "random",
	.help = "chance decides whether a region comes over",
	.tunables = random_tunables,
	.nr_tunables = POLICY_ARRAY_SIZE(random_tunables),
	.tick_tunable = -1,
	.device_fault = random_device_fault,
};

const struct hmmsvm_eviction hmmsvm_eviction_random = {
	.name = "random",
	.help = "any chunk",
	.victim = random_victim,
};
