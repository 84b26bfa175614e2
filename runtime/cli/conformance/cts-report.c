/* SPDX-License-Identifier: MIT */
/*
 * cts-report.c - what a run of the CTS came to: the table, JSON, JUnit XML, and what changed since an
 * earlier run; see cts.h. No locking.
 */
#define _GNU_SOURCE
#include <string.h>

#include <json-c/json.h>

#include "cts.h"

#define FORMAT 1    /* of the JSON */

static bool test_shared(const struct cts_test *test)
{
    return test->outcome == CTS_FAILED && test->peer_ran && test->peer != CTS_PASSED;
}

struct cts_counts cts_count(const struct cts_report *report, const struct cts_suite *suite)
{
    struct cts_counts counts = { 0 };
    size_t i;

    for (i = 0; i < report->count; i++) {
        const struct cts_test *test = &report->tests[i];

        if (suite && test->suite != suite)
            continue;
        if (!test->ran) {
            counts.not_run++;
            continue;
        }
        counts.passed += test->outcome == CTS_PASSED;
        counts.failed += test->outcome == CTS_FAILED;
        counts.skipped += test->outcome == CTS_SKIPPED;
        counts.shared += test_shared(test);
        counts.parts += test->outcome == CTS_PASSED ? test->parts : 0;
        counts.launches += test->outcome == CTS_PASSED ? test->launches : 0;
        counts.seconds += test->seconds;
    }
    return counts;
}

bool cts_success(const struct cts_report *report, char *why, size_t size)
{
    struct cts_counts all = cts_count(report, NULL);

    why[0] = '\0';
    if (report->interrupted || all.not_run)
        snprintf(why, size, "%zu tests were not run", all.not_run);
    else if (!all.passed && !all.failed)
        snprintf(why, size, "nothing was executed");
    else if (all.failed > all.shared)
        snprintf(why, size, "%zu failed%s", all.failed - all.shared,
                 report->peer ? " that the peer passes" : "");
    else if (report->no_skips && all.skipped)
        snprintf(why, size, "%zu were skipped", all.skipped);
    else if (!strcmp(report->device, "hmm") && !report->partial && !all.launches)
        snprintf(why, size, "the device counted no launch of a kernel");
    return !*why;
}

/* ---- the table ---- */

static void print_duration(FILE *out, double seconds)
{
    if (seconds < 100)
        fprintf(out, "%8.1f s", seconds);
    else
        fprintf(out, "%3u min %2u s", (unsigned)seconds / 60, (unsigned)seconds % 60);
}

static void print_row(FILE *out, const char *name, const struct cts_counts *c)
{
    fprintf(out, "%-24s %6zu %6zu %7zu %7zu %6lu ", name, c->passed + c->failed + c->skipped,
            c->passed, c->failed, c->skipped, c->parts);
    print_duration(out, c->seconds);
    fputc('\n', out);
}

static void print_names(FILE *out, const struct cts_report *report, enum cts_outcome outcome)
{
    size_t i;

    for (i = 0; i < report->count; i++) {
        const struct cts_test *test = &report->tests[i];

        if (!test->ran || test->outcome != outcome)
            continue;
        fprintf(out, "  %s/%s: %s", test->suite->name, test->name, test->reason);
        if (test->peer_ran)
            fprintf(out, " [%s: %s]", report->peer, cts_outcome_name(test->peer));
        fputc('\n', out);
    }
}

void cts_print(FILE *out, const struct cts_report *report)
{
    struct cts_counts all = cts_count(report, NULL);
    char why[160];
    size_t i;

    fprintf(out, "%-24s %6s %6s %7s %7s %6s %10s\n", "suite", "tests", "passed", "failed",
            "SKIPPED", "parts", "time");
    for (i = 0; i < cts_suites_count; i++) {
        struct cts_counts c = cts_count(report, &cts_suites[i]);

        if (c.passed + c.failed + c.skipped)
            print_row(out, cts_suites[i].name, &c);
    }
    print_row(out, "all", &all);
    if (all.parts)
        fputs("parts: lines in which tests that passed say that they left something out\n", out);
    if (all.failed) {
        fputs("failed:\n", out);
        print_names(out, report, CTS_FAILED);
    }
    if (all.skipped) {
        fputs("SKIPPED:\n", out);
        print_names(out, report, CTS_SKIPPED);
    }
    fprintf(out, "device: %s; mode: %s; %s\n",
            *report->device_name ? report->device_name : report->device, report->mode,
            report->system);
    if (!strcmp(report->device, "hmm"))
        fprintf(out, "launches that the device counted in tests that passed: %llu\n", all.launches);
    if (report->peer && all.failed)
        fprintf(out, "%zu of the %zu that failed do not pass on %s either\n", all.shared,
                all.failed, report->peer);
    fprintf(out, "%zu passed, %zu failed, %zu skipped in ", all.passed, all.failed, all.skipped);
    print_duration(out, report->seconds);
    fputs(cts_success(report, why, sizeof(why)) ? ": success" : ": FAILURE", out);
    fprintf(out, "%s%s\n", *why ? ", " : "", why);
}

/* ---- JUnit XML ---- */

/* XML 1.0 has no way to write most control characters, and tests print any bytes. */
static void xml_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        switch (c) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(c < 0x20 || c >= 0x7f ? '?' : c, out);
        }
    }
}

static void xml_attribute(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s=\"", name);
    xml_text(out, value);
    fputc('"', out);
}

static void junit_case(FILE *out, const struct cts_test *test)
{
    fputs("    <testcase", out);
    xml_attribute(out, "classname", test->suite->name);
    xml_attribute(out, "name", test->name);
    fprintf(out, " time=\"%.3f\"", test->seconds);
    if (test->ran && test->outcome == CTS_PASSED) {
        fputs("/>\n", out);
        return;
    }
    fprintf(out, "><%s", !test->ran ? "error" : test->outcome == CTS_FAILED ? "failure" :
            "skipped");
    xml_attribute(out, "message", test->ran ? test->reason : "not run");
    fputs("/></testcase>\n", out);
}

int cts_write_junit(FILE *out, const struct cts_report *report)
{
    struct cts_counts all = cts_count(report, NULL);
    size_t i, j;

    fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"OpenCL-CTS\" "
            "tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\" errors=\"%zu\" time=\"%.3f\">\n",
            report->count, all.failed, all.skipped, all.not_run, report->seconds);
    for (i = 0; i < cts_suites_count; i++) {
        struct cts_counts c = cts_count(report, &cts_suites[i]);

        if (!(c.passed + c.failed + c.skipped + c.not_run))
            continue;
        fputs("  <testsuite", out);
        xml_attribute(out, "name", cts_suites[i].name);
        fprintf(out, " tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\" errors=\"%zu\" "
                "time=\"%.3f\">\n    <properties><property name=\"device\"",
                c.passed + c.failed + c.skipped + c.not_run, c.failed, c.skipped, c.not_run,
                c.seconds);
        xml_attribute(out, "value", report->device_name);
        fputs("/><property name=\"mode\"", out);
        xml_attribute(out, "value", report->mode);
        fputs("/></properties>\n", out);
        for (j = 0; j < report->count; j++)
            if (report->tests[j].suite == &cts_suites[i])
                junit_case(out, &report->tests[j]);
        fputs("  </testsuite>\n", out);
    }
    fputs("</testsuites>\n", out);
    return fflush(out) || ferror(out) ? -1 : 0;
}

/* ---- JSON ---- */

/* json-c writes strings as they are, and they must be UTF-8: what is not ASCII becomes '?'. */
static struct json_object *json_text(const char *text)
{
    char copy[512];
    size_t n = 0;

    for (; text[n] && n + 1 < sizeof(copy); n++)
        copy[n] = (unsigned char)text[n] < 0x80 ? text[n] : '?';
    copy[n] = '\0';
    return json_object_new_string(copy);
}

static struct json_object *json_test(const struct cts_test *test)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "suite", json_text(test->suite->name));
    json_object_object_add(o, "test", json_text(test->name));
    json_object_object_add(o, "outcome",
                           json_text(test->ran ? cts_outcome_name(test->outcome) : "not run"));
    json_object_object_add(o, "seconds", json_object_new_double(test->seconds));
    json_object_object_add(o, "launches", json_object_new_int64((int64_t)test->launches));
    json_object_object_add(o, "parts_left_out", json_object_new_int64((int64_t)test->parts));
    if (*test->reason)
        json_object_object_add(o, "reason", json_text(test->reason));
    if (test->log)
        json_object_object_add(o, "log", json_text(test->log));
    if (test->peer_ran)
        json_object_object_add(o, "peer", json_text(cts_outcome_name(test->peer)));
    return o;
}

int cts_write_json(FILE *out, const struct cts_report *report)
{
    struct json_object *root = json_object_new_object(), *tests = json_object_new_array();
    struct cts_counts all = cts_count(report, NULL);
    char why[160];
    size_t i;

    json_object_object_add(root, "format", json_object_new_int(FORMAT));
    json_object_object_add(root, "hmmsvm", json_text(report->version));
    json_object_object_add(root, "subset", json_text(report->subset));
    json_object_object_add(root, "device", json_text(report->device));
    json_object_object_add(root, "device_name", json_text(report->device_name));
    json_object_object_add(root, "mode", json_text(report->mode));
    json_object_object_add(root, "system", json_text(report->system));
    if (report->peer)
        json_object_object_add(root, "peer", json_text(report->peer));
    json_object_object_add(root, "success",
                           json_object_new_boolean(cts_success(report, why, sizeof(why))));
    json_object_object_add(root, "why", json_text(why));
    json_object_object_add(root, "seconds", json_object_new_double(report->seconds));
    json_object_object_add(root, "passed", json_object_new_int64((int64_t)all.passed));
    json_object_object_add(root, "failed", json_object_new_int64((int64_t)all.failed));
    json_object_object_add(root, "failed_on_peer_too", json_object_new_int64((int64_t)all.shared));
    json_object_object_add(root, "skipped", json_object_new_int64((int64_t)all.skipped));
    json_object_object_add(root, "not_run", json_object_new_int64((int64_t)all.not_run));
    json_object_object_add(root, "launches", json_object_new_int64((int64_t)all.launches));
    for (i = 0; i < report->count; i++)
        json_object_array_add(tests, json_test(&report->tests[i]));
    json_object_object_add(root, "tests", tests);
    fputs(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
                                         JSON_C_TO_STRING_NOSLASHESCAPE), out);
    fputc('\n', out);
    json_object_put(root);
    return fflush(out) || ferror(out) ? -1 : 0;
}

/* ---- comparison ---- */

static const char *object_text(struct json_object *o, const char *name)
{
    struct json_object *value;

    return json_object_object_get_ex(o, name, &value) &&
           json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

static const struct cts_test *test_find(const struct cts_report *report, const char *suite,
                                        const char *name)
{
    size_t i;

    for (i = 0; i < report->count; i++)
        if (!strcmp(report->tests[i].suite->name, suite) && !strcmp(report->tests[i].name, name))
            return &report->tests[i];
    return NULL;
}

static bool suite_ran(const struct cts_report *report, const char *suite)
{
    size_t i;

    for (i = 0; i < report->count; i++)
        if (!strcmp(report->tests[i].suite->name, suite))
            return true;
    return false;
}

static const char *outcome_now(const struct cts_test *test)
{
    return test->ran ? cts_outcome_name(test->outcome) : "not run";
}

/* The outcome of a test then; NULL if there was none. */
static const char *outcome_then(struct json_object *tests, const struct cts_test *test)
{
    size_t i;

    for (i = 0; i < json_object_array_length(tests); i++) {
        struct json_object *o = json_object_array_get_idx(tests, i);

        if (!strcmp(object_text(o, "suite"), test->suite->name) &&
            !strcmp(object_text(o, "test"), test->name))
            return object_text(o, "outcome");
    }
    return NULL;
}

int cts_compare(FILE *out, const struct cts_report *report, const char *text)
{
    struct json_object *root = json_tokener_parse(text), *tests, *format;
    size_t changes[5] = { 0 }, i;
    enum { REGRESSED, FIXED, CHANGED, NEW, GONE };
    static const char *const words[] = { "regressed", "fixed", "changed", "new", "gone" };

    if (!json_object_object_get_ex(root, "format", &format) ||
        json_object_get_int(format) != FORMAT ||
        !json_object_object_get_ex(root, "tests", &tests) ||
        !json_object_is_type(tests, json_type_array)) {
        fputs("what it is to be compared with is no results.json of `hmmsvm conformance`\n", out);
        json_object_put(root);
        return -1;
    }
    fprintf(out, "against the run on %s, mode %s:\n", object_text(root, "device_name"),
            object_text(root, "mode"));
    for (i = 0; i < report->count; i++) {
        const struct cts_test *test = &report->tests[i];
        const char *now = outcome_now(test), *then = outcome_then(tests, test);
        int kind;

        if (then && !strcmp(then, now))
            continue;
        kind = !then ? NEW : !strcmp(then, "passed") ? REGRESSED :
               !strcmp(now, "passed") ? FIXED : CHANGED;
        changes[kind]++;
        fprintf(out, "  %-9s %s/%s: %s%s%s\n", words[kind], test->suite->name, test->name,
                then ? then : "", then ? " -> " : "", now);
    }
    for (i = 0; i < json_object_array_length(tests); i++) {
        struct json_object *o = json_object_array_get_idx(tests, i);
        const char *suite = object_text(o, "suite"), *name = object_text(o, "test");

        if (!suite_ran(report, suite) || test_find(report, suite, name))
            continue;
        changes[GONE]++;
        fprintf(out, "  %-9s %s/%s: %s\n", words[GONE], suite, name, object_text(o, "outcome"));
    }
    fprintf(out, "  %zu regressed, %zu fixed, %zu changed, %zu new, %zu gone\n",
            changes[REGRESSED], changes[FIXED], changes[CHANGED], changes[NEW], changes[GONE]);
    json_object_put(root);
    return (int)changes[REGRESSED];
}
