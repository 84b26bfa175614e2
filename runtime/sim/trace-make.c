/* SPDX-License-Identifier: MIT */
/*
 * trace-make.c - made-up traces: what arrays a program of that kind has, and in which order the
 * device and the CPU use their pages
 *
 * The patterns are those that papers about unified memory and tiering measure with (STREAM, GUPS,
 * stencils, SpMV, BFS, hash joins, k-means, Zipf), reduced to pages. They are not recordings: a real
 * device runs thousands of threads at once, whose accesses are mixed over a window that these know
 * nothing of. A page that is read from beginning to end counts 64 uses of 64 bytes.
 *
 * No locking.
 */
#include <math.h>
#include <string.h>

#include "trace-make.h"

#define MAKE_BASE 0x7f0000000ull    /* page number; a multiple of a block */
#define MAKE_BLOCK 512ull
#define MAKE_WHOLE 64               /* uses of a page that is gone through */
#define MAKE_LAUNCH_NS 20000        /* between two kernels */

struct make {
    struct hmmsvm_trace_writer *w;
    uint64_t pages, next, state;
};

struct array {
    uint64_t page, count;
};

/* ---- tools --------------------------------------------------------------------------------- */

static uint64_t make_random(struct make *m)
{
    /* splitmix64 */
    uint64_t z = (m->state += 0x9e3779b97f4a7c15ull);

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static uint64_t make_below(struct make *m, uint64_t limit)
{
    return (uint64_t)((unsigned __int128)make_random(m) * limit >> 64);
}

static double make_unit(struct make *m)
{
    return (double)(make_random(m) >> 11) / 9007199254740992.0;
}

static struct array make_array(struct make *m, const char *name, uint64_t pages)
{
    struct array a = { m->next, pages ? pages : 1 };

    hmmsvm_trace_alloc(m->w, a.page, a.count, name);
    m->next += (a.count + 2 * MAKE_BLOCK - 1) / MAKE_BLOCK * MAKE_BLOCK;
    return a;
}

static void cpu(struct make *m, bool write, struct array a)
{
    hmmsvm_trace_access(m->w, true, write, a.page, a.count, MAKE_WHOLE);
}

static void device(struct make *m, bool write, struct array a, uint64_t first, uint64_t count,
                   uint64_t weight)
{
    if (first >= a.count)
        return;
    hmmsvm_trace_access(m->w, false, write, a.page + first,
                        count < a.count - first ? count : a.count - first, weight);
}

static void launch(struct make *m, const char *name)
{
    hmmsvm_trace_time(m->w, MAKE_LAUNCH_NS);
    hmmsvm_trace_kernel(m->w, name);
}

/* A number below n by Zipf's law with exponent 0.99, by the rejection-free approximation of Gray. */
struct zipf {
    double n, zeta, alpha, eta;
};

static struct zipf zipf_new(uint64_t n)
{
    struct zipf z = { .n = (double)n, .alpha = 1 / (1 - 0.99) };
    uint64_t i;

    for (i = 1; i <= n; i++)
        z.zeta += 1 / pow((double)i, 0.99);
    z.eta = (1 - pow(2 / z.n, 1 - 0.99)) / (1 - (1 + pow(0.5, 0.99)) / z.zeta);
    return z;
}

static uint64_t zipf_next(struct make *m, const struct zipf *z)
{
    double u = make_unit(m), uz = u * z->zeta;
    uint64_t i;

    if (uz < 1)
        return 0;
    if (uz < 1 + pow(0.5, 0.99))
        return 1;
    i = (uint64_t)(z->n * pow(z->eta * u - z->eta + 1, z->alpha));
    return i < (uint64_t)z->n ? i : (uint64_t)z->n - 1;
}

/* A permutation of [0, n) without memory: mixes the bits of a power of two, again while outside. */
static uint64_t scatter(uint64_t i, uint64_t n)
{
    unsigned bits = 1;
    uint64_t mask, k;

    while (1ull << bits < n)
        bits++;
    mask = (1ull << bits) - 1;
    do {
        for (k = 0; k < 3; k++) {
            i = (i * 0x5851f42d4c957f2dull + 0x14057b7ef767814full) & mask;
            i ^= i >> (bits + 1) / 2;
        }
    } while (i >= n);
    return i;
}

/* ---- patterns ------------------------------------------------------------------------------ */

static void triad(struct make *m)
{
    struct array a = make_array(m, "a", m->pages / 3), b = make_array(m, "b", m->pages / 3);
    struct array c = make_array(m, "c", m->pages / 3);
    uint64_t i, round;

    cpu(m, true, b);
    cpu(m, true, c);
    for (round = 0; round < 10; round++) {
        launch(m, "triad");
        for (i = 0; i < a.count; i += 16) {
            device(m, false, b, i, 16, MAKE_WHOLE);
            device(m, false, c, i, 16, MAKE_WHOLE);
            device(m, true, a, i, 16, MAKE_WHOLE);
        }
    }
    cpu(m, false, a);
}

static void gups(struct make *m)
{
    struct array t = make_array(m, "table", m->pages);
    uint64_t i, round;

    cpu(m, true, t);
    for (round = 0; round < 8; round++) {
        launch(m, "update");
        for (i = 0; i < 2 * t.count; i++)
            device(m, true, t, make_below(m, t.count), 1, 1);
    }
    cpu(m, false, t);
}

static void stride(struct make *m)
{
    struct array a = make_array(m, "a", m->pages);
    uint64_t i, round;

    cpu(m, true, a);
    for (round = 0; round < 32; round++) {
        launch(m, "column");
        for (i = round % 16; i < a.count; i += 16)
            device(m, false, a, i, 1, 2);
    }
}

static void chase(struct make *m)
{
    struct array a = make_array(m, "nodes", m->pages);
    uint64_t i, round;

    cpu(m, true, a);
    for (round = 0; round < 6; round++) {
        launch(m, "chase");
        for (i = 0; i < a.count; i++)
            device(m, false, a, scatter(i, a.count), 1, 4);
    }
}

static void stencil(struct make *m)
{
    struct array grid[2] = { make_array(m, "grid 0", m->pages / 2),
                             make_array(m, "grid 1", m->pages / 2) };
    struct array edge[2] = { { grid[0].page, 8 }, { grid[1].page, 8 } };
    uint64_t i, round, row = 8;

    cpu(m, true, grid[0]);
    for (round = 0; round < 12; round++) {
        struct array from = grid[round % 2], to = grid[(round + 1) % 2];

        launch(m, "step");
        for (i = 0; i < from.count; i += row) {
            device(m, false, from, i ? i - row : 0, 3 * row, MAKE_WHOLE / 2);
            device(m, true, to, i, row, MAKE_WHOLE);
        }
        /* The host exchanges the edge. */
        cpu(m, true, edge[(round + 1) % 2]);
    }
    cpu(m, false, grid[0]);
}

static void spmv(struct make *m)
{
    struct array rows = make_array(m, "rows", m->pages / 32);
    struct array columns = make_array(m, "columns", m->pages / 4);
    struct array values = make_array(m, "values", m->pages / 2);
    struct array x = make_array(m, "x", m->pages / 8), y = make_array(m, "y", m->pages / 16);
    uint64_t i, k, round;

    cpu(m, true, rows);
    cpu(m, true, columns);
    cpu(m, true, values);
    cpu(m, true, x);
    for (round = 0; round < 10; round++) {
        launch(m, "spmv");
        for (i = 0; i < columns.count; i += 8) {
            device(m, false, rows, i / 8, 1, MAKE_WHOLE);
            device(m, false, columns, i, 8, MAKE_WHOLE);
            device(m, false, values, 2 * i, 16, MAKE_WHOLE);
            for (k = 0; k < 64; k++)
                device(m, false, x, make_below(m, x.count), 1, 2);
            device(m, true, y, i / 4, 1, MAKE_WHOLE);
        }
    }
    cpu(m, false, y);
}

static void bfs(struct make *m)
{
    static const unsigned frontier[] = { 1, 4, 30, 200, 400, 250, 80, 25, 8, 2 };
    struct array offsets = make_array(m, "offsets", m->pages / 10);
    struct array edges = make_array(m, "edges", m->pages * 7 / 10);
    struct array depth = make_array(m, "depth", m->pages / 10);
    struct array queue = make_array(m, "queue", m->pages / 20), flag = make_array(m, "flag", 1);
    uint64_t level, i, search;

    cpu(m, true, offsets);
    cpu(m, true, edges);
    cpu(m, true, depth);
    for (search = 0; search < 3; search++) {
        for (level = 0; level < sizeof(frontier) / sizeof(frontier[0]); level++) {
            uint64_t nodes = edges.count * frontier[level] / 250;

            cpu(m, true, flag);
            launch(m, "level");
            for (i = 0; i < nodes; i++) {
                uint64_t at = make_below(m, edges.count);

                device(m, false, queue, i * queue.count / (nodes + 1), 1, 1);
                device(m, false, offsets, at * offsets.count / edges.count, 1, 1);
                device(m, false, edges, at, make_below(m, 16) ? 1 : 6, 6);
                device(m, true, depth, make_below(m, depth.count), 1, 3);
            }
            device(m, true, flag, 0, 1, 1);
            cpu(m, false, flag);
        }
    }
    cpu(m, false, depth);
}

static void hashjoin(struct make *m)
{
    struct array r = make_array(m, "R", m->pages / 8), s = make_array(m, "S", m->pages / 2);
    struct array table = make_array(m, "table", m->pages / 4);
    struct array out = make_array(m, "out", m->pages / 8);
    uint64_t i, k;

    cpu(m, true, r);
    cpu(m, true, s);
    launch(m, "build");
    for (i = 0; i < r.count; i++) {
        device(m, false, r, i, 1, MAKE_WHOLE);
        for (k = 0; k < 32; k++)
            device(m, true, table, make_below(m, table.count), 1, 1);
    }
    launch(m, "probe");
    for (i = 0; i < s.count; i++) {
        device(m, false, s, i, 1, MAKE_WHOLE);
        for (k = 0; k < 32; k++)
            device(m, false, table, make_below(m, table.count), 1, 1);
        if (i % 4 == 0)
            device(m, true, out, i / 4, 1, MAKE_WHOLE);
    }
    cpu(m, false, out);
}

static void kmeans(struct make *m)
{
    struct array points = make_array(m, "points", m->pages * 15 / 16);
    struct array labels = make_array(m, "labels", m->pages / 16);
    struct array centers = make_array(m, "centers", 4);
    uint64_t i, round;

    cpu(m, true, points);
    cpu(m, true, centers);
    for (round = 0; round < 12; round++) {
        launch(m, "assign");
        for (i = 0; i < points.count; i += 16) {
            device(m, false, points, i, 16, MAKE_WHOLE);
            device(m, false, centers, 0, 4, MAKE_WHOLE);
            device(m, true, labels, i / 16, 1, MAKE_WHOLE);
        }
        /* The host moves the centers. */
        cpu(m, false, labels);
        cpu(m, true, centers);
    }
}

static void pingpong(struct make *m)
{
    struct array a = make_array(m, "a", m->pages);
    struct array part = { a.page, a.count / 16 ? a.count / 16 : 1 };
    uint64_t round;

    for (round = 0; round < 64; round++) {
        part.page = a.page + (round / 16) * part.count;
        cpu(m, true, part);
        launch(m, "use");
        device(m, true, part, 0, part.count, MAKE_WHOLE);
    }
}

static void readmostly(struct make *m)
{
    struct array table = make_array(m, "table", m->pages / 2);
    struct array in = make_array(m, "in", m->pages / 4), out = make_array(m, "out", m->pages / 4);
    uint64_t round, i;

    cpu(m, true, table);
    for (round = 0; round < 10; round++) {
        cpu(m, true, in);
        launch(m, "look up");
        for (i = 0; i < in.count; i++) {
            device(m, false, in, i, 1, MAKE_WHOLE);
            device(m, false, table, make_below(m, table.count), 1, 8);
            device(m, true, out, i, 1, MAKE_WHOLE);
        }
        /* Both read the table; now and then the host writes a little of it. */
        for (i = 0; i < table.count / 64; i++)
            hmmsvm_trace_access(m->w, true, i % 16 == 0, table.page + make_below(m, table.count),
                                1, 1);
        cpu(m, false, out);
    }
}

static void phases(struct make *m)
{
    struct array a = make_array(m, "a", m->pages);
    uint64_t phase, round, quarter = a.count / 4 ? a.count / 4 : 1;

    cpu(m, true, a);
    for (phase = 0; phase < 8; phase++) {
        for (round = 0; round < 15; round++) {
            launch(m, "phase");
            device(m, true, a, phase % 4 * quarter, quarter, MAKE_WHOLE);
        }
    }
}

static void zipf(struct make *m)
{
    struct array a = make_array(m, "a", m->pages);
    struct zipf z = zipf_new(a.count);
    uint64_t i, round;

    cpu(m, true, a);
    for (round = 0; round < 10; round++) {
        launch(m, "serve");
        for (i = 0; i < 3 * a.count; i++)
            device(m, make_below(m, 10) == 0, a, scatter(zipf_next(m, &z), a.count), 1, 8);
    }
}

static void falseshare(struct make *m)
{
    struct array a = make_array(m, "a", m->pages);
    uint64_t i, round;

    cpu(m, true, a);
    for (round = 0; round < 20; round++) {
        launch(m, "work");
        /* The device has 15 of 16 pages, the host the one in between. */
        for (i = 0; i < a.count; i += 16)
            device(m, true, a, i + 1, 15, MAKE_WHOLE);
        for (i = 0; i < a.count; i += 16)
            hmmsvm_trace_access(m->w, true, true, a.page + i, 1, 1);
    }
}

static const struct pattern {
    const char *name;
    void (*make)(struct make *m);
    const char *help;
} patterns[] = {
    { "triad", triad, "a = b + s * c over three arrays, ten times" },
    { "gups", gups, "updates at random, a use each" },
    { "stride", stride, "every 16th page, then every 16th page beside it" },
    { "chase", chase, "a linked list through all pages in a random order, six times" },
    { "stencil", stencil, "two grids in turns; the host writes the edge after each step" },
    { "spmv", spmv, "a sparse matrix in order, its vector at random, ten times" },
    { "bfs", bfs, "breadth-first searches: random pieces of edges, narrow and wide levels" },
    { "hashjoin", hashjoin, "a hash table built and probed at random by two tables in order" },
    { "kmeans", kmeans, "points in order, a few centers that the host moves after each round" },
    { "pingpong", pingpong, "host and device write the same pages in turns" },
    { "readmostly", readmostly, "a table that both read and nobody writes much" },
    { "phases", phases, "one quarter of memory is used fifteen times, then the next" },
    { "zipf", zipf, "random uses by Zipf's law, one in ten a write" },
    { "falseshare", falseshare, "host and device write different pages of the same regions" },
};

#define PATTERNS (sizeof(patterns) / sizeof(patterns[0]))

const char *trace_make_name(unsigned i, const char **help)
{
    if (i >= PATTERNS)
        return NULL;
    if (help)
        *help = patterns[i].help;
    return patterns[i].name;
}

bool trace_make(struct hmmsvm_trace_writer *writer, const char *name, uint64_t pages, uint64_t seed)
{
    struct make m = { .w = writer, .pages = pages, .next = MAKE_BASE, .state = seed };
    char note[128];
    size_t i;

    for (i = 0; i < PATTERNS && strcmp(patterns[i].name, name); i++)
        ;
    if (i == PATTERNS)
        return false;
    snprintf(note, sizeof(note), "made up: %s, %llu pages, seed %llu", name,
             (unsigned long long)pages, (unsigned long long)seed);
    hmmsvm_trace_note(writer, note);
    patterns[i].make(&m);
    return true;
}
