/* SPDX-License-Identifier: MIT */
/*
 * usm_capabilities.c - cl_intel_unified_shared_memory, section 4.2: the queries have only defined bits,
 * device memory is accessible, concurrent atomics come with concurrent access and atomics, no
 * capability without access, and memory that has none cannot be had
 */
#include "usm.h"

#define ACCESS CL_UNIFIED_SHARED_MEMORY_ACCESS_INTEL
#define ATOMIC CL_UNIFIED_SHARED_MEMORY_ATOMIC_ACCESS_INTEL
#define CONCURRENT CL_UNIFIED_SHARED_MEMORY_CONCURRENT_ACCESS_INTEL
#define BOTH CL_UNIFIED_SHARED_MEMORY_CONCURRENT_ATOMIC_ACCESS_INTEL

static void check(const char *name, cl_device_info which)
{
    cl_device_unified_shared_memory_capabilities_intel caps = usm_caps(which);
    size_t size;

    OK(clGetDeviceInfo(device, which, 0, NULL, &size));
    EQ(size, sizeof(caps));
    if (caps & ~(cl_device_unified_shared_memory_capabilities_intel)(ACCESS | ATOMIC | CONCURRENT | BOTH))
        FAIL("%s: unknown bits in 0x%llx", name, (unsigned long long)caps);
    if (caps != 0 && !(caps & ACCESS))
        FAIL("%s: 0x%llx without access", name, (unsigned long long)caps);
    if ((caps & BOTH) && (caps & (ATOMIC | CONCURRENT)) != (ATOMIC | CONCURRENT))
        FAIL("%s: 0x%llx has concurrent atomics only", name, (unsigned long long)caps);
}

int main(int argc, char **argv)
{
    cl_int err;

    usm_open(argc, argv);
    for (enum usm_kind kind = 0; kind < USM_KINDS; kind++)
        check(usm_kinds[kind].name, usm_kinds[kind].capabilities);
    check("system", CL_DEVICE_SHARED_SYSTEM_MEM_CAPABILITIES_INTEL);
    CHECK(usm_has(USM_DEVICE));
    if (!usm_has(USM_HOST)) {
        SAME(usm_try(USM_HOST, NULL, 64, 0, &err), NULL);
        EQ(err, CL_INVALID_OPERATION);
    }
    if (!usm_has(USM_SHARED) && !usm_has(USM_SHARED_ANY)) {
        SAME(usm_try(USM_SHARED, NULL, 64, 0, &err), NULL);
        EQ(err, CL_INVALID_OPERATION);
    }
    /* the same memory cannot be shared in one way of asking only */
    if (svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM)
        CHECK(usm_caps(CL_DEVICE_SHARED_SYSTEM_MEM_CAPABILITIES_INTEL) & ACCESS);
    return 0;
}
