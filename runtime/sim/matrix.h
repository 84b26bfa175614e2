/* SPDX-License-Identifier: MIT */
/*
 * matrix.h - many replays at once. No locking: processes share nothing but where results go.
 */
#ifndef MATRIX_H
#define MATRIX_H

#include "sim.h"

/* A replay, or with oracle set the oracle for as much device memory. */
struct sim_cell {
    struct sim_setup setup;
    bool oracle;
    struct sim_result result;
    struct sim_oracle reached;
    bool no_memory;             /* the replay needs more than there is */
    double seconds;             /* of a processor */
};

/*
 * Runs each cell in a process of its own, at most so many at a time: a policy that crashes or does
 * not come back within the limit of processor time takes nobody along. False, with errno, if there
 * can be no processes.
 */
bool sim_matrix_run(struct sim_cell *cells, size_t count, unsigned jobs, unsigned limit_s);

#endif
