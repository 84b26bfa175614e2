/* SPDX-License-Identifier: MIT */
/*
 * bench-records.h - what `hmmsvm bench` writes down, and what it comes to
 *
 * results.jsonl in the output folder has one JSON object a line: first the head, which says where
 * and with what all runs were made, then a record for each run, in the order they ended. Of two
 * records of one run the later counts. The runner appends records; tables and the report only read
 * them.
 *
 * A run is one program with one pair of policies at one size, once. A cell is all its repetitions.
 *
 * Locking: none; one thread. Nobody is asked for anything but the file, so that it can be tested.
 */
#ifndef HMMSVM_CLI_BENCH_RECORDS_H
#define HMMSVM_CLI_BENCH_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <json-c/json.h>

#include "sim.h"

/* The counters that tables and reports show; records have all. */
enum bench_counter {
    BENCH_DEVICE_FAULTS,
    BENCH_CPU_FAULTS,
    BENCH_TO_DEVICE,
    BENCH_TO_SYSTEM,
    BENCH_EVICTIONS,
    BENCH_REFAULTS,
    BENCH_COUNTERS,
};

/* Their names in records: those of struct hmmsvm_stats. */
extern const char *const bench_counter_names[BENCH_COUNTERS];

/* Which run it is; ratio is a percentage of device memory, 0 where it does not matter. */
struct bench_key {
    const char *workload, *policy, *eviction;
    unsigned ratio;
    int repetition; /* below 0: for warming up */
};

struct bench_record {
    struct bench_key key;
    double ms, mib;    /* the measured part; how much memory it was to use */
    const char *error; /* NULL: it was a success */
    double counters[BENCH_COUNTERS];
    struct sim_counters priced; /* those that moving is priced by */
    struct json_object *json;   /* which the texts belong to */
};

struct bench_results {
    struct json_object *head; /* NULL: the file is empty */
    struct bench_record *records;
    size_t count;
    off_t whole; /* bytes of complete lines: what follows was cut off */
};

/* Reads a file of results; one that is not there is empty. Ends the command if it is none of ours.
 */
void bench_results_read(struct bench_results *results, const char *path);
void bench_results_free(struct bench_results *results);

/* The record of a run; NULL if there is none. */
const struct bench_record *bench_results_find(const struct bench_results *results,
                                              const struct bench_key *key);

/* What files of a cell are named after; malloc'ed. */
char *bench_cell_name(const struct bench_key *key);

/* The file in the folder with samples of a cell's first run; malloc'ed. */
char *bench_watch_path(const char *folder, const struct bench_key *key);

/* A text or number of the head; "" or 0 if it has none. */
const char *bench_head_text(const struct bench_results *results, const char *name);
double bench_head_number(const struct bench_results *results, const char *name);

/* The texts of a list of the head with spaces between them, "" if it has none; malloc'ed. */
char *bench_head_list(const struct bench_results *results, const char *name);

/* ---- what they come to ---- */

/* The median of n values and its 95 % confidence interval (bootstrap; NAN below two values). */
struct bench_spread {
    size_t n;
    double median, low, high;
};

/* The same values always give the same interval. */
struct bench_spread bench_spread(const double *values, size_t n);

struct bench_cell {
    struct bench_key key; /* of any repetition */
    double mib;
    size_t runs, failed;  /* warm-up runs are neither */
    const char *error;    /* of a failed run */
    struct bench_spread ms;
    struct bench_spread ratio; /* to the peer in the same repetition; n is 0 without one */
    double counters[BENCH_COUNTERS]; /* medians */
    double moving_ms;                /* the median of what moving would take on the machine */
};

struct bench_summary {
    struct bench_cell *cells; /* in the order of their first records, those of a group and of a
                                 workload together */
    size_t count;
    const char *peer;
    const struct sim_machine *machine;
};

/*
 * Puts the records together. Peer: the policy that the others are compared with, under the same
 * eviction policy if it ran with that, else under the one it did run with. Moving is priced with
 * the machine, a run's counters by the lab (sim_moving_ps).
 */
void bench_summary_make(struct bench_summary *summary, const struct bench_results *results,
                        const char *peer, const struct sim_machine *machine);
void bench_summary_free(struct bench_summary *summary);

/* Whether two cells are of one workload at one size, so that their policies compete. */
bool bench_same_group(const struct bench_cell *a, const struct bench_cell *b);

/* How many cells of the group that begins at first follow, itself included. */
size_t bench_group(const struct bench_summary *summary, size_t first);

/* The index of the group's best cell by ratio, else by time; SIZE_MAX if none has a result. */
size_t bench_best(const struct bench_summary *summary, size_t first, size_t count);

/* Whether the cell is as good as the best, as far as the intervals tell. */
bool bench_ties(const struct bench_cell *best, const struct bench_cell *cell);

/* "xe/lru" */
const char *bench_policies(const struct bench_key *key);

/* The geometric mean of the ratios of a pair of policies at a size, over all workloads; NAN without
 * any. */
double bench_mean(const struct bench_summary *summary, const struct bench_key *key, size_t *n);

#endif
