/*
 * What the workloads share: the frame of a program that prepares memory, passes over it on the
 * device again and again, and verifies what came out. Plain OpenCL 3.0 with fine-grained system
 * SVM.
 *
 * A workload is one C file with a struct workload_kind, and its kernels in OpenCL C. It decides
 * nothing about where memory lies, and hints at nothing.
 *
 * Locking: none; all of it is called from the main thread.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include "sample.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORKLOAD_LOCAL   64u /* work-items of a group; the count of any launch is a multiple */
#define WORKLOAD_KERNELS 4
#define WORKLOAD_PIECES  16 /* of memory, at the most */

struct workload {
    size_t bytes;    /* that its device memory use is to come to */
    unsigned passes; /* that will be made, the same in `pass` from 0 on */
    uint64_t random; /* for sample_random(); the same for the same --seed */
    const char *file; /* --graph, or NULL */
    size_t used;     /* bytes that workload_memory() gave */
    void *pieces[WORKLOAD_PIECES];
    unsigned nr_pieces;
    cl_kernel kernels[WORKLOAD_KERNELS];
    struct sample sample;
};

struct workload_kind {
    const char *name;
    const char *what;                        /* one line for --help */
    const char *kernels[WORKLOAD_KERNELS]; /* in the order of struct workload's */
    bool reads_graph;                        /* takes --graph */
    /* On the host: memory and its first contents. */
    void (*prepare)(struct workload *w);
    /* The measured part: one pass. */
    void (*pass)(struct workload *w, unsigned number);
    /* On the host, after all passes: whether everything is as it has to be; says what is not. */
    bool (*verify)(struct workload *w);
};

/* Defined by each workload. */
extern const struct workload_kind workload_kind;
/* Its kernels, as embedded: workload-main.c hands them to sample_build(). */
extern const struct sample_source *const workload_sources;
extern const size_t workload_source_count;

/* Puts the embedded kernels where workload-main.c finds them. After the header with them. */
#define WORKLOAD_KERNELS_HERE                                          \
    const struct sample_source *const workload_sources = kernel_sources; \
    const size_t workload_source_count = kernel_source_count;

/*
 * Memory that the device uses, from a boundary of 2 MiB on so that no two pieces share a large
 * page; counted in `used`. It is freed after verifying.
 */
void *workload_memory(struct workload *w, size_t count, size_t size);

/* Other memory until then, from malloc and not counted. */
void *workload_alloc(struct workload *w, size_t count, size_t size);

/* How many objects of that size fit into so many bytes: a multiple of WORKLOAD_LOCAL, at least one.
 */
size_t workload_count(size_t bytes, size_t size);

/* Runs a kernel over count work-items, a multiple of WORKLOAD_LOCAL, and waits for its end. */
void workload_run(struct workload *w, cl_kernel kernel, size_t count);

/* Compares a word with what it has to be; says which one is wrong. */
bool workload_word(const char *what, size_t index, uint64_t is, uint64_t should);

#endif
