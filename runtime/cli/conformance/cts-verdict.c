/* SPDX-License-Identifier: MIT */
/*
 * cts-verdict.c - what a test of the CTS has said and how it ended, and what that means; see cts.h.
 * No locking.
 *
 * Each test is a process of its own, so that its exit status, its line "NAME passed" or "NAME
 * FAILED" and the JSON that the program writes on request are all about this one test.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <json-c/json.h>

#include "cts.h"

const char *cts_outcome_name(enum cts_outcome outcome)
{
    static const char *const names[] = { "passed", "failed", "skipped" };

    return names[outcome];
}

/* ---- output ---- */

void cts_output_begin(struct cts_output *output, const char *test)
{
    *output = (struct cts_output){ .test = test };
}

static void text_keep(char *to, size_t size, const char *line)
{
    line += strspn(line, " \t");
    snprintf(to, size, "%s", line);
}

/* "Compute Device Name = NAME, Compute Device Vendor = ..."; names have commas of their own. */
static void line_device(struct cts_output *o, const char *line)
{
    static const char begin[] = "Compute Device Name = ", end[] = ", Compute Device Vendor";
    const char *name = strstr(line, begin), *stop;

    if (!name)
        return;
    name += sizeof(begin) - 1;
    stop = strstr(name, end);
    snprintf(o->device, sizeof(o->device), "%.*s", stop ? (int)(stop - name) : (int)strlen(name),
             name);
}

/* The summary of HMMSVM_STATS=json. */
static void line_summary(struct cts_output *o, const char *line)
{
    static const char field[] = "\"launches\":";
    const char *p;

    if (!strncmp(line, "{\"hmmsvm\":1,", 12) && (p = strstr(line, field)))
        o->launches += strtoull(p + sizeof(field) - 1, NULL, 10);
}

static bool line_is(const char *line, const char *test, const char *rest)
{
    size_t n = strlen(test);

    return !strncmp(line, test, n) && !strcmp(line + n, rest);
}

static void line_take(struct cts_output *o)
{
    static const char *const left_out[] = {
        "skipp", "not supported", "unsupported", "test disabled", "not executed",
    };
    char *line = o->line;
    size_t n, i;

    line[o->length] = '\0';
    o->length = 0;
    for (n = strlen(line); n && (line[n - 1] == '\r' || line[n - 1] == ' '); n--)
        line[n - 1] = '\0';
    line_device(o, line);
    line_summary(o, line);
    if (line_is(line, o->test, "...")) {
        return;     /* its beginning; the name may be of errors */
    } else if (line_is(line, o->test, " passed")) {
        o->passed = true;
    } else if (line_is(line, o->test, " FAILED")) {
        o->failed = true;
    } else if (line_is(line, o->test, " test not supported") ||
               line_is(line, o->test, " test currently not implemented") ||
               (!strncmp(line, o->test, strlen(o->test)) &&
                !strncmp(line + strlen(o->test), " skipped (", 10))) {
        o->skipped = true;
        /* What was said before it is the better reason. */
        if (!*o->skip_reason)
            text_keep(o->skip_reason, sizeof(o->skip_reason), line);
    } else {
        for (i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
            if (strcasestr(line, left_out[i]))
                break;
        /* The harness's own words about a suite that was skipped give no reason. */
        if (i < sizeof(left_out) / sizeof(left_out[0]) && strncmp(line, "SKIPPED ", 8) &&
            strcmp(line, "Test skipped while initialization")) {
            o->parts++;
            text_keep(o->skip_reason, sizeof(o->skip_reason), line);
        }
        if (!*o->error && (strcasestr(line, "error") || strstr(line, "FAIL") ||
                           strcasestr(line, "mismatch") || strcasestr(line, "assert")))
            text_keep(o->error, sizeof(o->error), line);
    }
}

void cts_output_feed(struct cts_output *output, const char *data, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) {
        if (data[i] == '\n')
            line_take(output);
        else if (output->length + 1 < sizeof(output->line))
            output->line[output->length++] = data[i] ? data[i] : ' ';
    }
}

void cts_output_end(struct cts_output *output)
{
    if (output->length)
        line_take(output);
}

/* ---- the JSON that the program wrote ---- */

enum entry { ENTRY_NONE, ENTRY_PASS, ENTRY_FAIL, ENTRY_SKIP, ENTRY_BROKEN };

static enum entry results_entry(const char *text, const char *test)
{
    struct json_object *root, *results, *value;
    enum entry entry = ENTRY_BROKEN;
    const char *word;

    if (!text)
        return ENTRY_NONE;
    root = json_tokener_parse(text);
    if (json_object_object_get_ex(root, "results", &results) &&
        json_object_object_get_ex(results, test, &value) &&
        (word = json_object_get_string(value)))
        entry = !strcmp(word, "pass") ? ENTRY_PASS : !strcmp(word, "fail") ? ENTRY_FAIL :
                !strcmp(word, "skip") ? ENTRY_SKIP : ENTRY_BROKEN;
    json_object_put(root);
    return entry;
}

/* ---- the verdict ---- */

static enum cts_outcome failed(char *reason, size_t size, const char *why, const char *error)
{
    snprintf(reason, size, "%s%s%s", why, *error ? ": " : "", error);
    return CTS_FAILED;
}

enum cts_outcome cts_verdict(const struct cts_output *output, const struct cts_ending *ending,
                             char *reason, size_t size)
{
    const char *device = output->device;
    bool said_pass = output->passed && !output->failed && !output->skipped;
    bool said_skip = output->skipped && !output->failed && !output->passed;
    enum entry entry = results_entry(ending->results, output->test);
    char why[128];

    reason[0] = '\0';
    if (ending->timed_out) {
        snprintf(why, sizeof(why), "did not end within %ld s", ending->limit_s);
        return failed(reason, size, why, output->error);
    }
    if (WIFSIGNALED(ending->status)) {
        const char *name = sigabbrev_np(WTERMSIG(ending->status));

        snprintf(why, sizeof(why), "killed by SIG%s%s", name ? name : "?",
                 output->passed ? " after it had passed" : "");
        return failed(reason, size, why, output->error);
    }
    if (ending->device && *device && strncmp(device, ending->device, strlen(ending->device))) {
        snprintf(why, sizeof(why), "ran on \"%.40s\", not on \"%.30s...\"", device,
                 ending->device);
        return failed(reason, size, why, "");
    }
    if (WEXITSTATUS(ending->status)) {
        if (output->failed || entry == ENTRY_FAIL)
            return failed(reason, size, *output->error ? output->error : "no reason given", "");
        snprintf(why, sizeof(why), "exit status %d%s", WEXITSTATUS(ending->status),
                 said_pass ? " after it had passed" : "");
        return failed(reason, size, why, output->error);
    }
    if (output->failed || entry == ENTRY_FAIL)
        return failed(reason, size, *output->error ? output->error : "no reason given", "");
    if (entry == ENTRY_BROKEN)
        return failed(reason, size, "its results have no entry for this test", "");
    /* A suite that is skipped as a whole says so in its results only. */
    if ((entry == ENTRY_SKIP && !output->passed) || (entry == ENTRY_NONE && said_skip)) {
        snprintf(reason, size, "%s", *output->skip_reason ? output->skip_reason : "no reason given");
        return CTS_SKIPPED;
    }
    if ((entry == ENTRY_PASS && !output->skipped) || (entry == ENTRY_NONE && said_pass)) {
        if (!ending->device || *device)
            return CTS_PASSED;
        return failed(reason, size, "did not say which device it ran on", "");
    }
    if (entry != ENTRY_NONE)
        return failed(reason, size, "its output and its results contradict each other", "");
    return failed(reason, size, "ended with status 0, but said neither passed nor failed", "");
}
