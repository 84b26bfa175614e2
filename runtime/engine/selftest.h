/* SPDX-License-Identifier: MIT */
/*
 * selftest.h - hmmsvm-engine --self-test
 *
 * The move into the window, without the module: in the mirror's place there is
 * an inaccessible mapping, so whatever still used the old place would crash.
 */
#ifndef HMMSVM_SELFTEST_H
#define HMMSVM_SELFTEST_H

#include "window.h"

/** selftest_outside - makes a window (@where: "far" or "here") and moves there */
__attribute__((noreturn)) void selftest_outside(const char *where);

/** selftest_inside - checks what it is like there; the program's exit status */
int selftest_inside(const struct window_params *params);

#endif /* HMMSVM_SELFTEST_H */
