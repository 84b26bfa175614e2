/*
 * phases: a quarter of the memory is hot, which the device updates eight times in a pass and reads
 * the rest once; every second pass another quarter is. No locking; host and device take turns.
 */
#include "workload.h"
#include "phases.h"

#include "phases-kernels.h"

#define UPDATES 8u
#define QUARTERS 4u

WORKLOAD_KERNELS_HERE

static struct {
    uint32_t *words, *sums;
    size_t quarter, groups;
    uint64_t seen;
} it;

static unsigned hot_in(unsigned pass)
{
    return pass / 2 % QUARTERS;
}

static void prepare(struct workload *w)
{
    /* so many words have one sum */
    it.quarter = workload_count(w->bytes / QUARTERS, (PHASES_READS + 1) * sizeof(*it.words)) *
                 PHASES_READS;
    it.words = workload_memory(w, it.quarter * QUARTERS, sizeof(*it.words));
    it.groups = it.quarter * QUARTERS / PHASES_READS;
    it.sums = workload_memory(w, it.groups, sizeof(*it.sums));
    for (size_t i = 0; i < it.quarter * QUARTERS; i++)
        it.words[i] = (uint32_t)i;
    for (size_t i = 0; i < it.groups; i++)
        it.sums[i] = 0;
}

static void pass(struct workload *w, unsigned number)
{
    sample_set_pointer(w->kernels[0], 0, it.words + hot_in(number) * it.quarter);
    for (unsigned i = 0; i < UPDATES; i++)
        workload_run(w, w->kernels[0], it.quarter);
    sample_set_pointer(w->kernels[1], 0, it.words);
    sample_set_pointer(w->kernels[1], 1, it.sums);
    workload_run(w, w->kernels[1], it.groups);
}

static bool verify(struct workload *w)
{
    for (size_t i = 0; i < it.groups; i++) {
        uint32_t words[PHASES_READS], sum = 0;

        for (unsigned k = 0; k < PHASES_READS; k++)
            words[k] = (uint32_t)(i * PHASES_READS + k);
        for (unsigned p = 0; p < w->passes; p++) {
            for (unsigned u = 0; u < UPDATES && i * PHASES_READS / it.quarter == hot_in(p); u++)
                for (unsigned k = 0; k < PHASES_READS; k++)
                    words[k] = PHASES_UPDATED(words[k]);
            for (unsigned k = 0; k < PHASES_READS; k++)
                sum += words[k];
        }
        if (!workload_word("sum", i, it.sums[i], sum))
            return false;
        for (unsigned k = 0; k < PHASES_READS; k++)
            if (!workload_word("word", i * PHASES_READS + k, it.words[i * PHASES_READS + k],
                               words[k]))
                return false;
    }
    return true;
}

const struct workload_kind workload_kind = {
    .name = "phases",
    .what = "A quarter of the memory is hot, and every second pass another one.",
    .kernels = { "update", "add_up" },
    .prepare = prepare,
    .pass = pass,
    .verify = verify,
};
