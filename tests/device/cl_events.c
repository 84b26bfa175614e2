/* SPDX-License-Identifier: MIT */
/*
 * cl_events.c - user events, dependences across out-of-order queues, markers,
 * barriers, callbacks, and what depends on something that failed
 */
#include "cl_harness.h"

#include <stdatomic.h>
#include <time.h>

static const char source[] =
    "kernel void move(global int *a, int from, int to) {\n"
    "    if (a[0] == from) a[0] = to;\n"
    "}\n";

static atomic_int calls;

static void CL_CALLBACK called(cl_event event, cl_int status, void *user)
{
    (void)event;
    atomic_fetch_add(&calls, status == CL_COMPLETE ? 1 : 1000);
    atomic_fetch_add((atomic_int *)user, 1);
}

static cl_kernel step;
static cl_mem m;

static cl_event enqueue(cl_command_queue queue, cl_int from, cl_int to, cl_event after)
{
    size_t one = 1;
    cl_event event;

    ARG(step, 0, m);
    ARG(step, 1, from);
    ARG(step, 2, to);
    CL(clEnqueueNDRangeKernel(queue, step, 1, NULL, &one, NULL, after != NULL, after ? &after : NULL,
                              &event));
    return event;
}

static cl_int value(void)
{
    cl_int x;

    CL(clEnqueueReadBuffer(cl_queue, m, CL_TRUE, 0, sizeof(x), &x, 0, NULL, NULL));
    return x;
}

int main(void)
{
    cl_int err, zero = 0;
    atomic_int mine = 0;

    cl_open();
    cl_command_queue any = cl_new_queue(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
    step = cl_get_kernel(source, "move");
    m = cl_new_buffer(sizeof(zero), &zero);

    /* nothing runs before the user event, then each after the one before */
    cl_event user = clCreateUserEvent(cl_ctx, &err), e[100];
    CL(err);
    for (int i = 0; i < 100; i++)
        e[i] = enqueue(any, i, i + 1, i == 0 ? user : e[i - 1]);
    CL(clSetEventCallback(e[99], CL_COMPLETE, called, &mine));
    CL(clFlush(any));
    nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    EQ(value(), 0);
    EQ(event_status(e[0]), CL_QUEUED);
    CL(clSetUserEventStatus(user, CL_COMPLETE));
    CL(clWaitForEvents(1, &e[99]));
    EQ(value(), 100);
    for (int i = 0; i < 100; i++)
        EQ(event_status(e[i]), CL_COMPLETE);
    for (int i = 0; i < 2000 && atomic_load(&mine) == 0; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    EQ(mine, 1);
    EQ(calls, 1);

    /* a marker waits for what it names, a barrier holds back what follows */
    cl_event marker, barrier;
    user = clCreateUserEvent(cl_ctx, &err);
    e[0] = enqueue(any, 100, 101, user);
    CL(clEnqueueMarkerWithWaitList(any, 1, &e[0], &marker));
    CL(clEnqueueBarrierWithWaitList(any, 1, &e[0], &barrier));
    e[1] = enqueue(any, 101, 102, NULL);
    CL(clFlush(any));
    EQ(event_status(marker), CL_QUEUED);
    EQ(event_status(e[1]), CL_QUEUED);
    CL(clSetUserEventStatus(user, CL_COMPLETE));
    CL(clFinish(any));
    EQ(value(), 102);
    EQ(event_status(marker), CL_COMPLETE);
    EQ(event_status(barrier), CL_COMPLETE);

    /* failure spreads to what depends on it, and to nothing else */
    user = clCreateUserEvent(cl_ctx, &err);
    e[0] = enqueue(any, 102, 500, user);
    e[1] = enqueue(any, 500, 501, e[0]);
    e[2] = enqueue(cl_queue, 102, 103, NULL);
    CL(clSetUserEventStatus(user, -77));
    EQ(clWaitForEvents(1, &e[1]), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    CHECK(event_status(e[0]) < 0);
    CHECK(event_status(e[1]) < 0);
    CL(clWaitForEvents(1, &e[2]));
    CL(clFinish(any));
    EQ(value(), 103);

    /* an in-order queue goes on after a command whose wait list failed */
    user = clCreateUserEvent(cl_ctx, &err);
    e[0] = enqueue(cl_queue, 103, 500, user);
    CL(clSetUserEventStatus(user, -1));
    CHECK(clWaitForEvents(1, &e[0]) < 0);
    e[1] = enqueue(cl_queue, 103, 104, NULL);
    CL(clWaitForEvents(1, &e[1]));
    EQ(value(), 104);
    return 0;
}
