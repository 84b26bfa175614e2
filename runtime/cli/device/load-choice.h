/* SPDX-License-Identifier: MIT */
/*
 * load-choice.h - which NUMA node is to back device memory, and how much of it. No locking.
 */
#ifndef HMMSVM_CLI_LOAD_CHOICE_H
#define HMMSVM_CLI_LOAD_CHOICE_H

#include <stdbool.h>

#include <hwloc.h>

struct load_choice {
    unsigned node;          /* as the system counts */
    unsigned size_mib;      /* an eighth of it, from 2 to 1024 MiB, even */
    unsigned long node_mib;
    const char *why;        /* a static text: "it is ..." */
};

/*
 * The node that is most like a device's memory, seen from the CPUs `here`: high-bandwidth or CXL
 * memory, else one without CPUs, else another socket's, else another than here's, else what there
 * is. False if there is no node with memory.
 */
bool load_choose(hwloc_topology_t topology, hwloc_const_cpuset_t here, struct load_choice *out);

/* The same for a given node; false if there is none with that number and memory. */
bool load_choose_node(hwloc_topology_t topology, unsigned node, struct load_choice *out);

#endif
