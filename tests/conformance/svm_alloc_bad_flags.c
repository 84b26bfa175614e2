/* SPDX-License-Identifier: MIT */
/*
 * svm_alloc_bad_flags.c - OpenCL 3.0 API, section 5.6.1, clSVMAlloc: flags outside the table of SVM
 * memory flags, exclusive ones together, and atomics without fine grain give NULL
 */
#include "conformance.h"

int main(int argc, char **argv)
{
    static const cl_svm_mem_flags bad[] = {
        CL_MEM_SVM_ATOMICS,
        CL_MEM_READ_WRITE | CL_MEM_SVM_ATOMICS,
        CL_MEM_READ_WRITE | CL_MEM_READ_ONLY,
        CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY,
        CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY,
        CL_MEM_READ_WRITE | CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY,
        CL_MEM_USE_HOST_PTR,
        CL_MEM_ALLOC_HOST_PTR,
        CL_MEM_COPY_HOST_PTR,
        CL_MEM_READ_WRITE | CL_MEM_HOST_WRITE_ONLY,
        CL_MEM_READ_WRITE | CL_MEM_HOST_READ_ONLY,
        CL_MEM_READ_WRITE | CL_MEM_HOST_NO_ACCESS,
        CL_MEM_KERNEL_READ_AND_WRITE,
        (cl_svm_mem_flags)1 << 6,  /* reserved */
        (cl_svm_mem_flags)1 << 62, /* nobody's */
    };

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (clSVMAlloc(context, bad[i], 4096, 0) != NULL)
            FAIL("there is memory for flags 0x%llx", (unsigned long long)bad[i]);
    CHECK(clSVMAlloc(context, CL_MEM_READ_WRITE, 4096, 0) != NULL);
    return 0;
}
