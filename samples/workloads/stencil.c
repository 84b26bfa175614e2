/*
 * stencil: a plane in slabs, each memory of its own with a row of its neighbours' on either side.
 * The device computes slab by slab; then the host carries rows over to the neighbours, as programs
 * on many nodes do. No locking; host and device take turns.
 */
#include "workload.h"

#include "stencil-kernels.h"

#include <stdlib.h>
#include <string.h>

#define SLABS 4u
#define WIDTH 1024u

WORKLOAD_KERNELS_HERE

static struct {
    uint32_t *slabs[2][SLABS]; /* from and to, in turns; rows + 2 rows each */
    size_t rows;
    unsigned from;
} it;

static uint32_t first_value(size_t row, size_t column)
{
    return (uint32_t)(row * 31 + column * 17) % 251;
}

/* Rows that the neighbours need; the plane ends in rows of zeros. */
static void carry_rows(unsigned of)
{
    for (unsigned s = 0; s + 1 < SLABS; s++) {
        uint32_t *above = it.slabs[of][s], *below = it.slabs[of][s + 1];

        memcpy(above + (it.rows + 1) * WIDTH, below + WIDTH, WIDTH * sizeof(*above));
        memcpy(below, above + it.rows * WIDTH, WIDTH * sizeof(*above));
    }
}

static void prepare(struct workload *w)
{
    size_t rows = w->bytes / (2 * SLABS * WIDTH * sizeof(uint32_t));

    it.rows = rows > 3 ? rows - 2 : 1;
    it.from = 0;
    for (unsigned s = 0; s < SLABS; s++) {
        size_t words = (it.rows + 2) * WIDTH;

        for (unsigned k = 0; k < 2; k++) {
            it.slabs[k][s] = workload_memory(w, words, sizeof(uint32_t));
            memset(it.slabs[k][s], 0, words * sizeof(uint32_t));
        }
        for (size_t r = 0; r < it.rows; r++)
            for (size_t c = 0; c < WIDTH; c++)
                it.slabs[0][s][(r + 1) * WIDTH + c] = first_value(s * it.rows + r, c);
    }
    carry_rows(0);
}

static void pass(struct workload *w, unsigned number)
{
    (void)number;
    for (unsigned s = 0; s < SLABS; s++) {
        sample_set_pointer(w->kernels[0], 0, it.slabs[it.from][s]);
        sample_set_pointer(w->kernels[0], 1, it.slabs[!it.from][s]);
        workload_run(w, w->kernels[0], it.rows * WIDTH);
    }
    it.from = !it.from;
    carry_rows(it.from);
}

static uint32_t at(const uint32_t *plane, size_t rows, size_t row, size_t column, int down,
                   int right)
{
    row += (size_t)down;
    column += (size_t)right;
    return row < rows && column < WIDTH ? plane[row * WIDTH + column] : 0;
}

static bool verify(struct workload *w)
{
    size_t rows = SLABS * it.rows;
    uint32_t *plane = sample_alloc(rows * WIDTH, sizeof(*plane));
    uint32_t *next = sample_alloc(rows * WIDTH, sizeof(*next)), *swap;
    bool ok = true;

    for (size_t i = 0; i < rows * WIDTH; i++)
        plane[i] = first_value(i / WIDTH, i % WIDTH);
    for (unsigned p = 0; p < w->passes; p++) {
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < WIDTH; c++)
                next[r * WIDTH + c] = at(plane, rows, r, c, 0, 0) + at(plane, rows, r, c, -1, 0) +
                                      at(plane, rows, r, c, 1, 0) + at(plane, rows, r, c, 0, -1) +
                                      at(plane, rows, r, c, 0, 1);
        swap = plane;
        plane = next;
        next = swap;
    }
    for (size_t i = 0; ok && i < rows * WIDTH; i++)
        ok = workload_word(
            "cell", i,
            it.slabs[it.from][i / WIDTH / it.rows][(i / WIDTH % it.rows + 1) * WIDTH + i % WIDTH],
            plane[i]);
    free(plane);
    free(next);
    return ok;
}

const struct workload_kind workload_kind = {
    .name = "stencil",
    .what = "A 5-point stencil over a plane in slabs, whose border rows the host exchanges.",
    .kernels = { "stencil" },
    .prepare = prepare,
    .pass = pass,
    .verify = verify,
};
