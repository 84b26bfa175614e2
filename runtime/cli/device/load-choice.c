/* SPDX-License-Identifier: MIT */
/*
 * load-choice.c - which NUMA node is to back device memory; see load-choice.h. No locking.
 */
#define _GNU_SOURCE
#include <string.h>
#include <strings.h>

#include "load-choice.h"

enum rank { RANK_ONLY, RANK_NODE, RANK_SOCKET, RANK_CPULESS, RANK_MEMORY };

static const char *const reasons[] = {
    [RANK_ONLY] = "it is the only one with memory",
    [RANK_NODE] = "it is another than the one this runs on",
    [RANK_SOCKET] = "it is another socket's",
    [RANK_CPULESS] = "it has no CPUs of its own",
    [RANK_MEMORY] = "it is high-bandwidth or CXL memory",
};

static bool names_special_memory(const char *text)
{
    static const char *const names[] = { "HBM", "MCDRAM", "CXL", "SPM" };
    size_t i;

    for (i = 0; text && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcasestr(text, names[i]))
            return true;
    return false;
}

/* What hwloc calls it differs with its version: the subtype, or one of these. */
static bool node_is_special(hwloc_obj_t node)
{
    return names_special_memory(node->subtype) ||
           names_special_memory(hwloc_obj_get_info_by_name(node, "DAXType")) ||
           hwloc_obj_get_info_by_name(node, "CXLDevice");
}

/*
 * hwloc gives a node without CPUs those that are near it, which then belong to another node, and
 * the system counts nodes with CPUs first.
 */
static bool node_has_cpus(hwloc_topology_t topology, hwloc_obj_t node)
{
    hwloc_obj_t other = NULL;

    if (hwloc_bitmap_iszero(node->cpuset))
        return false;
    while ((other = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, other)))
        if (other->os_index < node->os_index && !hwloc_bitmap_iszero(other->cpuset) &&
            hwloc_bitmap_intersects(other->cpuset, node->cpuset))
            return false;
    return true;
}

/* Whether one of the sockets of these CPUs has CPUs of the node. */
static bool same_socket(hwloc_topology_t topology, hwloc_const_cpuset_t here, hwloc_obj_t node)
{
    hwloc_obj_t package = NULL;

    while ((package = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PACKAGE, package)))
        if (hwloc_bitmap_intersects(package->cpuset, here) &&
            hwloc_bitmap_intersects(package->cpuset, node->cpuset))
            return true;
    return hwloc_bitmap_intersects(here, node->cpuset);
}

static enum rank node_rank(hwloc_topology_t topology, hwloc_const_cpuset_t here, hwloc_obj_t node)
{
    if (node_is_special(node))
        return RANK_MEMORY;
    if (!node_has_cpus(topology, node))
        return RANK_CPULESS;
    if (!same_socket(topology, here, node))
        return RANK_SOCKET;
    return hwloc_bitmap_intersects(here, node->cpuset) ? RANK_ONLY : RANK_NODE;
}

static void choice_fill(struct load_choice *out, hwloc_obj_t node, const char *why)
{
    unsigned long eighth;

    out->node = node->os_index;
    out->node_mib = (unsigned long)(node->attr->numanode.local_memory >> 20);
    out->why = why;
    eighth = out->node_mib / 8 & ~1ul;
    out->size_mib = eighth > 1024 ? 1024 : eighth < 2 ? 2 : (unsigned)eighth;
}

bool load_choose(hwloc_topology_t topology, hwloc_const_cpuset_t here, struct load_choice *out)
{
    hwloc_obj_t node = NULL, best = NULL;
    enum rank best_rank = RANK_ONLY;
    unsigned nodes = 0;

    while ((node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node))) {
        enum rank rank = node_rank(topology, here, node);
        bool nearer;

        if (!node->attr->numanode.local_memory)
            continue;
        nodes++;
        /* Among equals the one near here, then the first. */
        nearer = best && rank == best_rank && hwloc_bitmap_intersects(here, node->cpuset) &&
                 !hwloc_bitmap_intersects(here, best->cpuset);
        if (!best || rank > best_rank || nearer) {
            best = node;
            best_rank = rank;
        }
    }
    if (!best)
        return false;
    choice_fill(out, best, nodes > 1 && best_rank == RANK_ONLY ? "all are as good" :
                nodes == 1 ? reasons[RANK_ONLY] : reasons[best_rank]);
    return true;
}

bool load_choose_node(hwloc_topology_t topology, unsigned node, struct load_choice *out)
{
    hwloc_obj_t found = hwloc_get_numanode_obj_by_os_index(topology, node);

    if (!found || !found->attr->numanode.local_memory)
        return false;
    choice_fill(out, found, "as asked");
    return true;
}
