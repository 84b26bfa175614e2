/*
 * gups: updates of random words of one table, as in RandomAccess. Updates are exclusive-ors, so
 * that they may come in any order, and the host undoes them. Locking: the words are atomic on the
 * device.
 */
#include "workload.h"
#include "gups.h"

#include "gups-kernels.h"

WORKLOAD_KERNELS_HERE

static struct {
    uint32_t *table;
    size_t count, updates;
} it;

static void prepare(struct workload *w)
{
    it.count = workload_count(w->bytes, sizeof(*it.table));
    it.updates = workload_count(it.count / 8, 1);
    it.table = workload_memory(w, it.count, sizeof(*it.table));
    for (size_t i = 0; i < it.count; i++)
        it.table[i] = (uint32_t)i;
}

static void pass(struct workload *w, unsigned number)
{
    sample_set_pointer(w->kernels[0], 0, it.table);
    sample_set_uint(w->kernels[0], 1, (cl_uint)it.count);
    sample_set_uint(w->kernels[0], 2, number + (cl_uint)w->random);
    workload_run(w, w->kernels[0], it.updates);
}

static bool verify(struct workload *w)
{
    for (unsigned p = 0; p < w->passes; p++)
        for (size_t i = 0; i < it.updates; i++) {
            uint32_t value = GUPS_VALUE((uint32_t)i, p + (uint32_t)w->random);

            it.table[GUPS_PLACE(value, it.count)] ^= value;
        }
    for (size_t i = 0; i < it.count; i++)
        if (!workload_word("word", i, it.table[i], i))
            return false;
    return true;
}

const struct workload_kind workload_kind = {
    .name = "gups",
    .what = "Updates of random words of one table.",
    .kernels = { "update" },
    .prepare = prepare,
    .pass = pass,
    .verify = verify,
};
