/* SPDX-License-Identifier: MIT */
/*
 * usm_alloc_errors.c - cl_intel_unified_shared_memory, Allocating Unified Shared Memory: the errors of
 * context, device, properties, size and alignment
 */
#include "usm.h"

#define FLAGS CL_MEM_ALLOC_FLAGS_INTEL

static void refused(enum usm_kind kind, const cl_mem_properties_intel *properties, size_t size,
                    cl_uint alignment, cl_int wanted)
{
    cl_int err;

    if (usm_try(kind, properties, size, alignment, &err) != NULL || err != wanted)
        FAIL("%s memory, property %lld %lld, size %zu, alignment %u: error %d, not %d",
             usm_kinds[kind].name, properties ? (long long)properties[0] : 0,
             properties ? (long long)properties[1] : 0, size, alignment, err, wanted);
}

int main(int argc, char **argv)
{
    static const cl_mem_properties_intel both_places[] = {
        FLAGS, CL_MEM_ALLOC_INITIAL_PLACEMENT_DEVICE_INTEL | CL_MEM_ALLOC_INITIAL_PLACEMENT_HOST_INTEL, 0
    };
    static const cl_mem_properties_intel unknown_name[] = { 1, 1, 0 };
    static const cl_mem_properties_intel unknown_flag[] = { FLAGS, 1 << 20, 0 };
    static const cl_mem_properties_intel twice[] = { FLAGS, 0, FLAGS, 0, 0 };
    static const cl_mem_properties_intel on_device[] = {
        FLAGS, CL_MEM_ALLOC_INITIAL_PLACEMENT_DEVICE_INTEL, 0
    };
    static const cl_mem_properties_intel on_host[] = {
        FLAGS, CL_MEM_ALLOC_INITIAL_PLACEMENT_HOST_INTEL, 0
    };
    static const cl_uint no_alignments[] = { 3, 24, 96, 129, 1u << 20 };
    cl_ulong most;
    cl_int err;

    usm_open(argc, argv);
    OK(clGetDeviceInfo(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(most), &most, NULL));
    for (enum usm_kind kind = 0; kind < USM_KINDS; kind++) {
        if (!usm_has(kind))
            continue;
        refused(kind, NULL, 0, 0, CL_INVALID_BUFFER_SIZE);
        refused(kind, NULL, (size_t)most + 1, 0, CL_INVALID_BUFFER_SIZE);
        for (unsigned i = 0; i < sizeof(no_alignments) / sizeof(no_alignments[0]); i++)
            refused(kind, NULL, 64, no_alignments[i], CL_INVALID_VALUE);
        refused(kind, both_places, 64, 0, CL_INVALID_PROPERTY);
        refused(kind, unknown_name, 64, 0, CL_INVALID_PROPERTY);
        refused(kind, unknown_flag, 64, 0, CL_INVALID_PROPERTY);
        refused(kind, twice, 64, 0, CL_INVALID_PROPERTY);
        if (kind < USM_SHARED) {
            refused(kind, on_device, 64, 0, CL_INVALID_PROPERTY);
            refused(kind, on_host, 64, 0, CL_INVALID_PROPERTY);
        }
    }
    SAME(usm_host_alloc(NULL, NULL, 64, 0, &err), NULL);
    EQ(err, CL_INVALID_CONTEXT);
    SAME(usm_device_alloc(NULL, device, NULL, 64, 0, &err), NULL);
    EQ(err, CL_INVALID_CONTEXT);
    SAME(usm_shared_alloc(NULL, device, NULL, 64, 0, &err), NULL);
    EQ(err, CL_INVALID_CONTEXT);
    SAME(usm_device_alloc(context, NULL, NULL, 64, 0, &err), NULL);
    EQ(err, CL_INVALID_DEVICE);
    SAME(usm_device_alloc(NULL, NULL, NULL, 64, 0, NULL), NULL);
    return 0;
}
