/* SPDX-License-Identifier: MIT */
/*
 * bench-plots.h - the plots of `hmmsvm bench`, drawn by gnuplot into files of the output folder
 *
 * Locking: none; one thread.
 */
#ifndef HMMSVM_CLI_BENCH_PLOTS_H
#define HMMSVM_CLI_BENCH_PLOTS_H

#include <stdbool.h>

#include "bench-records.h"

/* Draws all of them into FOLDER/plots; false if there is no gnuplot, which is then said. */
bool bench_plots_draw(const char *folder, const struct bench_summary *summary, bool png);

/*
 * What they are called, without plots/ before and .svg behind, malloc'ed: the geometric means; a
 * workload at all sizes; faults, bytes and refaults over time for all policies of a group; where
 * memory is over time. Without samples the latter two are not there.
 */
#define BENCH_PLOT_MEANS "means"
char *bench_plot_bars(const struct bench_key *key);
char *bench_plot_time(const struct bench_key *key);
char *bench_plot_map(const struct bench_key *key);

#endif
