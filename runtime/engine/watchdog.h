/* SPDX-License-Identifier: MIT */
/*
 * watchdog.h - ends work-groups that do not end
 *
 * Locking: see watchdog.c.
 */
#ifndef HMMSVM_WATCHDOG_H
#define HMMSVM_WATCHDOG_H

#include "worker.h"

/** watchdog_tick_ms - how often to look, for a limit of @limit_ms; -1 for no limit (0) */
int watchdog_tick_ms(uint32_t limit_ms);

/**
 * watchdog_look - has those work-groups ended that have used @limit_ms of
 * processor time and neither ended nor waited
 *
 * Returns false if one cannot be ended: then it is written down that its launch
 * hangs, and the process has to go.
 */
bool watchdog_look(struct hmmsvm_pool *pool, uint32_t limit_ms);

#endif /* HMMSVM_WATCHDOG_H */
