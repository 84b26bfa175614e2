/*
 * zipf: a key-value store, of whose records a few are wanted most of the time: the rank of a
 * request's record follows Zipf's law with exponent 0.99, as in YCSB; one in eight writes. Records
 * of a rank lie anywhere. Locking: what is written is atomic on the device.
 */
#include "workload.h"
#include "zipf.h"

#include "zipf-kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXPONENT 0.99

WORKLOAD_KERNELS_HERE

static struct {
    struct zipf_record *records;
    uint32_t *requests, *answers;
    size_t count, wanted;
} it;

/* A rank from 0 on, by inverting the integral of the density. */
static size_t rank(struct workload *w)
{
    double u = (double)(sample_random(&w->random) >> 11) / 9007199254740992.0;
    double most = pow((double)it.count + 1, 1 - EXPONENT) - 1;
    size_t r = (size_t)(pow(u * most + 1, 1 / (1 - EXPONENT))) - 1;

    return r < it.count ? r : it.count - 1;
}

static void prepare(struct workload *w)
{
    uint32_t *places;

    /* a request for each record, with its answer */
    it.count = workload_count(w->bytes, sizeof(*it.records) + 2 * sizeof(uint32_t));
    it.wanted = it.count;
    it.records = workload_memory(w, it.count, sizeof(*it.records));
    it.requests = workload_memory(w, it.wanted, sizeof(*it.requests));
    it.answers = workload_memory(w, it.wanted, sizeof(*it.answers));
    places = sample_alloc(it.count, sizeof(*places));
    for (size_t i = 0; i < it.count; i++) {
        size_t j = sample_random(&w->random) % (i + 1);

        places[i] = places[j];
        places[j] = (uint32_t)i;
        memset(&it.records[i], 0, sizeof(it.records[i]));
        for (unsigned k = 0; k < ZIPF_WORDS; k++)
            it.records[i].words[k] = (uint32_t)(i * 31 + k);
    }
    for (size_t i = 0; i < it.wanted; i++) {
        it.requests[i] = places[rank(w)];
        it.answers[i] = 0;
    }
    free(places);
}

static void pass(struct workload *w, unsigned number)
{
    sample_set_pointer(w->kernels[0], 0, it.records);
    sample_set_pointer(w->kernels[0], 1, it.requests);
    sample_set_pointer(w->kernels[0], 2, it.answers);
    sample_set_uint(w->kernels[0], 3, number);
    workload_run(w, w->kernels[0], it.wanted);
}

static bool verify(struct workload *w)
{
    uint32_t *writes = sample_alloc(it.count, sizeof(*writes));
    bool ok = true;

    memset(writes, 0, it.count * sizeof(*writes));
    for (size_t i = 0; ok && i < it.wanted; i++) {
        uint32_t record = it.requests[i], sum = 0, answer = 0;

        for (unsigned k = 0; k < ZIPF_WORDS; k++)
            sum += record * 31 + k;
        for (unsigned p = 0; p < w->passes; p++) {
            if (ZIPF_WRITES((uint32_t)i, p))
                writes[record]++;
            else
                answer += sum;
        }
        ok = workload_word("the answer to request", i, it.answers[i], answer);
    }
    for (size_t i = 0; ok && i < it.count; i++)
        ok = workload_word("writes of record", i, it.records[i].writes, writes[i]);
    free(writes);
    return ok;
}

const struct workload_kind workload_kind = {
    .name = "zipf",
    .what = "A key-value store whose records are wanted by Zipf's law.",
    .kernels = { "serve" },
    .prepare = prepare,
    .pass = pass,
    .verify = verify,
};
