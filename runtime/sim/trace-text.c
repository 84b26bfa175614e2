/* SPDX-License-Identifier: MIT */
/*
 * trace-text.c - traces as text: what a person can read and write by hand
 *
 *   # a comment                     kernel NAME
 *   note TEXT                       time NANOSECONDS
 *   alloc PAGE COUNT [NAME]         device r|w PAGE [COUNT [WEIGHT [STRIDE]]]
 *   free PAGE COUNT                 cpu r|w PAGE [COUNT [WEIGHT [STRIDE]]]
 *
 * No locking.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "trace-format.h"
#include "trace-text.h"

void hmmsvm_trace_print(const struct hmmsvm_trace_event *e, FILE *out)
{
    switch (e->type) {
    case HMMSVM_TRACE_ALLOC:
        fprintf(out, "alloc %" PRIu64 " %" PRIu64 "%s%s\n", e->page, e->count,
                e->text[0] ? " " : "", e->text);
        break;
    case HMMSVM_TRACE_FREE:
        fprintf(out, "free %" PRIu64 " %" PRIu64 "\n", e->page, e->count);
        break;
    case HMMSVM_TRACE_KERNEL: fprintf(out, "kernel %s\n", e->text); break;
    case HMMSVM_TRACE_TIME: fprintf(out, "time %" PRIu64 "\n", e->ns); break;
    case HMMSVM_TRACE_NOTE: fprintf(out, "note %s\n", e->text); break;
    case HMMSVM_TRACE_ACCESS:
        fprintf(out, "%s %c %" PRIu64, e->cpu ? "cpu" : "device", e->write ? 'w' : 'r', e->page);
        if (e->count > 1 || e->weight > 1)
            fprintf(out, " %" PRIu64, e->count);
        if (e->weight > 1 || e->stride > 1)
            fprintf(out, " %" PRIu64, e->weight);
        if (e->stride > 1)
            fprintf(out, " %" PRIu64, e->stride);
        putc('\n', out);
        break;
    case HMMSVM_TRACE_END: break;
    }
}

/* The next word of the line, or NULL. */
static char *word(char **line)
{
    char *w = *line + strspn(*line, " \t");

    if (!*w)
        return NULL;
    *line = w + strcspn(w, " \t");
    if (**line)
        *(*line)++ = '\0';
    return w;
}

/* A number; preset if there is no word and one is not needed (preset is not 0). */
static bool number(char **line, uint64_t preset, uint64_t *value)
{
    char *w = word(line), *end;

    if (!w) {
        *value = preset;
        return preset;
    }
    if (*w < '0' || *w > '9')
        return false;
    errno = 0;
    *value = strtoull(w, &end, 0);
    return !errno && !*end;
}

static bool rest(char **line, char *text)
{
    char *w = *line + strspn(*line, " \t");
    size_t n = strlen(w);

    while (n && (w[n - 1] == ' ' || w[n - 1] == '\t'))
        n--;
    if (n > HMMSVM_TRACE_TEXT)
        return false;
    memcpy(text, w, n);
    text[n] = '\0';
    *line = w + strlen(w);
    return true;
}

/* What a line says; NULL, or what is wrong with it. Sets e->type to END for one without a record. */
static const char *line_event(char *line, struct hmmsvm_trace_event *e)
{
    char *w = word(&line);

    e->type = HMMSVM_TRACE_END;
    if (!w || *w == '#')
        return NULL;
    if (!strcmp(w, "device") || !strcmp(w, "cpu")) {
        e->type = HMMSVM_TRACE_ACCESS;
        e->cpu = *w == 'c';
        w = word(&line);
        if (!w || (strcmp(w, "r") && strcmp(w, "w")))
            return "r or w is wanted";
        e->write = *w == 'w';
        if (!number(&line, 0, &e->page) || !number(&line, 1, &e->count) ||
            !number(&line, 1, &e->weight) || !number(&line, 1, &e->stride))
            return "PAGE [COUNT [WEIGHT [STRIDE]]] is wanted, in numbers";
        if (!trace_run_valid(e->page, e->count, e->stride, e->weight))
            return "a number is out of range";
    } else if (!strcmp(w, "kernel") || !strcmp(w, "note")) {
        e->type = *w == 'k' ? HMMSVM_TRACE_KERNEL : HMMSVM_TRACE_NOTE;
        if (!rest(&line, e->text))
            return "the text is too long";
    } else if (!strcmp(w, "time")) {
        e->type = HMMSVM_TRACE_TIME;
        if (!number(&line, 0, &e->ns) || e->ns > HMMSVM_TRACE_NS)
            return "nanoseconds are wanted, at most 2^50";
    } else if (!strcmp(w, "alloc") || !strcmp(w, "free")) {
        e->type = *w == 'a' ? HMMSVM_TRACE_ALLOC : HMMSVM_TRACE_FREE;
        if (!number(&line, 0, &e->page) || !number(&line, 0, &e->count) ||
            !trace_run_valid(e->page, e->count, 1, 1))
            return "PAGE COUNT is wanted, in numbers";
        if (e->type == HMMSVM_TRACE_ALLOC && !rest(&line, e->text))
            return "the name is too long";
    } else {
        return "device, cpu, kernel, alloc, free, time or note is wanted";
    }
    if (word(&line))
        return "there is more on it than that";
    return NULL;
}

void *trace_from_text(const char *text, size_t size, size_t *packed_size, char *error,
                      size_t error_size)
{
    struct hmmsvm_trace_writer *w = hmmsvm_trace_create_memory();
    const char *at = text, *end = text + size;
    unsigned number_of = 0;
    const char *wrong = NULL;
    void *packed;

    if (!w) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    while (at < end && !wrong) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((stop ? stop : end) - at);
        struct hmmsvm_trace_event e = { 0 };
        char line[512];

        number_of++;
        if (memchr(at, '\0', n) || (number_of == 1 && n >= sizeof(line))) {
            snprintf(error, error_size, "it is not a trace, neither a binary one nor text");
            break;
        }
        if (n >= sizeof(line)) {
            wrong = "it is too long";
            break;
        }
        memcpy(line, at, n);
        line[n] = '\0';
        if (n && line[n - 1] == '\r')
            line[n - 1] = '\0';
        wrong = line_event(line, &e);
        if (!wrong && e.type != HMMSVM_TRACE_END)
            hmmsvm_trace_write(w, &e);
        at = stop ? stop + 1 : end;
    }
    if (wrong)
        snprintf(error, error_size, "line %u: %s", number_of, wrong);
    packed = hmmsvm_trace_finish_memory(w, packed_size);
    if (at == end && !wrong && packed)
        return packed;
    if (at == end && !wrong)
        snprintf(error, error_size, "%s", strerror(errno));
    free(packed);
    return NULL;
}
