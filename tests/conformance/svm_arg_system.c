/* SPDX-License-Identifier: MIT */
/*
 * svm_arg_system.c - OpenCL 3.0 API, sections 5.6.1 (fine-grain system sharing) and 5.9.2: pointers
 * to memory of malloc, stack, program, and of mapped files and anonymous memory are kernel arguments
 */
#include "conformance.h"

#include <sys/mman.h>

#define N 256

static cl_uint in_data[N] = { 1, 2, 3 }, in_bss[N];

static void check(cl_kernel add, cl_uint *p, const char *what)
{
    cl_uint before[N];

    memcpy(before, p, sizeof(before));
    run_add(queue, add, p, 7, N, 0, NULL, NULL);
    OK(clFinish(queue));
    for (unsigned i = 0; i < N; i++)
        if (p[i] != before[i] + 7)
            FAIL("%s: element %u is %u, not %u", what, i, p[i], before[i] + 7);
}

int main(int argc, char **argv)
{
    cl_uint on_stack[N] = { 4, 5, 6 };
    cl_uint from_file[N];

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_FINE_GRAIN_SYSTEM);
    cl_kernel add = common_kernel("add");

    check(add, calloc(N, sizeof(cl_uint)), "malloc");
    check(add, (cl_uint *)calloc(1, 64 << 20) + (5 << 20), "in the middle of 64 MiB of malloc");
    check(add, on_stack, "stack");
    check(add, in_data, "data");
    check(add, in_bss, "bss");

    cl_uint *p = mmap(NULL, sizeof(in_bss), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                      -1, 0);
    CHECK(p != MAP_FAILED);
    check(add, p, "anonymous memory");
    p = mmap(NULL, sizeof(in_bss), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    check(add, p, "shared anonymous memory");

    FILE *file = tmpfile();
    CHECK(file != NULL);
    CHECK(fwrite(in_data, sizeof(in_data), 1, file) == 1 && fflush(file) == 0);
    p = mmap(NULL, sizeof(in_data), PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    CHECK(p != MAP_FAILED);
    check(add, p, "a file");
    CHECK(pread(fileno(file), from_file, sizeof(from_file), 0) == sizeof(from_file));
    CHECK(memcmp(from_file, p, sizeof(from_file)) == 0);
    return 0;
}
