/*
 * readmostly: a table that the device looks up random words in and the host reads all of, and which
 * the host changes in a few places every fourth pass. No locking; host and device take turns.
 */
#include "workload.h"
#include "readmostly.h"

#include "readmostly-kernels.h"

#define CHANGE_EVERY 4u
#define CHANGE_STEP  65536u /* words from one change to the next */
#define READ_STEP    16u    /* words: one of each cache line */

WORKLOAD_KERNELS_HERE

static struct {
    uint32_t *table, *sums;
    size_t count, items;
    uint64_t seen, should; /* by the host */
} it;

static uint32_t word_of(size_t i, unsigned pass)
{
    unsigned changes = i % CHANGE_STEP ? 0 : pass / CHANGE_EVERY;

    return (uint32_t)i * 2246822519u + changes;
}

static void prepare(struct workload *w)
{
    it.count = workload_count(w->bytes / 8 * 7, sizeof(*it.table));
    it.items = workload_count(w->bytes / 8, sizeof(*it.sums));
    it.table = workload_memory(w, it.count, sizeof(*it.table));
    it.sums = workload_memory(w, it.items, sizeof(*it.sums));
    for (size_t i = 0; i < it.count; i++)
        it.table[i] = word_of(i, 0);
    for (size_t i = 0; i < it.items; i++)
        it.sums[i] = 0;
    it.seen = 0;
}

static void pass(struct workload *w, unsigned number)
{
    if (number && number % CHANGE_EVERY == 0)
        for (size_t i = 0; i < it.count; i += CHANGE_STEP)
            it.table[i]++;
    sample_set_pointer(w->kernels[0], 0, it.table);
    sample_set_uint(w->kernels[0], 1, (cl_uint)it.count);
    sample_set_uint(w->kernels[0], 2, (cl_uint)w->random + number);
    sample_set_pointer(w->kernels[0], 3, it.sums);
    workload_run(w, w->kernels[0], it.items);
    for (size_t i = 0; i < it.count; i += READ_STEP)
        it.seen += it.table[i];
}

static bool verify(struct workload *w)
{
    uint64_t seen = 0;

    for (unsigned p = 0; p < w->passes; p++)
        for (size_t i = 0; i < it.count; i += READ_STEP)
            seen += word_of(i, p);
    if (!workload_word("what the host read in passes", w->passes, it.seen, seen))
        return false;
    for (size_t i = 0; i < it.items; i++) {
        uint32_t sum = 0;

        for (unsigned p = 0; p < w->passes; p++)
            for (uint32_t k = 0; k < READMOSTLY_READS; k++) {
                uint32_t pass = (uint32_t)w->random + p;

                sum += word_of(READMOSTLY_PLACE((uint32_t)i, k, pass, it.count), p);
            }
        if (!workload_word("sum", i, it.sums[i], sum))
            return false;
    }
    return true;
}

const struct workload_kind workload_kind = {
    .name = "readmostly",
    .what = "A table that both sides read and the host seldom changes.",
    .kernels = { "look_up" },
    .prepare = prepare,
    .pass = pass,
    .verify = verify,
};
