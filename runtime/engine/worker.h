/* SPDX-License-Identifier: MIT */
/*
 * worker.h - the threads that run work-groups
 *
 * The same code serves the engine (guarded: a crash of a work-group ends its
 * launch only) and libhmmsvm in direct mode (not guarded: there a work-group
 * is a part of the application, and so is its crash).
 *
 * Locking: hmmsvm_pool_start() and _stop() are called by one thread. What
 * pool->lock guards is said at each field; a struct hmmsvm_worker otherwise
 * belongs to its thread.
 */
#ifndef HMMSVM_WORKER_H
#define HMMSVM_WORKER_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "ring.h"

/*
 * Words of a claim: the claim's number above, groups below. A claim that ended early is closed: it
 * has nothing left that could be given back.
 */
#define CLAIM_BITS   16
#define CLAIM_GROUPS ((1ull << CLAIM_BITS) - 1)
#define CLAIM_CLOSED CLAIM_GROUPS

/* Sent by watchdog.c to a worker whose group hangs. */
#define WATCHDOG_SIGNAL SIGXCPU

/* Inaccessible below each stack: what overflows it by less in one stride is found out. */
#define WORKER_GUARD (8u << 20)

struct hmmsvm_worker {
    struct hmmsvm_pool *pool;
    pthread_t thread;
    unsigned index;
    uint8_t *local; /* ring->local_size bytes */

    /* The claim: others read it, and lower limit (progress.c). */
    struct ring_slot *_Atomic slot;
    _Atomic uint64_t first;  /* group */
    uint32_t count;          /* groups; fewer if some were given back */
    _Atomic uint64_t at;     /* the claim, and how many of its groups ran to the end */
    _Atomic uint64_t limit;  /* the claim, and how many of its groups are still the worker's */

    volatile uint32_t group_failed; /* the group that ran last says that it failed */
    volatile uint32_t too_large;    /* the local memory does not suffice */

    /* The launch that args and ctx were made for. */
    volatile uint64_t prepared;

    /* Changes while the group waits; for the thread of progress.c. */
    const _Atomic uint32_t *_Atomic waiting;

    /* Of a worker beyond ring->workers: whether it is to claim groups; a futex. */
    _Atomic uint32_t go;

    /* Of the thread of progress.c. */
    uint64_t called_at;    /* at, when it was called */
    uint64_t lowered;      /* what limit was before it was lowered */
    uint64_t seen_at;      /* at, and what waiting points to, when it saw that group first */
    uint32_t seen_waiting;
    uint64_t seen_ns;      /* when that was */
    bool waits;            /* that group is one that waits */

    /* The value of at whose group is to end: for the handler of WATCHDOG_SIGNAL. */
    _Atomic uint64_t hung;

    /* Of the thread of watchdog.c: the group it saw last. */
    struct {
        uint64_t at;
        uint64_t used_ns; /* the thread's time when that group was seen first, or to wait */
        uint32_t waiting;
        uint32_t tries;   /* how often it was told to end */
    } dog;

    alignas(128) uint8_t ctx[HMMSVM_MAX_CTX];
    void *args[HMMSVM_MAX_ARGS];
    void *local_args[HMMSVM_MAX_ARGS]; /* what args of local memory point to */
};

/*
 * The word that the worker's group changes while it waits, 0 if there is none: for those that look
 * whether it has changed. It belongs to the group, or to nobody while the worker makes the context
 * of its next one, hence no business of a sanitizer's.
 */
__attribute__((no_sanitize("thread"))) static inline uint32_t
hmmsvm_worker_waiting(const struct hmmsvm_worker *w)
{
    const _Atomic uint32_t *waiting = atomic_load(&w->waiting);

    return waiting ? atomic_load_explicit(waiting, memory_order_relaxed) : 0;
}

/* What became of a chunk of groups that did not run to its end. */
struct hmmsvm_fault {
    uint32_t status; /* enum hmmsvm_status; HMMSVM_OK: none */
    uint32_t access; /* enum hmmsvm_access; HMMSVM_REFUSED: the system call */
    int32_t signal;
    uint64_t address;
};

/**
 * struct hmmsvm_guard - what the engine adds to a worker; functions may be NULL
 * @enter: called first on the worker's own thread
 * @run:   calls body(worker); if a signal of the processor ends it, fills in
 *         *fault and returns all the same
 */
struct hmmsvm_guard {
    void (*enter)(struct hmmsvm_worker *worker);
    void (*run)(struct hmmsvm_worker *worker, void (*body)(struct hmmsvm_worker *),
                struct hmmsvm_fault *fault);
};

/* Groups that a worker claimed and gave back. */
struct hmmsvm_returned {
    struct ring_slot *slot;
    uint64_t first, count;
};

/**
 * struct hmmsvm_pool - workers
 * @ring:     what they work for
 * @guard:    NULL or what the engine adds
 * @workers:  how many were started; the thread of progress.c adds to it
 * @list:     the workers, room for @resident
 * @resident: how many there may be
 * @chunk:    how many groups a claim may have
 * @lock:     guards @given and what progress.c says
 * @returned: entries of @given
 * @given:    claimed groups that are nobody's, room for @resident entries
 * @watcher, @watched: the thread of progress.c, and whether there is one
 */
struct hmmsvm_pool {
    struct ring *ring;
    const struct hmmsvm_guard *guard;
    _Atomic unsigned workers;
    struct hmmsvm_worker **list;
    unsigned resident;
    uint32_t chunk;
    pthread_mutex_t lock;
    _Atomic uint32_t returned;
    struct hmmsvm_returned *given;
    pthread_t watcher;
    bool watched;
};

/**
 * hmmsvm_pool_start - starts ring->workers workers, each with a stack and local
 * memory of the ring's sizes, and the thread that adds some, up to
 * ring->resident, while groups wait for each other
 *
 * They inherit the caller's signal mask. Returns 0, or -errno and nothing is
 * started.
 */
int hmmsvm_pool_start(struct hmmsvm_pool *pool, struct ring *ring,
                      const struct hmmsvm_guard *guard);

/**
 * hmmsvm_pool_stop - ends the workers and frees what they had
 *
 * Groups that run are waited for; no further one is started.
 */
void hmmsvm_pool_stop(struct hmmsvm_pool *pool);

/**
 * hmmsvm_worker_start - adds a worker to the pool
 *
 * Called by one thread at a time. Returns 0 or -errno.
 */
int hmmsvm_worker_start(struct hmmsvm_pool *pool);

/** hmmsvm_worker_hangs - writes down that the launch that a worker runs hangs; for another thread */
void hmmsvm_worker_hangs(struct hmmsvm_worker *w);

/**
 * hmmsvm_worker_claimed - makes @count groups from @first on the worker's claim
 *
 * Called by the worker; they are not in the slot's remaining any more.
 */
void hmmsvm_worker_claimed(struct hmmsvm_worker *w, struct ring_slot *slot, uint64_t first,
                           uint32_t count);

#endif /* HMMSVM_WORKER_H */
