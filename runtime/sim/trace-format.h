/* SPDX-License-Identifier: MIT */
/*
 * trace-format.h - how a record lies in a trace, for what reads and what writes it
 *
 * A record begins with a byte. Below 0x80 it is the type; the fields follow as varints (seven bits
 * a byte, the lowest first, bit 7: there are more). From 0x80 on it is an access, whose lower bits
 * say what follows. docs/traces.md has all of it.
 *
 * Locking: none.
 */
#ifndef TRACE_FORMAT_H
#define TRACE_FORMAT_H

#include <endian.h>
#include <stdint.h>

#include <hmmsvm/trace.h>

enum {
    TRACE_ACCESS = 0x80,
    TRACE_WRITE = 0x01,
    TRACE_CPU = 0x02,
    TRACE_COUNT = 0x04,     /* count - 1 follows; else 0 */
    TRACE_STRIDE = 0x08,    /* stride - 1 follows; else 0 */
    TRACE_WEIGHT = 0x10,    /* weight - 1 follows; else that of the side's last access, 0 at first */
    TRACE_UNUSED = 0x60,
};

/* The header, as it lies in the file; numbers are little endian. */
struct trace_header {
    char magic[8];
    uint32_t version;
    uint32_t header_size;
    uint32_t page_size;
    uint32_t flags;         /* 0 */
    uint64_t raw_size;      /* bytes of all records; 0: not known */
    uint64_t accesses;      /* 0: not known */
    uint8_t reserved[24];   /* 0 */
};

_Static_assert(sizeof(struct trace_header) == HMMSVM_TRACE_HEADER_SIZE, "the header's size");

static inline uint64_t trace_zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline int64_t trace_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ -(value & 1));
}

/* Whether the run lies within the limits. */
static inline int trace_run_valid(uint64_t page, uint64_t count, uint64_t stride, uint64_t weight)
{
    return page < HMMSVM_TRACE_PAGES && count && count <= HMMSVM_TRACE_PAGES && stride &&
           stride <= HMMSVM_TRACE_PAGES && weight && weight <= HMMSVM_TRACE_WEIGHT &&
           (HMMSVM_TRACE_PAGES - 1 - page) / stride >= count - 1;
}

#endif
