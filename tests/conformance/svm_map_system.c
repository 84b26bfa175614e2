/* SPDX-License-Identifier: MIT */
/*
 * svm_map_system.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMMap and clEnqueueSVMUnmap: on system
 * memory they are commands as on any SVM, with wait lists, events and a place in the queue
 */
#include "conformance.h"

#define N 1024

int main(int argc, char **argv)
{
    cl_event gate, done[4];

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_FINE_GRAIN_SYSTEM);
    cl_kernel add = common_kernel("add");
    cl_uint *p = calloc(N, sizeof(*p));

    gate = user_event();
    run_add(queue, add, p, 1, N, 1, &gate, &done[0]);
    RETURNS(clEnqueueSVMMap(queue, CL_FALSE, CL_MAP_READ, p, N * sizeof(*p), 0, NULL, &done[1]),
            CL_SUCCESS);
    RETURNS(clEnqueueSVMUnmap(queue, p, 1, &done[1], &done[2]), CL_SUCCESS);
    run_add(queue, add, p, 2, N, 1, &done[2], &done[3]);
    OK(clFlush(queue));
    for (unsigned i = 0; i < 4; i++)
        CHECK(event_status(done[i]) > CL_COMPLETE);
    for (unsigned i = 0; i < N; i++)
        EQ(p[i], 0);
    OK(clSetUserEventStatus(gate, CL_COMPLETE));
    event_ends(done[0], CL_COMMAND_NDRANGE_KERNEL);
    event_ends(done[1], CL_COMMAND_SVM_MAP);
    event_ends(done[2], CL_COMMAND_SVM_UNMAP);
    event_ends(done[3], CL_COMMAND_NDRANGE_KERNEL);

    /* a blocking one in the middle, a part */
    run_add(queue, add, p, 3, N, 0, NULL, NULL);
    RETURNS(clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_WRITE, p + 10, sizeof(*p), 0, NULL, NULL),
            CL_SUCCESS);
    for (unsigned i = 0; i < N; i++)
        EQ(p[i], 6);
    RETURNS(clEnqueueSVMUnmap(queue, p + 10, 0, NULL, NULL), CL_SUCCESS);
    OK(clFinish(queue));
    return 0;
}
