/* SPDX-License-Identifier: MIT */
/*
 * bench-report.c - the report of `hmmsvm bench`: what won, where, by how much, and why, as one HTML
 * file that needs no other; see bench-report.h. No locking.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench-matrix.h"
#include "bench-plots.h"
#include "bench-report.h"
#include "cli.h"
#include "machines.h"

#define PAGES_PER_MIB 256.0

/* ---- pieces of HTML ---- */

static void text(FILE *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '<')
            fputs("&lt;", out);
        else if (*s == '&')
            fputs("&amp;", out);
        else
            fputc(*s, out);
    }
}

/* A plot, without what comes before the drawing in a file; nothing if there is none. */
static bool plot(FILE *out, const char *folder, const char *name)
{
    char *path = cli_format("%s/plots/%s.svg", folder, name), *line = NULL;
    FILE *file = fopen(path, "re");
    bool inside = false;
    size_t room = 0;

    while (file && getline(&line, &room, file) > 0) {
        inside |= !strncmp(line, "<svg", 4);
        if (inside)
            fputs(line, out);
    }
    if (file)
        fclose(file);
    free(line);
    free(path);
    return inside;
}

static void plot_named(FILE *out, const char *folder, char *name)
{
    plot(out, folder, name);
    free(name);
}

static void ratio(FILE *out, const struct bench_spread *s)
{
    fprintf(out, "%.3g", s->median);
    if (!isnan(s->low))
        fprintf(out, " <small>(%.3g..%.3g)</small>", s->low, s->high);
}

/* ---- why ---- */

static double mib_of(const struct bench_cell *cell, enum bench_counter counter)
{
    return cell->counters[counter] / PAGES_PER_MIB;
}

/* What a cell's memory did. */
static void did(FILE *out, const struct bench_cell *cell)
{
    double again = mib_of(cell, BENCH_REFAULTS);

    if (mib_of(cell, BENCH_TO_DEVICE) + mib_of(cell, BENCH_TO_SYSTEM) < 0.1)
        fputs("moved next to nothing", out);
    else
        fprintf(out, "moved %.1f MiB to the device and %.1f MiB back",
                mib_of(cell, BENCH_TO_DEVICE), mib_of(cell, BENCH_TO_SYSTEM));
    if (again >= 0.1)
        fprintf(out, " (%.1f MiB of it came again after an eviction)", again);
    fprintf(out, " and took %.0f device faults and %.0f CPU faults",
            cell->counters[BENCH_DEVICE_FAULTS], cell->counters[BENCH_CPU_FAULTS]);
}

/* The group's result in words. */
static void why(FILE *out, const struct bench_summary *s, size_t first, size_t count, size_t best)
{
    const struct bench_cell *won = &s->cells[best], *worst = won, *peer = NULL;
    const char *comma = "; as good, as far as the intervals tell: ";
    size_t i;

    for (i = first; i < first + count; i++) {
        const struct bench_cell *cell = &s->cells[i];

        if (!cell->runs)
            continue;
        if (!strcmp(cell->key.policy, s->peer) &&
            (!peer || !strcmp(cell->key.eviction, won->key.eviction)))
            peer = cell;
        if (cell->ms.median > worst->ms.median)
            worst = cell;
    }
    fprintf(out, "<p><b>%s</b> was best", bench_policies(&won->key));
    if (won->ratio.n && won != peer) {
        fprintf(out, ", with ");
        ratio(out, &won->ratio);
        fprintf(out, " of the time of %s", s->peer);
    }
    for (i = first; i < first + count; i++) {
        if (i == best || !bench_ties(won, &s->cells[i]))
            continue;
        fprintf(out, "%s%s", comma, bench_policies(&s->cells[i].key));
        comma = ", ";
    }
    fputs(". It ", out);
    did(out, won);
    if (peer && peer != won) {
        fprintf(out, "; %s ", s->peer);
        did(out, peer);
    }
    fputs(".", out);
    if (worst != won && worst != peer) {
        fprintf(out, " Slowest was %s", bench_policies(&worst->key));
        if (worst->ratio.n) {
            fputs(", at ", out);
            ratio(out, &worst->ratio);
        }
        fputs(": it ", out);
        did(out, worst);
        fputs(".", out);
    }
    fputs("</p>\n", out);
}

/* ---- tables ---- */

static void group_table(FILE *out, const struct bench_summary *s, size_t first, size_t count,
                        size_t best)
{
    size_t i;
    unsigned c;

    fprintf(out,
            "<table><tr><th>policy/eviction<th>runs<th>ms<th>ratio to %s<th>device faults<th>CPU "
            "faults<th>MiB to device<th>MiB back<th>evictions<th>refaults<th>moving, ms on "
            "%s</tr>\n",
            s->peer, s->machine->name);
    for (i = first; i < first + count; i++) {
        const struct bench_cell *cell = &s->cells[i];

        fprintf(out, "<tr%s><td>%s<td>%zu", i == best ? " class=best" :
                best != SIZE_MAX && bench_ties(&s->cells[best], cell) ? " class=tie" : "",
                bench_policies(&cell->key), cell->runs);
        if (cell->runs) {
            fprintf(out, "<td>%.2f<td>", cell->ms.median);
            if (cell->ratio.n)
                ratio(out, &cell->ratio);
            for (c = 0; c < BENCH_COUNTERS; c++) {
                if (c == BENCH_TO_DEVICE || c == BENCH_TO_SYSTEM)
                    fprintf(out, "<td>%.1f", mib_of(cell, c));
                else
                    fprintf(out, "<td>%.0f", cell->counters[c]);
            }
            fprintf(out, "<td>%.3f", cell->moving_ms);
        }
        if (cell->failed) {
            fprintf(out, "<td>%zu failed: ", cell->failed);
            text(out, cell->error);
        }
        fputs("</tr>\n", out);
    }
    fputs("</table>\n", out);
}

/* Who won where, a line a workload. Groups of a workload follow each other. */
static void winners_table(FILE *out, const struct bench_summary *s)
{
    const char *workload = "";
    size_t i, k, n, best;

    fputs("<table><tr><th>workload<th colspan=9>at each size: what was best, with its ratio; what "
          "was as "
          "good</tr>\n",
          out);
    for (i = 0; i < s->count; i += n) {
        n = bench_group(s, i);
        best = bench_best(s, i, n);
        if (strcmp(workload, s->cells[i].key.workload)) {
            workload = s->cells[i].key.workload;
            fprintf(out, "<tr><td><a href='#%s'>%s</a>", workload, workload);
        }
        fputs("<td>", out);
        if (s->cells[i].key.ratio)
            fprintf(out, "<small>%u %%</small> ", s->cells[i].key.ratio);
        if (best == SIZE_MAX) {
            fputs("all failed", out);
            continue;
        }
        fprintf(out, "<b>%s</b> ", bench_policies(&s->cells[best].key));
        if (s->cells[best].ratio.n)
            fprintf(out, "%.3g", s->cells[best].ratio.median);
        for (k = i; k < i + n; k++)
            if (k != best && bench_ties(&s->cells[best], &s->cells[k]))
                fprintf(out, "<br><small>= %s</small>", bench_policies(&s->cells[k].key));
    }
    fputs("</table>\n", out);
}

/* ---- the page ---- */

static void head(FILE *out, const struct bench_results *r, const struct bench_summary *s)
{
    bool emulated = !strcmp(bench_head_text(r, "machine"), "emulated");
    char *app = bench_head_list(r, "app"), *set = bench_head_list(r, "set");

    fputs(
        "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><title>hmmsvm bench</title>\n<style>"
        "body{font:15px/1.45 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}"
        "table{border-collapse:collapse;margin:.6em 0}td,th{border:1px solid #ccc;padding:.15em "
        ".5em;"
        "text-align:right;vertical-align:top}td:first-child,th{text-align:left}.best{background:#"
        "d8f0d8}"
        ".tie{background:#eef7ee}svg{max-width:100%;height:auto}summary{cursor:pointer;color:#234}"
        "small{color:#666}.maps{display:flex;flex-wrap:wrap}</style>\n<h1>Migration policies "
        "compared</h1>\n"
        "<p>",
        out);
    fprintf(out, "hmmsvm %s, Linux ", bench_head_text(r, "version"));
    text(out, bench_head_text(r, "kernel"));
    fprintf(out, ", %s (", bench_head_text(r, "machine"));
    text(out, bench_head_text(r, "cpu"));
    fprintf(out, "), %.0f CPUs, %g MiB of device memory; seed %.0f", bench_head_number(r, "cpus"),
            bench_head_number(r, "devmem_mib"), bench_head_number(r, "seed"));
    if (*app) {
        fputs("; program: ", out);
        text(out, app);
    } else {
        fprintf(out, ", %.0f passes", bench_head_number(r, "passes"));
    }
    if (*bench_head_text(r, "graph")) {
        fputs("; graph: ", out);
        text(out, bench_head_text(r, "graph"));
    }
    if (*set) {
        fputs("; set: ", out);
        text(out, set);
    }
    fputs(".</p>\n", out);
    if (emulated)
        fputs("<p><b>The machine was emulated.</b> Times are those of an emulator: only their "
              "ratios in this "
              "run mean something, and faults and copies cost other than they do on a processor. "
              "Counts are "
              "real.</p>\n",
              out);
    fputs("<p>Device memory is ordinary memory of a NUMA node here, so that the device uses it "
          "about as fast as system "
          "memory: times show what a policy <b>costs</b>. What it would gain on a device whose own "
          "memory is faster, the "
          "counts say in part, and <code>hmmsvm sim</code> computes for a trace.</p>\n",
          out);
    fprintf(
        out,
        "<p>Each policy ran in turns with the others, repetition by repetition. The <b>ratio</b> "
        "is the "
        "time of the measured part over that of <b>%s</b> in the same repetition: the median, with "
        "its "
        "95 %% confidence interval (bootstrap) where there are two runs or more. Below 1 is "
        "faster. "
        "Percentages say how much memory the device uses, of device memory. Counters are medians "
        "of the measured part; a refault is a page that is brought over again after it was "
        "evicted.</p>\n",
        s->peer);
    fprintf(out, "<p><b>Moving</b> is what the module counted, priced for %s (", s->machine->name);
    text(out, s->machine->what);
    fputs("): faults of both sides, copies both ways, clearing and withdrawals, one after the "
          "other, as the policy lab does it. What the device's uses of its own and of system "
          "memory would take there is not in it, as the module cannot count them: it says what a "
          "policy spends, not what that gains.</p>\n", out);
    free(app);
    free(set);
}

static void group(FILE *out, const char *folder, const struct bench_summary *s, size_t first,
                  size_t count)
{
    size_t best = bench_best(s, first, count), i;

    if (s->cells[first].key.ratio)
        fprintf(out, "<h3>%u %%: %g MiB</h3>\n", s->cells[first].key.ratio, s->cells[first].mib);
    if (best != SIZE_MAX)
        why(out, s, first, count, best);
    group_table(out, s, first, count, best);
    fputs("<details><summary>over time, and where the memory was</summary>\n<p><small>The first "
          "run of each, "
          "which is not in the table. Maps: each row is 2 MiB of address space or more, in order "
          "of address, "
          "gaps left out; the darker, the more of it is in device memory.</small></p>\n",
          out);
    plot_named(out, folder, bench_plot_time(&s->cells[first].key));
    fputs("<div class=maps>", out);
    for (i = first; i < first + count; i++)
        plot_named(out, folder, bench_plot_map(&s->cells[i].key));
    fputs("</div></details>\n", out);
}

bool bench_write_html(const char *folder, const struct bench_results *results,
                      const struct bench_summary *s, bool png)
{
    char *path = cli_format("%s/report.html", folder);
    const char *workload = "";
    FILE *out;
    size_t i, n;

    if (!bench_plots_draw(folder, s, png)) {
        free(path);
        return false;
    }
    out = fopen(path, "we");
    if (!out)
        cli_die("cannot write %s: %s", path, strerror(errno));
    head(out, results, s);
    fputs("<h2>What was best</h2>\n", out);
    winners_table(out, s);
    fputs("<h2>Over all workloads</h2>\n<p>Geometric means of the ratios, of those workloads that "
          "a policy "
          "finished.</p>\n",
          out);
    plot(out, folder, BENCH_PLOT_MEANS);
    for (i = 0; i < s->count; i += n) {
        n = bench_group(s, i);
        if (strcmp(workload, s->cells[i].key.workload)) {
            workload = s->cells[i].key.workload;
            fprintf(out, "<h2 id='%s'>%s</h2>\n", workload, workload);
            plot_named(out, folder, bench_plot_bars(&s->cells[i].key));
        }
        group(out, folder, s, i, n);
    }
    fputs("</html>\n", out);
    if (ferror(out) || fclose(out))
        cli_die("cannot write %s: %s", path, strerror(errno));
    free(path);
    return true;
}

/* ---- all of it ---- */

static FILE *file_create(const char *folder, const char *name)
{
    char *path = cli_format("%s/%s", folder, name);
    FILE *file = fopen(path, "we");

    if (!file)
        cli_die("cannot write %s: %s", path, strerror(errno));
    free(path);
    return file;
}

static void results_read(const char *folder, const char *peer, const struct sim_machine *machine,
                         struct bench_results *results, struct bench_summary *summary)
{
    char *path = cli_format("%s/results.jsonl", folder);

    bench_results_read(results, path);
    bench_summary_make(summary, results, peer, machine);
    if (!summary->count)
        cli_die("there are no results in %s (hmmsvm bench --output %s makes some)", path, folder);
    free(path);
}

void bench_report_all(const char *folder, const char *peer, const struct sim_machine *machine,
                      bool png)
{
    struct bench_results results;
    struct bench_summary summary;
    FILE *csv, *json;

    results_read(folder, peer, machine, &results, &summary);
    csv = file_create(folder, "results.csv");
    json = file_create(folder, "results.json");
    bench_print_csv(csv, &summary);
    bench_print_json(json, &results, &summary);
    if (fclose(csv) || fclose(json))
        cli_die("cannot write the results into %s: %s", folder, strerror(errno));
    bench_print_table(stdout, &results, &summary);
    fflush(stdout);
    if (bench_write_html(folder, &results, &summary, png))
        cli_say("the report is %s/report.html", folder);
    bench_summary_free(&summary);
    bench_results_free(&results);
}

enum { OPT_MACHINE = 'm', OPT_PEER = 256, OPT_PNG, OPT_CSV, OPT_JSON };

struct report_options {
    const char *folder, *peer, *machine;
    bool png, csv, json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct report_options *o = state->input;

    switch (key) {
    case OPT_PEER: o->peer = arg; break;
    case OPT_MACHINE: o->machine = arg; break;
    case OPT_PNG: o->png = true; break;
    case OPT_CSV: o->csv = true; break;
    case OPT_JSON: o->json = true; break;
    case ARGP_KEY_ARG:
        if (o->folder)
            argp_error(state, "one argument too many: \"%s\"", arg);
        o->folder = arg;
        break;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which folder?");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int bench_report(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "peer", OPT_PEER, "POLICY", 0,
          "The policy that others are compared with (default: remote)", 0 },
        { "machine", OPT_MACHINE, "NAME", 0,
          "What moving is priced for, as for `hmmsvm sim` (default: " CLI_MACHINE ")", 0 },
        { "png", OPT_PNG, NULL, 0, "Write plots as PNG, too", 0 },
        { "csv", OPT_CSV, NULL, 0, "Only print CSV", 0 },
        { "json", OPT_JSON, NULL, 0, "Only print JSON", 0 },
        { 0 }
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "FOLDER",
        .doc = "Report on the results that `hmmsvm bench` left in a folder, complete or not."
               "\vPrints the table, and writes results.csv, results.json and report.html into the "
               "folder. "
               "Exit status: 0, or 125 if hmmsvm failed.",
    };
    struct report_options o = { .peer = "remote", .machine = CLI_MACHINE };
    struct sim_machine machine;
    struct bench_results results;
    struct bench_summary summary;

    argp_err_exit_status = CLI_FAILED;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    cli_machine_read(o.machine, &machine);
    if (!o.csv && !o.json) {
        bench_report_all(o.folder, o.peer, &machine, o.png);
        return 0;
    }
    results_read(o.folder, o.peer, &machine, &results, &summary);
    if (o.csv)
        bench_print_csv(stdout, &summary);
    else
        bench_print_json(stdout, &results, &summary);
    bench_summary_free(&summary);
    bench_results_free(&results);
    if (fflush(stdout) || ferror(stdout))
        cli_die("cannot write: %s", strerror(errno));
    return 0;
}
