/* SPDX-License-Identifier: MIT */
/*
 * svm_pointers_inside.c - OpenCL 3.0 API, section 5.6.1: allocations hold pointers to each other and
 * into their middles, which kernels follow and change what they point to
 */
#include "conformance.h"

#define N 50

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel walk = common_kernel("walk");

    for (unsigned l = 0; l < 3; l++) {
        if (!has_level(&svm_levels[l]))
            continue;
        struct node *nodes = svm_alloc(svm_levels[l].flags, N * sizeof(*nodes)), built[N];
        cl_uint *values[2] = { svm_alloc(svm_levels[l].flags, N * sizeof(cl_uint)),
                               svm_alloc(svm_levels[l].flags, N * sizeof(cl_uint)) };
        cl_uint *sum = svm_alloc(svm_levels[l].flags, sizeof(*sum)), host[N], wanted = 0;
        const void *indirect[] = { values[0], values[1] + N / 2 }; /* the nodes are an argument */

        /* backwards through the nodes, to values of the one and the other allocation in turn */
        for (unsigned i = 0; i < N; i++) {
            built[i].next = i > 0 ? nodes + i - 1 : NULL;
            built[i].value = values[i % 2] + i;
            host[i] = i * i;
            wanted += i * i;
        }
        svm_write(nodes, built, sizeof(built));
        svm_write(values[0], host, sizeof(host));
        svm_write(values[1], host, sizeof(host));

        OK(clSetKernelExecInfo(walk, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(indirect), indirect));
        OK(clSetKernelArgSVMPointer(walk, 0, nodes + N - 1));
        OK(clSetKernelArgSVMPointer(walk, 1, sum));
        run(queue, walk, 1, 0, NULL, NULL);
        OK(clFinish(queue));
        EQ(svm_read_uint(sum), wanted);
        for (unsigned v = 0; v < 2; v++) {
            svm_read(host, values[v], sizeof(host));
            for (unsigned i = 0; i < N; i++)
                EQ(host[i], i * i + (i % 2 == v ? 1000 : 0));
        }
        clSVMFree(context, sum);
        clSVMFree(context, values[0]);
        clSVMFree(context, values[1]);
        clSVMFree(context, nodes);
    }
    return 0;
}
