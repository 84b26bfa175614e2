/* SPDX-License-Identifier: MIT */
/*
 * trace-write.c - writes traces: records are joined to runs, packed, compressed. No locking.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "trace-format.h"

enum { TRACE_BUFFER = 1 << 16, TRACE_LEVEL = 3 };

struct hmmsvm_trace_writer {
    int fd;                             /* -1: in memory */
    bool keep_header;                   /* it cannot be completed at the end */
    uint8_t *memory;
    size_t memory_size, memory_room;
    int error;                          /* the first failure; 0: none */
    ZSTD_CCtx *zstd;
    uint8_t in[TRACE_BUFFER], out[TRACE_BUFFER];
    size_t in_used;
    uint64_t next[2], weight[2];        /* as the cursor of who reads it */
    struct hmmsvm_trace_event run;      /* not written yet, if its count is not 0 */
    struct trace_header header;
};

static void put_bytes(struct hmmsvm_trace_writer *w, const void *bytes, size_t size)
{
    const char *p = bytes;

    if (w->error)
        return;
    if (w->fd < 0) {
        if (w->memory_room - w->memory_size < size) {
            size_t room = 2 * (w->memory_room + size);
            uint8_t *memory = realloc(w->memory, room);

            if (!memory) {
                w->error = ENOMEM;
                return;
            }
            w->memory = memory;
            w->memory_room = room;
        }
        memcpy(w->memory + w->memory_size, bytes, size);
        w->memory_size += size;
        return;
    }
    while (size) {
        ssize_t n = write(w->fd, p, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            w->error = errno;
            return;
        }
        p += n;
        size -= (size_t)n;
    }
}

static void compress(struct hmmsvm_trace_writer *w, ZSTD_EndDirective how)
{
    ZSTD_inBuffer in = { .src = w->in, .size = w->in_used };
    size_t left;

    do {
        ZSTD_outBuffer out = { .dst = w->out, .size = sizeof(w->out) };

        left = ZSTD_compressStream2(w->zstd, &out, &in, how);
        if (ZSTD_isError(left)) {
            w->error = w->error ? w->error : EIO;
            break;
        }
        put_bytes(w, w->out, out.pos);
    } while (how == ZSTD_e_end ? left : in.pos < in.size);
    w->header.raw_size += w->in_used;
    w->in_used = 0;
}

/* A record has at most a name and a few numbers. */
static uint8_t *record_begin(struct hmmsvm_trace_writer *w)
{
    if (sizeof(w->in) - w->in_used < HMMSVM_TRACE_TEXT + 64)
        compress(w, ZSTD_e_continue);
    return w->in + w->in_used;
}

static void record_end(struct hmmsvm_trace_writer *w, uint8_t *end)
{
    w->in_used = (size_t)(end - w->in);
}

static uint8_t *put_number(uint8_t *p, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *p++ = (uint8_t)(value | 0x80);
    *p++ = (uint8_t)value;
    return p;
}

static uint8_t *put_text(uint8_t *p, const char *text)
{
    size_t n = strlen(text);

    p = put_number(p, n);
    memcpy(p, text, n); /* NOLINT(bugprone-not-null-terminated-result): the length is before it */
    return p + n;
}

static void flush_run(struct hmmsvm_trace_writer *w)
{
    const struct hmmsvm_trace_event *e = &w->run;
    uint8_t *p, *first;

    if (!e->count)
        return;
    first = record_begin(w);
    p = first + 1;
    *first = TRACE_ACCESS | (e->write ? TRACE_WRITE : 0) | (e->cpu ? TRACE_CPU : 0);
    p = put_number(p, trace_zigzag((int64_t)(e->page - w->next[e->cpu])));
    if (e->count > 1) {
        *first |= TRACE_COUNT;
        p = put_number(p, e->count - 1);
        if (e->stride > 1) {
            *first |= TRACE_STRIDE;
            p = put_number(p, e->stride - 1);
        }
    }
    if (e->weight - 1 != w->weight[e->cpu]) {
        *first |= TRACE_WEIGHT;
        w->weight[e->cpu] = e->weight - 1;
        p = put_number(p, e->weight - 1);
    }
    w->next[e->cpu] = e->page + (e->count - 1) * e->stride + 1;
    w->header.accesses += e->count;
    record_end(w, p);
    w->run.count = 0;
}

static struct hmmsvm_trace_writer *writer_new(int fd)
{
    struct hmmsvm_trace_writer *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->fd = fd;
    w->zstd = ZSTD_createCCtx();
    if (!w->zstd) {
        free(w);
        errno = ENOMEM;
        return NULL;
    }
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, TRACE_LEVEL);
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
    memcpy(w->header.magic, HMMSVM_TRACE_MAGIC, sizeof(w->header.magic));
    w->header.version = htole32(HMMSVM_TRACE_VERSION);
    w->header.header_size = htole32(HMMSVM_TRACE_HEADER_SIZE);
    w->header.page_size = htole32(HMMSVM_TRACE_PAGE_SIZE);
    put_bytes(w, &w->header, sizeof(w->header));
    return w;
}

struct hmmsvm_trace_writer *hmmsvm_trace_create(const char *path)
{
    int fd = strcmp(path, "-") ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
                               : dup(STDOUT_FILENO);
    struct hmmsvm_trace_writer *w;

    if (fd < 0)
        return NULL;
    w = writer_new(fd);
    if (!w)
        close(fd);
    else
        w->keep_header = !strcmp(path, "-");
    return w;
}

struct hmmsvm_trace_writer *hmmsvm_trace_create_memory(void)
{
    return writer_new(-1);
}

static bool event_valid(const struct hmmsvm_trace_event *e)
{
    bool named = e->type == HMMSVM_TRACE_ALLOC || e->type == HMMSVM_TRACE_KERNEL ||
                 e->type == HMMSVM_TRACE_NOTE;

    if (named && strpbrk(e->text, "\n\r"))
        return false;
    switch (e->type) {
    case HMMSVM_TRACE_ALLOC:
    case HMMSVM_TRACE_FREE: return trace_run_valid(e->page, e->count, 1, 1);
    case HMMSVM_TRACE_ACCESS: return trace_run_valid(e->page, e->count, e->stride, e->weight);
    case HMMSVM_TRACE_TIME: return e->ns <= HMMSVM_TRACE_NS;
    case HMMSVM_TRACE_KERNEL:
    case HMMSVM_TRACE_NOTE: return true;
    default: return false;
    }
}

void hmmsvm_trace_write(struct hmmsvm_trace_writer *w, const struct hmmsvm_trace_event *e)
{
    uint8_t *p;

    if (!event_valid(e)) {
        w->error = w->error ? w->error : EINVAL;
        return;
    }
    if (e->type == HMMSVM_TRACE_ACCESS) {
        struct hmmsvm_trace_event *run = &w->run;
        bool goes_on = run->count && run->cpu == e->cpu && run->write == e->write &&
                       run->weight == e->weight && run->stride == 1 &&
                       (e->stride == 1 || e->count == 1) && run->page + run->count == e->page;

        if (goes_on) {
            run->count += e->count;
            return;
        }
        flush_run(w);
        run->type = e->type;
        run->cpu = e->cpu;
        run->write = e->write;
        run->page = e->page;
        run->count = e->count;
        run->stride = e->count == 1 ? 1 : e->stride;
        run->weight = e->weight;
        return;
    }
    flush_run(w);
    p = record_begin(w);
    *p++ = (uint8_t)e->type;
    switch (e->type) {
    case HMMSVM_TRACE_ALLOC:
        p = put_text(put_number(put_number(p, e->page), e->count), e->text);
        break;
    case HMMSVM_TRACE_FREE: p = put_number(put_number(p, e->page), e->count); break;
    case HMMSVM_TRACE_TIME: p = put_number(p, e->ns); break;
    default: p = put_text(p, e->text); break;
    }
    record_end(w, p);
}

static void write_text(struct hmmsvm_trace_writer *w, struct hmmsvm_trace_event *e,
                       const char *text)
{
    size_t n = strnlen(text, HMMSVM_TRACE_TEXT);

    memcpy(e->text, text, n);
    e->text[n] = '\0';
    hmmsvm_trace_write(w, e);
}

void hmmsvm_trace_alloc(struct hmmsvm_trace_writer *w, uint64_t page, uint64_t count,
                        const char *name)
{
    struct hmmsvm_trace_event e = { .type = HMMSVM_TRACE_ALLOC, .page = page, .count = count };

    write_text(w, &e, name);
}

void hmmsvm_trace_free(struct hmmsvm_trace_writer *w, uint64_t page, uint64_t count)
{
    hmmsvm_trace_write(w, &(struct hmmsvm_trace_event){ .type = HMMSVM_TRACE_FREE, .page = page,
                                                        .count = count });
}

void hmmsvm_trace_kernel(struct hmmsvm_trace_writer *w, const char *name)
{
    struct hmmsvm_trace_event e = { .type = HMMSVM_TRACE_KERNEL };

    write_text(w, &e, name);
}

void hmmsvm_trace_note(struct hmmsvm_trace_writer *w, const char *text)
{
    struct hmmsvm_trace_event e = { .type = HMMSVM_TRACE_NOTE };

    write_text(w, &e, text);
}

void hmmsvm_trace_time(struct hmmsvm_trace_writer *w, uint64_t ns)
{
    hmmsvm_trace_write(w, &(struct hmmsvm_trace_event){ .type = HMMSVM_TRACE_TIME, .ns = ns });
}

void hmmsvm_trace_access(struct hmmsvm_trace_writer *w, bool cpu, bool write, uint64_t page,
                         uint64_t count, uint64_t weight)
{
    struct hmmsvm_trace_event e;

    /* Not the text: it is cleared for nothing. */
    e.type = HMMSVM_TRACE_ACCESS;
    e.cpu = cpu;
    e.write = write;
    e.page = page;
    e.count = count;
    e.stride = 1;
    e.weight = weight;
    hmmsvm_trace_write(w, &e);
}

static void finish(struct hmmsvm_trace_writer *w)
{
    uint8_t *p;

    flush_run(w);
    p = record_begin(w);
    *p++ = HMMSVM_TRACE_END;
    record_end(w, put_number(p, w->header.accesses));
    compress(w, ZSTD_e_end);
    w->header.raw_size = htole64(w->header.raw_size);
    w->header.accesses = htole64(w->header.accesses);
    ZSTD_freeCCtx(w->zstd);
}

int hmmsvm_trace_finish(struct hmmsvm_trace_writer *w)
{
    int error;

    finish(w);
    if (!w->error && !w->keep_header &&
        pwrite(w->fd, &w->header, sizeof(w->header), 0) != sizeof(w->header) && errno != ESPIPE)
        w->error = errno;
    if (close(w->fd) && !w->error)
        w->error = errno;
    error = w->error;
    free(w);
    if (!error)
        return 0;
    errno = error;
    return -1;
}

void *hmmsvm_trace_finish_memory(struct hmmsvm_trace_writer *w, size_t *size)
{
    uint8_t *memory;
    int error;

    finish(w);
    memory = w->memory;
    *size = w->memory_size;
    error = w->error;
    if (!error)
        memcpy(memory, &w->header, sizeof(w->header));
    free(w);
    if (!error)
        return memory;
    free(memory);
    errno = error;
    return NULL;
}
