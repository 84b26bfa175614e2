/* SPDX-License-Identifier: MIT */
/*
 * cts-suites.c - which programs of the Khronos OpenCL-CTS `hmmsvm conformance` runs; see cts.h. No
 * locking.
 */
#define _GNU_SOURCE
#include <fnmatch.h>
#include <string.h>

#include "cts.h"

/* Arguments as the CTS's own list of the full run has them. */
const struct cts_suite cts_suites[] = {
    { .subset = "svm", .name = "svm", .program = "test_svm" },
    { .subset = "atomics", .name = "c11_atomics", .program = "test_c11_atomics" },
    { .subset = "atomics", .name = "atomics", .program = "test_atomics" },
    { .subset = "memory", .name = "buffers", .program = "test_buffers" },
    { .subset = "memory", .name = "allocations-single", .program = "test_allocations",
      .args = { "single", "5%" } },
    { .subset = "memory", .name = "allocations-multiple", .program = "test_allocations",
      .args = { "multiple", "5%" } },
    { .subset = "memory", .name = "mem_host_flags", .program = "test_mem_host_flags" },
    { .subset = "memory", .name = "generic_address_space",
      .program = "test_generic_address_space" },
    { .subset = "core", .name = "computeinfo", .program = "test_computeinfo" },
    { .subset = "core", .name = "basic", .program = "test_basic" },
    { .subset = "core", .name = "api", .program = "test_api" },
    { .subset = "core", .name = "compiler", .program = "test_compiler" },
    { .subset = "core", .name = "events", .program = "test_events" },
    { .subset = "core", .name = "profiling", .program = "test_profiling" },
    { .subset = "core", .name = "printf", .program = "test_printf" },
    { .subset = "core", .name = "thread_dimensions", .program = "test_thread_dimensions",
      .match = "full*" },
    { .subset = "core", .name = "workgroups", .program = "test_workgroups" },
    { .subset = "core", .name = "subgroups", .program = "test_subgroups" },
    { .subset = "core", .name = "vectors", .program = "test_vectors" },
    { .subset = "core", .name = "relationals", .program = "test_relationals" },
    { .subset = "core", .name = "select", .program = "test_select" },
    { .subset = "core", .name = "non_uniform_work_group",
      .program = "test_non_uniform_work_group" },
    { .subset = "core", .name = "multiple_device_context", .program = "test_multiples" },
};

const size_t cts_suites_count = sizeof(cts_suites) / sizeof(cts_suites[0]);

static const char *const alone[] = {
    "allocations-*/*",          /* all of the device's memory */
    "profiling/*",              /* how long commands take */
    "api/*min_max*", "*/*max_*size*", "buffers/*max*", "basic/imagedim_*", /* the largest there is */
    "events/*timing*",
};

bool cts_subset_known(const char *subset)
{
    size_t i;

    for (i = 0; i < cts_suites_count; i++)
        if (cts_suite_in(&cts_suites[i], subset))
            return true;
    return false;
}

bool cts_suite_in(const struct cts_suite *suite, const char *subset)
{
    return !strcmp(subset, "all") || !strcmp(subset, suite->subset);
}

static bool name_matches(const struct cts_suite *suite, const char *test,
                         const char *const *patterns, size_t count)
{
    char name[512];
    size_t i;

    snprintf(name, sizeof(name), "%s/%s", suite->name, test);
    for (i = 0; i < count; i++)
        if (!fnmatch(patterns[i], name, 0))
            return true;
    return false;
}

bool cts_test_shares(const struct cts_suite *suite, const char *test)
{
    return !name_matches(suite, test, alone, sizeof(alone) / sizeof(alone[0]));
}

bool cts_test_matches(const struct cts_test *test, const char *const *patterns, size_t count)
{
    return name_matches(test->suite, test->name, patterns, count);
}

size_t cts_list_parse(const struct cts_suite *suite, const char *text,
                      void (*f)(void *arg, const char *name), void *arg)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t found = 0;

    while (*text) {
        size_t length = strcspn(text, "\n");
        char name[128];

        if (text[0] == '\t' && length > 1 && length <= sizeof(name) &&
            strspn(text + 1, letters) == length - 1) {
            memcpy(name, text + 1, length - 1);
            name[length - 1] = '\0';
            if (!suite->match || !fnmatch(suite->match, name, 0)) {
                f(arg, name);
                found++;
            }
        }
        text += length + (text[length] == '\n');
    }
    return found;
}
