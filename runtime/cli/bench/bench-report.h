/* SPDX-License-Identifier: MIT */
/*
 * bench-report.h - what `hmmsvm bench` shows of its results. It reads records and samples, and runs
 * nothing but gnuplot.
 *
 * Locking: none; one thread.
 */
#ifndef HMMSVM_CLI_BENCH_REPORT_H
#define HMMSVM_CLI_BENCH_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "bench-records.h"

/* A table for a terminal; CSV; JSON. */
void bench_print_table(FILE *out, const struct bench_results *results,
                       const struct bench_summary *summary);
void bench_print_csv(FILE *out, const struct bench_summary *summary);
void bench_print_json(FILE *out, const struct bench_results *results,
                      const struct bench_summary *summary);

/*
 * Writes report.html, with everything in it, and its plots into plots/ as SVG, with png also as
 * PNG. False if there is no gnuplot, which is then said.
 */
bool bench_write_html(const char *folder, const struct bench_results *results,
                      const struct bench_summary *summary, bool png);

/*
 * results.csv, results.json and report.html into the folder, and the table to standard output.
 * Moving is priced with the machine.
 */
void bench_report_all(const char *folder, const char *peer, const struct sim_machine *machine,
                      bool png);

#endif
