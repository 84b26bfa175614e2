/*
 * pingpong: the host fills a piece of memory, the device works on it, the host reads what came of
 * it; then the next piece. No locking; host and device take turns.
 */
#include "workload.h"
#include "pingpong.h"

#include "pingpong-kernels.h"

#define PIECES 8u

WORKLOAD_KERNELS_HERE

static struct {
    uint32_t *words;
    size_t piece; /* words */
    uint64_t sum;
} it;

static void prepare(struct workload *w)
{
    it.piece = workload_count(w->bytes / PIECES, sizeof(*it.words));
    it.words = workload_memory(w, it.piece * PIECES, sizeof(*it.words));
    it.sum = 0;
}

static void pass(struct workload *w, unsigned number)
{
    for (unsigned p = 0; p < PIECES; p++) {
        uint32_t *piece = it.words + p * it.piece;

        for (size_t i = 0; i < it.piece; i++)
            piece[i] = PINGPONG_PRODUCED((uint32_t)i, number * PIECES + p);
        sample_set_pointer(w->kernels[0], 0, piece);
        workload_run(w, w->kernels[0], it.piece);
        for (size_t i = 0; i < it.piece; i++)
            it.sum += piece[i];
    }
}

static bool verify(struct workload *w)
{
    uint64_t sum = 0;

    for (unsigned p = 0; p < w->passes * PIECES; p++)
        for (size_t i = 0; i < it.piece; i++)
            sum += PINGPONG_CONSUMED(PINGPONG_PRODUCED((uint32_t)i, p));
    return workload_word("the sum of pieces", w->passes * PIECES, it.sum, sum);
}

const struct workload_kind workload_kind = {
    .name = "pingpong",
    .what =
        "The host produces, the device consumes, and the host reads the result, piece by piece.",
    .kernels = { "consume" },
    .prepare = prepare,
    .pass = pass,
    .verify = verify,
};
