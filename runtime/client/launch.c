/* SPDX-License-Identifier: MIT */
/*
 * Launches: checked and put into the ring here, fetched from it when they
 * have ended, and saved from it when the engine is lost.
 *
 * Locking: the device's lock covers all but sleeping. Whoever sleeps does so
 * on ring->completed with the value it had before the last look, and every
 * change somebody may wait for (a completion, a wake, a new engine) is
 * followed by ring_notify().
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/*
 * A stray write of a work-group into the ring could swallow a wake-up. So no
 * sleep with launches outstanding is longer than this.
 */
#define LAUNCH_NAP_NS 1000000000ull

/* ---- the ring ------------------------------------------------------------ */

/*
 * Empties the ring. No worker may be using it; threads of this process may be
 * asleep on completed, so that and waiters go on.
 */
void launch_ring_init(struct hmmsvm_device *dev)
{
    struct ring *ring = dev->ring;

    ring->magic = RING_MAGIC;
    ring->version = RING_VERSION;
    ring->size = sizeof(*ring);
    ring->workers = dev->config.workers;
    ring->debug = dev->config.debug;
    ring->spin = dev->config.spin;
    ring->local_size = dev->config.local_size;
    ring->stack_size = dev->config.stack_size;

    atomic_store(&ring->state, RING_STARTING);
    ring->step = RING_STEP_NONE;
    ring->error = 0;
    ring->detail = 0;
    atomic_store(&ring->tail, 0);
    atomic_store(&ring->bell, 0);
    atomic_store(&ring->stop, 0);
    atomic_store(&ring->head, 0);
    atomic_store(&ring->sleepers, 0);
    atomic_store(&ring->spinners, 0);
    atomic_store(&ring->done_next, 0);
    memset((void *)ring->done, 0, sizeof(ring->done));
    memset(ring->slots, 0, sizeof(ring->slots));
    dev->tail = 0;
    dev->done_head = 0;
}

/* Puts a launch into the next slot, which is free. */
static void launch_publish(struct hmmsvm_device *dev, const struct hmmsvm_launch *launch,
                           uint64_t total, struct done *done)
{
    struct ring *ring = dev->ring;
    struct pending *p = &dev->slots[dev->tail % RING_SLOTS];
    struct ring_slot *slot = &ring->slots[dev->tail % RING_SLOTS];
    uint32_t head = atomic_load(&ring->head), least = dev->tail - RING_SLOTS + 1;
    uint32_t idle, sleepers, spinners;

    p->busy = true;
    p->total = total;
    p->launch = *launch;
    p->done = done;
    dev->outstanding++;

    /* The launch that was in the slot has ended: no worker shall find it as the oldest. */
    while ((int32_t)(least - head) > 0 &&
           !atomic_compare_exchange_weak(&ring->head, &head, least))
        ;
    slot->id = done->id;
    slot->total = total;
    slot->launch = *launch;
    memset(&slot->end, 0, sizeof(slot->end));
    atomic_store(&slot->failed, 0);
    atomic_store(&slot->finished, 0);
    atomic_store(&slot->cancelled, 0);
    atomic_store(&slot->remaining, total);
    atomic_store(&ring->tail, ++dev->tail);
    atomic_fetch_add(&ring->bell, 1);

    sleepers = atomic_load(&ring->sleepers);
    spinners = atomic_load(&ring->spinners);
    idle = total < ring->workers ? (uint32_t)total : dev->config.workers;
    if (sleepers && idle > spinners) {
        idle -= spinners;
        ring_futex_wake(&ring->bell, (int)(idle < sleepers ? idle : sleepers));
    }
}

/* ---- completions ---------------------------------------------------------- */

/* Adds what is known of a launch's end to the list of completions; frees the slot. */
static void launch_done(struct hmmsvm_device *dev, struct pending *p,
                        const struct hmmsvm_completion *end)
{
    struct done *done = p->done;

    done->end = *end;
    done->end.user = p->launch.user;
    done->end.reserved = 0;
    if (done->end.status > HMMSVM_NO_MEMORY)
        done->end.status = HMMSVM_DEVICE_LOST;
    if (done->end.groups_run > p->total)
        done->end.groups_run = p->total;
    done->next = NULL;
    *dev->done_last = done;
    dev->done_last = &done->next;
    p->busy = false;
    p->done = NULL;
    dev->outstanding--;

    atomic_fetch_add(&dev->groups, done->end.groups_run);
    if (done->end.status != HMMSVM_OK)
        atomic_fetch_add(&dev->failures, 1);
}

/* Fetches what has ended from the ring. */
void launch_fetch(struct hmmsvm_device *dev)
{
    struct ring *ring = dev->ring;

    for (unsigned n = 0; n < RING_SLOTS; n++) {
        uint32_t i = atomic_exchange(&ring->done[dev->done_head % RING_SLOTS], 0);

        if (!i)
            break;
        dev->done_head++;
        if (--i >= RING_SLOTS || !dev->slots[i].busy)
            continue; /* not written by a worker */
        dev->engine_worked = true;
        launch_done(dev, &dev->slots[i], &ring->slots[i].end);
    }
}

/*
 * Makes the ring usable again after the engine was lost: what it was running
 * ends with HMMSVM_DEVICE_LOST, what it had not started is queued anew; with
 * @lost that ends, too. The caller notifies.
 */
void launch_recover(struct hmmsvm_device *dev, bool lost)
{
    static const struct hmmsvm_completion nothing = {.status = HMMSVM_DEVICE_LOST};
    struct ring *ring = dev->ring;
    struct pending *keep = NULL;
    unsigned kept = 0;

    launch_fetch(dev);
    if (dev->outstanding && !lost)
        keep = calloc(dev->outstanding, sizeof(*keep)); /* if there is no memory, they end */
    for (uint32_t n = dev->tail - RING_SLOTS; n != dev->tail; n++) {
        struct pending *p = &dev->slots[n % RING_SLOTS];
        struct ring_slot *slot = &ring->slots[n % RING_SLOTS];

        if (!p->busy)
            continue;
        if (atomic_load(&slot->finished) == p->total) {
            /* All of it was run, only the word of it did not get through. */
            launch_done(dev, p, &slot->end);
        } else if (atomic_load(&slot->remaining) == p->total && keep) {
            keep[kept++] = *p;
            p->busy = false;
            dev->outstanding--;
        } else {
            struct hmmsvm_completion end = nothing;

            end.start_ns = slot->end.start_ns;
            end.end_ns = ring_now_ns();
            launch_done(dev, p, &end);
        }
    }
    launch_ring_init(dev);
    for (unsigned i = 0; i < kept; i++)
        launch_publish(dev, &keep[i].launch, keep[i].total, keep[i].done);
    free(keep);
}

static struct done *launch_done_new(struct hmmsvm_device *dev)
{
    struct done *done = dev->done_free;

    if (done)
        dev->done_free = done->next;
    else
        done = malloc(sizeof(*done));
    return done;
}

static void launch_done_put(struct hmmsvm_device *dev, struct done *done)
{
    done->next = dev->done_free;
    dev->done_free = done;
}

/* Frees all that launches have; nobody uses the device any more. */
void launch_free(struct hmmsvm_device *dev)
{
    struct done *lists[] = {dev->done_first, dev->done_free};

    for (unsigned i = 0; i < RING_SLOTS; i++)
        if (dev->slots[i].busy)
            free(dev->slots[i].done);
    for (unsigned i = 0; i < 2; i++)
        while (lists[i]) {
            struct done *next = lists[i]->next;

            free(lists[i]);
            lists[i] = next;
        }
}

/* Takes launch @id's completion off the list, or the first that is anybody's if @id is 0. */
static struct done *launch_take(struct hmmsvm_device *dev, uint64_t id)
{
    for (struct done **p = &dev->done_first; *p; p = &(*p)->next) {
        struct done *done = *p;

        if (id ? done->id != id : done->run)
            continue;
        *p = done->next;
        if (!done->next)
            dev->done_last = p;
        return done;
    }
    return NULL;
}

/* Waits until ring->completed is no longer @seen, or @deadline. May return for no reason. */
static void launch_sleep(struct hmmsvm_device *dev, uint32_t seen, bool outstanding,
                         uint64_t deadline)
{
    struct ring *ring = dev->ring;
    uint64_t limit = UINT64_MAX;

    if (dev->config.spin && outstanding) {
        uint64_t start = ring_ticks();
        uint32_t turn = 0;

        while (atomic_load_explicit(&ring->completed, memory_order_relaxed) == seen &&
               ring_ticks() - start < RING_SPIN_TICKS)
            ring_relax(turn++);
    }
    if (deadline != UINT64_MAX) {
        uint64_t now = ring_now_ns();

        limit = deadline > now ? deadline - now : 0;
    }
    if (outstanding && dev->mode == HMMSVM_MODE_KERNEL && limit > LAUNCH_NAP_NS)
        limit = LAUNCH_NAP_NS;
    atomic_fetch_add(&ring->waiters, 1);
    if (atomic_load(&ring->completed) == seen)
        ring_futex_wait(&ring->completed, seen, limit);
    atomic_fetch_sub(&ring->waiters, 1);
}

/* ---- the calls -------------------------------------------------------------- */

/* Whether a field of @size bytes at @at is inside the context block, or not there. */
static bool launch_field_ok(const struct hmmsvm_launch *l, uint32_t at, uint32_t size)
{
    return at == HMMSVM_NO_FIELD || (size <= l->ctx_size && at <= l->ctx_size - size);
}

static int launch_check(const struct hmmsvm_launch *l, uint64_t *total)
{
    const char *name = l && l->name ? l->name : "?";

    if (!l)
        return error_set(-EINVAL, "launch: NULL");
    if (!l->fn)
        return error_set(-EINVAL, "launch of %s: no work-group function", name);
    if (!l->groups[0] || !l->groups[1] || !l->groups[2])
        return error_set(-EINVAL, "launch of %s: %" PRIu64 " x %" PRIu64 " x %" PRIu64
                         " groups; none of the three may be 0", name, l->groups[0], l->groups[1],
                         l->groups[2]);
    if (__builtin_mul_overflow(l->groups[0], l->groups[1], total) ||
        __builtin_mul_overflow(*total, l->groups[2], total))
        return error_set(-EINVAL, "launch of %s: %" PRIu64 " x %" PRIu64 " x %" PRIu64
                         " groups are more than 2^64", name, l->groups[0], l->groups[1],
                         l->groups[2]);
    if (l->nargs > HMMSVM_MAX_ARGS)
        return error_set(-EINVAL, "launch of %s: %u arguments, at most %u are allowed", name,
                         l->nargs, HMMSVM_MAX_ARGS);
    if (l->nargs && !l->args)
        return error_set(-EINVAL, "launch of %s: %u arguments, but args is NULL", name, l->nargs);
    if (l->nlocals > l->nargs || (l->nlocals && !l->locals))
        return error_set(-EINVAL, "launch of %s: %u local arguments of %u, locals is %p", name,
                         l->nlocals, l->nargs, (const void *)l->locals);
    for (uint32_t i = 0; i < l->nlocals; i++)
        if (l->locals[i].arg >= l->nargs)
            return error_set(-EINVAL, "launch of %s: local argument %u, but there are %u", name,
                             l->locals[i].arg, l->nargs);
    if (l->ctx_size > HMMSVM_MAX_CTX || (l->ctx_size && !l->ctx))
        return error_set(-EINVAL, "launch of %s: ctx is %p and of %u bytes, at most %u are allowed",
                         name, l->ctx, l->ctx_size, HMMSVM_MAX_CTX);
    if (!launch_field_ok(l, l->ctx_failed, sizeof(uint32_t)) ||
        !launch_field_ok(l, l->ctx_printf, sizeof(void *)) ||
        !launch_field_ok(l, l->ctx_printf_pos, sizeof(void *)))
        return error_set(-EINVAL, "launch of %s: a field lies outside of the %u bytes of ctx", name,
                         l->ctx_size);
    if ((l->ctx_printf != HMMSVM_NO_FIELD && !l->printf_buf) ||
        (l->ctx_printf_pos != HMMSVM_NO_FIELD && !l->printf_pos))
        return error_set(-EINVAL, "launch of %s: no buffer for printf", name);
    if (l->flags & ~(HMMSVM_LAUNCH_FTZ | HMMSVM_LAUNCH_RTZ))
        return error_set(-EINVAL, "launch of %s: flags is 0x%x, which has unknown bits", name,
                         l->flags);
    return 0;
}

static int launch_submit(struct hmmsvm_device *dev, const struct hmmsvm_launch *launch, bool run,
                         uint64_t *id)
{
    uint64_t total = 0;
    struct done *done;
    int err;

    if (!device_usable(dev))
        return -ENODEV;
    err = launch_check(launch, &total);
    if (err)
        return err;

    pthread_mutex_lock(&dev->lock);
    done = launch_done_new(dev);
    if (!done) {
        pthread_mutex_unlock(&dev->lock);
        return error_set(-ENOMEM, "no memory for a launch");
    }
    for (;;) {
        uint32_t seen = atomic_load(&dev->ring->completed);

        if (dev->mode == HMMSVM_MODE_KERNEL && dev->engine_pidfd < 0) {
            launch_recover(dev, true); /* the ring, that is; no launch is left */
            err = engine_start(dev);
            if (err)
                break;
        }
        launch_fetch(dev);
        if (!dev->slots[dev->tail % RING_SLOTS].busy)
            break;
        pthread_mutex_unlock(&dev->lock);
        launch_sleep(dev, seen, true, UINT64_MAX);
        pthread_mutex_lock(&dev->lock);
    }
    if (err) {
        launch_done_put(dev, done);
        pthread_mutex_unlock(&dev->lock);
        return -ENODEV;
    }
    done->id = ++dev->last_id;
    done->run = run;
    *id = done->id;
    launch_publish(dev, launch, total, done);
    pthread_mutex_unlock(&dev->lock);
    atomic_fetch_add(&dev->launches, 1);
    return 0;
}

/* Waits for launch @id, or for any if @id is 0. */
static int launch_wait(struct hmmsvm_device *dev, uint64_t id, struct hmmsvm_completion *out,
                       int timeout_ms)
{
    uint64_t deadline = UINT64_MAX;

    if (!device_usable(dev))
        return -ENODEV;
    if (timeout_ms > 0)
        deadline = ring_now_ns() + (uint64_t)timeout_ms * 1000000u;
    for (;;) {
        uint32_t seen = atomic_load(&dev->ring->completed);
        struct done *done;
        bool outstanding, woken = false;

        pthread_mutex_lock(&dev->lock);
        launch_fetch(dev);
        if (!id && dev->wakes) {
            dev->wakes--;
            woken = true;
        }
        done = woken ? NULL : launch_take(dev, id);
        if (done) {
            *out = done->end;
            launch_done_put(dev, done);
        }
        outstanding = dev->outstanding;
        pthread_mutex_unlock(&dev->lock);
        if (done)
            return 0;
        if (woken)
            return error_set(-ECANCELED, "hmmsvm_wait() was ended by hmmsvm_wake()");
        if (!timeout_ms || (deadline != UINT64_MAX && ring_now_ns() >= deadline))
            return error_set(-ETIMEDOUT, "no launch has ended in %d ms", timeout_ms);
        launch_sleep(dev, seen, outstanding, deadline);
    }
}

HMMSVM_API int hmmsvm_submit(struct hmmsvm_device *dev, const struct hmmsvm_launch *launch)
{
    uint64_t id;

    return launch_submit(dev, launch, false, &id);
}

HMMSVM_API int hmmsvm_wait(struct hmmsvm_device *dev, struct hmmsvm_completion *out, int timeout_ms)
{
    return launch_wait(dev, 0, out, timeout_ms);
}

HMMSVM_API void hmmsvm_wake(struct hmmsvm_device *dev)
{
    if (!device_usable(dev))
        return;
    pthread_mutex_lock(&dev->lock);
    dev->wakes++;
    pthread_mutex_unlock(&dev->lock);
    ring_notify(dev->ring);
}

HMMSVM_API int hmmsvm_run(struct hmmsvm_device *dev, const struct hmmsvm_launch *launch,
                          struct hmmsvm_completion *out)
{
    uint64_t id;
    int err = launch_submit(dev, launch, true, &id);

    return err ? err : launch_wait(dev, id, out, -1);
}
