/* SPDX-License-Identifier: MIT */
/*
 * node.c - the node of the module as the command uses it: on its own or for another process, with
 * words for what goes wrong. No locking.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli.h"
#include "node.h"
#include "settings.h"

#define BLOCKS_STEP 4096 /* the most that one call fills in */

const char *node_path(void)
{
    const char *path = getenv("HMMSVM_DEVICE");

    return path && *path ? path : "/dev/hmmsvm";
}

int node_open(struct hmmsvm_version *version)
{
    const char *path = node_path();
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
        cli_die("%s does not exist: the module is not loaded (sudo hmmsvm load, or "
                "hmmsvm run --guest)", path);
    if (fd < 0)
        cli_die("cannot open %s: %s%s", path, strerror(errno),
                errno == EACCES ? " (ls -l shows who may)" : "");
    memset(version, 0, sizeof(*version));
    version->size = sizeof(*version);
    if (ioctl(fd, HMMSVM_IOC_VERSION, version))
        cli_die("%s does not answer as the hmmsvm module does: %s", path, strerror(errno));
    if (version->abi_major != HMMSVM_ABI_MAJOR || version->abi_minor < 1)
        cli_die("the loaded module (%.32s) speaks ABI %u.%u; this command needs %u.1",
                version->release, version->abi_major, version->abi_minor, HMMSVM_ABI_MAJOR);
    return fd;
}

int node_ask(int fd, unsigned long request, void *arg)
{
    while (ioctl(fd, request, arg))
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* Whether the process has libhmmsvm in it: then it has a device, in direct mode. */
static bool process_has_library(unsigned pid)
{
    char *path = cli_format("/proc/%u/maps", pid), *line = NULL;
    FILE *file = fopen(path, "re");
    bool found = false;
    size_t size = 0;

    while (file && !found && getline(&line, &size, file) > 0)
        found = strstr(line, "/libhmmsvm.so") != NULL;
    if (file)
        fclose(file);
    free(line);
    free(path);
    return found;
}

void node_target_failed(int err, const struct hmmsvm_target *target)
{
    switch (err) {
    case -ESRCH:
        cli_die("there is no process %u", target->pid);
    case -EPERM:
    case -EACCES:
        cli_die("no permission to look into process %u: it is another user's or has more rights "
                "(try with sudo)", target->pid);
    case -ENOENT:
        if (target->context)
            cli_die("process %u has no context %u", target->pid, target->context);
        if (process_has_library(target->pid))
            cli_die("process %u has no context: it runs in direct mode, or has not opened the "
                    "device yet", target->pid);
        cli_die("process %u has no context: it does not use the device", target->pid);
    default:
        cli_die("the module does not answer for process %u: %s", target->pid, strerror(-err));
    }
}

void node_target_argument(const struct argp_state *state, const char *arg,
                          struct hmmsvm_target *target, const char **more)
{
    if (state->arg_num == 0)
        target->pid = (unsigned)cli_number("a process id", arg, 1, 1 << 22);
    else if (state->arg_num == 1)
        *more = arg;
    else
        argp_error(state, "one argument too many: \"%s\"", arg);
}

int node_stats(int fd, const struct hmmsvm_target *target, struct hmmsvm_stats *stats)
{
    *stats = (struct hmmsvm_stats){ .size = sizeof(*stats), .target = *target };
    return node_ask(fd, HMMSVM_IOC_STATS, stats);
}

void node_residency(int fd, const struct hmmsvm_target *target, struct node_blocks *blocks)
{
    struct hmmsvm_residency r = { .size = sizeof(r) };

    blocks->count = 0;
    do {
        if (blocks->room - blocks->count < BLOCKS_STEP) {
            blocks->room += blocks->room + BLOCKS_STEP;
            blocks->items = realloc(blocks->items, blocks->room * sizeof(*blocks->items));
            if (!blocks->items)
                cli_die("out of memory");
        }
        r.target = *target;
        r.count = BLOCKS_STEP;
        r.blocks = (__u64)(uintptr_t)(blocks->items + blocks->count);
        if (node_ask(fd, HMMSVM_IOC_RESIDENCY, &r))
            return;
        blocks->count += r.count;
    } while (r.start && r.count);
}

char *node_policy_name(int fd, unsigned kind, unsigned index)
{
    struct hmmsvm_policy_info info = { .size = sizeof(info), .kind = kind, .index = index };

    return node_ask(fd, HMMSVM_IOC_POLICY_INFO, &info) ? NULL : cli_format("%s", info.name);
}

void node_policy_check(int fd, unsigned kind, const char *name)
{
    char *list = cli_format("%s", ""), *longer, *there;
    unsigned i;

    for (i = 0; (there = node_policy_name(fd, kind, i)); i++) {
        if (!strcmp(there, name)) {
            free(there);
            free(list);
            return;
        }
        longer = cli_format("%s%s%s", list, i ? ", " : "", there);
        free(there);
        free(list);
        list = longer;
    }
    cli_die("there is no %s policy \"%s\": the module has %s",
            kind == HMMSVM_POLICY_PLACEMENT ? "placement" : "eviction", name, list);
}

int node_policy_set(int fd, const struct hmmsvm_target *target, const char *placement,
                    const char *eviction)
{
    struct hmmsvm_policy_choice choice = { .size = sizeof(choice), .target = *target };

    if (placement) {
        choice.flags |= HMMSVM_POLICY_SET_PLACEMENT;
        snprintf(choice.placement, sizeof(choice.placement), "%s", placement);
    }
    if (eviction) {
        choice.flags |= HMMSVM_POLICY_SET_EVICTION;
        snprintf(choice.eviction, sizeof(choice.eviction), "%s", eviction);
    }
    return choice.flags ? node_ask(fd, HMMSVM_IOC_POLICY, &choice) : 0;
}

int node_tunable_at(int fd, const struct hmmsvm_target *target, unsigned index,
                    struct hmmsvm_tunable_value *tunable)
{
    *tunable = (struct hmmsvm_tunable_value){ .size = sizeof(*tunable), .target = *target,
                                              .index = index };
    return node_ask(fd, HMMSVM_IOC_TUNABLE, tunable);
}

int node_tunable_set(int fd, const struct hmmsvm_target *target, const struct cli_setting *setting,
                     struct hmmsvm_tunable_value *tunable)
{
    int err;

    *tunable = (struct hmmsvm_tunable_value){ .size = sizeof(*tunable), .target = *target,
                                              .flags = HMMSVM_TUNABLE_SET,
                                              .value = setting->value };
    if (strlen(setting->name) >= sizeof(tunable->name))
        return -ENOENT;
    strcpy(tunable->name, setting->name);
    err = node_ask(fd, HMMSVM_IOC_TUNABLE, tunable);
    if (!err && tunable->clamped)
        cli_say("%s is out of its limits, %lld to %lld: %lld is taken", setting->text,
                (long long)tunable->min, (long long)tunable->max, (long long)tunable->value);
    return err;
}

double node_memory_mib(int fd)
{
    struct hmmsvm_memory memory;
    double mib = 0;
    unsigned i = 0;

    /* Which one a context has, the module does not say of others. */
    do {
        memory = (struct hmmsvm_memory){ .size = sizeof(memory), .index = i };
        if (node_ask(fd, HMMSVM_IOC_MEMORY, &memory))
            break;
        mib += (double)memory.bytes / (1 << 20);
    } while (++i < memory.count);
    return mib;
}

bool node_context(int fd)
{
    const size_t length = 1 << 21;
    struct hmmsvm_create create = { .size = sizeof(create), .window_len = length };
    void *window = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                        0);

    if (window == MAP_FAILED)
        return false;
    create.window_start = (__u64)(uintptr_t)window;
    return !node_ask(fd, HMMSVM_IOC_CREATE, &create);
}

unsigned node_contexts(int fd, void (*f)(const struct hmmsvm_stats *stats))
{
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    unsigned found = 0;

    while (folder && (entry = readdir(folder))) {
        struct hmmsvm_target target = { .pid = (unsigned)strtoul(entry->d_name, NULL, 10) };
        struct hmmsvm_stats stats = { .size = sizeof(stats), .target = target };

        while (target.pid && !node_ask(fd, HMMSVM_IOC_STATS, &stats)) {
            found++;
            f(&stats);
            target.context++;
            stats = (struct hmmsvm_stats){ .size = sizeof(stats), .target = target };
        }
    }
    if (folder)
        closedir(folder);
    return found;
}
