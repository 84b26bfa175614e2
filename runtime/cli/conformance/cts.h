/* SPDX-License-Identifier: MIT */
/*
 * cts.h - the parts of `hmmsvm conformance`: which suites of the Khronos OpenCL-CTS there are
 * (cts-suites.c), what a test's output and end mean (cts-verdict.c), what a run came to, as table,
 * JSON and JUnit XML, and against an earlier one (cts-report.c), and running it (cts-run.c).
 *
 * All but cts-run.c ask nobody for anything, so that they can be tested on made-up data.
 *
 * Locking: none; one thread.
 */
#ifndef HMMSVM_CLI_CTS_H
#define HMMSVM_CLI_CTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* ---- suites ---- */

/* A program of the CTS with the arguments it is to be run with. */
struct cts_suite {
    const char *subset;     /* "svm", "atomics", "memory", "core" */
    const char *name;       /* as results call it */
    const char *program;    /* the name of its file */
    const char *args[3];    /* before the test's name */
    const char *match;      /* a shell pattern that its tests' names match; NULL: all */
};

extern const struct cts_suite cts_suites[];
extern const size_t cts_suites_count;

/* Whether there is a subset of that name; "all" is one. */
bool cts_subset_known(const char *subset);
bool cts_suite_in(const struct cts_suite *suite, const char *subset);

/*
 * Whether a test may run beside others. Those may not that fill the memory, and those that compare
 * times.
 */
bool cts_test_shares(const struct cts_suite *suite, const char *test);

/*
 * The tests that a program lists when called with --list: lines that begin with a tab. Calls f for
 * each name that is well-formed and in the suite; returns how many.
 */
size_t cts_list_parse(const struct cts_suite *suite, const char *text,
                      void (*f)(void *arg, const char *name), void *arg);

/* ---- what a test's output and end mean ---- */

enum cts_outcome { CTS_PASSED, CTS_FAILED, CTS_SKIPPED };

/* "passed", "failed", "skipped" */
const char *cts_outcome_name(enum cts_outcome outcome);

/* What a test has said so far; any bytes, in pieces of any length. */
struct cts_output {
    const char *test;
    char line[512];             /* the line that has begun; the rest of longer ones is dropped */
    size_t length;
    bool passed, failed, skipped;
    char skip_reason[160], error[160];
    char device[256];           /* "": none was named */
    unsigned long parts;        /* lines that say some part was left out */
    unsigned long long launches; /* that the hmm device counted, in this test's processes */
};

/* test must live as long as the output. */
void cts_output_begin(struct cts_output *output, const char *test);
void cts_output_feed(struct cts_output *output, const char *data, size_t size);
void cts_output_end(struct cts_output *output);

/* How a test's process ended. */
struct cts_ending {
    int status;                 /* as waitpid() gives it */
    bool timed_out;
    long limit_s;
    const char *results;        /* the JSON that the program wrote; NULL: none */
    const char *device;         /* what the device's name has to begin with; NULL: anything */
};

/*
 * The outcome. Writes why into reason, "" if it passed. What contradicts itself, what says nothing
 * and what ran on another device has failed.
 */
enum cts_outcome cts_verdict(const struct cts_output *output, const struct cts_ending *ending,
                             char *reason, size_t size);

/* ---- what a run came to ---- */

struct cts_test {
    const struct cts_suite *suite;
    char *name;
    char *program;              /* path */
    bool ran;                   /* what follows is valid */
    enum cts_outcome outcome;
    double seconds;
    char reason[200];
    unsigned long parts;
    unsigned long long launches;
    char *log;                  /* relative to the results; NULL: not kept */
    bool peer_ran;              /* it failed, and was run again on the peer */
    enum cts_outcome peer;
};

struct cts_report {
    const char *version;        /* of hmmsvm */
    const char *subset, *device, *mode, *peer; /* peer: NULL if there is none */
    char device_name[256];      /* as the tests saw it */
    char system[256];           /* kernel and machine */
    double seconds;
    bool no_skips, interrupted;
    bool partial;               /* chosen tests, not whole suites */
    struct cts_test *tests;
    size_t count;
};

struct cts_counts {
    size_t passed, failed, skipped, not_run;
    size_t shared;              /* of failed: those that the peer does not pass either */
    unsigned long parts;        /* of passed */
    unsigned long long launches; /* of passed */
    double seconds;
};

/* Whether SUITE/TEST matches one of these shell patterns. */
bool cts_test_matches(const struct cts_test *test, const char *const *patterns, size_t count);

/* Of the suite's tests, or of all (NULL). */
struct cts_counts cts_count(const struct cts_report *report, const struct cts_suite *suite);

/*
 * Whether the run is a success; if not, or if it needs a word, says why in one line (otherwise "").
 * Nothing executed is no success, nor is a run of whole suites of which the hmm device counted no
 * launch.
 */
bool cts_success(const struct cts_report *report, char *why, size_t size);

/* The table: a line for each suite, then failed and skipped tests by name. */
void cts_print(FILE *out, const struct cts_report *report);

/* Both return 0, or -1 if out cannot be written. */
int cts_write_junit(FILE *out, const struct cts_report *report);
int cts_write_json(FILE *out, const struct cts_report *report);

/*
 * Prints what changed since an earlier run, whose JSON text is given: regressed (passed then),
 * fixed, changed, new, gone. Tests of suites that were not run now are not gone. Returns how many
 * regressed, or -1 with a reason printed if the text is none of ours.
 */
int cts_compare(FILE *out, const struct cts_report *report, const char *text);

/* ---- running ---- */

struct cts_run {
    struct cts_report report;
    const char *results;        /* folder; exists */
    const char *want_device;    /* see struct cts_ending */
    long jobs, limit_s;
    bool wimpy;
};

/*
 * Lists the tests of a program into the report. Ends the command if it cannot be asked or lists
 * none.
 */
void cts_tests_find(struct cts_run *run, const struct cts_suite *suite, const char *program);

/* Runs all tests of the report; progress on standard error. */
void cts_tests_run(struct cts_run *run);

/* Runs the failed tests again on the peer, one after the other. */
void cts_peer_run(struct cts_run *run);

#endif
