/* SPDX-License-Identifier: MIT */
/*
 * sim-report.h - what `hmmsvm sim` prints. No locking.
 */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include "matrix.h"

/* One line of the result: a policy's replay, beside the oracle and, if asked for, itself tuned. */
struct report_row {
    const char *trace;          /* its file */
    unsigned ratio;             /* percent; 0: the size was given */
    const struct sim_cell *cell, *oracle, *tuned;   /* the latter two may be NULL */
};

enum report_form { REPORT_TABLE, REPORT_CSV, REPORT_JSON };

void report_print(const struct report_row *rows, size_t count, enum report_form form, bool header);

/* Names policies that were wrong, on standard error; how many. */
unsigned report_faults(const struct report_row *rows, size_t count);

#endif
