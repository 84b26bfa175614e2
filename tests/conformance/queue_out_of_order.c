/* SPDX-License-Identifier: MIT */
/*
 * queue_out_of_order.c - OpenCL 3.0 API, sections 5.13 and 5.6.1: in an out-of-order queue events
 * order commands on SVM memory, in a chain that splits and joins
 */
#include "conformance.h"

#define N 1000

int main(int argc, char **argv)
{
    static cl_uint seen[N];
    const cl_uint zero = 0;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_command_queue q = new_unordered_queue();
    if (q == NULL)
        SKIP("the device has no out-of-order queues");
    cl_kernel add = common_kernel("add");
    cl_uint *a = svm_alloc(0, sizeof(seen));

    for (unsigned round = 0; round < 20; round++) {
        cl_event filled, halves[2], all[4], copied;

        OK(clEnqueueSVMMemFill(q, a, &zero, sizeof(zero), sizeof(seen), 0, NULL, &filled));
        run_add(q, add, a, 1, N / 2, 1, &filled, &halves[0]);
        run_add(q, add, a + N / 2, 2, N / 2, 1, &filled, &halves[1]);
        for (unsigned part = 0; part < 4; part++)
            run_add(q, add, a + part * N / 4, 10 * (part + 1), N / 4, 2, halves, &all[part]);
        OK(clEnqueueSVMMemcpy(q, CL_FALSE, seen, a, sizeof(seen), 4, all, &copied));
        OK(clWaitForEvents(1, &copied));
        for (unsigned i = 0; i < N; i++)
            EQ(seen[i], 1 + i / (N / 2) + 10 * (i / (N / 4) + 1));
        for (unsigned part = 0; part < 4; part++)
            event_ends(all[part], CL_COMMAND_NDRANGE_KERNEL);
        event_ends(halves[0], CL_COMMAND_NDRANGE_KERNEL);
        event_ends(halves[1], CL_COMMAND_NDRANGE_KERNEL);
        event_ends(filled, CL_COMMAND_SVM_MEMFILL);
        event_ends(copied, CL_COMMAND_SVM_MEMCPY);
    }
    return 0;
}
