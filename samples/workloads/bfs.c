/*
 * bfs: a breadth-first search over a real graph, level by level, from another vertex in each pass.
 * Locking: distances and the length of the next level are atomic on the device; the end of a kernel
 * orders one level before the next.
 */
#include "graph.h"

#include "bfs-kernels.h"

#include <stdatomic.h>
#include <stdlib.h>

#define FAR UINT32_MAX /* not reached */

WORKLOAD_KERNELS_HERE

static struct {
    struct rows graph;
    uint32_t *distances, *level, *next;
    atomic_uint *next_count;
    uint32_t root;
} it;

static void prepare(struct workload *w)
{
    graph_make(w, &it.graph, 3 * sizeof(uint32_t), 0);
    it.distances = workload_memory(w, it.graph.vertices, sizeof(*it.distances));
    it.level = workload_memory(w, it.graph.vertices, sizeof(*it.level));
    it.next = workload_memory(w, it.graph.vertices, sizeof(*it.next));
    it.next_count = workload_alloc(w, 1, sizeof(*it.next_count));
}

static void pass(struct workload *w, unsigned number)
{
    size_t count = 1;

    it.root = it.graph.roots[number % it.graph.copies];
    sample_set_pointer(w->kernels[0], 0, it.distances);
    sample_set_uint(w->kernels[0], 1, it.root);
    workload_run(w, w->kernels[0], it.graph.vertices);
    it.level[0] = it.root;
    for (uint32_t distance = 1; count; distance++) {
        uint32_t *swap = it.level;

        atomic_store(it.next_count, 0);
        sample_set_pointer(w->kernels[1], 0, it.graph.starts);
        sample_set_pointer(w->kernels[1], 1, it.graph.targets);
        sample_set_pointer(w->kernels[1], 2, it.distances);
        sample_set_pointer(w->kernels[1], 3, it.level);
        sample_set_uint(w->kernels[1], 4, (cl_uint)count);
        sample_set_pointer(w->kernels[1], 5, it.next);
        sample_set_pointer(w->kernels[1], 6, it.next_count);
        sample_set_uint(w->kernels[1], 7, distance);
        workload_run(w, w->kernels[1],
                     (count + WORKLOAD_LOCAL - 1) / WORKLOAD_LOCAL * WORKLOAD_LOCAL);
        count = atomic_load(it.next_count);
        it.level = it.next;
        it.next = swap;
    }
}

static bool verify(struct workload *w)
{
    const struct rows *g = &it.graph;
    uint32_t *distances = sample_alloc(g->vertices, sizeof(*distances));
    uint32_t *queue = sample_alloc(g->vertices, sizeof(*queue));
    size_t head = 0, tail = 0;
    bool ok = true;

    (void)w;
    for (size_t i = 0; i < g->vertices; i++)
        distances[i] = FAR;
    distances[it.root] = 0;
    queue[tail++] = it.root;
    while (head < tail) {
        uint32_t from = queue[head++];

        for (uint32_t e = g->starts[from]; e < g->starts[from + 1]; e++) {
            if (distances[g->targets[e]] != FAR)
                continue;
            distances[g->targets[e]] = distances[from] + 1;
            queue[tail++] = g->targets[e];
        }
    }
    for (size_t i = 0; ok && i < g->vertices; i++)
        ok = workload_word("the distance of vertex", i, it.distances[i], distances[i]);
    free(distances);
    free(queue);
    return ok;
}

const struct workload_kind workload_kind = {
    .name = "bfs",
    .what = "Breadth-first search over a real graph: package dependencies, or a file.",
    .kernels = { "clear", "spread" },
    .reads_graph = true,
    .prepare = prepare,
    .pass = pass,
    .verify = verify,
};
