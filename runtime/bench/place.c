/* SPDX-License-Identifier: MIT */
/*
 * place.c - where a measurement was made; see place.h. No locking.
 */
#define _GNU_SOURCE
#include "place.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

void place_find(struct place *p)
{
    const char *guest = getenv("HMMSVM_GUEST");
    struct utsname names;
    bool hypervisor = false;
    char line[8192];
    cpu_set_t set;
    FILE *file;

    memset(p, 0, sizeof(*p));
    uname(&names);
    snprintf(p->kernel, sizeof(p->kernel), "%s", names.release);
    snprintf(p->guest, sizeof(p->guest), "%s", guest ? guest : "");
    p->cpus = sched_getaffinity(0, sizeof(set), &set) ? 0 : (unsigned)CPU_COUNT(&set);

    file = fopen("/proc/cpuinfo", "re");
    while (file && fgets(line, sizeof(line), file)) {
        char *value = strchr(line, ':');

        if (!value)
            continue;
        value += strspn(value, ": \t");
        value[strcspn(value, "\n")] = '\0';
        if (!strncmp(line, "model name", 10) && !p->cpu[0])
            snprintf(p->cpu, sizeof(p->cpu), "%.*s", (int)sizeof(p->cpu) - 1, value);
        if (!strncmp(line, "flags", 5) && strstr(value, " hypervisor"))
            hypervisor = true;
    }
    if (file)
        fclose(file);
    snprintf(p->machine, sizeof(p->machine), "%s",
             strstr(p->cpu, "TCG") ? "emulated" : hypervisor ? "virtual machine" : "native");
}
