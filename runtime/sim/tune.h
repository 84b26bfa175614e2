/* SPDX-License-Identifier: MIT */
/*
 * tune.h - the best tunables for one replay. No locking.
 */
#ifndef TUNE_H
#define TUNE_H

#include "matrix.h"

/*
 * Searches the tunables of the cell's policy for the least memory time, starting with those it has;
 * leaves the best ones and their result in the cell. So many processes at a time. False, with
 * errno, if there can be none. tried is added to.
 */
bool sim_tune(struct sim_cell *cell, unsigned jobs, unsigned limit_s, unsigned *tried);

#endif
