/* SPDX-License-Identifier: MIT */
/*
 * trace-make.h - made-up traces: the patterns of well-known programs, the same for the same seed.
 * No locking.
 */
#ifndef TRACE_MAKE_H
#define TRACE_MAKE_H

#include <hmmsvm/trace.h>

/* Name and help of pattern number i; NULL after the last. */
const char *trace_make_name(unsigned i, const char **help);

/* Writes the pattern with a footprint of about so many pages. False if there is none of that name. */
bool trace_make(struct hmmsvm_trace_writer *writer, const char *name, uint64_t pages,
                uint64_t seed);

#endif
