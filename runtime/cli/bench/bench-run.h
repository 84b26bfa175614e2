/* SPDX-License-Identifier: MIT */
/*
 * bench-run.h - one run of `hmmsvm bench`: a program under a pair of policies, from its start to
 * its end
 *
 * Locking: none; one thread.
 */
#ifndef HMMSVM_CLI_BENCH_RUN_H
#define HMMSVM_CLI_BENCH_RUN_H

#include <json-c/json.h>

#include "bench-records.h"
#include "settings.h"

struct bench_job {
    struct bench_key key;
    const struct cli_settings *settings; /* of its placement policy's tunables */
    char **argv;
    bool steps;        /* the program stops before and after its measured part (--step) */
    double mib;        /* how much memory it is to use */
    long limit_s;
    const char *log;   /* where the program's output goes */
    const char *watch; /* where samples go, as `hmmsvm stat --json --map` writes them; NULL: none */
    int node;          /* of the module */
};

/*
 * Runs it and returns a record; what goes wrong with the program is in the record ("error", and
 * with that "timed_out", whether it was for the time limit). NULL if a signal
 * asked the command to end (bench_interrupted), whose run does not count.
 */
struct json_object *bench_run(const struct bench_job *job);

/* Lets SIGINT and SIGTERM set bench_interrupted instead of ending the command. */
void bench_catch_signals(void);
bool bench_interrupted(void);

#endif
