/* SPDX-License-Identifier: MIT */
/*
 * A kernel with the reqd_work_group_size attribute runs with that size if it is enqueued without
 * one, in fewer dimensions too, and with no other (OpenCL 3.0, 5.10, clEnqueueNDRangeKernel).
 */
#include "cl_harness.h"

static const char source[] =
    "kernel __attribute__((reqd_work_group_size(4, 1, 1))) void one(global int *out)\n"
    "{ atomic_inc(&out[get_local_size(0) * 100 + get_local_size(1) * 10 + get_local_size(2)]); }\n"
    "kernel __attribute__((reqd_work_group_size(2, 3, 4))) void three(global int *out)\n"
    "{ atomic_inc(&out[get_local_size(0) * 100 + get_local_size(1) * 10 + get_local_size(2)]); }\n";

#define SLOTS 1000

/* Runs it without a local size; all work-items must see the size that is `wanted`. */
static void run(cl_kernel kernel, cl_uint dimensions, int wanted)
{
    static const size_t global[3] = { 8, 6, 12 };
    static int out[SLOTS];
    cl_mem buffer;
    int items = 1;

    memset(out, 0, sizeof(out));
    buffer = cl_new_buffer(sizeof(out), out);
    ARG(kernel, 0, buffer);
    CL(clEnqueueNDRangeKernel(cl_queue, kernel, dimensions, NULL, global, NULL, 0, NULL, NULL));
    CL(clEnqueueReadBuffer(cl_queue, buffer, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
    for (cl_uint i = 0; i < dimensions; i++)
        items *= (int)global[i];
    for (int i = 0; i < SLOTS; i++)
        EQ(out[i], i == wanted ? items : 0);
    CL(clReleaseMemObject(buffer));
}

static cl_int enqueue(cl_kernel kernel, cl_uint dimensions, size_t x, size_t y, size_t z)
{
    const size_t global[3] = { 24, 24, 24 }, local[3] = { x, y, z };

    return clEnqueueNDRangeKernel(cl_queue, kernel, dimensions, NULL, global, x ? local : NULL, 0,
                                  NULL, NULL);
}

int main(void)
{
    cl_kernel one, three;

    cl_open();
    one = cl_get_kernel(source, "one");
    three = cl_get_kernel(source, "three");
    run(one, 1, 411);
    run(one, 2, 411);
    run(one, 3, 411);
    run(three, 3, 234);

    EQ(enqueue(one, 1, 2, 1, 1), CL_INVALID_WORK_GROUP_SIZE);
    EQ(enqueue(three, 3, 3, 2, 4), CL_INVALID_WORK_GROUP_SIZE);
    /* The third dimension of the attribute is not 1. */
    EQ(enqueue(three, 2, 0, 0, 0), CL_INVALID_WORK_GROUP_SIZE);
    CL(clFinish(cl_queue));
    return 0;
}
