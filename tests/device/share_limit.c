/* SPDX-License-Identifier: MIT */
/*
 * share_limit.c - a context never has more device memory than its limit: it evicts its own, others
 * lose nothing, what does not fit is counted and stays right
 */
#include "bare.h"

#define BLOCKS 4u
#define PAGES  (BLOCKS * DEVMEM_BLOCK_PAGES)
#define REGION (64ul << 10)

struct work {
    uint64_t *p;
    uint64_t pages;
};

HARNESS_WG static void sweep(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                             unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);

    (void)ctx, (void)x, (void)y, (void)z;
    for (uint64_t i = 0; i < w->pages; i++)
        w->p[i * 512 + i % 512] += 5;
}

static uint64_t limit_set(struct harness *h, uint64_t bytes)
{
    struct hmmsvm_limit l;

    CHECK_OK(hmmsvm_device_limit(h->dev, &bytes, &l));
    CHECK_EQ(l.limit, bytes == HMMSVM_NO_LIMIT ? bytes : bytes / REGION * REGION);
    CHECK(l.charged <= l.limit);
    return l.charged;
}

/* What is asked for, four blocks in one request, and what a sweep of the device wants. */
static void two_chunks(struct harness *h, uint64_t *p)
{
    struct work *w = harness_map(HARNESS_PAGE);
    struct hmmsvm_stats s;

    CHECK_EQ(limit_set(h, 2 * DEVMEM_BLOCK), 0);
    harness_mark(h);
    DEVMEM_REQUEST(h, p, BLOCKS * DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
    s = harness_delta(h);
    CHECK_EQ(s.device_pages, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.device_pages_charged, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.device_pages_limit, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.device_pages_share, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.evictions, 2);
    CHECK_EQ(s.evictions_limit, 2);
    CHECK_EQ(s.pages_to_system_evicted, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.failed_no_memory + s.failed_limit, 0);
    devmem_check(p, PAGES, 0);

    w->p = p;
    w->pages = PAGES;
    CHECK_OK(hmmsvm_device_policy(h->dev, "touch", NULL));
    harness_run_ok(h, sweep, w, 1);
    harness_run_ok(h, sweep, w, 1);
    CHECK_OK(hmmsvm_device_policy(h->dev, "remote", NULL));
    s = harness_delta(h);
    printf("limit 2 chunks: %llu pages there, at most %llu; %llu evictions, %llu of them for the limit\n",
           (unsigned long long)s.device_pages, (unsigned long long)s.device_pages_peak,
           (unsigned long long)s.evictions, (unsigned long long)s.evictions_limit);
    CHECK_GT(s.evictions, 2);
    CHECK_EQ(s.evictions_limit, s.evictions);
    CHECK_EQ(s.device_pages_peak, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.evictions_by_others, 0);
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512 + i % 512], i + 10);
    devmem_fill(p, PAGES, 0);
}

/* Limits that are no whole chunks; and one that is lowered, for what is there. */
static void odd_limits(struct harness *h, uint64_t *p)
{
    struct hmmsvm_stats s;

    /* 24 regions and a bit: a block fits in part. */
    CHECK_EQ(limit_set(h, 0), 0);
    CHECK_EQ(limit_set(h, 24 * REGION + 100), 0);
    harness_mark(h);
    DEVMEM_REQUEST(h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, 24 * 16, 0, 8 * 16);
    s = harness_delta(h);
    CHECK_EQ(s.failed_no_memory, 8 * 16);
    CHECK_EQ(s.failed_limit, 8 * 16);
    CHECK_EQ(s.device_pages, 24 * 16);
    devmem_check(p, DEVMEM_BLOCK_PAGES, 0);

    CHECK_EQ(limit_set(h, HMMSVM_NO_LIMIT), 0);
    DEVMEM_REQUEST(h, p, 3 * DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, 3 * DEVMEM_BLOCK_PAGES, 0, 0);
    harness_mark(h);
    CHECK_EQ(limit_set(h, 2 * DEVMEM_BLOCK - 1), DEVMEM_BLOCK);
    s = harness_delta(h);
    CHECK_EQ(s.device_pages, DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.evictions, 2);
    CHECK_EQ(s.evictions_limit, 2);
    CHECK_EQ(limit_set(h, 0), 0);
    harness_mark(h);
    DEVMEM_REQUEST(h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, 0, 0, DEVMEM_BLOCK_PAGES);
    CHECK_EQ(harness_delta(h).failed_limit, DEVMEM_BLOCK_PAGES);
    limit_set(h, HMMSVM_NO_LIMIT);
}

/* The administrator's limit is for all; a context's own does not raise it. */
static void parameter(struct harness *h, uint64_t *p)
{
    struct hmmsvm_limit l;
    struct hmmsvm_stats s;
    int fd = devmem_node();

    bare_parameter("context_limit_mb", 4);
    CHECK_OK(hmmsvm_device_limit(h->dev, NULL, &l));
    CHECK_EQ(l.limit, HMMSVM_NO_LIMIT);
    CHECK_EQ(l.context_max, 2 * DEVMEM_BLOCK);
    CHECK_EQ(l.user_max, HMMSVM_NO_LIMIT);
    DEVMEM_REQUEST(h, p, BLOCKS * DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
    limit_set(h, 3 * DEVMEM_BLOCK);
    s = harness_delta(h);
    CHECK_EQ(s.device_pages, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.device_pages_limit, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(limit_set(h, DEVMEM_BLOCK), DEVMEM_BLOCK);
    CHECK_EQ(harness_delta(h).device_pages_limit, DEVMEM_BLOCK_PAGES);
    bare_parameter("context_limit_mb", 0);
    limit_set(h, HMMSVM_NO_LIMIT);

    /* A file without a context, and what is no limit. */
    l = (struct hmmsvm_limit){.size = sizeof(l)};
    CHECK(ioctl(fd, HMMSVM_IOC_LIMIT, &l) && errno == ENOTCONN);
    bare_context(fd, 0);
    CHECK_EQ(bare_limit(fd, false, 0).charged, 0);
    l.flags = 2;
    CHECK(ioctl(fd, HMMSVM_IOC_LIMIT, &l) && errno == EINVAL);
    l.flags = 0;
    l.reserved = 1;
    CHECK(ioctl(fd, HMMSVM_IOC_LIMIT, &l) && errno == EINVAL);
    close(fd);
}

int main(void)
{
    struct harness h;
    uint64_t *p, *q;
    int other;

    devmem_open(&h, 1, "remote");
    p = devmem_small(BLOCKS);
    q = devmem_small(1);
    devmem_fill(p, PAGES, 0);
    devmem_fill(q, DEVMEM_BLOCK_PAGES, 7);
    /* Another context has a chunk all the while. */
    other = devmem_node();
    bare_context(other, 0);
    CHECK_EQ(bare_move(other, q, DEVMEM_BLOCK_PAGES), DEVMEM_BLOCK_PAGES);

    two_chunks(&h, p);
    odd_limits(&h, p);
    parameter(&h, p);

    CHECK_EQ(bare_stats(other).evictions, 0);
    CHECK_EQ(bare_stats(other).device_pages, DEVMEM_BLOCK_PAGES);
    devmem_check(p, PAGES, 0);
    devmem_check(q, DEVMEM_BLOCK_PAGES, 7);
    close(other);
    harness_close(&h);
    devmem_used_is(0, 0);
    return 0;
}
