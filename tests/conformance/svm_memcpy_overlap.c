/* SPDX-License-Identifier: MIT */
/*
 * svm_memcpy_overlap.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMMemcpy: CL_MEM_COPY_OVERLAP for
 * regions that overlap, in SVM and in host memory, and not for those that only touch
 */
#include "conformance.h"

#define BYTES 4096

static void check(char *p, const char *what)
{
    static const size_t distances[] = { 0, 1, 4, 127, 128, 1023 };
    const size_t size = 1024;
    char *middle = p + 2048;
    cl_event done;

    for (unsigned blocking = 0; blocking < 2; blocking++) {
        for (unsigned i = 0; i < sizeof(distances) / sizeof(distances[0]); i++) {
            size_t d = distances[i];
            cl_int up = clEnqueueSVMMemcpy(queue, blocking, middle + d, middle, size, 0, NULL, NULL);
            cl_int down = clEnqueueSVMMemcpy(queue, blocking, middle - d, middle, size, 0, NULL,
                                             NULL);

            if (up != CL_MEM_COPY_OVERLAP || down != CL_MEM_COPY_OVERLAP)
                FAIL("%s: by %zu up %d, down %d, not CL_MEM_COPY_OVERLAP", what, d, up, down);
        }
        RETURNS(clEnqueueSVMMemcpy(queue, blocking, middle + size, middle, size, 0, NULL, &done),
                CL_SUCCESS);
        event_ends(done, CL_COMMAND_SVM_MEMCPY);
        RETURNS(clEnqueueSVMMemcpy(queue, blocking, middle - size, middle, size, 0, NULL, &done),
                CL_SUCCESS);
        event_ends(done, CL_COMMAND_SVM_MEMCPY);
    }
}

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    for (unsigned l = 0; l < 3; l++)
        if (has_level(&svm_levels[l]))
            check(svm_alloc(svm_levels[l].flags, BYTES), svm_levels[l].name);
    check(malloc(BYTES), "host memory");
    return 0;
}
