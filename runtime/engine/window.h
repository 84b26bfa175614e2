/* SPDX-License-Identifier: MIT */
/*
 * window.h - how the engine moves into its window
 *
 * Locking: none; there is one thread.
 */
#ifndef HMMSVM_WINDOW_H
#define HMMSVM_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring.h"

/* What the copy in the window needs to know; lies in the window, too. */
struct window_params {
    /* Given. */
    uint64_t start, len;         /* the window */
    uint64_t va_start, va_end;   /* what the mirror can show */
    int mirror_fd;               /* -1: an inaccessible mapping instead, for the self-test */
    int ring_fd;

    /* Found out. */
    uint64_t block, block_len;   /* the part of the window that is in use */
    struct ring *ring;           /* mapped there */
    uint64_t entry, stack;       /* where the copy begins */
};

/**
 * window_enter - starts this program anew, from a copy in the window, with
 * nothing outside of it but the mirror
 * @params: copied
 * @ring:   where to say what failed
 *
 * The copy's main() is entered with the same arguments; window_params() tells
 * it that it is the copy. Does not return: what fails is written into @ring
 * and ends the process. Signals must be blocked.
 */
__attribute__((noreturn)) void window_enter(const struct window_params *params, struct ring *ring);

/** window_params - in the copy: what window_enter() knew; NULL if this is no copy */
const struct window_params *window_params(void);

/**
 * window_residue - looks for mappings that should not be there
 *
 * Returns the start of the first mapping that lies neither in the window nor
 * among the addresses of the mirror, 0 if there is none, or the start of a
 * mapping there which is not the mirror's. Reads /proc/self/maps.
 */
uint64_t window_residue(const struct window_params *params);

/** engine_fail - writes into the ring what failed and ends the process */
__attribute__((noreturn)) void engine_fail(struct ring *ring, enum ring_step step, int error,
                                           uint64_t detail);

#endif /* HMMSVM_WINDOW_H */
