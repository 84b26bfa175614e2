/* SPDX-License-Identifier: GPL-2.0 */
/*
 * policy-lib.h - what several policies need
 *
 * Ranges, the density tree, sequential streams and averages: pure functions over
 * what the policy hands in, within the rules of <hmmsvm/policy.h>. Divisions are
 * 64 bit by 64 bit: the module is for 64-bit machines only.
 */
#ifndef HMMSVM_POLICY_LIB_H
#define HMMSVM_POLICY_LIB_H

#include <hmmsvm/policy.h>

#define POLICY_ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define POLICY_REGIONS		(HMMSVM_POLICY_BLOCK_PAGES / HMMSVM_POLICY_REGION_PAGES)
#define POLICY_NS_PER_US	1000ull
#define POLICY_NS_PER_MS	1000000ull

/* All policies there are; registry.c lists them. */
extern const struct hmmsvm_placement hmmsvm_placement_adaptive;
extern const struct hmmsvm_placement hmmsvm_placement_arms;
extern const struct hmmsvm_placement hmmsvm_placement_counter;
extern const struct hmmsvm_placement hmmsvm_placement_hot;
extern const struct hmmsvm_placement hmmsvm_placement_random;
extern const struct hmmsvm_placement hmmsvm_placement_remote;
extern const struct hmmsvm_placement hmmsvm_placement_thrash;
extern const struct hmmsvm_placement hmmsvm_placement_touch;
extern const struct hmmsvm_placement hmmsvm_placement_tpp;
extern const struct hmmsvm_placement hmmsvm_placement_tree;
extern const struct hmmsvm_placement hmmsvm_placement_xe;
extern const struct hmmsvm_eviction hmmsvm_eviction_clock;
extern const struct hmmsvm_eviction hmmsvm_eviction_fifo;
extern const struct hmmsvm_eviction hmmsvm_eviction_lfu;
extern const struct hmmsvm_eviction hmmsvm_eviction_lru;
extern const struct hmmsvm_eviction hmmsvm_eviction_random;

/* ---- numbers ---------------------------------------------------------------- */

/* A tunable's value. None of ours may be negative. */
static inline __u64 policy_tunable(const struct hmmsvm_policy_env *env, __u32 number)
{
	return (__u64)env->tunables[number];
}

static inline __u64 policy_min(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

static inline __u64 policy_max(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

/* Nanoseconds since @then; 0 if that lies ahead. */
static inline __u64 policy_since(const struct hmmsvm_policy_env *env, __u64 then)
{
	return env->now_ns > then ? env->now_ns - then : 0;
}

/* The largest power of two that is not above @value; 1 for 0. */
static inline __u32 policy_power_below(__u32 value)
{
	__u32 power = 1;

	while (power <= value / 2)
		power *= 2;
	return power;
}

/* @average moved by a 2^-@shift of the way to @sample. */
static inline __u64 policy_average(__u64 average, __u64 sample, __u32 shift)
{
	return average - (average >> shift) + (sample >> shift);
}

/* Number @index of the @bits wide fields (a power of two) that @words is cut into. */
static inline __u64 policy_field(const __u64 *words, __u32 bits, __u32 index)
{
	__u32 shift = index * bits % 64;

	return words[index * bits / 64] >> shift & ((1ull << bits) - 1);
}

static inline void policy_field_set(__u64 *words, __u32 bits, __u32 index, __u64 value)
{
	__u32 shift = index * bits % 64;
	__u64 mask = (1ull << bits) - 1, *word = &words[index * bits / 64];

	*word = (*word & ~(mask << shift)) | (value & mask) << shift;
}

/*
 * Ticks go round all blocks. Whether a block that was in round @seen, 0 for none,
 * begins a new one: it does if it has been in the present one. @round is then
 * the new one's number, 1 to 255.
 */
static inline bool policy_round(__u64 *round, __u64 seen)
{
	if (*round && seen != *round)
		return false;
	*round = *round % 255 + 1;
	return true;
}

/* ---- ranges ----------------------------------------------------------------- */

static inline void policy_decide(struct hmmsvm_policy_decision *decision,
				 enum hmmsvm_policy_action action, __u32 first, __u32 count)
{
	decision->action = action;
	decision->first = first;
	decision->count = count;
}

/* The aligned piece of @pages pages, a power of two, around @page. */
static inline void policy_decide_piece(struct hmmsvm_policy_decision *decision,
				       enum hmmsvm_policy_action action, __u32 page, __u32 pages)
{
	policy_decide(decision, action, page & ~(pages - 1), pages);
}

static inline void policy_decide_block(struct hmmsvm_policy_decision *decision,
				       enum hmmsvm_policy_action action)
{
	policy_decide(decision, action, 0, HMMSVM_POLICY_BLOCK_PAGES);
}

static inline __u32 policy_resident(const struct hmmsvm_policy_block *block)
{
	return hmmsvm_pages_count(&block->resident, 0, HMMSVM_POLICY_BLOCK_PAGES);
}

/* The bits, one a region, of the aligned piece of @pages pages around @page. */
static inline __u32 policy_region_mask(__u32 page, __u32 pages)
{
	__u32 first = (page & ~(pages - 1)) / HMMSVM_POLICY_REGION_PAGES;
	__u32 count = pages / HMMSVM_POLICY_REGION_PAGES;

	return (count >= 32 ? ~0u : (1u << count) - 1) << first;
}

/* The smallest aligned piece that covers the regions of @mask, which is not 0. */
static inline void policy_mask_piece(__u32 mask, __u32 *first, __u32 *count)
{
	__u32 page = 0, pages = HMMSVM_POLICY_REGION_PAGES;

	while (!(mask & policy_region_mask(page, HMMSVM_POLICY_REGION_PAGES)))
		page += HMMSVM_POLICY_REGION_PAGES;
	while (mask & ~policy_region_mask(page, pages))
		pages *= 2;
	*first = page & ~(pages - 1);
	*count = pages;
}

/*
 * Density prefetch, as NVIDIA UVM does it (kernel-open/nvidia-uvm/
 * uvm_perf_prefetch.c, compute_prefetch_region()): over a binary tree with
 * regions as leaves, how many pages the largest subtree around @page has of
 * which more than @density percent are in device memory once the region of
 * @page is. No subtree grows into regions of @without. At least a region.
 */
static inline __u32 policy_tree_pages(const struct hmmsvm_pages *resident, __u32 page,
				      __u64 density, __u32 without)
{
	struct hmmsvm_pages pages = *resident;
	__u32 size, best = HMMSVM_POLICY_REGION_PAGES;

	hmmsvm_pages_set(&pages, page & ~(best - 1), best);
	for (size = 2 * best; size <= HMMSVM_POLICY_BLOCK_PAGES; size *= 2) {
		if (policy_region_mask(page, size) & without)
			break;
		if (hmmsvm_pages_count(&pages, page & ~(size - 1), size) * 100ull > size * density)
			best = size;
	}
	return best;
}

/* ---- sequential streams ------------------------------------------------------ */

/**
 * struct policy_stream - a range that was last asked for, kept in two words of priv
 * @next: number (address / page size) of the page after it; 0: unused
 * @length: its length in pages
 */
struct policy_stream {
	__u64 next;
	__u64 length;
};

/*
 * How many pages to take from @page of the block at @start on: twice as many as
 * last time if the access goes on where one of @count streams in @words ended
 * (or skips at most as much as it had taken), up to the end of the block; or 0 if
 * it belongs to none. The first at the start of a block takes the whole block if
 * the stream has grown to that. @slot says which stream it is, or which to replace.
 */
static inline __u32 policy_stream_pages(const __u64 *words, __u32 count, __u64 start, __u32 page,
					__u32 *slot)
{
	__u64 number = start / HMMSVM_POLICY_PAGE_SIZE + page;
	__u32 i;

	*slot = count - 1;
	for (i = 0; i < count; i++) {
		struct policy_stream stream = { words[2 * i], words[2 * i + 1] };

		if (!stream.next) {
			*slot = i;
			return 0;
		}
		if (number >= stream.next && number - stream.next <= stream.length) {
			*slot = i;
			return policy_min(policy_min(2 * stream.length, HMMSVM_POLICY_BLOCK_PAGES),
					  HMMSVM_POLICY_BLOCK_PAGES - page);
		}
	}
	return 0;
}

/*
 * Notes that [@first, @first + @pages) of the block at @start was taken for the
 * stream in @slot, which becomes the first: the last is the one to be replaced. A
 * range that the end of the block cut short counts with the @grown pages it would
 * have had.
 */
static inline void policy_stream_note(__u64 *words, __u32 slot, __u64 start, __u32 first,
				      __u32 pages, __u32 grown)
{
	for (; slot; slot--) {
		words[2 * slot] = words[2 * slot - 2];
		words[2 * slot + 1] = words[2 * slot - 1];
	}
	words[0] = start / HMMSVM_POLICY_PAGE_SIZE + first + pages;
	words[1] = policy_min(policy_max(pages, grown), HMMSVM_POLICY_BLOCK_PAGES);
}

/* ---- eviction ---------------------------------------------------------------- */

/*
 * The chunk with the lowest rank among those in use; preferred ones count only
 * if there are no others. Of equals the first. -1: none is in use.
 */
static inline int policy_victim(const struct hmmsvm_policy_chunk *chunks, __u32 count,
				__u64 (*rank)(const struct hmmsvm_policy_chunk *chunk),
				__u64 (*tie)(const struct hmmsvm_policy_chunk *chunk))
{
	int best = -1;
	__u32 i;

	for (i = 0; i < count; i++) {
		const struct hmmsvm_policy_chunk *chunk = &chunks[i], *lowest;

		if (!chunk->used)
			continue;
		if (best >= 0) {
			lowest = &chunks[best];
			if (chunk->preferred != lowest->preferred) {
				if (chunk->preferred)
					continue;
			} else if (rank(chunk) > rank(lowest) ||
				   (rank(chunk) == rank(lowest) && tie(chunk) >= tie(lowest))) {
				continue;
			}
		}
		best = (int)i;
	}
	return best;
}

#endif /* HMMSVM_POLICY_LIB_H */
