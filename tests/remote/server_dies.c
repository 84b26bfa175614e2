/* SPDX-License-Identifier: MIT */
/*
 * server_dies.c - a server is killed while it runs a kernel: that kernel, what depends on it on the
 * other server too, and what is asked of the dead one later fail, nothing hangs, and the other server
 * goes on, with its buffers.
 */
#include "remote.h"

#define N 1024

static const char source[] =
    "kernel void forever(global volatile uint *a) { a[1] = 1; while (a[0] == 0); }\n"
    "kernel void add(global uint *a) { a[get_global_id(0)] += 5; }\n";

static cl_event go(struct server *s, cl_kernel kernel, cl_mem m, size_t global, cl_event after)
{
    cl_event event;

    ARG(kernel, 0, m);
    CL(clEnqueueNDRangeKernel(s->queue, kernel, 1, NULL, &global, NULL, after != NULL,
                              after != NULL ? &after : NULL, &event));
    CL(clFlush(s->queue));
    return event;
}

int main(void)
{
    static cl_uint a[N];
    cl_int running = CL_QUEUED;
    size_t global = N;
    int status;

    open_all();
    cl_program program = build_all(source);
    cl_kernel forever = kernel_of(program, "forever"), add = kernel_of(program, "add");
    cl_mem here = buffer_of(sizeof(a)), there = buffer_of(sizeof(a));

    CL(clEnqueueWriteBuffer(servers[0].queue, here, CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL));
    CL(clEnqueueWriteBuffer(servers[1].queue, there, CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL));
    CL(clWaitForEvents(1, &(cl_event){ go(&servers[0], add, here, N, NULL) }));

    cl_event stuck = go(&servers[1], forever, there, 1, NULL);
    cl_event behind = go(&servers[0], add, here, N, stuck);
    while (running > CL_RUNNING) {
        CL(clGetEventInfo(stuck, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(running), &running,
                          NULL));
        usleep(1000);
    }
    CHECK(kill(servers[1].server_pid, SIGKILL) == 0);
    EQ(clWaitForEvents(1, &stuck), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    EQ(event_status(stuck), CL_DEVICE_NOT_AVAILABLE);
    EQ(clWaitForEvents(1, &behind), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    CHECK(event_status(behind) < 0);
    CHECK(waitpid(servers[1].pid, &status, 0) == servers[1].pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 125);

    /* What is asked of it from now on. */
    ARG(add, 0, there);
    EQ(clEnqueueNDRangeKernel(servers[1].queue, add, 1, NULL, &global, NULL, 0, NULL, NULL),
       CL_DEVICE_NOT_AVAILABLE);
    CHECK(clEnqueueReadBuffer(servers[1].queue, there, CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL) < 0);
    cl_bool available = CL_TRUE;
    CL(clGetDeviceInfo(servers[1].device, CL_DEVICE_AVAILABLE, sizeof(available), &available, NULL));
    EQ(available, CL_FALSE);
    EQ(clFinish(servers[1].queue), CL_DEVICE_NOT_AVAILABLE);

    /* The last to write this buffer was the dead one. */
    cl_event orphan = go(&servers[0], add, there, N, NULL);
    EQ(clWaitForEvents(1, &orphan), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    CHECK(event_status(orphan) < 0);

    /* The other one. */
    CL(clWaitForEvents(1, &(cl_event){ go(&servers[0], add, here, N, NULL) }));
    CL(clEnqueueReadBuffer(servers[0].queue, here, CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL));
    for (int i = 0; i < N; i++)
        EQ(a[i], 10);
    CL(clReleaseMemObject(there));
    CL(clReleaseMemObject(here));
    EQ(server_stop(&servers[0]), 2);
    return 0;
}
