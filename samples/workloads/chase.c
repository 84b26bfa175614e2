/*
 * chase: nodes that point to each other in one random cycle, which 64 work-items follow from as
 * many places, until they have visited each node once. No locking; host and device take turns.
 */
#include "workload.h"
#include "chase.h"

#include "chase-kernels.h"

#include <stdlib.h>

WORKLOAD_KERNELS_HERE

static struct {
    struct chase_node *nodes, **starts;
    uint64_t *sums;
    size_t count, steps;
    uint64_t wanted;
} it;

static void prepare(struct workload *w)
{
    uint32_t *order;

    it.count = workload_count(w->bytes, sizeof(*it.nodes));
    it.steps = it.count / WORKLOAD_LOCAL;
    it.nodes = workload_memory(w, it.count, sizeof(*it.nodes));
    it.starts = workload_alloc(w, WORKLOAD_LOCAL, sizeof(*it.starts));
    it.sums = workload_alloc(w, WORKLOAD_LOCAL, sizeof(*it.sums));
    order = sample_alloc(it.count, sizeof(*order));
    for (size_t i = 0; i < it.count; i++) {
        size_t j = sample_random(&w->random) % (i + 1);

        order[i] = order[j];
        order[j] = (uint32_t)i;
    }
    it.wanted = 0;
    for (size_t i = 0; i < it.count; i++) {
        struct chase_node *node = &it.nodes[order[i]];

        node->next = &it.nodes[order[(i + 1) % it.count]];
        node->value = order[i] + 1;
        it.wanted += node->value;
        if (i % it.steps == 0)
            it.starts[i / it.steps] = node;
    }
    free(order);
}

static void pass(struct workload *w, unsigned number)
{
    (void)number;
    sample_set_pointer(w->kernels[0], 0, it.starts);
    sample_set_uint(w->kernels[0], 1, (cl_uint)it.steps);
    sample_set_pointer(w->kernels[0], 2, it.sums);
    workload_run(w, w->kernels[0], WORKLOAD_LOCAL);
}

static bool verify(struct workload *w)
{
    uint64_t sum = 0;

    (void)w;
    for (unsigned i = 0; i < WORKLOAD_LOCAL; i++)
        sum += it.sums[i];
    return workload_word("the sum of nodes", it.count, sum, it.wanted);
}

const struct workload_kind workload_kind = {
    .name = "chase",
    .what = "Nodes that point to each other in a random cycle: pointer chasing.",
    .kernels = { "chase" },
    .prepare = prepare,
    .pass = pass,
    .verify = verify,
};
