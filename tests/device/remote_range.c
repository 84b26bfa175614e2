/* SPDX-License-Identifier: MIT */
/*
 * remote_range.c - a policy that leaves memory where it is says how much of it the device sees at
 * once, and what the application changes of that is seen
 *
 * The policy is "counter" with a threshold that nothing reaches, which shows as much as its tunable
 * says. A scan then faults once for each such piece, within the mapping, and nothing moves.
 */
#include "devmem.h"

#define BLOCKS 3u
#define PAGES (BLOCKS * DEVMEM_BLOCK_PAGES)

/* Reads and then writes @pages from @p on, of which @faults pieces are shown; where @sum comes out. */
static void scan(struct harness *h, struct agent *a, uint64_t *p, uint64_t pages, uint64_t faults,
                 uint64_t sum)
{
    struct hmmsvm_stats s;

    harness_mark(h);
    CHECK_EQ(agent_sum_pages(a, p, pages), sum);
    s = harness_delta(h);
    CHECK_EQ(s.device_faults, faults);
    CHECK_EQ(s.pages_mirrored, pages);
    CHECK_EQ(s.pages_writable, 0);

    harness_mark(h);
    agent_fill_pages(a, p, 0, pages);
    s = harness_delta(h);
    CHECK_EQ(s.device_faults, faults);
    CHECK_EQ(s.device_write_faults, faults);
    CHECK_EQ(s.pages_mirrored, 0);
    CHECK_EQ(s.pages_upgraded, pages);
    CHECK_EQ(s.pages_to_device, 0);
    CHECK_EQ(s.policy_errors, 0);
}

static uint64_t *fresh(void)
{
    uint64_t *p = devmem_small(BLOCKS);

    for (unsigned i = 0; i < PAGES; i++)
        p[i * 512] = 1;
    return p;
}

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    CHECK_OK(hmmsvm_device_policy(h.dev, "counter", NULL));
    devmem_tune(&h, "threshold", 15);
    devmem_tune(&h, "tick", 3600000);

    /* By default a region. */
    scan(&h, &a, fresh(), PAGES, PAGES / 16, PAGES);
    devmem_tune(&h, "shown", 128);
    scan(&h, &a, fresh(), PAGES, PAGES / 128, PAGES);
    devmem_tune(&h, "shown", 512);
    scan(&h, &a, fresh(), PAGES, BLOCKS, PAGES);

    /* No further than the mapping, nor into the one beside it. */
    p = fresh();
    CHECK(!mprotect(p, 100 * HARNESS_PAGE, PROT_NONE));
    CHECK(!mprotect(p + 700 * 512, (PAGES - 700) * HARNESS_PAGE, PROT_READ));
    scan(&h, &a, p + 100 * 512, 600, 2, 600);
    harness_mark(&h);
    CHECK_EQ(agent_sum_pages(&a, p + 700 * 512, PAGES - 700), PAGES - 700);
    s = harness_delta(&h);
    CHECK_EQ(s.device_faults, 2);
    CHECK_EQ(s.pages_mirrored, PAGES - 700);

    /* What the application does to a part of it: that is taken away, and the rest is not. */
    p = fresh();
    scan(&h, &a, p, PAGES, BLOCKS, PAGES);
    for (unsigned i = 0; i < PAGES; i++)
        p[i * 512] = 1;
    CHECK(!madvise(p + 512 * 512, 64 * HARNESS_PAGE, MADV_DONTNEED));
    harness_mark(&h);
    CHECK_EQ(agent_sum_pages(&a, p, 512), 512);
    CHECK_EQ(harness_delta(&h).device_faults, 0);
    CHECK_EQ(agent_sum_pages(&a, p + 512 * 512, 512), 512 - 64);
    s = harness_delta(&h);
    /* The zero page is brought in as far as it is expected to be read: 1, 2, 4 ... pages. */
    CHECK_EQ(s.device_faults, 7);
    CHECK_EQ(s.pages_mirrored, 127 - 63);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
