// SPDX-License-Identifier: GPL-2.0
/*
 * clock - round and round; a chunk touched since the hand last came by stays
 *
 * Corbato's second chance (A Paging Experiment with the Multics System, 1968):
 * the hand clears the mark of touched chunks as it passes and takes the first
 * without one. Close to lru, insensitive to the exact order of touches, and cheap:
 * the hand stops as soon as it finds one. Chunks preferred to be in device memory
 * are passed over as long as there is any other, and keep their mark.
 *
 * priv[0] is the hand: the chunk to look at next.
 */
#include "policy-lib.h"

static int clock_victim(struct hmmsvm_policy_chunk *chunks, __u32 count, __u64 *priv)
{
	__u32 hand = priv[0] < count ? (__u32)priv[0] : 0;
	bool used = false, only_preferred = true;
	__u32 i;

	for (i = 0; i < count; i++) {
		if (chunks[i].used) {
			used = true;
			only_preferred = only_preferred && chunks[i].preferred;
		}
	}
	if (!used)
		return -1;

	/* Ends in the second round at the latest, when all marks are cleared. */
	for (;; hand = hand + 1 < count ? hand + 1 : 0) {
		struct hmmsvm_policy_chunk *chunk = &chunks[hand];

		if (!chunk->used || chunk->preferred != only_preferred)
			continue;
		if (!chunk->referenced)
			break;
		chunk->referenced = false;
	}
	priv[0] = hand + 1;
	return (int)hand;
}

const struct hmmsvm_eviction hmmsvm_eviction_clock = {
	.name = "clock",
	.help = "round and round, with a second chance for what was touched",
	.victim = clock_victim,
};
