/* SPDX-License-Identifier: MIT */
/*
 * trace-text.h - traces as text, one record a line. No locking.
 */
#ifndef TRACE_TEXT_H
#define TRACE_TEXT_H

#include <stddef.h>

/* A text as the bytes of a binary trace; NULL and what is wrong, with the line, if it is none. */
void *trace_from_text(const char *text, size_t size, size_t *packed_size, char *error,
                      size_t error_size);

#endif
