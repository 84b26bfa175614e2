/* SPDX-License-Identifier: MIT */
/*
 * bench-records.c - reads the results of `hmmsvm bench` and computes what they come to; see
 * bench-records.h. No locking.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench-records.h"
#include "cli.h"

#define RESAMPLES 2000

const char *const bench_counter_names[BENCH_COUNTERS] = {
    [BENCH_DEVICE_FAULTS] = "device_faults",
    [BENCH_CPU_FAULTS] = "cpu_faults",
    [BENCH_TO_DEVICE] = "pages_to_device",
    [BENCH_TO_SYSTEM] = "pages_to_system",
    [BENCH_EVICTIONS] = "evictions",
    [BENCH_REFAULTS] = "refaults",
};

/* ---- reading ---- */

static const char *text_of(struct json_object *o, const char *name)
{
    struct json_object *value;

    return json_object_object_get_ex(o, name, &value) ? json_object_get_string(value) : NULL;
}

static double number_of(struct json_object *o, const char *name)
{
    struct json_object *value;

    return json_object_object_get_ex(o, name, &value) ? json_object_get_double(value) : 0;
}

static bool key_equal(const struct bench_key *a, const struct bench_key *b)
{
    return a->ratio == b->ratio && a->repetition == b->repetition &&
           !strcmp(a->workload, b->workload) && !strcmp(a->policy, b->policy) &&
           !strcmp(a->eviction, b->eviction);
}

/* Fills in a record; false if it is none. */
static bool record_read(struct bench_record *r, struct json_object *o)
{
    struct json_object *counters = NULL, *passes = NULL;
    size_t i;

    *r = (struct bench_record){
        .key = { text_of(o, "workload"), text_of(o, "policy"), text_of(o, "eviction"),
                 (unsigned)number_of(o, "ratio"), (int)number_of(o, "repetition") },
        .error = text_of(o, "error"),
        .mib = number_of(o, "size_mib"),
        .json = o,
    };
    if (!r->key.workload || !r->key.policy || !r->key.eviction)
        return false;
    if (json_object_object_get_ex(o, "ms", &passes) &&
        json_object_is_type(passes, json_type_array))
        for (i = 0; i < json_object_array_length(passes); i++)
            r->ms += json_object_get_double(json_object_array_get_idx(passes, i));
    if (json_object_object_get_ex(o, "counters", &counters)) {
        for (i = 0; i < BENCH_COUNTERS; i++)
            r->counters[i] = number_of(counters, bench_counter_names[i]);
#define READ(name) r->priced.name = (uint64_t)number_of(counters, #name);
        SIM_COUNTERS(READ)
#undef READ
    }
    return r->error || passes;
}

static void record_add(struct bench_results *results, struct json_object *o, const char *path,
                       size_t line)
{
    struct bench_record record;
    size_t i;

    if (!record_read(&record, o))
        cli_die("%s:%zu is no record of `hmmsvm bench`", path, line);
    for (i = 0; i < results->count; i++) {
        if (key_equal(&results->records[i].key, &record.key)) {
            json_object_put(results->records[i].json);
            results->records[i] = record;
            return;
        }
    }
    results->records = realloc(results->records, (results->count + 1) * sizeof(record));
    if (!results->records)
        cli_die("out of memory");
    results->records[results->count++] = record;
}

void bench_results_read(struct bench_results *results, const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t n;

    *results = (struct bench_results){ 0 };
    if (!file && errno == ENOENT)
        return;
    if (!file)
        cli_die("cannot read %s: %s", path, strerror(errno));
    while ((n = getline(&line, &room, file)) > 0 && line[n - 1] == '\n') {
        struct json_object *o = json_tokener_parse(line);

        number++;
        results->whole += n;
        if (!o || !json_object_is_type(o, json_type_object))
            cli_die("%s:%zu is not what `hmmsvm bench` wrote", path, number);
        if (number > 1)
            record_add(results, o, path, number);
        else if (number_of(o, "hmmsvm_bench") == 1)
            results->head = o;
        else
            cli_die("%s holds no results of `hmmsvm bench`, or those of another version", path);
    }
    if (ferror(file))
        cli_die("cannot read %s: %s", path, strerror(errno));
    free(line);
    fclose(file);
}

void bench_results_free(struct bench_results *results)
{
    size_t i;

    for (i = 0; i < results->count; i++)
        json_object_put(results->records[i].json);
    free(results->records);
    json_object_put(results->head);
    *results = (struct bench_results){ 0 };
}

const struct bench_record *bench_results_find(const struct bench_results *results,
                                              const struct bench_key *key)
{
    size_t i;

    for (i = 0; i < results->count; i++)
        if (key_equal(&results->records[i].key, key))
            return &results->records[i];
    return NULL;
}

char *bench_cell_name(const struct bench_key *key)
{
    return cli_format("%s-%u-%s-%s", key->workload, key->ratio, key->policy, key->eviction);
}

char *bench_watch_path(const char *folder, const struct bench_key *key)
{
    char *name = bench_cell_name(key), *path = cli_format("%s/watch/%s.jsonl", folder, name);

    free(name);
    return path;
}

const char *bench_head_text(const struct bench_results *results, const char *name)
{
    const char *text = results->head ? text_of(results->head, name) : NULL;

    return text ? text : "";
}

double bench_head_number(const struct bench_results *results, const char *name)
{
    return results->head ? number_of(results->head, name) : 0;
}

char *bench_head_list(const struct bench_results *results, const char *name)
{
    char *text = cli_format("%s", ""), *longer;
    struct json_object *list = NULL;
    size_t i;

    if (results->head && json_object_object_get_ex(results->head, name, &list))
        for (i = 0; i < json_object_array_length(list); i++) {
            longer = cli_format("%s%s%s", text, i ? " " : "",
                                json_object_get_string(json_object_array_get_idx(list, i)));
            free(text);
            text = longer;
        }
    return text;
}

/* ---- statistics ---- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts the values. */
static double median(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), compare_doubles);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

struct bench_spread bench_spread(const double *values, size_t n)
{
    struct bench_spread s = { .n = n, .median = NAN, .low = NAN, .high = NAN };
    double *sample, *medians;
    uint64_t random = 0x9e3779b97f4a7c15u;
    size_t i, k;

    if (!n)
        return s;
    sample = malloc(n * sizeof(*sample));
    medians = malloc(RESAMPLES * sizeof(*medians));
    if (!sample || !medians)
        cli_die("out of memory");
    memcpy(sample, values, n * sizeof(*sample));
    s.median = median(sample, n);
    for (k = 0; k < RESAMPLES && n > 1; k++) {
        for (i = 0; i < n; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            sample[i] = values[random % n];
        }
        medians[k] = median(sample, n);
    }
    if (n > 1) {
        qsort(medians, RESAMPLES, sizeof(*medians), compare_doubles);
        s.low = medians[RESAMPLES / 40];
        s.high = medians[RESAMPLES - 1 - RESAMPLES / 40];
    }
    free(sample);
    free(medians);
    return s;
}

/* ---- cells ---- */

bool bench_same_group(const struct bench_cell *a, const struct bench_cell *b)
{
    return a->key.ratio == b->key.ratio && !strcmp(a->key.workload, b->key.workload);
}

static bool same_cell(const struct bench_key *a, const struct bench_key *b)
{
    struct bench_key other = *b;

    other.repetition = a->repetition;
    return key_equal(a, &other);
}

/* The peer's record in the same repetition; of another eviction policy if need be. NULL: none. */
static const struct bench_record *peer_of(const struct bench_results *results,
                                          const struct bench_key *key, const char *peer)
{
    struct bench_key wanted = *key;
    const struct bench_record *found;
    size_t i;

    wanted.policy = peer;
    found = bench_results_find(results, &wanted);
    for (i = 0; !found && i < results->count; i++) {
        wanted.eviction = results->records[i].key.eviction;
        if (key_equal(&results->records[i].key, &wanted))
            found = &results->records[i];
    }
    return found && !found->error && found->ms > 0 ? found : NULL;
}

static void cell_fill(struct bench_cell *cell, const struct bench_results *results,
                      const char *peer, const struct sim_machine *machine)
{
    double *ms = calloc(results->count, sizeof(*ms)),
           *ratios = calloc(results->count, sizeof(*ratios));
    double *values = calloc(results->count, sizeof(*values));
    double *moving = calloc(results->count, sizeof(*moving));
    size_t nr_ratios = 0, i, c;

    if (!ms || !ratios || !values || !moving)
        cli_die("out of memory");
    for (i = 0; i < results->count; i++) {
        const struct bench_record *r = &results->records[i], *other;

        if (!same_cell(&cell->key, &r->key) || r->key.repetition < 0)
            continue;
        cell->mib = r->mib;
        if (r->error) {
            cell->failed++;
            cell->error = r->error;
            continue;
        }
        moving[cell->runs] = (double)sim_moving_ps(machine, &r->priced) / 1e9;
        ms[cell->runs++] = r->ms;
        other = peer_of(results, &r->key, peer);
        if (other)
            ratios[nr_ratios++] = r->ms / other->ms;
    }
    cell->ms = bench_spread(ms, cell->runs);
    cell->ratio = bench_spread(ratios, nr_ratios);
    cell->moving_ms = cell->runs ? median(moving, cell->runs) : NAN;
    for (c = 0; c < BENCH_COUNTERS && cell->runs; c++) {
        size_t n = 0;

        for (i = 0; i < results->count; i++) {
            const struct bench_record *r = &results->records[i];

            if (same_cell(&cell->key, &r->key) && r->key.repetition >= 0 && !r->error)
                values[n++] = r->counters[c];
        }
        cell->counters[c] = median(values, n);
    }
    free(ms);
    free(ratios);
    free(values);
    free(moving);
}

void bench_summary_make(struct bench_summary *summary, const struct bench_results *results,
                        const char *peer, const struct sim_machine *machine)
{
    size_t i, k, at, behind;

    *summary = (struct bench_summary){ .peer = peer, .machine = machine };
    summary->cells = calloc(results->count + 1, sizeof(*summary->cells));
    if (!summary->cells)
        cli_die("out of memory");
    for (i = 0; i < results->count; i++) {
        struct bench_cell cell = { .key = results->records[i].key };

        if (cell.key.repetition < 0)
            continue;
        /* Behind the last one of its group, or else of its workload. */
        for (k = 0, at = 0, behind = summary->count; k < summary->count; k++) {
            if (same_cell(&summary->cells[k].key, &cell.key))
                break;
            if (bench_same_group(&summary->cells[k], &cell))
                at = k + 1;
            if (!strcmp(summary->cells[k].key.workload, cell.key.workload))
                behind = k + 1;
        }
        if (k < summary->count)
            continue;
        at = at ? at : behind;
        memmove(summary->cells + at + 1, summary->cells + at,
                (summary->count - at) * sizeof(cell));
        summary->cells[at] = cell;
        summary->count++;
    }
    for (i = 0; i < summary->count; i++)
        cell_fill(&summary->cells[i], results, peer, machine);
}

void bench_summary_free(struct bench_summary *summary)
{
    free(summary->cells);
    *summary = (struct bench_summary){ 0 };
}

size_t bench_group(const struct bench_summary *summary, size_t first)
{
    size_t n = 1;

    while (first + n < summary->count &&
           bench_same_group(&summary->cells[first], &summary->cells[first + n]))
        n++;
    return n;
}

static double rank_of(const struct bench_cell *cell)
{
    return cell->ratio.n ? cell->ratio.median : cell->ms.median;
}

size_t bench_best(const struct bench_summary *summary, size_t first, size_t count)
{
    size_t best = SIZE_MAX, i;

    for (i = first; i < first + count; i++) {
        const struct bench_cell *cell = &summary->cells[i];

        if (cell->runs && (best == SIZE_MAX || rank_of(cell) < rank_of(&summary->cells[best])))
            best = i;
    }
    return best;
}

bool bench_ties(const struct bench_cell *best, const struct bench_cell *cell)
{
    const struct bench_spread *a = best->ratio.n ? &best->ratio : &best->ms;
    const struct bench_spread *b = cell->ratio.n ? &cell->ratio : &cell->ms;

    if (!cell->runs)
        return false;
    return a->n > 1 && b->n > 1 ? b->low <= a->high : b->median <= a->median;
}

const char *bench_policies(const struct bench_key *key)
{
    static char text[4][72];
    static unsigned next;
    char *out = text[next++ % 4];

    snprintf(out, sizeof(text[0]), "%.32s/%.32s", key->policy, key->eviction);
    return out;
}

double bench_mean(const struct bench_summary *summary, const struct bench_key *key, size_t *n)
{
    double sum = 0;
    size_t i, found = 0;

    for (i = 0; i < summary->count; i++) {
        const struct bench_cell *cell = &summary->cells[i];

        if (cell->key.ratio != key->ratio || strcmp(cell->key.policy, key->policy) ||
            strcmp(cell->key.eviction, key->eviction) || !cell->ratio.n)
            continue;
        sum += log(cell->ratio.median);
        found++;
    }
    if (n)
        *n = found;
    return found ? exp(sum / (double)found) : NAN;
}
