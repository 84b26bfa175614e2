/* SPDX-License-Identifier: MIT */
/*
 * usm_query.c - cl_intel_unified_shared_memory, clGetMemAllocInfoINTEL: type, base, size, device and
 * flags are known for each pointer into an allocation, and for what is none, system and SVM memory
 * included, are unknown; the errors
 */
#include "usm.h"

int main(int argc, char **argv)
{
    const cl_mem_properties_intel properties[] = { CL_MEM_ALLOC_FLAGS_INTEL,
                                                   CL_MEM_ALLOC_WRITE_COMBINED_INTEL, 0 };
    char here[64], value[64];
    size_t bytes;
    cl_int err;

    usm_open(argc, argv);
    for (enum usm_kind kind = 0; kind < USM_KINDS; kind++) {
        cl_device_id of = usm_kinds[kind].of_device ? device : NULL;

        if (!usm_has(kind))
            continue;
        char *p = usm_alloc(kind, 1000), *q = usm_try(kind, properties, 77, 0, &err);
        OK(err);
        usm_known(p, usm_kinds[kind].type, p, 1000, of, 0);
        usm_known(p + 500, usm_kinds[kind].type, p, 1000, of, 0);
        usm_known(p + 999, usm_kinds[kind].type, p, 1000, of, 0);
        usm_known(q + 76, usm_kinds[kind].type, q, 77, of, CL_MEM_ALLOC_WRITE_COMBINED_INTEL);

        RETURNS(usm_info(NULL, p, CL_MEM_ALLOC_TYPE_INTEL, sizeof(value), value, NULL),
                CL_INVALID_CONTEXT);
        RETURNS(usm_info(context, p, 0, sizeof(value), value, NULL), CL_INVALID_VALUE);
        RETURNS(usm_info(context, p, CL_MEM_ALLOC_SIZE_INTEL, sizeof(size_t) - 1, value, NULL),
                CL_INVALID_VALUE);
        RETURNS(usm_info(context, p, CL_MEM_ALLOC_TYPE_INTEL, 0, value, NULL), CL_INVALID_VALUE);
        RETURNS(usm_info(context, p, CL_MEM_ALLOC_SIZE_INTEL, 0, NULL, &bytes), CL_SUCCESS);
        EQ(bytes, sizeof(size_t));
        RETURNS(usm_info(context, p, CL_MEM_ALLOC_SIZE_INTEL, sizeof(value), value, NULL),
                CL_SUCCESS);
    }
    usm_known(here, CL_MEM_TYPE_UNKNOWN_INTEL, NULL, 0, NULL, 0);
    usm_known(malloc(64), CL_MEM_TYPE_UNKNOWN_INTEL, NULL, 0, NULL, 0);
    usm_known(NULL, CL_MEM_TYPE_UNKNOWN_INTEL, NULL, 0, NULL, 0);
    if (svm_caps & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER)
        usm_known(svm_alloc(0, 64), CL_MEM_TYPE_UNKNOWN_INTEL, NULL, 0, NULL, 0);

    /* nor is another context's known */
    cl_context other = new_context();
    char *p = usm_device_alloc(other, device, NULL, 64, 0, &err);
    OK(err);
    usm_known(p, CL_MEM_TYPE_UNKNOWN_INTEL, NULL, 0, NULL, 0);
    RETURNS(usm_free(context, p), CL_INVALID_VALUE);
    RETURNS(usm_free(other, p), CL_SUCCESS);
    return 0;
}
