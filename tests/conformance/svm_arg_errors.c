/* SPDX-License-Identifier: MIT */
/*
 * svm_arg_errors.c - OpenCL 3.0 API, section 5.9.2, clSetKernelArgSVMPointer: the errors
 */
#include "conformance.h"

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel locals = common_kernel("locals"); /* global, local, by value */
    cl_uint *p = svm_alloc(0, 4096);

    RETURNS(clSetKernelArgSVMPointer(NULL, 0, p), CL_INVALID_KERNEL);
    RETURNS(clSetKernelArgSVMPointer(locals, 3, p), CL_INVALID_ARG_INDEX);
    RETURNS(clSetKernelArgSVMPointer(locals, 0xffffffff, p), CL_INVALID_ARG_INDEX);
    RETURNS(clSetKernelArgSVMPointer(locals, 1, p), CL_INVALID_ARG_VALUE);
    RETURNS(clSetKernelArgSVMPointer(locals, 2, p), CL_INVALID_ARG_VALUE);
    RETURNS(clSetKernelArgSVMPointer(locals, 0, p), CL_SUCCESS);

    /* failed calls set nothing */
    size_t one = 1;
    RETURNS(clEnqueueNDRangeKernel(queue, locals, 1, NULL, &one, NULL, 0, NULL, NULL),
            CL_INVALID_KERNEL_ARGS);
    return 0;
}
