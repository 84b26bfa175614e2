/*
 * stride: one word of each page, another one in each pass: every page is used, and hardly any of
 * it. No locking; host and device take turns.
 */
#include "workload.h"

#include "stride-kernels.h"

#define PAGE_WORDS 1024u

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
    sample_set_pointer(w->kernels[0], 0, it.words);
    sample_set_uint(w->kernels[0], 1, number * 16 % PAGE_WORDS);
    workload_run(w, w->kernels[0], it.pages);
}

static bool verify(struct workload *w)
{
    for (size_t i = 0; i < it.pages * PAGE_WORDS; i++) {
        unsigned at = i % PAGE_WORDS, times = 0;

        if (at % 16 == 0)
            for (unsigned p = at / 16; p < w->passes; p += PAGE_WORDS / 16)
                times++;
        if (!workload_word("word", i, it.words[i], (uint32_t)(i + times)))
            return false;
    }
    return true;
}

const struct workload_kind workload_kind = {
    .name = "stride",
    .what = "One word of each page, another one in each pass.",
    .kernels = { "touch" },
    .prepare = prepare,
    .pass = pass,
    .verify = verify,
};
