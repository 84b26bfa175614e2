/* SPDX-License-Identifier: MIT */
/*
 * svm_map_coarse.c - OpenCL 3.0 API, section 5.6.1: mapping and unmapping makes what the host wrote
 * visible to kernels and the other way round, in a coarse-grained buffer, for the whole of it and
 * for parts
 */
#include "conformance.h"

#define N 2048

int main(int argc, char **argv)
{
    static const cl_map_flags writing[] = { CL_MAP_WRITE, CL_MAP_READ | CL_MAP_WRITE,
                                            CL_MAP_WRITE_INVALIDATE_REGION };
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel add = common_kernel("add");
    cl_uint *p = svm_alloc(CL_MEM_READ_WRITE, N * sizeof(*p)), wanted[N] = { 0 };

    svm_set(p, 0, sizeof(wanted));
    for (unsigned round = 0; round < 30; round++) {
        size_t at = round % 5 * 300, count = round % 3 == 0 ? N - at : 100;

        /* the host, a part */
        RETURNS(clEnqueueSVMMap(queue, CL_TRUE, writing[round % 3], p + at, count * sizeof(*p), 0,
                                NULL, NULL), CL_SUCCESS);
        for (size_t i = at; i < at + count; i++)
            p[i] = wanted[i] = round * 10000 + (cl_uint)i;
        RETURNS(clEnqueueSVMUnmap(queue, p + at, 0, NULL, NULL), CL_SUCCESS);

        /* the device, all of it */
        run_add(queue, add, p, round, N, 0, NULL, NULL);
        for (unsigned i = 0; i < N; i++)
            wanted[i] += round;

        RETURNS(clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_READ, p, N * sizeof(*p), 0, NULL, NULL),
                CL_SUCCESS);
        for (unsigned i = 0; i < N; i++)
            if (p[i] != wanted[i])
                FAIL("round %u: element %u is %u, not %u", round, i, p[i], wanted[i]);
        RETURNS(clEnqueueSVMUnmap(queue, p, 0, NULL, NULL), CL_SUCCESS);
    }
    OK(clFinish(queue));
    return 0;
}
