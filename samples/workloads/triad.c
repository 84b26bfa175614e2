/* triad: a = b + k * c over three arrays, in order, as in STREAM. No locking; host and device take
 * turns. */
#include "workload.h"

#include "triad-kernels.h"

WORKLOAD_KERNELS_HERE

static struct {
    float *a, *b, *c;
    size_t count;
} it;

/* Small whole numbers: a float has them exactly, however they are multiplied and added. */
#define B(i) ((float)((i) % 1021))
#define C(i) ((float)((i) % 61))

static void prepare(struct workload *w)
{
    it.count = workload_count(w->bytes / 3, sizeof(float));
    it.a = workload_memory(w, it.count, sizeof(float));
    it.b = workload_memory(w, it.count, sizeof(float));
    it.c = workload_memory(w, it.count, sizeof(float));
    for (size_t i = 0; i < it.count; i++) {
        it.a[i] = 0;
        it.b[i] = B(i);
        it.c[i] = C(i);
    }
}

static void pass(struct workload *w, unsigned number)
{
    sample_set_pointer(w->kernels[0], 0, it.a);
    sample_set_pointer(w->kernels[0], 1, it.b);
    sample_set_pointer(w->kernels[0], 2, it.c);
    sample_set_uint(w->kernels[0], 3, number % 1000);
    workload_run(w, w->kernels[0], it.count);
}

static bool verify(struct workload *w)
{
    for (size_t i = 0; i < it.count; i++)
        if (!workload_word("a", i, (uint64_t)it.a[i],
                           (uint64_t)(B(i) + (float)((w->passes - 1) % 1000) * C(i))))
            return false;
    return true;
}

const struct workload_kind workload_kind = {
    .name = "triad",
    .what = "Three arrays from begin to end, two read and one written: bandwidth.",
    .kernels = { "triad" },
    .prepare = prepare,
    .pass = pass,
    .verify = verify,
};
