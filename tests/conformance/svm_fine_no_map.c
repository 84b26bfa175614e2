/* SPDX-License-Identifier: MIT */
/*
 * svm_fine_no_map.c - OpenCL 3.0 API, sections 4.2 (CL_DEVICE_SVM_FINE_GRAIN_BUFFER and _SYSTEM) and
 * 5.6.1: fine-grained memory is consistent at synchronization points without any map
 */
#include "conformance.h"

#define N 2048

static void check(cl_kernel add, cl_uint *p, const char *what)
{
    for (unsigned round = 1; round <= 20; round++) {
        cl_event done;

        for (unsigned i = 0; i < N; i++)
            p[i] = round * i;
        run_add(queue, add, p, round, N, 0, NULL, round % 2 ? &done : NULL);
        if (round % 2) {
            OK(clFlush(queue));
            event_ends(done, CL_COMMAND_NDRANGE_KERNEL);
        } else {
            OK(clFinish(queue));
        }
        for (unsigned i = 0; i < N; i++)
            if (p[i] != round * i + round)
                FAIL("%s, round %u: element %u is %u, not %u", what, round, i, p[i],
                     round * i + round);
    }
}

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_FINE_GRAIN_BUFFER);
    cl_kernel add = common_kernel("add");
    for (unsigned l = 1; l < 3; l++)
        if (has_level(&svm_levels[l]))
            check(add, svm_alloc(svm_levels[l].flags, N * sizeof(cl_uint)), svm_levels[l].name);
    if (svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM)
        check(add, malloc(N * sizeof(cl_uint)), "system memory");
    return 0;
}
