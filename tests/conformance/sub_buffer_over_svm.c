/* SPDX-License-Identifier: MIT */
/*
 * sub_buffer_over_svm.c - OpenCL 3.0 API, section 5.6.2 (Memory Consistency for SVM Allocations):
 * disjoint sub-buffers of a buffer over SVM memory, used by kernels of two queues as buffers and by
 * their pointers, and maps of them, give one consistent view
 */
#include "conformance.h"

#define N 4096

int main(int argc, char **argv)
{
    static cl_uint seen[N];
    cl_command_queue queues[2];
    cl_mem part[2];
    cl_event done[2];
    cl_bool uses;
    cl_int err;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel add = common_kernel("add");
    cl_uint *p = svm_alloc(0, sizeof(seen)), x = 100;
    svm_set(p, 0, sizeof(seen));
    cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, sizeof(seen), p,
                                   &err);
    OK(err);
    for (unsigned k = 0; k < 2; k++) {
        const cl_buffer_region region = { k * sizeof(seen) / 2, sizeof(seen) / 2 };

        queues[k] = new_queue(0);
        part[k] = clCreateSubBuffer(buffer, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION,
                                    &region, &err);
        OK(err);
        OK(clGetMemObjectInfo(part[k], CL_MEM_USES_SVM_POINTER, sizeof(uses), &uses, NULL));
        EQ(uses, CL_TRUE);
    }

    for (unsigned round = 1; round <= 10; round++) {
        for (unsigned k = 0; k < 2; k++) {
            cl_uint *mapped = clEnqueueMapBuffer(queues[k], part[k], CL_TRUE,
                                                 CL_MAP_WRITE_INVALIDATE_REGION, 0,
                                                 sizeof(seen) / 2, 0, NULL, NULL, &err);
            OK(err);
            SAME(mapped, p + k * N / 2);
            for (unsigned i = 0; i < N / 2; i++)
                mapped[i] = i + round;
            OK(clEnqueueUnmapMemObject(queues[k], part[k], mapped, 0, NULL, NULL));
            /* as a buffer, then by its pointer */
            OK(clSetKernelArg(add, 0, sizeof(part[k]), &part[k]));
            OK(clSetKernelArg(add, 1, sizeof(x), &x));
            run(queues[k], add, N / 2, 0, NULL, NULL);
            run_add(queues[k], add, p + k * N / 2, 1000 * (k + 1), N / 2, 0, NULL, &done[k]);
            OK(clFlush(queues[k]));
        }
        OK(clWaitForEvents(2, done));
        svm_read(seen, p, sizeof(seen));
        for (unsigned i = 0; i < N; i++)
            EQ(seen[i], i % (N / 2) + round + 100 + 1000 * (i / (N / 2) + 1));
        event_ends(done[0], CL_COMMAND_NDRANGE_KERNEL);
        event_ends(done[1], CL_COMMAND_NDRANGE_KERNEL);
    }
    return 0;
}
