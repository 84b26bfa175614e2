/*
 * falseshare: of each page the lower half is the host's and the upper half the device's, and both
 * update theirs at the same time. Locking: none is needed; no word is touched by both.
 */
#include "workload.h"

#include "falseshare-kernels.h"

#define PAGE_WORDS 1024u
#define HALF       (PAGE_WORDS / 2)
#define HOST_STEP  16u /* words: the host updates one of each cache line */

WORKLOAD_KERNELS_HERE

static struct {
    uint32_t *words;
    size_t pages;
} it;

static void prepare(struct workload *w)
{
    it.pages = workload_count(w->bytes, PAGE_WORDS * sizeof(*it.words));
    it.words = workload_memory(w, it.pages * PAGE_WORDS, sizeof(*it.words));
    for (size_t i = 0; i < it.pages * PAGE_WORDS; i++)
        it.words[i] = (uint32_t)i;
}

static void pass(struct workload *w, unsigned number)
{
    size_t count = it.pages * HALF;
    cl_event event;

    sample_set_pointer(w->kernels[0], 0, it.words);
    event = sample_start(&w->sample, w->kernels[0], 1, &count, (const size_t[]){ WORKLOAD_LOCAL });
    for (size_t page = 0; page < it.pages; page++)
        for (unsigned i = 0; i < HALF; i += HOST_STEP)
            it.words[page * PAGE_WORDS + i] += number + 1;
    sample_wait(event);
}

static bool verify(struct workload *w)
{
    uint32_t host = w->passes * (w->passes + 1) / 2;

    for (size_t i = 0; i < it.pages * PAGE_WORDS; i++) {
        unsigned at = i % PAGE_WORDS;
        uint32_t should = (uint32_t)i + (at >= HALF ? w->passes : at % HOST_STEP ? 0 : host);

        if (!workload_word("word", i, it.words[i], should))
            return false;
    }
    return true;
}

const struct workload_kind workload_kind = {
    .name = "falseshare",
    .what = "Host and device update different words of the same pages at the same time.",
    .kernels = { "update" },
    .prepare = prepare,
    .pass = pass,
    .verify = verify,
};
