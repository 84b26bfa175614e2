/* SPDX-License-Identifier: MIT */
/*
 * usm_with_svm.c - cl_intel_unified_shared_memory and OpenCL 3.0 API, section 5.6: allocations of both
 * live beside each other: each one's free and query refuse the other's, either's pointers are kernel
 * arguments by either call where memory is accessible, and either's copy reaches both
 */
#include "usm.h"

#define N 256

int main(int argc, char **argv)
{
    static const cl_uint zero;
    cl_uint seen[N], x = 2;

    usm_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel copy = common_kernel("copy"), add = common_kernel("add");
    OK(clSetKernelArg(add, 1, sizeof(x), &x));
    for (enum usm_kind kind = 0; kind < USM_KINDS; kind++) {
        if (!usm_has(kind))
            continue;
        cl_uint *u = usm_alloc(kind, sizeof(seen)), *s = svm_alloc(0, sizeof(seen));

        RETURNS(usm_free(context, s), CL_INVALID_VALUE);
        RETURNS(usm_blocking_free(context, s), CL_INVALID_VALUE);
        usm_known(s, CL_MEM_TYPE_UNKNOWN_INTEL, NULL, 0, NULL, 0);

        /* through a kernel with a pointer of each */
        for (unsigned i = 0; i < N; i++)
            seen[i] = 3 * i;
        svm_write(s, seen, sizeof(seen));
        OK(usm_memfill(queue, u, &zero, sizeof(zero), sizeof(seen), 0, NULL, NULL));
        OK(usm_arg(copy, 0, u));
        OK(clSetKernelArgSVMPointer(copy, 1, s));
        run(queue, copy, N, 0, NULL, NULL);
        OK(usm_arg(add, 0, u));
        run(queue, add, N, 0, NULL, NULL);
        svm_set(s, 0, sizeof(seen));

        /* and back by a copy */
        OK(usm_memcpy(queue, CL_TRUE, s, u, sizeof(seen), 0, NULL, NULL));
        svm_read(seen, s, sizeof(seen));
        for (unsigned i = 0; i < N; i++)
            EQ(seen[i], 3 * i + 2);
        OK(clEnqueueSVMMemcpy(queue, CL_TRUE, seen, s, sizeof(seen), 0, NULL, NULL));
        EQ(seen[N - 1], 3 * N - 1);

        clSVMFree(context, s);
        usm_known(u, usm_kinds[kind].type, u, sizeof(seen),
                  usm_kinds[kind].of_device ? device : NULL, 0);
        RETURNS(usm_free(context, u), CL_SUCCESS);
    }
    return 0;
}
