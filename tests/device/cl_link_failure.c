/* SPDX-License-Identifier: MIT */
/*
 * A program that calls a function which no program has does not link: clLinkProgram returns
 * CL_LINK_PROGRAM_FAILURE and a program whose build log names the function (OpenCL 3.0, 5.8.5).
 * With the function it links, and runs.
 */
#include "cl_harness.h"

static cl_program compile(const char *source)
{
    cl_int err;
    cl_program program = clCreateProgramWithSource(cl_ctx, 1, &source, NULL, &err);

    CL(err);
    CL(clCompileProgram(program, 1, &cl_device, "", 0, NULL, NULL, NULL, NULL));
    return program;
}

int main(void)
{
    static char log[65536];
    cl_build_status status;
    cl_program parts[2], program;
    cl_kernel kernel;
    cl_mem buffer;
    cl_int err;
    int out = 0;

    cl_open();
    parts[0] = compile("int elsewhere(int x);\n"
                       "kernel void k(global int *out) { *out = elsewhere(41); }");
    program = clLinkProgram(cl_ctx, 1, &cl_device, "", 1, parts, NULL, NULL, &err);
    EQ(err, CL_LINK_PROGRAM_FAILURE);
    CHECK(program != NULL);
    CL(clGetProgramBuildInfo(program, cl_device, CL_PROGRAM_BUILD_STATUS, sizeof(status), &status,
                             NULL));
    EQ(status, CL_BUILD_ERROR);
    CL(clGetProgramBuildInfo(program, cl_device, CL_PROGRAM_BUILD_LOG, sizeof(log), log, NULL));
    if (strstr(log, "elsewhere") == NULL)
        FAIL("the build log does not name the function: \"%s\"", log);
    CL(clReleaseProgram(program));

    parts[1] = compile("int elsewhere(int x) { return x + 1; }");
    program = clLinkProgram(cl_ctx, 1, &cl_device, "", 2, parts, NULL, NULL, &err);
    CL(err);
    kernel = clCreateKernel(program, "k", &err);
    CL(err);
    buffer = cl_new_buffer(sizeof(out), &out);
    ARG(kernel, 0, buffer);
    cl_run(cl_queue, kernel, 1, 1, NULL);
    CL(clEnqueueReadBuffer(cl_queue, buffer, CL_TRUE, 0, sizeof(out), &out, 0, NULL, NULL));
    EQ(out, 42);
    return 0;
}
