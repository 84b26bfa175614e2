/* SPDX-License-Identifier: MIT */
/*
 * svm_memcpy_errors.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMMemcpy: CL_INVALID_COMMAND_QUEUE
 * and CL_INVALID_VALUE; a call that failed returns no event and copies nothing
 */
#include "conformance.h"

int main(int argc, char **argv)
{
    char host[64] = { 1 }, seen[64];
    cl_event untouched = (cl_event)(void *)host, event = untouched;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    char *p = svm_alloc(0, 64);
    svm_set(p, 9, 64);

    RETURNS(clEnqueueSVMMemcpy(NULL, CL_FALSE, p, host, 64, 0, NULL, &event),
            CL_INVALID_COMMAND_QUEUE);
    for (cl_bool blocking = CL_FALSE; blocking <= CL_TRUE; blocking++) {
        RETURNS(clEnqueueSVMMemcpy(queue, blocking, NULL, host, 64, 0, NULL, &event),
                CL_INVALID_VALUE);
        RETURNS(clEnqueueSVMMemcpy(queue, blocking, p, NULL, 64, 0, NULL, &event),
                CL_INVALID_VALUE);
        RETURNS(clEnqueueSVMMemcpy(queue, blocking, NULL, NULL, 64, 0, NULL, &event),
                CL_INVALID_VALUE);
    }
    SAME(event, untouched);
    OK(clFinish(queue));
    svm_read(seen, p, 64);
    for (unsigned i = 0; i < 64; i++)
        EQ(seen[i], 9);
    return 0;
}
