/*
 * kmeans: points are put to the nearest of 8 centres on the device, which adds them up too; the
 * host then moves the centres. Whole numbers, so that the host gets the same. Locking: the sums are
 * atomic on the device.
 */
#include "workload.h"
#include "kmeans.h"

#include "kmeans-kernels.h"

#include <stdlib.h>
#include <string.h>

WORKLOAD_KERNELS_HERE

static struct {
    uint32_t *points, *labels;
    struct kmeans_centres *centres;
    size_t count;
} it;

static void first_centres(struct kmeans_centres *c)
{
    memset(c, 0, sizeof(*c));
    for (unsigned k = 0; k < KMEANS_CENTRES; k++)
        for (unsigned d = 0; d < KMEANS_DIMENSIONS; d++)
            c->at[k][d] = (k * 97 + d * 41) % 256;
}

/* The host's part of a pass. */
static void move_centres(struct kmeans_centres *c)
{
    for (unsigned k = 0; k < KMEANS_CENTRES; k++)
        for (unsigned d = 0; d < KMEANS_DIMENSIONS && c->counts[k]; d++)
            c->at[k][d] = c->sums[k][d] / c->counts[k];
    memset(c->sums, 0, sizeof(c->sums));
    memset(c->counts, 0, sizeof(c->counts));
}

static void prepare(struct workload *w)
{
    it.count = workload_count(w->bytes, (KMEANS_DIMENSIONS + 1) * sizeof(uint32_t));
    it.points = workload_memory(w, it.count * KMEANS_DIMENSIONS, sizeof(*it.points));
    it.labels = workload_memory(w, it.count, sizeof(*it.labels));
    it.centres = workload_memory(w, 1, sizeof(*it.centres));
    for (size_t i = 0; i < it.count; i++) {
        uint64_t bits = sample_random(&w->random);

        it.labels[i] = 0;
        for (unsigned d = 0; d < KMEANS_DIMENSIONS; d++)
            it.points[i * KMEANS_DIMENSIONS + d] = bits >> (8 + 8 * d) & 255;
    }
    first_centres(it.centres);
}

static void pass(struct workload *w, unsigned number)
{
    (void)number;
    sample_set_pointer(w->kernels[0], 0, it.points);
    sample_set_pointer(w->kernels[0], 1, it.labels);
    sample_set_pointer(w->kernels[0], 2, it.centres);
    workload_run(w, w->kernels[0], it.count);
    move_centres(it.centres);
}

static bool verify(struct workload *w)
{
    struct kmeans_centres *c = sample_alloc(1, sizeof(*c));
    uint32_t label = 0;
    bool ok = true;

    first_centres(c);
    for (unsigned p = 0; ok && p < w->passes; p++) {
        for (size_t i = 0; ok && i < it.count; i++) {
            const uint32_t *point = it.points + i * KMEANS_DIMENSIONS;
            uint32_t best = UINT32_MAX;

            for (unsigned k = 0; k < KMEANS_CENTRES; k++) {
                uint32_t distance = 0;

                for (unsigned d = 0; d < KMEANS_DIMENSIONS; d++)
                    distance += (point[d] - c->at[k][d]) * (point[d] - c->at[k][d]);
                if (distance < best) {
                    best = distance;
                    label = k;
                }
            }
            c->counts[label]++;
            for (unsigned d = 0; d < KMEANS_DIMENSIONS; d++)
                c->sums[label][d] += point[d];
            if (p + 1 == w->passes)
                ok = workload_word("the label of point", i, it.labels[i], label);
        }
        move_centres(c);
    }
    for (unsigned k = 0; ok && k < KMEANS_CENTRES; k++)
        ok = workload_word("centre", k, it.centres->at[k][0], c->at[k][0]);
    free(c);
    return ok;
}

const struct workload_kind workload_kind = {
    .name = "kmeans",
    .what = "Points are put to the nearest of 8 centres, which the host then moves.",
    .kernels = { "assign" },
    .prepare = prepare,
    .pass = pass,
    .verify = verify,
};
