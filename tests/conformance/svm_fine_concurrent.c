/* SPDX-License-Identifier: MIT */
/*
 * svm_fine_concurrent.c - OpenCL 3.0 API, section 5.6.1: host and device concurrently update
 * neighbouring bytes of fine-grained memory, and none of the updates is lost
 */
#include "conformance.h"

#define N      4096 /* bytes; odd ones are the host's */
#define ROUNDS 20

static const char source[] =
    "kernel void even_bytes(global uchar *p) {\n"
    "    for (uint i = 0; i < 200; i++) p[2 * get_global_id(0)] += 1;\n"
    "}\n";

static void check(cl_kernel kernel, unsigned char *bytes, const char *what)
{
    volatile unsigned char *p = bytes; /* byte by byte, in memory */

    memset(bytes, 0, N);
    OK(clSetKernelArgSVMPointer(kernel, 0, bytes));
    for (unsigned round = 1; round <= ROUNDS; round++) {
        cl_event done;

        run(queue, kernel, N / 2, 0, NULL, &done);
        OK(clFlush(queue));
        for (unsigned times = 0; times < 3; times++)
            for (unsigned i = 1; i < N; i += 2)
                p[i]++;
        event_ends(done, CL_COMMAND_NDRANGE_KERNEL);
        for (unsigned i = 0; i < N; i++) {
            unsigned char wanted = (unsigned char)(round * (i % 2 ? 3 : 200));
            if (p[i] != wanted)
                FAIL("%s, round %u: byte %u is %u, not %u", what, round, i, p[i], wanted);
        }
    }
}

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_FINE_GRAIN_BUFFER);
    cl_kernel kernel = get_kernel(source, "even_bytes");
    for (unsigned l = 1; l < 3; l++)
        if (has_level(&svm_levels[l]))
            check(kernel, svm_alloc(svm_levels[l].flags, N), svm_levels[l].name);
    if (svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM)
        check(kernel, malloc(N), "system memory");
    return 0;
}
