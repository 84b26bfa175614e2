/* SPDX-License-Identifier: MIT */
/*
 * queue_barrier.c - OpenCL 3.0 API, section 5.12: in an out-of-order queue a barrier keeps commands on
 * SVM memory behind those before it, and a marker's event completes after them
 */
#include "conformance.h"

#define N 500

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
    cl_uint *a = svm_alloc(0, sizeof(seen)), *b = svm_alloc(0, sizeof(seen));

    for (unsigned round = 1; round <= 20; round++) {
        cl_event gate = user_event(), marker, second;

        OK(clEnqueueSVMMemFill(q, a, &zero, sizeof(zero), sizeof(seen), 1, &gate, NULL));
        OK(clEnqueueSVMMemFill(q, b, &zero, sizeof(zero), sizeof(seen), 0, NULL, NULL));
        OK(clEnqueueBarrierWithWaitList(q, 0, NULL, NULL));
        run_add(q, add, a, round, N, 0, NULL, NULL);
        run_add(q, add, b, 2 * round, N, 0, NULL, NULL);
        OK(clEnqueueBarrierWithWaitList(q, 0, NULL, NULL));
        OK(clEnqueueSVMMemcpy(q, CL_FALSE, a, b, N / 2 * sizeof(*a), 0, NULL, &second));
        OK(clEnqueueMarkerWithWaitList(q, 0, NULL, &marker));
        OK(clFlush(q));
        usleep(500);
        CHECK(event_status(second) > CL_COMPLETE);
        CHECK(event_status(marker) > CL_COMPLETE);
        OK(clSetUserEventStatus(gate, CL_COMPLETE));
        event_ends(marker, CL_COMMAND_MARKER);
        EQ(event_status(second), CL_COMPLETE);
        OK(clReleaseEvent(second));
        OK(clReleaseEvent(gate));
        svm_read(seen, a, sizeof(seen));
        for (unsigned i = 0; i < N; i++)
            EQ(seen[i], i < N / 2 ? 2 * round : round);
    }
    return 0;
}
