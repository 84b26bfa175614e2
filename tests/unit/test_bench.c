/* SPDX-License-Identifier: MIT */
/*
 * What `hmmsvm bench` makes of records: which count, what they come to, and what is no file of
 * results. The records are made up.
 */
#include "command.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench-records.h"

/* ---- files ---- */

#define HEAD                                                                          \
    "{\"hmmsvm_bench\":1,\"kernel\":\"7.3.4\",\"devmem_mib\":16.0,\"app\":[],"            \
    "\"set\":[\"a=1\",\"b.c=2\"]}\n"

static char path[] = "/tmp/hmmsvm-unit-bench-XXXXXX";

static struct bench_results read_back(const char *text)
{
    struct bench_results results;
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    bench_results_read(&results, path);
    return results;
}

/* In a process of its own: what ends the command leaves its memory as it is. */
static void refused(const char *text, const char *words)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (!pid) {
        if (!setjmp(died)) {
            read_back(text);
            fprintf(stderr, "this was taken: %s\n", text);
            _exit(1);
        }
        if (strstr(said, words))
            _exit(0);
        fprintf(stderr, "it says \"%s\", not \"%s\"\n", said, words);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* A record whose passes took so long together. */
#define RUN(workload, policy, eviction, ratio, n, half, faults)                            \
    "{\"workload\":\"" workload "\",\"policy\":\"" policy "\",\"eviction\":\"" eviction    \
    "\",\"ratio\":" ratio ",\"repetition\":" n ",\"size_mib\":12.0,\"ms\":[" half "," half \
    "],\"counters\":{"                                                                     \
    "\"device_faults\":" faults ",\"pages_to_device\":512}}\n"
#define FAILED(workload, policy, n)                                                               \
    "{\"workload\":\"" workload "\",\"policy\":\"" policy "\",\"eviction\":\"lru\",\"ratio\":75," \
    "\"repetition\":" n ",\"error\":\"did not end\"}\n"

static void nothing(void **state)
{
    struct bench_results results;

    (void)state;
    bench_results_read(&results, "/nonexistent/results.jsonl");
    assert_null(results.head);
    assert_int_equal(results.count, 0);
    results = read_back("");
    assert_null(results.head);
    assert_int_equal(results.whole, 0);
}

static void what_is_none_of_ours(void **state)
{
    (void)state;
    refused("{\"hmmsvm_bench\":2}\n", "another version");
    refused("a,b,c\n", ":1 is not what");
    refused(HEAD "[1]\n", ":2 is not what");
    refused(HEAD "{\"workload\":\"x\"}\n", ":2 is no record");
    refused(HEAD FAILED("triad", "xe",
                        "0") "{\"workload\":\"x\",\"policy\":\"y\",\"eviction\":\"z\"}\n",
            ":3 is no record");
}

/* An interrupted run may have written half a line. */
static void cut_off(void **state)
{
    struct bench_results results =
        read_back(HEAD RUN("triad", "xe", "lru", "75", "0", "1.5", "3") "{\"workload\":\"tri");

    (void)state;
    assert_int_equal(results.count, 1);
    assert_int_equal(results.whole, strlen(HEAD RUN("triad", "xe", "lru", "75", "0", "1.5", "3")));
    assert_string_equal(bench_head_text(&results, "kernel"), "7.3.4");
    assert_true(bench_head_number(&results, "devmem_mib") == 16);
    assert_string_equal(bench_head_list(&results, "set"), "a=1 b.c=2");
    assert_string_equal(bench_head_list(&results, "app"), "");
    assert_string_equal(bench_head_list(&results, "nothing"), "");
    bench_results_free(&results);
}

/* A run that failed and was tried again counts as what it was the last time. */
static void the_last_counts(void **state)
{
    struct bench_results results = read_back(HEAD FAILED("triad", "xe", "0")
                                                 RUN("triad", "xe", "lru", "75", "0", "4", "9"));
    struct bench_key key = { "triad", "xe", "lru", 75, 0 };
    const struct bench_record *record;

    (void)state;
    record = bench_results_find(&results, &key);
    assert_non_null(record);
    assert_null(record->error);
    assert_true(record->ms == 8 && record->counters[BENCH_DEVICE_FAULTS] == 9);
    key.repetition = 1;
    assert_null(bench_results_find(&results, &key));
    bench_results_free(&results);
}

static void spreads(void **state)
{
    const double values[] = { 5, 1, 9, 3, 7 }, even[] = { 4, 1, 3, 2 }, same[] = { 2, 2, 2 };
    struct bench_spread s = bench_spread(values, 5), again = bench_spread(values, 5);

    (void)state;
    assert_true(s.n == 5 && s.median == 5);
    assert_true(s.low >= 1 && s.low < 5 && s.high > 5 && s.high <= 9);
    assert_true(again.low == s.low && again.high == s.high);
    assert_true(values[0] == 5);
    assert_true(bench_spread(even, 4).median == 2.5);
    s = bench_spread(same, 3);
    assert_true(s.low == 2 && s.high == 2);
    s = bench_spread(values, 1);
    assert_true(s.median == 5 && isnan(s.low) && isnan(s.high));
    assert_true(isnan(bench_spread(values, 0).median));
}

/* Each run is compared with the peer's of the same repetition; warm-up and failed runs with
 * nothing. */
static void ratios(void **state)
{
    struct bench_results results = read_back(
        HEAD RUN("triad", "xe", "lru", "75", "-1", "100", "1000")
            RUN("triad", "remote", "lru", "75", "0", "10", "2")
                RUN("triad", "xe", "lru", "75", "0", "20", "4")
                    RUN("triad", "remote", "lru", "75", "1", "40", "2")
                        RUN("triad", "xe", "lru", "75", "1", "20", "6") FAILED("triad", "xe", "2")
                            RUN("triad", "remote", "lru", "75", "2", "10", "2")
                                RUN("triad", "xe", "fifo", "75", "0", "30", "4"));
    struct bench_summary s;

    (void)state;
    bench_summary_make(&s, &results, "remote", &sim_machine_plain);
    assert_int_equal(s.count, 3);
    assert_string_equal(bench_policies(&s.cells[0].key), "remote/lru");
    assert_string_equal(bench_policies(&s.cells[1].key), "xe/lru");
    assert_true(s.cells[1].runs == 2 && s.cells[1].failed == 1);
    assert_string_equal(s.cells[1].error, "did not end");
    assert_true(s.cells[1].ratio.n == 2 && s.cells[1].ratio.median == 1.25); /* of 2 and 0.5 */
    assert_true(s.cells[1].counters[BENCH_DEVICE_FAULTS] == 5);
    assert_true(s.cells[1].counters[BENCH_TO_DEVICE] == 512);
    /* There is no remote/fifo: remote/lru does. */
    assert_string_equal(bench_policies(&s.cells[2].key), "xe/fifo");
    assert_true(s.cells[2].ratio.n == 1 && s.cells[2].ratio.median == 3);
    assert_int_equal(bench_group(&s, 0), 3);
    assert_int_equal(bench_best(&s, 0, 3), 0);
    assert_true(bench_ties(&s.cells[0], &s.cells[1]));
    assert_false(bench_ties(&s.cells[0], &s.cells[2]));
    bench_summary_free(&s);
    bench_summary_make(&s, &results, "nobody", &sim_machine_plain);
    assert_true(s.cells[1].ratio.n == 0 && s.cells[1].ms.n == 2);
    bench_summary_free(&s);
    bench_results_free(&results);
}

/* Of several workloads and sizes, in the order that two sessions may leave them in. */
static void groups(void **state)
{
    struct bench_results results =
        read_back(HEAD RUN("triad", "remote", "lru", "75", "0", "10", "1")
                      RUN("gups", "remote", "lru", "75", "0", "10", "1")
                          RUN("triad", "remote", "lru", "150", "0", "10", "1")
                              RUN("triad", "xe", "lru", "75", "0", "40", "1")
                                  RUN("gups", "xe", "lru", "75", "0", "10", "1"));
    struct bench_summary s;
    size_t n;

    (void)state;
    bench_summary_make(&s, &results, "remote", &sim_machine_plain);
    assert_int_equal(s.count, 5);
    assert_int_equal(bench_group(&s, 0), 2);
    assert_string_equal(s.cells[1].key.policy, "xe");
    assert_true(s.cells[2].key.ratio == 150);
    assert_string_equal(s.cells[2].key.workload, "triad");
    assert_string_equal(s.cells[3].key.workload, "gups");
    assert_true(fabs(bench_mean(&s, &s.cells[1].key, &n) - 2) < 1e-9);
    assert_int_equal(n, 2);
    bench_summary_free(&s);
    bench_results_free(&results);
}

#define PRICED(n, faults, back)                                                                   \
    "{\"workload\":\"triad\",\"policy\":\"xe\",\"eviction\":\"lru\",\"ratio\":75,"                  \
    "\"repetition\":" n ",\"ms\":[1],\"counters\":{\"device_faults\":" faults ",\"cpu_faults\":5,"  \
    "\"migrations_to_device\":7,\"pages_to_device\":100,\"pages_zeroed\":40,\"pages_to_system\":" \
    back ",\"evictions\":3,\"withdrawals\":2,\"refaults\":9,\"lines_remote\":0}}\n"

/* Each counter that the machine has a price for, once; the median of the runs. */
static void moving_is_priced(void **state)
{
    const struct sim_machine machine = {
        .name = "x",
        .to_device_page_ps = 1000000000,
        .to_system_page_ps = 100000000000,
        .zero_page_ps = 10000000,
        .copy_ps = 100000,
        .device_fault_ps = 10000000000000,
        .cpu_fault_ps = 1000000000000000,
        .withdraw_ps = 1000,
    };
    struct bench_results results =
        read_back(HEAD PRICED("-1", "9", "999") PRICED("0", "4", "20") PRICED("1", "6", "10")
                      PRICED("2", "5", "30") FAILED("gups", "xe", "0"));
    struct bench_summary s;

    (void)state;
    bench_summary_make(&s, &results, "remote", &machine);
    /* 5 CPU faults, 5 of the device, 30 pages back, 60 over, 40 cleared, 15 copies, 2 withdrawals. */
    assert_true(fabs(s.cells[0].moving_ms - 5053060.401502) < 1e-6);
    assert_true(isnan(s.cells[1].moving_ms));
    bench_summary_free(&s);
    bench_results_free(&results);
}

static int file_make(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    close(fd);
    return fd < 0;
}

static int file_remove(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing), cmocka_unit_test(what_is_none_of_ours),
        cmocka_unit_test(cut_off), cmocka_unit_test(the_last_counts),
        cmocka_unit_test(spreads), cmocka_unit_test(ratios),
        cmocka_unit_test(groups), cmocka_unit_test(moving_is_priced),
    };

    return cmocka_run_group_tests(tests, file_make, file_remove);
}
