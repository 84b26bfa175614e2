/* SPDX-License-Identifier: MIT */
/* limit_contexts.c - 64 contexts at once, each with its engine, all see the same memory and go */
#include "harness.h"

#define CONTEXTS 64u

HARNESS_WG static void adds(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                            unsigned long z)
{
    (void)ctx, (void)x, (void)y, (void)z;
    __atomic_add_fetch(HARNESS_ARG(uint64_t, args, 0), 1, __ATOMIC_SEQ_CST);
}

int main(void)
{
    static struct harness h[CONTEXTS];
    void *slot[CONTEXTS];
    uint64_t *count;

    count = harness_map(HARNESS_PAGE);
    for (unsigned i = 0; i < CONTEXTS; i++) {
        harness_open_params(&h[i], (struct hmmsvm_open_params){.workers = 1, .resident = 1});
        for (unsigned k = 0; k < i; k++)
            CHECK_NE(h[i].info.engine_pid, h[k].info.engine_pid);
    }
    for (unsigned i = 0; i < CONTEXTS; i++)
        harness_submit(&h[i], adds, &slot[i], count, 100);
    for (unsigned i = 0; i < CONTEXTS; i++) {
        struct hmmsvm_completion c = harness_wait(&h[i]);

        CHECK_STATUS(&c, HMMSVM_OK);
        CHECK_EQ(c.groups_run, 100);
        CHECK_GE(harness_delta(&h[i]).device_faults, 1);
    }
    CHECK_EQ(*count, 100 * CONTEXTS);
    /* One change of the page table, and all of them have lost their entry. */
    CHECK(!madvise(count, HARNESS_PAGE, MADV_DONTNEED));
    for (unsigned i = 0; i < CONTEXTS; i++)
        harness_run_ok(&h[i], adds, count, 1);
    CHECK_EQ(*count, CONTEXTS);
    for (unsigned i = 0; i < CONTEXTS; i++)
        harness_close(&h[i]);
    for (unsigned i = 0; i < CONTEXTS; i++)
        CHECK(!harness_process_runs(h[i].info.engine_pid));
    return 0;
}
