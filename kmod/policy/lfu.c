// SPDX-License-Identifier: GPL-2.0
/*
 * lfu - the chunk with the fewest touches goes first; touches age
 *
 * Robinson and Devarakonda's frequency-based replacement (Data Cache Management
 * Using Frequency-Based Replacement, SIGMETRICS 1990) in its simplest form: every
 * count is halved after as many evictions as there are chunks, so that what was
 * hot once does not stay forever. Keeps a hot set through scans that would flush
 * lru, and is slow to believe that the hot set has changed. Of equals the one
 * touched longest ago.
 *
 * priv[0] counts evictions since the counts were last halved.
 */
#include "policy-lib.h"

static __u64 lfu_rank(const struct hmmsvm_policy_chunk *chunk)
{
	return chunk->touches;
}

static __u64 lfu_tie(const struct hmmsvm_policy_chunk *chunk)
{
	return chunk->touched;
}

static int lfu_victim(struct hmmsvm_policy_chunk *chunks, __u32 count, __u64 *priv)
{
	__u32 i;

	if (++priv[0] > count) {
		priv[0] = 1;
		for (i = 0; i < count; i++)
			chunks[i].touches /= 2;
	}
	return policy_victim(chunks, count, lfu_rank, lfu_tie);
}

const struct hmmsvm_eviction hmmsvm_eviction_lfu = {
	.name = "lfu",
	.help = "the chunk with the fewest touches, which age",
	.victim = lfu_victim,
};
