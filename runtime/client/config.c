/* SPDX-License-Identifier: MIT */
/*
 * The parameters of hmmsvm_device_open() and the environment. A value that is
 * out of range is an error that names it and says what is allowed; nothing is
 * clamped or ignored.
 *
 * A program with more rights than its user (setuid) does not listen to the
 * user's environment.
 *
 * Locking: none; the environment must not change meanwhile, as with getenv().
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "internal.h"

/* The variable's value; NULL if it is not set or empty. */
static const char *config_get(const char *name)
{
    const char *value = secure_getenv(name);

    return value && *value ? value : NULL;
}

/* Reads a number from the environment. *@out stays as it is if there is none. */
static int config_number(const char *name, unsigned min, unsigned max, unsigned *out)
{
    const char *value = config_get(name);
    unsigned long n;
    char *end;

    if (!value)
        return 0;
    errno = 0;
    n = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno || n < min || n > max)
        return error_set(-EINVAL, "%s is \"%s\": it has to be a number from %u to %u", name, value,
                         min, max);
    *out = (unsigned)n;
    return 0;
}

static int config_mode(const struct hmmsvm_open_params *params, struct config *config)
{
    const char *value = config_get("HMMSVM_MODE");
    enum hmmsvm_mode mode = HMMSVM_MODE_AUTO;

    if (value) {
        if (!strcmp(value, "kernel"))
            mode = HMMSVM_MODE_KERNEL;
        else if (!strcmp(value, "direct"))
            mode = HMMSVM_MODE_DIRECT;
        else if (strcmp(value, "auto"))
            return error_set(-EINVAL, "HMMSVM_MODE is \"%s\": it has to be auto, kernel or direct",
                             value);
    }
    if (params->mode != HMMSVM_MODE_AUTO) {
        config->mode = params->mode;
        config->mode_source = "the program";
    } else {
        config->mode = mode;
        config->mode_source = mode == HMMSVM_MODE_AUTO ? NULL : "HMMSVM_MODE";
    }
    return 0;
}

/* How many CPUs the process may run on. */
static unsigned config_cpus(void)
{
    unsigned cpus = 0;

    /* The set's size is not known beforehand: the kernel's may be larger than cpu_set_t. */
    for (int n = 1024; !cpus && n <= 1 << 18; n *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)n);

        if (!set)
            break;
        if (!sched_getaffinity(getpid(), CPU_ALLOC_SIZE((size_t)n), set))
            cpus = (unsigned)CPU_COUNT_S(CPU_ALLOC_SIZE((size_t)n), set);
        CPU_FREE(set);
    }
    if (!cpus)
        cpus = 1;
    return cpus < HMMSVM_MAX_WORKERS ? cpus : HMMSVM_MAX_WORKERS;
}

/*
 * Whether address space costs nothing: each work-group that waits has a stack and a part of the
 * printf buffers, of which it uses little.
 */
static bool config_room(void)
{
    struct rlimit limit;
    FILE *f;
    int strict;

    if (!getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY)
        return false;
    f = fopen("/proc/sys/vm/overcommit_memory", "re");
    if (!f)
        return true;
    strict = fgetc(f) == '2';
    fclose(f);
    return !strict;
}

/* A policy's name, as far as it can be checked without the module. */
static int config_policy(const char *name, const char **out)
{
    *out = config_get(name);
    if (*out && strlen(*out) >= HMMSVM_POLICY_NAME)
        return error_set(-EINVAL, "%s is \"%s\": a policy's name has at most %d characters", name,
                         *out, HMMSVM_POLICY_NAME - 1);
    return 0;
}

/* HMMSVM_TUNABLES: NAME=NUMBER, separated by commas. */
static int config_tunables(struct config *config)
{
    const char *value = config_get("HMMSVM_TUNABLES"), *p = value;

    while (p) {
        struct config_tunable *tunable = &config->tunables[config->nr_tunables];
        size_t n = strcspn(p, "=,");
        char *end;

        if (config->nr_tunables == MAX_TUNABLES)
            return error_set(-EINVAL, "HMMSVM_TUNABLES has more than %u tunables", MAX_TUNABLES);
        if (!n || n >= sizeof(tunable->name) || p[n] != '=')
            break;
        memcpy(tunable->name, p, n);
        tunable->name[n] = '\0';
        p += n + 1;
        errno = 0;
        tunable->value = strtoll(p, &end, 10);
        if (!strchr("-0123456789", *p) || end == p || errno || (*end && *end != ','))
            break;
        config->nr_tunables++;
        if (!*end)
            return 0;
        p = end + 1;
    }
    if (p)
        return error_set(-EINVAL, "HMMSVM_TUNABLES is \"%s\": it has to be NAME=NUMBER, several "
                         "of them separated by commas", value);
    return 0;
}

static int config_sizes(const struct hmmsvm_open_params *params, struct config *config)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);

    config->local_size = params->local_size ? params->local_size : DEFAULT_LOCAL_SIZE;
    config->stack_size = params->stack_size ? params->stack_size : DEFAULT_STACK_SIZE;
    if (config->local_size > 1ull << 30)
        return error_set(-EINVAL, "local_size is %zu: it has to be at most 1 GiB",
                         config->local_size);
    if (config->stack_size < 1ull << 17 || config->stack_size > 1ull << 30)
        return error_set(-EINVAL, "stack_size is %zu: it has to be from 128 KiB to 1 GiB",
                         config->stack_size);
    config->local_size = (config->local_size + page - 1) & ~(page - 1);
    config->stack_size = (config->stack_size + page - 1) & ~(page - 1);
    return 0;
}

/*
 * Fills in the configuration; 0 or -EINVAL.
 *
 * All variables are checked, also those that the parameters override or the
 * mode has no use for: a typing error shall not wait for the day it matters.
 */
int config_read(const struct hmmsvm_open_params *params, struct config *config)
{
    static const struct hmmsvm_open_params defaults;
    unsigned debug = 0, cpus;
    const char *value;
    int err;

    if (!params)
        params = &defaults;
    *config = (struct config){.node = DEFAULT_NODE, .memory_limit = NO_MEMORY_LIMIT};

    if ((unsigned)params->mode > HMMSVM_MODE_DIRECT)
        return error_set(-EINVAL, "mode is %d: it has to be one of enum hmmsvm_mode",
                         (int)params->mode);
    err = config_mode(params, config);
    if (err)
        return err;

    if (params->workers > HMMSVM_MAX_WORKERS)
        return error_set(-EINVAL, "workers is %u: it has to be at most %u", params->workers,
                         HMMSVM_MAX_WORKERS);
    err = config_number("HMMSVM_COMPUTE_UNITS", 1, HMMSVM_MAX_WORKERS, &config->workers);
    if (err)
        return err;
    if (params->workers)
        config->workers = params->workers;
    cpus = config_cpus();
    if (!config->workers)
        config->workers = cpus;
    config->spin = cpus > 1;

    if (params->resident > HMMSVM_MAX_RESIDENT)
        return error_set(-EINVAL, "resident is %u: it has to be at most %u", params->resident,
                         HMMSVM_MAX_RESIDENT);
    err = config_number("HMMSVM_RESIDENT_GROUPS", 1, HMMSVM_MAX_RESIDENT, &config->resident);
    if (err)
        return err;
    if (params->resident)
        config->resident = params->resident;
    if (!config->resident && config_room())
        config->resident = DEFAULT_RESIDENT;
    if (config->resident < config->workers)
        config->resident = config->workers;

    if (params->fault_around & (params->fault_around - 1) || params->fault_around > 512)
        return error_set(-EINVAL, "fault_around is %u: it has to be a power of two from 1 to 512",
                         params->fault_around);
    err = config_number("HMMSVM_FAULT_AROUND", 1, 512, &config->fault_around);
    if (err)
        return err;
    if (config->fault_around & (config->fault_around - 1))
        return error_set(-EINVAL,
                         "HMMSVM_FAULT_AROUND is \"%u\": it has to be a power of two from 1 to 512",
                         config->fault_around);
    if (params->fault_around)
        config->fault_around = params->fault_around;

    err = config_number("HMMSVM_WATCHDOG_MS", 0, 86400000, &config->watchdog_ms);
    if (err)
        return err;
    err = config_sizes(params, config);
    if (err)
        return err;

    value = config_get("HMMSVM_DEVICE");
    if (value)
        config->node = value;
    config->engine = config_get("HMMSVM_ENGINE");
    config->events = config_get("HMMSVM_EVENTS");

    err = config_number("HMMSVM_MEMORY", 0, 255, &config->memory);
    if (!err)
        err = config_number("HMMSVM_MEMORY_LIMIT", 0, 1 << 24, &config->memory_limit);
    if (!err)
        err = config_policy("HMMSVM_POLICY", &config->placement);
    if (!err)
        err = config_policy("HMMSVM_EVICTION", &config->eviction);
    if (!err)
        err = config_tunables(config);
    if (err)
        return err;

    value = config_get("HMMSVM_STATS");
    if (value) {
        if (!strcmp(value, "1"))
            config->stats = STATS_TEXT;
        else if (!strcmp(value, "json"))
            config->stats = STATS_JSON;
        else if (strcmp(value, "0"))
            return error_set(-EINVAL, "HMMSVM_STATS is \"%s\": it has to be 0, 1 or json", value);
    }
    err = config_number("HMMSVM_DEBUG", 0, 1, &debug);
    config->debug = debug;
    return err;
}
