/* SPDX-License-Identifier: MIT */
/*
 * svm_arg_persists.c - OpenCL 3.0 API, section 5.9.2, clSetKernelArgSVMPointer: the pointer is what
 * all later enqueues of the kernel use until it is set again; a kernel that was enqueued before
 * keeps its own
 */
#include "conformance.h"

#define KERNELS 6

int main(int argc, char **argv)
{
    cl_uint host[KERNELS], x = 1;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel add = common_kernel("add");
    cl_uint *p = svm_alloc(0, sizeof(host));
    svm_set(p, 0, sizeof(host));

    cl_event gate = user_event();
    OK(clSetKernelArg(add, 1, sizeof(x), &x));
    for (unsigned i = 0; i < KERNELS; i++) {
        OK(clSetKernelArgSVMPointer(add, 0, p + i));
        for (unsigned times = 0; times <= i; times++)
            run(queue, add, 1, 1, &gate, NULL);
    }
    OK(clSetUserEventStatus(gate, CL_COMPLETE));
    OK(clFinish(queue));
    svm_read(host, p, sizeof(host));
    for (unsigned i = 0; i < KERNELS; i++)
        EQ(host[i], i + 1);

    /* a pointer and a buffer replace each other */
    cl_int err;
    cl_mem buffer = clCreateBuffer(context, CL_MEM_COPY_HOST_PTR, sizeof(x), &x, &err);
    OK(err);
    OK(clSetKernelArg(add, 0, sizeof(buffer), &buffer));
    run(queue, add, 1, 0, NULL, NULL);
    OK(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, sizeof(x), &x, 0, NULL, NULL));
    EQ(x, 2);
    OK(clSetKernelArgSVMPointer(add, 0, p));
    run(queue, add, 1, 0, NULL, NULL);
    EQ(svm_read_uint(p), 2);
    OK(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, sizeof(x), &x, 0, NULL, NULL));
    EQ(x, 2);
    return 0;
}
