/* SPDX-License-Identifier: MIT */
/*
 * queue_several.c - OpenCL 3.0 API, sections 5.6.1, 5.11 and 5.12: commands of several queues of one
 * context on the same SVM memory are ordered by events, markers and barriers with wait lists, and see
 * what the others wrote
 */
#include "conformance.h"

#define N      512
#define QUEUES 3
#define ROUNDS 30

int main(int argc, char **argv)
{
    cl_command_queue queues[QUEUES];
    cl_event last = NULL, gate;
    static cl_uint seen[N];

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel add = common_kernel("add");
    cl_uint *p = svm_alloc(0, sizeof(seen)), *q = svm_alloc(0, sizeof(seen));

    svm_set(p, 0, sizeof(seen));
    for (unsigned i = 0; i < QUEUES; i++)
        queues[i] = new_queue(0);
    last = gate = user_event();

    /* p and q are copied back and forth, each time with something added, each time elsewhere */
    for (unsigned round = 0; round < ROUNDS; round++) {
        cl_command_queue here = queues[round % QUEUES];
        cl_event added, next;

        switch (round % 3) { /* three ways to wait */
        case 0:
            run_add(here, add, p, round, N, 1, &last, &added);
            break;
        case 1:
            OK(clEnqueueBarrierWithWaitList(here, 1, &last, NULL));
            run_add(here, add, p, round, N, 0, NULL, &added);
            break;
        default:
            OK(clEnqueueMarkerWithWaitList(here, 1, &last, &next));
            run_add(here, add, p, round, N, 1, &next, &added);
        }
        here = queues[(round + 1) % QUEUES];
        OK(clEnqueueSVMMemcpy(here, CL_FALSE, q, p, sizeof(seen), 1, &added, &next));
        OK(clEnqueueSVMMemcpy(queues[(round + 2) % QUEUES], CL_FALSE, p, q, sizeof(seen), 1, &next,
                              &last));
    }
    for (unsigned i = 0; i < QUEUES; i++)
        OK(clFlush(queues[i]));
    CHECK(event_status(last) > CL_COMPLETE);
    OK(clSetUserEventStatus(gate, CL_COMPLETE));
    event_ends(last, CL_COMMAND_SVM_MEMCPY);
    svm_read(seen, p, sizeof(seen));
    for (unsigned i = 0; i < N; i++)
        EQ(seen[i], ROUNDS * (ROUNDS - 1) / 2);
    return 0;
}
