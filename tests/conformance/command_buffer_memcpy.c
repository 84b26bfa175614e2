/* SPDX-License-Identifier: MIT */
/*
 * command_buffer_memcpy.c - OpenCL 3.0 API, Recording Commands to a Command-Buffer (clCommandSVMMemcpyKHR,
 * clCommandSVMMemFillKHR): recorded copies and fills run in each execution, not before, in the order
 * of their sync points, on exactly their regions; the pattern may be reused at once
 */
#include "command_buffer.h"

#define N 300

int main(int argc, char **argv)
{
    cl_uint host[N], pattern = 7;
    cl_sync_point_khr filled, copied, last;

    command_buffer_open(argc, argv);
    cl_uint *p = svm_alloc(0, sizeof(host)), *q = svm_alloc(0, sizeof(host));
    svm_set(p, 0, sizeof(host));
    svm_set(q, 0, sizeof(host));

    cl_command_buffer_khr buffer = new_command_buffer();
    RETURNS(command_svm_memfill(buffer, NULL, NULL, p + 10, &pattern, sizeof(pattern),
                                100 * sizeof(*p), 0, NULL, &filled, NULL), CL_SUCCESS);
    pattern = 9;
    RETURNS(command_svm_memcpy(buffer, NULL, NULL, q + 1, p + 9, 102 * sizeof(*p), 1, &filled,
                               &copied, NULL), CL_SUCCESS);
    RETURNS(command_svm_memfill(buffer, NULL, NULL, p + 50, &pattern, sizeof(pattern),
                                2 * sizeof(*p), 1, &copied, &last, NULL), CL_SUCCESS);
    RETURNS(command_svm_memcpy(buffer, NULL, NULL, q + 200, p + 50, sizeof(*p), 1, &last, NULL,
                               NULL), CL_SUCCESS);
    OK(buffer_finalize(buffer));
    OK(clFinish(queue));
    EQ(svm_read_uint(p + 10), 0); /* nothing ran yet */
    EQ(svm_read_uint(q + 2), 0);

    for (unsigned round = 0; round < 4; round++) {
        svm_set(q, 0, sizeof(host));
        command_buffer_run(buffer);
        svm_read(host, p, sizeof(host));
        for (unsigned i = 0; i < N; i++)
            EQ(host[i], i < 10 || i >= 110 ? 0 : i == 50 || i == 51 ? 9 : 7);
        svm_read(host, q, sizeof(host));
        for (unsigned i = 0; i < N; i++)
            EQ(host[i], i == 200 ? 9 : i < 2 || i >= 102 ? 0 : 7);
        svm_set(p, 0, sizeof(host));
    }
    OK(buffer_release(buffer));
    return 0;
}
