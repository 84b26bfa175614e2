/* SPDX-License-Identifier: MIT */
/*
 * record.h - what kernels that are recorded, the driver and `hmmsvm record` hand to each other
 *
 * A recorded kernel is compiled with a call before each access to memory (report-accesses, a pass of
 * ours in pocl). The call is answered by runtime/pocl/support/record.c, on the worker, in kernel mode
 * in the engine: it writes into a log that the driver keeps for each launch, in the application's
 * memory. When the launch has ended the driver sends the log to `hmmsvm record`, over a socket that
 * HMMSVM_RECORD names, as messages of the form below.
 *
 * Locking: a log is shared by the workers of a launch, which claim pieces of it by an atomic
 * addition and then write to those alone. A recorder is one worker's copy.
 */
#ifndef HMMSVM_RECORD_H
#define HMMSVM_RECORD_H

#include <stdint.h>

#include <hmmsvm/client.h>

#define RECORD_PAGE_SHIFT 12
#define RECORD_LINE_SHIFT 6
#define RECORD_PIECE      64u /* records; claimed at once */
#define RECORD_SETS       16u
#define RECORD_WAYS       4u
#define RECORD_MAX_WEIGHT (1u << 31) /* from here on there is another record */

/**
 * struct record - uses of one page, reads or writes
 * @key:    page << 1 | write; 0: none, as of those that were claimed and not used
 * @weight: how many; those that follow each other in the same line are one
 * @line:   the line of the last one
 */
struct record {
    uint64_t key;
    uint32_t weight;
    uint32_t line;
};

/**
 * struct record_log - where the workers of a launch write
 * @next: how many records were claimed, or wanted
 * @lost: uses for which there was no room
 */
struct record_log {
    uint64_t next;
    uint64_t room;
    uint64_t lost;
    uint64_t unused[5];
    struct record records[];
};

/**
 * struct recorder - what a worker knows of a launch; lies behind pocl's context and is copied with it
 * @log:    NULL: nothing is recorded
 * @locals: which arguments are local memory, which is not recorded; all of it is one range
 * @at, @end: the rest of the piece that was claimed
 * @keys, @records: pages that were used of late, and their records: a cache with sets and ways
 */
struct recorder {
    struct record_log *log;
    const struct hmmsvm_local *locals;
    uint32_t nlocals;
    uint32_t started;
    uint64_t local_start, local_len;
    uint32_t at, end;
    uint64_t keys[RECORD_SETS * RECORD_WAYS];
    uint32_t records[RECORD_SETS * RECORD_WAYS];
};

/* Where the recorder lies in the launch's context. */
#define RECORD_OFFSET 128u

_Static_assert(RECORD_OFFSET + sizeof(struct recorder) <= HMMSVM_MAX_CTX, "a context has no room");

/* ---- messages ------------------------------------------------------------------------------ */

#define RECORD_VERSION 1u

enum record_type {
    RECORD_HELLO = 1,   /* struct record_hello */
    RECORD_MAPS = 2,    /* the text of /proc/self/maps; sent before a launch if it has changed */
    RECORD_WRITTEN = 3, /* struct record_run: what the CPU wrote before the launch that follows, */
    RECORD_READ = 4,    /* and what it read */
    RECORD_LAUNCH = 5,  /* struct record_launch, records */
};

/* What a message begins with; @size is that of the rest. */
struct record_message {
    uint32_t type;
    uint32_t zero;
    uint64_t size;
};

/**
 * struct record_hello - who is there
 * @cpu: whether the kernel can tell what the CPU writes
 */
struct record_hello {
    uint32_t version;
    uint32_t mode; /* enum hmmsvm_mode */
    uint32_t pid;
    uint32_t workers;
    uint32_t cpu;
    uint32_t zero;
};

struct record_launch {
    uint64_t lost;
    uint32_t status; /* enum hmmsvm_status */
    uint32_t zero;
    char name[256]; /* cut off, if it is longer */
};

struct record_run {
    uint64_t page, count;
};

#endif
