/* SPDX-License-Identifier: MIT */
/*
 * exec_info_svm_ptrs.c - OpenCL 3.0 API, section 5.9.2, CL_KERNEL_EXEC_INFO_SVM_PTRS: a set of
 * pointers into allocations can be given, replaced by another and emptied, and each kernel may
 * access what its set says when it is enqueued
 */
#include "conformance.h"

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel walk = common_kernel("walk");
    cl_uint *value[2] = { svm_alloc(0, 400), svm_alloc(0, 400) }, *sum = svm_alloc(0, 4);
    struct node *node = svm_alloc(0, 2 * sizeof(*node));
    struct node built[2] = { { NULL, value[0] + 10 }, { NULL, value[1] + 20 } };

    svm_write(node, built, sizeof(built));
    svm_set(value[0], 0, 400);
    svm_set(value[1], 0, 400);
    OK(clSetKernelArgSVMPointer(walk, 1, sum));
    for (unsigned round = 0; round < 4; round++) {
        /* the base or the middle of the allocation */
        const void *set[] = { value[round % 2] + 30 * (round / 2) };

        RETURNS(clSetKernelExecInfo(walk, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(set), set),
                CL_SUCCESS);
        OK(clSetKernelArgSVMPointer(walk, 0, node + round % 2));
        run(queue, walk, 1, 0, NULL, NULL);
        OK(clFinish(queue));
        EQ(svm_read_uint(sum), 1000 * (round / 2));
    }
    EQ(svm_read_uint(value[0] + 10), 2000);
    EQ(svm_read_uint(value[1] + 20), 2000);

    /* two of them at once, and the same twice */
    const void *both[] = { value[1], value[0], value[1] };
    built[0].next = node + 1;
    svm_write(node, built, sizeof(built));
    RETURNS(clSetKernelExecInfo(walk, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(both), both),
            CL_SUCCESS);
    OK(clSetKernelArgSVMPointer(walk, 0, node));
    run(queue, walk, 1, 0, NULL, NULL);
    OK(clFinish(queue));
    EQ(svm_read_uint(sum), 4000);

    /* none: arguments alone */
    RETURNS(clSetKernelExecInfo(walk, CL_KERNEL_EXEC_INFO_SVM_PTRS, 0, NULL), CL_SUCCESS);
    cl_kernel add = common_kernel("add");
    RETURNS(clSetKernelExecInfo(add, CL_KERNEL_EXEC_INFO_SVM_PTRS, 0, NULL), CL_SUCCESS);
    run_add(queue, add, value[0] + 10, 1, 1, 0, NULL, NULL);
    EQ(svm_read_uint(value[0] + 10), 3001);
    return 0;
}
