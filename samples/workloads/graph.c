/*
 * Reads graphs and makes them as large as they have to be; graph.h says what it promises. Formats:
 * Matrix Market (coordinate), lines of two numbers (vertices from 0 or 1 on; # and % begin
 * comments), and Packages or status files of Debian, whose dependencies are the edges.
 *
 * Locking: none.
 */
#define _GNU_SOURCE
#include "graph.h"
#include "package-data.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPY_LINKS 8 /* copies that are linked to one: few levels for a search */

/* What was read; it is read once, for the program may make several graphs of it. */
static struct {
    uint32_t (*edges)[2];
    size_t count, room, vertices;
    uint32_t root;
} source;

static void edge_add(uint64_t a, uint64_t b)
{
    if (a == b)
        return;
    if (source.count == source.room) {
        source.room = source.room ? 2 * source.room : 4096;
        source.edges = sample_realloc(source.edges, source.room, sizeof(*source.edges));
    }
    source.edges[source.count][0] = (uint32_t)a;
    source.edges[source.count++][1] = (uint32_t)b;
    if (a >= source.vertices)
        source.vertices = a + 1;
    if (b >= source.vertices)
        source.vertices = b + 1;
}

/* The packages of a file, or without one those that are installed. */
static void packages_add(const char *file)
{
    struct package_files files = { .paths = &file, .count = file != NULL, .installed_only = true };
    struct graph g = { 0 };

    read_packages(&g, &files);
    link_packages(&g);
    for (size_t i = 0; i < g.count; i++)
        g.packages[i]->host_distance = (uint32_t)i;
    for (size_t i = 0; i < g.count; i++)
        for (uint32_t k = 0; k < g.packages[i]->fulfils_count; k++)
            edge_add(i, g.packages[i]->fulfils[k]->owner->host_distance);
    free_graph(&g);
}

static void numbers_add(FILE *in, const char *file, bool matrix)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    bool head = matrix; /* a line with the size comes first */

    while (getline(&line, &room, in) >= 0) {
        const char *text = line + strspn(line, " \t");
        unsigned long long a, b;

        number++;
        if (*text == '#' || *text == '%' || *text == '\n' || *text == '\r' || !*text)
            continue;
        if (!isdigit((unsigned char)*text) || sscanf(text, "%llu %llu", &a, &b) != 2 ||
            a > UINT32_MAX - 1 || b > UINT32_MAX - 1)
            sample_die("%s:%zu: not an edge, which is two numbers from 0 to %u", file, number,
                       UINT32_MAX - 1);
        if (!head)
            edge_add(a, b);
        head = false;
    }
    if (ferror(in))
        sample_die("cannot read %s: %s", file, strerror(errno));
    free(line);
}

static void source_read(const char *file)
{
    char start[64] = "";
    uint32_t *degrees;
    bool matrix;
    FILE *in;

    if (!file) {
        packages_add(NULL);
    } else {
        in = fopen(file, "r");
        if (!in)
            sample_die("cannot read %s: %s; --graph takes a Matrix Market file, an edge list or a "
                       "Packages file",
                       file, strerror(errno));
        if (!fgets(start, sizeof(start), in))
            start[0] = '\0';
        matrix = !strncmp(start, "%%MatrixMarket", 14);
        if (matrix && !strstr(start, "coordinate"))
            sample_die("%s is a dense matrix; a sparse one (coordinate) is wanted", file);
        rewind(in);
        if (isalpha((unsigned char)start[0]) || (unsigned char)start[0] >= 0x80 || start[0] == 0x1f)
            packages_add(file);
        else
            numbers_add(in, file, matrix);
        fclose(in);
    }
    if (!source.count)
        sample_die("there is no edge in %s; name another file with --graph FILE",
                   file ? file : "the installed packages");
    degrees = calloc(source.vertices, sizeof(*degrees));
    if (!degrees)
        sample_die("no memory for a graph of %zu vertices", source.vertices);
    for (size_t i = 0; i < source.count; i++)
        for (int k = 0; k < 2; k++)
            degrees[source.edges[i][k]]++;
    for (size_t i = 1; i < source.vertices; i++)
        if (degrees[i] > degrees[source.root])
            source.root = (uint32_t)i;
    free(degrees);
}

/* How many edges, in both directions, lie within the first so many vertices. */
static size_t edges_within(size_t vertices)
{
    size_t count = 0;

    for (size_t i = 0; i < source.count; i++)
        count += source.edges[i][0] < vertices && source.edges[i][1] < vertices;
    return 2 * count;
}

/* How many of the first vertices fit, with their edges. */
static size_t vertices_within(size_t bytes, size_t vertex_bytes, size_t edge_bytes)
{
    size_t low = 0, high = source.vertices;

    while (low < high) {
        size_t middle = (low + high + 1) / 2;

        if (middle * vertex_bytes + edges_within(middle) * edge_bytes <= bytes)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* The copies side by side, in new numbers; calls f for each edge, once. */
static void edges_walk(const struct rows *g, const uint32_t *numbers, size_t last,
                       void (*f)(const struct rows *g, uint32_t a, uint32_t b, void *arg),
                       void *arg)
{
    for (size_t c = 0; c < g->copies; c++) {
        size_t vertices = c + 1 < g->copies ? source.vertices : last;
        const uint32_t *of = numbers + c * source.vertices;

        for (size_t i = 0; i < source.count; i++)
            if (source.edges[i][0] < vertices && source.edges[i][1] < vertices)
                f(g, of[source.edges[i][0]], of[source.edges[i][1]], arg);
        if (c)
            f(g, g->roots[(c - 1) / COPY_LINKS], g->roots[c], arg);
    }
}

static void edge_count(const struct rows *g, uint32_t a, uint32_t b, void *arg)
{
    (void)arg;
    g->starts[a + 1]++;
    g->starts[b + 1]++;
}

static void edge_put(const struct rows *g, uint32_t a, uint32_t b, void *arg)
{
    uint32_t *next = arg;

    g->targets[next[a]++] = b;
    g->targets[next[b]++] = a;
}

void graph_make(struct workload *w, struct rows *g, size_t vertex_bytes, size_t edge_bytes)
{
    size_t whole, vertices, last;
    uint32_t *numbers, *next;

    if (!source.count)
        source_read(w->file);
    vertex_bytes += sizeof(*g->starts);
    edge_bytes += sizeof(*g->targets);
    whole = source.vertices * vertex_bytes + 2 * source.count * edge_bytes;
    last = vertices_within(w->bytes % whole, vertex_bytes, edge_bytes);
    /* a cut-off copy of nothing, or without its root, is none */
    g->copies = w->bytes / whole + (last > source.root);
    vertices = w->bytes / whole * source.vertices + (last > source.root ? last : 0);
    if (last <= source.root)
        last = source.vertices;
    if (!g->copies) {
        g->copies = 1;
        last = vertices = source.root + 1;
    }
    g->vertices = (vertices + WORKLOAD_LOCAL - 1) / WORKLOAD_LOCAL * WORKLOAD_LOCAL;
    if (g->vertices >= UINT32_MAX)
        sample_die("a graph of %zu vertices is too large; a smaller --size is needed", g->vertices);

    numbers = sample_alloc(vertices, sizeof(*numbers));
    for (size_t i = 0; i < vertices; i++) {
        size_t j = sample_random(&w->random) % (i + 1);

        numbers[i] = numbers[j];
        numbers[j] = (uint32_t)i;
    }
    g->roots = workload_alloc(w, g->copies, sizeof(*g->roots));
    for (size_t c = 0; c < g->copies; c++)
        g->roots[c] = numbers[c * source.vertices + source.root];
    g->starts = workload_memory(w, g->vertices + 1, sizeof(*g->starts));
    memset(g->starts, 0, (g->vertices + 1) * sizeof(*g->starts));
    edges_walk(g, numbers, last, edge_count, NULL);
    for (size_t i = 0; i < g->vertices; i++)
        g->starts[i + 1] += g->starts[i];
    g->edges = g->starts[g->vertices];
    g->targets = workload_memory(w, g->edges, sizeof(*g->targets));
    next = sample_alloc(g->vertices, sizeof(*next));
    memcpy(next, g->starts, g->vertices * sizeof(*next));
    edges_walk(g, numbers, last, edge_put, next);
    free(next);
    free(numbers);
}
