/* SPDX-License-Identifier: MIT */
/*
 * event_failed_blocking.c - OpenCL 3.0 API, section 5.6.1: a blocking copy or map whose wait list has
 * a failed event returns CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST and does nothing
 */
#include "conformance.h"

static void check(char *p, const char *what)
{
    char host[64] = { 5 };
    cl_event failed = user_event();
    cl_command_queue q = new_queue(0);

    OK(clSetUserEventStatus(failed, -5));
    cl_int err = clEnqueueSVMMemcpy(q, CL_TRUE, p, host, 64, 1, &failed, NULL);
    if (err != CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST)
        FAIL("%s: the copy returned %d", what, err);
    q = new_queue(0);
    err = clEnqueueSVMMap(q, CL_TRUE, CL_MAP_READ, p, 64, 1, &failed, NULL);
    if (err != CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST)
        FAIL("%s: the map returned %d", what, err);
}

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    char *p = svm_alloc(0, 64), seen[64];

    svm_set(p, 1, 64);
    check(p, "coarse-grained memory");
    svm_read(seen, p, 64);
    EQ(seen[0], 1);
    if (svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM) {
        p = calloc(64, 1);
        check(p, "system memory");
        EQ(p[0], 0);
    }
    return 0;
}
