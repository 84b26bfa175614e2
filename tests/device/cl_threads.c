/* SPDX-License-Identifier: MIT */
/*
 * cl_threads.c - many threads with a queue each, in and out of order, enqueue
 * kernels and copies at once; every one's chain of results is its own
 */
#include "cl_harness.h"

#include <pthread.h>

#define THREADS 12
#define ROUNDS  150
#define N       512

static const char source[] =
    "kernel void next(global uint *a, uint id) {\n"
    "    size_t i = get_global_id(0);\n"
    "    a[i] = a[i] * 1664525u + id + i;\n"
    "}\n";

static cl_program program;

static void *work(void *arg)
{
    cl_uint id = (cl_uint)(uintptr_t)arg, wanted[N] = { 0 }, is[N];
    bool in_order = id % 2 == 0;
    size_t global = N, local = 32;
    cl_event last = NULL, e;
    cl_int err;
    cl_uint *system = calloc(N, sizeof(*system));

    cl_command_queue q = cl_new_queue(in_order ? 0 : CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
    cl_kernel next = clCreateKernel(program, "next", &err);
    CL(err);
    cl_mem m = cl_new_buffer(sizeof(wanted), wanted);
    for (int round = 0; round < ROUNDS; round++) {
        if (id % 3 == 0)
            CL(clSetKernelArgSVMPointer(next, 0, system));
        else
            ARG(next, 0, m);
        ARG(next, 1, id);
        CL(clEnqueueNDRangeKernel(q, next, 1, NULL, &global, &local, !in_order && last != NULL,
                                  !in_order && last != NULL ? &last : NULL, &e));
        for (cl_uint i = 0; i < N; i++)
            wanted[i] = wanted[i] * 1664525u + id + i;
        if (last != NULL)
            CL(clReleaseEvent(last));
        last = e;
        if (round % 50 == 49) {
            if (id % 3 == 0) {
                CL(clWaitForEvents(1, &last));
                memcpy(is, system, sizeof(is));
            } else {
                CL(clEnqueueReadBuffer(q, m, CL_TRUE, 0, sizeof(is), is, 1, &last, NULL));
            }
            for (int i = 0; i < N; i++)
                EQ(is[i], wanted[i]);
        }
    }
    CL(clFinish(q));
    CL(clReleaseEvent(last));
    CL(clReleaseKernel(next));
    CL(clReleaseMemObject(m));
    CL(clReleaseCommandQueue(q));
    free(system);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];

    cl_open();
    program = cl_build_with(source, "-cl-std=CL3.0");
    for (uintptr_t i = 0; i < THREADS; i++)
        EQ(pthread_create(&threads[i], NULL, work, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        EQ(pthread_join(threads[i], NULL), 0);
    return 0;
}
