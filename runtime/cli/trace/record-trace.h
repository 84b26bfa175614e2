/* SPDX-License-Identifier: MIT */
/*
 * record-trace.h - makes a trace of what the driver sends. One thread; no locking.
 */
#ifndef HMMSVM_RECORD_TRACE_H
#define HMMSVM_RECORD_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

/* How much was recorded; pages are different ones. */
struct recording_counts {
    uint64_t launches, failed;
    uint64_t device_read, device_written, device_pages;
    uint64_t reads, writes; /* uses */
    uint64_t lost;          /* uses that the log had no room for */
    uint64_t cpu_read, cpu_written; /* pages that the CPU used before a launch, added up */
};

struct recording;

/* Begins the trace; NULL with errno set if that fails. */
struct recording *recording_new(const char *path);

/* Takes a message. NULL, or what is wrong with it. */
const char *recording_message(struct recording *r, const struct record_message *message,
                              const void *bytes);

/* What the driver said first; its version is 0 if it said nothing. */
const struct record_hello *recording_hello(const struct recording *r);

/* Ends the trace: 0, or -1 with errno set. */
int recording_finish(struct recording *r, struct recording_counts *counts);

#endif
