/* SPDX-License-Identifier: MIT */
/*
 * svm_enqueue_free_errors.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMFree:
 * CL_INVALID_COMMAND_QUEUE, and CL_INVALID_VALUE exactly if there is a list without pointers or a
 * number of pointers without a list
 */
#include "conformance.h"

static void CL_CALLBACK never(cl_command_queue q, cl_uint count, void *pointers[], void *data)
{
    (void)q;
    (void)count;
    (void)pointers;
    (void)data;
    FAIL("a callback was called for a call that failed");
}

int main(int argc, char **argv)
{
    char here;
    cl_event untouched = (cl_event)(void *)&here, event = untouched;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    void *list[] = { svm_alloc(0, 64) };

    RETURNS(clEnqueueSVMFree(NULL, 1, list, never, NULL, 0, NULL, &event),
            CL_INVALID_COMMAND_QUEUE);
    RETURNS(clEnqueueSVMFree(queue, 0, list, never, NULL, 0, NULL, &event), CL_INVALID_VALUE);
    RETURNS(clEnqueueSVMFree(queue, 1, NULL, never, NULL, 0, NULL, &event), CL_INVALID_VALUE);
    SAME(event, untouched);
    OK(clFinish(queue));
    svm_set(list[0], 1, 64);

    RETURNS(clEnqueueSVMFree(queue, 0, NULL, NULL, NULL, 0, NULL, &event), CL_SUCCESS);
    event_ends(event, CL_COMMAND_SVM_FREE);
    return 0;
}
