/* SPDX-License-Identifier: MIT */
/* cl_vecadd.c - buffers go in, a kernel adds them, the sum comes out; twice on warm code */
#include "cl_harness.h"

#define N 100000

static const char source[] =
    "kernel void add(global const int *a, global const int *b, global int *c, int n) {\n"
    "    size_t i = get_global_id(0);\n"
    "    if (i < n) c[i] = a[i] + b[i];\n"
    "}\n";

int main(void)
{
    static cl_int a[N], b[N], c[N];
    cl_int n = N - 7;

    for (int i = 0; i < N; i++) {
        a[i] = i;
        b[i] = 3 * i + 1;
    }
    cl_open();
    cl_kernel add = cl_get_kernel(source, "add");
    cl_mem ma = cl_new_buffer(sizeof(a), a), mb = cl_new_buffer(sizeof(b), b);
    cl_mem mc = cl_new_buffer(sizeof(c), NULL);

    ARG(add, 0, ma);
    ARG(add, 1, mb);
    ARG(add, 2, mc);
    ARG(add, 3, n);
    for (int round = 0; round < 2; round++) {
        cl_int fill = -1 - round;
        int sums = 0, untouched = 0;

        CL(clEnqueueFillBuffer(cl_queue, mc, &fill, sizeof(fill), 0, sizeof(c), 0, NULL, NULL));
        cl_run(cl_queue, add, N, 0, NULL);
        CL(clEnqueueReadBuffer(cl_queue, mc, CL_TRUE, 0, sizeof(c), c, 0, NULL, NULL));
        for (int i = 0; i < N; i++) {
            sums += c[i] == 4 * i + 1;
            untouched += c[i] == fill;
        }
        EQ(sums, n);
        EQ(untouched, N - n);
    }
    return 0;
}
