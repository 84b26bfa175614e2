/* SPDX-License-Identifier: MIT */
/*
 * svm_enqueue_free_callback.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMFree: a callback is called
 * once, after the wait list, with the queue, the pointers and the user data, for allocations and for
 * system memory; nothing else frees them, and the command completes after it
 */
#include "conformance.h"

struct call {
    cl_command_queue queue;
    cl_uint count;
    void *pointers[3];
    unsigned times;
    cl_event gate;
    cl_int gate_status;
};

static void CL_CALLBACK take_note(cl_command_queue q, cl_uint count, void *pointers[], void *data)
{
    struct call *call = data;

    call->queue = q;
    call->count = count;
    for (cl_uint i = 0; i < count && i < 3; i++)
        call->pointers[i] = pointers[i];
    call->gate_status = event_status(call->gate);
    __atomic_add_fetch(&call->times, 1, __ATOMIC_RELEASE);
}

static void check(void *const pointers[3], cl_uint count)
{
    struct call call = { 0 };
    void *list[3] = { pointers[0], pointers[1], pointers[2] };
    cl_event done;

    call.gate = user_event();
    RETURNS(clEnqueueSVMFree(queue, count, list, take_note, &call, 1, &call.gate, &done),
            CL_SUCCESS);
    memset(list, 0, sizeof(list)); /* may be reused at once */
    OK(clFlush(queue));
    usleep(1000);
    EQ(__atomic_load_n(&call.times, __ATOMIC_ACQUIRE), 0);
    OK(clSetUserEventStatus(call.gate, CL_COMPLETE));
    event_ends(done, CL_COMMAND_SVM_FREE);
    OK(clFinish(queue));
    EQ(__atomic_load_n(&call.times, __ATOMIC_ACQUIRE), 1);
    EQ(call.gate_status, CL_COMPLETE);
    SAME(call.queue, queue);
    EQ(call.count, count);
    for (cl_uint i = 0; i < count; i++)
        SAME(call.pointers[i], pointers[i]);
}

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    void *svm[3] = { svm_alloc(0, 64), svm_alloc(0, 4096), svm_alloc(0, 1) };

    check(svm, 3);
    check(svm, 1);
    for (unsigned i = 0; i < 3; i++) { /* the callback did not free them */
        svm_set(svm[i], 1, 1);
        clSVMFree(context, svm[i]);
    }
    if (svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM) {
        void *mixed[3] = { malloc(64), svm_alloc(0, 64), &mixed };

        check(mixed, 3);
        memset(mixed[0], 1, 64);
        free(mixed[0]);
        clSVMFree(context, mixed[1]);
    }
    return 0;
}
