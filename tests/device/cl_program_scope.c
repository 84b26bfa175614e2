/* SPDX-License-Identifier: MIT */
/* cl_program_scope.c - program-scope variables: initialised once, kept between kernels */
#include "cl_harness.h"

static const char source[] =
    "global int counter = 5;\n"
    "global int table[4] = { 10, 20, 30, 40 };\n"
    "global int *global where = &table[2];\n"
    "kernel void add(int n) { atomic_fetch_add((volatile global atomic_int *)&counter, n); }\n"
    "kernel void move(void) { where = &table[1]; }\n"
    "kernel void get(global int *out) {\n"
    "    out[0] = counter; out[1] = *where; out[2] = table[3];\n"
    "}\n";

int main(void)
{
    cl_int err, out[3], n = 3;

    cl_open();
    cl_program program = cl_build_with(source, "-cl-std=CL3.0");
    cl_kernel add = clCreateKernel(program, "add", &err);
    CL(err);
    cl_kernel move = clCreateKernel(program, "move", &err);
    CL(err);
    cl_kernel get = clCreateKernel(program, "get", &err);
    CL(err);
    cl_mem m = cl_new_buffer(sizeof(out), NULL);

    ARG(get, 0, m);
    ARG(add, 0, n);
    cl_run(cl_queue, get, 1, 1, NULL);
    CL(clEnqueueReadBuffer(cl_queue, m, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
    EQ(out[0], 5);
    EQ(out[1], 30);
    EQ(out[2], 40);

    cl_run(cl_queue, add, 1000, 10, NULL);
    cl_run(cl_queue, move, 1, 1, NULL);
    cl_run(cl_queue, get, 1, 1, NULL);
    CL(clEnqueueReadBuffer(cl_queue, m, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
    EQ(out[0], 5 + 3 * 1000);
    EQ(out[1], 20);
    return 0;
}
