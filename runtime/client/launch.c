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
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/*
 * A stray write of a work-group into the ring could swallow a wake-up. So no
 * sleep with launches outstanding is longer than this.
 */
#define LAUNCH_NAP_NS 1000000000ull

/* How long a ring may make no sense: the worker that was writing may not have run meanwhile. */
#define LAUNCH_UNSOUND_NS 5000000000ull

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
    ring->resident = dev->config.resident;
    ring->watchdog_ms = dev->config.watchdog_ms;

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
    atomic_store(&ring->refused, 0);
    atomic_store(&ring->watch, RING_WATCH_SLEEPS);
    atomic_store(&ring->extra, 0);
    atomic_store(&ring->done_next, 0);
    memset((void *)ring->done, 0, sizeof(ring->done));
    memset((void *)ring->ready, 0, sizeof(ring->ready));
    memset(ring->slots, 0, sizeof(ring->slots));
    dev->done_head = 0;
    dev->unsound_ns = 0;
    dev->nfree = 0;
    while (dev->nfree < RING_SLOTS) {
        dev->free_slots[dev->nfree] = RING_SLOTS - 1 - dev->nfree;
        dev->nfree++;
    }
}

/* The slot of the launch that its caller named @id; RING_SLOTS if there is none. */
static uint32_t launch_find(const struct hmmsvm_device *dev, uint64_t id)
{
    uint32_t i = 0;

    while (i < RING_SLOTS && dev->ids[i] != id)
        i++;
    return i;
}

/* The completion of the launch that its caller named @id, if it was not taken yet. */
static const struct done *launch_find_done(const struct hmmsvm_device *dev, uint64_t id)
{
    const struct done *done = dev->done_first;

    while (done && done->name != id)
        done = done->next;
    return done;
}

/* Adds the launch in slot @i to those that wait for slot @before's; false if that one has ended. */
static bool launch_attach(struct ring *ring, uint32_t i, uint32_t before)
{
    _Atomic uint32_t *list = &ring->slots[before].dependants;
    uint32_t last = atomic_load(list);

    do {
        if (last == RING_ENDED)
            return false;
        ring->slots[i].next = last;
    } while (!atomic_compare_exchange_weak(list, &last, i + 1));
    return true;
}

/*
 * Puts a launch into a slot, of which one has to be free, to start when the one in slot @before has
 * ended, or at once if @before is RING_SLOTS. False if that one has failed, and nothing is done.
 */
static bool launch_publish(struct hmmsvm_device *dev, const struct hmmsvm_launch *launch,
                           uint64_t total, struct done *done, uint32_t before)
{
    struct ring *ring = dev->ring;
    uint32_t i = dev->free_slots[--dev->nfree];
    struct pending *p = &dev->slots[i];
    struct ring_slot *slot = &ring->slots[i];

    slot->id = done->id;
    slot->total = total;
    slot->launch = *launch;
    memset(&slot->end, 0, sizeof(slot->end));
    atomic_store(&slot->failed, 0);
    atomic_store(&slot->crowd, 0);
    atomic_store(&slot->finished, 0);
    atomic_store(&slot->cancelled, 0);
    atomic_store(&slot->remaining, 0);
    atomic_store(&slot->dependants, 0);
    atomic_store(&slot->waits, 1);
    if (before == RING_SLOTS || !launch_attach(ring, i, before)) {
        if (before != RING_SLOTS && ring->slots[before].end.status != HMMSVM_OK) {
            dev->free_slots[dev->nfree++] = i;
            return false;
        }
        ring_start(ring, i, total);
        ring_wake(ring, total);
    }

    p->busy = true;
    p->total = total;
    p->launch = *launch;
    p->done = done;
    dev->ids[i] = launch->id;
    dev->outstanding++;
    return true;
}

/* ---- completions ---------------------------------------------------------- */

/* Adds the end of @launch to the list of completions. */
static void launch_list(struct hmmsvm_device *dev, const struct hmmsvm_launch *launch,
                        uint64_t total, struct done *done, const struct hmmsvm_completion *end)
{
    done->end = *end;
    done->end.user = launch->user;
    if (done->end.workers > dev->config.resident)
        done->end.workers = dev->config.resident;
    done->name = launch->id;
    if (done->end.status > HMMSVM_HUNG)
        done->end.status = HMMSVM_DEVICE_LOST;
    if (done->end.groups_run > total)
        done->end.groups_run = total;
    done->next = NULL;
    *dev->done_last = done;
    dev->done_last = &done->next;

    atomic_fetch_add(&dev->groups, done->end.groups_run);
    if (done->end.status != HMMSVM_OK)
        atomic_fetch_add(&dev->failures, 1);
}

/* Frees the slot of a launch. */
static void launch_remove(struct hmmsvm_device *dev, struct pending *p)
{
    uint32_t i = (uint32_t)(p - dev->slots);

    p->busy = false;
    p->done = NULL;
    dev->ids[i] = 0;
    dev->free_slots[dev->nfree++] = i;
    dev->outstanding--;
}

/* Adds what is known of a launch's end to the list of completions; frees the slot. */
static void launch_done(struct hmmsvm_device *dev, struct pending *p,
                        const struct hmmsvm_completion *end)
{
    launch_list(dev, &p->launch, p->total, p->done, end);
    launch_remove(dev, p);
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
        i--;
        if (i >= RING_SLOTS || !dev->slots[i].busy)
            continue; /* not written by a worker */
        dev->engine_worked = true;
        launch_done(dev, &dev->slots[i], &ring->slots[i].end);
    }
}

/* Whether what is constant of a ring is as launch_ring_init() wrote it. */
static bool launch_ring_constant(const struct hmmsvm_device *dev)
{
    const struct ring *ring = dev->ring;

    return ring->magic == RING_MAGIC && ring->version == RING_VERSION &&
           ring->size == sizeof(*ring) && ring->workers == dev->config.workers &&
           ring->local_size == dev->config.local_size &&
           ring->stack_size == dev->config.stack_size &&
           ring->resident == dev->config.resident &&
           ring->watchdog_ms == dev->config.watchdog_ms && !atomic_load(&ring->stop);
}

/* Whether a launch that has not been reported is in slot @i as it was submitted. */
static bool launch_slot_sound(const struct hmmsvm_device *dev, uint32_t i)
{
    const struct pending *p = &dev->slots[i];
    const struct ring_slot *slot = &dev->ring->slots[i];
    /* In this order, as groups go from the one to the other. */
    uint64_t finished = atomic_load(&slot->finished), remaining = atomic_load(&slot->remaining);

    return slot->id == p->done->id && slot->total == p->total && finished < p->total &&
           remaining <= p->total - finished && atomic_load(&slot->dependants) <= RING_SLOTS;
}

/*
 * Whether the ring is as libhmmsvm and workers leave it when they have written it; if not so for
 * long, somebody else has. Not all that can be wrong can be seen: groups that are said to run may be
 * lost.
 */
bool launch_ring_sound(const struct hmmsvm_device *dev)
{
    struct ring *ring = dev->ring;
    uint32_t head = atomic_load(&ring->head), queued = atomic_load(&ring->tail) - head;
    bool listed[RING_SLOTS] = {false};

    if (!launch_ring_constant(dev) || queued > RING_QUEUE)
        return false;
    for (uint32_t n = 0; n < queued; n++) {
        const struct ring_slot *slot = ring_ready(ring, head + n);

        if (!slot)
            return false;
        listed[slot - ring->slots] = true;
    }
    for (uint32_t i = 0; i < RING_SLOTS; i++) {
        /* All that was reported was fetched. */
        if (atomic_load(&ring->done[i]))
            return false;
        if (dev->slots[i].busy &&
            (!launch_slot_sound(dev, i) ||
             (atomic_load(&ring->slots[i].remaining) && !listed[i])))
            return false;
    }
    return true;
}

/*
 * Ends an engine whose ring was written over, as launches could wait forever; what becomes of them
 * is as for any engine that died. Looks once a nap; after launch_fetch().
 */
static void launch_suspect(struct hmmsvm_device *dev)
{
    uint64_t now = ring_now_ns();

    if (dev->mode != HMMSVM_MODE_KERNEL || !dev->outstanding || dev->engine_pidfd < 0 ||
        now - dev->looked_ns < LAUNCH_NAP_NS)
        return;
    dev->looked_ns = now;
    if (launch_ring_sound(dev)) {
        dev->unsound_ns = 0;
    } else if (!dev->unsound_ns) {
        dev->unsound_ns = now;
    } else if (now - dev->unsound_ns >= LAUNCH_UNSOUND_NS) {
        debug_say(dev, "the ring was written over: engine %d is ended", dev->engine_pid);
        dev->unsound_ns = 0;
        engine_kill(dev);
    }
}

/*
 * Queues a launch, or ends it if the one that it is to come after failed. Returns 0, or with
 * nothing done -ESTALE (that one's completion was taken) or -EAGAIN (it failed, and its worker is
 * about to report it).
 */
static int launch_queue(struct hmmsvm_device *dev, const struct hmmsvm_launch *launch,
                        uint64_t total, struct done *done)
{
    uint32_t before = launch->after ? launch_find(dev, launch->after) : RING_SLOTS;

    if (launch->after && before == RING_SLOTS) {
        const struct done *ended = launch_find_done(dev, launch->after);

        if (!ended)
            return -ESTALE;
        if (ended->end.status != HMMSVM_OK) {
            struct hmmsvm_completion end = {.status = HMMSVM_CANCELLED};

            end.start_ns = end.end_ns = ring_now_ns();
            launch_list(dev, launch, total, done, &end);
            ring_notify(dev->ring);
            return 0;
        }
    }
    return launch_publish(dev, launch, total, done, before) ? 0 : -EAGAIN;
}

/*
 * Whether a launch that the lost engine did not start may be queued anew, maybe after one of those
 * in @keep: not if the one that it was to come after failed. The engine lets go of what waits
 * before it reports success: so one that was reported long ago while this one still waits failed.
 */
static bool launch_may_follow(struct hmmsvm_device *dev, struct pending *p, bool waits,
                              const struct pending *keep, unsigned kept)
{
    const struct done *ended;

    if (!p->launch.after)
        return true;
    for (unsigned i = kept; i--;)
        if (keep[i].launch.id == p->launch.after)
            return true;
    ended = launch_find_done(dev, p->launch.after);
    p->launch.after = 0;
    return ended ? ended->end.status == HMMSVM_OK : !waits;
}

/* The busy slots in the order their launches were submitted; returns how many there are. */
static unsigned launch_order(struct hmmsvm_device *dev, struct pending **list)
{
    unsigned n = 0;

    for (unsigned i = 0; i < RING_SLOTS; i++) {
        struct pending *p = &dev->slots[i];
        unsigned at = n;

        if (!p->busy)
            continue;
        for (; at && list[at - 1]->done->id > p->done->id; at--)
            list[at] = list[at - 1];
        list[at] = p;
        n++;
    }
    return n;
}

/*
 * Makes the ring usable again after the engine was lost: what it was running
 * ends with HMMSVM_DEVICE_LOST, what was to come after that with
 * HMMSVM_CANCELLED, and what it had not started is queued anew; with @lost
 * that ends, too. The caller notifies.
 */
void launch_recover(struct hmmsvm_device *dev, bool lost)
{
    struct ring *ring = dev->ring;
    struct pending *order[RING_SLOTS], *keep = NULL;
    unsigned busy, kept = 0;

    launch_fetch(dev);
    busy = launch_order(dev, order);
    if (busy && !lost)
        keep = calloc(busy, sizeof(*keep)); /* if there is no memory, they end */
    for (unsigned n = 0; n < busy; n++) {
        struct pending *p = order[n];
        struct ring_slot *slot = &ring->slots[p - dev->slots];
        struct hmmsvm_completion end = {.status = HMMSVM_DEVICE_LOST};
        uint32_t refused = atomic_load(&ring->refused);
        bool waits = p->launch.after && atomic_load(&slot->waits);

        if (atomic_load(&slot->finished) == p->total) {
            /* All of it was run, only the word of it did not get through. */
            end = slot->end;
        } else if (keep && (waits || atomic_load(&slot->remaining) == p->total)) {
            if (launch_may_follow(dev, p, waits, keep, kept)) {
                keep[kept++] = *p;
                launch_remove(dev, p);
                continue;
            }
            end.status = HMMSVM_CANCELLED;
            end.start_ns = end.end_ns = ring_now_ns();
        } else {
            if (atomic_load(&slot->failed) && slot->end.status == HMMSVM_HUNG) {
                /* That is why the engine had to go. */
                end = slot->end;
            } else if (refused) {
                end.signal = SIGSYS;
                end.access = refused - 1;
            }
            end.start_ns = slot->end.start_ns;
            end.end_ns = ring_now_ns();
        }
        launch_done(dev, p, &end);
    }
    launch_ring_init(dev);
    for (unsigned i = 0; i < kept; i++)
        launch_queue(dev, &keep[i].launch, keep[i].total, keep[i].done);
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
        !launch_field_ok(l, l->ctx_waiting, sizeof(uint32_t)) ||
        !launch_field_ok(l, l->ctx_printf, sizeof(void *)) ||
        !launch_field_ok(l, l->ctx_printf_pos, sizeof(void *)))
        return error_set(-EINVAL, "launch of %s: a field lies outside of the %u bytes of ctx", name,
                         l->ctx_size);
    if (l->ctx_waiting != HMMSVM_NO_FIELD && l->ctx_waiting % sizeof(uint32_t))
        return error_set(-EINVAL, "launch of %s: ctx_waiting is %u, which is not aligned", name,
                         l->ctx_waiting);
    if ((l->ctx_printf != HMMSVM_NO_FIELD && !l->printf_buf) ||
        (l->ctx_printf_pos != HMMSVM_NO_FIELD && !l->printf_pos))
        return error_set(-EINVAL, "launch of %s: no buffer for printf", name);
    if (l->flags & ~(HMMSVM_LAUNCH_FTZ | HMMSVM_LAUNCH_RTZ))
        return error_set(-EINVAL, "launch of %s: flags is 0x%x, which has unknown bits", name,
                         l->flags);
    if (l->after && l->after == l->id)
        return error_set(-EINVAL, "launch of %s: it is to come after itself", name);
    return 0;
}

static int launch_submit(struct hmmsvm_device *dev, const struct hmmsvm_launch *launch, bool run,
                         uint64_t *id)
{
    uint64_t total = 0;
    struct done *done;
    bool again = false;
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

        /* Again in each round: others submit while this one sleeps. */
        *id = done->id = dev->last_id + 1;
        done->run = run;
        if (dev->mode == HMMSVM_MODE_KERNEL && dev->engine_pidfd < 0) {
            launch_recover(dev, true); /* the ring, that is; no launch is left */
            if (engine_start(dev)) {
                err = -ENODEV;
                break;
            }
        }
        launch_fetch(dev);
        if (again)
            launch_suspect(dev);
        again = true;
        err = dev->nfree ? launch_queue(dev, launch, total, done) : -EAGAIN;
        if (err != -EAGAIN)
            break;
        pthread_mutex_unlock(&dev->lock);
        launch_sleep(dev, seen, true, UINT64_MAX);
        pthread_mutex_lock(&dev->lock);
    }
    if (err)
        launch_done_put(dev, done);
    else
        dev->last_id = done->id;
    pthread_mutex_unlock(&dev->lock);
    if (err == -ESTALE)
        return error_set(err, "launch of %s: it is to come after launch %" PRIu64
                         ", which there is not, or whose completion was taken",
                         launch->name ? launch->name : "?", launch->after);
    if (!err)
        atomic_fetch_add(&dev->launches, 1);
    return err;
}

/* Waits for launch @id, or for any if @id is 0. */
static int launch_wait(struct hmmsvm_device *dev, uint64_t id, struct hmmsvm_completion *out,
                       int timeout_ms)
{
    uint64_t deadline = UINT64_MAX;
    bool again = false;

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
        if (again)
            launch_suspect(dev);
        again = true;
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
    uint64_t id = 0;
    int err = launch_submit(dev, launch, true, &id);

    return err ? err : launch_wait(dev, id, out, -1);
}
