/* SPDX-License-Identifier: MIT */
/*
 * buffer_over_svm.c - OpenCL 3.0 API, sections 5.2.1 and 5.5.5 (CL_MEM_USES_SVM_POINTER): a buffer of
 * CL_MEM_USE_HOST_PTR over an SVM allocation is that memory: its maps, kernels, reads and writes and
 * those through the pointer see each other, and it says so
 */
#include "conformance.h"

#define N 1024

static cl_bool uses_svm(cl_mem buffer)
{
    cl_bool uses;

    OK(clGetMemObjectInfo(buffer, CL_MEM_USES_SVM_POINTER, sizeof(uses), &uses, NULL));
    return uses;
}

int main(int argc, char **argv)
{
    static cl_uint seen[N];
    void *host;
    cl_int err;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel add = common_kernel("add");
    for (unsigned l = 0; l < 3; l++) {
        if (!has_level(&svm_levels[l]))
            continue;
        cl_uint *p = svm_alloc(svm_levels[l].flags, sizeof(seen)), x = 5;
        cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR,
                                       sizeof(seen), p, &err);

        OK(err);
        EQ(uses_svm(buffer), CL_TRUE);
        OK(clGetMemObjectInfo(buffer, CL_MEM_HOST_PTR, sizeof(host), &host, NULL));
        SAME(host, p);

        /* mapped, it is where the allocation is */
        cl_uint *mapped = clEnqueueMapBuffer(queue, buffer, CL_TRUE, CL_MAP_WRITE, 400, 400, 0,
                                             NULL, NULL, &err);
        OK(err);
        SAME(mapped, p + 100);
        OK(clEnqueueUnmapMemObject(queue, buffer, mapped, 0, NULL, NULL));

        /* a pointer's kernel, a buffer's kernel, a pointer's copy, a buffer's read */
        for (unsigned i = 0; i < N; i++)
            seen[i] = i;
        svm_write(p, seen, sizeof(seen));
        run_add(queue, add, p, 10, N, 0, NULL, NULL);
        OK(clSetKernelArg(add, 0, sizeof(buffer), &buffer));
        OK(clSetKernelArg(add, 1, sizeof(x), &x));
        run(queue, add, N, 0, NULL, NULL);
        OK(clEnqueueSVMMemcpy(queue, CL_FALSE, p, p + N / 2, N / 2 * sizeof(*p), 0, NULL, NULL));
        OK(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, sizeof(seen), seen, 0, NULL, NULL));
        for (unsigned i = 0; i < N; i++)
            EQ(seen[i], 15 + (i < N / 2 ? i + N / 2 : i));

        /* a buffer's write, seen through the pointer */
        memset(seen, 0, sizeof(seen));
        OK(clEnqueueWriteBuffer(queue, buffer, CL_FALSE, 0, sizeof(seen), seen, 0, NULL, NULL));
        run_add(queue, add, p, 1, N, 0, NULL, NULL);
        svm_read(seen, p, sizeof(seen));
        for (unsigned i = 0; i < N; i++)
            EQ(seen[i], 1);

        /* released, the allocation stays */
        OK(clReleaseMemObject(buffer));
        run_add(queue, add, p, 1, N, 0, NULL, NULL);
        EQ(svm_read_uint(p + N - 1), 2);
        clSVMFree(context, p);
    }

    /* a buffer with memory of its own does not */
    cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE, 64, NULL, &err);
    OK(err);
    EQ(uses_svm(buffer), CL_FALSE);
    cl_uint *p = svm_alloc(0, 64);
    svm_set(p, 0, 64);
    buffer = clCreateBuffer(context, CL_MEM_COPY_HOST_PTR, 64, p, &err);
    OK(err);
    EQ(uses_svm(buffer), CL_FALSE);
    return 0;
}
