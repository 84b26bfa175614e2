/* SPDX-License-Identifier: MIT */
/* cl_divide.c - integer divisions that have no result do not stop a kernel, and the others are right */
#include "cl_harness.h"

#include <limits.h>

#define N 64

static const char source[] =
    "kernel void divide(global int *a, global int *b, global int *q, global int *r,\n"
    "                   global long *lq, global uint *uq) {\n"
    "    int i = get_global_id(0);\n"
    "    q[i] = a[i] / b[i]; r[i] = a[i] % b[i];\n"
    "    lq[i] = (long)a[i] / (long)b[i]; uq[i] = (uint)a[i] / (uint)b[i];\n"
    "}\n"
    "kernel void divide4(global int4 *a, global int4 *b, global int4 *q) {\n"
    "    int i = get_global_id(0); q[i] = a[i] / b[i];\n"
    "}\n";

int main(void)
{
    static int a[N] __attribute__((aligned(16))), b[N] __attribute__((aligned(16)));
    static int q[N] __attribute__((aligned(16))), r[N];
    static cl_long lq[N];
    static cl_uint uq[N];
    cl_event event;
    cl_int err;

    for (int i = 0; i < N; i++) {
        a[i] = i % 3 == 0 ? INT_MIN : 1000 * i - 7;
        b[i] = i % 4 - 1; /* -1, 0, 1, 2 */
    }
    cl_open();
    cl_program program = cl_build_with(source, "-cl-std=CL3.0");
    cl_kernel divide = clCreateKernel(program, "divide", &err);
    CL(err);
    cl_kernel divide4 = clCreateKernel(program, "divide4", &err);
    CL(err);

    void *pointers[] = { a, b, q, r, lq, uq };
    for (cl_uint i = 0; i < 6; i++)
        CL(clSetKernelArgSVMPointer(divide, i, pointers[i]));
    cl_run(cl_queue, divide, N, 8, &event);
    CL(clWaitForEvents(1, &event));
    for (int i = 0; i < N; i++) {
        if (b[i] == 0)
            continue;
        EQ(lq[i], (cl_long)a[i] / b[i]);
        EQ(uq[i], (cl_uint)a[i] / (cl_uint)b[i]);
        if (a[i] == INT_MIN && b[i] == -1)
            continue;
        EQ(q[i], a[i] / b[i]);
        EQ(r[i], a[i] % b[i]);
    }

    memset(q, 0, sizeof(q));
    for (cl_uint i = 0; i < 3; i++)
        CL(clSetKernelArgSVMPointer(divide4, i, pointers[i]));
    cl_run(cl_queue, divide4, N / 4, 4, &event);
    CL(clWaitForEvents(1, &event));
    for (int i = 0; i < N; i++)
        if (b[i] != 0 && !(a[i] == INT_MIN && b[i] == -1))
            EQ(q[i], a[i] / b[i]);
    return 0;
}
