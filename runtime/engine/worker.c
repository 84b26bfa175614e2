/* SPDX-License-Identifier: MIT */
/*
 * The worker loop: claims groups of the oldest launch that has some left, runs
 * them, accounts for them; sleeps when there are none.
 *
 * A worker claims a part of what is left (a quarter of its fair share, at most
 * WORKER_CHUNK groups), so that large launches cost one atomic operation in
 * many groups and still end on all workers at about the same time.
 *
 * Waking: hmmsvm_submit() wakes as many workers as there are groups, less
 * those that spin. A worker that spins can be counted for two launches at
 * once; so whoever takes a launch's first group wakes one more worker if it
 * sees more work and nobody spinning. No work is left lying while a worker
 * sleeps: the sleeper announces itself before it looks a last time, the
 * submitter looks for sleepers after it published.
 *
 * Claimed groups can be taken from a worker that does not get on, and workers
 * can be added that take one at a time: see progress.c.
 *
 * A worker that finishes a launch lets those start that were to come after it,
 * and will see to the first of their groups itself.
 *
 * Locking: see ring.h and worker.h.
 */
#include "worker.h"

#include <string.h>
#include <sys/mman.h>

#include "progress.h"

#define WORKER_CHUNK       1024u /* less than CLAIM_CLOSED */
#define WORKER_LOCAL_ALIGN 128u
#define WORKER_PAGE        4096u

/* The bits of MXCSR: all exceptions masked, which is the ABI's default. */
#define MXCSR_DEFAULT 0x1f80u
#define MXCSR_FTZ_DAZ 0x8040u
#define MXCSR_RTZ     0x6000u

static inline void worker_set_mxcsr(uint32_t value)
{
    __builtin_ia32_ldmxcsr(value);
}

/* Whether it is one of those that are there only while groups wait for each other. */
static inline bool worker_is_extra(const struct hmmsvm_worker *w)
{
    return w->index >= w->pool->ring->workers;
}

void hmmsvm_worker_claimed(struct hmmsvm_worker *w, struct ring_slot *slot, uint64_t first,
                           uint32_t count)
{
    uint64_t claim = (atomic_load_explicit(&w->at, memory_order_relaxed) | CLAIM_GROUPS) + 1;

    /* In this order: who sees the claim's number in at sees the rest. */
    atomic_store_explicit(&w->slot, slot, memory_order_relaxed);
    atomic_store_explicit(&w->first, first, memory_order_relaxed);
    w->count = count;
    atomic_store_explicit(&w->limit, claim | count, memory_order_release);
    atomic_store_explicit(&w->at, claim, memory_order_release);
}

/* How many groups of the claim ran to their end. */
static inline uint32_t worker_ran(const struct hmmsvm_worker *w)
{
    return (uint32_t)(atomic_load_explicit(&w->at, memory_order_relaxed) & CLAIM_GROUPS);
}

/* How many of @left groups to claim. */
static uint32_t worker_chunk(const struct hmmsvm_worker *w, const struct ring_slot *slot,
                             uint64_t left)
{
    uint64_t n = left / (4ull * w->pool->ring->workers);

    if (n < 2 || worker_is_extra(w) ||
        atomic_load_explicit(&slot->crowd, memory_order_relaxed) == RING_CROWD_WAITS)
        return 1;
    return n > w->pool->chunk ? w->pool->chunk : (uint32_t)n;
}

/* Claims groups of the oldest launch that has some; false if none has that is for this worker. */
static bool worker_claim(struct hmmsvm_worker *w)
{
    struct ring *ring = w->pool->ring;

    if (atomic_load_explicit(&w->pool->returned, memory_order_relaxed) && progress_take(w))
        return true;
    for (;;) {
        uint32_t head = atomic_load(&ring->head);
        struct ring_slot *slot = ring_ready(ring, head);
        uint64_t left;

        if (!slot) {
            if (atomic_load(&ring->head) == head)
                return false;
            continue;
        }
        if (atomic_load_explicit(&ring->stop, memory_order_relaxed))
            return false;
        left = atomic_load(&slot->remaining);
        while (left) {
            uint32_t n = worker_chunk(w, slot, left);

            if (worker_is_extra(w) && !atomic_load(&slot->crowd))
                return false;
            if (!atomic_compare_exchange_weak(&slot->remaining, &left, left - n))
                continue;
            hmmsvm_worker_claimed(w, slot, slot->total - left, n);
            if (left == slot->total) {
                slot->end.start_ns = ring_now_ns();
                if (left > n || atomic_load(&ring->tail) - head > 1)
                    ring_wake(ring, 1);
            } else if (!atomic_load(&ring->sleepers) &&
                       (left > n || atomic_load(&ring->tail) - head > 1)) {
                /*
                 * Who submitted that may have counted on this worker, which was woken for
                 * something else but had not begun. The last one that begins looks.
                 */
                ring_watch(ring);
            }
            return true;
        }
        /* Fails if another worker did it. */
        atomic_compare_exchange_strong(&ring->head, &head, head + 1);
    }
}

/*
 * Whether the worker goes on with its claim, of which one more group has run to the end.
 *
 * What is announced in at may not be taken back any more, and what is above the limit is not the
 * worker's. Who lowers the limit looks whether it came too late and raises it again, under the
 * lock; the barrier between announcing and looking is on that side (membarrier(2)).
 */
static inline bool worker_next(struct hmmsvm_worker *w)
{
    uint64_t at = atomic_load_explicit(&w->at, memory_order_relaxed) + 1;

    atomic_store_explicit(&w->at, at, memory_order_release);
    if ((at & CLAIM_GROUPS) >= w->count)
        return false;
    atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect(at >= atomic_load_explicit(&w->limit, memory_order_acquire), false))
        return progress_may_go_on(w);
    return true;
}

/*
 * Makes the worker's own argument array and context of a launch. Reads the
 * application's memory, so it runs under the guard like a group.
 */
static bool worker_prepare(struct hmmsvm_worker *w, const struct hmmsvm_launch *l)
{
    struct ring *ring = w->pool->ring;
    uint64_t used = 0;
    uint32_t waiting;

    if (l->nargs)
        memcpy(w->args, l->args, l->nargs * sizeof(*w->args));
    for (uint32_t i = 0; i < l->nlocals; i++) {
        uint32_t arg = l->locals[i].arg;
        uint64_t size = l->locals[i].size;

        /* The application's memory may have changed since it was checked. */
        if (arg >= l->nargs || used > ring->local_size || size > ring->local_size - used) {
            w->too_large = 1;
            return false;
        }
        w->local_args[i] = w->local + used;
        w->args[arg] = &w->local_args[i];
        used += (size + WORKER_LOCAL_ALIGN - 1) & ~(uint64_t)(WORKER_LOCAL_ALIGN - 1);
    }

    if (l->ctx_size)
        memcpy(w->ctx, l->ctx, l->ctx_size);
    if (l->ctx_printf != HMMSVM_NO_FIELD) {
        uint8_t *buf = l->printf_buf + (uint64_t)w->index * l->printf_size;

        memcpy(w->ctx + l->ctx_printf, &buf, sizeof(buf));
    }
    if (l->ctx_printf_pos != HMMSVM_NO_FIELD) {
        uint32_t *pos = l->printf_pos + w->index;

        memcpy(w->ctx + l->ctx_printf_pos, &pos, sizeof(pos));
    }
    /* Who follows the pointer has no guard. */
    waiting = l->ctx_waiting;
    atomic_store_explicit(&w->waiting,
                          waiting > sizeof(w->ctx) - sizeof(uint32_t) || waiting % sizeof(uint32_t)
                              ? NULL
                              : (const _Atomic uint32_t *)(const void *)(w->ctx + waiting),
                          memory_order_release);
    return true;
}

/* Runs the groups of the claim. */
static void worker_body(struct hmmsvm_worker *w)
{
    static const volatile uint32_t never;
    struct ring_slot *slot = atomic_load_explicit(&w->slot, memory_order_relaxed);
    const struct hmmsvm_launch *l = &slot->launch;
    const uint64_t nx = l->groups[0], ny = l->groups[1];
    const volatile uint32_t *failed = &never;
    uint8_t *args = (uint8_t *)w->args;
    uint64_t x, y, z, first = atomic_load_explicit(&w->first, memory_order_relaxed);

    if (atomic_load_explicit(&slot->failed, memory_order_relaxed))
        return;
    if (w->prepared != slot->id) {
        w->prepared = 0;
        if (!worker_prepare(w, l))
            return;
        w->prepared = slot->id;
    }
    if (l->ctx_failed != HMMSVM_NO_FIELD)
        failed = (const volatile uint32_t *)(w->ctx + l->ctx_failed);

    x = first % nx;
    y = first / nx % ny;
    z = first / nx / ny;
    worker_set_mxcsr(MXCSR_DEFAULT | (l->flags & HMMSVM_LAUNCH_FTZ ? MXCSR_FTZ_DAZ : 0) |
                     (l->flags & HMMSVM_LAUNCH_RTZ ? MXCSR_RTZ : 0));
    for (;;) {
        l->fn(args, w->ctx, x, y, z);
        if (*failed) {
            w->group_failed = 1;
            break;
        }
        if (!worker_next(w) || atomic_load_explicit(&slot->failed, memory_order_relaxed))
            break;
        if (++x == nx) {
            x = 0;
            if (++y == ny) {
                y = 0;
                z++;
            }
        }
    }
}

/* Writes down how a launch failed, unless another worker already has. */
static void worker_record(struct hmmsvm_worker *w, const struct hmmsvm_fault *fault)
{
    struct ring_slot *slot = atomic_load_explicit(&w->slot, memory_order_relaxed);
    const struct hmmsvm_launch *l = &slot->launch;
    uint64_t group = atomic_load_explicit(&w->first, memory_order_relaxed) + worker_ran(w);

    if (atomic_exchange(&slot->failed, 1))
        return;
    slot->end.status = fault->status;
    slot->end.access = fault->access;
    slot->end.signal = fault->signal;
    slot->end.address = fault->address;
    slot->end.group[0] = group % l->groups[0];
    slot->end.group[1] = group / l->groups[0] % l->groups[1];
    slot->end.group[2] = group / l->groups[0] / l->groups[1];
}

void hmmsvm_worker_hangs(struct hmmsvm_worker *w)
{
    const struct hmmsvm_fault fault = {.status = HMMSVM_HUNG, .signal = WATCHDOG_SIGNAL};

    worker_record(w, &fault);
}

/* Takes the next place in the order in which launches are reported. */
static uint32_t worker_report_at(struct ring *ring)
{
    return atomic_fetch_add(&ring->done_next, 1) % RING_SLOTS;
}

/* Tells libhmmsvm that a launch has ended; its slot may be used anew at once. */
static void worker_report(struct ring *ring, uint32_t at, const struct ring_slot *slot)
{
    atomic_store(&ring->done[at], (uint32_t)(slot - ring->slots) + 1);
    ring_notify(ring);
}

/* What waits for @slot's launch, in the order it was submitted, and then the list @rest. */
static uint32_t worker_dependants(struct ring *ring, struct ring_slot *slot, uint32_t rest)
{
    uint32_t list = atomic_exchange(&slot->dependants, RING_ENDED);

    while (list) {
        struct ring_slot *s = &ring->slots[(list - 1) % RING_SLOTS];
        uint32_t next = s->next;

        s->next = rest;
        rest = list;
        list = next;
    }
    return rest;
}

/* Ends a launch: @slot->end says how. */
static void worker_end(struct hmmsvm_worker *w, struct ring_slot *slot)
{
    struct ring *ring = w->pool->ring;
    bool ok = slot->end.status == HMMSVM_OK;
    /* First, as what starts now may end before this one is reported. */
    uint32_t at = worker_report_at(ring);
    uint32_t list = worker_dependants(ring, slot, 0);

    while (ok && list) {
        uint32_t i = (list - 1) % RING_SLOTS;
        uint64_t total = ring->slots[i].total;

        list = ring->slots[i].next;
        ring_start(ring, i, total);
        /* One of its groups, or of the next one, is this worker's, if it is there for it. */
        ring_wake(ring, total - (!list && !worker_is_extra(w)));
    }
    worker_report(ring, at, slot);
    while (list) {
        struct ring_slot *s = &ring->slots[(list - 1) % RING_SLOTS];

        s->end.status = HMMSVM_CANCELLED;
        s->end.start_ns = s->end.end_ns = ring_now_ns();
        atomic_store(&s->cancelled, s->total);
        atomic_store(&s->finished, s->total);
        list = worker_dependants(ring, s, s->next);
        worker_report(ring, worker_report_at(ring), s);
    }
}

/* Accounts for the claim; the last one of a launch ends it. */
static void worker_finish(struct hmmsvm_worker *w)
{
    struct ring *ring = w->pool->ring;
    struct ring_slot *slot = atomic_load_explicit(&w->slot, memory_order_relaxed);
    uint64_t ran = worker_ran(w), total = slot->total, count;

    if (ran < w->count)
        progress_close(w);
    count = w->count;
    if (ran < count) {
        /* Nobody shall start what nobody has claimed. */
        uint64_t left = atomic_exchange(&slot->remaining, 0);

        atomic_fetch_add(&slot->cancelled, count - ran + left);
        count += left;
    }
    if (atomic_fetch_add(&slot->finished, count) + count != total)
        return;

    slot->end.end_ns = ring_now_ns();
    slot->end.groups_run = total - atomic_load(&slot->cancelled);
    slot->end.workers = ring->workers + atomic_load(&ring->extra);
    worker_end(w, slot);
}

/* Runs the claim and accounts for it. */
static void worker_run(struct hmmsvm_worker *w)
{
    const struct hmmsvm_guard *guard = w->pool->guard;
    struct hmmsvm_fault fault = {.status = HMMSVM_OK};

    w->group_failed = 0;
    w->too_large = 0;
    if (guard && guard->run)
        guard->run(w, worker_body, &fault);
    else
        worker_body(w);
    worker_set_mxcsr(MXCSR_DEFAULT);

    if (fault.status != HMMSVM_OK) {
        /* It may have left its copies in any state. */
        w->prepared = 0;
    } else if (w->too_large) {
        fault.status = HMMSVM_NO_MEMORY;
    } else if (w->group_failed) {
        fault.status = HMMSVM_FAILED;
    }
    if (fault.status != HMMSVM_OK)
        worker_record(w, &fault);
    worker_finish(w);
}

/* Looks for work a little longer before sleeping. One worker at a time does. */
static void worker_spin(struct ring *ring)
{
    uint32_t bell = atomic_load(&ring->bell);
    uint64_t start = ring_ticks();
    uint32_t none = 0, turn = 0;

    if (!ring->spin || !atomic_compare_exchange_strong(&ring->spinners, &none, 1))
        return;
    if (!ring_ready(ring, atomic_load(&ring->head)))
        while (atomic_load_explicit(&ring->bell, memory_order_relaxed) == bell &&
               ring_ticks() - start < RING_SPIN_TICKS)
            ring_relax(turn++);
    atomic_store(&ring->spinners, 0);
}

/* What one of the workers does that are always there. */
static void worker_serve(struct hmmsvm_worker *w)
{
    struct hmmsvm_pool *pool = w->pool;
    struct ring *ring = pool->ring;

    while (!atomic_load(&ring->stop)) {
        uint32_t bell;

        if (worker_claim(w)) {
            worker_run(w);
            continue;
        }
        worker_spin(ring);
        bell = atomic_load(&ring->bell);
        atomic_fetch_add(&ring->sleepers, 1);
        if (!ring_ready(ring, atomic_load(&ring->head)) && !atomic_load(&pool->returned) &&
            !atomic_load(&ring->stop))
            ring_futex_wait(&ring->bell, bell, UINT64_MAX);
        atomic_fetch_sub(&ring->sleepers, 1);
    }
}

/* What one does that was added: nothing until it is called. */
static void worker_help(struct hmmsvm_worker *w)
{
    struct ring *ring = w->pool->ring;

    while (!atomic_load(&ring->stop)) {
        if (!atomic_load(&w->go)) {
            ring_futex_wait(&w->go, 0, UINT64_MAX);
            continue;
        }
        while (worker_claim(w))
            worker_run(w);
        atomic_store(&w->go, 0);
    }
}

static void *worker_main(void *arg)
{
    struct hmmsvm_worker *w = arg;

    if (w->pool->guard && w->pool->guard->enter)
        w->pool->guard->enter(w);
    if (worker_is_extra(w))
        worker_help(w);
    else
        worker_serve(w);
    return NULL;
}

static void *worker_map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void worker_free(struct ring *ring, struct hmmsvm_worker *w)
{
    if (w->local)
        munmap(w->local, ring->local_size);
    munmap(w, sizeof(*w));
}

int hmmsvm_worker_start(struct hmmsvm_pool *pool)
{
    struct ring *ring = pool->ring;
    struct hmmsvm_worker *w = worker_map(sizeof(*w));
    pthread_attr_t attr;
    int err;

    if (!w)
        return -ENOMEM;
    w->pool = pool;
    w->index = pool->workers;
    w->local = worker_map(ring->local_size);
    if (!w->local) {
        worker_free(ring, w);
        return -ENOMEM;
    }
    /* One that is added is called at once. */
    atomic_store(&w->go, 1);
    pthread_attr_init(&attr);
    err = pthread_attr_setstacksize(&attr, ring->stack_size);
    if (!err)
        err = pthread_attr_setguardsize(&attr, WORKER_GUARD);
    if (!err)
        err = pthread_create(&w->thread, &attr, worker_main, w);
    pthread_attr_destroy(&attr);
    if (err) {
        worker_free(ring, w);
        return -err;
    }
    /* In this order: watchdog.c looks at those that are counted. */
    pool->list[pool->workers] = w;
    pool->workers++;
    return 0;
}

static void pool_free(struct hmmsvm_pool *pool)
{
    if (pool->list)
        munmap(pool->list, pool->resident * sizeof(*pool->list));
    if (pool->given)
        munmap(pool->given, pool->resident * sizeof(*pool->given));
    pthread_mutex_destroy(&pool->lock);
    pool->list = NULL;
    pool->given = NULL;
    pool->workers = 0;
}

int hmmsvm_pool_start(struct hmmsvm_pool *pool, struct ring *ring, const struct hmmsvm_guard *guard)
{
    int err = 0;

    *pool = (struct hmmsvm_pool){.ring = ring, .guard = guard, .chunk = WORKER_CHUNK};
    pool->resident = ring->resident > ring->workers ? ring->resident : ring->workers;
    pthread_mutex_init(&pool->lock, NULL);
    pool->list = worker_map(pool->resident * sizeof(*pool->list));
    pool->given = worker_map(pool->resident * sizeof(*pool->given));
    if (!pool->list || !pool->given) {
        pool_free(pool);
        return -ENOMEM;
    }
    while (!err && pool->workers < ring->workers)
        err = hmmsvm_worker_start(pool);
    if (!err)
        err = progress_start(pool);
    if (err)
        hmmsvm_pool_stop(pool);
    return err;
}

void hmmsvm_pool_stop(struct hmmsvm_pool *pool)
{
    struct ring *ring = pool->ring;

    if (!pool->list)
        return;
    atomic_store(&ring->stop, 1);
    progress_stop(pool); /* from here on there are no further workers */
    for (unsigned i = 0; i < RING_SLOTS; i++)
        atomic_store(&ring->slots[i].failed, 1);
    atomic_fetch_add(&ring->bell, 1);
    ring_futex_wake(&ring->bell, INT_MAX);
    for (unsigned i = ring->workers; i < pool->workers; i++) {
        atomic_store(&pool->list[i]->go, 1);
        ring_futex_wake(&pool->list[i]->go, 1);
    }
    for (unsigned i = 0; i < pool->workers; i++) {
        pthread_join(pool->list[i]->thread, NULL);
        worker_free(ring, pool->list[i]);
    }
    pool_free(pool);
}
