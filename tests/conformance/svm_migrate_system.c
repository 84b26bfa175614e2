/* SPDX-License-Identifier: MIT */
/*
 * svm_migrate_system.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMMigrateMem: a range of system
 * memory is CL_INVALID_VALUE, without an event; or, as the device extends the call to it, migrates,
 * with one. Its contents stay
 */
#include "conformance.h"

#define N 5000

int main(int argc, char **argv)
{
    cl_event gate, untouched, event;

    test_open(argc, argv);
    if (device_version < 210)
        SKIP("clEnqueueSVMMigrateMem is new in OpenCL 2.1");
    need_svm(CL_DEVICE_SVM_FINE_GRAIN_SYSTEM);
    cl_kernel add = common_kernel("add");
    cl_uint *p = calloc(N, sizeof(*p));
    const void *list[] = { p };
    const size_t sizes[] = { N * sizeof(*p) };

    gate = untouched = event = user_event();
    cl_int err = clEnqueueSVMMigrateMem(queue, 1, list, sizes, 0, 1, &gate, &event);
    if (err != CL_SUCCESS) {
        EQ(err, CL_INVALID_VALUE);
        SAME(event, untouched);
        printf("the call is for allocations alone\n");
        OK(clSetUserEventStatus(gate, CL_COMPLETE));
    } else {
        OK(clFlush(queue));
        CHECK(event_status(event) > CL_COMPLETE);
        OK(clSetUserEventStatus(gate, CL_COMPLETE));
        event_ends(event, CL_COMMAND_SVM_MIGRATE_MEM);
        OK(clEnqueueSVMMigrateMem(queue, 1, list, sizes, CL_MIGRATE_MEM_OBJECT_HOST, 0, NULL, NULL));
    }
    run_add(queue, add, p, 3, N, 0, NULL, NULL);
    OK(clFinish(queue));
    for (unsigned i = 0; i < N; i++)
        EQ(p[i], 3);
    return 0;
}
