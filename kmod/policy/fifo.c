// SPDX-License-Identifier: GPL-2.0
/*
 * fifo - the chunk that has been in use longest goes first
 *
 * Allocation order, what NVIDIA UVM's "LRU" comes to in practice: its list moves on
 * allocation and migration only, as accesses to resident memory are not seen
 * (uvm_pmm_gpu.c, root_chunk lists). Costs nothing to keep and throws out hot
 * data as readily as cold.
 *
 * No tunables: eviction policies have none.
 */
#include "policy-lib.h"

static __u64 fifo_rank(const struct hmmsvm_policy_chunk *chunk)
{
	return chunk->allocated;
}

static int fifo_victim(struct hmmsvm_policy_chunk *chunks, __u32 count, __u64 *priv)
{
	return policy_victim(chunks, count, fifo_rank, fifo_rank);
}

const struct hmmsvm_eviction hmmsvm_eviction_fifo = {
	.name = "fifo",
	.help = "the chunk that has been in use longest",
	.victim = fifo_victim,
};
