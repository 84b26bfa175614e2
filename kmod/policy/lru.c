// SPDX-License-Identifier: GPL-2.0
/*
 * lru - the chunk whose last touch is longest ago goes first
 *
 * The textbook rule over what the module sees: faults, sampled accesses and
 * migrations. Without a placement policy that samples (hot, adaptive) a resident
 * chunk shows no accesses, and this becomes the order of the last migration. Worst
 * case: a cyclic scan over a little more than device memory evicts each chunk just
 * before its next use.
 */
#include "policy-lib.h"

static __u64 lru_rank(const struct hmmsvm_policy_chunk *chunk)
{
	return chunk->touched;
}

static int lru_victim(struct hmmsvm_policy_chunk *chunks, __u32 count, __u64 *priv)
{
	return policy_victim(chunks, count, lru_rank, lru_rank);
}

const struct hmmsvm_eviction hmmsvm_eviction_lru = {
	.name = "lru",
	.help = "the chunk whose last touch is longest ago",
	.victim = lru_victim,
};
