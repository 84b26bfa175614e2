/* SPDX-License-Identifier: MIT */
/*
 * command_buffer_errors.c - OpenCL 3.0 API, Recording Commands to a Command-Buffer (clCommandSVMMemcpyKHR,
 * clCommandSVMMemFillKHR): their own errors, and those of clEnqueueSVMMemcpy and clEnqueueSVMMemFill
 */
#include "command_buffer.h"

int main(int argc, char **argv)
{
    const cl_uint pattern = 1;
    cl_sync_point_khr point, none;

    command_buffer_open(argc, argv);
    cl_command_buffer_khr buffer = new_command_buffer();
    cl_command_queue other = new_queue(0);
    char *p = svm_alloc(0, 4096), *q = svm_alloc(0, 4096);

#define COPY(b, cq, to, from, size, n, list)                                                      \
    command_svm_memcpy(b, cq, NULL, to, from, size, n, list, NULL, NULL)
#define FILL(b, cq, to, pat, patsize, size, n, list)                                              \
    command_svm_memfill(b, cq, NULL, to, pat, patsize, size, n, list, NULL, NULL)

    OK(command_svm_memfill(buffer, NULL, NULL, p, &pattern, 4, 64, 0, NULL, &point, NULL));
    none = point + 1000;

    RETURNS(COPY(NULL, NULL, q, p, 64, 0, NULL), CL_INVALID_COMMAND_BUFFER_KHR);
    RETURNS(FILL(NULL, NULL, p, &pattern, 4, 64, 0, NULL), CL_INVALID_COMMAND_BUFFER_KHR);
    /* a queue the buffer was not made for, with or without cl_khr_command_buffer_multi_device */
    RETURNS(COPY(buffer, other, q, p, 64, 0, NULL), CL_INVALID_COMMAND_QUEUE);
    RETURNS(FILL(buffer, other, p, &pattern, 4, 64, 0, NULL), CL_INVALID_COMMAND_QUEUE);
    RETURNS(COPY(buffer, NULL, q, p, 64, 1, NULL), CL_INVALID_SYNC_POINT_WAIT_LIST_KHR);
    RETURNS(COPY(buffer, NULL, q, p, 64, 0, &point), CL_INVALID_SYNC_POINT_WAIT_LIST_KHR);
    RETURNS(COPY(buffer, NULL, q, p, 64, 1, &none), CL_INVALID_SYNC_POINT_WAIT_LIST_KHR);
    RETURNS(FILL(buffer, NULL, p, &pattern, 4, 64, 1, NULL), CL_INVALID_SYNC_POINT_WAIT_LIST_KHR);
    RETURNS(FILL(buffer, NULL, p, &pattern, 4, 64, 0, &point),
            CL_INVALID_SYNC_POINT_WAIT_LIST_KHR);
    RETURNS(FILL(buffer, NULL, p, &pattern, 4, 64, 1, &none), CL_INVALID_SYNC_POINT_WAIT_LIST_KHR);

    RETURNS(COPY(buffer, NULL, NULL, p, 64, 0, NULL), CL_INVALID_VALUE);
    RETURNS(COPY(buffer, NULL, q, NULL, 64, 0, NULL), CL_INVALID_VALUE);
    RETURNS(COPY(buffer, NULL, p + 32, p, 64, 0, NULL), CL_MEM_COPY_OVERLAP);
    RETURNS(COPY(buffer, NULL, p, p, 1, 0, NULL), CL_MEM_COPY_OVERLAP);
    RETURNS(FILL(buffer, NULL, NULL, &pattern, 4, 64, 0, NULL), CL_INVALID_VALUE);
    RETURNS(FILL(buffer, NULL, p, NULL, 4, 64, 0, NULL), CL_INVALID_VALUE);
    RETURNS(FILL(buffer, NULL, p, &pattern, 0, 64, 0, NULL), CL_INVALID_VALUE);
    RETURNS(FILL(buffer, NULL, p, &pattern, 3, 63, 0, NULL), CL_INVALID_VALUE);
    RETURNS(FILL(buffer, NULL, p, &pattern, 256, 256, 0, NULL), CL_INVALID_VALUE);
    RETURNS(FILL(buffer, NULL, p + 1, &pattern, 4, 64, 0, NULL), CL_INVALID_VALUE);
    RETURNS(FILL(buffer, NULL, p, &pattern, 4, 63, 0, NULL), CL_INVALID_VALUE);

    /* what failed was not recorded, and what is final is not recorded to */
    OK(buffer_finalize(buffer));
    RETURNS(COPY(buffer, NULL, q, p, 64, 0, NULL), CL_INVALID_OPERATION);
    RETURNS(FILL(buffer, NULL, p, &pattern, 4, 64, 0, NULL), CL_INVALID_OPERATION);
    svm_set(p, 0, 4096);
    svm_set(q, 0, 4096);
    command_buffer_run(buffer);
    EQ(svm_read_uint((cl_uint *)p + 15), 1);
    EQ(svm_read_uint((cl_uint *)p + 16), 0);
    EQ(svm_read_uint((cl_uint *)q), 0);
    OK(buffer_release(buffer));
    return 0;
}
