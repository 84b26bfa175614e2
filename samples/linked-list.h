/*
 * The lists of linked-list, in the one form that both the host (C) and the device (OpenCL C)
 * compile.
 *
 * Locking: a list belongs to the device while the kernel runs and to the host otherwise.
 */
#ifdef __OPENCL_VERSION__
#define GLOBAL __global
#define U64 ulong
#else
#include <stdint.h>
#define GLOBAL
#define U64 uint64_t
#endif

struct node {
    GLOBAL struct node *next;
    U64 value;
};

struct list {
    GLOBAL struct node *head;
    GLOBAL struct node *removed; /* what the last edit unlinked, last one first */
    U64 length;
    U64 sum;
};

/* The edit: a node whose value this divides is unlinked, every other value is changed. */
#define REMOVE_DIVISOR 3
#define CHANGED(value) (((value)*5 + 1) & 0xffffffffu)
