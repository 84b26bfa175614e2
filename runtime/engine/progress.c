/* SPDX-License-Identifier: MIT */
/*
 * Forward progress: work-groups that wait for each other, or for the host,
 * advance although there are more of them than workers.
 *
 * One thread of the pool looks now and then how the workers get on. It sleeps
 * while no group has to wait for a worker (ring->watch). A group waits if it
 * says so (it changes its ctx_waiting) or if it has not ended for long, which
 * may mean the same. If then others could start
 *
 *   - what the worker claimed and did not start is taken from it (it comes into
 *     pool->given, from which any worker takes one by one, the first ones
 *     first),
 *   - and another worker is called in its stead, as long as there are groups to
 *     start, fewer than ring->workers of them are at work without waiting, and
 *     there are no more than pool->resident. The kernel's scheduler then sees to
 *     it that all of them advance.
 *
 * Launches are marked for that (enum ring_crowd): where groups wait they are
 * claimed one at a time, and the added workers stay with the launches for which
 * they were called until those have no group left; then they sleep until they
 * are called again, so that ordinary launches run on ring->workers threads.
 *
 * In the order in which groups are claimed, a group can wait for earlier ones
 * without any of this: of the groups that have not ended the first one runs.
 *
 * Taking groups back costs a worker one load for each group it runs: see
 * worker_next(). The barrier between its announcement and that load is made
 * here, on all processors at once, by membarrier(2). Where the kernel does not
 * have it, claims have one group.
 *
 * Locking: pool->lock guards pool->given, and is held while claims are lowered.
 * It is taken by workers only when they take from there, or when a claim was
 * lowered or ends early. Nothing else is locked under it. pool->workers and
 * the list grow in this thread alone.
 */
#include "progress.h"

#include <linux/membarrier.h>
#include <stdio.h>
#include <string.h>

/* How often it looks, and how often while groups wait. */
#define PROGRESS_TICK_NS      (20u * 1000000u)
#define PROGRESS_FAST_TICK_NS (5u * 1000000u)

/* After how long a group that has not ended is taken for one that waits. */
#define PROGRESS_PATIENCE_NS (1000u * 1000000u)

/* How long it does without further workers if none could be started. */
#define PROGRESS_PAUSE_NS (1000u * 1000000u)

/**
 * struct progress - what the thread knows
 * @pause:      no worker is started before that time; ring_now_ns()
 * @registered: membarrier() is ready
 */
struct progress {
    struct hmmsvm_pool *pool;
    uint64_t pause;
    bool registered;
};

/* ---- for workers ------------------------------------------------------------- */

bool progress_take(struct hmmsvm_worker *w)
{
    struct hmmsvm_pool *pool = w->pool;
    struct hmmsvm_returned *r = pool->given;
    uint32_t n;
    bool taken;

    pthread_mutex_lock(&pool->lock);
    n = atomic_load(&pool->returned);
    taken = n;
    if (taken) {
        /* Of a launch that failed none is to start: they are accounted for at once. */
        uint32_t count = atomic_load(&r->slot->failed) ? (uint32_t)r->count : 1;

        hmmsvm_worker_claimed(w, r->slot, r->first, count);
        r->first += count;
        r->count -= count;
        if (!r->count) {
            memmove(r, r + 1, (n - 1) * sizeof(*r));
            atomic_store(&pool->returned, n - 1);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return taken;
}

bool progress_may_go_on(struct hmmsvm_worker *w)
{
    uint64_t at = atomic_load(&w->at), limit;

    pthread_mutex_lock(&w->pool->lock);
    limit = atomic_load(&w->limit);
    pthread_mutex_unlock(&w->pool->lock);
    if (at < limit)
        return true;
    w->count = (uint32_t)(limit & CLAIM_GROUPS);
    return false;
}

void progress_close(struct hmmsvm_worker *w)
{
    pthread_mutex_lock(&w->pool->lock);
    w->count = (uint32_t)(atomic_load(&w->limit) & CLAIM_GROUPS);
    atomic_store(&w->at, atomic_load(&w->at) | CLAIM_CLOSED);
    pthread_mutex_unlock(&w->pool->lock);
}

/* ---- looking ------------------------------------------------------------------- */

/* Sees which workers run a group that waits; returns how many. */
static unsigned progress_look(struct hmmsvm_pool *pool, uint64_t now)
{
    unsigned n = 0;

    for (unsigned i = 0; i < pool->workers; i++) {
        struct hmmsvm_worker *w = pool->list[i];
        uint32_t value = hmmsvm_worker_waiting(w);
        uint64_t limit = atomic_load(&w->limit), at = atomic_load(&w->at);

        if (at != w->seen_at || at >= limit) { /* another group, or none */
            w->waits = false;
            w->seen_at = at;
            w->seen_waiting = value;
            w->seen_ns = now;
        } else if (!w->waits) {
            w->waits = value != w->seen_waiting || now - w->seen_ns >= PROGRESS_PATIENCE_NS;
        }
        if (!w->waits)
            continue;
        /* It may have ended just now: then some other launch is taken for one that waits. */
        atomic_store(&atomic_load(&w->slot)->crowd, RING_CROWD_WAITS);
        n++;
    }
    return n;
}

/* Groups that no worker has claimed, at most @most of them; with @mark added workers may run them. */
static uint64_t progress_unclaimed(struct ring *ring, uint64_t most, bool mark)
{
    uint32_t head = atomic_load(&ring->head), tail = atomic_load(&ring->tail);
    uint64_t n = 0;

    for (uint32_t i = 0; i < tail - head && i < RING_QUEUE && n < most; i++) {
        struct ring_slot *slot = ring_ready(ring, head + i);
        uint64_t left = slot ? atomic_load(&slot->remaining) : 0;

        uint32_t none = RING_CROWD_NONE;

        if (left && mark)
            atomic_compare_exchange_strong(&slot->crowd, &none, RING_CROWD_HELPED);
        n += left < most - n ? left : most - n;
    }
    return n;
}

/* Workers that were added and are at work, and in *@late how many of them have not begun yet. */
static unsigned progress_called(const struct hmmsvm_pool *pool, unsigned *late)
{
    unsigned n = 0;

    *late = 0;
    for (unsigned i = pool->ring->workers; i < pool->workers; i++) {
        struct hmmsvm_worker *w = pool->list[i];

        if (!atomic_load(&w->go))
            continue;
        n++;
        *late += atomic_load(&w->at) == w->called_at;
    }
    return n;
}

/* ---- doing something -------------------------------------------------------------- */

/* A barrier on every processor that runs a thread of this process. */
static bool progress_barrier(struct progress *p)
{
    if (!p->registered &&
        syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
        return false;
    p->registered = true;
    return !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

/* Lowers the claim of a worker to the group that it runs, unless there is nothing above that. */
static bool progress_lower(struct hmmsvm_worker *w)
{
    uint64_t limit = atomic_load(&w->limit), at = atomic_load(&w->at);

    if (at >> CLAIM_BITS != limit >> CLAIM_BITS || at + 1 >= limit ||
        !atomic_compare_exchange_strong(&w->limit, &limit, at + 1))
        return false;
    w->lowered = limit;
    return true;
}

/* What a lowered claim came to, after the barrier: @r, or nothing, and it is as it was. */
static bool progress_settle(struct hmmsvm_worker *w, bool barrier, struct hmmsvm_returned *r)
{
    uint64_t limit = atomic_load(&w->limit);
    struct ring_slot *slot = atomic_load(&w->slot);
    uint64_t first = atomic_load(&w->first);

    if (limit >> CLAIM_BITS != w->lowered >> CLAIM_BITS)
        return false; /* it has another claim by now */
    if (!barrier || atomic_load(&w->at) + 1 != limit) {
        /* It went on, maybe without seeing the new limit. Fails if it has another claim. */
        atomic_compare_exchange_strong(&w->limit, &limit, w->lowered);
        return false;
    }
    r->slot = slot;
    r->first = first + (limit & CLAIM_GROUPS);
    r->count = w->lowered - limit;
    return true;
}

/* Puts @r in its place: groups may wait for earlier ones, so those are to start first. */
static void progress_insert(struct hmmsvm_pool *pool, uint32_t n, struct hmmsvm_returned r)
{
    while (n && (pool->given[n - 1].slot->id > r.slot->id ||
                 (pool->given[n - 1].slot == r.slot && pool->given[n - 1].first > r.first))) {
        pool->given[n] = pool->given[n - 1];
        n--;
    }
    pool->given[n] = r;
}

/* Takes back what workers that wait have claimed and not started. */
static void progress_take_back(struct progress *p)
{
    struct hmmsvm_pool *pool = p->pool;
    bool any = false, barrier;
    uint32_t n;

    pthread_mutex_lock(&pool->lock);
    n = atomic_load(&pool->returned);
    for (unsigned i = 0; i < pool->workers; i++) {
        struct hmmsvm_worker *w = pool->list[i];

        w->lowered = 0;
        if (w->waits)
            any |= progress_lower(w);
    }
    barrier = any && progress_barrier(p);
    for (unsigned i = 0; any && i < pool->workers; i++) {
        struct hmmsvm_worker *w = pool->list[i];

        struct hmmsvm_returned r;

        if (w->lowered && progress_settle(w, barrier && n < pool->resident, &r))
            progress_insert(pool, n++, r);
    }
    atomic_store(&pool->returned, n);
    pthread_mutex_unlock(&pool->lock);
}

/* Groups that were given back, at most @most. */
static uint64_t progress_returned(struct hmmsvm_pool *pool, uint64_t most)
{
    uint64_t n = 0;

    pthread_mutex_lock(&pool->lock);
    for (uint32_t i = 0; i < atomic_load(&pool->returned) && n < most; i++)
        n += pool->given[i].count < most - n ? pool->given[i].count : most - n;
    pthread_mutex_unlock(&pool->lock);
    return n;
}

/* Lets a worker claim that was added before and sleeps, or adds one; false if there can't be more. */
static bool progress_call(struct progress *p, unsigned *from)
{
    struct hmmsvm_pool *pool = p->pool;
    struct ring *ring = pool->ring;
    int err;

    for (; *from < pool->workers; ++*from) {
        struct hmmsvm_worker *w = pool->list[*from];

        if (atomic_load(&w->go))
            continue;
        w->called_at = atomic_load(&w->at);
        atomic_store(&w->go, 1);
        ring_futex_wake(&w->go, 1);
        return true;
    }
    if (pool->workers >= pool->resident || ring_now_ns() < p->pause)
        return false;
    /* Before it starts: who reports what it ran tells how many workers there are. */
    atomic_fetch_add(&ring->extra, 1);
    err = hmmsvm_worker_start(pool);
    if (err) {
        atomic_fetch_sub(&ring->extra, 1);
        if (ring->debug && !p->pause)
            fprintf(stderr, "hmmsvm: no more than %u work-groups at once: %s; will try again\n",
                    pool->workers, strerror(-err));
        p->pause = ring_now_ns() + PROGRESS_PAUSE_NS;
        return false;
    }
    *from = pool->workers;
    return true;
}

/* @waits workers run groups that wait: lets others start in their stead. */
static void progress_help(struct progress *p, unsigned waits)
{
    struct hmmsvm_pool *pool = p->pool;
    struct ring *ring = pool->ring;
    const uint64_t most = pool->resident;
    unsigned called, late, work, most_now, from = ring->workers;
    uint64_t n;

    /* First, so that one who claims a group now is not missing in both numbers. */
    called = progress_called(pool, &late);
    progress_take_back(p);
    n = progress_returned(pool, most);
    if (n && atomic_load(&ring->sleepers)) {
        /* All that is left was claimed, and there are workers that have nothing to do. */
        atomic_fetch_add(&ring->bell, 1);
        ring_wake(ring, n);
        return;
    }
    n += progress_unclaimed(ring, most - n, false);
    /* Those that do not wait suffice if they are as many as there are compute units. */
    work = ring->workers - atomic_load(&ring->sleepers) + called;
    work = work > waits ? work - waits : 0;
    if (n <= late || work >= ring->workers)
        return;
    n -= late;
    /* If all wait, as many again: there may be a thousand more of the kind. */
    most_now = work ? ring->workers - work : waits;
    if (n > most_now)
        n = most_now;
    progress_unclaimed(ring, n, true);
    while (n && progress_call(p, &from))
        n--;
}

/* Whether all workers sleep. */
static bool progress_idle(struct hmmsvm_pool *pool)
{
    struct ring *ring = pool->ring;
    unsigned late;

    return atomic_load(&ring->sleepers) == ring->workers && !progress_called(pool, &late) &&
           !atomic_load(&pool->returned) && !ring_ready(ring, atomic_load(&ring->head));
}

/* Sleeps until somebody has to wait for a worker. */
static void progress_sleep(struct progress *p)
{
    struct ring *ring = p->pool->ring;

    atomic_store(&ring->watch, RING_WATCH_SLEEPS);
    /* Whoever let a group wait before that saw that nobody slept here. */
    if (!progress_idle(p->pool)) {
        atomic_store(&ring->watch, RING_WATCH_LOOKS);
        return;
    }
    while (!atomic_load(&ring->stop) && atomic_load(&ring->watch) == RING_WATCH_SLEEPS)
        ring_futex_wait(&ring->watch, RING_WATCH_SLEEPS, UINT64_MAX);
}

static void *progress_main(void *arg)
{
    struct progress p = {.pool = arg};
    struct ring *ring = p.pool->ring;
    bool was_idle = true;
    uint32_t before = 0;

    while (!atomic_load(&ring->stop)) {
        uint32_t started = atomic_load(&ring->tail);
        unsigned waits = progress_look(p.pool, ring_now_ns());
        bool idle = progress_idle(p.pool);

        if (idle && was_idle && started == before) {
            progress_sleep(&p);
            was_idle = false;
            continue;
        }
        was_idle = idle;
        before = started;
        if (waits)
            progress_help(&p, waits);
        /* The first time it is not yet; and a work-group may have written anything there. */
        atomic_store(&ring->watch, RING_WATCH_LOOKS);
        if (!atomic_load(&ring->stop))
            ring_futex_wait(&ring->watch, RING_WATCH_LOOKS,
                            waits ? PROGRESS_FAST_TICK_NS : PROGRESS_TICK_NS);
    }
    return NULL;
}

int progress_start(struct hmmsvm_pool *pool)
{
    long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    pthread_attr_t attr;
    int err;

    if (pool->resident == pool->ring->workers)
        return 0; /* not wanted */
    if (commands < 0 || !(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED))
        pool->chunk = 1;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, pool->ring->stack_size);
    err = pthread_create(&pool->watcher, &attr, progress_main, pool);
    pthread_attr_destroy(&attr);
    pool->watched = !err;
    return -err;
}

void progress_stop(struct hmmsvm_pool *pool)
{
    struct ring *ring = pool->ring;

    if (!pool->watched)
        return;
    atomic_store(&ring->watch, RING_WATCH_STOPS);
    ring_futex_wake(&ring->watch, 1);
    pthread_join(pool->watcher, NULL);
    pool->watched = false;
}
