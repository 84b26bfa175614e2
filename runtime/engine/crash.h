/* SPDX-License-Identifier: MIT */
/*
 * crash.h - what keeps the engine alive when a work-group does what it must not
 */
#ifndef HMMSVM_CRASH_H
#define HMMSVM_CRASH_H

#include "worker.h"

/* The guard of the engine's workers. */
extern const struct hmmsvm_guard crash_guard;

/**
 * crash_install - catches the signals that the processor raises, and that of a
 * refused system call (sandbox.h)
 * @ring: gets to know which call was refused outside of a guarded function
 *
 * Outside of a guarded function they end the process as ever.
 */
void crash_install(struct ring *ring);

#endif /* HMMSVM_CRASH_H */
