/* SPDX-License-Identifier: MIT */
/*
 * buffer_over_svm_errors.c - OpenCL 3.0 API, section 5.2.1, clCreateBuffer: a buffer over, or a copy
 * of, an SVM allocation that is larger than the allocation is CL_INVALID_BUFFER_SIZE
 */
#include "conformance.h"

int main(int argc, char **argv)
{
    cl_int err;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    for (unsigned l = 0; l < 3; l++) {
        static const cl_mem_flags flags[] = { CL_MEM_USE_HOST_PTR, CL_MEM_COPY_HOST_PTR };

        if (!has_level(&svm_levels[l]))
            continue;
        char *p = svm_alloc(svm_levels[l].flags, 4096);
        svm_set(p, 0, 4096);
        for (unsigned f = 0; f < 2; f++) {
            err = CL_SUCCESS;
            SAME(clCreateBuffer(context, flags[f], 4097, p, &err), NULL);
            EQ(err, CL_INVALID_BUFFER_SIZE);
            SAME(clCreateBuffer(context, flags[f], 1 << 20, p, &err), NULL);
            EQ(err, CL_INVALID_BUFFER_SIZE);
            cl_mem buffer = clCreateBuffer(context, flags[f], 4096, p, &err);
            OK(err);
            OK(clReleaseMemObject(buffer));
        }
        clSVMFree(context, p);
    }
    return 0;
}
