/* SPDX-License-Identifier: MIT */
/*
 * processes.h - finds processes of the system by their names
 *
 * Locking: none.
 */
#ifndef HMMSVM_TEST_PROCESSES_H
#define HMMSVM_TEST_PROCESSES_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/**
 * process_next - the next process of @proc, an open "/proc", whose name (comm) is @name; 0: no more
 *
 * Threads of the kernel are processes here. It may have ended since.
 */
static inline int process_next(DIR *proc, const char *name)
{
    char path[300], comm[64];
    struct dirent *d;

    while ((d = readdir(proc))) {
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
        if (atoi(d->d_name) <= 0 || !(f = fopen(path, "re")))
            continue;
        if (!fgets(comm, sizeof(comm), f))
            comm[0] = '\0';
        fclose(f);
        comm[strcspn(comm, "\n")] = '\0';
        if (!strcmp(comm, name))
            return atoi(d->d_name);
    }
    return 0;
}

#endif /* HMMSVM_TEST_PROCESSES_H */
