/* SPDX-License-Identifier: MIT */
/*
 * cl_crash.h - for OpenCL tests of kernels that go wrong: they end alone, say why, what depends on
 * them fails, and the next one is right
 *
 * Kernel mode only: in direct mode a kernel runs on the application's threads, and its crash is the
 * application's.
 *
 * Locking: none.
 */
#ifndef HMMSVM_TEST_CL_CRASH_H
#define HMMSVM_TEST_CL_CRASH_H

#include "cl_harness.h"

/* To be part of the test's source. */
#define CRASH_GOOD "kernel void good(global int *a) { a[get_global_id(0)] = get_global_id(0); }\n"
#define CRASH_ITEMS 128

static char crash_said[4096]; /* what came on stderr while the last one failed */

/* Opens the device and builds @source, which has CRASH_GOOD in it. */
__attribute__((unused)) static cl_program crash_open(const char *source)
{
    cl_open();
    if (!cl_kernel_mode)
        SKIP("direct mode has no isolation");
    return cl_build_with(source, "-cl-std=CL3.0");
}

__attribute__((unused)) static cl_kernel crash_kernel(cl_program program, const char *name)
{
    cl_int err;
    cl_kernel kernel = clCreateKernel(program, name, &err);

    CL(err);
    return kernel;
}

/* Runs a kernel that must fail in groups of @local items, and one that waits for it; keeps what was said. */
__attribute__((unused)) static void crash_fails_in(cl_kernel kernel, size_t local)
{
    char path[] = "/tmp/cl_crash.XXXXXX";
    size_t global = CRASH_ITEMS;
    cl_event event, next;

    int file = mkstemp(path), terminal = dup(STDERR_FILENO);
    CHECK(file >= 0 && terminal >= 0);
    unlink(path);
    dup2(file, STDERR_FILENO);
    cl_run(cl_queue, kernel, global, local, &event);
    CL(clEnqueueNDRangeKernel(cl_queue, kernel, 1, NULL, &global, &local, 1, &event, &next));
    cl_int waited = clWaitForEvents(1, &event);
    cl_int waited_next = clWaitForEvents(1, &next);
    dup2(terminal, STDERR_FILENO);
    close(terminal);

    ssize_t n = pread(file, crash_said, sizeof(crash_said) - 1, 0);
    CHECK(n >= 0);
    crash_said[n] = '\0';
    close(file);
    EQ(waited, CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    EQ(waited_next, CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    EQ(event_status(event), CL_OUT_OF_RESOURCES);
    CHECK(event_status(next) < 0);
    CL(clReleaseEvent(event));
    CL(clReleaseEvent(next));
}

__attribute__((unused)) static void crash_fails(cl_kernel kernel)
{
    crash_fails_in(kernel, 16);
}

__attribute__((unused)) static void crash_says(const char *wanted)
{
    if (strstr(crash_said, wanted) == NULL)
        FAIL("the message has no \"%s\": %s", wanted, crash_said);
}

/* The next kernel, of those in CRASH_GOOD. */
__attribute__((unused)) static void crash_good(cl_kernel kernel)
{
    int a[CRASH_ITEMS];
    cl_event event;

    memset(a, -1, sizeof(a));
    CL(clSetKernelArgSVMPointer(kernel, 0, a));
    cl_run(cl_queue, kernel, CRASH_ITEMS, 16, &event);
    CL(clWaitForEvents(1, &event));
    CL(clReleaseEvent(event));
    for (int i = 0; i < CRASH_ITEMS; i++)
        EQ(a[i], i);
}

#endif /* HMMSVM_TEST_CL_CRASH_H */
