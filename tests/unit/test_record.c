/* SPDX-License-Identifier: MIT */
/*
 * Recordings: the trace that messages of the driver become, what of the CPU is in it and when, memory
 * that comes and goes, and messages that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <hmmsvm/trace.h>

#include "cli.h"
#include "record-trace.h"

void cli_die(const char *format, ...)
{
    fail_msg("%s", format);
    abort();
}

static char path[64];

static struct recording *begin(void)
{
    static const struct record_hello hello = {
        .version = RECORD_VERSION, .mode = HMMSVM_MODE_DIRECT, .workers = 2, .cpu = 1,
    };
    static const struct record_message message = { .type = RECORD_HELLO, .size = sizeof(hello) };
    struct recording *r;

    strcpy(path, "/tmp/hmmsvm-test-XXXXXX");
    close(mkstemp(path));
    r = recording_new(path);
    assert_non_null(r);
    assert_null(recording_message(r, &message, &hello));
    return r;
}

static const char *put(struct recording *r, enum record_type type, const void *bytes, size_t size)
{
    struct record_message message = { .type = type, .size = size };

    return recording_message(r, &message, bytes);
}

static void maps(struct recording *r, const char *text)
{
    assert_null(put(r, RECORD_MAPS, text, strlen(text)));
}

static void cpu(struct recording *r, enum record_type type, uint64_t page, uint64_t count)
{
    struct record_run run = { page, count };

    assert_null(put(r, type, &run, sizeof(run)));
}

struct launch {
    struct record_launch launch;
    struct record records[4];
};

static void launch(struct recording *r, struct launch *l, size_t count)
{
    assert_null(put(r, RECORD_LAUNCH, l, sizeof(l->launch) + count * sizeof(l->records[0])));
}

/* Ends the recording; the trace as text is what is wanted. */
static struct recording_counts ends_as(struct recording *r, const char *wanted)
{
    struct hmmsvm_trace_cursor cursor = { 0 };
    struct recording_counts counts;
    struct hmmsvm_trace_event e;
    struct hmmsvm_trace *trace;
    char error[256], *text;
    size_t size;
    FILE *out;

    assert_int_equal(recording_finish(r, &counts), 0);
    trace = hmmsvm_trace_open(path, error, sizeof(error));
    assert_non_null(trace);
    out = open_memstream(&text, &size);
    assert_non_null(out);
    while (hmmsvm_trace_next(trace, &cursor, &e))
        hmmsvm_trace_print(&e, out);
    fclose(out);
    assert_string_equal(text, wanted);
    free(text);
    hmmsvm_trace_close(trace);
    unlink(path);
    return counts;
}

#define HEAD "note recorded in direct mode with 2 workers\n"

#define KEY(page, write) ((uint64_t)(page) << 1 | (write))

static void a_launch_is_a_kernel_and_its_uses(void **state)
{
    struct launch l = {
        .launch = { .name = "k" },
        .records = { { KEY(0x205, 0), 64, 0 }, { KEY(0x206, 0), 64, 0 }, { KEY(0x205, 1), 3, 0 } },
    };
    struct recording *r = begin();
    struct recording_counts c;

    (void)state;
    maps(r, "200000-208000 rw-p 00000000 00:00 0 \n7f0000000000-7f0000001000 rw-p 0 00:00 0 [x]\n");
    launch(r, &l, 3);
    c = ends_as(r, HEAD "alloc 512 8\nkernel k\ndevice r 517 2 64\ndevice w 517 1 3\n");
    assert_int_equal(c.launches, 1);
    assert_int_equal(c.device_pages, 2);
    assert_int_equal(c.device_read, 2);
    assert_int_equal(c.device_written, 1);
    assert_int_equal(c.reads, 128);
    assert_int_equal(c.writes, 3);
    assert_int_equal(c.lost, 0);
}

static void what_the_cpu_does_waits_for_the_device(void **state)
{
    struct launch l = { .launch = { .name = "k" }, .records = { { KEY(512, 0), 1, 0 } } };
    struct recording *r = begin();
    struct recording_counts c;

    (void)state;
    maps(r, "200000-800000 rw-p 00000000 00:00 0 \n");
    cpu(r, RECORD_WRITTEN, 1020, 10); /* in two blocks: 512 to 1023, and 1024 on */
    launch(r, &l, 1);
    cpu(r, RECORD_WRITTEN, 1025, 1);
    cpu(r, RECORD_WRITTEN, 513, 1);
    cpu(r, RECORD_READ, 512, 3);
    launch(r, &l, 1);
    l.records[0].key = KEY(1100, 1);
    launch(r, &l, 1);
    c = ends_as(r, HEAD "alloc 512 512\ncpu w 1020 4\nkernel k\ndevice r 512\n"
                        "cpu r 512 3\ncpu w 513\nkernel k\ndevice r 512\n"
                        "alloc 1024 512\ncpu w 1024 6\nkernel k\ndevice w 1100\n");
    assert_int_equal(c.cpu_written, 11);
    assert_int_equal(c.cpu_read, 3);
}

static void memory_comes_and_goes(void **state)
{
    struct launch l = { .launch = { .name = "k" }, .records = { { KEY(512, 0), 1, 0 } } };
    struct recording *r = begin();

    (void)state;
    maps(r, "200000-202000 rw-p 0 00:00 0 \n202000-203000 ---p 0 00:00 0 \n203000-204000 r--p 0 00:00 0\n");
    launch(r, &l, 1);
    launch(r, &l, 1); /* the same */
    maps(r, "200000-201000 rw-p 0 00:00 0 \n300000-301000 rw-p 0 00:00 0");
    launch(r, &l, 1);
    ends_as(r, HEAD "alloc 512 2\nalloc 515 1\nkernel k\ndevice r 512\nkernel k\ndevice r 512\n"
                    "free 513 1\nfree 515 1\nalloc 768 1\nkernel k\ndevice r 512\n");
}

static void failures_and_losses_are_told(void **state)
{
    struct launch l = { .launch = { .name = "k", .status = HMMSVM_CRASHED, .lost = 7 } };
    struct recording *r = begin();
    struct recording_counts c;

    (void)state;
    launch(r, &l, 0);
    c = ends_as(r, HEAD "kernel k\nnote this launch failed\nnote 7 more uses are lost\n");
    assert_int_equal(c.failed, 1);
    assert_int_equal(c.lost, 7);
}

static void what_is_no_message_is_refused(void **state)
{
    static const struct record_hello other = { .version = RECORD_VERSION + 1 };
    struct launch l = { .launch = { .name = "k" }, .records = { { KEY(512, 0), 1, 0 } } };
    struct record_run run = { HMMSVM_TRACE_PAGES - 1, 2 };
    struct recording *r = begin();

    (void)state;
    assert_string_equal(put(r, 99, "", 0), "a message is of no known type");
    assert_string_equal(put(r, RECORD_HELLO, &other, sizeof(other)),
                        "the driver is of another version");
    for (size_t size = 0; size < sizeof(l.launch) + 2 * sizeof(l.records[0]); size++)
        if (size < sizeof(l.launch) || (size - sizeof(l.launch)) % sizeof(l.records[0]))
            assert_string_equal(put(r, RECORD_LAUNCH, &l, size), "a launch is cut off");
    l.records[0].weight = 0;
    assert_string_equal(put(r, RECORD_LAUNCH, &l, sizeof(l.launch) + sizeof(l.records[0])),
                        "a record is none");
    l.records[0] = (struct record){ UINT64_MAX, 1, 0 };
    assert_string_equal(put(r, RECORD_LAUNCH, &l, sizeof(l.launch) + sizeof(l.records[0])),
                        "a record is none");
    memset(l.launch.name, 'x', sizeof(l.launch.name));
    assert_string_equal(put(r, RECORD_LAUNCH, &l, sizeof(l.launch)), "a launch is cut off");
    assert_string_equal(put(r, RECORD_READ, &run, sizeof(run)), "it has pages beyond 48 bits");
    ends_as(r, HEAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_launch_is_a_kernel_and_its_uses),
        cmocka_unit_test(what_the_cpu_does_waits_for_the_device),
        cmocka_unit_test(memory_comes_and_goes),
        cmocka_unit_test(failures_and_losses_are_told),
        cmocka_unit_test(what_is_no_message_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
