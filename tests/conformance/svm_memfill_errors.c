/* SPDX-License-Identifier: MIT */
/*
 * svm_memfill_errors.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMMemFill:
 * CL_INVALID_COMMAND_QUEUE and CL_INVALID_VALUE, in SVM and where there is such in system memory
 */
#include "conformance.h"

static void check(char *p)
{
    char pattern[256] = { 0 };
    cl_event untouched = (cl_event)(void *)pattern, event = untouched;

    RETURNS(clEnqueueSVMMemFill(NULL, p, pattern, 4, 64, 0, NULL, &event),
            CL_INVALID_COMMAND_QUEUE);
    RETURNS(clEnqueueSVMMemFill(queue, NULL, pattern, 4, 64, 0, NULL, &event), CL_INVALID_VALUE);
    RETURNS(clEnqueueSVMMemFill(queue, p, NULL, 4, 64, 0, NULL, &event), CL_INVALID_VALUE);
    RETURNS(clEnqueueSVMMemFill(queue, p, pattern, 0, 64, 0, NULL, &event), CL_INVALID_VALUE);
    for (size_t size = 3; size < 128; size = size * 2 + (size & 1))
        RETURNS(clEnqueueSVMMemFill(queue, p, pattern, size, size, 0, NULL, &event),
                CL_INVALID_VALUE);
    RETURNS(clEnqueueSVMMemFill(queue, p, pattern, 256, 256, 0, NULL, &event), CL_INVALID_VALUE);
    for (size_t size = 2; size <= 128; size *= 2) {
        RETURNS(clEnqueueSVMMemFill(queue, p + size / 2, pattern, size, size, 0, NULL, &event),
                CL_INVALID_VALUE); /* the address */
        RETURNS(clEnqueueSVMMemFill(queue, p, pattern, size, size + size / 2, 0, NULL, &event),
                CL_INVALID_VALUE); /* the size */
    }
    SAME(event, untouched);
    OK(clFinish(queue));
}

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    char *p = svm_alloc(0, 512), seen[512];
    svm_set(p, 9, 512);
    check(p);
    svm_read(seen, p, 512);
    for (unsigned i = 0; i < 512; i++)
        EQ(seen[i], 9);

    if (svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM) {
        p = aligned_alloc(128, 512);
        memset(p, 9, 512);
        check(p);
        for (unsigned i = 0; i < 512; i++)
            EQ(p[i], 9);
    }
    return 0;
}
