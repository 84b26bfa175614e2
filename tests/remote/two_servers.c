/* SPDX-License-Identifier: MIT */
/*
 * two_servers.c - one program with the devices of two servers in one context: a buffer goes back and
 * forth between them, each server's kernels build on what the other's have left, and each has run just
 * the kernels that it was given.
 */
#include "remote.h"

#define N (1 << 16)
#define ROUNDS 5

static const char source[] =
    "kernel void add(global uint *a, uint what) {\n"
    "    uint i = get_global_id(0);\n"
    "    a[i] = a[i] * 3 + what + i;\n"
    "}\n";

int main(void)
{
    static cl_uint a[N], read[N], expected[N];
    cl_event last = NULL, event;
    size_t global = N;
    const char *wanted = getenv("CONFORMANCE_DEVICE"); /* run-tests asks for a mode */

    if (wanted == NULL)
        wanted = "hmm (";
    open_all();
    for (int i = 0; i < SERVERS; i++) {
        char name[256];

        CL(clGetDeviceInfo(servers[i].device, CL_DEVICE_NAME, sizeof(name), name, NULL));
        if (strstr(name, wanted) == NULL)
            FAIL("server %d shows the device \"%s\", not \"%s\"", i, name, wanted);
    }
    cl_kernel add = kernel_of(build_all(source), "add");
    cl_mem m = buffer_of(sizeof(a));

    for (cl_uint i = 0; i < N; i++)
        expected[i] = a[i] = i * 7;
    CL(clEnqueueWriteBuffer(servers[0].queue, m, CL_FALSE, 0, sizeof(a), a, 0, NULL, &last));
    /* One more for the first server, so that their counts differ. */
    for (cl_uint round = 0; round < 2 * ROUNDS + 1; round++) {
        struct server *s = &servers[round % 2];

        ARG(add, 0, m);
        ARG(add, 1, round);
        CL(clEnqueueNDRangeKernel(s->queue, add, 1, NULL, &global, NULL, 1, &last, &event));
        CL(clFlush(s->queue));
        CL(clReleaseEvent(last));
        last = event;
        for (cl_uint i = 0; i < N; i++)
            expected[i] = expected[i] * 3 + round + i;
    }
    /* a itself is left alone: the write is not waited for and reads it when its turn comes. */
    CL(clEnqueueReadBuffer(servers[1].queue, m, CL_TRUE, 0, sizeof(read), read, 1, &last, NULL));
    for (cl_uint i = 0; i < N; i++)
        EQ(read[i], expected[i]);

    EQ(server_stop(&servers[0]), ROUNDS + 1);
    EQ(server_stop(&servers[1]), ROUNDS);
    return 0;
}
