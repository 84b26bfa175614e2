/*
 * A real graph as the workloads bfs and spmv use it: in compressed rows, as large as is wanted.
 *
 * It comes from a file that the user names, or from the machine's installed packages. Edges count
 * in both directions. To fill more memory than it takes, there are copies of it, linked in a tree
 * through the vertex with the most edges; the last copy is cut off. Vertices are numbered at
 * random, so that neighbours lie anywhere, as in a graph that was not sorted for locality.
 *
 * Locking: none; built on the host before the device sees it.
 */
#ifndef GRAPH_H
#define GRAPH_H

#include "workload.h"

struct rows {
    uint32_t *starts;  /* where the neighbours of a vertex begin; one more than vertices */
    uint32_t *targets; /* the neighbours */
    size_t vertices;   /* a multiple of WORKLOAD_LOCAL: the last ones may have no neighbour */
    size_t edges;
    uint32_t *roots; /* on the host: the vertex with the most edges of each copy */
    size_t copies;
};

/*
 * Makes the graph so large that it takes w->bytes together with so many bytes that the workload
 * itself has for each vertex and edge. All of it is w's memory. Ends the program if there is no
 * graph in the file.
 */
void graph_make(struct workload *w, struct rows *g, size_t vertex_bytes, size_t edge_bytes);

#endif
