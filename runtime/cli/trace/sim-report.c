/* SPDX-License-Identifier: MIT */
/*
 * sim-report.c - results of `hmmsvm sim` as a table, CSV or JSON. No locking.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "sim-report.h"

static const char *base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static double ms(double ps)
{
    return ps / 1e9;
}

/* Memory time over the least possible; NAN if one is not known. */
static double regret(const struct sim_cell *cell, const struct report_row *row)
{
    if (!cell || cell->result.faults || cell->no_memory || !row->oracle ||
        row->oracle->no_memory || !(row->oracle->reached.bound_ps > 0))
        return NAN;
    return (double)cell->result.memory_ps / row->oracle->reached.bound_ps;
}

static uint32_t devmem_mb(const struct report_row *row)
{
    return row->cell->setup.chunks * 2;
}

/* Tunables that differ from their defaults, as --set takes them. Malloc'ed. */
static char *changed(const struct sim_cell *cell)
{
    const struct hmmsvm_placement *p = cell->setup.placement;
    char *text = cli_format("%s", "");
    uint32_t i;

    for (i = 0; i < p->nr_tunables && i < HMMSVM_POLICY_TUNABLES; i++) {
        char *more;

        if (cell->setup.tunables[i] == p->tunables[i].value)
            continue;
        more = cli_format("%s%s%s=%" PRId64, text, *text ? "," : "", p->tunables[i].name,
                          cell->setup.tunables[i]);
        free(text);
        text = more;
    }
    return text;
}

static const char *state(const struct sim_cell *cell)
{
    return cell->no_memory ? "needs more memory than there is"
                           : sim_fault_text(cell->result.fault);
}

/* ---- the table ----------------------------------------------------------------------------- */

static void table_group(const struct report_row *row)
{
    const struct sim_cell *o = row->oracle;

    printf("\n%s on %s, %" PRIu32 " MiB of device memory", base(row->trace),
           row->cell->setup.machine->name, devmem_mb(row));
    if (row->ratio)
        printf(" (%u %%)", row->ratio);
    if (o && !o->no_memory)
        printf(": no less than %.3f ms, with foresight %.3f ms", ms(o->reached.bound_ps),
               ms(o->reached.reached_ps));
    printf("\n%-12s %-8s %10s %7s %9s %8s %10s %10s %7s %9s %11s", "placement", "eviction", "ms",
           "x least", "faults", "CPU f.", "to device", "to system", "evict.", "refaults",
           "remote uses");
    puts(row->tuned ? "   tuned ms x least  with" : "");
}

static void table_number(double value, int width)
{
    if (isnan(value))
        printf(" %*s", width, "-");
    else
        printf(" %*.2f", width, value);
}

static void table_row(const struct report_row *row)
{
    const struct sim_cell *cell = row->cell;
    const struct sim_counters *c = &cell->result.count;

    printf("%-12s %-8s", cell->setup.placement->name, cell->setup.eviction->name);
    if (cell->result.faults || cell->no_memory) {
        printf(" %s\n", state(cell));
        return;
    }
    printf(" %10.3f", ms((double)cell->result.memory_ps));
    table_number(regret(cell, row), 7);
    printf(" %9" PRIu64 " %8" PRIu64 " %10" PRIu64 " %10" PRIu64 " %7" PRIu64 " %9" PRIu64
           " %11" PRIu64, c->device_faults, c->cpu_faults, c->pages_to_device, c->pages_to_system,
           c->evictions, c->refaults, c->lines_remote);
    if (row->tuned) {
        char *with = changed(row->tuned);

        printf(" %10.3f", ms((double)row->tuned->result.memory_ps));
        table_number(regret(row->tuned, row), 7);
        printf("  %s", *with ? with : "as it is");
        free(with);
    }
    putchar('\n');
}

static bool same_group(const struct report_row *a, const struct report_row *b)
{
    return !strcmp(a->trace, b->trace) && a->cell->setup.machine == b->cell->setup.machine &&
           a->cell->setup.chunks == b->cell->setup.chunks && a->ratio == b->ratio;
}

static bool same_policies(const struct report_row *a, const struct report_row *b)
{
    return a->cell->setup.placement == b->cell->setup.placement &&
           a->cell->setup.eviction == b->cell->setup.eviction &&
           a->cell->setup.machine == b->cell->setup.machine;
}

/* Over all traces and sizes, each counting the same. */
struct mean {
    double logs, tuned_logs, worst;
    size_t count, tuned_count;
    const struct report_row *worst_row;
};

static struct mean mean_of(const struct report_row *rows, size_t count,
                           const struct report_row *like)
{
    struct mean m = { 0 };
    size_t i;

    for (i = 0; i < count; i++) {
        double r = regret(rows[i].cell, &rows[i]), t = regret(rows[i].tuned, &rows[i]);

        if (!same_policies(&rows[i], like))
            continue;
        if (!isnan(r)) {
            m.logs += log(r);
            m.count++;
            if (!m.worst_row || r > m.worst) {
                m.worst = r;
                m.worst_row = &rows[i];
            }
        }
        if (!isnan(t)) {
            m.tuned_logs += log(t);
            m.tuned_count++;
        }
    }
    return m;
}

/* A bar: four marks for each doubling of the least possible. */
static void table_bar(double times)
{
    int marks = (int)(4 * log2(times) + 0.5), i;

    for (i = 0; i < marks && i < 40; i++)
        putchar('#');
    puts(marks > 40 ? "+" : "");
}

static bool first_of_its_kind(const struct report_row *rows, size_t i)
{
    size_t k;

    for (k = 0; k < i; k++)
        if (same_policies(&rows[k], &rows[i]))
            return false;
    return true;
}

static void table_means(const struct report_row *rows, size_t count)
{
    size_t i, groups = 1;

    for (i = 1; i < count; i++)
        groups += !same_group(&rows[i], &rows[i - 1]);
    if (groups < 2)
        return;
    printf("\nGeometric means of memory time over the least possible\n"
           "%-12s %-8s %-12s %6s %8s %8s  %s\n", "placement", "eviction", "machine", "runs",
           "x least", "worst", rows[0].tuned ? "tuned; worst at" : "worst at");
    for (i = 0; i < count; i++) {
        struct mean m;

        if (!first_of_its_kind(rows, i))
            continue;
        m = mean_of(rows, count, &rows[i]);
        if (!m.count)
            continue;
        printf("%-12s %-8s %-12s %6zu %8.2f %8.2f  ", rows[i].cell->setup.placement->name,
               rows[i].cell->setup.eviction->name, rows[i].cell->setup.machine->name, m.count,
               exp(m.logs / (double)m.count), m.worst);
        if (m.tuned_count)
            printf("%.2f; ", exp(m.tuned_logs / (double)m.tuned_count));
        printf("%s", base(m.worst_row->trace));
        if (m.worst_row->ratio)
            printf(", %u %%", m.worst_row->ratio);
        printf("\n    ");
        table_bar(exp(m.logs / (double)m.count));
    }
}

/* ---- CSV and JSON -------------------------------------------------------------------------- */

static void csv_header(void)
{
    printf("trace,machine,devmem_mb,ratio,placement,eviction,state,memory_ns,total_ns,bound_ns,"
           "foresight_ns,tuned_ns,tuned");
#define NAME(name) printf(",%s", #name);
    SIM_COUNTERS(NAME)
#undef NAME
    putchar('\n');
}

static void csv_text(const char *text)
{
    putchar('"');
    for (; *text; text++)
        printf(*text == '"' ? "\"\"" : "%c", *text);
    putchar('"');
}

static void csv_row(const struct report_row *row)
{
    const struct sim_cell *cell = row->cell;
    char *with = row->tuned ? changed(row->tuned) : NULL;

    csv_text(row->trace);
    printf(",%s,%" PRIu32 ",", cell->setup.machine->name, devmem_mb(row));
    if (row->ratio)
        printf("%u", row->ratio);
    printf(",%s,%s,", cell->setup.placement->name, cell->setup.eviction->name);
    csv_text(state(cell));
    printf(",%.0f,%.0f,", (double)cell->result.memory_ps / 1e3,
           (double)cell->result.total_ps / 1e3);
    if (row->oracle && !row->oracle->no_memory)
        printf("%.0f,%.0f", row->oracle->reached.bound_ps / 1e3,
               row->oracle->reached.reached_ps / 1e3);
    else
        putchar(',');
    if (row->tuned)
        printf(",%.0f,", (double)row->tuned->result.memory_ps / 1e3);
    else
        printf(",,");
    csv_text(with ? with : "");
    free(with);
#define VALUE(name) printf(",%" PRIu64, cell->result.count.name);
    SIM_COUNTERS(VALUE)
#undef VALUE
    putchar('\n');
}

static void json_cell(json_object *to, const struct sim_cell *cell)
{
    json_object *tunables = json_object_new_object();
    const struct hmmsvm_placement *p = cell->setup.placement;
    uint32_t i;

    for (i = 0; i < p->nr_tunables && i < HMMSVM_POLICY_TUNABLES; i++)
        json_object_object_add(tunables, p->tunables[i].name,
                               json_object_new_int64(cell->setup.tunables[i]));
    json_object_object_add(to, "tunables", tunables);
    json_object_object_add(to, "state", json_object_new_string(
        cell->result.faults || cell->no_memory ? state(cell) : "fine"));
    json_object_object_add(to, "memory_ns",
                           json_object_new_double((double)cell->result.memory_ps / 1e3));
    json_object_object_add(to, "total_ns",
                           json_object_new_double((double)cell->result.total_ps / 1e3));
#define VALUE(name) \
    json_object_object_add(to, #name, json_object_new_int64((int64_t)cell->result.count.name));
    SIM_COUNTERS(VALUE)
#undef VALUE
}

static json_object *json_row(const struct report_row *row)
{
    json_object *o = json_object_new_object(), *tuned;
    const struct sim_cell *cell = row->cell;

    json_object_object_add(o, "trace", json_object_new_string(row->trace));
    json_object_object_add(o, "machine", json_object_new_string(cell->setup.machine->name));
    json_object_object_add(o, "devmem_mb", json_object_new_int64(devmem_mb(row)));
    if (row->ratio)
        json_object_object_add(o, "ratio", json_object_new_int64(row->ratio));
    json_object_object_add(o, "placement", json_object_new_string(cell->setup.placement->name));
    json_object_object_add(o, "eviction", json_object_new_string(cell->setup.eviction->name));
    if (row->oracle && !row->oracle->no_memory) {
        json_object_object_add(o, "bound_ns",
                               json_object_new_double(row->oracle->reached.bound_ps / 1e3));
        json_object_object_add(o, "foresight_ns",
                               json_object_new_double(row->oracle->reached.reached_ps / 1e3));
    }
    json_cell(o, cell);
    if (row->tuned) {
        tuned = json_object_new_object();
        json_cell(tuned, row->tuned);
        json_object_object_add(o, "tuned", tuned);
    }
    return o;
}

void report_print(const struct report_row *rows, size_t count, enum report_form form, bool header)
{
    json_object *all;
    size_t i;

    switch (form) {
    case REPORT_TABLE:
        for (i = 0; i < count; i++) {
            if (!i || !same_group(&rows[i], &rows[i - 1]))
                table_group(&rows[i]);
            table_row(&rows[i]);
        }
        table_means(rows, count);
        break;
    case REPORT_CSV:
        if (header)
            csv_header();
        for (i = 0; i < count; i++)
            csv_row(&rows[i]);
        break;
    case REPORT_JSON:
        all = json_object_new_array();
        for (i = 0; i < count; i++)
            json_object_array_add(all, json_row(&rows[i]));
        puts(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY |
                                                 JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(all);
        break;
    }
}

unsigned report_faults(const struct report_row *rows, size_t count)
{
    unsigned faults = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        const struct sim_cell *cell = rows[i].cell;

        if (!cell->result.faults)
            continue;
        faults++;
        cli_say("%s with %s %s (%" PRIu64 " times; first seen with %s)",
                cell->setup.placement->name, cell->setup.eviction->name,
                sim_fault_text(cell->result.fault), cell->result.faults, base(rows[i].trace));
    }
    return faults;
}
