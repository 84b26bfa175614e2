/* SPDX-License-Identifier: MIT */
/*
 * svm_arg_middle.c - OpenCL 3.0 API, section 5.9.2, clSetKernelArgSVMPointer: the argument may be
 * what clSVMAlloc returned or point anywhere into the allocation, for global and constant pointers
 */
#include "conformance.h"

#define N 1024

int main(int argc, char **argv)
{
    static const size_t offsets[] = { 0, 1, 2, 3, 31, 32, 500, 1000, N - 2, N - 1 };
    cl_uint host[N];

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel copy = common_kernel("copy");
    for (unsigned l = 0; l < 3; l++) {
        if (!has_level(&svm_levels[l]))
            continue;
        cl_uint *from = svm_alloc(svm_levels[l].flags, sizeof(host));
        cl_uint *to = svm_alloc(svm_levels[l].flags, sizeof(host));

        for (unsigned i = 0; i < N; i++)
            host[i] = i;
        svm_write(from, host, sizeof(host));
        for (unsigned k = 0; k < sizeof(offsets) / sizeof(offsets[0]); k++) {
            size_t at = offsets[k], other = N - 1 - at;

            svm_set(to, 0xff, sizeof(host));
            OK(clSetKernelArgSVMPointer(copy, 0, to + other));
            OK(clSetKernelArgSVMPointer(copy, 1, from + at));
            run(queue, copy, 1, 0, NULL, NULL);
            svm_read(host, to, sizeof(host));
            for (unsigned i = 0; i < N; i++)
                EQ(host[i], i == other ? at : 0xffffffff);
        }
        clSVMFree(context, from);
        clSVMFree(context, to);
    }
    return 0;
}
