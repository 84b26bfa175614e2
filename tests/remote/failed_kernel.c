/* SPDX-License-Identifier: MIT */
/*
 * failed_kernel.c - a kernel that fails on the server, as it wants more local memory than there is:
 * the client's event fails, and the next kernel runs.
 */
#include "remote.h"

#define N 256

static const char source[] =
    "kernel void greedy(global uint *a, local uint *l) {\n"
    "    l[get_local_id(0)] = 1; a[get_global_id(0)] = l[get_local_id(0)];\n"
    "}\n"
    "kernel void add(global uint *a) { a[get_global_id(0)] += 5; }\n";

int main(void)
{
    static cl_uint a[N];
    size_t global = N;
    cl_event event;

    open_all();
    cl_program program = build_all(source);
    cl_kernel greedy = kernel_of(program, "greedy"), add = kernel_of(program, "add");
    cl_mem m = buffer_of(sizeof(a));

    CL(clEnqueueWriteBuffer(servers[0].queue, m, CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL));
    ARG(greedy, 0, m);
    ARG(add, 0, m);
    CL(clSetKernelArg(greedy, 1, 1 << 28, NULL));
    if (clEnqueueNDRangeKernel(servers[0].queue, greedy, 1, NULL, &global, NULL, 0, NULL, &event) ==
        CL_SUCCESS) {
        EQ(clWaitForEvents(1, &event), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
        CHECK(event_status(event) < 0);
    }
    CL(clEnqueueNDRangeKernel(servers[0].queue, add, 1, NULL, &global, NULL, 0, NULL, &event));
    CL(clWaitForEvents(1, &event));
    CL(clEnqueueReadBuffer(servers[0].queue, m, CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL));
    for (int i = 0; i < N; i++)
        EQ(a[i], 5);
    CHECK(server_stop(&servers[0]) >= 1);
    EQ(server_stop(&servers[1]), 0);
    return 0;
}
