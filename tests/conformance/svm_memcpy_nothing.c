/* SPDX-License-Identifier: MIT */
/*
 * svm_memcpy_nothing.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMMemcpy and clEnqueueSVMMemFill:
 * a size of 0 is none of their errors; the command has its place, its event, and changes nothing
 */
#include "conformance.h"

int main(int argc, char **argv)
{
    char host[64], seen[64];
    cl_uint pattern = 7;
    cl_event done;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    char *p = svm_alloc(0, 64), *q = svm_alloc(0, 64);
    svm_set(p, 9, 64);
    svm_set(q, 8, 64);
    memset(host, 7, sizeof(host));

    RETURNS(clEnqueueSVMMemcpy(queue, CL_FALSE, p, q, 0, 0, NULL, &done), CL_SUCCESS);
    event_ends(done, CL_COMMAND_SVM_MEMCPY);
    RETURNS(clEnqueueSVMMemcpy(queue, CL_FALSE, p, host, 0, 0, NULL, &done), CL_SUCCESS);
    event_ends(done, CL_COMMAND_SVM_MEMCPY);
    RETURNS(clEnqueueSVMMemcpy(queue, CL_TRUE, host, p, 0, 0, NULL, &done), CL_SUCCESS);
    event_ends(done, CL_COMMAND_SVM_MEMCPY);
    RETURNS(clEnqueueSVMMemFill(queue, p, &pattern, sizeof(pattern), 0, 0, NULL, &done),
            CL_SUCCESS);
    event_ends(done, CL_COMMAND_SVM_MEMFILL);

    /* it waits as any other does */
    cl_event gate = user_event();
    RETURNS(clEnqueueSVMMemcpy(queue, CL_FALSE, p, q, 0, 1, &gate, &done), CL_SUCCESS);
    CHECK(event_status(done) > CL_COMPLETE);
    OK(clSetUserEventStatus(gate, CL_COMPLETE));
    event_ends(done, CL_COMMAND_SVM_MEMCPY);

    svm_read(seen, p, 64);
    for (unsigned i = 0; i < 64; i++) {
        EQ(seen[i], 9);
        EQ(host[i], 7);
    }
    return 0;
}
