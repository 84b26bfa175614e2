/* SPDX-License-Identifier: MIT */
/*
 * bench-cl.h - the device "hmm" and pocl's CPU device, side by side in one process
 *
 * Each has a context and an in-order queue of its own and runs the same program. No locking.
 */
#ifndef HMMSVM_BENCH_CL_H
#define HMMSVM_BENCH_CL_H

#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>

#include "bench.h"

struct bench_cl {
    const char *what; /* "hmm" or "cpu" */
    char name[512];
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_program program;
};

/* Ends the program, naming the call, if err is an error. */
#define BENCH_CL(call) bench_cl_check((call), #call)
void bench_cl_check(cl_int err, const char *call);

/**
 * bench_cl_open - opens both devices and builds source for them
 *
 * Sets the mode of b. Ends the program if one of the devices is not there.
 */
void bench_cl_open(struct bench *b, const char *source, struct bench_cl *hmm, struct bench_cl *cpu);

cl_kernel bench_cl_kernel(const struct bench_cl *cl, const char *name);

#endif
