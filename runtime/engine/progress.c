/* SPDX-License-Identifier: MIT */
/*
 * Forward progress: work-groups that wait for each other, or for the host,
 * advance although there are more of them than workers.
 *
 * One thread of the pool looks now and then how the workers get on. It sleeps
 * while no group has to wait for a worker (ring->watch). Where a group does
 * nothing but wait (it changes its ctx_waiting) although others could start,
 * or where no group has ended for long, which may mean the same,
 *
 *   - it takes from the worker the groups that it claimed and did not start
 *     (those come into pool->given, from which any worker takes one by one),
 *   - and calls another worker in its stead, as long as there are groups to
 *     start and no more than pool->resident workers. The kernel's scheduler
 *     then sees to it that all of them advance.
 *
 * The launches that such a worker takes groups from are marked as a crowd:
 * from then on their groups are claimed one at a time, and the added workers
 * stay with them until they have none left; then they sleep until they are
 * called again, so that ordinary launches run on ring->workers threads.
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

/* How long no group has ended before it takes that for waiting, and from then on. */
#define PROGRESS_PATIENCE_NS      (1000u * 1000000u)
#define PROGRESS_LESS_PATIENCE_NS (500u * 1000000u)

#define PROGRESS_STACK (256u << 10)

/**
 * struct progress - what the thread knows
 * @ended:      how many groups had ended
 * @since:      when that changed last, or something was done; ring_now_ns()
 * @patience:   how long that may be
 * @registered: membarrier() is ready
 */
struct progress {
    struct hmmsvm_pool *pool;
    uint64_t ended;
    uint64_t since;
    uint64_t patience;
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

/* How many groups have ended. Only whether it changes matters. */
static uint64_t progress_ended(const struct hmmsvm_pool *pool)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < pool->workers; i++) {
        uint64_t ran = atomic_load(&pool->list[i]->at) & CLAIM_GROUPS;

        n += atomic_load(&pool->list[i]->before) + (ran == CLAIM_CLOSED ? 0 : ran);
    }
    return n;
}

/* Sees which workers do nothing but wait, and have since it looked last; returns how many. */
static unsigned progress_look(struct hmmsvm_pool *pool)
{
    unsigned n = 0;

    for (unsigned i = 0; i < pool->workers; i++) {
        struct hmmsvm_worker *w = pool->list[i];
        const _Atomic uint32_t *waiting = atomic_load(&w->waiting);
        uint32_t value = waiting ? atomic_load_explicit(waiting, memory_order_relaxed) : 0;
        uint64_t at = atomic_load(&w->at);

        w->waits = at == w->seen_at && value != w->seen_waiting;
        w->seen_at = at;
        w->seen_waiting = value;
        n += w->waits;
    }
    return n;
}

/* Groups that no worker has claimed, at most @most of them; with @mark their launches are a crowd. */
static uint64_t progress_unclaimed(struct ring *ring, uint64_t most, bool mark)
{
    uint32_t head = atomic_load(&ring->head), tail = atomic_load(&ring->tail);
    uint64_t n = 0;

    for (uint32_t i = 0; i < tail - head && i < RING_QUEUE && n < most; i++) {
        struct ring_slot *slot = ring_ready(ring, head + i);
        uint64_t left = slot ? atomic_load(&slot->remaining) : 0;

        if (left && mark)
            atomic_store(&slot->crowd, 1);
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

/* Takes back what workers that wait, or all, have claimed and not started. */
static void progress_take_back(struct progress *p, bool all)
{
    struct hmmsvm_pool *pool = p->pool;
    bool any = false, barrier;
    uint32_t n;

    pthread_mutex_lock(&pool->lock);
    n = atomic_load(&pool->returned);
    for (unsigned i = 0; i < pool->workers; i++) {
        struct hmmsvm_worker *w = pool->list[i];

        w->lowered = 0;
        if (all || w->waits)
            any |= progress_lower(w);
    }
    barrier = any && progress_barrier(p);
    for (unsigned i = 0; any && i < pool->workers; i++) {
        struct hmmsvm_worker *w = pool->list[i];

        if (w->lowered && progress_settle(w, barrier && n < pool->resident, &pool->given[n]))
            atomic_store(&pool->given[n++].slot->crowd, 1);
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
static bool progress_call(struct hmmsvm_pool *pool, unsigned *from)
{
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
    if (pool->workers >= pool->resident)
        return false;
    /* Before it starts: who reports what it ran tells how many workers there are. */
    atomic_fetch_add(&ring->extra, 1);
    err = hmmsvm_worker_start(pool);
    if (err) {
        /* A limit on threads or memory: this is how many there can be. */
        atomic_fetch_sub(&ring->extra, 1);
        pool->resident = pool->workers;
        if (ring->debug)
            fprintf(stderr, "hmmsvm: no more than %u work-groups at once: %s\n", pool->workers,
                    strerror(-err));
        return false;
    }
    *from = pool->workers;
    return true;
}

/* @waits workers wait, or, if that is 0, no group has ended for long: lets others start. */
static void progress_help(struct progress *p, unsigned waits)
{
    struct hmmsvm_pool *pool = p->pool;
    struct ring *ring = pool->ring;
    const uint64_t most = pool->resident;
    unsigned called, late, from = ring->workers;
    uint64_t n;

    /* First, so that one who claims a group now is not missing in both numbers. */
    called = progress_called(pool, &late);
    progress_take_back(p, !waits);
    n = progress_returned(pool, most);
    if (n && atomic_load(&ring->sleepers)) {
        /* All that is left was claimed, and there are workers that have nothing to do. */
        atomic_fetch_add(&ring->bell, 1);
        ring_wake(ring, n);
        return;
    }
    n += progress_unclaimed(ring, most - n, false);
    if (n <= late)
        return;
    n -= late;
    if (!waits)
        waits = ring->workers + called;
    if (n > waits)
        n = waits;
    progress_unclaimed(ring, n, true);
    while (n && progress_call(pool, &from))
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
    p->since = ring_now_ns();
}

static void *progress_main(void *arg)
{
    struct progress p = {.pool = arg, .since = ring_now_ns(), .patience = PROGRESS_PATIENCE_NS};
    struct ring *ring = p.pool->ring;
    bool was_idle = true;

    while (!atomic_load(&ring->stop)) {
        uint64_t ended = progress_ended(p.pool), now = ring_now_ns();
        unsigned waits = progress_look(p.pool);
        bool idle = progress_idle(p.pool);

        if (idle && was_idle && ended == p.ended) {
            progress_sleep(&p);
            was_idle = false;
            continue;
        }
        was_idle = idle;
        if (idle || ended != p.ended) {
            p.ended = ended;
            p.since = now;
            p.patience = PROGRESS_PATIENCE_NS;
        }
        if (waits) {
            progress_help(&p, waits);
        } else if (now - p.since >= p.patience) {
            progress_help(&p, 0);
            p.since = now;
            p.patience = PROGRESS_LESS_PATIENCE_NS;
        }
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
    pthread_attr_setstacksize(&attr, PROGRESS_STACK);
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
