/* SPDX-License-Identifier: MIT */
/*
 * The oracle: against the optimum of small traces, found by trying every set of pages at every
 * moment; against traces worked out by hand; and against every policy, none of which may do better
 * than the bound.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replay.h"

static struct replay r;
static struct sim_oracle oracle;

#define US 1000000.0 /* in picoseconds */
#define FAULT (10 * US)
#define COPY 4096000.0
#define LOCAL 6400.0
#define REMOTE 64000.0

static void ask(uint64_t pages)
{
    assert_true(sim_oracle_run(r.trace, r.layout, r.setup.machine, pages, &oracle));
    assert_true(oracle.bound_ps <= oracle.reached_ps * 1.000001);
}

static void text(const char *trace, uint64_t pages)
{
    replay_text(&r, trace);
    ask(pages);
    replay_end(&r);
}

#define assert_ps(is, wanted)                                                                      \
    do {                                                                                           \
        if (fabs((is) - (wanted)) > 0.002 * (wanted))                                              \
            fail_msg("line %d: %f is not %f", __LINE__, (double)(is), (double)(wanted));           \
    } while (0)

/* ---- by hand ------------------------------------------------------------------------------- */

static void dear_or_cheap(void **state)
{
    (void)state;
    /* 71 lines pay for a copy (57600 ps a line), 72 of them do not need one more. */
    text("cpu w 512\ndevice r 512 1 71\n", 8);
    assert_ps(oracle.bound_ps, FAULT + 71 * REMOTE);
    assert_int_equal(oracle.to_device, 0);
    text("cpu w 512\ndevice r 512 1 72\n", 8);
    assert_ps(oracle.bound_ps, FAULT + COPY + 72 * LOCAL);
    assert_ps(oracle.reached_ps, FAULT + COPY + 72 * LOCAL);
    assert_int_equal(oracle.to_device, 1);
    /* If the CPU wants it back each time, it has to pay for two. */
    text("cpu w 512\ndevice r 512 1 100\ncpu r 512\ndevice r 512 1 100\ncpu r 512\n", 8);
    assert_ps(oracle.bound_ps, FAULT + 200 * REMOTE);
    text("cpu w 512\ndevice r 512 1 200\ncpu r 512\ndevice r 512 1 200\ncpu r 512\n", 8);
    assert_ps(oracle.bound_ps, FAULT + 4 * COPY + 400 * LOCAL);
    /* What nobody has used is only cleared. */
    text("device w 512 1 64\n", 8);
    assert_ps(oracle.bound_ps, FAULT + COPY / 10 + 64 * LOCAL);
    /* And what is freed is not brought back. */
    text("device w 512 1 64\nfree 512 1\ndevice w 512 1 64\n", 8);
    assert_ps(oracle.reached_ps, FAULT + 2 * (COPY / 10 + 64 * LOCAL));
}

/* A loop over one page more than fits: all but one stay, and one is used where it is. */
static void a_loop_too_large(void **state)
{
    char trace[4096] = "cpu w 512 5\n";

    (void)state;
    for (int i = 0; i < 20; i++)
        strcat(trace, "device r 512 5 50\n");
    text(trace, 4);
    assert_ps(oracle.reached_ps, FAULT + 4 * (COPY + 1000 * LOCAL) + 1000 * REMOTE);
    assert_ps(oracle.bound_ps, oracle.reached_ps);
    /* With room for all of them there is nothing to choose. */
    text(trace, 5);
    assert_ps(oracle.bound_ps, FAULT + 5 * (COPY + 1000 * LOCAL));
    assert_ps(oracle.reached_ps, oracle.bound_ps);
}

/* ---- by trying everything ------------------------------------------------------------------ */

enum { PAGES = 4, SETS = 1 << PAGES, EVENTS = 24 };

struct event {
    int kind; /* 0: device, 1: CPU, 2: free */
    unsigned page, weight;
};

static double brute_force(const struct event *events, int count, unsigned room)
{
    double cost[SETS], next[SETS];
    bool seen[PAGES] = {false}, device = false;

    for (unsigned s = 0; s < SETS; s++)
        cost[s] = s ? INFINITY : 0;
    for (int i = 0; i < count; i++) {
        const struct event *e = &events[i];

        for (unsigned to = 0; to < SETS; to++) {
            next[to] = INFINITY;
            if ((unsigned)__builtin_popcount(to) > room || (e->kind && to >> e->page & 1))
                continue;
            for (unsigned from = 0; from < SETS; from++) {
                double c = cost[from];

                for (unsigned p = 0; p < PAGES; p++) {
                    if (to >> p & ~(from >> p) & 1)
                        c += seen[p] ? COPY : COPY / 10;
                    if (from >> p & ~(to >> p) & 1 && !(e->kind == 2 && p == e->page))
                        c += COPY;
                }
                if (!e->kind)
                    c += e->weight * (to >> e->page & 1 ? LOCAL : REMOTE);
                if (c < next[to])
                    next[to] = c;
            }
        }
        memcpy(cost, next, sizeof(cost));
        seen[e->page] = e->kind != 2;
        device |= !e->kind;
    }
    for (unsigned s = 1; s < SETS; s++)
        cost[0] = fmin(cost[0], cost[s]);
    return cost[0] + (device ? FAULT : 0);
}

static uint64_t seed = 1;

static unsigned draw(unsigned limit)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % limit;
}

static void small_traces(void **state)
{
    double worst_bound = 1, worst_reached = 1, sum_bound = 0, sum_reached = 0;
    int rounds = 600;

    (void)state;
    for (int round = 0; round < rounds; round++) {
        struct event events[EVENTS];
        char trace[EVENTS * 32] = "";
        unsigned room = 1 + draw(3);
        int n = 4 + (int)draw(EVENTS - 4);
        double optimum;

        for (int i = 0; i < n; i++) {
            static const char *const what[] = {"device w", "cpu w", "free"};
            struct event *e = &events[i];

            e->kind = draw(8) ? 0 : 1 + draw(4) / 3;
            e->page = draw(PAGES);
            e->weight = 1 + draw(draw(2) ? 40 : 200);
            if (e->kind == 2)
                sprintf(trace + strlen(trace), "free %u 1\n", 512 + e->page);
            else
                sprintf(trace + strlen(trace), "%s %u 1 %u\n", what[e->kind], 512 + e->page,
                        e->kind ? 1 : e->weight);
        }
        replay_text(&r, trace);
        optimum = brute_force(events, n, room);
        ask(room);
        replay_end(&r);
        if (oracle.bound_ps > optimum * 1.0000001 || oracle.reached_ps < optimum * 0.9999999)
            fail_msg("room for %u: bound %f, optimum %f, reached %f\n%s", room, oracle.bound_ps,
                     optimum, oracle.reached_ps, trace);
        if (optimum == 0)
            continue;
        sum_bound += oracle.bound_ps / optimum;
        sum_reached += oracle.reached_ps / optimum;
        worst_bound = fmin(worst_bound, oracle.bound_ps / optimum);
        worst_reached = fmax(worst_reached, oracle.reached_ps / optimum);
    }
    print_message("of the optimum of %d traces: bound %.4f on average, %.4f at worst; reached "
                  "%.4f, %.4f\n", rounds, sum_bound / rounds, worst_bound, sum_reached / rounds,
                  worst_reached);
    assert_true(sum_bound / rounds > 0.99);
    assert_true(sum_reached / rounds < 1.03);
}

/* ---- against the policies ------------------------------------------------------------------ */

static void no_policy_is_better(void **state)
{
    static const unsigned ratios[] = {75, 150};
    const struct hmmsvm_placement *p;
    const char *name;

    (void)state;
    for (unsigned i = 0; (name = trace_make_name(i, NULL)); i++) {
        replay_pattern(&r, name, 2048);
        for (int k = 0; k < 2; k++) {
            r.setup.chunks = sim_chunks_for(r.layout, ratios[k]);
            ask((uint64_t)r.setup.chunks * SIM_BLOCK_PAGES);
            for (unsigned v = 0; (p = hmmsvm_placement_at(v)); v++) {
                replay_policies(&r, p, "lru");
                replay_run(&r);
                if ((double)r.result.memory_ps < oracle.bound_ps)
                    fail_msg("%s at %u %%: %s takes %f ps, the bound is %f", name, ratios[k],
                             p->name, (double)r.result.memory_ps, oracle.bound_ps);
            }
        }
        replay_end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dear_or_cheap),
        cmocka_unit_test(a_loop_too_large),
        cmocka_unit_test(small_traces),
        cmocka_unit_test(no_policy_is_better),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
