/* SPDX-License-Identifier: MIT */
/*
 * record-trace.c - makes a trace of what the driver sends
 *
 * Each launch becomes: what memory has come and gone in the blocks (2 MiB) that the device uses or has
 * used, what the CPU did there, the kernel, and its uses in the order of the log. What the CPU
 * did elsewhere waits until the device uses that block; most of it never does.
 *
 * One thread; no locking.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <hmmsvm/policy.h>
#include <hmmsvm/trace.h>

#include "cli.h"
#include "record-trace.h"

#define BLOCK_PAGES HMMSVM_POLICY_BLOCK_PAGES
#define BLOCKS      (HMMSVM_TRACE_PAGES / BLOCK_PAGES)
#define TABLE_BYTES (BLOCKS * sizeof(uint32_t))

/* A block that the device or the CPU has used; sets of its pages. */
struct block {
    uint64_t start; /* its first page */
    bool device;    /* the device has used it */
    struct hmmsvm_pages read, written;
    struct hmmsvm_pages cpu[2]; /* the CPU has read, written; which is not in the trace yet */
    struct hmmsvm_pages alloc;  /* what there is, as the trace has it */
};

struct range {
    uint64_t start, end; /* pages */
};

struct recording {
    struct hmmsvm_trace_writer *writer;
    struct record_hello hello;
    struct recording_counts counts;
    uint32_t *number; /* by address in blocks: index + 1 */
    struct block *blocks;
    size_t nblocks, room;
    uint32_t *order; /* the device's blocks, by address */
    size_t norder, order_room;
    struct range *maps; /* what is mapped, in the order of addresses */
    size_t nmaps, maps_room;
    bool maps_changed;
};

struct recording *recording_new(const char *path)
{
    struct recording *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->number = mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (r->number == MAP_FAILED) {
        free(r);
        return NULL;
    }
    r->writer = hmmsvm_trace_create(path);
    if (r->writer)
        return r;
    munmap(r->number, TABLE_BYTES);
    free(r);
    return NULL;
}

/* Room for one more of @count; ends the program if there is no memory. */
static void *grow(void *array, size_t count, size_t size, size_t *room)
{
    if (count < *room)
        return array;
    *room = *room ? 2 * *room : 64;
    array = realloc(array, *room * size);
    if (!array)
        cli_die("out of memory");
    return array;
}

static struct block *block_of(struct recording *r, uint64_t page)
{
    uint32_t *number = &r->number[page / BLOCK_PAGES];

    if (!*number) {
        r->blocks = grow(r->blocks, r->nblocks, sizeof(*r->blocks), &r->room);
        r->blocks[r->nblocks] = (struct block){ .start = page / BLOCK_PAGES * BLOCK_PAGES };
        *number = (uint32_t)++r->nblocks;
    }
    return &r->blocks[*number - 1];
}

/* ---- what is mapped ------------------------------------------------------------------------ */

/* The text of /proc/PID/maps. What nobody may access is no memory. */
static void read_maps(struct recording *r, const char *text, size_t size)
{
    const char *end = text + size;

    r->nmaps = 0;
    r->maps_changed = true;
    while (text < end) {
        const char *line = memchr(text, '\n', (size_t)(end - text));
        uint64_t first, last;
        char copy[64], access;
        size_t n = line ? (size_t)(line - text) : (size_t)(end - text);

        snprintf(copy, sizeof(copy), "%.*s", (int)(n < sizeof(copy) ? n : sizeof(copy) - 1), text);
        text += n + 1;
        if (sscanf(copy, "%" SCNx64 "-%" SCNx64 " %c", &first, &last, &access) != 3 ||
            access != 'r' || last >> RECORD_PAGE_SHIFT > HMMSVM_TRACE_PAGES)
            continue;
        r->maps = grow(r->maps, r->nmaps, sizeof(*r->maps), &r->maps_room);
        r->maps[r->nmaps++] = (struct range){ first >> RECORD_PAGE_SHIFT, last >> RECORD_PAGE_SHIFT };
    }
}

/* The pages of a block that are mapped. */
static struct hmmsvm_pages mapped_of(const struct recording *r, uint64_t start)
{
    struct hmmsvm_pages mapped = { 0 };
    size_t low = 0, high = r->nmaps;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (r->maps[middle].end <= start)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < r->nmaps && r->maps[low].start < start + BLOCK_PAGES; low++) {
        uint64_t first = r->maps[low].start > start ? r->maps[low].start - start : 0;
        uint64_t last = r->maps[low].end - start;

        if (last > BLOCK_PAGES)
            last = BLOCK_PAGES;
        hmmsvm_pages_set(&mapped, (uint32_t)first, (uint32_t)(last - first));
    }
    return mapped;
}

/* ---- runs of pages ------------------------------------------------------------------------- */

/* Collects pages in the order of their addresses, and writes runs of them. */
struct run {
    struct recording *r;
    void (*put)(struct recording *r, uint64_t page, uint64_t count);
    uint64_t page, count;
};

static void run_end(struct run *run)
{
    if (run->count)
        run->put(run->r, run->page, run->count);
    run->count = 0;
}

/* The pages of @a that are not in @b (all, if it is NULL). */
static void run_add(struct run *run, uint64_t start, const struct hmmsvm_pages *a,
                    const struct hmmsvm_pages *b)
{
    for (uint32_t i = 0; i < BLOCK_PAGES; i++) {
        if (!hmmsvm_pages_test(a, i) || (b && hmmsvm_pages_test(b, i)))
            continue;
        if (run->count && run->page + run->count != start + i)
            run_end(run);
        if (!run->count)
            run->page = start + i;
        run->count++;
    }
}

static void put_alloc(struct recording *r, uint64_t page, uint64_t count)
{
    hmmsvm_trace_alloc(r->writer, page, count, "");
}

static void put_free(struct recording *r, uint64_t page, uint64_t count)
{
    hmmsvm_trace_free(r->writer, page, count);
}

/* How often the CPU read or wrote is not known. */
static void put_cpu_read(struct recording *r, uint64_t page, uint64_t count)
{
    r->counts.cpu_read += count;
    hmmsvm_trace_access(r->writer, true, false, page, count, 1);
}

static void put_cpu_written(struct recording *r, uint64_t page, uint64_t count)
{
    r->counts.cpu_written += count;
    hmmsvm_trace_access(r->writer, true, true, page, count, 1);
}

/* ---- messages ------------------------------------------------------------------------------ */

static const char *read_cpu(struct recording *r, bool write, const struct record_run *runs,
                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t page = runs[i].page, left = runs[i].count;

        if (page >= HMMSVM_TRACE_PAGES || left > HMMSVM_TRACE_PAGES - page)
            return "it has pages beyond 48 bits";
        while (left) {
            struct block *b = block_of(r, page);
            uint64_t n = b->start + BLOCK_PAGES - page;

            n = n < left ? n : left;
            hmmsvm_pages_set(&b->cpu[write], (uint32_t)(page - b->start), (uint32_t)n);
            page += n;
            left -= n;
        }
    }
    return NULL;
}

static int by_address(const void *a, const void *b, void *recording)
{
    const struct recording *r = recording;
    uint64_t x = r->blocks[*(const uint32_t *)a].start, y = r->blocks[*(const uint32_t *)b].start;

    return (x > y) - (x < y);
}

/* Notes which pages the launch uses; whether the device uses blocks that it has not used before. */
static bool take_uses(struct recording *r, const struct record *records, size_t count)
{
    size_t known = r->norder;

    for (size_t i = 0; i < count; i++) {
        uint64_t page = records[i].key >> 1;
        struct block *b = block_of(r, page);
        bool write = records[i].key & 1;

        hmmsvm_pages_set(write ? &b->written : &b->read, (uint32_t)(page - b->start), 1);
        *(write ? &r->counts.writes : &r->counts.reads) += records[i].weight;
        if (b->device)
            continue;
        b->device = true;
        r->order = grow(r->order, r->norder, sizeof(*r->order), &r->order_room);
        r->order[r->norder++] = (uint32_t)(b - r->blocks);
    }
    if (r->norder == known)
        return false;
    qsort_r(r->order, r->norder, sizeof(*r->order), by_address, r);
    return true;
}

/* What has come and gone in the device's blocks since the launch before. */
static void put_memory(struct recording *r)
{
    struct run freed = { .r = r, .put = put_free }, new = { .r = r, .put = put_alloc };

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < r->norder; i++) {
            struct block *b = &r->blocks[r->order[i]];
            struct hmmsvm_pages mapped = mapped_of(r, b->start);

            if (!pass) {
                run_add(&freed, b->start, &b->alloc, &mapped);
                continue;
            }
            run_add(&new, b->start, &mapped, &b->alloc);
            b->alloc = mapped;
        }
        run_end(pass ? &new : &freed);
    }
    r->maps_changed = false;
}

static void put_launch(struct recording *r, const struct record_launch *launch,
                       const struct record *records, size_t count)
{
    struct run cpu[] = { { .r = r, .put = put_cpu_read }, { .r = r, .put = put_cpu_written } };

    if (take_uses(r, records, count) || r->maps_changed)
        put_memory(r);
    /* What it read was written before, by the kernels that have ended. */
    for (int write = 0; write < 2; write++) {
        for (size_t i = 0; i < r->norder; i++) {
            struct block *b = &r->blocks[r->order[i]];

            run_add(&cpu[write], b->start, &b->cpu[write], NULL);
            b->cpu[write] = (struct hmmsvm_pages){ 0 };
        }
        run_end(&cpu[write]);
    }

    hmmsvm_trace_kernel(r->writer, launch->name);
    for (size_t i = 0; i < count; i++)
        hmmsvm_trace_access(r->writer, false, records[i].key & 1, records[i].key >> 1, 1,
                            records[i].weight);
}

static const char *read_launch(struct recording *r, const struct record_launch *launch, size_t size)
{
    const struct record *records = (const struct record *)(launch + 1);
    size_t count;
    char note[96];

    if (size < sizeof(*launch) || (size - sizeof(*launch)) % sizeof(*records) ||
        memchr(launch->name, '\0', sizeof(launch->name)) == NULL)
        return "a launch is cut off";
    count = (size - sizeof(*launch)) / sizeof(*records);
    for (size_t i = 0; i < count; i++)
        if (records[i].key >> 1 >= HMMSVM_TRACE_PAGES || !records[i].weight)
            return "a record is none";
    put_launch(r, launch, records, count);
    r->counts.launches++;
    r->counts.lost += launch->lost;
    if (launch->status != HMMSVM_OK) {
        r->counts.failed++;
        hmmsvm_trace_note(r->writer, "this launch failed");
    }
    if (launch->lost) {
        snprintf(note, sizeof(note), "%" PRIu64 " more uses are lost", launch->lost);
        hmmsvm_trace_note(r->writer, note);
    }
    return NULL;
}

static const char *read_hello(struct recording *r, const struct record_hello *hello, size_t size)
{
    char note[96];

    if (size != sizeof(*hello) || hello->version != RECORD_VERSION)
        return "the driver is of another version";
    r->hello = *hello;
    snprintf(note, sizeof(note), "recorded in %s mode with %u workers%s",
             hello->mode == HMMSVM_MODE_KERNEL ? "kernel" : "direct", hello->workers,
             hello->cpu ? "" : "; what the CPU writes is not seen");
    hmmsvm_trace_note(r->writer, note);
    return NULL;
}

const char *recording_message(struct recording *r, const struct record_message *message,
                              const void *bytes)
{
    size_t size = message->size;

    if (message->type == RECORD_HELLO)
        return read_hello(r, bytes, size);
    if (!r->hello.version)
        return "it did not say what it is";
    switch (message->type) {
    case RECORD_MAPS: read_maps(r, bytes, size); return NULL;
    case RECORD_READ:
    case RECORD_WRITTEN:
        return read_cpu(r, message->type == RECORD_WRITTEN, bytes, size / sizeof(struct record_run));
    case RECORD_LAUNCH: return read_launch(r, bytes, size);
    default: return "a message is of no known type";
    }
}

const struct record_hello *recording_hello(const struct recording *r)
{
    return &r->hello;
}

int recording_finish(struct recording *r, struct recording_counts *counts)
{
    int err;

    for (size_t i = 0; i < r->norder; i++) {
        const struct block *b = &r->blocks[r->order[i]];
        struct hmmsvm_pages any = b->read;

        for (unsigned k = 0; k < HMMSVM_POLICY_WORDS; k++)
            any.bits[k] |= b->written.bits[k];
        r->counts.device_read += hmmsvm_pages_count(&b->read, 0, BLOCK_PAGES);
        r->counts.device_written += hmmsvm_pages_count(&b->written, 0, BLOCK_PAGES);
        r->counts.device_pages += hmmsvm_pages_count(&any, 0, BLOCK_PAGES);
    }
    *counts = r->counts;
    err = hmmsvm_trace_finish(r->writer);
    munmap(r->number, TABLE_BYTES);
    free(r->blocks);
    free(r->order);
    free(r->maps);
    free(r);
    return err;
}
