/* SPDX-License-Identifier: MIT */
/*
 * progress.h - forward progress of work-groups that wait for each other
 *
 * See progress.c for how. worker.c calls these; their caller is the worker @w
 * itself where there is one.
 */
#ifndef HMMSVM_PROGRESS_H
#define HMMSVM_PROGRESS_H

#include <stdbool.h>

#include "worker.h"

/** progress_start - starts the thread that watches the pool; returns 0 or -errno */
int progress_start(struct hmmsvm_pool *pool);

/** progress_stop - ends that thread; ring->stop is set already */
void progress_stop(struct hmmsvm_pool *pool);

/** progress_take - claims a group that another worker gave back; false if there is none */
bool progress_take(struct hmmsvm_worker *w);

/** progress_may_go_on - whether the next group of the claim is still the worker's */
bool progress_may_go_on(struct hmmsvm_worker *w);

/** progress_close - the claim ends early: from here on none of its groups is taken back */
void progress_close(struct hmmsvm_worker *w);

#endif /* HMMSVM_PROGRESS_H */
