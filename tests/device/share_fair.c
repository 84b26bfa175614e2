/* SPDX-License-Identifier: MIT */
/*
 * share_fair.c - who thrashes device memory takes nothing from who has no more than his share: a
 * process with a small hot set keeps it beside one that sweeps over more than there is,
 * whoever came first; two that want everything get half each, and a small third one what it wants
 */
#include <signal.h>
#include <sys/prctl.h>

#include "bare.h"

#define HOT     2u
#define VICTIMS 8u /* chunks that are emptied for one migration, at most */
#define ODD     128u /* pages of a process that the device touches beside its buffer, at most */

struct work {
    uint64_t *p;
    uint64_t pages;
    uint32_t *stop; /* NULL: one sweep */
    uint64_t sweeps;
};

HARNESS_WG static void sweep(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                             unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);

    (void)ctx, (void)x, (void)y, (void)z;
    do {
        for (uint64_t i = 0; i < w->pages; i++)
            w->p[i * 512 + i % 512]++;
        w->sweeps++;
    } while (w->stop && !harness_get(w->stop));
}

/* What the process with the hot set shares with the other one. */
struct hot {
    uint32_t begin, there, stop;
    struct hmmsvm_stats stats; /* since it was there */
    uint64_t sweeps, moves;    /* moves: to device memory, in all */
};

static void hot_process(struct hot *hot)
{
    struct work *w = harness_map(HARNESS_PAGE);
    struct harness h;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (!harness_get(&hot->begin))
        usleep(1000);
    devmem_open(&h, 1, "touch");
    w->pages = HOT * DEVMEM_BLOCK_PAGES;
    w->p = devmem_small(HOT);
    devmem_fill(w->p, w->pages, 5);
    /* By device faults, region by region. */
    harness_run_ok(&h, sweep, w, 1);
    CHECK_GE(devmem_resident(&h), w->pages);
    harness_mark(&h);
    w->stop = &hot->stop;
    harness_set(&hot->there, 1);
    harness_run_ok(&h, sweep, w, 1);
    hot->stats = harness_delta(&h);
    hot->sweeps = w->sweeps;
    hot->moves = h.mark.migrations_to_device + hot->stats.migrations_to_device;
    for (uint64_t i = 0; i < w->pages; i++)
        CHECK_EQ(w->p[i * 512 + i % 512], 5 + i + w->sweeps);
    harness_close(&h);
    _exit(0);
}

/*
 * A hot set beside the sweeps; it comes @first, or when device memory is full. Without shares,
 * it loses them.
 */
static void hot_and_thrashing(struct hot *hot, uint64_t chunks, bool first, bool fair)
{
    struct work *w = harness_map(HARNESS_PAGE);
    struct hmmsvm_stats s;
    struct harness h;
    pid_t pid;

    bare_parameter("fair_share", fair);
    memset(hot, 0, sizeof(*hot));
    pid = fork();
    CHECK(pid >= 0);
    if (!pid)
        hot_process(hot);
    devmem_open(&h, 1, "touch");
    w->pages = (chunks + chunks / 2) * DEVMEM_BLOCK_PAGES;
    w->p = devmem_small((unsigned)(chunks + chunks / 2));
    devmem_fill(w->p, w->pages, 0);
    if (!first) {
        harness_run_ok(&h, sweep, w, 1);
        /* The last chunk that went is being filled again. */
        CHECK_GT(devmem_resident(&h), (chunks - 1) * DEVMEM_BLOCK_PAGES);
    }
    harness_set(&hot->begin, 1);
    harness_until(&hot->there, 1);
    harness_run_ok(&h, sweep, w, 1);
    s = harness_delta(&h);
    harness_set(&hot->stop, 1);
    devmem_child_ok(pid);
    printf("hot set %s%s: %llu pages of it there, %llu chunks lost, %llu refaults in %llu sweeps; "
           "thrashing: %llu pages there, %llu chunks lost to itself, %llu to the other\n",
           first ? "first" : "last", fair ? "" : ", no shares", (unsigned long long)hot->stats.device_pages,
           (unsigned long long)hot->stats.evictions, (unsigned long long)hot->stats.refaults,
           (unsigned long long)hot->sweeps,
           (unsigned long long)s.device_pages,
           (unsigned long long)(s.evictions - s.evictions_by_others),
           (unsigned long long)s.evictions_by_others);
    CHECK_GE(s.evictions, chunks / 2);
    CHECK_EQ(s.evictions_limit, 0);
    for (uint64_t i = 0; i < w->pages; i++)
        CHECK_EQ(w->p[i * 512 + i % 512], i + w->sweeps);
    harness_close(&h);
    if (!fair) {
        CHECK_GE(hot->stats.evictions_by_others, HOT);
        bare_parameter("fair_share", 1);
        return;
    }
    CHECK_GE(hot->stats.device_pages, HOT * DEVMEM_BLOCK_PAGES);
    CHECK_LE(hot->stats.device_pages, HOT * DEVMEM_BLOCK_PAGES + ODD);
    CHECK_EQ(hot->stats.evictions + hot->stats.refaults, 0);
    CHECK_LE(s.device_pages, (chunks - HOT) * DEVMEM_BLOCK_PAGES);
    /* The other one has the rest, but for what is being filled again; it lost what was asked for. */
    CHECK_GE(s.device_pages, (chunks - HOT) / 2 * DEVMEM_BLOCK_PAGES);
    CHECK_GE(s.evictions_by_others, first ? 0 : HOT);
    CHECK_LE(s.evictions_by_others, VICTIMS * hot->moves);
}

int main(void)
{
    unsigned chunks;
    struct hot *hot;

    devmem_needed();
    chunks = devmem_chunks(0, 6);
    hot = mmap(NULL, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(hot != MAP_FAILED);
    /* Where both take long, the one in which something has to be given up. */
    if (!getenv("HMMSVM_TEST_SLOW")) {
        hot_and_thrashing(hot, chunks, true, true);
        devmem_used_is(0, 0);
        hot_and_thrashing(hot, chunks, true, false);
        devmem_used_is(0, 0);
    }
    hot_and_thrashing(hot, chunks, false, true);
    devmem_used_is(0, 0);

    bare_in_turns(0, (unsigned[]){chunks, chunks}, (unsigned[]){(chunks + 1) / 2, chunks / 2}, 2, "two");
    devmem_used_is(0, 0);
    bare_in_turns(0, (unsigned[]){chunks, 1, chunks}, (unsigned[]){chunks / 2, 1, (chunks - 1) / 2}, 3,
                  "two and a small one");
    devmem_used_is(0, 0);
    return 0;
}
