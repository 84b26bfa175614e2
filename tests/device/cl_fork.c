/* SPDX-License-Identifier: MIT */
/*
 * cl_fork.c - a forked child has no device: what it enqueues fails, and does
 * not hang; the parent goes on
 */
#include "cl_harness.h"

#include <sys/wait.h>

static const char source[] =
    "kernel void k(global int *a) { a[get_global_id(0)] += 1; }\n";

int main(void)
{
    size_t global = 64;
    int a[64] = { 0 }, status;
    cl_int value = 7;

    cl_open();
    cl_kernel k = cl_get_kernel(source, "k");
    cl_mem m = cl_new_buffer(sizeof(value), NULL);
    CL(clSetKernelArgSVMPointer(k, 0, a));
    cl_run(cl_queue, k, 64, 8, NULL);
    CL(clFinish(cl_queue));

    for (int i = 0; i < 5; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            cl_event event;
            cl_bool available = CL_TRUE;

            alarm(20); /* a hang is a failure, not a test that does not end */
            CL(clGetDeviceInfo(cl_device, CL_DEVICE_AVAILABLE, sizeof(available), &available,
                               NULL));
            EQ(available, CL_FALSE);
            cl_int err = clEnqueueNDRangeKernel(cl_queue, k, 1, NULL, &global, NULL, 0, NULL,
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
        CHECK(waitpid(pid, &status, 0) == pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            FAIL("the child ended with status 0x%x", (unsigned)status);
        cl_run(cl_queue, k, 64, 8, NULL);
        CL(clFinish(cl_queue));
        EQ(a[0], i + 2);
        EQ(a[63], i + 2);
    }
    return 0;
}
