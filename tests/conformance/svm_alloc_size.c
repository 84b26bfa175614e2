/* SPDX-License-Identifier: MIT */
/*
 * svm_alloc_size.c - OpenCL 3.0 API, section 5.6.1, clSVMAlloc: a size of 0, or above
 * CL_DEVICE_MAX_MEM_ALLOC_SIZE, gives NULL; 1 is a size
 */
#include "conformance.h"

int main(int argc, char **argv)
{
    cl_ulong most;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    OK(clGetDeviceInfo(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(most), &most, NULL));
    for (unsigned l = 0; l < 3; l++) {
        cl_svm_mem_flags flags = svm_levels[l].flags;

        if (!has_level(&svm_levels[l]))
            continue;
        SAME(clSVMAlloc(context, flags, 0, 0), NULL);
        if (most < SIZE_MAX)
            SAME(clSVMAlloc(context, flags, (size_t)most + 1, 0), NULL);
        SAME(clSVMAlloc(context, flags, SIZE_MAX, 0), NULL);
        void *p = clSVMAlloc(context, flags, 1, 0);
        CHECK(p != NULL);
        svm_set(p, 5, 1);
        clSVMFree(context, p);
    }
    return 0;
}
