/* SPDX-License-Identifier: MIT */
/*
 * command_buffer_kernel.c - OpenCL 3.0 API, Command-Buffers (cl_khr_command_buffer): recorded kernels keep
 * the SVM pointers that were set when they were recorded, into the middle too, in each execution
 */
#include "command_buffer.h"

#define N 256

int main(int argc, char **argv)
{
    cl_uint host[2 * N], x = 3;
    const size_t items = N;
    cl_sync_point_khr first;

    command_buffer_open(argc, argv);
    cl_kernel add = common_kernel("add"), copy = common_kernel("copy");
    cl_uint *p = svm_alloc(0, sizeof(host)), *q = svm_alloc(0, sizeof(host));
    svm_set(p, 0, sizeof(host));
    svm_set(q, 0, sizeof(host));

    cl_command_buffer_khr buffer = new_command_buffer();
    OK(clSetKernelArgSVMPointer(add, 0, p + N));
    OK(clSetKernelArg(add, 1, sizeof(x), &x));
    RETURNS(command_kernel(buffer, NULL, NULL, add, 1, NULL, &items, NULL, 0, NULL, &first, NULL),
            CL_SUCCESS);
    OK(clSetKernelArgSVMPointer(copy, 0, q));
    OK(clSetKernelArgSVMPointer(copy, 1, p + N));
    RETURNS(command_kernel(buffer, NULL, NULL, copy, 1, NULL, &items, NULL, 1, &first, NULL, NULL),
            CL_SUCCESS);
    x = 1000; /* what is set now is for others */
    OK(clSetKernelArgSVMPointer(add, 0, p));
    OK(clSetKernelArg(add, 1, sizeof(x), &x));
    OK(clSetKernelArgSVMPointer(copy, 0, q + N));
    OK(buffer_finalize(buffer));

    for (unsigned round = 1; round <= 5; round++) {
        command_buffer_run(buffer);
        svm_read(host, q, sizeof(host));
        for (unsigned i = 0; i < 2 * N; i++)
            EQ(host[i], i < N ? 3 * round : 0);
    }
    svm_read(host, p, sizeof(host));
    for (unsigned i = 0; i < 2 * N; i++)
        EQ(host[i], i < N ? 0 : 15);
    OK(buffer_release(buffer));
    return 0;
}
