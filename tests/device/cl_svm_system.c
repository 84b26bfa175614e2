/* SPDX-License-Identifier: MIT */
/*
 * cl_svm_system.c - OpenCL's SVM commands on memory of malloc: copy, fill, map,
 * unmap, migrate and free keep to their wait list, return events, and complete
 */
#include "cl_harness.h"

#define N 100000

int main(void)
{
    const cl_int pattern = 0x12345678;
    cl_event user, e[5];
    cl_int err;

    cl_open();
    cl_int *a = malloc(N * sizeof(*a)), *b = malloc(N * sizeof(*b));
    memset(a, 1, N * sizeof(*a));
    memset(b, 2, N * sizeof(*b));
    const void *pointers[] = { a, b };
    const size_t sizes[] = { N * sizeof(*a), 0 };

    user = clCreateUserEvent(cl_ctx, &err);
    CL(err);
    CL(clEnqueueSVMMap(cl_queue, CL_FALSE, CL_MAP_WRITE, a, N * sizeof(*a), 1, &user, &e[0]));
    CL(clEnqueueSVMUnmap(cl_queue, a, 0, NULL, &e[1]));
    CL(clEnqueueSVMMemFill(cl_queue, a, &pattern, sizeof(pattern), N * sizeof(*a), 0, NULL,
                           &e[2]));
    CL(clEnqueueSVMMemcpy(cl_queue, CL_FALSE, b, a, N * sizeof(*a), 0, NULL, &e[3]));
    CL(clEnqueueSVMMigrateMem(cl_queue, 2, pointers, sizes, 0, 0, NULL, &e[4]));
    for (int i = 0; i < 5; i++)
        CHECK(event_status(e[i]) > CL_COMPLETE);
    EQ(a[N / 2], 0x01010101);
    EQ(b[N / 2], 0x02020202);

    CL(clSetUserEventStatus(user, CL_COMPLETE));
    CL(clWaitForEvents(5, e));
    for (int i = 0; i < 5; i++) {
        static const cl_command_type types[] = { CL_COMMAND_SVM_MAP, CL_COMMAND_SVM_UNMAP,
                                                 CL_COMMAND_SVM_MEMFILL, CL_COMMAND_SVM_MEMCPY,
                                                 CL_COMMAND_SVM_MIGRATE_MEM };
        cl_command_type type;

        EQ(event_status(e[i]), CL_COMPLETE);
        CL(clGetEventInfo(e[i], CL_EVENT_COMMAND_TYPE, sizeof(type), &type, NULL));
        EQ(type, types[i]);
        CL(clReleaseEvent(e[i]));
    }
    for (int i = 0; i < N; i++) {
        EQ(a[i], pattern);
        EQ(b[i], pattern);
    }

    /* without events, and with blocking */
    a[0] = 1;
    CL(clEnqueueSVMMap(cl_queue, CL_TRUE, CL_MAP_READ, a, sizeof(*a), 0, NULL, NULL));
    CL(clEnqueueSVMUnmap(cl_queue, a, 0, NULL, NULL));
    CL(clEnqueueSVMMemcpy(cl_queue, CL_TRUE, b, a, sizeof(*a), 0, NULL, NULL));
    EQ(b[0], 1);
    CL(clEnqueueSVMMemFill(cl_queue, b, &pattern, sizeof(pattern), sizeof(*b), 0, NULL, NULL));
    CL(clFinish(cl_queue));
    EQ(b[0], pattern);

    /* freeing what is not SVM's changes nothing */
    void *foreign[] = { a };
    clSVMFree(cl_ctx, b);
    CL(clEnqueueSVMFree(cl_queue, 1, foreign, NULL, NULL, 0, NULL, &e[0]));
    CL(clWaitForEvents(1, &e[0]));
    EQ(b[N - 1], pattern);
    EQ(a[N - 1], pattern);
    free(a);
    free(b);

    /* and SVM's own goes */
    foreign[0] = clSVMAlloc(cl_ctx, CL_MEM_READ_WRITE, 4096, 0);
    CHECK(foreign[0] != NULL);
    CL(clEnqueueSVMFree(cl_queue, 1, foreign, NULL, NULL, 0, NULL, NULL));
    CL(clFinish(cl_queue));
    return 0;
}
