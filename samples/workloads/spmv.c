/*
 * spmv: a sparse matrix, whose places are the edges of a real graph, times a vector, and the result
 * times the matrix again. Whole numbers that wrap, so that the host gets the same. No locking; host
 * and device take turns.
 */
#include "graph.h"

#include "spmv-kernels.h"

#include <stdlib.h>

WORKLOAD_KERNELS_HERE

static struct {
    struct rows graph;
    uint32_t *values, *vectors[2];
} it;

static void first_vector(uint32_t *x)
{
    for (size_t i = 0; i < it.graph.vertices; i++)
        x[i] = (uint32_t)i + 1;
}

static void prepare(struct workload *w)
{
    graph_make(w, &it.graph, 2 * sizeof(uint32_t), sizeof(uint32_t));
    it.values = workload_memory(w, it.graph.edges, sizeof(*it.values));
    for (size_t e = 0; e < it.graph.edges; e++)
        it.values[e] = (uint32_t)e % 7 + 1;
    for (unsigned k = 0; k < 2; k++) {
        it.vectors[k] = workload_memory(w, it.graph.vertices, sizeof(uint32_t));
        first_vector(it.vectors[k]);
    }
}

static void pass(struct workload *w, unsigned number)
{
    sample_set_pointer(w->kernels[0], 0, it.graph.starts);
    sample_set_pointer(w->kernels[0], 1, it.graph.targets);
    sample_set_pointer(w->kernels[0], 2, it.values);
    sample_set_pointer(w->kernels[0], 3, it.vectors[number % 2]);
    sample_set_pointer(w->kernels[0], 4, it.vectors[(number + 1) % 2]);
    workload_run(w, w->kernels[0], it.graph.vertices);
}

static bool verify(struct workload *w)
{
    const struct rows *g = &it.graph;
    uint32_t *vectors[2];
    bool ok = true;

    for (unsigned k = 0; k < 2; k++)
        vectors[k] = sample_alloc(g->vertices, sizeof(uint32_t));
    first_vector(vectors[0]);
    for (unsigned p = 0; p < w->passes; p++) {
        const uint32_t *x = vectors[p % 2];
        uint32_t *y = vectors[(p + 1) % 2];

        for (size_t i = 0; i < g->vertices; i++) {
            y[i] = 0;
            for (uint32_t e = g->starts[i]; e < g->starts[i + 1]; e++)
                y[i] += it.values[e] * x[g->targets[e]];
        }
    }
    for (size_t i = 0; ok && i < g->vertices; i++)
        ok = workload_word("row", i, it.vectors[w->passes % 2][i], vectors[w->passes % 2][i]);
    free(vectors[0]);
    free(vectors[1]);
    return ok;
}

const struct workload_kind workload_kind = {
    .name = "spmv",
    .what = "A sparse matrix with the places of a real graph times a vector, again and again.",
    .kernels = { "multiply" },
    .reads_graph = true,
    .prepare = prepare,
    .pass = pass,
    .verify = verify,
};
