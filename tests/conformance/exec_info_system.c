/* SPDX-License-Identifier: MIT */
/*
 * exec_info_system.c - OpenCL 3.0 API, section 5.9.2, CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM:
 * CL_FALSE can always be set; CL_TRUE where a device of the context has fine-grain system SVM, and
 * is CL_INVALID_OPERATION elsewhere
 */
#include "conformance.h"

int main(int argc, char **argv)
{
    const cl_bool yes = CL_TRUE, no = CL_FALSE;
    const cl_kernel_exec_info name = CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM;
    cl_uint sum = 0, value = 3;
    struct node list = { NULL, &value };

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel walk = common_kernel("walk"), add = common_kernel("add");

    RETURNS(clSetKernelExecInfo(walk, name, sizeof(no), &no), CL_SUCCESS);
    if (!(svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM)) {
        RETURNS(clSetKernelExecInfo(walk, name, sizeof(yes), &yes), CL_INVALID_OPERATION);
        return 0;
    }

    /* with CL_FALSE, memory that is an argument still is accessible */
    OK(clSetKernelExecInfo(add, name, sizeof(no), &no));
    run_add(queue, add, &value, 1, 1, 0, NULL, NULL);
    OK(clFinish(queue));
    EQ(value, 4);

    /* and with CL_TRUE what it points to */
    RETURNS(clSetKernelExecInfo(walk, name, sizeof(yes), &yes), CL_SUCCESS);
    OK(clSetKernelArgSVMPointer(walk, 0, &list));
    OK(clSetKernelArgSVMPointer(walk, 1, &sum));
    run(queue, walk, 1, 0, NULL, NULL);
    OK(clFinish(queue));
    EQ(sum, 4);
    EQ(value, 1004);
    return 0;
}
