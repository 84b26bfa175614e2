/*
 * hashjoin: two tables are joined on a key: the device builds a hash table of one and looks up the
 * keys of the other, of which half have a partner. Locking: the keys of the hash table are atomic
 * on the device; which of two keys gets a slot does not matter.
 */
#include "workload.h"
#include "hashjoin.h"

#include "hashjoin-kernels.h"

WORKLOAD_KERNELS_HERE

static struct {
    struct hashjoin_row *build, *slots;
    uint32_t *keys, *found;
    size_t rows, slot_count, probes;
} it;

/* Key number i: all differ, and none is 0. Those that have no partner begin behind the rows. */
static uint32_t key_of(size_t i)
{
    return (uint32_t)(i + 1) * 2654435769u;
}

/* A row takes 8 bytes, its slots 16, and its two probes 8 each. */
static void prepare(struct workload *w)
{
    it.rows = workload_count(w->bytes, 8 + 16 + 2 * 8);
    it.slot_count = 2 * it.rows;
    it.probes = 2 * it.rows;
    it.build = workload_memory(w, it.rows, sizeof(*it.build));
    it.slots = workload_memory(w, it.slot_count, sizeof(*it.slots));
    it.keys = workload_memory(w, it.probes, sizeof(*it.keys));
    it.found = workload_memory(w, it.probes, sizeof(*it.found));
    for (size_t i = 0; i < it.rows; i++)
        it.build[i] = (struct hashjoin_row){ .key = key_of(i), .value = (uint32_t)i + 7 };
    for (size_t i = 0; i < it.slot_count; i++)
        it.slots[i] = (struct hashjoin_row){ .key = 0 };
    for (size_t i = 0; i < it.probes; i++) {
        it.keys[i] = key_of(sample_random(&w->random) % (2 * it.rows));
        it.found[i] = 0;
    }
}

static void pass(struct workload *w, unsigned number)
{
    cl_kernel clear = w->kernels[0], build = w->kernels[1], probe = w->kernels[2];

    (void)number;
    sample_set_pointer(clear, 0, it.slots);
    workload_run(w, clear, it.slot_count);
    sample_set_pointer(build, 0, it.build);
    sample_set_pointer(build, 1, it.slots);
    sample_set_uint(build, 2, (cl_uint)it.slot_count);
    workload_run(w, build, it.rows);
    sample_set_pointer(probe, 0, it.keys);
    sample_set_pointer(probe, 1, it.slots);
    sample_set_uint(probe, 2, (cl_uint)it.slot_count);
    sample_set_pointer(probe, 3, it.found);
    workload_run(w, probe, it.probes);
}

static bool verify(struct workload *w)
{
    (void)w;
    for (size_t i = 0; i < it.probes; i++) {
        /* the factor of key_of() is odd: this is its inverse modulo 2^32 */
        uint32_t row = it.keys[i] * 340573321u - 1;

        if (!workload_word("what was found for key", i, it.found[i], row < it.rows ? row + 7 : 0))
            return false;
    }
    return true;
}

const struct workload_kind workload_kind = {
    .name = "hashjoin",
    .what = "A hash table is built of one table, and the keys of another are looked up.",
    .kernels = { "clear", "build", "probe" },
    .prepare = prepare,
    .pass = pass,
    .verify = verify,
};
