// SPDX-License-Identifier: GPL-2.0
/*
 * The list of all policies: one line each, in the order they are shown in.
 */
#include "policy-lib.h"

static const struct hmmsvm_placement *const placements[] = {
	&hmmsvm_placement_adaptive,
	&hmmsvm_placement_remote,
	&hmmsvm_placement_touch,
	&hmmsvm_placement_tree,
	&hmmsvm_placement_thrash,
	&hmmsvm_placement_hot,
	&hmmsvm_placement_counter,
	&hmmsvm_placement_xe,
	&hmmsvm_placement_tpp,
	&hmmsvm_placement_arms,
	&hmmsvm_placement_random,
};

static const struct hmmsvm_eviction *const evictions[] = {
	&hmmsvm_eviction_lru,
	&hmmsvm_eviction_fifo,
	&hmmsvm_eviction_clock,
	&hmmsvm_eviction_lfu,
	&hmmsvm_eviction_random,
};

static bool registry_equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

const struct hmmsvm_placement *hmmsvm_placement_at(__u32 number)
{
	return number < POLICY_ARRAY_SIZE(placements) ? placements[number] : NULL;
}

const struct hmmsvm_placement *hmmsvm_placement_find(const char *name)
{
	__u32 i;

	for (i = 0; i < POLICY_ARRAY_SIZE(placements); i++) {
		if (registry_equal(placements[i]->name, name))
			return placements[i];
	}
	return NULL;
}

const struct hmmsvm_eviction *hmmsvm_eviction_at(__u32 number)
{
	return number < POLICY_ARRAY_SIZE(evictions) ? evictions[number] : NULL;
}

const struct hmmsvm_eviction *hmmsvm_eviction_find(const char *name)
{
	__u32 i;

	for (i = 0; i < POLICY_ARRAY_SIZE(evictions); i++) {
		if (registry_equal(evictions[i]->name, name))
			return evictions[i];
	}
	return NULL;
}
