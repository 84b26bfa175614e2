/* SPDX-License-Identifier: MIT */
/*
 * usm.h - cl_intel_unified_shared_memory for tests: its functions, found as a program has to, and its
 * kinds of memory
 *
 * Locking: none; usm_open() before any threads.
 */
#ifndef CONFORMANCE_USM_H
#define CONFORMANCE_USM_H

#include "conformance.h"

static clHostMemAllocINTEL_fn usm_host_alloc;
static clDeviceMemAllocINTEL_fn usm_device_alloc;
static clSharedMemAllocINTEL_fn usm_shared_alloc;
static clMemFreeINTEL_fn usm_free;
static clMemBlockingFreeINTEL_fn usm_blocking_free;
static clGetMemAllocInfoINTEL_fn usm_info;
static clSetKernelArgMemPointerINTEL_fn usm_arg;
static clEnqueueMemFillINTEL_fn usm_memfill;
static clEnqueueMemcpyINTEL_fn usm_memcpy;
static clEnqueueMigrateMemINTEL_fn usm_migrate;
static clEnqueueMemAdviseINTEL_fn usm_advise;

enum usm_kind { USM_HOST, USM_DEVICE, USM_SHARED, USM_SHARED_ANY, USM_KINDS };

static const struct {
    const char *name;
    cl_unified_shared_memory_type_intel type;
    cl_device_info capabilities;
    cl_kernel_exec_info indirect;
    bool of_device;   /* it has a device */
    bool host_access; /* for the program to read and write */
} usm_kinds[USM_KINDS] = {
    { "host", CL_MEM_TYPE_HOST_INTEL, CL_DEVICE_HOST_MEM_CAPABILITIES_INTEL,
      CL_KERNEL_EXEC_INFO_INDIRECT_HOST_ACCESS_INTEL, false, true },
    { "device", CL_MEM_TYPE_DEVICE_INTEL, CL_DEVICE_DEVICE_MEM_CAPABILITIES_INTEL,
      CL_KERNEL_EXEC_INFO_INDIRECT_DEVICE_ACCESS_INTEL, true, false },
    { "shared", CL_MEM_TYPE_SHARED_INTEL, CL_DEVICE_SINGLE_DEVICE_SHARED_MEM_CAPABILITIES_INTEL,
      CL_KERNEL_EXEC_INFO_INDIRECT_SHARED_ACCESS_INTEL, true, true },
    { "shared without device", CL_MEM_TYPE_SHARED_INTEL,
      CL_DEVICE_CROSS_DEVICE_SHARED_MEM_CAPABILITIES_INTEL,
      CL_KERNEL_EXEC_INFO_INDIRECT_SHARED_ACCESS_INTEL, false, true },
};

MAYBE_UNUSED static cl_device_unified_shared_memory_capabilities_intel usm_caps(cl_device_info which)
{
    cl_device_unified_shared_memory_capabilities_intel caps;

    OK(clGetDeviceInfo(device, which, sizeof(caps), &caps, NULL));
    return caps;
}

/* Kernels of the device may use it. */
MAYBE_UNUSED static bool usm_has(enum usm_kind kind)
{
    return usm_caps(usm_kinds[kind].capabilities) & CL_UNIFIED_SHARED_MEMORY_ACCESS_INTEL;
}

/* test_open() and the extension, or the end. */
MAYBE_UNUSED static void usm_open(int argc, char **argv)
{
    test_open(argc, argv);
    if (!has_extension("cl_intel_unified_shared_memory"))
        SKIP("the device lacks cl_intel_unified_shared_memory");
    usm_host_alloc = (clHostMemAllocINTEL_fn)extension_function("clHostMemAllocINTEL");
    usm_device_alloc = (clDeviceMemAllocINTEL_fn)extension_function("clDeviceMemAllocINTEL");
    usm_shared_alloc = (clSharedMemAllocINTEL_fn)extension_function("clSharedMemAllocINTEL");
    usm_free = (clMemFreeINTEL_fn)extension_function("clMemFreeINTEL");
    usm_blocking_free = (clMemBlockingFreeINTEL_fn)extension_function("clMemBlockingFreeINTEL");
    usm_info = (clGetMemAllocInfoINTEL_fn)extension_function("clGetMemAllocInfoINTEL");
    usm_arg = (clSetKernelArgMemPointerINTEL_fn)extension_function("clSetKernelArgMemPointerINTEL");
    usm_memfill = (clEnqueueMemFillINTEL_fn)extension_function("clEnqueueMemFillINTEL");
    usm_memcpy = (clEnqueueMemcpyINTEL_fn)extension_function("clEnqueueMemcpyINTEL");
    usm_migrate = (clEnqueueMigrateMemINTEL_fn)extension_function("clEnqueueMigrateMemINTEL");
    usm_advise = (clEnqueueMemAdviseINTEL_fn)extension_function("clEnqueueMemAdviseINTEL");
}

MAYBE_UNUSED static void *usm_try(enum usm_kind kind, const cl_mem_properties_intel *properties,
                                  size_t size, cl_uint alignment, cl_int *err)
{
    *err = 12345;
    if (kind == USM_HOST)
        return usm_host_alloc(context, properties, size, alignment, err);
    if (kind == USM_DEVICE)
        return usm_device_alloc(context, device, properties, size, alignment, err);
    return usm_shared_alloc(context, kind == USM_SHARED ? device : NULL, properties, size, alignment,
                            err);
}

MAYBE_UNUSED static void *usm_alloc(enum usm_kind kind, size_t size)
{
    cl_int err;
    void *p = usm_try(kind, NULL, size, 0, &err);

    if (err != CL_SUCCESS || p == NULL)
        FAIL("%s memory of %zu bytes: error %d", usm_kinds[kind].name, size, err);
    return p;
}

/* What the program has to do with memory of any kind, as it may have no access itself. */
MAYBE_UNUSED static void usm_write(void *to, const void *from, size_t size)
{
    OK(usm_memcpy(queue, CL_TRUE, to, from, size, 0, NULL, NULL));
}

MAYBE_UNUSED static void usm_read(void *to, const void *from, size_t size)
{
    OK(usm_memcpy(queue, CL_TRUE, to, from, size, 0, NULL, NULL));
}

/* All that clGetMemAllocInfoINTEL says of a pointer. */
MAYBE_UNUSED static void usm_known(const void *p, cl_unified_shared_memory_type_intel type,
                                   const void *base, size_t size, cl_device_id of,
                                   cl_mem_alloc_flags_intel flags)
{
    cl_unified_shared_memory_type_intel is_type;
    void *is_base;
    size_t is_size, bytes;
    cl_device_id is_of;
    cl_mem_alloc_flags_intel is_flags;

    OK(usm_info(context, p, CL_MEM_ALLOC_TYPE_INTEL, sizeof(is_type), &is_type, &bytes));
    EQ(bytes, sizeof(is_type));
    OK(usm_info(context, p, CL_MEM_ALLOC_BASE_PTR_INTEL, sizeof(is_base), &is_base, &bytes));
    EQ(bytes, sizeof(is_base));
    OK(usm_info(context, p, CL_MEM_ALLOC_SIZE_INTEL, sizeof(is_size), &is_size, &bytes));
    EQ(bytes, sizeof(is_size));
    OK(usm_info(context, p, CL_MEM_ALLOC_DEVICE_INTEL, sizeof(is_of), &is_of, &bytes));
    EQ(bytes, sizeof(is_of));
    OK(usm_info(context, p, CL_MEM_ALLOC_FLAGS_INTEL, sizeof(is_flags), &is_flags, &bytes));
    EQ(bytes, sizeof(is_flags));
    EQ(is_type, type);
    SAME(is_base, base);
    EQ(is_size, size);
    SAME(is_of, of);
    EQ(is_flags, flags);
}

#endif /* CONFORMANCE_USM_H */
