/* SPDX-License-Identifier: MIT */
/*
 * machines.c - finds the machine that --machine names; see machines.h. No locking.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "machines.h"

void cli_machine_read(const char *name, struct sim_machine *machine)
{
    char *folder = cli_format("%s/share/hmmsvm/machines", cli_prefix()), error[4400];
    char *known = cli_format("%s", " plain");
    struct dirent *entry;
    DIR *dir;

    if (!sim_machine_read(name, folder, machine, error, sizeof(error))) {
        dir = opendir(folder);
        while (dir && (entry = readdir(dir)))
            if (strstr(entry->d_name, ".json"))
                known = cli_format("%s %.*s", known, (int)strcspn(entry->d_name, "."),
                                   entry->d_name);
        cli_die("%s. Machines that have a name:%s", error, known);
    }
    free(folder);
    free(known);
}
