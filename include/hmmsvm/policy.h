/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * hmmsvm/policy.h - what a migration policy is
 *
 * A policy decides, mechanism carries out. There are two kinds, chosen
 * independently of each other for every context:
 *
 *   placement  on a device fault: use the page where it is (remote) or bring a
 *              range of its block to device memory; on a CPU fault: how much
 *              goes back; from time to time: what to promote, demote, sample
 *   eviction   which 2 MiB of device memory to empty when there is none left
 *
 * A policy is one C file that includes this header, perhaps by way of
 * kmod/policy/policy-lib.h, and nothing else: no kernel and no C library. The kernel module and native programs (unit tests,
 * simulators) compile the same file. It has no globals that change: what it
 * remembers lies in the priv arrays, which start as zero and become zero again
 * when another policy is chosen.
 *
 * Geometry: a block is 2 MiB of the application's addresses, aligned, 512 pages
 * of 4 KiB; a region is 64 KiB, 16 pages. Pages are numbered within their block.
 *
 * Locking: the caller serialises all calls for one context (placement) or one
 * device (eviction). A call is short, allocates nothing and waits for nothing.
 *
 * Time is in nanoseconds of a clock that never goes back; only differences mean
 * anything.
 */
#ifndef HMMSVM_POLICY_H
#define HMMSVM_POLICY_H

#include <linux/types.h>
#ifndef __KERNEL__
#include <stdbool.h>
#include <stddef.h>
#endif

#define HMMSVM_POLICY_BLOCK_PAGES	512u
#define HMMSVM_POLICY_REGION_PAGES	16u
#define HMMSVM_POLICY_PAGE_SIZE		4096u
#define HMMSVM_POLICY_WORDS		(HMMSVM_POLICY_BLOCK_PAGES / 64)
#define HMMSVM_POLICY_TUNABLES		16	/* at most, per policy */
#define HMMSVM_POLICY_AHEAD		16	/* blocks */
#define HMMSVM_POLICY_ENV_WORDS		64	/* that a policy has for a context */

/* A set of pages of one block: bit (page % 64) of word (page / 64). */
struct hmmsvm_pages {
	__u64 bits[HMMSVM_POLICY_WORDS];
};

/**
 * struct hmmsvm_policy_block - a block as a placement policy sees it
 * @start: its first address
 * @resident: pages that are in device memory. Exact for what the module moved;
 *	pages the application moved (mremap) or copied (fork) since may differ.
 * @device_faults: device faults in the block, those of withdrawn entries included
 * @cpu_faults: CPU faults that found a page of the block in device memory
 * @migrations: how often pages of the block were brought to device memory
 * @evictions: how often pages of the block were evicted
 * @device_ns, @cpu_ns: time of the last fault of either side; 0: none
 * @migrated_ns, @evicted_ns: time of the last migration to the device and
 *	eviction; 0: none
 * @withdrawn_ns: when the device's entries were last withdrawn for sampling
 * @priv: the policy's own
 *
 * All but @priv is kept by the mechanism and read only for the policy.
 */
struct hmmsvm_policy_block {
	__u64 start;
	struct hmmsvm_pages resident;
	__u32 device_faults;
	__u32 cpu_faults;
	__u32 migrations;
	__u32 evictions;
	__u64 device_ns;
	__u64 cpu_ns;
	__u64 migrated_ns;
	__u64 evicted_ns;
	__u64 withdrawn_ns;
	__u64 priv[8];
};

/**
 * struct hmmsvm_policy_env - the rest of the world, for one context
 * @now_ns: the time
 * @total_pages, @free_pages: of device memory, what the context can have without taking from
 *	others what they may keep (limits, fair shares), and what of that it has not; in
 *	regions that it does not use at all. Alone and without a limit: all, and what is free.
 * @tunables: values in the order of the policy's own list, within their limits
 * @device_fault_ns, @cpu_fault_ns: what a fault costs without copying, a
 *	running average of what was observed; never 0
 * @copy_page_ns: what bringing one page over costs, in either direction, likewise
 * @costs_known: whether @copy_page_ns has been observed. Costs are those that this context
 *	observes, and until then those that others did with the same device; a guess if nobody has.
 * @running_ns: how much of the time so far no fault was being handled, no page moved and
 *	nothing was withdrawn on behalf of this context: time in which the device went on,
 *	or was idle. What it has paid for the use of system memory is in there, and so it is
 *	never more than that.
 * @random: a number that differs in each call; the same sequence for the same seed
 * @priv: the policy's own, for the context
 */
struct hmmsvm_policy_env {
	__u64 now_ns;
	__u64 total_pages;
	__u64 free_pages;
	const __s64 *tunables;
	__u64 device_fault_ns;
	__u64 cpu_fault_ns;
	__u64 copy_page_ns;
	bool costs_known;
	__u64 running_ns;
	__u64 random;
	__u64 priv[HMMSVM_POLICY_ENV_WORDS];
};

/**
 * struct hmmsvm_policy_fault - a fault of either side
 * @page: its page
 * @write: whether it was a write
 * @sampled: (device) entries of the block had been withdrawn, in whichever memory
 *	its pages are: this is an access, not a first use. It maps all device memory
 *	of the block again, and of system memory what the decision says.
 * @absent: (device) there is no page: nobody has touched that memory yet, or it is swapped
 *	out. In device memory it begins as zeros, without a copy; where it is the device
 *	faults for each page that the application does not have.
 * @ahead: (CPU) the CPU has not touched the block, but one before it, and the decision then
 *	wanted this one to be asked about, too; @page is 0, and need not be in the range.
 *	No count: nothing of it comes back, and nobody asks about the blocks after it.
 */
struct hmmsvm_policy_fault {
	__u32 page;
	bool write;
	bool sampled;
	bool absent;
	bool ahead;
};

enum hmmsvm_policy_action {
	HMMSVM_ACTION_NONE = 0,		/* leave everything where it is */
	HMMSVM_ACTION_TO_DEVICE = 1,	/* bring [first, first + count) to device memory */
	HMMSVM_ACTION_TO_SYSTEM = 2,	/* bring [first, first + count) to system memory */
	HMMSVM_ACTION_WITHDRAW = 3,	/* take the device's entries of the block away: next
					 * accesses fault and are seen
					 */
};

/**
 * struct hmmsvm_policy_decision - what is to be done
 * @action: NONE when the policy is called
 * @first, @count: the pages. With NONE, after a device fault, those that the device is
 *	to see where they are, so that it faults on none of them; no count: those of the
 *	fault's region. A range that leaves the block, or one that does not
 *	contain the page of the fault, is an error of the policy: it is counted and
 *	taken for NONE without a range (device fault) or for that one page (CPU fault)
 * @except: (faults) pages of a range that moves which stay where they are. The page of the fault
 *	must not be one of them: that is an error like the above. Of a huge page that the CPU
 *	wants back everything comes.
 * @writable: (device fault, tick) what gets an entry with this decision may be written, where
 *	the application may write, too, even if the fault is a read: there is no second fault
 * @populate: (device fault) of a range that the device is to see where it is, what has no page
 *	(nobody has touched it yet, or it is swapped out) gets one at once, from that of the fault
 *	on; otherwise as many as a sequential access has come to
 * @ahead: (CPU fault) ask about so many of the blocks that follow, at most
 *	HMMSVM_POLICY_AHEAD, one after the other, as long as they have pages in device memory: who
 *	goes through memory need not fault on each of them
 * @victim: (TO_DEVICE) start of the block that leaves first if there is no room, if it has a
 *	place in device memory that may be taken; 0: whom the eviction policy chooses
 *
 * In a tick, what TO_DEVICE brought over gets its entries at once. NONE with a range gives them to
 * what has none, where it is. The pages of @except then stay, or are not shown unasked; and so
 * do those of which the application said where they are to be.
 *
 * Pages of a range that comes over and that are there already, or that cannot move (file, shared,
 * pinned, locked), stay; that is no error.
 */
struct hmmsvm_policy_decision {
	enum hmmsvm_policy_action action;
	__u32 first;
	__u32 count;
	struct hmmsvm_pages except;
	bool writable;
	bool populate;
	__u32 ahead;
	__u64 victim;
};

/**
 * struct hmmsvm_tunable - a number that changes what a policy does
 * @name: as users write it
 * @help: one line, with the unit
 * @value: the default
 * @min, @max: what else is clamped to
 */
struct hmmsvm_tunable {
	const char *name;
	const char *help;
	__s64 value;
	__s64 min;
	__s64 max;
};

/**
 * struct hmmsvm_placement - a placement policy
 * @name: as users write it, at most 15 characters
 * @help: one line
 * @tunables, @nr_tunables: at most HMMSVM_POLICY_TUNABLES
 * @tick_tunable: which tunable is the time between ticks in milliseconds; -1: no ticks
 * @device_fault: the device touched a page that is not in device memory (or one
 *	that is, whose entry had been withdrawn: then TO_DEVICE does nothing).
 *	NONE maps it where it is; TO_DEVICE brings the range over. NULL: everything
 *	is mapped where it is, with as many neighbours as there are.
 * @cpu_fault: the CPU touched a page in device memory. The range that comes back;
 *	the page itself comes back in any case. NULL: its region.
 * @tick: called for each block the device has used, in order, every so often: NONE (with a
 *	range: show), TO_DEVICE (promote), TO_SYSTEM (demote) or WITHDRAW (sample). May be NULL.
 * @evicted: pages of the block are about to be evicted. May be NULL.
 */
struct hmmsvm_placement {
	const char *name;
	const char *help;
	const struct hmmsvm_tunable *tunables;
	__u32 nr_tunables;
	int tick_tunable;
	void (*device_fault)(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			     const struct hmmsvm_policy_fault *fault,
			     struct hmmsvm_policy_decision *decision);
	void (*cpu_fault)(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			  const struct hmmsvm_policy_fault *fault,
			  struct hmmsvm_policy_decision *decision);
	void (*tick)(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
		     struct hmmsvm_policy_decision *decision);
	void (*evicted)(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block);
};

/**
 * struct hmmsvm_policy_chunk - 2 MiB of device memory as an eviction policy sees it
 * @allocated: a number that grows with every chunk that begins to be used
 * @touched: a number that grows with every touch of any chunk: by a device fault
 *	that found its page there, and by pages that were brought in
 * @touches: how many touches since it began to be used; the policy may lower it
 *	(aging)
 * @used: pages in use that may be evicted; 0: free, held by somebody, or another's who is spared: never
 *	a victim
 * @referenced: set with every touch; the policy may clear it
 * @preferred: advised to be in device memory: a victim only if there is no other
 */
struct hmmsvm_policy_chunk {
	__u64 allocated;
	__u64 touched;
	__u32 touches;
	__u16 used;
	bool referenced;
	bool preferred;
};

/**
 * struct hmmsvm_eviction - an eviction policy
 * @name, @help: as above
 * @victim: which of @count chunks to empty: its number, or -1 if none is in use.
 *	Neither a free chunk nor, where another is in use, a preferred one. Chunk
 *	numbers stay the same from call to call. @priv (4 words) is the policy's own.
 */
struct hmmsvm_eviction {
	const char *name;
	const char *help;
	int (*victim)(struct hmmsvm_policy_chunk *chunks, __u32 count, __u64 *priv);
};

/* ---- all there are: kmod/policy/registry.c -------------------------------- */

#define HMMSVM_DEFAULT_PLACEMENT	"adaptive"
#define HMMSVM_DEFAULT_EVICTION		"lru"

/* By number (NULL after the last) and by name (NULL if there is none). */
const struct hmmsvm_placement *hmmsvm_placement_at(__u32 number);
const struct hmmsvm_placement *hmmsvm_placement_find(const char *name);
const struct hmmsvm_eviction *hmmsvm_eviction_at(__u32 number);
const struct hmmsvm_eviction *hmmsvm_eviction_find(const char *name);

/* @value within the limits of @tunable. */
static inline __s64 hmmsvm_tunable_clamp(const struct hmmsvm_tunable *tunable, __s64 value)
{
	return value < tunable->min ? tunable->min :
	       value > tunable->max ? tunable->max : value;
}

/* ---- sets of pages ---------------------------------------------------------- */

static inline bool hmmsvm_pages_test(const struct hmmsvm_pages *set, __u32 page)
{
	return set->bits[page / 64] >> (page % 64) & 1;
}

/* The bits of word @word that lie in [@first, @first + @count). */
static inline __u64 hmmsvm_pages_mask(__u32 word, __u32 first, __u32 count)
{
	__u32 begin = word * 64, end = begin + 64, last = first + count;
	__u64 mask = ~0ull;

	if (!count || first >= end || last <= begin)
		return 0;
	if (first > begin)
		mask &= ~0ull << (first - begin);
	if (last < end)
		mask &= ~0ull >> (end - last);
	return mask;
}

static inline void hmmsvm_pages_set(struct hmmsvm_pages *set, __u32 first, __u32 count)
{
	__u32 i;

	for (i = 0; i < HMMSVM_POLICY_WORDS; i++)
		set->bits[i] |= hmmsvm_pages_mask(i, first, count);
}

static inline void hmmsvm_pages_clear(struct hmmsvm_pages *set, __u32 first, __u32 count)
{
	__u32 i;

	for (i = 0; i < HMMSVM_POLICY_WORDS; i++)
		set->bits[i] &= ~hmmsvm_pages_mask(i, first, count);
}

/* How many of [@first, @first + @count) are in the set. */
static inline __u32 hmmsvm_pages_count(const struct hmmsvm_pages *set, __u32 first, __u32 count)
{
	__u32 i, n = 0;

	for (i = 0; i < HMMSVM_POLICY_WORDS; i++) {
		/* No builtin: the kernel has no libgcc. */
		__u64 x = set->bits[i] & hmmsvm_pages_mask(i, first, count);

		x -= (x >> 1) & 0x5555555555555555ull;
		x = (x & 0x3333333333333333ull) + ((x >> 2) & 0x3333333333333333ull);
		x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
		n += (x * 0x0101010101010101ull) >> 56;
	}
	return n;
}

#endif /* HMMSVM_POLICY_H */
