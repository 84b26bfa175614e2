/* SPDX-License-Identifier: MIT */
/*
 * worker.h - the threads that run work-groups
 *
 * The same code serves the engine (guarded: a crash of a work-group ends its
 * launch only) and libhmmsvm in direct mode (not guarded: there a work-group
 * is a part of the application, and so is its crash).
 *
 * Locking: hmmsvm_pool_start() and _stop() are called by one thread.
 */
#ifndef HMMSVM_WORKER_H
#define HMMSVM_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#include "ring.h"

struct hmmsvm_worker;

/* What became of a chunk of groups that did not run to its end. */
struct hmmsvm_fault {
    uint32_t status; /* enum hmmsvm_status; HMMSVM_OK: none */
    uint32_t access; /* enum hmmsvm_access */
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

struct hmmsvm_pool {
    struct ring *ring;
    const struct hmmsvm_guard *guard;
    unsigned workers; /* that were started */
    struct hmmsvm_worker **list;
};

/**
 * hmmsvm_pool_start - starts ring->workers workers, each with a stack and local
 * memory of the ring's sizes
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

#endif /* HMMSVM_WORKER_H */
