// SPDX-License-Identifier: GPL-2.0
/*
 * adaptive - rent or buy, where the rent is time
 *
 * Each use of a page in system memory costs the device rent; bringing pages over is a
 * purchase (fault, copy, and perhaps the way back). The decision is that of the ski
 * rental problem (Karlin et al., Competitive Snoopy Caching, Algorithmica 1988): buy when
 * the rent paid has reached the price. What a use costs nobody measures, and how often
 * pages are used is seen by nobody once they have entries. But all rent together is in the
 * time that passes outside of faults (running_ns); so the purchases of all blocks together
 * are kept to twice that time. The idea to have no threshold but cost and benefit is that of
 * ARMS (adaptive tiering, 2025).
 *
 * A block that the device faults on is shown to it where it is, all of it and writable: one
 * fault, where a region at a time would be 32. It comes over as a whole, but for regions
 * that the CPU has taken back,
 *
 *  - at once, if nobody has touched the page: there is nothing to copy, and used where it
 *    is it would cost a fault a page;
 *  - at once, if it goes on where a block ended that was used for as long as it takes to copy
 *    one: a stream that reads much of what it goes through. The block where that was
 *    found out follows;
 *  - in a tick, when there is time to spend (`pace`), and with its entries, so that nobody
 *    faults for it. None is before 30 percent of the price of all that is used where it is
 *    has passed, which many programs do not outlive; and the less, the more of what came over
 *    the CPU took back.
 *
 * While memory is full, what does not fit is used where it is: a cyclic scan of more than device
 * memory would throw out what it needs next. But resident blocks, chosen at random, are
 * watched then, in a race with one that is not: entries of both are withdrawn, and one that
 * has not been used while the other ran two laps, from one use to the next, goes home. What is
 * seen in use takes its place. These samples may cost a 100th of the time; twice as many blocks
 * are watched after each that went, and half as many after each that was in use.
 *
 * That takes some ticks, in which a program that goes on to other memory pays. So a stream that
 * comes to a new block after much time that was not spent on purchases evicts for it, and so
 * does a block that was evicted and is wanted again, and, once that went well twice, one that
 * is seen in use. What goes is what came over before the program went on, the last one first:
 * if it goes round, that is what it comes back to last. A block that comes back within the
 * time in which everything that is away could have been used was wanted all along (the ghost
 * list of ARC, Megiddo and Modha, FAST 2003, tells the same by numbers of misses): nothing is
 * evicted for a while, each time four times as long, and four times less with each that stayed
 * away longer. A cyclic scan comes to new blocks only once, and soon, and loses a block or two.
 *
 * What the CPU takes back it may want again. Its first fault in a block takes a region home,
 * or what a stream of faults has grown to (64 KiB ... 2 MiB), or all of the block if it comes
 * from the one before, and then of the 8 blocks that follow, too; the second all of the
 * block, or a region again where it is far from the first. The rest of a block that lost just
 * one region comes again at once, the first time. Otherwise the block costs 16 times the price
 * of the round trip, then 256 times, and half of what was saved is gone: ping-pong ends in
 * remote use.
 *
 * If it takes pages at the same distance from each other, three times, the others stay: of a
 * block in which it goes on like that all of these pages go home with the first fault, those
 * of the 8 blocks that follow with them, and do not come over with the rest any more. The next
 * tick shows the device again what it lost sight of by that. Looking for a distance is given
 * up after some blocks where there was none.
 *
 * A block of few pages that the CPU took is tried: one round, from one time to the next, it
 * comes over as soon as the device wants it, and the next one just one page of it does, by
 * which the end of that round is seen. If that round was longer by more than the way to and
 * fro costs, it comes over at once from now on, though others go for it.
 *
 * Trade-offs: compute counts as rent, so that a kernel that computes a lot gets its memory
 * over sooner than it pays. Random access to what is worth its copy pays rent for a while
 * first, which costs up to twice what knowing it would; and what is bought in ticks is not
 * known to be in use still. What host and device share in use is seen by faults only. Of each
 * block all or nothing is bought. Blocks are tried once, whatever changes afterwards.
 *
 * Tunables: pace in percent of the time outside of faults (0: no purchases but at once), tick in
 * milliseconds.
 */
#include "policy-lib.h"

enum { ADAPTIVE_PACE, ADAPTIVE_TICK };

static const struct hmmsvm_tunable adaptive_tunables[] = {
	[ADAPTIVE_PACE] = {
		.name = "pace",
		.help = "percent of the time outside of faults that bringing memory over may cost",
		.value = 200, .min = 0, .max = 10000,
	},
	[ADAPTIVE_TICK] = {
		.name = "tick",
		.help = "milliseconds between ticks",
		.value = 1, .min = 1, .max = 3600000,
	},
};

#define ADAPTIVE_STREAMS	7u
#define ADAPTIVE_CPU_STREAMS	2u
#define ADAPTIVE_STRIDE_MAX	(HMMSVM_POLICY_BLOCK_PAGES / 4)
#define ADAPTIVE_STRIDE_TRIES	4u	/* blocks in which none was found */
#define ADAPTIVE_FEW		64u	/* pages of which the way costs less than the faults do */
#define ADAPTIVE_LEVEL_MAX	2u
#define ADAPTIVE_LEVEL_SHIFT	4u	/* each level doubles the price so often */
#define ADAPTIVE_WARM		30u	/* percent of the price of all that is away, until any is bought */
#define ADAPTIVE_REGRET		32u	/* how much a block that the CPU took weighs */
#define ADAPTIVE_RECORD		1024u	/* blocks of which that is known */
#define ADAPTIVE_SAVED		32u	/* prices of a block that may be saved up */
#define ADAPTIVE_SAMPLES_SHARE	100u	/* the part of the time that watching may cost */
#define ADAPTIVE_LAPS		2u	/* of the racer, without a use of the block */
#define ADAPTIVE_WINDOW_MAX	64u	/* blocks that are watched at the same time */
#define ADAPTIVE_EVICTS_AFTER	14u	/* prices that are saved up when the first block is evicted */
#define ADAPTIVE_EVICTED_WELL	2u	/* blocks, until what is seen in use evicts */
#define ADAPTIVE_SOON		3u	/* prices, at least, within which none comes back */
#define ADAPTIVE_MISTAKES_MAX	10u
#define ADAPTIVE_PAUSE_SHIFT	2u	/* each mistake doubles the pause so often */
#define ADAPTIVE_CAME_MAX	32u	/* blocks that came last are remembered */
#define ADAPTIVE_AHEAD		8u	/* blocks that the CPU will use, too */

/* A block's priv. */
enum {
	ADAPTIVE_STATE,		/* 8 bits each, see below */
	ADAPTIVE_SHARED,	/* a bit for each region that the CPU took back */
	ADAPTIVE_COMB,		/* pages that the CPU wants, 16 bits each, see below */
	ADAPTIVE_PAGES,		/* how many were in device memory when the CPU last took some */
	ADAPTIVE_TOOK,		/* running_ns then */
	ADAPTIVE_HERE_NS,	/* from one time to the next, all of it being in device memory */
	ADAPTIVE_LEFT,		/* running_ns when it was evicted */
};

/* Fields of ADAPTIVE_COMB. */
enum {
	ADAPTIVE_EVERY,		/* every so many of them; 0: none */
	ADAPTIVE_FIRST,
	ADAPTIVE_UNSEEN,	/* the device lost its entries when they went home */
};

/* Fields of ADAPTIVE_STATE. */
enum {
	ADAPTIVE_KNOWN,		/* the device has used it */
	ADAPTIVE_REMOTE,	/* and does so where it is */
	ADAPTIVE_SAMPLE,	/* why it is withdrawn, see below */
	ADAPTIVE_LAP,		/* the racer's when it was withdrawn */
	ADAPTIVE_LOST,		/* CPU faults since it came over */
	ADAPTIVE_LEVEL,		/* how dear it is */
	ADAPTIVE_IN_ROUND,	/* the last round of ticks */
	ADAPTIVE_TRIAL,		/* of a block of few pages that goes to and fro, see below */
};

/* Values of ADAPTIVE_SAMPLE. */
enum {
	ADAPTIVE_NO_SAMPLE,
	ADAPTIVE_WATCHED,
	ADAPTIVE_WANTED,
	ADAPTIVE_PROMISED,
	ADAPTIVE_EVICTED,	/* it was not, but evicted */
};

/* Values of ADAPTIVE_TRIAL. */
enum { ADAPTIVE_NO_TRIAL, ADAPTIVE_HERE, ADAPTIVE_THERE, ADAPTIVE_SHUTTLES, ADAPTIVE_STAYS };

/* The context's priv. */
enum {
	ADAPTIVE_STREAM = 0,	/* 2 words each, see adaptive_stream() */
	ADAPTIVE_CPU_STREAM = ADAPTIVE_STREAM + 2 * ADAPTIVE_STREAMS,
	ADAPTIVE_RUN = ADAPTIVE_CPU_STREAM + 2 * ADAPTIVE_CPU_STREAMS, /* running_ns, last seen */
	ADAPTIVE_RAN,		/* time since the start; half of it each time the CPU took some back */
	ADAPTIVE_BUDGET,	/* ns to spend on purchases */
	ADAPTIVE_SAMPLES,	/* and on watching */
	ADAPTIVE_COPIED,	/* whether anything has come over that was not empty */
	ADAPTIVE_PROVEN,	/* 32 bits each: numbers of blocks that streams have proven */
	ADAPTIVE_ROUND,
	ADAPTIVE_REMOTES,	/* blocks used where they are, in this round of ticks */
	ADAPTIVE_REMOTES_LAST,	/* and in the one before */
	ADAPTIVE_LOCALS,	/* resident blocks, likewise */
	ADAPTIVE_LOCALS_LAST,
	ADAPTIVE_OPEN,		/* of those are being watched */
	ADAPTIVE_OPEN_LAST,
	ADAPTIVE_WINDOW,	/* how many may be */
	ADAPTIVE_RACER,		/* start of the block that they race with, plus 1 once it
				 * was used; 0: none
				 */
	ADAPTIVE_LAPS_RUN,	/* from one use of it to the next */
	ADAPTIVE_PLACES,	/* free places of blocks that went home */
	ADAPTIVE_AWAY,		/* blocks that are used where they are */
	ADAPTIVE_BOUGHT,	/* blocks that came over with what they had, */
	ADAPTIVE_TAKEN,		/* and those that the CPU took */
	ADAPTIVE_CPU_LAST,	/* number of the page of the last CPU fault; 0: none */
	ADAPTIVE_STRIDE,	/* from the one before to it; 0: too far */
	ADAPTIVE_STRIDES,	/* whether it was so twice */
	ADAPTIVE_NO_STRIDE,	/* how often looking for one led to nothing */
	ADAPTIVE_TURNOVER,	/* 32 bits each, see below */
	ADAPTIVE_PAUSE,		/* running_ns until which nothing is evicted */
	ADAPTIVE_COMBED,	/* the comb that was found last, 32 bits each, see below */
	ADAPTIVE_CAME,		/* how many blocks have come over */
	ADAPTIVE_CAME_RUN,	/* running_ns when the last one did */
	ADAPTIVE_BEFORE,	/* so many of them are of what the program used before */
	ADAPTIVE_LAST_CAME,	/* numbers of those that came last, 32 bits each */
	ADAPTIVE_WORDS = ADAPTIVE_LAST_CAME + ADAPTIVE_CAME_MAX / 2,
};

_Static_assert(ADAPTIVE_WORDS <= HMMSVM_POLICY_ENV_WORDS, "too much to remember");

/* Fields of ADAPTIVE_TURNOVER. */
enum {
	ADAPTIVE_WELL,		/* blocks evicted since the last mistake, at most 255 */
	ADAPTIVE_MISTAKES,	/* those that came back soon, less those that did not */
};

/* Fields of ADAPTIVE_COMBED. */
enum {
	ADAPTIVE_DISTANCE,	/* from one page of it to the next; 0: none was found */
	ADAPTIVE_OFFSET,	/* numbers of its pages modulo that */
};

static __u64 adaptive_state(const struct hmmsvm_policy_block *block, __u32 field)
{
	return policy_field(&block->priv[ADAPTIVE_STATE], 8, field);
}

static void adaptive_state_set(struct hmmsvm_policy_block *block, __u32 field, __u64 value)
{
	policy_field_set(&block->priv[ADAPTIVE_STATE], 8, field, value);
}

/* The lower 32 bits of the block's number, which is 0 for none. */
static __u32 adaptive_number(const struct hmmsvm_policy_block *block)
{
	return (__u32)(block->start / HMMSVM_POLICY_PAGE_SIZE / HMMSVM_POLICY_BLOCK_PAGES);
}

/* What it costs to bring @pages over. */
static __u64 adaptive_cost(const struct hmmsvm_policy_env *env, __u32 pages)
{
	return env->device_fault_ns + pages * env->copy_page_ns;
}

/* The same of the block, with what it will probably cost besides. */
static __u64 adaptive_price(const struct hmmsvm_policy_env *env,
			    const struct hmmsvm_policy_block *block, __u32 pages)
{
	__u64 level = adaptive_state(block, ADAPTIVE_LEVEL), price = adaptive_cost(env, pages);

	if (level)
		price += env->cpu_fault_ns + pages * env->copy_page_ns;
	return price << level * ADAPTIVE_LEVEL_SHIFT;
}

static bool adaptive_full(const struct hmmsvm_policy_env *env, __u64 pages)
{
	return env->free_pages < pages;
}

/* Whether the block is known to have few pages; for them a block of others may have to go. */
static bool adaptive_few(const struct hmmsvm_policy_block *block)
{
	return block->priv[ADAPTIVE_PAGES] && block->priv[ADAPTIVE_PAGES] <= ADAPTIVE_FEW;
}

/* What all of the block costs. */
static __u64 adaptive_price_all(const struct hmmsvm_policy_env *env,
				const struct hmmsvm_policy_block *block)
{
	__u64 price;

	if (!adaptive_few(block))
		return adaptive_price(env, block, HMMSVM_POLICY_BLOCK_PAGES);
	price = adaptive_price(env, block, (__u32)block->priv[ADAPTIVE_PAGES]);
	if (adaptive_full(env, ADAPTIVE_FEW))
		price += 2 * adaptive_cost(env, HMMSVM_POLICY_BLOCK_PAGES);
	return price;
}

static void adaptive_spend(struct hmmsvm_policy_env *env, __u32 account, __u64 ns)
{
	env->priv[account] -= policy_min(env->priv[account], ns);
}

/* Time has passed: so much more may be spent. */
static void adaptive_earn(struct hmmsvm_policy_env *env)
{
	__u64 cost = adaptive_cost(env, HMMSVM_POLICY_BLOCK_PAGES), most = cost * ADAPTIVE_SAVED;
	__u64 ran = env->running_ns - policy_min(env->running_ns, env->priv[ADAPTIVE_RUN]);
	__u64 warm = policy_max(env->priv[ADAPTIVE_AWAY], 1) * cost * ADAPTIVE_WARM / 100;
	__u64 bought = env->priv[ADAPTIVE_BOUGHT] + 1;

	/* However long nobody asked: more could not be saved, and nothing overflows. */
	ran = policy_min(ran, most);
	env->priv[ADAPTIVE_RUN] = env->running_ns;
	env->priv[ADAPTIVE_SAMPLES] = policy_min(env->priv[ADAPTIVE_SAMPLES] +
						 ran / ADAPTIVE_SAMPLES_SHARE, most);
	env->priv[ADAPTIVE_RAN] += ran;
	if (env->priv[ADAPTIVE_RAN] < warm)
		return;
	/* The more of it the CPU took, the less is bought. */
	ran = ran * bought / (bought + ADAPTIVE_REGRET * env->priv[ADAPTIVE_TAKEN]);
	ran = ran * policy_tunable(env, ADAPTIVE_PACE) / 100;
	env->priv[ADAPTIVE_BUDGET] = policy_min(env->priv[ADAPTIVE_BUDGET] + ran, most);
}

/*
 * The device uses the block for the first time, at @page. Whether that goes on where a
 * stream was whose last block was in use for as long as it takes to copy one, or is
 * known to be such a stream; @goes_on: whether it goes on at all. A stream's words: twice the
 * number of the block it would go on with, plus 1 if it is; and running_ns when it came to the
 * one before.
 */
static bool adaptive_stream(struct hmmsvm_policy_env *env, const struct hmmsvm_policy_block *block,
			    __u32 page, bool *goes_on)
{
	__u64 number = adaptive_number(block), *words = &env->priv[ADAPTIVE_STREAM];
	__u64 enough = HMMSVM_POLICY_BLOCK_PAGES * env->copy_page_ns * 3 / 4;
	bool good = false;
	__u32 i;

	for (i = 0; i < ADAPTIVE_STREAMS; i++)
		if (words[2 * i] / 2 == number && page < HMMSVM_POLICY_REGION_PAGES)
			break;
	*goes_on = i < ADAPTIVE_STREAMS;
	if (*goes_on) {
		good = words[2 * i] % 2;
		if (!good && env->running_ns - words[2 * i + 1] >= enough) {
			good = true;
			env->priv[ADAPTIVE_PROVEN] = env->priv[ADAPTIVE_PROVEN] << 32 |
						     (__u32)(number - 1);
		}
	} else {
		i = ADAPTIVE_STREAMS - 1;
	}
	for (; i; i--) {
		words[2 * i] = words[2 * i - 2];
		words[2 * i + 1] = words[2 * i - 1];
	}
	words[0] = 2 * (number + 1) + good;
	words[1] = env->running_ns;
	return good;
}

/* Whether a stream has proven the block; not any more then. */
static bool adaptive_proven(struct hmmsvm_policy_env *env, const struct hmmsvm_policy_block *block)
{
	__u32 i;

	for (i = 0; i < 2; i++) {
		if (policy_field(&env->priv[ADAPTIVE_PROVEN], 32, i) != adaptive_number(block))
			continue;
		policy_field_set(&env->priv[ADAPTIVE_PROVEN], 32, i, 0);
		return true;
	}
	return false;
}

/* Whether the CPU took the region of @page back. */
static bool adaptive_shared(const struct hmmsvm_policy_block *block, __u32 page)
{
	return block->priv[ADAPTIVE_SHARED] >> page / HMMSVM_POLICY_REGION_PAGES & 1;
}

/* The regions around @page that the CPU took back, if it took that one, or that it did not. */
static void adaptive_run(const struct hmmsvm_policy_block *block, __u32 page, __u32 *first,
			 __u32 *count)
{
	const __u32 size = HMMSVM_POLICY_REGION_PAGES;
	__u32 begin = page & ~(size - 1), end = begin + size;
	bool shared = adaptive_shared(block, page);

	while (begin && adaptive_shared(block, begin - size) == shared)
		begin -= size;
	while (end < HMMSVM_POLICY_BLOCK_PAGES && adaptive_shared(block, end) == shared)
		end += size;
	*first = begin;
	*count = end - begin;
}

static __u32 adaptive_comb_field(const struct hmmsvm_policy_block *block, __u32 field)
{
	return (__u32)policy_field(&block->priv[ADAPTIVE_COMB], 16, field);
}

/* The pages of the block that the CPU wants and the device does not. */
static void adaptive_comb(const struct hmmsvm_policy_block *block, struct hmmsvm_pages *pages)
{
	__u32 every = adaptive_comb_field(block, ADAPTIVE_EVERY), page;

	if (!every)
		return;
	for (page = adaptive_comb_field(block, ADAPTIVE_FIRST); page < HMMSVM_POLICY_BLOCK_PAGES;
	     page += every)
		hmmsvm_pages_set(pages, page, 1);
}

static bool adaptive_races(const struct hmmsvm_policy_env *env,
			   const struct hmmsvm_policy_block *block)
{
	return (env->priv[ADAPTIVE_RACER] & ~1ull) == block->start;
}

static __u64 adaptive_turnover(const struct hmmsvm_policy_env *env, __u32 field)
{
	return policy_field(&env->priv[ADAPTIVE_TURNOVER], 32, field);
}

static void adaptive_turnover_set(struct hmmsvm_policy_env *env, __u32 field, __u64 value)
{
	policy_field_set(&env->priv[ADAPTIVE_TURNOVER], 32, field, value);
}

/* Whether what is seen in use may take the place of what is resident. */
static bool adaptive_turns_over(const struct hmmsvm_policy_env *env)
{
	return adaptive_turnover(env, ADAPTIVE_WELL) >= ADAPTIVE_EVICTED_WELL &&
	       env->running_ns >= env->priv[ADAPTIVE_PAUSE];
}

/*
 * The block comes over. If none did for a while, the program goes on to other memory, and what
 * came before this one is what it has used until now.
 */
static void adaptive_comes(struct hmmsvm_policy_env *env, const struct hmmsvm_policy_block *block)
{
	__u64 pause = env->running_ns - env->priv[ADAPTIVE_CAME_RUN];
	__u32 at = (__u32)(env->priv[ADAPTIVE_CAME] % ADAPTIVE_CAME_MAX);

	if (pause > adaptive_cost(env, HMMSVM_POLICY_BLOCK_PAGES))
		env->priv[ADAPTIVE_BEFORE] = env->priv[ADAPTIVE_CAME];
	env->priv[ADAPTIVE_CAME_RUN] = env->running_ns;
	env->priv[ADAPTIVE_CAME]++;
	policy_field_set(&env->priv[ADAPTIVE_LAST_CAME], 32, at, adaptive_number(block));
}

/*
 * Whom to evict for it: what was used until now, and of that what came last. What came first is
 * what the program comes back to first, if it goes round.
 */
static __u64 adaptive_victim(struct hmmsvm_policy_env *env)
{
	__u64 *before = &env->priv[ADAPTIVE_BEFORE], number;
	__u32 at;

	while (*before && *before + ADAPTIVE_CAME_MAX > env->priv[ADAPTIVE_CAME]) {
		at = (__u32)(--*before % ADAPTIVE_CAME_MAX);
		number = policy_field(&env->priv[ADAPTIVE_LAST_CAME], 32, at);
		policy_field_set(&env->priv[ADAPTIVE_LAST_CAME], 32, at, 0);
		if (number)
			return number * HMMSVM_POLICY_BLOCK_PAGES * HMMSVM_POLICY_PAGE_SIZE;
	}
	return 0;
}

/* Memory is full: whether to evict for the block, whose price is @price. If so, it is paid. */
static bool adaptive_evicts(struct hmmsvm_policy_env *env, __u64 price, bool stream, __u64 sample)
{
	__u64 well = adaptive_turnover(env, ADAPTIVE_WELL);

	if (!stream && sample != ADAPTIVE_EVICTED &&
	    (sample != ADAPTIVE_WANTED || !adaptive_turns_over(env)))
		return false;
	if (env->running_ns < env->priv[ADAPTIVE_PAUSE] ||
	    env->priv[ADAPTIVE_BUDGET] < price * (well ? 1 : ADAPTIVE_EVICTS_AFTER))
		return false;
	adaptive_turnover_set(env, ADAPTIVE_WELL, policy_min(well + 1, 255));
	adaptive_spend(env, ADAPTIVE_BUDGET, price);
	return true;
}

/* The device wants a block that was evicted: whether that was a mistake. */
static void adaptive_returns(struct hmmsvm_policy_env *env,
			     const struct hmmsvm_policy_block *block)
{
	__u64 price = adaptive_cost(env, HMMSVM_POLICY_BLOCK_PAGES);
	__u64 soon = price * policy_max(2 * env->priv[ADAPTIVE_AWAY], ADAPTIVE_SOON);
	__u64 mistakes = adaptive_turnover(env, ADAPTIVE_MISTAKES);

	if (env->running_ns - block->priv[ADAPTIVE_LEFT] >= soon) {
		adaptive_turnover_set(env, ADAPTIVE_MISTAKES, mistakes - !!mistakes);
	} else if (env->running_ns >= env->priv[ADAPTIVE_PAUSE]) {
		mistakes = policy_min(mistakes + 1, ADAPTIVE_MISTAKES_MAX);
		adaptive_turnover_set(env, ADAPTIVE_MISTAKES, mistakes);
		adaptive_turnover_set(env, ADAPTIVE_WELL, 0);
		env->priv[ADAPTIVE_PAUSE] = env->running_ns +
					    (price << mistakes * ADAPTIVE_PAUSE_SHIFT);
	}
}

/* The first copy of all says what copies cost, where nobody knows. */
static bool adaptive_must_try(const struct hmmsvm_policy_env *env, bool known)
{
	return !known && !env->costs_known && !env->priv[ADAPTIVE_COPIED];
}

/* Whether to bring @pages of the block over now, around the page of the fault. */
static bool adaptive_buys(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			  const struct hmmsvm_policy_fault *fault, __u64 sample, bool rest,
			  __u32 pages, bool *populate)
{
	__u64 price = adaptive_few(block) ? adaptive_price_all(env, block) :
					    adaptive_price(env, block, pages);
	bool known = adaptive_state(block, ADAPTIVE_KNOWN), stream = false;

	if (!known)
		stream = adaptive_stream(env, block, fault->page, populate);
	adaptive_state_set(block, ADAPTIVE_KNOWN, 1);
	if (adaptive_full(env, pages) && !adaptive_few(block))
		return pages == HMMSVM_POLICY_BLOCK_PAGES &&
		       adaptive_evicts(env, price, stream, sample);
	if (fault->absent || stream || rest || adaptive_must_try(env, known))
		return true;
	if (sample == ADAPTIVE_PROMISED) {
		env->priv[ADAPTIVE_PLACES] -= !!env->priv[ADAPTIVE_PLACES];
	} else if (!sample || env->priv[ADAPTIVE_BUDGET] < price) {
		adaptive_spend(env, ADAPTIVE_BUDGET, sample ? env->device_fault_ns : 0);
		return false;
	}
	adaptive_spend(env, ADAPTIVE_BUDGET, price);
	return true;
}

/* A block came over that had to be copied. What was long ago counts less. */
static void adaptive_bought(struct hmmsvm_policy_env *env)
{
	if (++env->priv[ADAPTIVE_BOUGHT] < ADAPTIVE_RECORD)
		return;
	env->priv[ADAPTIVE_BOUGHT] /= 2;
	env->priv[ADAPTIVE_TAKEN] /= 2;
}

/* Notes whether the block is used where it is. */
static void adaptive_away(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			  __u64 away)
{
	env->priv[ADAPTIVE_AWAY] += away - adaptive_state(block, ADAPTIVE_REMOTE);
	adaptive_state_set(block, ADAPTIVE_REMOTE, away);
}

static void adaptive_device_fault(struct hmmsvm_policy_env *env,
				  struct hmmsvm_policy_block *block,
				  const struct hmmsvm_policy_fault *fault,
				  struct hmmsvm_policy_decision *decision)
{
	__u64 sample = adaptive_state(block, ADAPTIVE_SAMPLE);
	struct hmmsvm_pages comb = { 0 };
	__u32 first, count, pages;
	__u64 trial;
	bool again;

	adaptive_earn(env);
	policy_field_set(&block->priv[ADAPTIVE_COMB], 16, ADAPTIVE_UNSEEN, 0);
	adaptive_comb(block, &comb);
	adaptive_state_set(block, ADAPTIVE_SAMPLE, ADAPTIVE_NO_SAMPLE);
	decision->writable = true;
	policy_decide_block(decision, HMMSVM_ACTION_NONE);
	if (sample == ADAPTIVE_EVICTED)
		adaptive_returns(env, block);
	if (hmmsvm_pages_test(&block->resident, fault->page)) {
		if (sample)
			env->priv[ADAPTIVE_WINDOW] /= 2;
		return;
	}
	if (sample && adaptive_races(env, block)) {
		env->priv[ADAPTIVE_LAPS_RUN] += env->priv[ADAPTIVE_RACER] & 1;
		env->priv[ADAPTIVE_RACER] |= 1;
	}

	/* What the CPU wants of it the device uses where it is. */
	if (hmmsvm_pages_test(&comb, fault->page) && policy_resident(block))
		return;
	trial = adaptive_state(block, ADAPTIVE_TRIAL);
	if (trial == ADAPTIVE_THERE) {
		if (!policy_resident(block))
			policy_decide(decision, HMMSVM_ACTION_TO_DEVICE, fault->page, 1);
		return;
	}
	if (trial == ADAPTIVE_HERE || trial == ADAPTIVE_SHUTTLES) {
		adaptive_away(env, block, 0);
		policy_decide_block(decision, HMMSVM_ACTION_TO_DEVICE);
		return;
	}
	adaptive_run(block, fault->page, &first, &count);
	pages = count - hmmsvm_pages_count(&block->resident, first, count);
	/* The CPU took one piece of it, once: that stays, and the rest comes again. */
	again = adaptive_state(block, ADAPTIVE_LOST) == 1 &&
		adaptive_state(block, ADAPTIVE_LEVEL) == 1;
	if (adaptive_buys(env, block, fault, sample, again && !adaptive_shared(block, fault->page),
			  pages, &decision->populate)) {
		env->priv[ADAPTIVE_COPIED] |= !fault->absent;
		if (!fault->absent)
			adaptive_bought(env);
		adaptive_away(env, block, 0);
		if (!again)
			adaptive_state_set(block, ADAPTIVE_LOST, 0);
		hmmsvm_pages_clear(&comb, fault->page, 1);
		decision->except = comb;
		adaptive_comes(env, block);
		if (adaptive_full(env, pages) && !adaptive_few(block))
			decision->victim = adaptive_victim(env);
		policy_decide(decision, HMMSVM_ACTION_TO_DEVICE, first, count);
		return;
	}
	adaptive_away(env, block, 1);
	if (again)
		policy_decide(decision, HMMSVM_ACTION_NONE, first, count);
}

static __u64 adaptive_divisor(__u64 a, __u64 b)
{
	while (b) {
		__u64 rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/*
 * The CPU took pages at the same distance before, and this is another one, as far as one page
 * can tell: what that distance was; 0: it is not.
 */
static __u32 adaptive_combed(struct hmmsvm_policy_env *env,
			     const struct hmmsvm_policy_block *block, __u32 page)
{
	__u64 number = block->start / HMMSVM_POLICY_PAGE_SIZE + page;
	__u64 distance = policy_field(&env->priv[ADAPTIVE_COMBED], 32, ADAPTIVE_DISTANCE);

	if (!distance)
		return 0;
	if (number % distance == policy_field(&env->priv[ADAPTIVE_COMBED], 32, ADAPTIVE_OFFSET))
		return policy_resident(block) == HMMSVM_POLICY_BLOCK_PAGES ? (__u32)distance : 0;
	if (adaptive_comb_field(block, ADAPTIVE_EVERY))
		env->priv[ADAPTIVE_COMBED] = 0;
	return 0;
}

/*
 * The CPU takes all of the block, if it took the one before: a huge page goes home with its
 * first fault, and so it is not seen which of its pages are used.
 */
static bool adaptive_goes_through(const struct hmmsvm_policy_env *env,
				  const struct hmmsvm_policy_block *block, __u32 page)
{
	__u64 last = env->priv[ADAPTIVE_CPU_LAST] / HMMSVM_POLICY_BLOCK_PAGES;
	__u64 start = block->start / HMMSVM_POLICY_PAGE_SIZE;

	return !page && last + 1 == start / HMMSVM_POLICY_BLOCK_PAGES &&
	       policy_resident(block) == HMMSVM_POLICY_BLOCK_PAGES;
}

/* The CPU took @page of the block: which stride it has if it takes every so many pages; 0: none. */
static __u32 adaptive_stride(struct hmmsvm_policy_env *env,
			     const struct hmmsvm_policy_block *block, __u32 page)
{
	__u64 number = block->start / HMMSVM_POLICY_PAGE_SIZE + page;
	__u64 distance = number - env->priv[ADAPTIVE_CPU_LAST];
	__u64 *stride = &env->priv[ADAPTIVE_STRIDE], *known = &env->priv[ADAPTIVE_STRIDES];

	env->priv[ADAPTIVE_CPU_LAST] = number;
	if (*known && distance <= 2 * HMMSVM_POLICY_BLOCK_PAGES) {
		/* Those in between came along with the first ones. */
		*stride = adaptive_divisor(*stride, distance);
		*known = *stride > 1;
	} else {
		*known = distance == *stride && distance > 1;
		*stride = distance <= ADAPTIVE_STRIDE_MAX ? distance : 0;
	}
	return *known ? (__u32)*stride : 0;
}

/* The CPU takes every so many pages: those of the block from @page on go home. */
static void adaptive_take_comb(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			       __u32 page, __u32 stride, struct hmmsvm_policy_decision *decision)
{
	struct hmmsvm_pages comb = { 0 };
	__u32 i;

	policy_field_set(&env->priv[ADAPTIVE_COMBED], 32, ADAPTIVE_DISTANCE, stride);
	policy_field_set(&env->priv[ADAPTIVE_COMBED], 32, ADAPTIVE_OFFSET,
			 (block->start / HMMSVM_POLICY_PAGE_SIZE + page) % stride);
	policy_field_set(&block->priv[ADAPTIVE_COMB], 16, ADAPTIVE_EVERY, stride);
	policy_field_set(&block->priv[ADAPTIVE_COMB], 16, ADAPTIVE_FIRST, page % stride);
	policy_field_set(&block->priv[ADAPTIVE_COMB], 16, ADAPTIVE_UNSEEN, 1);
	block->priv[ADAPTIVE_SHARED] = 0;
	adaptive_state_set(block, ADAPTIVE_LOST, 0);
	adaptive_state_set(block, ADAPTIVE_LEVEL, 0);
	adaptive_comb(block, &comb);
	for (i = 0; i < HMMSVM_POLICY_WORDS; i++)
		decision->except.bits[i] = ~comb.bits[i];
	policy_decide(decision, HMMSVM_ACTION_TO_SYSTEM, page,
		      HMMSVM_POLICY_BLOCK_PAGES - page);
}

/*
 * The CPU takes a block of few pages. One round it comes over as soon as the device wants it,
 * the next one just a page of it does, by which the end of the round is seen. If time passed
 * more slowly then by more than the way to and fro costs, it comes over at once from now on.
 * Whether it is on trial, or has passed it.
 */
static bool adaptive_try(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block)
{
	__u64 took = env->running_ns - block->priv[ADAPTIVE_TOOK], trial, price;

	trial = adaptive_state(block, ADAPTIVE_TRIAL);
	block->priv[ADAPTIVE_TOOK] = env->running_ns;
	if (trial != ADAPTIVE_THERE)
		block->priv[ADAPTIVE_PAGES] = policy_resident(block);
	if (!adaptive_few(block))
		return false;
	price = 2 * block->priv[ADAPTIVE_PAGES] * env->copy_page_ns + env->device_fault_ns +
		env->cpu_fault_ns;
	if (trial == ADAPTIVE_HERE)
		block->priv[ADAPTIVE_HERE_NS] = took;
	if (trial == ADAPTIVE_THERE && took < block->priv[ADAPTIVE_HERE_NS] + price)
		trial = ADAPTIVE_STAYS;
	else if (trial < ADAPTIVE_SHUTTLES)
		trial++;
	adaptive_state_set(block, ADAPTIVE_TRIAL, trial);
	return trial != ADAPTIVE_STAYS;
}

/* The CPU takes something of the block for the first time since it came over. */
static void adaptive_taken(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block)
{
	env->priv[ADAPTIVE_TAKEN]++;
	env->priv[ADAPTIVE_RAN] /= 2;
	env->priv[ADAPTIVE_BUDGET] /= 2;
	adaptive_state_set(block, ADAPTIVE_LEVEL,
			   policy_min(adaptive_state(block, ADAPTIVE_LEVEL) + 1,
				      ADAPTIVE_LEVEL_MAX));
}

/* The CPU will use the block, too, it seems. */
static void adaptive_cpu_ahead(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			       struct hmmsvm_policy_decision *decision)
{
	__u64 distance = policy_field(&env->priv[ADAPTIVE_COMBED], 32, ADAPTIVE_DISTANCE);
	__u64 offset = policy_field(&env->priv[ADAPTIVE_COMBED], 32, ADAPTIVE_OFFSET);
	__u64 start = block->start / HMMSVM_POLICY_PAGE_SIZE;
	__u32 every = adaptive_comb_field(block, ADAPTIVE_EVERY);

	if (distance) {
		if (!every || every > distance)
			adaptive_take_comb(env, block,
					   (__u32)((offset + distance - start % distance) % distance),
					   (__u32)distance, decision);
	} else if (adaptive_goes_through(env, block, 0)) {
		adaptive_state_set(block, ADAPTIVE_LOST, 1);
		adaptive_taken(env, block);
		block->priv[ADAPTIVE_SHARED] = policy_region_mask(0, HMMSVM_POLICY_BLOCK_PAGES);
		env->priv[ADAPTIVE_CPU_LAST] = start;
		policy_decide_block(decision, HMMSVM_ACTION_TO_SYSTEM);
	}
}

/* Whether the CPU has taken nothing near @page: it may want both ends of the block only. */
static bool adaptive_elsewhere(const struct hmmsvm_policy_block *block, __u32 page)
{
	__u32 near = page - policy_min(page, ADAPTIVE_STRIDE_MAX);
	__u32 end = policy_min(page + ADAPTIVE_STRIDE_MAX, HMMSVM_POLICY_BLOCK_PAGES);

	for (; near < end; near += HMMSVM_POLICY_REGION_PAGES)
		if (adaptive_shared(block, near))
			return false;
	return true;
}

static void adaptive_cpu_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			       const struct hmmsvm_policy_fault *fault,
			       struct hmmsvm_policy_decision *decision)
{
	__u64 *streams = &env->priv[ADAPTIVE_CPU_STREAM];
	__u64 lost = policy_min(adaptive_state(block, ADAPTIVE_LOST) + 1, 255);
	__u32 first = fault->page & ~(HMMSVM_POLICY_REGION_PAGES - 1), i;
	bool through = adaptive_goes_through(env, block, fault->page), once_more;
	__u32 slot, stream, count, stride;

	adaptive_earn(env);
	if (fault->ahead) {
		adaptive_cpu_ahead(env, block, decision);
		return;
	}
	stride = adaptive_stride(env, block, fault->page);
	if (!stride)
		stride = adaptive_combed(env, block, fault->page);
	if (stride) {
		adaptive_take_comb(env, block, fault->page, stride, decision);
		decision->ahead = ADAPTIVE_AHEAD;
		return;
	}
	if (adaptive_try(env, block)) {
		policy_decide_block(decision, HMMSVM_ACTION_TO_SYSTEM);
		return;
	}
	stream = policy_stream_pages(streams, ADAPTIVE_CPU_STREAMS, block->start, first, &slot);
	/* Who skips some may have a stride. */
	if (stream && streams[2 * slot] != block->start / HMMSVM_POLICY_PAGE_SIZE + first &&
	    env->priv[ADAPTIVE_NO_STRIDE] < ADAPTIVE_STRIDE_TRIES)
		stream = 0;
	count = stream ? stream : HMMSVM_POLICY_REGION_PAGES;
	/* A region again, the second time: where it is far off, or to see a stride. */
	once_more = lost == 2 && !stream &&
		    (adaptive_elsewhere(block, fault->page) ||
		     (env->priv[ADAPTIVE_STRIDE] &&
		      env->priv[ADAPTIVE_NO_STRIDE] < ADAPTIVE_STRIDE_TRIES));
	adaptive_state_set(block, ADAPTIVE_LOST, lost);
	if (lost == 1) {
		adaptive_taken(env, block);
		if (through) {
			first = 0;
			count = HMMSVM_POLICY_BLOCK_PAGES;
			decision->ahead = ADAPTIVE_AHEAD;
		}
	} else if (!once_more) {
		env->priv[ADAPTIVE_NO_STRIDE] += lost == 3;
		first = 0;
		count = HMMSVM_POLICY_BLOCK_PAGES;
	}
	policy_stream_note(streams, slot, block->start, first, count,
			   stream ? 2 * (__u32)streams[2 * slot + 1] : 0);
	for (i = first; i < first + count; i += HMMSVM_POLICY_REGION_PAGES)
		block->priv[ADAPTIVE_SHARED] |= 1ull << i / HMMSVM_POLICY_REGION_PAGES;
	/* One page more: who goes on there is not taken for one who takes every 16th page. */
	if (count == HMMSVM_POLICY_REGION_PAGES && first + count < HMMSVM_POLICY_BLOCK_PAGES)
		count++;
	policy_decide(decision, HMMSVM_ACTION_TO_SYSTEM, first, count);
}

/* Takes the block's entries away, as @why says. */
static void adaptive_withdraw(struct hmmsvm_policy_block *block, __u64 why,
			      struct hmmsvm_policy_decision *decision)
{
	adaptive_state_set(block, ADAPTIVE_SAMPLE, why);
	policy_decide_block(decision, HMMSVM_ACTION_WITHDRAW);
}

/* Memory is full, and the block does not fit: whether it is to be the one to race with. */
static void adaptive_race_with(struct hmmsvm_policy_env *env,
			       const struct hmmsvm_policy_block *block)
{
	bool waits = adaptive_state(block, ADAPTIVE_SAMPLE);

	/* It may have been used for the last time. */
	if (adaptive_races(env, block) && waits && env->random % 8 == 0)
		env->priv[ADAPTIVE_RACER] = 0;
	else if (!env->priv[ADAPTIVE_RACER] && !waits && !adaptive_state(block, ADAPTIVE_LEVEL))
		env->priv[ADAPTIVE_RACER] = block->start;
}

/* Memory is full: which resident block is not used while one that does not fit is? */
static void adaptive_race(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			  bool remote, struct hmmsvm_policy_decision *decision)
{
	__u64 laps = env->priv[ADAPTIVE_LAPS_RUN] - adaptive_state(block, ADAPTIVE_LAP);
	__u64 window = policy_max(env->priv[ADAPTIVE_WINDOW], 1), open;

	if (remote)
		adaptive_race_with(env, block);
	if (!remote && adaptive_state(block, ADAPTIVE_SAMPLE) == ADAPTIVE_WATCHED) {
		env->priv[ADAPTIVE_OPEN]++;
		if ((laps & 0xff) < ADAPTIVE_LAPS ||
		    env->priv[ADAPTIVE_PLACES] >= env->priv[ADAPTIVE_REMOTES_LAST])
			return;
		env->priv[ADAPTIVE_SAMPLES] += env->device_fault_ns;
		env->priv[ADAPTIVE_WINDOW] = policy_min(2 * window, ADAPTIVE_WINDOW_MAX);
		env->priv[ADAPTIVE_PLACES]++;
		adaptive_state_set(block, ADAPTIVE_SAMPLE, ADAPTIVE_NO_SAMPLE);
		policy_decide_block(decision, HMMSVM_ACTION_TO_SYSTEM);
		return;
	}
	open = env->priv[ADAPTIVE_OPEN] + env->priv[ADAPTIVE_OPEN_LAST];
	if (adaptive_state(block, ADAPTIVE_SAMPLE) || !env->priv[ADAPTIVE_REMOTES_LAST] ||
	    env->priv[ADAPTIVE_SAMPLES] < env->device_fault_ns)
		return;
	if (remote ? !adaptive_races(env, block) || !open :
	    open >= window || env->random % 1024 * env->priv[ADAPTIVE_LOCALS_LAST] >= 1024 * window)
		return;
	env->priv[ADAPTIVE_OPEN] += !remote;
	adaptive_spend(env, ADAPTIVE_SAMPLES, env->device_fault_ns);
	adaptive_state_set(block, ADAPTIVE_LAP, env->priv[ADAPTIVE_LAPS_RUN] & 0xff);
	adaptive_withdraw(block, ADAPTIVE_WATCHED, decision);
}

/* Brings over what the CPU has not taken of the block, for @price. */
static void adaptive_brings(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			    __u64 price, struct hmmsvm_policy_decision *decision)
{
	__u32 page = 0, first, count;

	while (page < HMMSVM_POLICY_BLOCK_PAGES && adaptive_shared(block, page))
		page += HMMSVM_POLICY_REGION_PAGES;
	/* If it has taken all, all. */
	adaptive_run(block, page % HMMSVM_POLICY_BLOCK_PAGES, &first, &count);
	adaptive_comb(block, &decision->except);
	for (; count > 1 && hmmsvm_pages_test(&decision->except, first); count--)
		first++;
	hmmsvm_pages_clear(&decision->except, first, 1);
	adaptive_spend(env, ADAPTIVE_BUDGET, price);
	adaptive_bought(env);
	adaptive_away(env, block, 0);
	adaptive_state_set(block, ADAPTIVE_LOST, 0);
	adaptive_comes(env, block);
	decision->writable = true;
	policy_decide(decision, HMMSVM_ACTION_TO_DEVICE, first, count);
}

/*
 * Whether to bring a block over that is used where it is: now, if there is room; when it is used
 * next, if another one has to go.
 */
static void adaptive_promote(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			     bool room, struct hmmsvm_policy_decision *decision)
{
	__u64 price = adaptive_price_all(env, block);
	__u64 others = policy_max(env->priv[ADAPTIVE_REMOTES_LAST], 1);
	__u64 chance = env->random % 1024 * others;

	if (adaptive_state(block, ADAPTIVE_SAMPLE))
		return;
	if (!adaptive_state(block, ADAPTIVE_LEVEL) && chance < 1024 * env->priv[ADAPTIVE_PLACES])
		adaptive_withdraw(block, ADAPTIVE_PROMISED, decision);
	else if (!room && chance < 1024 * (env->priv[ADAPTIVE_BUDGET] / (2 * price)))
		adaptive_withdraw(block, ADAPTIVE_WANTED, decision);
	/* Nobody faults for it. */
	else if (room && env->priv[ADAPTIVE_BUDGET] >= price - env->device_fault_ns)
		adaptive_brings(env, block, price - env->device_fault_ns, decision);
}

static void adaptive_tick(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
			  struct hmmsvm_policy_decision *decision)
{
	bool remote = adaptive_state(block, ADAPTIVE_REMOTE);
	bool local = !remote && policy_resident(block);
	bool room = !adaptive_full(env, HMMSVM_POLICY_BLOCK_PAGES) || adaptive_few(block);
	__u64 places;

	adaptive_earn(env);
	if (policy_round(&env->priv[ADAPTIVE_ROUND], adaptive_state(block, ADAPTIVE_IN_ROUND))) {
		env->priv[ADAPTIVE_REMOTES_LAST] = env->priv[ADAPTIVE_REMOTES];
		env->priv[ADAPTIVE_LOCALS_LAST] = env->priv[ADAPTIVE_LOCALS];
		env->priv[ADAPTIVE_OPEN_LAST] = env->priv[ADAPTIVE_OPEN];
		env->priv[ADAPTIVE_REMOTES] = 0;
		env->priv[ADAPTIVE_LOCALS] = 0;
		env->priv[ADAPTIVE_OPEN] = 0;
	}
	adaptive_state_set(block, ADAPTIVE_IN_ROUND, env->priv[ADAPTIVE_ROUND]);
	env->priv[ADAPTIVE_REMOTES] += remote;
	env->priv[ADAPTIVE_LOCALS] += local;
	/* Somebody else may have taken places; those that are left are spoken for. */
	places = policy_min(env->priv[ADAPTIVE_PLACES],
			    env->free_pages / HMMSVM_POLICY_BLOCK_PAGES);
	env->priv[ADAPTIVE_PLACES] = places;
	if (adaptive_comb_field(block, ADAPTIVE_UNSEEN)) {
		policy_field_set(&block->priv[ADAPTIVE_COMB], 16, ADAPTIVE_UNSEEN, 0);
		decision->writable = true;
		policy_decide_block(decision, HMMSVM_ACTION_NONE);
		return;
	}
	if (remote && (room || adaptive_turns_over(env))) {
		if (room && adaptive_proven(env, block) && !adaptive_state(block, ADAPTIVE_LEVEL))
			adaptive_withdraw(block, ADAPTIVE_PROMISED, decision);
		else
			adaptive_promote(env, block, room, decision);
	} else if ((remote || local) &&
		   adaptive_full(env, (places + 1) * HMMSVM_POLICY_BLOCK_PAGES)) {
		adaptive_race(env, block, remote, decision);
	}
}

static void adaptive_evicted(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block)
{
	adaptive_state_set(block, ADAPTIVE_SAMPLE, ADAPTIVE_EVICTED);
	block->priv[ADAPTIVE_LEFT] = env->running_ns;
}

const struct hmmsvm_placement hmmsvm_placement_adaptive = {
	.name = "adaptive",
	.help = "cost against benefit, the cost being time; the default",
	.tunables = adaptive_tunables,
	.nr_tunables = POLICY_ARRAY_SIZE(adaptive_tunables),
	.tick_tunable = ADAPTIVE_TICK,
	.device_fault = adaptive_device_fault,
	.cpu_fault = adaptive_cpu_fault,
	.tick = adaptive_tick,
	.evicted = adaptive_evicted,
};
