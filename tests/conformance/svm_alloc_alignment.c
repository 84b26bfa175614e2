/* SPDX-License-Identifier: MIT */
/*
 * svm_alloc_alignment.c - OpenCL 3.0 API, section 5.6.1, clSVMAlloc: memory is aligned as asked for,
 * up to the size of the largest data type; 0 asks for that size
 */
#include "conformance.h"

#define EACH 8

int main(int argc, char **argv)
{
    char profile[64];
    unsigned largest = sizeof(cl_long16);

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    OK(clGetDeviceInfo(device, CL_DEVICE_PROFILE, sizeof(profile), profile, NULL));
    if (strcmp(profile, "FULL_PROFILE") != 0 && !has_extension("cles_khr_int64"))
        largest = sizeof(cl_int16);

    for (unsigned l = 0; l < 3; l++) {
        if (!has_level(&svm_levels[l]))
            continue;
        for (unsigned alignment = 0; alignment <= largest;
             alignment = alignment == 0 ? 1 : 2 * alignment) {
            unsigned wanted = alignment == 0 ? largest : alignment;
            void *p[EACH];

            /* of several odd sizes: one that is aligned by chance is not enough */
            for (unsigned i = 0; i < EACH; i++) {
                p[i] = clSVMAlloc(context, svm_levels[l].flags, 3 + 40 * i, alignment);
                if (p[i] == NULL)
                    FAIL("no %s memory with alignment %u", svm_levels[l].name, alignment);
                if ((uintptr_t)p[i] % wanted != 0)
                    FAIL("%s memory with alignment %u is at %p", svm_levels[l].name, alignment,
                         p[i]);
            }
            for (unsigned i = 0; i < EACH; i++)
                clSVMFree(context, p[i]);
        }
    }
    return 0;
}
