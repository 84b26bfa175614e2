/* SPDX-License-Identifier: MIT */
/*
 * svm_memfill.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMMemFill: patterns of each size from 1
 * to 128 fill exactly the region, at any address that is aligned to the pattern; the pattern's memory
 * may be reused at once
 */
#include "conformance.h"

#define BYTES 8192

/* @p begins where patterns of all sizes may */
static void check(unsigned char *p, const char *what, bool mapped)
{
    static unsigned char seen[BYTES];
    unsigned char pattern[128];

    for (unsigned size = 1; size <= 128; size *= 2) {
        for (unsigned times = 1; times < 40; times += 19) {
            size_t at = 3 * size;
            cl_event gate = user_event();

            if (mapped)
                svm_set(p, 0, BYTES);
            else
                memset(p, 0, BYTES);
            for (unsigned i = 0; i < size; i++)
                pattern[i] = (unsigned char)(1 + i);
            OK(clEnqueueSVMMemFill(queue, p + at, pattern, size, times * size, 1, &gate, NULL));
            memset(pattern, 0xee, sizeof(pattern));
            OK(clSetUserEventStatus(gate, CL_COMPLETE));
            OK(clReleaseEvent(gate));
            OK(clFinish(queue));
            if (mapped)
                svm_read(seen, p, BYTES);
            else
                memcpy(seen, p, BYTES);
            for (size_t i = 0; i < BYTES; i++) {
                unsigned wanted = i >= at && i < at + times * size ? 1 + (i - at) % size : 0;
                if (seen[i] != wanted)
                    FAIL("%s: pattern of %u, %u times: byte %zu is %u, not %u", what, size, times,
                         i, seen[i], wanted);
            }
        }
    }
}

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    for (unsigned l = 0; l < 3; l++)
        if (has_level(&svm_levels[l]))
            check(svm_alloc(svm_levels[l].flags, BYTES), svm_levels[l].name, l == 0);
    if (svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM) {
        check(aligned_alloc(128, BYTES), "system memory", false);
        static unsigned char in_program[BYTES] __attribute__((aligned(128)));
        check(in_program, "the program's memory", false);
    }
    return 0;
}
