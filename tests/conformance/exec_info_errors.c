/* SPDX-License-Identifier: MIT */
/*
 * exec_info_errors.c - OpenCL 3.0 API, section 5.9.2, clSetKernelExecInfo: the errors of handle,
 * name, size and value
 */
#include "conformance.h"

int main(int argc, char **argv)
{
    const cl_bool no = CL_FALSE;
    const cl_kernel_exec_info ptrs = CL_KERNEL_EXEC_INFO_SVM_PTRS;
    const cl_kernel_exec_info system = CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel walk = common_kernel("walk");
    const void *set[] = { svm_alloc(0, 64), svm_alloc(0, 64) };

    RETURNS(clSetKernelExecInfo(NULL, ptrs, sizeof(set), set), CL_INVALID_KERNEL);
    RETURNS(clSetKernelExecInfo(NULL, system, sizeof(no), &no), CL_INVALID_KERNEL);
    RETURNS(clSetKernelExecInfo(walk, 0, sizeof(set), set), CL_INVALID_VALUE);
    RETURNS(clSetKernelExecInfo(walk, CL_KERNEL_NUM_ARGS, sizeof(set), set), CL_INVALID_VALUE);
    RETURNS(clSetKernelExecInfo(walk, ptrs, sizeof(set), NULL), CL_INVALID_VALUE);
    RETURNS(clSetKernelExecInfo(walk, ptrs, sizeof(set) - 1, set), CL_INVALID_VALUE);
    RETURNS(clSetKernelExecInfo(walk, ptrs, 1, set), CL_INVALID_VALUE);
    RETURNS(clSetKernelExecInfo(walk, system, sizeof(no), NULL), CL_INVALID_VALUE);
    RETURNS(clSetKernelExecInfo(walk, system, sizeof(no) - 1, &no), CL_INVALID_VALUE);
    RETURNS(clSetKernelExecInfo(walk, system, 0, &no), CL_INVALID_VALUE);
    RETURNS(clSetKernelExecInfo(walk, ptrs, sizeof(set), set), CL_SUCCESS);
    return 0;
}
