/* SPDX-License-Identifier: MIT */
/*
 * svm_map_nonblocking.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMMap: a map that does not block
 * completes after its wait list and what is before it in the queue, and then the host may access the
 * region; likewise a kernel after the unmap
 */
#include "conformance.h"

#define N 1024

int main(int argc, char **argv)
{
    cl_event gate, mapped, unmapped, added;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel add = common_kernel("add");
    cl_uint *p = svm_alloc(0, N * sizeof(*p));
    svm_set(p, 0, N * sizeof(*p));

    for (unsigned round = 0; round < 10; round++) {
        cl_uint base = round * 11;

        gate = user_event();
        run_add(queue, add, p, 1, N, 1, &gate, NULL);
        RETURNS(clEnqueueSVMMap(queue, CL_FALSE, CL_MAP_READ | CL_MAP_WRITE, p, N * sizeof(*p), 0,
                                NULL, &mapped), CL_SUCCESS);
        OK(clFlush(queue));
        CHECK(event_status(mapped) > CL_COMPLETE);
        OK(clSetUserEventStatus(gate, CL_COMPLETE));
        OK(clReleaseEvent(gate));
        event_ends(mapped, CL_COMMAND_SVM_MAP);
        for (unsigned i = 0; i < N; i++) {
            EQ(p[i], base + 1);
            p[i] = base;
        }

        gate = user_event();
        RETURNS(clEnqueueSVMUnmap(queue, p, 1, &gate, &unmapped), CL_SUCCESS);
        run_add(queue, add, p, 11, N, 1, &unmapped, &added);
        OK(clFlush(queue));
        CHECK(event_status(unmapped) > CL_COMPLETE);
        CHECK(event_status(added) > CL_COMPLETE);
        p[N - 1] = base; /* it still is the host's */
        OK(clSetUserEventStatus(gate, CL_COMPLETE));
        OK(clReleaseEvent(gate));
        event_ends(unmapped, CL_COMMAND_SVM_UNMAP);
        event_ends(added, CL_COMMAND_NDRANGE_KERNEL);
        EQ(svm_read_uint(p + N - 1), base + 11);
    }
    return 0;
}
