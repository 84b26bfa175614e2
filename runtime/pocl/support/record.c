/* SPDX-License-Identifier: MIT */
/*
 * record.c - writes down which pages a kernel uses
 *
 * Linked into kernels that were compiled to report their accesses: see record.h. A page that was
 * used of late has its record already, and its weight is added to; so a record stands where the page
 * was used first, and the log is complete whenever the launch ends.
 *
 * Nothing but general registers is used, and all of them are kept: kernels call this with the
 * convention preserve_all, so that nothing of theirs has to be saved around an access.
 *
 * Locking: see record.h.
 */
#include "record.h"

#include <stdbool.h>
#include <stddef.h>

/* No stack is larger; above it lies what the thread pointer points to. */
#define MAX_STACK (1ull << 30)

#define LINE(address) ((uint32_t)((address) >> RECORD_LINE_SHIFT & 63))

static inline uint64_t thread_pointer(void)
{
    uint64_t pointer;

    __asm__("movq %%fs:0, %0" : "=r"(pointer));
    return pointer;
}

/* The pieces of a worker's local memory lie one after the other: see worker_prepare(). */
static inline void start(struct recorder *r, void *const *args)
{
    uint64_t low = UINT64_MAX, high = 0;

    for (uint32_t i = 0; i < r->nlocals; i++) {
        uint64_t at = *(const uint64_t *)args[r->locals[i].arg];

        if (at < low)
            low = at;
        if (at + r->locals[i].size > high)
            high = at + r->locals[i].size;
    }
    r->local_start = low;
    r->local_len = high > low ? high - low : 0;
    r->started = 1;
}

/* Whether it is the work-items' own memory: local, or on the worker's stack. */
static inline bool is_private(const struct recorder *r, uint64_t address)
{
    uint64_t here = (uintptr_t)__builtin_frame_address(0), top = thread_pointer();

    return address - r->local_start < r->local_len ||
           (top - here < MAX_STACK && address - here < top - here);
}

/* The record of a page that has none, or none any more; NULL if there is no room. */
static inline struct record *add(struct recorder *r, uint64_t key, uint32_t set)
{
    struct record_log *log = r->log;

    if (r->at == r->end) {
        uint64_t piece = log->room;

        if (__atomic_load_n(&log->next, __ATOMIC_RELAXED) < log->room)
            piece = __atomic_fetch_add(&log->next, RECORD_PIECE, __ATOMIC_RELAXED);
        if (piece + RECORD_PIECE > log->room)
            return NULL;
        r->at = (uint32_t)piece;
        r->end = r->at + RECORD_PIECE;
    }
    for (uint32_t way = RECORD_WAYS - 1; way > 0; way--) {
        r->keys[set + way] = r->keys[set + way - 1];
        r->records[set + way] = r->records[set + way - 1];
    }
    r->keys[set] = key;
    r->records[set] = r->at;
    log->records[r->at].key = key;
    return &log->records[r->at++];
}

/* The upper bits of a product depend on all of the key's. */
static inline uint32_t set_of(uint64_t key)
{
    _Static_assert(RECORD_SETS == 16, "four bits of the product");
    return (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 60) * RECORD_WAYS;
}

static inline void count(struct record *record, uint64_t first, uint64_t last)
{
    record->weight += LINE(last) - LINE(first) + (record->line != LINE(first));
    record->line = LINE(last);
}

/* Uses of [@first, @last], which lies in one page. */
static inline void use(struct recorder *r, void *const *args, uint64_t first, uint64_t last,
                       uint32_t write)
{
    uint64_t key = first >> RECORD_PAGE_SHIFT << 1 | write;
    uint32_t set = set_of(key);
    struct record *record;

    for (uint32_t way = 0; way < RECORD_WAYS; way++) {
        if (r->keys[set + way] != key)
            continue;
        record = &r->log->records[r->records[set + way]];
        if (record->weight >= RECORD_MAX_WEIGHT)
            break;
        count(record, first, last);
        return;
    }
    if (!r->started)
        start(r, args);
    if (is_private(r, first))
        return;
    record = add(r, key, set);
    if (!record) {
        __atomic_fetch_add(&r->log->lost, LINE(last) - LINE(first) + 1, __ATOMIC_RELAXED);
        return;
    }
    record->weight = LINE(last) - LINE(first) + 1;
    record->line = LINE(last);
}

#define KEEPS_REGISTERS __attribute__((no_caller_saved_registers))

KEEPS_REGISTERS void pocl_memory_access(void *const *args, void *context, uint64_t address,
                                        uint64_t size, uint32_t write);

static KEEPS_REGISTERS __attribute__((noinline)) void access_slowly(void *const *args,
                                                                    struct recorder *r,
                                                                    uint64_t address, uint64_t size,
                                                                    uint32_t write)
{
    uint64_t end = address + size;

    /* What lies in the first page, or beyond the last one, faults. */
    if (!r->log || address >> RECORD_PAGE_SHIFT == 0 || end < address)
        return;
    while (address < end) {
        uint64_t next = ((address >> RECORD_PAGE_SHIFT) + 1) << RECORD_PAGE_SHIFT;

        if (next > end)
            next = end;
        use(r, args, address, next - 1, write);
        address = next;
    }
}

/* With few registers, as each that is used has to be saved: a page that is first in its set. */
void pocl_memory_access(void *const *args, void *context, uint64_t address, uint64_t size,
                        uint32_t write)
{
    struct recorder *r = (struct recorder *)((char *)context + RECORD_OFFSET);
    uint64_t key = address >> RECORD_PAGE_SHIFT << 1 | write, last = address + size - 1;
    uint32_t set = set_of(key);

    if (r->keys[set] == key && size - 1 <= (1u << RECORD_PAGE_SHIFT) - 1 &&
        (address ^ last) >> RECORD_PAGE_SHIFT == 0) {
        struct record *record = &r->log->records[r->records[set]];

        if (record->weight < RECORD_MAX_WEIGHT) {
            count(record, address, last);
            return;
        }
    }
    access_slowly(args, r, address, size, write);
}
