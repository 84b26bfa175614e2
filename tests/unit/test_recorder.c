/* SPDX-License-Identifier: MIT */
/*
 * What recorded kernels call: which records accesses become, and what becomes of them if there is no
 * room. The addresses are made up: nothing is accessed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "record.h"

void pocl_memory_access(void *const *args, void *context, uint64_t address, uint64_t size,
                        uint32_t write);

#define PAGE 4096u

static struct {
    char context[RECORD_OFFSET];
    struct recorder recorder;
} worker;

static struct record_log *log_;

/* A log with room for so many records, and a worker that has just copied its context. */
static void begin(uint64_t room)
{
    log_ = calloc(1, sizeof(*log_) + room * sizeof(log_->records[0]));
    assert_non_null(log_);
    log_->room = room;
    memset(&worker, 0, sizeof(worker));
    worker.recorder.log = log_;
}

static void use(uint64_t address, uint64_t size, uint32_t write)
{
    pocl_memory_access(NULL, &worker, address, size, write);
}

static void is_record(unsigned i, uint64_t page, uint32_t write, uint32_t weight)
{
    assert_int_equal(log_->records[i].key, page << 1 | write);
    assert_int_equal(log_->records[i].weight, weight);
}

static void successive_uses_of_a_line_are_one(void **state)
{
    (void)state;
    begin(RECORD_PIECE);
    for (unsigned i = 0; i < PAGE; i += 4)
        use(10 * PAGE + i, 4, 0);
    is_record(0, 10, 0, 64);
    use(10 * PAGE, 1, 0);
    use(10 * PAGE + 64, 1, 0);
    use(10 * PAGE, 64, 0);
    is_record(0, 10, 0, 67);
    use(10 * PAGE + 32, 64, 0); /* two lines, the first of them the last one used */
    is_record(0, 10, 0, 68);
    is_record(1, 0, 0, 0);
    free(log_);
}

static void reads_and_writes_are_apart(void **state)
{
    (void)state;
    begin(RECORD_PIECE);
    use(10 * PAGE, 4, 0);
    use(10 * PAGE, 4, 1);
    use(10 * PAGE + 64, 4, 0);
    is_record(0, 10, 0, 2);
    is_record(1, 10, 1, 1);
    free(log_);
}

static void what_crosses_pages_uses_each(void **state)
{
    (void)state;
    begin(RECORD_PIECE);
    use(11 * PAGE - 1, 2, 1);
    is_record(0, 10, 1, 1);
    is_record(1, 11, 1, 1);
    use(20 * PAGE + 100, 2 * PAGE, 0);
    is_record(2, 20, 0, 63);
    is_record(3, 21, 0, 64);
    is_record(4, 22, 0, 2);
    is_record(5, 0, 0, 0);
    free(log_);
}

static void nothing_is_recorded_of_no_bytes(void **state)
{
    (void)state;
    begin(RECORD_PIECE);
    use(10 * PAGE, 0, 0);
    use(10 * PAGE, 4, 0);
    use(10 * PAGE + 64, 0, 0);
    use(16, 4, 0);              /* faults */
    use(UINT64_MAX - 1, 4, 0);  /* likewise */
    is_record(0, 10, 0, 1);
    is_record(1, 0, 0, 0);
    memset(&worker, 0, sizeof(worker)); /* not recorded */
    use(11 * PAGE, 4, 0);
    is_record(1, 0, 0, 0);
    free(log_);
}

static void each_use_counts_however_many_pages(void **state)
{
    uint64_t total = 0;

    (void)state;
    begin(1000 * RECORD_PIECE);
    for (unsigned round = 0; round < 60; round++)
        for (unsigned page = 1; page <= 500; page++)
            use(page * PAGE + round * 64, 8, page & 1);
    for (uint64_t i = 0; i < log_->next; i++)
        total += log_->records[i].weight;
    assert_int_equal(total, 60 * 500);
    assert_int_equal(log_->lost, 0);
    free(log_);
}

static void what_has_no_room_is_counted(void **state)
{
    uint64_t total = 0;

    (void)state;
    begin(2 * RECORD_PIECE);
    for (unsigned page = 1; page <= 1000; page++)
        use((uint64_t)page * PAGE, 128, 1);
    for (uint64_t i = 0; i < 2 * RECORD_PIECE; i++)
        total += log_->records[i].weight;
    assert_int_equal(total, 2 * 2 * RECORD_PIECE);
    assert_int_equal(log_->lost, 2 * 1000 - total);
    free(log_);
}

static void a_record_that_is_full_has_a_successor(void **state)
{
    (void)state;
    begin(RECORD_PIECE);
    use(10 * PAGE, 4, 0);
    log_->records[0].weight = RECORD_MAX_WEIGHT;
    use(10 * PAGE + 64, 4, 0);
    use(10 * PAGE + 128, 4, 0);
    is_record(0, 10, 0, RECORD_MAX_WEIGHT);
    is_record(1, 10, 0, 2);
    free(log_);
}

static void workers_have_pieces_of_their_own(void **state)
{
    (void)state;
    begin(2 * RECORD_PIECE);
    use(10 * PAGE, 4, 0);
    memset(&worker, 0, sizeof(worker));
    worker.recorder.log = log_;
    use(10 * PAGE + 64, 4, 0);
    is_record(0, 10, 0, 1);
    is_record(RECORD_PIECE, 10, 0, 1);
    assert_int_equal(log_->next, 2 * RECORD_PIECE);
    free(log_);
}

static void local_memory_is_left_out(void **state)
{
    const struct hmmsvm_local locals[] = { { .arg = 1, .size = 100 }, { .arg = 0, .size = 8192 } };
    uint64_t values[] = { 100 * PAGE, 102 * PAGE };
    void *const args[] = { &values[0], &values[1] };

    (void)state;
    begin(RECORD_PIECE);
    worker.recorder.locals = locals;
    worker.recorder.nlocals = 2;
    pocl_memory_access(args, &worker, 100 * PAGE, 4, 1);
    pocl_memory_access(args, &worker, 102 * PAGE + 99, 1, 0);
    is_record(0, 0, 0, 0);
    pocl_memory_access(args, &worker, 99 * PAGE, 4, 1);
    pocl_memory_access(args, &worker, 103 * PAGE, 4, 0);
    is_record(0, 99, 1, 1);
    is_record(1, 103, 0, 1);
    free(log_);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(successive_uses_of_a_line_are_one),
        cmocka_unit_test(reads_and_writes_are_apart),
        cmocka_unit_test(what_crosses_pages_uses_each),
        cmocka_unit_test(nothing_is_recorded_of_no_bytes),
        cmocka_unit_test(each_use_counts_however_many_pages),
        cmocka_unit_test(what_has_no_room_is_counted),
        cmocka_unit_test(a_record_that_is_full_has_a_successor),
        cmocka_unit_test(workers_have_pieces_of_their_own),
        cmocka_unit_test(local_memory_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
