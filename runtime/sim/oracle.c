/* SPDX-License-Identifier: MIT */
/*
 * oracle.c - the least that a trace can cost on a machine, for who knows all of it beforehand
 *
 * The problem: at any moment at most so many pages are in device memory. A use by the device costs a
 * local or a remote line each time, depending on where its page is; to bring a page over costs a
 * copy (or clearing, if nobody has used it yet), to bring it back another one. The CPU finds no page
 * in device memory: what it uses has to be back before. Pages come and go one by one, when they
 * want. One device fault for each block that the device uses is added, as entries come by faults
 * only; nothing else of faults, and of a copy's fixed cost a 512th part a page.
 *
 * Every policy's memory time in sim.c is the cost of one solution of this problem or more: it moves
 * regions and evicts chunks, which is a choice among the moves of pages, and pays for faults
 * besides. So the optimum of the problem is a lower bound for all of them.
 *
 * Two numbers enclose that optimum.
 *
 *   bound    Lagrangian relaxation. Device memory has a price at each time; every page decides for
 *            itself, by dynamic programming over its own uses, when to be there; what all pages
 *            pay is given back. For any prices that is at most the optimum (weak duality). Prices are
 *            raised where too many pages want to be there, by subgradient steps. At best prices it
 *            is the optimum, were it not for two simplifications, both of which lower it: time is
 *            cut into epochs, in which at most a 16th of device memory is used, and all uses of a
 *            page in an epoch are one; and a page that is used in an epoch takes up its share of
 *            that epoch only (exact if an epoch is one use).
 *   reached  A schedule, the better of two. Belady's MIN: a page comes over when it is used if that
 *            pays until the CPU wants it or the trace ends, and for it goes the page that is used
 *            again last of all; if that is itself, it is used where it is. And the same with what
 *            the pages decided at the prices found. Nobody has to be able to tell the future better
 *            than that; so the optimum is at most this.
 *
 * No locking: one thread.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

enum {
    ORACLE_WORK = 60000000,     /* uses looked at while prices are searched */
    ORACLE_STEPS_MIN = 40,
    ORACLE_STEPS_MAX = 1000,
    ORACLE_PATIENCE = 10,       /* steps without a better bound */
};

#define ORACLE_NONE UINT32_MAX

enum use_kind { USE_DEVICE, USE_CPU, USE_FREE };

/* What happens to a page in an epoch; in the order of time. */
struct use {
    uint32_t page;
    uint32_t next;          /* of the same page; ORACLE_NONE */
    uint32_t epoch;
    uint32_t lines;         /* saturates */
    uint8_t kind;
    bool fresh;             /* nobody has used the page before */
    bool kept;              /* dynamic programming: in device memory since the use before */
    bool dropped;           /* brought back since the use before */
    bool in;                /* the solution: it is there when it is used, */
    bool stays;             /* and until the next use */
};

struct page_state {
    double in, out;         /* the least so far, if it ends there */
    uint32_t epoch;         /* of its last use */
    uint32_t last;          /* its last use */
};

struct oracle {
    const struct sim_machine *machine;
    double room;            /* pages of device memory */
    double local, remote, bring, clear, back;
    struct use *uses;
    uint32_t count, capacity, pages, epochs;
    uint32_t *used;         /* in each epoch, pages */
    double *price, *prices; /* of each epoch; and the sum up to it */
    double *wanted;         /* how many pages want to be there */
    struct page_state *state;
    double constant;
};

/* ---- the trace as uses --------------------------------------------------------------------- */

static bool uses_add(struct oracle *o, uint32_t page, enum use_kind kind, uint64_t lines,
                     bool fresh)
{
    struct page_state *state = &o->state[page];

    if (o->count == o->capacity) {
        uint32_t capacity = o->capacity ? o->capacity * 2 : 1 << 16;
        struct use *uses;

        if (o->capacity >= 1u << 30)
            return false;
        uses = realloc(o->uses, capacity * sizeof(*uses));
        if (!uses)
            return false;
        o->uses = uses;
        o->capacity = capacity;
    }
    o->uses[o->count] = (struct use){
        .page = page,
        .next = ORACLE_NONE,
        .epoch = o->epochs,
        .lines = lines > UINT32_MAX ? UINT32_MAX : (uint32_t)lines,
        .kind = (uint8_t)kind,
        .fresh = fresh,
    };
    if (state->last != ORACLE_NONE)
        o->uses[state->last].next = o->count;
    state->last = o->count++;
    return true;
}

/* seen: whether anybody has used the page; a byte each. */
static bool uses_page(struct oracle *o, uint8_t *seen, uint32_t page, enum use_kind kind,
                      uint64_t lines, uint32_t *distinct)
{
    struct page_state *state = &o->state[page];
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): all are set at the start */
    struct use *last = state->last == ORACLE_NONE ? NULL : &o->uses[state->last];
    bool fresh = !seen[page];

    seen[page] = kind != USE_FREE;
    if (kind != USE_DEVICE) {
        /* What has been home since the device used it need not go home. */
        if (!last || (last->kind != USE_DEVICE && last->kind == kind))
            return true;
        return uses_add(o, page, kind, 0, false);
    }
    if (last && last->kind == USE_DEVICE && last->epoch == o->epochs) {
        uint64_t sum = last->lines + lines;

        last->lines = sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
        return true;
    }
    if (*distinct >= o->room / 16) {
        o->epochs++;
        *distinct = 0;
    }
    (*distinct)++;
    return uses_add(o, page, kind, lines, fresh);
}

static bool uses_read(struct oracle *o, const struct hmmsvm_trace *trace,
                      const struct sim_layout *layout)
{
    struct hmmsvm_trace_cursor cursor = { 0 };
    struct hmmsvm_trace_event e;
    uint8_t *seen = calloc(o->pages, 1);
    uint32_t distinct = 0, i;
    bool ok = seen;

    while (ok && hmmsvm_trace_next(trace, &cursor, &e)) {
        enum use_kind kind = USE_FREE;
        uint64_t left, page = e.page, stride = 1;

        if (e.type == HMMSVM_TRACE_ACCESS) {
            kind = e.cpu ? USE_CPU : USE_DEVICE;
            stride = e.stride;
        } else if (e.type != HMMSVM_TRACE_FREE) {
            continue;
        }
        for (left = e.count; ok && left; left--, page += stride) {
            if (!layout->number[page / SIM_BLOCK_PAGES])
                continue;
            ok = uses_page(o, seen, sim_layout_block(layout, page) * SIM_BLOCK_PAGES +
                                    (uint32_t)(page % SIM_BLOCK_PAGES), kind,
                           kind == USE_DEVICE ? e.weight : 0, &distinct);
        }
    }
    free(seen);
    o->epochs++;
    if (!ok)
        return false;
    o->used = calloc(o->epochs, sizeof(*o->used));
    o->price = calloc(o->epochs, sizeof(*o->price));
    o->prices = calloc(o->epochs, sizeof(*o->prices));
    o->wanted = calloc(o->epochs + 1, sizeof(*o->wanted));
    if (!o->used || !o->price || !o->prices || !o->wanted)
        return false;
    for (i = 0; i < o->count; i++)
        if (o->uses[i].kind == USE_DEVICE)
            o->used[o->uses[i].epoch]++;
    return true;
}

/* ---- every page for itself ----------------------------------------------------------------- */

/* What it costs to be there in all epochs between the two. */
static double rent(const struct oracle *o, uint32_t from, uint32_t to)
{
    return to > from ? o->prices[to - 1] - o->prices[from] : 0;
}

/* The least cost of all pages at the present prices; leaves in each use how to get there. */
static double decide(struct oracle *o)
{
    double sum = 0, total = 0;
    uint32_t i;

    for (i = 0; i < o->epochs; i++) {
        sum += o->price[i];
        o->prices[i] = sum;
    }
    for (i = 0; i < o->pages; i++) {
        o->state[i].in = INFINITY;
        o->state[i].out = 0;
        o->state[i].epoch = 0;
    }
    for (i = 0; i < o->count; i++) {
        struct use *u = &o->uses[i];
        struct page_state *s = &o->state[u->page];
        double kept = s->in + rent(o, s->epoch, u->epoch);
        double home = s->in + o->back, came;

        /* What is freed need not go home, if it stays until then. */
        if (u->kind == USE_FREE)
            home = fmin(home, kept);
        u->kept = u->kind == USE_FREE && home == kept;
        u->dropped = home < s->out;
        s->out = u->dropped ? home : s->out;
        came = s->out + (u->fresh ? o->clear : o->bring);
        s->epoch = u->epoch;
        if (u->kind != USE_DEVICE) {
            s->in = INFINITY;
            continue;
        }
        u->kept = kept < came;
        s->in = (u->kept ? kept : came) + u->lines * o->local +
                o->price[u->epoch] / o->used[u->epoch];
        s->out += u->lines * o->remote;
    }
    for (i = 0; i < o->pages; i++) {
        struct page_state *s = &o->state[i];

        if (s->last != ORACLE_NONE)
            total += fmin(s->in + fmin(o->back, rent(o, s->epoch, o->epochs)), s->out);
    }
    return total;
}

/* Goes back from the ends: where each page is when, and how many want to be there. */
static void trace_back(struct oracle *o)
{
    uint32_t i;

    memset(o->wanted, 0, (o->epochs + 1) * sizeof(*o->wanted));
    for (i = o->count; i--;) {
        struct use *u = &o->uses[i];
        struct page_state *s = &o->state[u->page];
        struct use *next = u->next == ORACLE_NONE ? NULL : &o->uses[u->next];
        double last = fmin(o->back, rent(o, u->epoch, o->epochs));
        uint32_t until = next ? next->epoch : o->epochs;
        bool after;

        /* Where it is after this use is what the next one came from; and it stays, or goes home. */
        if (next) {
            after = (next->in && next->kept) || next->dropped;
            u->stays = after && next->kept && (next->in || next->kind == USE_FREE);
        } else {
            after = s->in + last < s->out;
            u->stays = after && last < o->back;
        }
        u->in = u->kind == USE_DEVICE && after;
        u->stays = u->stays && u->in;
        if (!u->in)
            continue;
        o->wanted[u->epoch] += 1.0 / o->used[u->epoch];
        o->wanted[u->epoch + 1] -= 1.0 / o->used[u->epoch];
        if (u->stays && until > u->epoch + 1) {
            o->wanted[u->epoch + 1] += 1;
            o->wanted[until] -= 1;
        }
    }
    for (i = 1; i < o->epochs; i++)
        o->wanted[i] += o->wanted[i - 1];
}

/* ---- a schedule ---------------------------------------------------------------------------- */

/* Pages in device memory by their next use, the last one first. */
struct heap {
    uint32_t *page;
    uint32_t count;
};

struct schedule {
    struct heap heap;
    uint32_t *next_use;     /* of each page: a use's number; ORACLE_NONE: never */
    uint32_t *place;        /* in the heap, plus 1; 0: not in it */
    uint8_t *resident;
    uint32_t *recent;       /* pages used in this epoch: they stay until it ends */
    uint32_t recents;
};

static void heap_swap(struct schedule *s, uint32_t a, uint32_t b)
{
    uint32_t page = s->heap.page[a];

    s->heap.page[a] = s->heap.page[b];
    s->heap.page[b] = page;
    s->place[s->heap.page[a]] = a + 1;
    s->place[page] = b + 1;
}

static uint32_t heap_key(const struct schedule *s, uint32_t at)
{
    return s->next_use[s->heap.page[at]];
}

static void heap_sift(struct schedule *s, uint32_t at)
{
    while (at && heap_key(s, at) > heap_key(s, (at - 1) / 2)) {
        heap_swap(s, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint32_t largest = at, child = 2 * at + 1, i;

        for (i = child; i < child + 2 && i < s->heap.count; i++)
            if (heap_key(s, i) > heap_key(s, largest))
                largest = i;
        if (largest == at)
            return;
        heap_swap(s, at, largest);
        at = largest;
    }
}

static void heap_add(struct schedule *s, uint32_t page)
{
    s->heap.page[s->heap.count] = page;
    s->place[page] = ++s->heap.count;
    heap_sift(s, s->heap.count - 1);
}

static void heap_remove(struct schedule *s, uint32_t page)
{
    uint32_t at = s->place[page] - 1;

    if (!s->place[page])
        return;
    heap_swap(s, at, s->heap.count - 1);
    s->heap.count--;
    s->place[page] = 0;
    if (at < s->heap.count)
        heap_sift(s, at);
}

/* The next use by the device, if the page is not wanted home before. */
static uint32_t device_next(const struct oracle *o, const struct use *u)
{
    return u->next != ORACLE_NONE && o->uses[u->next].kind == USE_DEVICE ? u->next : ORACLE_NONE;
}

/*
 * Follows the uses, with what every page decided where there is room. Frees what the decisions
 * drop if drop is set; else only what has to go. Returns the cost.
 */
static double follow(struct oracle *o, struct schedule *s, bool drop, struct sim_oracle *result)
{
    uint64_t to_device = 0, to_system = 0, local = 0, remote = 0, resident = 0;
    uint32_t epoch = 0, i, k;
    double cost = 0;

    memset(s->resident, 0, o->pages);
    memset(s->place, 0, o->pages * sizeof(*s->place));
    s->heap.count = 0;
    s->recents = 0;
    for (i = 0; i < o->count; i++) {
        const struct use *u = &o->uses[i];
        uint32_t next = device_next(o, u), victim;

        if (u->epoch != epoch) {
            for (k = 0; k < s->recents; k++) {
                uint32_t page = s->recent[k];

                if (!s->resident[page] || s->place[page])
                    continue;
                heap_add(s, page);
            }
            s->recents = 0;
            epoch = u->epoch;
        }
        if (u->kind != USE_DEVICE) {
            if (s->resident[u->page]) {
                heap_remove(s, u->page);
                s->resident[u->page] = 0;
                resident--;
                if (u->kind == USE_CPU) {
                    to_system++;
                    cost += o->back;
                }
            }
            continue;
        }
        if (!s->resident[u->page] && u->in) {
            bool room = resident < o->room;

            if (!room && s->heap.count) {
                victim = s->heap.page[0];
                if (s->next_use[victim] > next ||
                    (s->next_use[victim] == ORACLE_NONE &&
                     u->lines * (o->remote - o->local) > o->bring + o->back)) {
                    heap_remove(s, victim);
                    s->resident[victim] = 0;
                    resident--;
                    to_system++;
                    cost += o->back;
                    room = true;
                }
            }
            if (room) {
                s->resident[u->page] = 1;
                resident++;
                to_device++;
                cost += u->fresh ? o->clear : o->bring;
            }
        }
        if (!s->resident[u->page]) {
            remote += u->lines;
            cost += u->lines * o->remote;
            continue;
        }
        local += u->lines;
        cost += u->lines * o->local;
        heap_remove(s, u->page);
        s->next_use[u->page] = drop && !u->stays ? ORACLE_NONE : next;
        s->recent[s->recents++] = u->page;
    }
    if (cost + o->constant < result->reached_ps) {
        result->reached_ps = cost + o->constant;
        result->to_device = to_device;
        result->to_system = to_system;
        result->lines_local = local;
        result->lines_remote = remote;
    }
    return cost;
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* How often prices are changed: more often where that is cheap. */
static unsigned price_steps(const struct oracle *o)
{
    uint32_t affordable = ORACLE_WORK / (o->count + 1);

    return affordable < ORACLE_STEPS_MIN ? ORACLE_STEPS_MIN :
           affordable > ORACLE_STEPS_MAX ? ORACLE_STEPS_MAX : affordable;
}

/*
 * Raises prices where too many pages want to be there, and lowers them where there is room, for as
 * long as that helps: subgradient steps of Polyak's length towards what was reached, in a direction
 * that remembers the ones before (they would go to and fro otherwise).
 */
static void search_prices(struct oracle *o, struct schedule *s, struct sim_oracle *result)
{
    double *best = calloc(o->epochs, sizeof(*best)), scale = 1;
    double *way = calloc(o->epochs, sizeof(*way));
    unsigned step, stuck = 0, steps = price_steps(o);
    uint32_t i;

    for (step = 0; best && way && step < steps; step++) {
        double bound = decide(o) + o->constant, norm = 0, along, length;

        for (i = 0; i < o->epochs; i++)
            bound -= o->room * o->price[i];
        stuck = step && bound < result->bound_ps * 1.0001 ? stuck + 1 : 0;
        if (bound > result->bound_ps) {
            result->bound_ps = bound;
            memcpy(best, o->price, o->epochs * sizeof(*best));
        }
        trace_back(o);
        if (step % 8 == 0)
            follow(o, s, step != 0, result);
        if (result->reached_ps - result->bound_ps < 0.001 * result->reached_ps)
            break;
        if (stuck == ORACLE_PATIENCE) {
            /* The best prices so far, and smaller steps from there. */
            stuck = 0;
            scale *= 0.7;
            memset(way, 0, o->epochs * sizeof(*way));
            memcpy(o->price, best, o->epochs * sizeof(*best));
            if (scale < 0.001)
                break;
            continue;
        }
        /* Camerini, Fratta and Maffioli's direction: never back against the one before. */
        along = length = 0;
        for (i = 0; i < o->epochs; i++) {
            o->wanted[i] -= o->room;
            if (o->wanted[i] < 0 && o->price[i] == 0)
                o->wanted[i] = 0;
            along += way[i] * o->wanted[i];
            length += way[i] * way[i];
        }
        along = along < 0 ? -1.5 * along / length : 0;
        for (i = 0; i < o->epochs; i++) {
            way[i] = o->wanted[i] + along * way[i];
            norm += way[i] * way[i];
        }
        if (norm == 0)
            break;
        for (i = 0; i < o->epochs; i++)
            o->price[i] = fmax(0, o->price[i] + scale * (result->reached_ps - bound) / norm *
                                  way[i]);
    }
    if (best)
        memcpy(o->price, best, o->epochs * sizeof(*best));
    decide(o);
    trace_back(o);
    follow(o, s, true, result);
    follow(o, s, false, result);
    free(best);
    free(way);
}

bool sim_oracle_run(const struct hmmsvm_trace *trace, const struct sim_layout *layout,
                    const struct sim_machine *machine, uint64_t pages, struct sim_oracle *result)
{
    struct oracle o = {
        .machine = machine,
        .room = fmin((double)pages, (double)layout->count * SIM_BLOCK_PAGES),
        .local = (double)machine->local_line_ps,
        .remote = (double)machine->remote_line_ps,
        .bring = (double)machine->to_device_page_ps + (double)machine->copy_ps / SIM_BLOCK_PAGES,
        .clear = (double)machine->zero_page_ps + (double)machine->copy_ps / SIM_BLOCK_PAGES,
        .back = (double)machine->to_system_page_ps + (double)machine->copy_ps / SIM_BLOCK_PAGES,
        .pages = layout->count * SIM_BLOCK_PAGES,
        .constant = (double)layout->device_blocks * (double)machine->device_fault_ps,
    };
    struct schedule s = { 0 };
    uint32_t i;
    bool ok;

    memset(result, 0, sizeof(*result));
    result->reached_ps = INFINITY;
    o.state = malloc(o.pages * sizeof(*o.state));
    s.heap.page = malloc(o.pages * sizeof(*s.heap.page));
    s.next_use = malloc(o.pages * sizeof(*s.next_use));
    s.place = malloc(o.pages * sizeof(*s.place));
    s.resident = malloc(o.pages);
    s.recent = malloc(o.pages * sizeof(*s.recent));
    ok = o.state && s.heap.page && s.next_use && s.place && s.resident && s.recent;
    if (ok) {
        for (i = 0; i < o.pages; i++)
            o.state[i].last = ORACLE_NONE;
        ok = uses_read(&o, trace, layout);
    }
    if (ok)
        search_prices(&o, &s, result);
    free(o.uses);
    free(o.used);
    free(o.price);
    free(o.prices);
    free(o.wanted);
    free(o.state);
    free(s.heap.page);
    free(s.next_use);
    free(s.place);
    free(s.resident);
    free(s.recent);
    return ok;
}
