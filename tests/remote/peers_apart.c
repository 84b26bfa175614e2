/* SPDX-License-Identifier: MIT */
/*
 * peers_apart.c - servers that cannot reach each other, as the client names an address of the second
 * one at which it does not listen: buffers go through the client, and are right.
 */
#include "remote.h"

#define N 4096

static const char source[] = "kernel void add(global uint *a) { a[get_global_id(0)] += 5; }\n";

int main(void)
{
    static cl_uint a[N];
    size_t global = N;

    for (int i = 0; i < SERVERS; i++)
        server_start(&servers[i]);
    strcat(servers[1].parameters, "#127.0.0.99");
    client_open();
    cl_kernel add = kernel_of(build_all(source), "add");
    cl_mem m = buffer_of(sizeof(a));

    for (cl_uint i = 0; i < N; i++)
        a[i] = i;
    CL(clEnqueueWriteBuffer(servers[0].queue, m, CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL));
    ARG(add, 0, m);
    for (int i = 0; i < 4; i++) {
        CL(clEnqueueNDRangeKernel(servers[i % 2].queue, add, 1, NULL, &global, NULL, 0, NULL, NULL));
        CL(clFinish(servers[i % 2].queue));
    }
    CL(clEnqueueReadBuffer(servers[1].queue, m, CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL));
    for (cl_uint i = 0; i < N; i++)
        EQ(a[i], i + 20);

    EQ(server_stop(&servers[0]), 2);
    EQ(server_stop(&servers[1]), 2);
    return 0;
}
