/* SPDX-License-Identifier: MIT */
/*
 * tune.c - searches a policy's tunables for one trace, machine and size of memory
 *
 * Coordinate descent: for one tunable after the other, its value times and divided by 2, 4, 8, 16
 * and both limits are tried, and the best is kept, until a round over all of them changes nothing
 * (three at most). That finds the scale of each and not more: an optimum of several that only pays
 * together is missed. A run in which the policy was wrong counts for nothing. No locking.
 */
#include <string.h>

#include "tune.h"

enum { TUNE_ROUNDS = 3, TUNE_VALUES = 10 };

/* Values to try, without the one it has; returns how many. */
static uint32_t tune_values(const struct hmmsvm_tunable *t, int64_t now, int64_t *values)
{
    int64_t candidates[TUNE_VALUES] = { t->min, t->max };
    uint32_t count = 2, kept = 0, i, k;

    for (i = 1; i <= 4; i++) {
        candidates[count++] = hmmsvm_tunable_clamp(t, now >> i);
        candidates[count++] = now > t->max >> i ? t->max : hmmsvm_tunable_clamp(t, now << i);
    }
    for (i = 0; i < count; i++) {
        for (k = 0; k < kept && values[k] != candidates[i]; k++)
            ;
        if (k == kept && candidates[i] != now)
            values[kept++] = candidates[i];
    }
    return kept;
}

static bool tune_better(const struct sim_cell *a, const struct sim_cell *b)
{
    return !a->no_memory && !a->result.faults &&
           (b->result.faults || a->result.memory_ps < b->result.memory_ps);
}

bool sim_tune(struct sim_cell *cell, unsigned jobs, unsigned limit_s, unsigned *tried)
{
    const struct hmmsvm_placement *p = cell->setup.placement;
    struct sim_cell tries[TUNE_VALUES];
    unsigned round;
    uint32_t t, i, n;

    if (!sim_matrix_run(cell, 1, 1, limit_s))
        return false;
    ++*tried;
    for (round = 0; round < TUNE_ROUNDS; round++) {
        bool changed = false;

        for (t = 0; t < p->nr_tunables; t++) {
            int64_t values[TUNE_VALUES];

            n = tune_values(&p->tunables[t], cell->setup.tunables[t], values);
            for (i = 0; i < n; i++) {
                tries[i] = *cell;
                tries[i].setup.tunables[t] = values[i];
            }
            if (!sim_matrix_run(tries, n, jobs, limit_s))
                return false;
            *tried += n;
            for (i = 0; i < n; i++) {
                if (tune_better(&tries[i], cell)) {
                    *cell = tries[i];
                    changed = true;
                }
            }
        }
        if (!changed)
            break;
    }
    return true;
}
