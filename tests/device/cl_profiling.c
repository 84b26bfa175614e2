/* SPDX-License-Identifier: MIT */
/*
 * cl_profiling.c - an event's four times are in order, kernels of a queue in
 * order do not overlap, and the times are of the host's monotonic clock
 */
#include "cl_harness.h"

#include <time.h>

#define KERNELS 8

static const char source[] =
    "kernel void spin(global uint *a, uint n) {\n"
    "    uint x = get_global_id(0) + 1;\n"
    "    for (uint i = 0; i < n; i++) x = x * 1664525u + 1013904223u;\n"
    "    a[get_global_id(0)] = x;\n"
    "}\n";

static cl_ulong now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (cl_ulong)t.tv_sec * 1000000000 + (cl_ulong)t.tv_nsec;
}

static cl_ulong at(cl_event event, cl_profiling_info what)
{
    cl_ulong ns = 0;

    CL(clGetEventProfilingInfo(event, what, sizeof(ns), &ns, NULL));
    return ns;
}

int main(void)
{
    cl_event events[KERNELS], copy;
    cl_uint n = 200000, x;
    cl_ulong before, last_end = 0, device_time, host_time;

    cl_open();
    cl_kernel spin = cl_get_kernel(source, "spin");
    cl_mem m = cl_new_buffer(64 * sizeof(cl_uint), NULL);

    ARG(spin, 0, m);
    ARG(spin, 1, n);
    before = now();
    for (int i = 0; i < KERNELS; i++)
        cl_run(cl_queue, spin, 64, 16, &events[i]);
    CL(clEnqueueReadBuffer(cl_queue, m, CL_FALSE, 0, sizeof(x), &x, 0, NULL, &copy));
    CL(clFinish(cl_queue));
    cl_ulong after = now();

    for (int i = 0; i < KERNELS; i++) {
        cl_ulong queued = at(events[i], CL_PROFILING_COMMAND_QUEUED);
        cl_ulong submitted = at(events[i], CL_PROFILING_COMMAND_SUBMIT);
        cl_ulong start = at(events[i], CL_PROFILING_COMMAND_START);
        cl_ulong end = at(events[i], CL_PROFILING_COMMAND_END);

        CHECK(before <= queued && queued <= submitted);
        CHECK(submitted <= start && start < end && end <= after);
        CHECK(last_end <= start);
        CHECK(end - start > n / 16); /* no processor does 16 of these steps in a nanosecond */
        last_end = end;
    }
    CHECK(at(copy, CL_PROFILING_COMMAND_START) >= last_end);
    CHECK(at(copy, CL_PROFILING_COMMAND_END) >= at(copy, CL_PROFILING_COMMAND_START));

    before = now();
    CL(clGetDeviceAndHostTimer(cl_device, &device_time, &host_time));
    CHECK(before <= device_time && device_time <= now());
    EQ(device_time, host_time);
    return 0;
}
