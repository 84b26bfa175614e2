/* SPDX-License-Identifier: MIT */
/*
 * What `hmmsvm conformance` makes of the output and the end of tests, of lists of them, and of
 * whole runs: verdicts, tables, JUnit XML, JSON and comparisons, on made-up data.
 */
#include <signal.h>

#include "unit.h"

#include "conformance/cts.h"

static struct cts_output said;
static struct cts_ending ending;
static char reason[200];

static void feed(const char *text)
{
    cts_output_feed(&said, text, strlen(text));
}

static int setup(void **state)
{
    (void)state;
    cts_output_begin(&said, "one");
    ending = (struct cts_ending){ .limit_s = 30 };
    return 0;
}

#define assert_verdict(outcome, why)                                                               \
    do {                                                                                           \
        cts_output_end(&said);                                                                     \
        assert_int_equal(cts_verdict(&said, &ending, reason, sizeof(reason)), outcome);            \
        assert_string_equal(reason, why);                                                          \
    } while (0)

#define STATUS(code) ((code) << 8)

static const char json_pass[] = "{\"cmd\":\"x\",\"results\":{\"one\":\"pass\"}}";
static const char json_fail[] = "{\"cmd\":\"x\",\"results\":{\"one\":\"fail\"}}";
static const char json_skip[] = "{\"cmd\":\"x\",\"results\":{\"one\":\"skip\",\"two\":\"skip\"}}";
static const char json_other[] = "{\"cmd\":\"x\",\"results\":{\"two\":\"pass\"}}";

/* ---- a test that ends by itself ---- */

static void passes(void **state)
{
    (void)state;
    feed("one...\none passed\nPASSED test.\n");
    assert_verdict(CTS_PASSED, "");
    ending.results = json_pass;
    assert_verdict(CTS_PASSED, "");
}

/* A kernel's printf may stand before the line. */
static void passes_by_its_results(void **state)
{
    (void)state;
    feed("one...\nsome text of a kernelone passed\n");
    ending.results = json_pass;
    assert_verdict(CTS_PASSED, "");
}

static void says_nothing(void **state)
{
    (void)state;
    assert_verdict(CTS_FAILED, "ended with status 0, but said neither passed nor failed");
}

static void another_test_passes(void **state)
{
    (void)state;
    feed("one...\none_more passed\nnone passed\none passed with flying colours\n");
    assert_verdict(CTS_FAILED, "ended with status 0, but said neither passed nor failed");
    ending.results = json_other;
    assert_verdict(CTS_FAILED, "its results have no entry for this test");
}

static void broken_results(void **state)
{
    static const char *const broken[] = { "", "{", "[]", "null", "{\"results\":3}",
        "{\"results\":{\"one\":\"perhaps\"}}", "{\"results\":{\"one\":null}}" };

    (void)state;
    feed("one passed\n");
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        ending.results = broken[i];
        assert_verdict(CTS_FAILED, "its results have no entry for this test");
    }
}

static void fails(void **state)
{
    (void)state;
    feed("one...\n\tERROR: wrong value at 3\nERROR: and more\none FAILED\n");
    ending.status = STATUS(1);
    assert_verdict(CTS_FAILED, "ERROR: wrong value at 3");
    ending.results = json_fail;
    assert_verdict(CTS_FAILED, "ERROR: wrong value at 3");
}

/* The name of a test is no reason. */
static void named_after_errors(void **state)
{
    (void)state;
    cts_output_begin(&said, "reports_errors");
    feed("reports_errors...\nERROR: it does not\nreports_errors FAILED\n");
    ending.status = STATUS(1);
    assert_verdict(CTS_FAILED, "ERROR: it does not");
}

static void fails_with_status_0(void **state)
{
    (void)state;
    feed("one FAILED\n");
    assert_verdict(CTS_FAILED, "no reason given");
}

static void fails_after_it_passed(void **state)
{
    (void)state;
    feed("one passed\n");
    ending.status = STATUS(7);
    assert_verdict(CTS_FAILED, "exit status 7 after it had passed");
}

static void fails_before_it_begins(void **state)
{
    (void)state;
    feed("clGetPlatformIDs failed: error\n");
    ending.status = STATUS(255);
    assert_verdict(CTS_FAILED, "exit status 255: clGetPlatformIDs failed: error");
}

static void contradicts_itself(void **state)
{
    (void)state;
    feed("one passed\n");
    ending.results = json_fail;
    assert_verdict(CTS_FAILED, "no reason given");
    ending.results = json_skip;
    assert_verdict(CTS_FAILED, "its output and its results contradict each other");
    setup(state);
    feed("one test not supported\n");
    ending.results = json_pass;
    assert_verdict(CTS_FAILED, "its output and its results contradict each other");
}

/* ---- skipping ---- */

static void skips(void **state)
{
    (void)state;
    feed("one...\none test not supported\n");
    assert_verdict(CTS_SKIPPED, "one test not supported");
    ending.results = json_skip;
    assert_verdict(CTS_SKIPPED, "one test not supported");
}

static void skips_with_a_reason(void **state)
{
    (void)state;
    feed("one...\n\tThe extension is unsupported here\none test not supported\n");
    assert_verdict(CTS_SKIPPED, "The extension is unsupported here");
}

static void skips_for_its_version(void **state)
{
    (void)state;
    feed("one skipped (requires at least OpenCL version 9.0, but the device reports ...)\n");
    assert_verdict(CTS_SKIPPED,
                   "one skipped (requires at least OpenCL version 9.0, but the device reports ...)");
}

/* A suite that finds the device unfit ends with status 0 and names no test. */
static void suite_skips(void **state)
{
    (void)state;
    feed("Capability missing, test not executed.\nTest skipped while initialization\n"
         "SKIPPED 2 of 2 tests.\n");
    assert_verdict(CTS_FAILED, "ended with status 0, but said neither passed nor failed");
    ending.results = json_skip;
    assert_verdict(CTS_SKIPPED, "Capability missing, test not executed.");
}

static void parts_are_counted(void **state)
{
    (void)state;
    feed("\thalf not supported\n\tTest disabled\n\tSkipping the second\n\tfine\none passed\n");
    assert_verdict(CTS_PASSED, "");
    assert_int_equal(said.parts, 3);
}

/* ---- other ends ---- */

static void crashes(void **state)
{
    (void)state;
    feed("one...\n");
    ending.status = SIGSEGV;
    assert_verdict(CTS_FAILED, "killed by SIGSEGV");
    feed("one passed\n");
    ending.results = json_pass;
    assert_verdict(CTS_FAILED, "killed by SIGSEGV after it had passed");
}

static void hangs(void **state)
{
    (void)state;
    feed("one passed\n");
    ending.status = SIGKILL;
    ending.timed_out = true;
    assert_verdict(CTS_FAILED, "did not end within 30 s");
}

/* ---- the device ---- */

static void right_device(void **state)
{
    (void)state;
    ending.device = "hmm (kernel mode,";
    feed("Compute Device Name = hmm (kernel mode, 2 workers, x), Compute Device Vendor = v\n"
         "one passed\n");
    assert_verdict(CTS_PASSED, "");
    assert_string_equal(said.device, "hmm (kernel mode, 2 workers, x)");
}

static void another_mode(void **state)
{
    (void)state;
    ending.device = "hmm (kernel mode,";
    feed("Compute Device Name = hmm (direct mode, 2 workers), Compute Device Vendor = v\n"
         "one passed\n");
    assert_verdict(CTS_FAILED,
                   "ran on \"hmm (direct mode, 2 workers)\", not on \"hmm (kernel mode,...\"");
}

static void no_device_named(void **state)
{
    (void)state;
    ending.device = "hmm (kernel mode,";
    feed("one passed\n");
    assert_verdict(CTS_FAILED, "did not say which device it ran on");
}

static void launches_are_added(void **state)
{
    (void)state;
    feed("{\"hmmsvm\":1,\"mode\":\"direct\",\"launches\":12,\"failures\":0}\n"
         "x {\"hmmsvm\":1,\"launches\":1000}\n"
         "{\"hmmsvm\":1,\"launches\":30}\none passed\n");
    assert_verdict(CTS_PASSED, "");
    assert_int_equal(said.launches, 42);
}

/* ---- bytes ---- */

static void any_pieces(void **state)
{
    static const char text[] = "one...\r\n\0\xff\xfe\n\none passed \r\nrest";

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(text); i++)
        cts_output_feed(&said, text + i, 1);
    assert_verdict(CTS_PASSED, "");
}

static void last_line_without_end(void **state)
{
    (void)state;
    feed("one passed");
    assert_false(said.passed);
    assert_verdict(CTS_PASSED, "");
}

static void endless_line(void **state)
{
    char block[4096];

    (void)state;
    memset(block, 'e', sizeof(block));
    for (unsigned i = 0; i < 1000; i++)
        cts_output_feed(&said, block, sizeof(block));
    feed("\none passed\n");
    assert_verdict(CTS_PASSED, "");
}

static void random_bytes(void **state)
{
    unsigned seed = 1;

    (void)state;
    for (unsigned i = 0; i < 1000000; i++) {
        char c = (char)rand_r(&seed);

        cts_output_feed(&said, &c, 1);
    }
    feed("\none passed\n");
    cts_output_end(&said);
    assert_true(said.passed);
}

/* ---- lists ---- */

static char names[256];

static void name_take(void *arg, const char *name)
{
    assert_ptr_equal(arg, names);
    strcat(names, name);
    strcat(names, " ");
}

static void lists(void **state)
{
    static const struct cts_suite all = { .name = "s" }, some = { .name = "s", .match = "full*" };
    static const char text[] =
        "a complaint of somebody\n\tquick_1\n\tfull_1\n\tno test\n full_2\n\t\n\tfull_3";

    (void)state;
    names[0] = '\0';
    assert_int_equal(cts_list_parse(&all, text, name_take, names), 3);
    assert_string_equal(names, "quick_1 full_1 full_3 ");
    names[0] = '\0';
    assert_int_equal(cts_list_parse(&some, text, name_take, names), 2);
    assert_string_equal(names, "full_1 full_3 ");
    assert_int_equal(cts_list_parse(&all, "", name_take, names), 0);
}

static void subsets(void **state)
{
    static const char *const known[] = { "svm", "atomics", "memory", "core", "all" };
    size_t in = 0;

    (void)state;
    for (size_t i = 0; i < 5; i++)
        assert_true(cts_subset_known(known[i]));
    assert_false(cts_subset_known("everything"));
    assert_false(cts_subset_known(""));
    for (size_t i = 0; i < cts_suites_count; i++)
        for (size_t j = 0; j < 4; j++)
            in += cts_suite_in(&cts_suites[i], known[j]);
    assert_int_equal(in, cts_suites_count);
}

static void which_share(void **state)
{
    static const struct cts_suite memory = { .name = "allocations-single" },
                                  basic = { .name = "basic" };

    (void)state;
    assert_false(cts_test_shares(&memory, "buffer"));
    assert_true(cts_test_shares(&basic, "buffer"));
    assert_false(cts_test_shares(&basic, "imagedim_pow2"));
}

/* ---- whole runs ---- */

static struct cts_test tests[4];
static struct cts_report report;
static char *printed;
static size_t printed_size;
static FILE *out;

static int setup_report(void **state)
{
    (void)state;
    tests[0] = (struct cts_test){ .suite = &cts_suites[0], .name = (char *)"a", .ran = true,
                                  .outcome = CTS_PASSED, .seconds = 1.5, .launches = 2,
                                  .parts = 3 };
    tests[1] = (struct cts_test){ .suite = &cts_suites[0], .name = (char *)"b", .ran = true,
                                  .outcome = CTS_FAILED, .seconds = 0.5,
                                  .reason = "a < b & \"c\"\x01\xff", .log = (char *)"logs/x" };
    tests[2] = (struct cts_test){ .suite = &cts_suites[1], .name = (char *)"c", .ran = true,
                                  .outcome = CTS_SKIPPED, .reason = "no atomics" };
    tests[3] = (struct cts_test){ .suite = &cts_suites[1], .name = (char *)"d", .ran = true,
                                  .outcome = CTS_PASSED, .launches = 1 };
    report = (struct cts_report){ .version = "1", .subset = "svm", .device = "hmm",
                                  .mode = "direct", .device_name = "hmm (direct mode, x)",
                                  .system = "Linux", .seconds = 2, .tests = tests, .count = 4 };
    printed = NULL;
    out = open_memstream(&printed, &printed_size);
    return out ? 0 : -1;
}

static int teardown_report(void **state)
{
    (void)state;
    fclose(out);
    free(printed);
    return 0;
}

#define assert_fails(why)                                                                          \
    do {                                                                                           \
        assert_false(cts_success(&report, reason, sizeof(reason)));                                \
        assert_string_equal(reason, why);                                                          \
    } while (0)

#define assert_succeeds()                                                                          \
    do {                                                                                           \
        assert_true(cts_success(&report, reason, sizeof(reason)));                                 \
        assert_string_equal(reason, "");                                                           \
    } while (0)

static void success(void **state)
{
    (void)state;
    assert_fails("1 failed");
    tests[1].outcome = CTS_PASSED;
    assert_succeeds();
    report.no_skips = true;
    assert_fails("1 were skipped");
    tests[2].outcome = CTS_PASSED;
    assert_succeeds();
    tests[3].ran = false;
    assert_fails("1 tests were not run");
    tests[3].ran = true;
    report.interrupted = true;
    assert_fails("0 tests were not run");
}

static void nothing_executed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++)
        tests[i].outcome = CTS_SKIPPED;
    assert_fails("nothing was executed");
    report.count = 0;
    assert_fails("nothing was executed");
}

/* All passed, but not on the device. */
static void no_launches(void **state)
{
    (void)state;
    tests[1].outcome = CTS_PASSED;
    tests[0].launches = tests[3].launches = 0;
    assert_fails("the device counted no launch of a kernel");
    report.device = "pthread";
    assert_succeeds();
    report.device = "hmm";
    report.partial = true;
    assert_succeeds();
}

static void peer_fails_too(void **state)
{
    (void)state;
    report.peer = "pthread";
    assert_fails("1 failed that the peer passes");
    tests[1].peer_ran = true;
    tests[1].peer = CTS_PASSED;
    assert_fails("1 failed that the peer passes");
    tests[1].peer = CTS_FAILED;
    assert_succeeds();
    assert_int_equal(cts_count(&report, NULL).shared, 1);
    assert_int_equal(cts_count(&report, NULL).failed, 1);
}

static void table(void **state)
{
    (void)state;
    cts_print(out, &report);
    fflush(out);
    assert_string_equal(printed,
        "suite                     tests passed  failed SKIPPED  parts       time\n"
        "svm                           2      1       1       0      3      2.0 s\n"
        "c11_atomics                   2      1       0       1      0      0.0 s\n"
        "all                           4      2       1       1      3      2.0 s\n"
        "parts: lines in which tests that passed say that they left something out\n"
        "failed:\n"
        "  svm/b: a < b & \"c\"\x01\xff\n"
        "SKIPPED:\n"
        "  c11_atomics/c: no atomics\n"
        "device: hmm (direct mode, x); mode: direct; Linux\n"
        "launches that the device counted in tests that passed: 3\n"
        "2 passed, 1 failed, 1 skipped in      2.0 s: FAILURE, 1 failed\n");
}

static void junit(void **state)
{
    (void)state;
    tests[3].ran = false;
    assert_int_equal(cts_write_junit(out, &report), 0);
    assert_string_equal(printed,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuites name=\"OpenCL-CTS\" tests=\"4\" failures=\"1\" skipped=\"1\" errors=\"1\" "
        "time=\"2.000\">\n"
        "  <testsuite name=\"svm\" tests=\"2\" failures=\"1\" skipped=\"0\" errors=\"0\" "
        "time=\"2.000\">\n"
        "    <properties><property name=\"device\" value=\"hmm (direct mode, x)\"/>"
        "<property name=\"mode\" value=\"direct\"/></properties>\n"
        "    <testcase classname=\"svm\" name=\"a\" time=\"1.500\"/>\n"
        "    <testcase classname=\"svm\" name=\"b\" time=\"0.500\"><failure "
        "message=\"a &lt; b &amp; &quot;c&quot;??\"/></testcase>\n"
        "  </testsuite>\n"
        "  <testsuite name=\"c11_atomics\" tests=\"2\" failures=\"0\" skipped=\"1\" errors=\"1\" "
        "time=\"0.000\">\n"
        "    <properties><property name=\"device\" value=\"hmm (direct mode, x)\"/>"
        "<property name=\"mode\" value=\"direct\"/></properties>\n"
        "    <testcase classname=\"c11_atomics\" name=\"c\" time=\"0.000\"><skipped "
        "message=\"no atomics\"/></testcase>\n"
        "    <testcase classname=\"c11_atomics\" name=\"d\" time=\"0.000\"><error "
        "message=\"not run\"/></testcase>\n"
        "  </testsuite>\n"
        "</testsuites>\n");
}

/* A run's JSON is what a later one is compared with. */
static void compared(void **state)
{
    struct cts_test now[4];
    char *earlier;

    (void)state;
    assert_int_equal(cts_write_json(out, &report), 0);
    earlier = strdup(printed);
    assert_non_null(strstr(earlier, "\"outcome\":\"skipped\""));
    teardown_report(NULL);
    out = open_memstream(&printed, &printed_size);

    memcpy(now, tests, sizeof(now));
    report.tests = now;
    now[0].outcome = CTS_SKIPPED;
    now[1].outcome = CTS_PASSED;
    now[2].outcome = CTS_FAILED;
    now[3].name = (char *)"e";
    assert_int_equal(cts_compare(out, &report, earlier), 1);
    fflush(out);
    assert_string_equal(printed,
        "against the run on hmm (direct mode, x), mode direct:\n"
        "  regressed svm/a: passed -> skipped\n"
        "  fixed     svm/b: failed -> passed\n"
        "  changed   c11_atomics/c: skipped -> failed\n"
        "  new       c11_atomics/e: passed\n"
        "  gone      c11_atomics/d: passed\n"
        "  1 regressed, 1 fixed, 1 changed, 1 new, 1 gone\n");
    free(earlier);
}

/* What was not asked for now is not gone. */
static void compared_with_more(void **state)
{
    char *earlier;

    (void)state;
    assert_int_equal(cts_write_json(out, &report), 0);
    earlier = strdup(printed);
    report.count = 2;
    assert_int_equal(cts_compare(out, &report, earlier), 0);
    fflush(out);
    assert_non_null(strstr(printed, "  0 regressed, 0 fixed, 0 changed, 0 new, 0 gone\n"));
    free(earlier);
}

static void compared_with_nonsense(void **state)
{
    static const char *const texts[] = { "", "{", "{}", "[1]", "{\"format\":2,\"tests\":[]}",
                                         "{\"format\":1}", "{\"format\":1,\"tests\":{}}" };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_int_equal(cts_compare(out, &report, texts[i]), -1);
}

int main(void)
{
    static const struct CMUnitTest all[] = {
        cmocka_unit_test_setup(passes, setup),
        cmocka_unit_test_setup(passes_by_its_results, setup),
        cmocka_unit_test_setup(says_nothing, setup),
        cmocka_unit_test_setup(another_test_passes, setup),
        cmocka_unit_test_setup(broken_results, setup),
        cmocka_unit_test_setup(fails, setup),
        cmocka_unit_test_setup(named_after_errors, setup),
        cmocka_unit_test_setup(fails_with_status_0, setup),
        cmocka_unit_test_setup(fails_after_it_passed, setup),
        cmocka_unit_test_setup(fails_before_it_begins, setup),
        cmocka_unit_test_setup(contradicts_itself, setup),
        cmocka_unit_test_setup(skips, setup),
        cmocka_unit_test_setup(skips_with_a_reason, setup),
        cmocka_unit_test_setup(skips_for_its_version, setup),
        cmocka_unit_test_setup(suite_skips, setup),
        cmocka_unit_test_setup(parts_are_counted, setup),
        cmocka_unit_test_setup(crashes, setup),
        cmocka_unit_test_setup(hangs, setup),
        cmocka_unit_test_setup(right_device, setup),
        cmocka_unit_test_setup(another_mode, setup),
        cmocka_unit_test_setup(no_device_named, setup),
        cmocka_unit_test_setup(launches_are_added, setup),
        cmocka_unit_test_setup(any_pieces, setup),
        cmocka_unit_test_setup(last_line_without_end, setup),
        cmocka_unit_test_setup(endless_line, setup),
        cmocka_unit_test_setup(random_bytes, setup),
        cmocka_unit_test(lists),
        cmocka_unit_test(subsets),
        cmocka_unit_test(which_share),
        cmocka_unit_test_setup_teardown(success, setup_report, teardown_report),
        cmocka_unit_test_setup_teardown(nothing_executed, setup_report, teardown_report),
        cmocka_unit_test_setup_teardown(no_launches, setup_report, teardown_report),
        cmocka_unit_test_setup_teardown(peer_fails_too, setup_report, teardown_report),
        cmocka_unit_test_setup_teardown(table, setup_report, teardown_report),
        cmocka_unit_test_setup_teardown(junit, setup_report, teardown_report),
        cmocka_unit_test_setup_teardown(compared, setup_report, teardown_report),
        cmocka_unit_test_setup_teardown(compared_with_more, setup_report, teardown_report),
        cmocka_unit_test_setup_teardown(compared_with_nonsense, setup_report, teardown_report),
    };

    return cmocka_run_group_tests(all, NULL, NULL);
}
