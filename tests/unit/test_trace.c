/* SPDX-License-Identifier: MIT */
/*
 * The trace format: what is written is read, text and binary alike; what is not a trace is refused
 * with a reason; and no damage to a file, of thousands of random ones, does more than that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zstd.h>

#include "trace-format.h"
#include "trace-make.h"

static char error[256];

static const char sample[] = "# a comment\n"
                             "note made by hand\n"
                             "alloc 512 2048 a name\n"
                             "cpu w 512 2048 64\n"
                             "\n"
                             "time 20000\n"
                             "kernel first one\n"
                             "device r 512 100\n"
                             "device r 0x264\n" /* goes on at 612 */
                             "device w 600 3 7 16\r\n"
                             "cpu r 600\n"
                             "device r 5\n"
                             "free 512 2048";

static struct hmmsvm_trace *parse(const void *bytes, size_t size)
{
    error[0] = '\0';
    return hmmsvm_trace_parse(bytes, size, error, sizeof(error));
}

/* All of a trace as text, to be freed. */
static char *text_of(const struct hmmsvm_trace *trace)
{
    struct hmmsvm_trace_cursor cursor = {0};
    struct hmmsvm_trace_event e;
    size_t size;
    char *text;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    while (hmmsvm_trace_next(trace, &cursor, &e))
        hmmsvm_trace_print(&e, out);
    fclose(out);
    return text;
}

static void text_is_read_and_printed(void **state)
{
    struct hmmsvm_trace *t = parse(sample, sizeof(sample) - 1);
    char *text;

    (void)state;
    assert_non_null(t);
    assert_int_equal(t->events, 10);
    assert_int_equal(t->accesses, 2048 + 101 + 3 + 1 + 1);
    assert_int_equal(t->device_accesses, 101 + 3 + 1);
    assert_int_equal(t->kernels, 1);
    assert_true(t->allocs);
    text = text_of(t);
    assert_string_equal(text, "note made by hand\n"
                              "alloc 512 2048 a name\n"
                              "cpu w 512 2048 64\n"
                              "time 20000\n"
                              "kernel first one\n"
                              "device r 512 101\n"
                              "device w 600 3 7 16\n"
                              "cpu r 600\n"
                              "device r 5\n"
                              "free 512 2048\n");
    free(text);
    hmmsvm_trace_close(t);
}

static void text_errors_name_the_line(void **state)
{
    static const struct {
        const char *text, *error;
    } wrong[] = {
        {"device r 1\nplanet 1\n", "line 2: device, cpu, kernel, alloc, free, time or note is wanted"},
        {"device x 1\n", "line 1: r or w is wanted"},
        {"device r\n", "line 1: PAGE [COUNT [WEIGHT [STRIDE]]] is wanted, in numbers"},
        {"device r -1\n", "line 1: PAGE [COUNT [WEIGHT [STRIDE]]] is wanted, in numbers"},
        {"device r 1 1 1 1 1\n", "line 1: there is more on it than that"},
        {"device r 1 0\n", "line 1: a number is out of range"},
        {"device r 68719476736\n", "line 1: a number is out of range"},
        {"device r 68719476735 2\n", "line 1: a number is out of range"},
        {"device r 99999999999999999999\n", "line 1: PAGE [COUNT [WEIGHT [STRIDE]]] is wanted, in numbers"},
        {"alloc 1\n", "line 1: PAGE COUNT is wanted, in numbers"},
        {"time 1e9\n", "line 1: nanoseconds are wanted, at most 2^50"},
        {"", "it is empty"},
        {"\x7f""ELF", "line 1: device, cpu, kernel, alloc, free, time or note is wanted"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_null(parse(wrong[i].text, strlen(wrong[i].text)));
        assert_string_equal(error, wrong[i].error);
    }
    assert_null(parse("\0\0\0\0\0\0\0\0\0", 9));
    assert_string_equal(error, "it is not a trace, neither a binary one nor text");
}

/* The bytes of a binary trace of everything. */
static uint8_t *packed(size_t *size)
{
    struct hmmsvm_trace_writer *w = hmmsvm_trace_create_memory();
    struct hmmsvm_trace *t = parse(sample, sizeof(sample) - 1);
    struct hmmsvm_trace_cursor cursor = {0};
    struct hmmsvm_trace_event e;
    uint8_t *bytes;

    assert_non_null(w);
    while (hmmsvm_trace_next(t, &cursor, &e))
        hmmsvm_trace_write(w, &e);
    hmmsvm_trace_close(t);
    bytes = hmmsvm_trace_finish_memory(w, size);
    assert_non_null(bytes);
    return bytes;
}

static void binary_is_the_same(void **state)
{
    size_t size;
    uint8_t *bytes = packed(&size);
    struct hmmsvm_trace *text = parse(sample, sizeof(sample) - 1), *binary = parse(bytes, size);
    char *a, *b;

    (void)state;
    assert_non_null(binary);
    a = text_of(text);
    b = text_of(binary);
    assert_string_equal(a, b);
    assert_int_equal(binary->accesses, text->accesses);
    free(a);
    free(b);
    free(bytes);
    hmmsvm_trace_close(text);
    hmmsvm_trace_close(binary);
}

static void files(void **state)
{
    char path[] = "/tmp/hmmsvm-trace-XXXXXX";
    int fd = mkstemp(path);
    struct hmmsvm_trace_writer *w = hmmsvm_trace_create(path);
    struct hmmsvm_trace *t;
    struct trace_header h;

    (void)state;
    assert_true(fd >= 0);
    assert_non_null(w);
    hmmsvm_trace_kernel(w, "k");
    for (uint64_t i = 0; i < 100000; i++)
        hmmsvm_trace_access(w, false, i % 3 == 0, i * 7919 % 65536, 1, 1 + i % 2);
    assert_int_equal(hmmsvm_trace_finish(w), 0);
    assert_int_equal(pread(fd, &h, sizeof(h), 0), sizeof(h));
    assert_int_equal(le64toh(h.accesses), 100000);
    t = hmmsvm_trace_open(path, error, sizeof(error));
    assert_non_null(t);
    assert_int_equal(t->device_accesses, 100000);
    assert_int_equal(t->size, le64toh(h.raw_size));
    hmmsvm_trace_close(t);
    close(fd);
    unlink(path);
    assert_null(hmmsvm_trace_open(path, error, sizeof(error)));
    assert_string_equal(error, "No such file or directory");
    assert_null(hmmsvm_trace_create("/nowhere/at/all"));
}

static void writer_refuses(void **state)
{
    struct hmmsvm_trace_writer *w = hmmsvm_trace_create_memory();
    size_t size;

    (void)state;
    hmmsvm_trace_access(w, false, false, HMMSVM_TRACE_PAGES, 1, 1);
    assert_null(hmmsvm_trace_finish_memory(w, &size));
    w = hmmsvm_trace_create_memory();
    hmmsvm_trace_kernel(w, "two\nlines");
    assert_null(hmmsvm_trace_finish_memory(w, &size));
    w = hmmsvm_trace_create("/dev/full");
    assert_non_null(w);
    hmmsvm_trace_kernel(w, "k");
    assert_int_equal(hmmsvm_trace_finish(w), -1);
}

/* ---- what is wrong ------------------------------------------------------------------------- */

static void header_errors(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *error;
    } wrong[] = {
        {8, 2, "it is of version 2, and this program reads version 1 only"},
        {12, 65, "its header says it is 65 bytes long and not 64"},
        {17, 0x40, "its pages have 16384 bytes and not 4096"},
        {20, 1, "it has flags (0x1) that this program does not know"},
        {63, 1, "byte 63 of its header is not 0"},
        {31, 1, "its header says 72057594037928"},
        {32, 1, "the header says 1 accesses, and there are 2154"},
    };
    size_t size;
    uint8_t *bytes = packed(&size);
    struct hmmsvm_trace *t;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint8_t old[2] = {bytes[wrong[i].at], bytes[33]};

        bytes[wrong[i].at] = wrong[i].value;
        if (wrong[i].at == 32)
            bytes[33] = 0;
        assert_null(parse(bytes, size));
        if (strncmp(error, wrong[i].error, strlen(wrong[i].error)))
            fail_msg("%s", error);
        bytes[33] = old[1];
        bytes[wrong[i].at] = old[0];
    }
    t = parse(bytes, size);
    assert_non_null(t);
    hmmsvm_trace_close(t);
    free(bytes);
}

static void cut_anywhere(void **state)
{
    size_t size;
    uint8_t *bytes = packed(&size);

    (void)state;
    for (size_t n = 0; n < size; n++) {
        assert_null(parse(bytes, n));
        if (!strstr(error, "cut off") && strcmp(error, "it is empty") && n >= 8)
            fail_msg("after %zu bytes: %s", n, error);
    }
    bytes = realloc(bytes, size + 1);
    bytes[size] = 0;
    assert_null(parse(bytes, size + 1));
    assert_string_equal(error, "there are 1 bytes after its end");
    free(bytes);
}

/* Whether these records are a trace. */
static bool records(const uint8_t *raw, size_t size, uint64_t promised)
{
    struct trace_header h = {
        .version = htole32(1), .header_size = htole32(64), .page_size = htole32(4096)};
    uint8_t bytes[65536];
    struct hmmsvm_trace *t;
    size_t n;

    memcpy(h.magic, HMMSVM_TRACE_MAGIC, 8);
    h.raw_size = htole64(promised);
    memcpy(bytes, &h, sizeof(h));
    n = ZSTD_compress(bytes + sizeof(h), sizeof(bytes) - sizeof(h), raw, size, 1);
    assert_false(ZSTD_isError(n));
    t = parse(bytes, sizeof(h) + n);
    hmmsvm_trace_close(t);
    return t != NULL;
}

static void record_errors(void **state)
{
    static const struct {
        const char *raw;
        size_t size;
        const char *error;
    } wrong[] = {
        {"\x03\x01k", 3, "it ends without an end record: whoever wrote it did not finish"},
        {"\x07", 1, "record 0, at byte 0 of the unpacked records (0x07), is not a record"},
        {"\x03\x05k", 3, "record 0, at byte 0 of the unpacked records (0x03), is not a record"},
        {"\xa0\x00\x00\x01", 4, "record 0, at byte 0 of the unpacked records (0xa0), is not"},
        /* A page below 0, and a count whose last page is beyond. */
        {"\x80\x01\x00\x01", 4, "record 0, at byte 0 of the unpacked records (0x80), is not"},
        {"\x84\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x01", 14, "record 0, at byte 0"},
        {"\x84\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x00\x01", 14, "record 0, at byte 0"},
        {"\x80\x00\x00\x02", 4, "it has 1 accesses, and its end says 2"},
        {"\x80\x00\x00\x01\x00", 5, "there are 1 bytes after the end record"},
        {"\x03\x01\n\x00\x00", 5, "record 0, at byte 0 of the unpacked records (0x03), is not"},
        {"\x04\x80\x80\x80\x80\x80\x80\x80\x80\x01\x00\x00", 12, "record 0, at byte 0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(records((const uint8_t *)wrong[i].raw, wrong[i].size, 0));
        if (strncmp(error, wrong[i].error, strlen(wrong[i].error)))
            fail_msg("%zu: %s", i, error);
    }
    assert_true(records((const uint8_t *)"\x80\x00\x00\x01", 4, 0));
    assert_false(records((const uint8_t *)"\x80\x00\x00\x01", 4, 3));
    assert_string_equal(error, "the records are more than the 3 bytes that the header says");
    assert_false(records((const uint8_t *)"\x80\x00\x00\x01", 4, 5));
    assert_string_equal(error, "the header says 5 bytes of records, and there are 4");
}

/* Damaged copies are refused with a reason, or are traces; a sanitizer sees the rest. */
static void mutations(void **state)
{
    struct hmmsvm_trace_writer *w = hmmsvm_trace_create_memory();
    uint64_t seed = 42;
    size_t size, raw_size, refused = 0, traces = 0;
    uint8_t *bytes, raw[4096], copy[4096];
    struct hmmsvm_trace *t;

    (void)state;
    assert_true(trace_make(w, "bfs", 64, 1));
    bytes = hmmsvm_trace_finish_memory(w, &size);
    t = parse(bytes, size);
    assert_non_null(t);
    raw_size = t->size < sizeof(raw) ? t->size : sizeof(raw);
    memcpy(raw, t->raw, raw_size);
    hmmsvm_trace_close(t);
    for (int round = 0; round < 20000; round++) {
        int changes = 1 + round % 4;
        bool is;

        /* Records first, which nothing protects; every fourth time the file itself. */
        memcpy(copy, raw, raw_size);
        while (changes--) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            if (round % 4 == 3)
                bytes[(seed >> 33) % size] ^= (uint8_t)(1 << (seed >> 20) % 8);
            else
                copy[(seed >> 33) % raw_size] = (uint8_t)(seed >> 24);
        }
        if (round % 4 == 3) {
            t = parse(bytes, size);
            is = t != NULL;
            hmmsvm_trace_close(t);
        } else {
            is = records(copy, raw_size, 0);
        }
        traces += is;
        refused += !is && error[0];
    }
    free(bytes);
    assert_int_equal(traces + refused, 20000);
    assert_true(refused > 10000);
}

static void made_up(void **state)
{
    const char *name, *help;

    (void)state;
    for (unsigned i = 0; (name = trace_make_name(i, &help)); i++) {
        struct hmmsvm_trace *t[2];

        assert_non_null(help);
        for (int k = 0; k < 2; k++) {
            struct hmmsvm_trace_writer *w = hmmsvm_trace_create_memory();
            size_t size;
            void *bytes;

            assert_true(trace_make(w, name, 4096, 7));
            bytes = hmmsvm_trace_finish_memory(w, &size);
            assert_non_null(bytes);
            t[k] = parse(bytes, size);
            assert_non_null(t[k]);
            free(bytes);
        }
        /* The same seed, the same trace. */
        assert_int_equal(t[0]->size, t[1]->size);
        assert_memory_equal(t[0]->raw, t[1]->raw, t[0]->size);
        assert_true(t[0]->device_accesses > 0);
        hmmsvm_trace_close(t[0]);
        hmmsvm_trace_close(t[1]);
    }
    assert_false(trace_make(NULL, "no such", 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read_and_printed),
        cmocka_unit_test(text_errors_name_the_line),
        cmocka_unit_test(binary_is_the_same),
        cmocka_unit_test(files),
        cmocka_unit_test(writer_refuses),
        cmocka_unit_test(header_errors),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(record_errors),
        cmocka_unit_test(mutations),
        cmocka_unit_test(made_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
