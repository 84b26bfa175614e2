/* SPDX-License-Identifier: MIT */
/*
 * buffer_over_svm_middle.c - OpenCL 3.0 API, sections 5.2.1 and 5.5.5: CL_MEM_USE_HOST_PTR with a
 * pointer into the middle of an SVM allocation; the buffer is that part, and uses an SVM pointer
 */
#include "conformance.h"

#define N 1024

int main(int argc, char **argv)
{
    static cl_uint seen[N];
    cl_uint x = 7;
    cl_bool uses;
    cl_int err;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel add = common_kernel("add");
    cl_uint *p = svm_alloc(0, sizeof(seen));
    svm_set(p, 0, sizeof(seen));
    cl_mem buffer = clCreateBuffer(context, CL_MEM_USE_HOST_PTR, N / 4 * sizeof(*p), p + N / 2,
                                   &err);
    OK(err);
    OK(clGetMemObjectInfo(buffer, CL_MEM_USES_SVM_POINTER, sizeof(uses), &uses, NULL));
    EQ(uses, CL_TRUE);
    OK(clSetKernelArg(add, 0, sizeof(buffer), &buffer));
    OK(clSetKernelArg(add, 1, sizeof(x), &x));
    run(queue, add, N / 4, 0, NULL, NULL);
    run_add(queue, add, p, 1, N, 0, NULL, NULL);
    OK(clFinish(queue));
    svm_read(seen, p, sizeof(seen));
    for (unsigned i = 0; i < N; i++)
        EQ(seen[i], i >= N / 2 && i < N / 2 + N / 4 ? 8 : 1);
    memset(seen, 0, sizeof(seen));
    OK(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, N / 4 * sizeof(*p), seen, 0, NULL, NULL));
    for (unsigned i = 0; i < N / 4; i++)
        EQ(seen[i], 8);
    return 0;
}
