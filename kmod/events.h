/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Telling what happens: event rings and tracepoints. See events.c.
 */
#ifndef HMMSVM_EVENTS_H
#define HMMSVM_EVENTS_H

#include "hmmsvm.h"

void hmmsvm_event(struct hmmsvm_context *ctx, enum hmmsvm_event_type type, unsigned int flags,
		  unsigned long address, unsigned long pages, u64 begin_ns);
int hmmsvm_events_create(struct hmmsvm_context *ctx, struct hmmsvm_events *events,
			 struct file **file);

#endif /* HMMSVM_EVENTS_H */
