/* SPDX-License-Identifier: MIT */
/*
 * cl_usm.h - cl_intel_unified_shared_memory for tests: its functions, found as
 * a program has to find them, and the values of advice that pocl names
 *
 * Locking: none; usm_open() before any threads.
 */
#ifndef HMMSVM_TEST_CL_USM_H
#define HMMSVM_TEST_CL_USM_H

#include "cl_harness.h"

#include <CL/cl_ext.h>

/* As in pocl's cl_ext_pocl.h; the extension itself names none. */
#define ADVICE_SET_READ_MOSTLY    0x4208
#define ADVICE_CLEAR_READ_MOSTLY  0x4209
#define ADVICE_SET_DEVICE         0x420A
#define ADVICE_CLEAR_DEVICE       0x420B
#define ADVICE_SET_NON_ATOMIC     0x420C
#define ADVICE_BIAS_UNCACHED      0x420F
#define ADVICE_SET_SYSTEM         0x4210
#define ADVICE_CLEAR_SYSTEM       0x4211

static clHostMemAllocINTEL_fn usm_host_alloc;
static clDeviceMemAllocINTEL_fn usm_device_alloc;
static clSharedMemAllocINTEL_fn usm_shared_alloc;
static clMemFreeINTEL_fn usm_free;
static clMemBlockingFreeINTEL_fn usm_blocking_free;
static clGetMemAllocInfoINTEL_fn usm_info;
static clSetKernelArgMemPointerINTEL_fn usm_arg;
static clEnqueueMemFillINTEL_fn usm_fill;
static clEnqueueMemcpyINTEL_fn usm_copy;
static clEnqueueMigrateMemINTEL_fn usm_migrate;
static clEnqueueMemAdviseINTEL_fn usm_advise;

/* cl_open(), and the extension: the device says it has it, and it has. */
__attribute__((unused)) static void usm_open(void)
{
    static const struct {
        const char *name;
        void **function;
    } functions[] = {
        { "clHostMemAllocINTEL", (void **)&usm_host_alloc },
        { "clDeviceMemAllocINTEL", (void **)&usm_device_alloc },
        { "clSharedMemAllocINTEL", (void **)&usm_shared_alloc },
        { "clMemFreeINTEL", (void **)&usm_free },
        { "clMemBlockingFreeINTEL", (void **)&usm_blocking_free },
        { "clGetMemAllocInfoINTEL", (void **)&usm_info },
        { "clSetKernelArgMemPointerINTEL", (void **)&usm_arg },
        { "clEnqueueMemFillINTEL", (void **)&usm_fill },
        { "clEnqueueMemcpyINTEL", (void **)&usm_copy },
        { "clEnqueueMigrateMemINTEL", (void **)&usm_migrate },
        { "clEnqueueMemAdviseINTEL", (void **)&usm_advise },
    };
    static char extensions[16384];
    cl_platform_id platform;

    cl_open();
    CL(clGetDeviceInfo(cl_device, CL_DEVICE_EXTENSIONS, sizeof(extensions), extensions, NULL));
    if (strstr(extensions, "cl_intel_unified_shared_memory") == NULL)
        FAIL("no cl_intel_unified_shared_memory in \"%s\"", extensions);
    CL(clGetDeviceInfo(cl_device, CL_DEVICE_PLATFORM, sizeof(platform), &platform, NULL));
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        *functions[i].function = clGetExtensionFunctionAddressForPlatform(platform,
                                                                          functions[i].name);
        if (*functions[i].function == NULL)
            FAIL("there is no %s", functions[i].name);
    }
}

#endif /* HMMSVM_TEST_CL_USM_H */
