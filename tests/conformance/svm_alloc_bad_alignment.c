/* SPDX-License-Identifier: MIT */
/*
 * svm_alloc_bad_alignment.c - OpenCL 3.0 API, section 5.6.1, clSVMAlloc: an alignment that is no
 * power of two gives NULL; a larger one than any data type NULL or what was asked for
 */
#include "conformance.h"

int main(int argc, char **argv)
{
    static const cl_uint bad[] = { 3, 5, 6, 7, 12, 24, 48, 96, 127, 129, 160, 384, 0xffffffff };

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    for (unsigned l = 0; l < 3; l++) {
        if (!has_level(&svm_levels[l]))
            continue;
        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
            if (clSVMAlloc(context, svm_levels[l].flags, 4096, bad[i]) != NULL)
                FAIL("there is %s memory with alignment %u", svm_levels[l].name, bad[i]);
        for (cl_uint alignment = 256; alignment != 0; alignment *= 2) {
            void *p = clSVMAlloc(context, svm_levels[l].flags, 4096, alignment);
            if ((uintptr_t)p % alignment != 0)
                FAIL("%s memory with alignment %u is at %p", svm_levels[l].name, alignment, p);
            clSVMFree(context, p);
        }
    }
    return 0;
}
