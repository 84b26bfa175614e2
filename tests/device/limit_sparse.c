/* SPDX-License-Identifier: MIT */
/*
 * limit_sparse.c - a mapping of 1 TiB of which the device touches a page in each 16 GiB: so many pages come,
 * and no more, and nothing stays of it
 */
#include "harness.h"

#define SIZE (1ull << 40)
#define STEP (16ull << 30)
#define PAGES (SIZE / STEP)

struct work {
    uint8_t *memory;
    uint64_t sum;
};

HARNESS_WG static void touches(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                               unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);
    volatile uint64_t *at = (uint64_t *)(w->memory + x * STEP + x * 4096);

    (void)ctx, (void)y, (void)z;
    __atomic_add_fetch(&w->sum, *at, __ATOMIC_SEQ_CST);
    *at = x + 1;
}

int main(void)
{
    struct work *w = harness_map(HARNESS_PAGE);
    struct hmmsvm_stats s;
    struct harness h;
    uint64_t ranges;

    harness_open_params(&h, (struct hmmsvm_open_params){.workers = 1, .fault_around = 1});
    w->memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                     -1, 0);
    CHECK(w->memory != MAP_FAILED);
    CHECK(!madvise(w->memory, SIZE, MADV_NOHUGEPAGE));
    /* With nothing to touch: what the code and its arguments need. */
    harness_run_ok(&h, touches, w, 1);
    CHECK_EQ(*(uint64_t *)w->memory, 1);
    ranges = harness_delta(&h).ranges;

    harness_mark(&h);
    w->sum = 0;
    harness_run_ok(&h, touches, w, PAGES);
    CHECK_EQ(w->sum, 1); /* all but the first were fresh */
    for (uint64_t i = 0; i < PAGES; i++)
        CHECK_EQ(*(uint64_t *)(w->memory + i * STEP + i * 4096), i + 1);
    s = harness_delta(&h);
    CHECK_GE(s.pages_mirrored, PAGES - 1);
    CHECK_LE(s.pages_mirrored + s.pages_upgraded, 2 * PAGES + 8); /* read first, then written */
    CHECK_EQ(s.pages_populated, 0);
    CHECK_EQ(s.ranges, ranges + PAGES - 1);

    /* Taken away at once, of all of it. */
    CHECK(!madvise(w->memory, SIZE, MADV_DONTNEED));
    w->sum = 0;
    harness_run_ok(&h, touches, w, PAGES);
    CHECK_EQ(w->sum, 0);
    CHECK(!munmap(w->memory, SIZE));
    harness_close(&h);
    return 0;
}
