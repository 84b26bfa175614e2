/* SPDX-License-Identifier: MIT */
/*
 * usm_alloc.c - cl_intel_unified_shared_memory, Allocating Unified Shared Memory: each kind can be had
 * with each alignment up to that of the largest data type and each flag it has, and is aligned
 */
#include "usm.h"

int main(int argc, char **argv)
{
    static const cl_mem_alloc_flags_intel flags[] = {
        0, CL_MEM_ALLOC_WRITE_COMBINED_INTEL, CL_MEM_ALLOC_INITIAL_PLACEMENT_DEVICE_INTEL,
        CL_MEM_ALLOC_INITIAL_PLACEMENT_HOST_INTEL,
    };

    usm_open(argc, argv);
    for (enum usm_kind kind = 0; kind < USM_KINDS; kind++) {
        if (!usm_has(kind))
            continue;
        for (unsigned f = 0; f < (kind >= USM_SHARED ? 4 : 2); f++) {
            const cl_mem_properties_intel properties[] = { CL_MEM_ALLOC_FLAGS_INTEL, flags[f], 0 };

            for (cl_uint alignment = 0; alignment <= 128; alignment = alignment ? 2 * alignment : 1) {
                cl_int err;
                char *p = usm_try(kind, f == 0 && alignment == 0 ? NULL : properties, 333, alignment,
                                  &err), seen[333];

                if (err != CL_SUCCESS || p == NULL)
                    FAIL("%s memory, flags %llu, alignment %u: error %d", usm_kinds[kind].name,
                         (unsigned long long)flags[f], alignment, err);
                EQ((uintptr_t)p % (alignment ? alignment : 1), 0);
                memset(seen, 5, sizeof(seen));
                usm_write(p, seen, sizeof(seen));
                memset(seen, 0, sizeof(seen));
                usm_read(seen, p, sizeof(seen));
                EQ(seen[0], 5);
                EQ(seen[332], 5);
                RETURNS(usm_free(context, p), CL_SUCCESS);
            }
        }
        CHECK(usm_alloc(kind, 1) != NULL);
    }
    /* no place for the error is needed */
    CHECK(usm_device_alloc(context, device, NULL, 64, 0, NULL) != NULL);
    return 0;
}
