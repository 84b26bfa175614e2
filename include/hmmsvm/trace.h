/* SPDX-License-Identifier: MIT */
/*
 * hmmsvm/trace.h - traces: which pages a program's kernels and its CPU code used, in order
 *
 * A trace is what `hmmsvm sim` replays against the migration policies. The file is described field
 * by field in docs/traces.md: a header of 64 bytes and one zstd stream of records. A record is a
 * run of pages that one side reads or writes, or says that memory was allocated or freed, that a
 * kernel begins, or that time has passed.
 *
 * Locking: none. A writer belongs to one thread; a trace that is open does not change, and any
 * number of cursors may read it at once.
 */
#ifndef HMMSVM_TRACE_H
#define HMMSVM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define HMMSVM_TRACE_MAGIC       "HMMTRACE"
#define HMMSVM_TRACE_VERSION     1u
#define HMMSVM_TRACE_HEADER_SIZE 64u
#define HMMSVM_TRACE_PAGE_SIZE   4096u

/* Limits; what is beyond them is not a trace. */
#define HMMSVM_TRACE_PAGES       (1ull << 36)   /* page numbers are below: addresses of 48 bits */
#define HMMSVM_TRACE_TEXT        255u           /* bytes of a name */
#define HMMSVM_TRACE_WEIGHT      (1ull << 32)   /* at most, of an access */
#define HMMSVM_TRACE_NS          (1ull << 50)   /* 13 days: at most, of one record */
#define HMMSVM_TRACE_RAW         (1ull << 34)   /* bytes of all records */

enum hmmsvm_trace_type {
    HMMSVM_TRACE_END = 0,
    HMMSVM_TRACE_ALLOC = 1,     /* page, count, text: [page, page + count) may be used from now on */
    HMMSVM_TRACE_FREE = 2,      /* page, count: and no longer */
    HMMSVM_TRACE_KERNEL = 3,    /* text: a kernel begins, and the one before has ended */
    HMMSVM_TRACE_TIME = 4,      /* ns: time that passed without a use of memory */
    HMMSVM_TRACE_NOTE = 5,      /* text: for who reads it */
    HMMSVM_TRACE_ACCESS = 6,    /* page, count, stride, weight, write, cpu */
};

/*
 * One record. An access uses pages page, page + stride, ... count of them; each of them weight
 * times, a use being one of 64 bytes (a cache line) or less.
 */
struct hmmsvm_trace_event {
    enum hmmsvm_trace_type type;
    bool write, cpu;
    uint64_t page, count, stride, weight, ns;
    char text[HMMSVM_TRACE_TEXT + 1];
};

/* ---- reading ------------------------------------------------------------------------------- */

struct hmmsvm_trace {
    const uint8_t *raw;         /* the records */
    size_t size;
    uint64_t events;            /* how many records */
    uint64_t accesses;          /* pages used, that is the sum of count over accesses */
    uint64_t device_accesses;
    uint64_t kernels;
    bool allocs;                /* whether there are ALLOC records */
};

/* A place in an open trace; zero is its beginning. */
struct hmmsvm_trace_cursor {
    size_t at;
    uint64_t next[2];           /* where the last run of either side ended */
    uint64_t weight[2];         /* of the last run of either side, minus 1 */
};

/*
 * Reads the file (or, for "-", standard input), in either form: binary, or text as
 * hmmsvm_trace_print() writes it. NULL if it is not a trace from beginning to end; then error says
 * what is wrong.
 */
struct hmmsvm_trace *hmmsvm_trace_open(const char *path, char *error, size_t error_size);
/* The same for bytes in memory. */
struct hmmsvm_trace *hmmsvm_trace_parse(const void *bytes, size_t size, char *error,
                                        size_t error_size);
void hmmsvm_trace_close(struct hmmsvm_trace *trace);

/* The next record; false at the end. */
bool hmmsvm_trace_next(const struct hmmsvm_trace *trace, struct hmmsvm_trace_cursor *cursor,
                       struct hmmsvm_trace_event *event);

/* Prints one record as a line of text. */
void hmmsvm_trace_print(const struct hmmsvm_trace_event *event, FILE *out);

/* ---- writing ------------------------------------------------------------------------------- */

struct hmmsvm_trace_writer;

/*
 * Begins a trace in the file ("-": standard output). NULL with errno set if that fails. Failures
 * after that are kept and told by hmmsvm_trace_finish().
 */
struct hmmsvm_trace_writer *hmmsvm_trace_create(const char *path);
/* One in memory, which hmmsvm_trace_finish_memory() returns. */
struct hmmsvm_trace_writer *hmmsvm_trace_create_memory(void);

/* Adds a record. What is beyond the limits is refused: finishing then fails with EINVAL. */
void hmmsvm_trace_write(struct hmmsvm_trace_writer *writer, const struct hmmsvm_trace_event *event);
void hmmsvm_trace_alloc(struct hmmsvm_trace_writer *writer, uint64_t page, uint64_t count,
                        const char *name);
void hmmsvm_trace_free(struct hmmsvm_trace_writer *writer, uint64_t page, uint64_t count);
void hmmsvm_trace_kernel(struct hmmsvm_trace_writer *writer, const char *name);
void hmmsvm_trace_note(struct hmmsvm_trace_writer *writer, const char *text);
void hmmsvm_trace_time(struct hmmsvm_trace_writer *writer, uint64_t ns);
/* Runs that go on where the one before ended are joined. */
void hmmsvm_trace_access(struct hmmsvm_trace_writer *writer, bool cpu, bool write, uint64_t page,
                         uint64_t count, uint64_t weight);

/* Ends the trace. 0, or -1 with errno set; the writer is gone in any case. */
int hmmsvm_trace_finish(struct hmmsvm_trace_writer *writer);
void *hmmsvm_trace_finish_memory(struct hmmsvm_trace_writer *writer, size_t *size);

#endif
