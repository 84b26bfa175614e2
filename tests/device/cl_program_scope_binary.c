/* SPDX-License-Identifier: MIT */
/*
 * cl_program_scope_binary.c - variables at program scope have their initial values when the program's
 * binary was asked for before its first kernel ran, and in the program made from that binary, too.
 */
#include "cl_harness.h"

static const char source[] =
    "global int counter = 40;\n"
    "global int big[4] = { 10, 20, 30, 40 };\n"
    "kernel void count(global int *a) { a[0] = ++counter; a[1] = big[2]; }\n";

static void counts(cl_program program)
{
    cl_int err, out[2];
    cl_kernel count = clCreateKernel(program, "count", &err);
    CL(err);
    cl_mem m = cl_new_buffer(sizeof(out), NULL);

    ARG(count, 0, m);
    for (int i = 1; i <= 3; i++) {
        cl_run(cl_queue, count, 1, 1, NULL);
        CL(clEnqueueReadBuffer(cl_queue, m, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
        EQ(out[0], 40 + i);
        EQ(out[1], 30);
    }
}

int main(void)
{
    unsigned char *binary;
    size_t size;
    cl_int err;

    cl_open();
    cl_program program = cl_build_with(source, "-cl-std=CL3.0");
    CL(clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(size), &size, NULL));
    CHECK(size > 0);
    binary = malloc(size);
    CL(clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(binary), &binary, NULL));
    counts(program);

    cl_program again = clCreateProgramWithBinary(cl_ctx, 1, &cl_device, &size,
                                                 (const unsigned char **)&binary, NULL, &err);
    CL(err);
    CL(clBuildProgram(again, 1, &cl_device, "", NULL, NULL));
    counts(again);
    return 0;
}
