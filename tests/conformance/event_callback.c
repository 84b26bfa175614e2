/* SPDX-License-Identifier: MIT */
/*
 * event_callback.c - OpenCL 3.0 API, section 5.11 (clSetEventCallback) and 5.6.1: when a kernel's
 * callback for CL_COMPLETE is called, the host sees what the kernel wrote to fine-grained memory
 */
#include "conformance.h"

#define N 512

static cl_uint *p;
static int called;
static unsigned wrong;

static void CL_CALLBACK look(cl_event event, cl_int status, void *data)
{
    (void)event;
    wrong = status != CL_COMPLETE;
    for (unsigned i = 0; i < N; i++)
        wrong += p[i] != (cl_uint)(uintptr_t)data;
    __atomic_store_n(&called, 1, __ATOMIC_RELEASE);
}

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_FINE_GRAIN_BUFFER);
    cl_kernel add = common_kernel("add");
    p = svm_alloc(CL_MEM_SVM_FINE_GRAIN_BUFFER, N * sizeof(*p));
    memset(p, 0, N * sizeof(*p));
    for (cl_uint round = 1; round <= 50; round++) {
        cl_event gate = user_event(), done;

        called = 0;
        run_add(queue, add, p, 1, N, 1, &gate, &done);
        OK(clSetEventCallback(done, CL_COMPLETE, look, (void *)(uintptr_t)round));
        OK(clFlush(queue));
        EQ(__atomic_load_n(&called, __ATOMIC_ACQUIRE), 0);
        OK(clSetUserEventStatus(gate, CL_COMPLETE));
        while (!__atomic_load_n(&called, __ATOMIC_ACQUIRE))
            usleep(100);
        EQ(wrong, 0);
        OK(clReleaseEvent(gate));
        event_ends(done, CL_COMMAND_NDRANGE_KERNEL);
    }
    return 0;
}
