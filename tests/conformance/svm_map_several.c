/* SPDX-License-Identifier: MIT */
/*
 * svm_map_several.c - OpenCL 3.0 API, section 5.6.1: a buffer may have several mappings at once, of
 * disjoint parts or for reading of the same, each with an unmap of its own, in any order
 */
#include "conformance.h"

#define N 1024

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel add = common_kernel("add");
    cl_uint *p = svm_alloc(0, N * sizeof(*p)), seen[N];

    /* four writers of a quarter each */
    for (unsigned q = 0; q < 4; q++) {
        RETURNS(clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION, p + q * N / 4,
                                N / 4 * sizeof(*p), 0, NULL, NULL), CL_SUCCESS);
    }
    for (unsigned i = 0; i < N; i++)
        p[i] = i;
    for (unsigned q = 0; q < 4; q++)
        RETURNS(clEnqueueSVMUnmap(queue, p + (q * 3 + 1) % 4 * N / 4, 0, NULL, NULL), CL_SUCCESS);
    run_add(queue, add, p, 5, N, 0, NULL, NULL);

    /* three readers, two of them of the same region */
    RETURNS(clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_READ, p, N * sizeof(*p), 0, NULL, NULL),
            CL_SUCCESS);
    RETURNS(clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_READ, p, N * sizeof(*p), 0, NULL, NULL),
            CL_SUCCESS);
    RETURNS(clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_READ, p + 100, sizeof(*p), 0, NULL, NULL),
            CL_SUCCESS);
    RETURNS(clEnqueueSVMUnmap(queue, p, 0, NULL, NULL), CL_SUCCESS);
    for (unsigned i = 0; i < N; i++)
        EQ(p[i], i + 5);
    RETURNS(clEnqueueSVMUnmap(queue, p + 100, 0, NULL, NULL), CL_SUCCESS);
    RETURNS(clEnqueueSVMUnmap(queue, p, 0, NULL, NULL), CL_SUCCESS);

    run_add(queue, add, p, 5, N, 0, NULL, NULL);
    svm_read(seen, p, sizeof(seen));
    for (unsigned i = 0; i < N; i++)
        EQ(seen[i], i + 10);
    return 0;
}
