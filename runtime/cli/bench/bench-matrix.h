/* SPDX-License-Identifier: MIT */
/*
 * bench-matrix.h - the commands of `hmmsvm bench` that are about policies
 *
 * Locking: none; one thread.
 */
#ifndef HMMSVM_CLI_BENCH_MATRIX_H
#define HMMSVM_CLI_BENCH_MATRIX_H

/* `hmmsvm bench`: runs workloads under policies, then reports. argv[0] is what argp calls it. */
int bench_matrix(int argc, char **argv);

/* `hmmsvm bench report FOLDER`: only reports. */
int bench_report(int argc, char **argv);

#endif
