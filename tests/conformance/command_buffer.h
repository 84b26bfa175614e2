/* SPDX-License-Identifier: MIT */
/*
 * command_buffer.h - cl_khr_command_buffer for tests: its functions, found as a program has to
 *
 * Locking: none; command_buffer_open() before any threads.
 */
#ifndef CONFORMANCE_COMMAND_BUFFER_H
#define CONFORMANCE_COMMAND_BUFFER_H

#include "conformance.h"

/* Properties are not used; their types changed between versions of the headers. */
typedef cl_int(CL_API_CALL *command_kernel_fn)(cl_command_buffer_khr, cl_command_queue,
                                               const void *, cl_kernel, cl_uint, const size_t *,
                                               const size_t *, const size_t *, cl_uint,
                                               const cl_sync_point_khr *, cl_sync_point_khr *,
                                               cl_mutable_command_khr *);
/* Newer than the headers of some systems. */
typedef cl_int(CL_API_CALL *command_svm_memcpy_fn)(cl_command_buffer_khr, cl_command_queue,
                                                   const void *, void *, const void *, size_t,
                                                   cl_uint, const cl_sync_point_khr *,
                                                   cl_sync_point_khr *, cl_mutable_command_khr *);
typedef cl_int(CL_API_CALL *command_svm_memfill_fn)(cl_command_buffer_khr, cl_command_queue,
                                                    const void *, void *, const void *, size_t,
                                                    size_t, cl_uint, const cl_sync_point_khr *,
                                                    cl_sync_point_khr *, cl_mutable_command_khr *);

static clCreateCommandBufferKHR_fn buffer_create;
static clFinalizeCommandBufferKHR_fn buffer_finalize;
static clEnqueueCommandBufferKHR_fn buffer_enqueue;
static clReleaseCommandBufferKHR_fn buffer_release;
static command_kernel_fn command_kernel;
static command_svm_memcpy_fn command_svm_memcpy;
static command_svm_memfill_fn command_svm_memfill;

/* test_open() and the extension, or the end. */
MAYBE_UNUSED static void command_buffer_open(int argc, char **argv)
{
    cl_command_queue_properties required = 0;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    if (!has_extension("cl_khr_command_buffer"))
        SKIP("the device lacks cl_khr_command_buffer");
    buffer_create = (clCreateCommandBufferKHR_fn)extension_function("clCreateCommandBufferKHR");
    buffer_finalize = (clFinalizeCommandBufferKHR_fn)extension_function("clFinalizeCommandBufferKHR");
    buffer_enqueue = (clEnqueueCommandBufferKHR_fn)extension_function("clEnqueueCommandBufferKHR");
    buffer_release = (clReleaseCommandBufferKHR_fn)extension_function("clReleaseCommandBufferKHR");
    command_kernel = (command_kernel_fn)extension_function("clCommandNDRangeKernelKHR");
    command_svm_memcpy = (command_svm_memcpy_fn)extension_function("clCommandSVMMemcpyKHR");
    command_svm_memfill = (command_svm_memfill_fn)extension_function("clCommandSVMMemFillKHR");
    OK(clGetDeviceInfo(device, CL_DEVICE_COMMAND_BUFFER_REQUIRED_QUEUE_PROPERTIES_KHR,
                       sizeof(required), &required, NULL));
    queue = new_queue(required);
}

MAYBE_UNUSED static cl_command_buffer_khr new_command_buffer(void)
{
    cl_int err;
    cl_command_buffer_khr buffer = buffer_create(1, &queue, NULL, &err);

    OK(err);
    return buffer;
}

/* Runs it once and waits. */
MAYBE_UNUSED static void command_buffer_run(cl_command_buffer_khr buffer)
{
    cl_event done;

    OK(buffer_enqueue(0, NULL, buffer, 0, NULL, &done));
    event_ends(done, CL_COMMAND_COMMAND_BUFFER_KHR);
}

#endif /* CONFORMANCE_COMMAND_BUFFER_H */
