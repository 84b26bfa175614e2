/* SPDX-License-Identifier: MIT */
/*
 * svm_free.c - OpenCL 3.0 API, section 5.6.1, clSVMFree: frees an allocation, so that more than the
 * device's memory, and more than the program's address space, can be had piece after piece; a NULL
 * pointer is no action
 */
#include "conformance.h"

#include <sys/resource.h>

static size_t address_space(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    size_t pages = 0;

    if (file != NULL) {
        if (fscanf(file, "%zu", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void pieces(size_t piece, cl_ulong wanted)
{
    for (cl_ulong total = 0; total <= wanted; total += piece) {
        char *p = clSVMAlloc(context, 0, piece, 0);

        if (p == NULL)
            FAIL("no memory after %llu bytes in pieces of %zu were had and freed",
                 (unsigned long long)total, piece);
        svm_set(p, 1, 1);
        svm_set(p + piece - 1, 1, 1);
        clSVMFree(context, p);
    }
}

int main(int argc, char **argv)
{
    cl_ulong memory, most;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    OK(clGetDeviceInfo(device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(memory), &memory, NULL));
    OK(clGetDeviceInfo(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(most), &most, NULL));
    clSVMFree(context, NULL);
    pieces(most / 4, 2 * memory);

    size_t used = address_space(), piece = 32 << 20;
    struct rlimit limit;
    if (used != 0 && piece <= most) {
        CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
        limit.rlim_cur = used + 8 * piece;
        CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
        pieces(piece, 64 * (cl_ulong)piece);
    }
    clSVMFree(context, NULL);
    return 0;
}
