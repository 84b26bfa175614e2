/* SPDX-License-Identifier: MIT */
/*
 * svm_alloc_no_context.c - OpenCL 3.0 API, section 5.6.1, clSVMAlloc: what is not a valid context
 * gives NULL
 */
#include "conformance.h"

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    SAME(clSVMAlloc(NULL, 0, 4096, 0), NULL);
    SAME(clSVMAlloc(NULL, CL_MEM_READ_WRITE, 1, 128), NULL);
    CHECK(clSVMAlloc(context, 0, 4096, 0) != NULL);
    return 0;
}
