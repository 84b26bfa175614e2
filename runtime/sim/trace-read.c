/* SPDX-License-Identifier: MIT */
/*
 * trace-read.c - reads traces, whoever made them: nothing in a file is believed before it was
 * checked, once, when it is opened. After that cursors read without checks. No locking.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "trace-format.h"
#include "trace-text.h"

struct complaint {
    char *text;
    size_t size;
};

static bool complain(const struct complaint *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool complain(const struct complaint *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(c->text, c->size, format, args);
    va_end(args);
    return false;
}

/* ---- records ------------------------------------------------------------------------------- */

/* A varint of at most 64 bits; NULL if there is none before end. */
static inline const uint8_t *get_number(const uint8_t *p, const uint8_t *end, uint64_t *value)
{
    unsigned shift = 0;

    if (p < end && *p < 0x80) {
        *value = *p;
        return p + 1;
    }
    for (*value = 0; p < end; shift += 7) {
        uint8_t byte = *p++;

        if (shift == 63 && byte > 1)
            return NULL;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return p;
        if (shift == 63)
            return NULL;
    }
    return NULL;
}

static const uint8_t *get_text(const uint8_t *p, const uint8_t *end, char *text)
{
    uint64_t n;

    p = get_number(p, end, &n);
    if (!p || n > HMMSVM_TRACE_TEXT || n > (uint64_t)(end - p) || memchr(p, '\0', n) ||
        memchr(p, '\n', n) || memchr(p, '\r', n))
        return NULL;
    memcpy(text, p, n);
    text[n] = '\0';
    return p + n;
}

/*
 * The record at p. Where it ends, or NULL if it is none. END leaves its number in count. Only the
 * fields of its type are set.
 */
static inline const uint8_t *get_event(const uint8_t *p, const uint8_t *end,
                                       struct hmmsvm_trace_cursor *c,
                                       struct hmmsvm_trace_event *e)
{
    uint64_t value;
    uint8_t op;

    if (p == end)
        return NULL;
    op = *p++;
    if (op & TRACE_ACCESS) {
        unsigned side = op & TRACE_CPU ? 1 : 0;

        if (op & TRACE_UNUSED)
            return NULL;
        e->type = HMMSVM_TRACE_ACCESS;
        e->cpu = side;
        e->write = op & TRACE_WRITE;
        p = get_number(p, end, &value);
        if (!p)
            return NULL;
        e->page = c->next[side] + (uint64_t)trace_unzigzag(value);
        e->count = 0;
        e->stride = 0;
        if (op & TRACE_COUNT && !(p = get_number(p, end, &e->count)))
            return NULL;
        if (op & TRACE_STRIDE && !(p = get_number(p, end, &e->stride)))
            return NULL;
        if (op & TRACE_WEIGHT && !(p = get_number(p, end, &c->weight[side])))
            return NULL;
        e->weight = c->weight[side] + 1;
        e->count++;
        e->stride++;
        if (!e->count || !e->stride ||
            !trace_run_valid(e->page, e->count, e->stride, e->weight))
            return NULL;
        c->next[side] = e->page + (e->count - 1) * e->stride + 1;
        return p;
    }
    e->type = op;
    switch (op) {
    case HMMSVM_TRACE_END: return get_number(p, end, &e->count);
    case HMMSVM_TRACE_ALLOC:
    case HMMSVM_TRACE_FREE:
        if (!(p = get_number(p, end, &e->page)) || !(p = get_number(p, end, &e->count)) ||
            !trace_run_valid(e->page, e->count, 1, 1))
            return NULL;
        return op == HMMSVM_TRACE_FREE ? p : get_text(p, end, e->text);
    case HMMSVM_TRACE_TIME:
        p = get_number(p, end, &e->ns);
        return p && e->ns <= HMMSVM_TRACE_NS ? p : NULL;
    case HMMSVM_TRACE_KERNEL:
    case HMMSVM_TRACE_NOTE: return get_text(p, end, e->text);
    default: return NULL;
    }
}

bool hmmsvm_trace_next(const struct hmmsvm_trace *trace, struct hmmsvm_trace_cursor *cursor,
                       struct hmmsvm_trace_event *event)
{
    const uint8_t *p = get_event(trace->raw + cursor->at, trace->raw + trace->size, cursor, event);

    /* An open trace has an END. */
    if (!p || event->type == HMMSVM_TRACE_END)
        return false;
    cursor->at = (size_t)(p - trace->raw);
    return true;
}

/* Looks at every record, once, and counts. */
static bool check_records(struct hmmsvm_trace *t, const struct complaint *c)
{
    struct hmmsvm_trace_cursor cursor = { 0 };
    struct hmmsvm_trace_event e;

    for (;;) {
        const uint8_t *at = t->raw + cursor.at, *end = t->raw + t->size;
        const uint8_t *p = get_event(at, end, &cursor, &e);

        if (!p && at == end)
            return complain(c, "it ends without an end record: whoever wrote it did not finish");
        if (!p)
            return complain(c, "record %" PRIu64 ", at byte %zu of the unpacked records (0x%02x), "
                            "is not a record", t->events, cursor.at, *at);
        if (e.type == HMMSVM_TRACE_END) {
            if (e.count != t->accesses)
                return complain(c, "it has %" PRIu64 " accesses, and its end says %" PRIu64,
                                t->accesses, e.count);
            if (p != end)
                return complain(c, "there are %zu bytes after the end record", (size_t)(end - p));
            return true;
        }
        cursor.at = (size_t)(p - t->raw);
        t->events++;
        t->allocs |= e.type == HMMSVM_TRACE_ALLOC;
        t->kernels += e.type == HMMSVM_TRACE_KERNEL;
        if (e.type != HMMSVM_TRACE_ACCESS)
            continue;
        t->accesses += e.count;
        if (!e.cpu)
            t->device_accesses += e.count;
        if (t->accesses > 1ull << 48)
            return complain(c, "it has more than 2^48 accesses");
    }
}

/* ---- the file ------------------------------------------------------------------------------ */

/* Unpacks all of it. The size that the header promises is a limit, and not believed before. */
static bool unpack(struct hmmsvm_trace *t, const uint8_t *bytes, size_t size, uint64_t promised,
                   const struct complaint *c)
{
    uint64_t limit = promised ? promised : HMMSVM_TRACE_RAW;
    ZSTD_inBuffer in = { .src = bytes, .size = size };
    size_t room = 0, left = 1;
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    uint8_t *raw = NULL;
    bool ok = false;

    if (!zstd)
        return complain(c, "out of memory");
    for (;;) {
        ZSTD_outBuffer out;
        size_t before = in.pos;

        if (t->size == room) {
            uint8_t *more;

            room = room ? 2 * room : 1 << 16;
            more = realloc(raw, room);
            if (!more) {
                complain(c, "out of memory: %" PRIu64 " bytes of records", (uint64_t)room);
                break;
            }
            raw = more;
        }
        out = (ZSTD_outBuffer){ .dst = raw, .size = room, .pos = t->size };
        left = ZSTD_decompressStream(zstd, &out, &in);
        if (ZSTD_isError(left)) {
            complain(c, "the packed records are damaged: %s", ZSTD_getErrorName(left));
            break;
        }
        if (out.pos > limit) {
            complain(c, "the records are more than the %" PRIu64 " bytes that %s", limit,
                     promised ? "the header says" : "a trace may have");
            break;
        }
        if (!left) {
            t->size = out.pos;
            ok = true;
            break;
        }
        if (in.pos == before && out.pos == t->size) {
            complain(c, "it is cut off after %zu bytes: the copy is not complete, or whoever "
                     "wrote it did not finish", size + HMMSVM_TRACE_HEADER_SIZE);
            break;
        }
        t->size = out.pos;
    }
    ZSTD_freeDCtx(zstd);
    t->raw = raw;
    if (ok && in.pos != in.size)
        return complain(c, "there are %zu bytes after its end", in.size - in.pos);
    if (ok && promised && t->size != promised)
        return complain(c, "the header says %" PRIu64 " bytes of records, and there are %zu",
                        promised, t->size);
    return ok;
}

static bool parse_binary(struct hmmsvm_trace *t, const void *bytes, size_t size,
                         const struct complaint *c)
{
    struct trace_header h;
    size_t i;

    if (size < sizeof(h))
        return complain(c, "it is cut off: %zu bytes are less than a header", size);
    memcpy(&h, bytes, sizeof(h));
    if (le32toh(h.version) != HMMSVM_TRACE_VERSION)
        return complain(c, "it is of version %" PRIu32 ", and this program reads version %u only",
                        le32toh(h.version), HMMSVM_TRACE_VERSION);
    if (le32toh(h.header_size) != sizeof(h))
        return complain(c, "its header says it is %" PRIu32 " bytes long and not %zu",
                        le32toh(h.header_size), sizeof(h));
    if (le32toh(h.page_size) != HMMSVM_TRACE_PAGE_SIZE)
        return complain(c, "its pages have %" PRIu32 " bytes and not %u", le32toh(h.page_size),
                        HMMSVM_TRACE_PAGE_SIZE);
    if (h.flags)
        return complain(c, "it has flags (0x%" PRIx32 ") that this program does not know",
                        le32toh(h.flags));
    for (i = 0; i < sizeof(h.reserved); i++)
        if (h.reserved[i])
            return complain(c, "byte %zu of its header is not 0",
                            offsetof(struct trace_header, reserved) + i);
    if (le64toh(h.raw_size) > HMMSVM_TRACE_RAW)
        return complain(c, "its header says %" PRIu64 " bytes of records; a trace has at most "
                        "%llu", le64toh(h.raw_size), HMMSVM_TRACE_RAW);
    if (!unpack(t, (const uint8_t *)bytes + sizeof(h), size - sizeof(h), le64toh(h.raw_size), c) ||
        !check_records(t, c))
        return false;
    if (h.accesses && le64toh(h.accesses) != t->accesses)
        return complain(c, "the header says %" PRIu64 " accesses, and there are %" PRIu64,
                        le64toh(h.accesses), t->accesses);
    return true;
}

struct hmmsvm_trace *hmmsvm_trace_parse(const void *bytes, size_t size, char *error,
                                        size_t error_size)
{
    struct complaint c = { error, error_size };
    struct hmmsvm_trace *t = calloc(1, sizeof(*t));
    size_t packed_size = 0;
    void *packed;
    bool ok;

    if (!t) {
        complain(&c, "out of memory");
        return NULL;
    }
    if (!size) {
        ok = complain(&c, "it is empty");
    } else if (size >= strlen(HMMSVM_TRACE_MAGIC) &&
               !memcmp(bytes, HMMSVM_TRACE_MAGIC, strlen(HMMSVM_TRACE_MAGIC))) {
        ok = parse_binary(t, bytes, size, &c);
    } else {
        packed = trace_from_text(bytes, size, &packed_size, error, error_size);
        ok = packed && parse_binary(t, packed, packed_size, &c);
        free(packed);
    }
    if (ok)
        return t;
    hmmsvm_trace_close(t);
    return NULL;
}

/* All of a file, whatever it is. NULL and a complaint if it cannot be read. */
static uint8_t *read_all(int fd, size_t *size, const struct complaint *c)
{
    size_t room = 1 << 16;
    uint8_t *bytes = malloc(room), *more;
    ssize_t n;

    *size = 0;
    while (bytes) {
        n = read(fd, bytes + *size, room - *size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            complain(c, "%s", strerror(errno));
            free(bytes);
            return NULL;
        }
        *size += (size_t)n;
        if (!n)
            return bytes;
        if (*size < room)
            continue;
        room *= 2;
        more = room <= 2 * HMMSVM_TRACE_RAW ? realloc(bytes, room) : NULL;
        if (!more)
            free(bytes);
        bytes = more;
    }
    complain(c, "it is too large for this machine's memory");
    return NULL;
}

struct hmmsvm_trace *hmmsvm_trace_open(const char *path, char *error, size_t error_size)
{
    struct complaint c = { error, error_size };
    int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
    struct hmmsvm_trace *trace;
    uint8_t *bytes;
    size_t size;

    if (fd < 0) {
        complain(&c, "%s", strerror(errno));
        return NULL;
    }
    bytes = read_all(fd, &size, &c);
    close(fd);
    if (!bytes)
        return NULL;
    trace = hmmsvm_trace_parse(bytes, size, error, error_size);
    free(bytes);
    return trace;
}

void hmmsvm_trace_close(struct hmmsvm_trace *trace)
{
    if (trace)
        free((void *)trace->raw);
    free(trace);
}
