/* SPDX-License-Identifier: MIT */
/* cl_std20.c - a program as published SVM programs are: built with -cl-std=CL2.0, generic pointers */
#include "cl_harness.h"

#define N 1000

static const char source[] =
    "int twice(int *p) { return 2 * *p; }\n"
    "kernel void k(global int *a, global atomic_int *sum) {\n"
    "    local int l[64];\n"
    "    size_t i = get_global_id(0);\n"
    "    l[get_local_id(0)] = a[i];\n"
    "    work_group_barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    atomic_fetch_add_explicit(sum, twice(&l[get_local_id(0)]) + twice(&a[i]),\n"
    "                              memory_order_relaxed, memory_scope_device);\n"
    "}\n";

int main(void)
{
    static const char *const versions[] = { "-cl-std=CL1.2", "-cl-std=CL2.0", "-cl-std=CL3.0" };

    cl_open();
    for (int v = 1; v < 3; v++) {
        cl_int err, sum = 0;
        cl_kernel k = clCreateKernel(cl_build_with(source, versions[v]), "k", &err);
        CL(err);
        int *a = clSVMAlloc(cl_ctx, CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER,
                            64 * N * sizeof(int), 0);
        CHECK(a != NULL);
        for (int i = 0; i < 64 * N; i++)
            a[i] = 1;
        cl_mem msum = cl_new_buffer(sizeof(sum), &sum);
        CL(clSetKernelArgSVMPointer(k, 0, a));
        ARG(k, 1, msum);
        cl_run(cl_queue, k, 64 * N, 64, NULL);
        CL(clEnqueueReadBuffer(cl_queue, msum, CL_TRUE, 0, sizeof(sum), &sum, 0, NULL, NULL));
        EQ(sum, 4 * 64 * N);
        clSVMFree(cl_ctx, a);
    }
    return 0;
}
