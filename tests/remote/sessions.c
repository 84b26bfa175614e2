/* SPDX-License-Identifier: MIT */
/*
 * sessions.c - a server that has had another client before, so that the two servers number their
 * sessions differently: buffers still go from one to the other, both ways.
 */
#include "remote.h"

#define N 4096

int main(void)
{
    static cl_uint a[N], b[N];
    int status;

    for (int i = 0; i < SERVERS; i++)
        server_start(&servers[i]);
    /* The other client is a process of its own and uses the second server only. */
    pid_t other = fork();
    CHECK(other >= 0);
    if (other == 0) {
        servers[0] = servers[1];
        client_open();
        _exit(0);
    }
    CHECK(waitpid(other, &status, 0) == other);
    EQ(status, 0);

    client_open();
    cl_mem m = buffer_of(sizeof(a));
    for (cl_uint i = 0; i < N; i++)
        a[i] = i * 3 + 1;
    CL(clEnqueueWriteBuffer(servers[0].queue, m, CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL));
    CL(clEnqueueMigrateMemObjects(servers[1].queue, 1, &m, 0, 0, NULL, NULL));
    CL(clFinish(servers[1].queue));
    CL(clEnqueueReadBuffer(servers[1].queue, m, CL_TRUE, 0, sizeof(b), b, 0, NULL, NULL));
    EQ(memcmp(a, b, sizeof(a)), 0);

    a[7] = 99;
    CL(clEnqueueWriteBuffer(servers[1].queue, m, CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL));
    CL(clEnqueueMigrateMemObjects(servers[0].queue, 1, &m, 0, 0, NULL, NULL));
    CL(clFinish(servers[0].queue));
    memset(b, 0, sizeof(b));
    CL(clEnqueueReadBuffer(servers[0].queue, m, CL_TRUE, 0, sizeof(b), b, 0, NULL, NULL));
    EQ(memcmp(a, b, sizeof(a)), 0);

    EQ(server_stop(&servers[0]), 0);
    EQ(server_stop(&servers[1]), 0);
    return 0;
}
