/* SPDX-License-Identifier: MIT */
/*
 * svm_memcpy_system.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMMemcpy: both pointers may be to
 * host memory that is no SVM allocation; the copy keeps to its wait list and the queue's order
 */
#include "conformance.h"

#define N 30000

int main(int argc, char **argv)
{
    static cl_uint in_program[N];
    cl_event done[3], gate;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_uint *a = malloc(N * sizeof(*a)), *b = calloc(N, sizeof(*b));
    for (unsigned i = 0; i < N; i++)
        a[i] = i + 1;

    gate = user_event();
    OK(clEnqueueSVMMemcpy(queue, CL_FALSE, b, a, N * sizeof(*a), 1, &gate, &done[0]));
    OK(clEnqueueSVMMemcpy(queue, CL_FALSE, in_program + 1, b, (N - 1) * sizeof(*a), 1, &done[0],
                          &done[1]));
    OK(clEnqueueSVMMemcpy(queue, CL_FALSE, a, in_program, sizeof(*a), 0, NULL, &done[2]));
    OK(clFlush(queue));
    for (unsigned i = 0; i < 3; i++)
        CHECK(event_status(done[i]) > CL_COMPLETE);
    EQ(b[0], 0);
    a[N - 1] = 5; /* nobody has read it yet */
    OK(clSetUserEventStatus(gate, CL_COMPLETE));
    for (unsigned i = 0; i < 3; i++)
        event_ends(done[i], CL_COMMAND_SVM_MEMCPY);
    for (unsigned i = 0; i < N; i++)
        EQ(b[i], i == N - 1 ? 5 : i + 1);
    for (unsigned i = 0; i < N; i++)
        EQ(in_program[i], i);
    EQ(a[0], 0);
    return 0;
}
