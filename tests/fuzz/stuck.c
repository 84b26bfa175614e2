/* SPDX-License-Identifier: MIT */
/*
 * stuck.c - what the fuzzer's processes are at that do not end: state, system call, and where the
 * kernel is in each of their threads, twice, so that what goes round shows
 *
 * Locking: none.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define STUCK_LOOKS 2

/* Prints a file of a thread, each line after @before; says nothing if there is none. */
static void print_file(const char *thread, const char *name, const char *before)
{
    char path[600], line[1024];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", thread, name);
    file = fopen(path, "r");
    if (!file)
        return;
    while (fgets(line, sizeof(line), file))
        fprintf(stderr, "%s%s%s", before, line, strchr(line, '\n') ? "" : "\n");
    fclose(file);
}

/* The processes have this one's name, and so the engines, which are the same program. */
static bool is_ours(const char *pid)
{
    char path[300], name[2][32] = {"", ""};
    FILE *file;

    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "/proc/%s/comm", i ? "self" : pid);
        file = fopen(path, "r");
        if (!file)
            return false;
        if (!fgets(name[i], sizeof(name[i]), file))
            name[i][0] = '\0';
        fclose(file);
    }
    return atoi(pid) > 0 && atoi(pid) != getpid() && !strcmp(name[0], name[1]);
}

static void print_process(const char *pid)
{
    char path[300], thread[600];
    struct dirent *d;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%s/task", pid);
    dir = opendir(path);
    if (!dir)
        return;
    while ((d = readdir(dir))) {
        if (d->d_name[0] == '.')
            continue;
        snprintf(thread, sizeof(thread), "%s/%s", path, d->d_name);
        print_file(thread, "stat", "  ");
        print_file(thread, "syscall", "    system call ");
        print_file(thread, "stack", "    ");
    }
    closedir(dir);
}

void fuzz_print_stuck(void)
{
    struct dirent *d;
    DIR *proc;

    for (int look = 0; look < STUCK_LOOKS; look++) {
        proc = opendir("/proc");
        if (!proc)
            return;
        fprintf(stderr, "what still runs%s:\n", look ? ", a second later" : "");
        while ((d = readdir(proc)))
            if (is_ours(d->d_name))
                print_process(d->d_name);
        closedir(proc);
        sleep(1);
    }
}
