/* SPDX-License-Identifier: MIT */
/*
 * bench-cl.c - finds the two devices; see bench-cl.h. No locking.
 */
#define _GNU_SOURCE
#include "bench-cl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bench_cl_check(cl_int err, const char *call)
{
    if (err != CL_SUCCESS)
        bench_die("%.*s: OpenCL error %d", (int)strcspn(call, "("), call, err);
}

static void cl_setup(struct bench_cl *cl, const char *source)
{
    static char log[16384];
    cl_int err;

    cl->context = clCreateContext(NULL, 1, &cl->device, NULL, NULL, &err);
    bench_cl_check(err, "clCreateContext");
    cl->queue = clCreateCommandQueueWithProperties(cl->context, cl->device, NULL, &err);
    bench_cl_check(err, "clCreateCommandQueueWithProperties");
    cl->program = clCreateProgramWithSource(cl->context, 1, &source, NULL, &err);
    bench_cl_check(err, "clCreateProgramWithSource");
    if (clBuildProgram(cl->program, 1, &cl->device, "-cl-std=CL3.0", NULL, NULL) != CL_SUCCESS) {
        clGetProgramBuildInfo(cl->program, cl->device, CL_PROGRAM_BUILD_LOG, sizeof(log), log,
                              NULL);
        bench_die("the kernels do not build for %s:\n%s", cl->name, log);
    }
}

/* "hmm (kernel mode, 2 workers, ...)": the mode is in the name. */
static void cl_mode(struct bench *b, const char *name)
{
    char mode[32] = "";

    if (sscanf(name, "hmm (%31[a-z] mode", mode) != 1)
        bench_die("the name of the device does not tell its mode: %s", name);
    bench_mode(b, mode, name);
}

void bench_cl_open(struct bench *b, const char *source, struct bench_cl *hmm, struct bench_cl *cpu)
{
    cl_platform_id platforms[16];
    cl_uint nplatforms = 0;

    /* pocl reads it when it is asked for devices, which was not yet. */
    setenv("POCL_DEVICES", "hmm cpu", 1);
    if (clGetPlatformIDs(16, platforms, &nplatforms) != CL_SUCCESS)
        nplatforms = 0;
    memset(hmm, 0, sizeof(*hmm));
    memset(cpu, 0, sizeof(*cpu));
    hmm->what = "hmm";
    cpu->what = "cpu";
    for (cl_uint i = 0; i < nplatforms && i < 16; i++) {
        cl_device_id devices[16];
        cl_uint n = 0;

        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 16, devices, &n) != CL_SUCCESS)
            continue;
        for (cl_uint j = 0; j < n && j < 16; j++) {
            char name[512] = "";
            struct bench_cl *cl;

            clGetDeviceInfo(devices[j], CL_DEVICE_NAME, sizeof(name), name, NULL);
            cl = !strncmp(name, "hmm (", 5) ? hmm : !strncmp(name, "cpu", 3) ? cpu : NULL;
            if (!cl || cl->device)
                continue;
            cl->device = devices[j];
            memcpy(cl->name, name, sizeof(name));
        }
    }
    if (!hmm->device || !cpu->device)
        bench_die("there is no OpenCL device \"%s\"; `hmmsvm bench micro` sets up what is needed",
                  hmm->device ? "cpu" : "hmm");
    cl_mode(b, hmm->name);
    bench_progress(b, "building the kernels");
    cl_setup(hmm, source);
    cl_setup(cpu, source);
}

cl_kernel bench_cl_kernel(const struct bench_cl *cl, const char *name)
{
    cl_int err;
    cl_kernel kernel = clCreateKernel(cl->program, name, &err);

    bench_cl_check(err, "clCreateKernel");
    return kernel;
}
