/* SPDX-License-Identifier: MIT */
/*
 * barrier_svm.c - OpenCL 3.0 C, section 6.15.8 (Synchronization Functions): what work-items of a group
 * wrote to SVM memory before a barrier is seen by the others behind it
 */
#include "conformance.h"

#define GROUP  32
#define GROUPS 8

static const char source[] =
    "kernel void turn(global uint *p) {\n"
    "    uint n = get_local_size(0), i = get_local_id(0);\n"
    "    p += get_group_id(0) * n;\n"
    "    for (uint k = 0; k < 3; k++) {\n"
    "        uint x = p[(i + 1) % n];\n"
    "        barrier(CLK_GLOBAL_MEM_FENCE);\n"
    "        p[i] = x;\n"
    "        barrier(CLK_GLOBAL_MEM_FENCE);\n"
    "    }\n"
    "}\n";

int main(int argc, char **argv)
{
    const size_t global = GROUP * GROUPS, local = GROUP;
    cl_uint host[GROUP * GROUPS];

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel kernel = get_kernel(source, "turn");
    for (unsigned l = 0; l < 3; l++) {
        if (!has_level(&svm_levels[l]))
            continue;
        cl_uint *p = svm_alloc(svm_levels[l].flags, sizeof(host));

        for (unsigned i = 0; i < GROUP * GROUPS; i++)
            host[i] = i;
        svm_write(p, host, sizeof(host));
        OK(clSetKernelArgSVMPointer(kernel, 0, p));
        OK(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, &local, 0, NULL, NULL));
        svm_read(host, p, sizeof(host));
        for (unsigned i = 0; i < GROUP * GROUPS; i++)
            EQ(host[i], i / GROUP * GROUP + (i + 3) % GROUP);
    }
    return 0;
}
