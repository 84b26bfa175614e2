/* SPDX-License-Identifier: MIT */
/*
 * bench-table.c - results of `hmmsvm bench` as a table, CSV and JSON; see bench-report.h. No
 * locking.
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench-report.h"

#define PAGES_PER_MIB 256.0

/* A counter as it is shown: pages become MiB. */
static double shown(const struct bench_cell *cell, unsigned counter)
{
    bool pages = counter == BENCH_TO_DEVICE || counter == BENCH_TO_SYSTEM;

    return cell->counters[counter] / (pages ? PAGES_PER_MIB : 1);
}

static void interval(FILE *out, const struct bench_spread *s)
{
    if (isnan(s->low))
        fprintf(out, " %17s", "");
    else
        fprintf(out, "  (%6.3f..%6.3f)", s->low, s->high);
}

static void table_row(FILE *out, const struct bench_cell *cell, const struct bench_cell *best)
{
    unsigned i;

    fprintf(out, "%c %-20s %4zu", cell == best ? '*' : best && bench_ties(best, cell) ? '=' : ' ',
            bench_policies(&cell->key), cell->runs);
    if (!cell->runs) {
        fprintf(out, "  failed: %s\n", cell->error);
        return;
    }
    fprintf(out, " %11.3f", cell->ms.median);
    if (cell->ratio.n) {
        fprintf(out, " %8.3f", cell->ratio.median);
        interval(out, &cell->ratio);
    } else {
        fprintf(out, " %8s %17s", "-", "");
    }
    for (i = 0; i < BENCH_COUNTERS; i++)
        fprintf(out, " %9.*f", i == BENCH_TO_DEVICE || i == BENCH_TO_SYSTEM ? 1 : 0,
                shown(cell, i));
    fprintf(out, " %11.3f", cell->moving_ms);
    if (cell->failed)
        fprintf(out, "  %zu failed: %s", cell->failed, cell->error);
    fputc('\n', out);
}

static void table_means(FILE *out, const struct bench_summary *s)
{
    size_t i, k, n;
    double mean;

    fprintf(out, "\nGeometric means of the ratios to %s, over the workloads that were finished:\n",
            s->peer);
    for (i = 0; i < s->count; i++) {
        for (k = 0; k < i; k++)
            if (s->cells[k].key.ratio == s->cells[i].key.ratio &&
                !strcmp(bench_policies(&s->cells[k].key), bench_policies(&s->cells[i].key)))
                break;
        mean = bench_mean(s, &s->cells[i].key, &n);
        if (k < i || !n)
            continue;
        if (s->cells[i].key.ratio)
            fprintf(out, "  %4u %%  ", s->cells[i].key.ratio);
        else
            fputs("          ", out);
        fprintf(out, "%-20s %8.3f over %zu\n", bench_policies(&s->cells[i].key), mean, n);
    }
}

void bench_print_table(FILE *out, const struct bench_results *results,
                       const struct bench_summary *s)
{
    char *set = bench_head_list(results, "set");
    size_t i, k, n, best;

    fprintf(out, "Linux %s, %s (%s), %.0f CPUs, %g MiB of device memory, seed %.0f, %.0f passes",
            bench_head_text(results, "kernel"), bench_head_text(results, "machine"),
            bench_head_text(results, "cpu"), bench_head_number(results, "cpus"),
            bench_head_number(results, "devmem_mib"), bench_head_number(results, "seed"),
            bench_head_number(results, "passes"));
    fprintf(out, "%s%s.\n", *set ? "; set: " : "", set);
    free(set);
    fprintf(out,
            "The ratio to %s in the same repetition is the result: medians with 95 %% confidence "
            "intervals.\n* best, = as good as far as the intervals tell. Counters are medians; "
            "MiB moved to the device and back.\n"
            "Moving is what faults, copies, clearing and withdrawals, as the module counted them, "
            "would take on %s in ms;\nuses of memory, which it cannot count, are not in it.\n",
            s->peer, s->machine->name);
    for (i = 0; i < s->count; i += n) {
        n = bench_group(s, i);
        best = bench_best(s, i, n);
        fprintf(out, "\n%s", s->cells[i].key.workload);
        if (s->cells[i].key.ratio)
            fprintf(out, ", %u %% of device memory (%g MiB)", s->cells[i].key.ratio,
                    s->cells[i].mib);
        fprintf(out, "\n  %-20s %4s %11s %8s %17s %9s %9s %9s %9s %9s %9s %11s\n",
                "policy/eviction", "runs", "ms", "ratio", "", "dev.flt", "CPU flt", "MiB to",
                "MiB back", "evictions", "refaults", "moving");
        for (k = i; k < i + n; k++)
            table_row(out, &s->cells[k], best == SIZE_MAX ? NULL : &s->cells[best]);
    }
    table_means(out, s);
}

static void csv_number(FILE *out, double value)
{
    if (isnan(value))
        fputc(',', out);
    else
        fprintf(out, ",%.6g", value);
}

void bench_print_csv(FILE *out, const struct bench_summary *s)
{
    size_t i;
    unsigned c;

    fputs("workload,ratio_percent,size_mib,policy,eviction,runs,failed,ms,ms_low,ms_high,ratio,"
          "ratio_low,"
          "ratio_high",
          out);
    for (c = 0; c < BENCH_COUNTERS; c++)
        fprintf(out, ",%s", bench_counter_names[c]);
    fputs(",priced_for,moving_ms\n", out);
    for (i = 0; i < s->count; i++) {
        const struct bench_cell *cell = &s->cells[i];

        fprintf(out, "%s,%u,%g,%s,%s,%zu,%zu", cell->key.workload, cell->key.ratio, cell->mib,
                cell->key.policy, cell->key.eviction, cell->runs, cell->failed);
        csv_number(out, cell->ms.median);
        csv_number(out, cell->ms.low);
        csv_number(out, cell->ms.high);
        csv_number(out, cell->ratio.median);
        csv_number(out, cell->ratio.low);
        csv_number(out, cell->ratio.high);
        for (c = 0; c < BENCH_COUNTERS; c++)
            csv_number(out, cell->runs ? cell->counters[c] : NAN);
        fprintf(out, ",%s", s->machine->name);
        csv_number(out, cell->moving_ms);
        fputc('\n', out);
    }
}

static struct json_object *json_spread(const struct bench_spread *s)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "median",
                           isnan(s->median) ? NULL : json_object_new_double(s->median));
    json_object_object_add(o, "low", isnan(s->low) ? NULL : json_object_new_double(s->low));
    json_object_object_add(o, "high", isnan(s->high) ? NULL : json_object_new_double(s->high));
    return o;
}

void bench_print_json(FILE *out, const struct bench_results *results,
                      const struct bench_summary *s)
{
    struct json_object *root = json_object_new_object(), *cells = json_object_new_array();
    size_t i;
    unsigned c;

    json_object_object_add(root, "head", json_object_get(results->head));
    json_object_object_add(root, "peer", json_object_new_string(s->peer));
    json_object_object_add(root, "priced_for", json_object_new_string(s->machine->name));
    for (i = 0; i < s->count; i++) {
        const struct bench_cell *cell = &s->cells[i];
        struct json_object *o = json_object_new_object(), *counters = json_object_new_object();

        json_object_object_add(o, "workload", json_object_new_string(cell->key.workload));
        json_object_object_add(o, "ratio_percent", json_object_new_int((int)cell->key.ratio));
        json_object_object_add(o, "size_mib", json_object_new_double(cell->mib));
        json_object_object_add(o, "policy", json_object_new_string(cell->key.policy));
        json_object_object_add(o, "eviction", json_object_new_string(cell->key.eviction));
        json_object_object_add(o, "runs", json_object_new_int64((int64_t)cell->runs));
        json_object_object_add(o, "failed", json_object_new_int64((int64_t)cell->failed));
        json_object_object_add(o, "ms", json_spread(&cell->ms));
        json_object_object_add(o, "ratio", json_spread(&cell->ratio));
        for (c = 0; c < BENCH_COUNTERS && cell->runs; c++)
            json_object_object_add(counters, bench_counter_names[c],
                                   json_object_new_double(cell->counters[c]));
        json_object_object_add(o, "counters", counters);
        json_object_object_add(o, "moving_ms", isnan(cell->moving_ms) ?
                               NULL : json_object_new_double(cell->moving_ms));
        json_object_array_add(cells, o);
    }
    json_object_object_add(root, "cells", cells);
    fprintf(out, "%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY));
    json_object_put(root);
}
