/*
 * The dependency graph of package-graph, in the one form that host (C) and device (OpenCL C)
 * compile. Everything is a malloc of its own and refers to others by pointer.
 *
 * Locking: while the kernel runs, `left` and `distance` belong to the device and are atomic there;
 * the rest does not change. The device never reads what is marked as the host's.
 */
#ifdef __OPENCL_VERSION__
#define GLOBAL __global
#define U32 uint
#else
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#define GLOBAL
#define U32 uint32_t
#endif

#define STAYS 0xffffffffu /* the distance of a package that does not break */

struct package;

/* One dependency of one package: broken when none of the packages that fulfil it is left. */
struct clause {
    GLOBAL struct package *owner;
    atomic_uint left; /* how many packages that fulfil it are still there */
    U32 count;        /* how many there were to begin with */
#ifndef __OPENCL_VERSION__
    struct package **fulfilled_by; /* the host's */
    uint32_t host_left;            /* the host's */
#endif
};

struct package {
    GLOBAL struct clause *GLOBAL *fulfils; /* the dependencies that this package fulfils */
    U32 fulfils_count;
    atomic_uint distance; /* 0: removed; n: breaks in step n; STAYS */
#ifndef __OPENCL_VERSION__
    /* all the host's */
    uint32_t fulfils_room, clause_count, host_distance;
    char *name, *version, *depends, *provides;
    struct clause **clauses;
    bool installed;
#endif
};
