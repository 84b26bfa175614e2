/* SPDX-License-Identifier: MIT */
/*
 * cl_fork.c - a forked child's copies of its parent's objects have no device: what it enqueues, or
 * what is under way, fails, and does not hang; the parent goes on
 */
#include "cl_harness.h"

static const char source[] =
    "kernel void k(global int *a) { a[get_global_id(0)] += 1; }\n";

int main(void)
{
    size_t global = 64;
    int a[64] = { 0 };
    cl_int value = 7, err;

    cl_open();
    cl_kernel k = cl_get_kernel(source, "k");
    cl_mem m = cl_new_buffer(sizeof(value), NULL);
    CL(clSetKernelArgSVMPointer(k, 0, a));
    cl_run(cl_queue, k, 64, 8, NULL);
    CL(clFinish(cl_queue));
    cl_event gate = clCreateUserEvent(cl_ctx, &err), waiting;
    CL(err);
    cl_command_queue busy = cl_new_queue(0);
    CL(clEnqueueMarkerWithWaitList(busy, 1, &gate, &waiting));

    for (int i = 0; i < 5; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            cl_event event;
            cl_bool available = CL_TRUE;

            alarm(20); /* a hang is a failure, not a test that does not end */
            CL(clGetDeviceInfo(cl_device, CL_DEVICE_AVAILABLE, sizeof(available), &available,
                               NULL));
            EQ(available, CL_TRUE); /* for contexts of its own, see cl_fork_anew */
            CHECK(clWaitForEvents(1, &waiting) < 0);
            CL(clFinish(busy));
            err = clEnqueueNDRangeKernel(cl_queue, k, 1, NULL, &global, NULL, 0, NULL,
                                                &event);
            if (err == CL_SUCCESS)
                err = clWaitForEvents(1, &event);
            CHECK(err < 0);
            err = clEnqueueWriteBuffer(cl_queue, m, CL_FALSE, 0, sizeof(value), &value, 0, NULL,
                                       &event);
            if (err == CL_SUCCESS)
                err = clWaitForEvents(1, &event);
            CHECK(err < 0);
            EQ(a[0], i + 1);
            _exit(0);
        }
        cl_child_ok(pid);
        cl_run(cl_queue, k, 64, 8, NULL);
        CL(clFinish(cl_queue));
        EQ(a[0], i + 2);
        EQ(a[63], i + 2);
    }
    CL(clSetUserEventStatus(gate, CL_COMPLETE));
    CL(clWaitForEvents(1, &waiting));
    return 0;
}
