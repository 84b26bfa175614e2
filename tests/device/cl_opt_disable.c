/* SPDX-License-Identifier: MIT */
/* cl_opt_disable.c - functions that ask where they are can be called without optimizations */
#include "cl_harness.h"

#define N     64
#define LOCAL 8

static const char source[] =
    "int inner(void) { return get_group_id(0) * 1000 + get_num_groups(0); }\n"
    "int outer(int x) { return x > 100 ? 0 : inner() * 100 + get_local_id(0); }\n"
    "kernel void where(global int *out) { out[get_global_id(0)] = outer(get_global_id(0)); }\n"
    "kernel void other(global int *out) { out[get_global_id(0)] = inner(); }\n";

int main(void)
{
    static int out[N];
    cl_event event;
    cl_int err;

    cl_open();
    cl_program program = cl_build_with(source, "-cl-std=CL3.0 -cl-opt-disable");
    cl_kernel where = clCreateKernel(program, "where", &err);
    CL(err);
    cl_kernel other = clCreateKernel(program, "other", &err);
    CL(err);
    CL(clSetKernelArgSVMPointer(where, 0, out));
    cl_run(cl_queue, where, N, LOCAL, &event);
    CL(clWaitForEvents(1, &event));
    for (int i = 0; i < N; i++)
        EQ(out[i], (i / LOCAL * 1000 + N / LOCAL) * 100 + i % LOCAL);
    CL(clSetKernelArgSVMPointer(other, 0, out));
    cl_run(cl_queue, other, N, LOCAL, &event);
    CL(clWaitForEvents(1, &event));
    for (int i = 0; i < N; i++)
        EQ(out[i], i / LOCAL * 1000 + N / LOCAL);
    return 0;
}
