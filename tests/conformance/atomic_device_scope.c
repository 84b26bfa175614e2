/* SPDX-License-Identifier: MIT */
/*
 * atomic_device_scope.c - OpenCL 3.0 API, sections 3.3.6 and 5.6.1: two kernels that may run at the
 * same time on one device count in one coarse-grained allocation with device scope, and no value is
 * given twice
 */
#include "atomics.h"

#define N 4096

static const char source[] =
    "kernel void take(global atomic_uint *counter, global uint *marks) {\n"
    "    for (int i = 0; i < 4; i++)\n"
    "        marks[atomic_fetch_add_explicit(counter, 1, memory_order_relaxed, memory_scope_device)]\n"
    "            += 1;\n"
    "}\n";

int main(int argc, char **argv)
{
    cl_command_queue queues[2];

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    need_atomics(CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES, CL_DEVICE_ATOMIC_SCOPE_DEVICE);
    cl_kernel kernel = get_kernel(source, "take");
    cl_uint *counter = svm_alloc(0, sizeof(*counter)), *marks = svm_alloc(0, 8 * N * sizeof(*marks));
    static cl_uint seen[8 * N];

    queues[0] = new_queue(0);
    queues[1] = new_queue(0);
    svm_set(counter, 0, sizeof(*counter));
    svm_set(marks, 0, sizeof(seen));
    OK(clSetKernelArgSVMPointer(kernel, 0, counter));
    OK(clSetKernelArgSVMPointer(kernel, 1, marks));
    for (unsigned i = 0; i < 16; i++) {
        run(queues[i % 2], kernel, N / 8, 0, NULL, NULL);
        OK(clFlush(queues[i % 2]));
    }
    OK(clFinish(queues[0]));
    OK(clFinish(queues[1]));
    EQ(svm_read_uint(counter), 8 * N);
    svm_read(seen, marks, sizeof(seen));
    for (unsigned i = 0; i < 8 * N; i++)
        EQ(seen[i], 1);
    return 0;
}
