/* SPDX-License-Identifier: MIT */
/*
 * queue_in_order.c - OpenCL 3.0 API, sections 5.13 and 5.6.1: in an in-order queue each command on
 * SVM memory sees what those before it did, without any event
 */
#include "conformance.h"

#define N 1000

int main(int argc, char **argv)
{
    static cl_uint seen[N];
    const cl_uint one = 1;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel add = common_kernel("add");
    cl_uint *a = svm_alloc(0, sizeof(seen)), *b = svm_alloc(0, sizeof(seen));

    for (unsigned round = 0; round < 20; round++) {
        cl_event gate = user_event(); /* so that all of it is enqueued before any of it runs */

        OK(clEnqueueSVMMemFill(queue, a, &one, sizeof(one), sizeof(seen), 1, &gate, NULL));
        run_add(queue, add, a, 10, N, 0, NULL, NULL);
        OK(clEnqueueSVMMemcpy(queue, CL_FALSE, b, a, sizeof(seen), 0, NULL, NULL));
        run_add(queue, add, a, 100, N, 0, NULL, NULL);
        run_add(queue, add, b, 1000, N, 0, NULL, NULL);
        OK(clEnqueueSVMMemcpy(queue, CL_FALSE, a + N / 2, b, N / 2 * sizeof(*a), 0, NULL, NULL));
        OK(clEnqueueSVMMemFill(queue, a, &one, sizeof(one), sizeof(*a), 0, NULL, NULL));
        OK(clEnqueueSVMMemcpy(queue, CL_FALSE, seen, a, sizeof(seen), 0, NULL, NULL));
        OK(clSetUserEventStatus(gate, CL_COMPLETE));
        OK(clFinish(queue));
        for (unsigned i = 0; i < N; i++)
            EQ(seen[i], i == 0 ? 1 : i < N / 2 ? 111 : 1011);
        OK(clReleaseEvent(gate));
    }
    return 0;
}
