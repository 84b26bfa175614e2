/* SPDX-License-Identifier: MIT */
/*
 * load.c - `hmmsvm load`: loads the module with device memory on the node that suits it best.
 * Which that is, load-choice.c decides from what hwloc knows of the machine. No locking.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "load-choice.h"

#define MEMORIES 8 /* the module has no more */
#define ANY_NODE (-1l)

enum {
    OPT_SIZE = 's',
    OPT_NODE = 'N',
    OPT_RANGE = 'r',
    OPT_LIMIT = 'l',
    OPT_USER_LIMIT = 'u',
    OPT_DRY_RUN = 'n',
};

static const struct argp_option options[] = {
    { "size", OPT_SIZE, "MIB[,MIB...]", 0,
      "Size of each device memory (default: one, an eighth of its node, 1024 at most)", 0 },
    { "node", OPT_NODE, "N[,N...]", 0,
      "NUMA node that backs each, -1: any (default: the one that is most like a device's)", 0 },
    { "range", OPT_RANGE, "SIZE@START[,SIZE@START...]", 0,
      "Memory that the CPU reaches in place, reserved when the kernel was booted with "
      "memmap=SIZE$START; alone, or with --size after memory of its own", 0 },
    { "limit", OPT_LIMIT, "MIB", 0, "Most device memory that a context may have (default: all)",
      0 },
    { "user-limit", OPT_USER_LIMIT, "MIB", 0,
      "Most of each device memory that all contexts of a user may have (default: all)", 0 },
    { "dry-run", OPT_DRY_RUN, NULL, 0, "Only print what would be done", 0 },
    { 0 }
};

struct load_options {
    long sizes[MEMORIES], nodes[MEMORIES];
    unsigned nr_sizes, nr_nodes;
    char *ranges;
    long limit, user_limit; /* 0: none */
    bool dry_run;
};

/* Numbers that are separated by commas. */
static unsigned numbers(const char *option, char *text, long min, long max, long *out)
{
    unsigned n = 0;
    char *part;

    while ((part = strsep(&text, ","))) {
        if (n == MEMORIES)
            cli_die("%s: at most %d device memories are possible", option, MEMORIES);
        out[n++] = cli_number(option, part, min, max);
    }
    return n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct load_options *o = state->input;
    unsigned i;

    switch (key) {
    case OPT_SIZE:
        o->nr_sizes = numbers("--size", arg, 2, 1 << 24, o->sizes);
        for (i = 0; i < o->nr_sizes; i++)
            if (o->sizes[i] % 2)
                argp_error(state, "--size takes even numbers: device memory comes in 2 MiB");
        break;
    case OPT_NODE: o->nr_nodes = numbers("--node", arg, ANY_NODE, 1023, o->nodes); break;
    case OPT_RANGE: o->ranges = arg; break;
    case OPT_LIMIT: o->limit = cli_number("--limit", arg, 1, 1 << 24); break;
    case OPT_USER_LIMIT: o->user_limit = cli_number("--user-limit", arg, 1, 1 << 24); break;
    case OPT_DRY_RUN: o->dry_run = true; break;
    case ARGP_KEY_ARG:
        argp_error(state, "it takes no arguments");
        break;
    case ARGP_KEY_END:
        if (o->nr_nodes > 1 && o->nr_sizes > 1 && o->nr_nodes != o->nr_sizes)
            argp_error(state, "there are %u sizes and %u nodes", o->nr_sizes, o->nr_nodes);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* The node and, unless it is given, the size of a device memory; says why. */
static void memory_choose(hwloc_topology_t topology, hwloc_const_cpuset_t here,
                          const struct load_options *o, unsigned i, char **sizes, char **nodes)
{
    long node = !o->nr_nodes ? ANY_NODE - 1 : o->nodes[o->nr_nodes > 1 ? i : 0];
    long size = !o->nr_sizes ? 0 : o->sizes[o->nr_sizes > 1 ? i : 0];
    struct load_choice choice = { 0 };
    char *old_sizes = *sizes, *old_nodes = *nodes;

    if (node >= 0 && !load_choose_node(topology, (unsigned)node, &choice))
        cli_die("there is no NUMA node %ld with memory", node);
    if (node < 0 && !load_choose(topology, here, &choice))
        cli_die("hwloc finds no NUMA node with memory");
    if (!size)
        size = choice.size_mib;
    if (node != ANY_NODE && (unsigned long)size > choice.node_mib)
        cli_die("NUMA node %u has %lu MiB, less than the %ld that are asked for", choice.node,
                choice.node_mib, size);
    if (node == ANY_NODE)
        printf("device memory %u: %ld MiB on any node\n", i, size);
    else
        printf("device memory %u: %ld MiB of NUMA node %u (%lu MiB): %s\n", i, size, choice.node,
               choice.node_mib, choice.why);
    *sizes = cli_format("%s%s%ld", old_sizes, i ? "," : "", size);
    *nodes = cli_format("%s%s%ld", old_nodes, i ? "," : "",
                        node == ANY_NODE ? ANY_NODE : (long)choice.node);
    free(old_sizes);
    free(old_nodes);
}

int cli_load(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Load the kernel module with device memory."
               "\vThe node that is most like a device's memory backs it: high-bandwidth or CXL "
               "memory, else a node without CPUs, else another socket's, else the only one. A kernel "
               "without CONFIG_DEVICE_PRIVATE has device memory only on ranges (--range). Root can "
               "change limits later, in /sys/module/hmmsvm/parameters/. Needs "
               "root. Exit status: 0, or 125 if it failed.",
    };
    struct load_options o = { 0 };
    char *sizes = cli_format("devmem_mb="), *nodes = cli_format("devmem_node=");
    char *args[8] = { "modprobe", "hmmsvm" };
    hwloc_topology_t topology;
    hwloc_cpuset_t here = hwloc_bitmap_alloc();
    unsigned count, i, n = 2;

    argp_err_exit_status = CLI_FAILED;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (!here || hwloc_topology_init(&topology) || hwloc_topology_load(topology))
        cli_die("hwloc cannot tell what this machine is like");
    if (hwloc_get_last_cpu_location(topology, here, HWLOC_CPUBIND_PROCESS))
        hwloc_bitmap_copy(here, hwloc_topology_get_topology_cpuset(topology));
    count = o.nr_sizes > o.nr_nodes ? o.nr_sizes : o.nr_nodes;
    if (!count && !o.ranges)
        count = 1;
    for (i = 0; i < count; i++)
        memory_choose(topology, here, &o, i, &sizes, &nodes);
    hwloc_topology_destroy(topology);
    hwloc_bitmap_free(here);

    if (count) {
        args[n++] = sizes;
        args[n++] = nodes;
    }
    if (o.ranges)
        args[n++] = cli_format("devmem_range=%s", o.ranges);
    if (o.limit)
        args[n++] = cli_format("context_limit_mb=%ld", o.limit);
    if (o.user_limit)
        args[n++] = cli_format("user_limit_mb=%ld", o.user_limit);
    for (i = 0; i < n; i++)
        printf("%s%c", args[i], i + 1 < n ? ' ' : '\n');
    if (fflush(stdout))
        cli_die("cannot write: %s", strerror(errno));
    if (o.dry_run)
        return 0;
    /* modprobe is content with a module that is there, whatever its parameters. */
    if (!access("/sys/module/hmmsvm", F_OK))
        cli_die("the module is loaded already: sudo rmmod hmmsvm first");
    if (geteuid())
        cli_die("only root can load a module: sudo hmmsvm load");
    execvp(args[0], args);
    cli_die("cannot run modprobe: %s", strerror(errno));
}
