/* SPDX-License-Identifier: MIT */
/*
 * cl_harness.h - what the OpenCL-level device tests start with
 *
 * A cl_*.c test is an ordinary OpenCL host program about one behaviour of the
 * device "hmm". It runs in direct mode wherever hmmsvm is built, and in kernel
 * mode where the module is loaded. It ends with 0 (passed), 1 (failed, with
 * file:line and the values) or 77 (skipped, with the reason). HMMSVM_TEST_MODE
 * says which mode it must find, as the device's name tells:
 *
 *   kernel, direct   the device has to be there, in this mode
 *   not set          either; skipped if there is no device "hmm"
 *
 * HMMSVM_TEST_SLOW says that this is a kernel that checks itself, in an emulated
 * machine: what takes a thousand threads is done with fewer there.
 *
 * Locking: none; cl_open() before any threads.
 */
#ifndef HMMSVM_TEST_CL_HARNESS_H
#define HMMSVM_TEST_CL_HARNESS_H

#include "../check.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* An OpenCL call that returns its error succeeds. */
#define CL(call) EQ(call, CL_SUCCESS)

static cl_device_id cl_device;
static cl_context cl_ctx;
static cl_command_queue cl_queue; /* in order, with profiling */
static bool cl_kernel_mode;

__attribute__((unused)) static const char *cl_device_name(void)
{
    static char name[512];

    CL(clGetDeviceInfo(cl_device, CL_DEVICE_NAME, sizeof(name), name, NULL));
    return name;
}

__attribute__((unused)) static cl_command_queue cl_new_queue(cl_command_queue_properties props)
{
    cl_int err;
    cl_queue_properties list[] = { CL_QUEUE_PROPERTIES, props, 0 };
    cl_command_queue queue = clCreateCommandQueueWithProperties(cl_ctx, cl_device, list, &err);

    CL(err);
    return queue;
}

/* Finds the device, checks its mode and makes cl_ctx and cl_queue. */
__attribute__((unused)) static void cl_open(void)
{
    const char *mode = getenv("HMMSVM_TEST_MODE");
    cl_platform_id platforms[16];
    cl_uint nplatforms = 0;

    if (clGetPlatformIDs(16, platforms, &nplatforms) != CL_SUCCESS)
        nplatforms = 0;
    for (cl_uint i = 0; i < nplatforms && cl_device == NULL; i++) {
        cl_device_id devices[16];
        cl_uint n = 0;

        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 16, devices, &n) != CL_SUCCESS)
            continue;
        for (cl_uint j = 0; j < n && cl_device == NULL; j++) {
            char name[512] = "";
            clGetDeviceInfo(devices[j], CL_DEVICE_NAME, sizeof(name), name, NULL);
            if (strncmp(name, "hmm (", 5) == 0)
                cl_device = devices[j];
        }
    }
    if (cl_device == NULL) {
        if (mode == NULL)
            SKIP("there is no device hmm");
        FAIL("there is no device hmm, but HMMSVM_TEST_MODE is %s", mode);
    }

    const char *name = cl_device_name();
    cl_kernel_mode = strncmp(name, "hmm (kernel mode", 16) == 0;
    if (!cl_kernel_mode && strncmp(name, "hmm (direct mode", 16) != 0)
        FAIL("no mode in the device's name \"%s\"", name);
    if (mode != NULL && strcmp(mode, cl_kernel_mode ? "kernel" : "direct") != 0)
        FAIL("the device is \"%s\", but HMMSVM_TEST_MODE is %s", name, mode);

    cl_int err;
    cl_ctx = clCreateContext(NULL, 1, &cl_device, NULL, NULL, &err);
    CL(err);
    cl_queue = cl_new_queue(CL_QUEUE_PROFILING_ENABLE);
}

__attribute__((unused)) static cl_program cl_build_with(const char *source, const char *options)
{
    cl_int err;
    cl_program program = clCreateProgramWithSource(cl_ctx, 1, &source, NULL, &err);

    CL(err);
    if (clBuildProgram(program, 1, &cl_device, options, NULL, NULL) != CL_SUCCESS) {
        static char log[65536];
        clGetProgramBuildInfo(program, cl_device, CL_PROGRAM_BUILD_LOG, sizeof(log), log, NULL);
        FAIL("a program does not build with \"%s\":\n%s", options, log);
    }
    return program;
}

/* The kernel of a program that is built with -cl-std=CL3.0. */
__attribute__((unused)) static cl_kernel cl_get_kernel(const char *source, const char *name)
{
    cl_int err;
    cl_program program = cl_build_with(source, "-cl-std=CL3.0");
    cl_kernel kernel = clCreateKernel(program, name, &err);

    CL(err);
    CL(clReleaseProgram(program)); /* the kernel keeps it */
    return kernel;
}

__attribute__((unused)) static cl_mem cl_new_buffer(size_t size, void *host)
{
    cl_int err;
    cl_mem buffer = clCreateBuffer(cl_ctx,
                                   CL_MEM_READ_WRITE | (host != NULL ? CL_MEM_COPY_HOST_PTR : 0),
                                   size, host, &err);

    CL(err);
    return buffer;
}

/* With how many work-groups that wait for each other a test may be content. */
__attribute__((unused)) static cl_uint cl_many_groups(void)
{
    return getenv("HMMSVM_TEST_SLOW") != NULL ? 128 : 1024;
}

#define ARG(kernel, i, value) CL(clSetKernelArg(kernel, i, sizeof(value), &(value)))

/* Enqueues a one-dimensional range; the caller waits. */
__attribute__((unused)) static void cl_run(cl_command_queue queue, cl_kernel kernel, size_t global,
                                           size_t local, cl_event *event)
{
    CL(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, local != 0 ? &local : NULL, 0, NULL,
                              event));
}

/* Waits for a child, which must end with 0. */
__attribute__((unused)) static void cl_child_ok(pid_t pid)
{
    int status;

    CHECK(pid >= 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        FAIL("a child ended with status 0x%x", (unsigned)status);
}

#endif /* HMMSVM_TEST_CL_HARNESS_H */
