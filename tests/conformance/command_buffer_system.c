/* SPDX-License-Identifier: MIT */
/*
 * command_buffer_system.c - OpenCL 3.0 API, Recording Commands to a Command-Buffer (clCommandSVMMemcpyKHR,
 * clCommandSVMMemFillKHR): where the device has system SVM, either pointer may be to host memory
 */
#include "command_buffer.h"

#define N 300

int main(int argc, char **argv)
{
    cl_uint host[N], pattern = 7;
    cl_sync_point_khr s[4];

    command_buffer_open(argc, argv);
    need_svm(CL_DEVICE_SVM_FINE_GRAIN_SYSTEM);
    cl_uint *p = svm_alloc(0, sizeof(host)), *a = calloc(N, sizeof(*a)), *b = calloc(N, sizeof(*b));
    svm_set(p, 0, sizeof(host));

    cl_command_buffer_khr buffer = new_command_buffer();
    RETURNS(command_svm_memcpy(buffer, NULL, NULL, p, a, sizeof(host), 0, NULL, &s[0], NULL),
            CL_SUCCESS); /* host to SVM */
    RETURNS(command_svm_memcpy(buffer, NULL, NULL, b, p, sizeof(host) / 2, 1, &s[0], &s[1], NULL),
            CL_SUCCESS); /* SVM to host */
    RETURNS(command_svm_memcpy(buffer, NULL, NULL, b + N / 2, a + N / 2, sizeof(host) / 2, 1, &s[1],
                               &s[2], NULL), CL_SUCCESS); /* host to host */
    RETURNS(command_svm_memfill(buffer, NULL, NULL, a, &pattern, sizeof(pattern), sizeof(host) / 2, 1,
                                &s[2], NULL, NULL), CL_SUCCESS);
    pattern = 0;
    OK(buffer_finalize(buffer));
    for (unsigned round = 1; round < 4; round++) {
        for (unsigned i = 0; i < N; i++)
            a[i] = round * 1000 + i;
        memset(b, 0, sizeof(host));
        command_buffer_run(buffer);
        for (unsigned i = 0; i < N; i++) {
            EQ(b[i], round * 1000 + i);
            EQ(a[i], i < N / 2 ? 7 : round * 1000 + i);
        }
        svm_read(host, p, sizeof(host));
        for (unsigned i = 0; i < N; i++)
            EQ(host[i], round * 1000 + i);
    }
    OK(buffer_release(buffer));
    return 0;
}
