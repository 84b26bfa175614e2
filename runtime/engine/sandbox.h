/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h - which system calls the engine may make once it serves
 *
 * Locking: none; called by the only thread there is.
 */
#ifndef HMMSVM_SANDBOX_H
#define HMMSVM_SANDBOX_H

/**
 * sandbox_enter - lets this thread, and those that it starts, make only the
 * system calls that workers need
 *
 * All others raise SIGSYS, which crash.c makes the end of the launch. There is
 * no way back. Returns 0, or -errno and nothing is changed.
 */
int sandbox_enter(void);

#endif /* HMMSVM_SANDBOX_H */
