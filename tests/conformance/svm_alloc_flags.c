/* SPDX-License-Identifier: MIT */
/*
 * svm_alloc_flags.c - OpenCL 3.0 API, section 5.6.1, clSVMAlloc: each valid combination of flags
 * gives memory that host and device share over its whole size if the device has that level, and
 * NULL if it has not
 */
#include "conformance.h"

#define N 256

int main(int argc, char **argv)
{
    static const cl_svm_mem_flags access[] = { 0, CL_MEM_READ_WRITE, CL_MEM_READ_ONLY,
                                               CL_MEM_WRITE_ONLY };
    cl_uint host[N], *all[12];
    unsigned count = 0;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel copy = common_kernel("copy");
    cl_uint *other = svm_alloc(0, sizeof(host));

    for (unsigned l = 0; l < 3; l++) {
        for (unsigned a = 0; a < 4; a++) {
            cl_uint *p = clSVMAlloc(context, access[a] | svm_levels[l].flags, sizeof(host), 0);

            if (!has_level(&svm_levels[l])) {
                SAME(p, NULL);
                continue;
            }
            if (p == NULL)
                FAIL("no %s memory with access flag %llu", svm_levels[l].name,
                     (unsigned long long)access[a]);
            all[count++] = p;

            /* from the host to the kernel, from the kernel to the host, as the access allows */
            for (unsigned i = 0; i < N; i++)
                host[i] = 1000 * count + i;
            if (access[a] != CL_MEM_WRITE_ONLY) {
                svm_write(p, host, sizeof(host));
                svm_set(other, 0, sizeof(host));
                OK(clSetKernelArgSVMPointer(copy, 0, other));
                OK(clSetKernelArgSVMPointer(copy, 1, p));
                run(queue, copy, N, 0, NULL, NULL);
                svm_read(host, other, sizeof(host));
                for (unsigned i = 0; i < N; i++)
                    EQ(host[i], 1000 * count + i);
            }
            if (access[a] != CL_MEM_READ_ONLY) {
                svm_write(other, host, sizeof(host));
                svm_set(p, 0, sizeof(host));
                OK(clSetKernelArgSVMPointer(copy, 0, p));
                OK(clSetKernelArgSVMPointer(copy, 1, other));
                run(queue, copy, N, 0, NULL, NULL);
                memset(host, 0, sizeof(host));
                svm_read(host, p, sizeof(host));
                for (unsigned i = 0; i < N; i++)
                    EQ(host[i], 1000 * count + i);
            }
        }
    }

    /* allocations are disjoint */
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = 0; j < i; j++)
            CHECK(all[i] + N <= all[j] || all[j] + N <= all[i]);
    for (unsigned i = 0; i < count; i++)
        clSVMFree(context, all[i]);
    clSVMFree(context, other);
    return 0;
}
