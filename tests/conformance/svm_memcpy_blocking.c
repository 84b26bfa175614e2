/* SPDX-License-Identifier: MIT */
/*
 * svm_memcpy_blocking.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMMemcpy: a blocking copy returns
 * when the data is there, after what it waits for; it need not wait for later or unrelated commands
 */
#include "conformance.h"

#include <pthread.h>

#define N 50000

static cl_event gate;
static cl_uint *values;

static void *open_gate(void *arg)
{
    (void)arg;
    usleep(50000);
    values[N - 1] = 77;
    OK(clSetUserEventStatus(gate, CL_COMPLETE));
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    cl_event done;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    values = calloc(N, sizeof(*values));
    cl_uint *copied = calloc(N, sizeof(*copied)), *p = svm_alloc(0, N * sizeof(*p));

    /* the data is there at once */
    for (unsigned round = 1; round < 20; round++) {
        values[N - 1] = values[0] = round;
        RETURNS(clEnqueueSVMMemcpy(queue, CL_TRUE, p, values, N * sizeof(*p), 0, NULL, NULL),
                CL_SUCCESS);
        values[N - 1] = values[0] = 1000; /* it was taken */
        RETURNS(clEnqueueSVMMemcpy(queue, CL_TRUE, copied, p, N * sizeof(*p), 0, NULL, &done),
                CL_SUCCESS);
        EQ(copied[0], round);
        EQ(copied[N - 1], round);
        EQ(event_status(done), CL_COMPLETE);
        OK(clReleaseEvent(done));
    }

    /* after the wait list */
    gate = user_event();
    CHECK(pthread_create(&thread, NULL, open_gate, NULL) == 0);
    RETURNS(clEnqueueSVMMemcpy(queue, CL_TRUE, p, values, N * sizeof(*p), 1, &gate, NULL),
            CL_SUCCESS);
    EQ(event_status(gate), CL_COMPLETE);
    CHECK(pthread_join(thread, NULL) == 0);
    RETURNS(clEnqueueSVMMemcpy(queue, CL_TRUE, copied, p, N * sizeof(*p), 0, NULL, NULL),
            CL_SUCCESS);
    EQ(copied[N - 1], 77);

    /* out of order, it does not wait for what waits for this program */
    cl_command_queue unordered = new_unordered_queue();
    if (unordered == NULL)
        return 0;
    gate = user_event();
    cl_uint zero = 0, *other = svm_alloc(0, sizeof(*other));
    OK(clEnqueueSVMMemFill(unordered, other, &zero, sizeof(zero), sizeof(*other), 1, &gate, &done));
    values[0] = 5;
    RETURNS(clEnqueueSVMMemcpy(unordered, CL_TRUE, p, values, sizeof(*p), 0, NULL, NULL),
            CL_SUCCESS);
    CHECK(event_status(done) > CL_COMPLETE);
    RETURNS(clEnqueueSVMMap(unordered, CL_TRUE, CL_MAP_READ, p, sizeof(*p), 0, NULL, NULL),
            CL_SUCCESS);
    CHECK(event_status(done) > CL_COMPLETE);
    EQ(p[0], 5);
    OK(clEnqueueSVMUnmap(unordered, p, 0, NULL, NULL));
    OK(clSetUserEventStatus(gate, CL_COMPLETE));
    OK(clFinish(unordered));
    return 0;
}
