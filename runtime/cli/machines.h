/* SPDX-License-Identifier: MIT */
/*
 * machines.h - the machines of the policy lab that --machine names. No locking.
 */
#ifndef HMMSVM_CLI_MACHINES_H
#define HMMSVM_CLI_MACHINES_H

#include "sim.h"

#define CLI_MACHINE "pcie4" /* where none is named */

/* Reads a machine: a file, or the name of one that comes along. Ends the program if it cannot. */
void cli_machine_read(const char *name, struct sim_machine *machine);

#endif
