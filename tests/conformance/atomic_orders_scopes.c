/* SPDX-License-Identifier: MIT */
/*
 * atomic_orders_scopes.c - OpenCL 3.0 C, section 6.15.12 (Atomic Functions), and API, section 4.2
 * (CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES): with each order and scope that the device reports, each
 * of many work-items gets a value of its own from a counter in SVM memory
 */
#include "atomics.h"

#define N 1024

static const struct {
    const char *name;
    cl_device_atomic_capabilities bit;
} orders[] = {
    { "relaxed", CL_DEVICE_ATOMIC_ORDER_RELAXED },   { "acquire", CL_DEVICE_ATOMIC_ORDER_ACQ_REL },
    { "release", CL_DEVICE_ATOMIC_ORDER_ACQ_REL },   { "acq_rel", CL_DEVICE_ATOMIC_ORDER_ACQ_REL },
    { "seq_cst", CL_DEVICE_ATOMIC_ORDER_SEQ_CST },
}, scopes[] = {
    { "work_group", CL_DEVICE_ATOMIC_SCOPE_WORK_GROUP },
    { "device", CL_DEVICE_ATOMIC_SCOPE_DEVICE },
    { "all_svm_devices", CL_DEVICE_ATOMIC_SCOPE_ALL_DEVICES },
};

int main(int argc, char **argv)
{
    static char source[8192];
    const char *names[15];
    size_t local = 1, global = N, length;
    unsigned count = 0;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_device_atomic_capabilities caps = atomic_caps(CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES);

    /* one kernel that does all of it, on a counter and a row of marks for each */
    length = (size_t)sprintf(source, "kernel void count_all(global atomic_uint *counters, "
                                     "global uint *marks, uint n) {\n");
    for (unsigned s = 0; s < 3; s++) {
        for (unsigned o = 0; o < 5; o++) {
            if (!(caps & scopes[s].bit) || !(caps & orders[o].bit))
                continue;
            names[count] = orders[o].name;
            /* a counter for each group of 16 work-items, so that a group's scope is enough */
            length += (size_t)sprintf(
                source + length,
                "marks[%u * n + get_group_id(0) * 16 + atomic_fetch_add_explicit(counters + %u * n "
                "+ get_group_id(0), 1, memory_order_%s, memory_scope_%s)] += 1;\n",
                count, count, orders[o].name, scopes[s].name);
            count++;
        }
    }
    strcpy(source + length, "}\n");
    CHECK(count >= 1);

    cl_kernel kernel = get_kernel(source, "count_all");
    cl_uint n = N, *counters = svm_alloc(0, count * N * sizeof(cl_uint));
    cl_uint *marks = svm_alloc(0, count * N * sizeof(cl_uint));
    cl_uint *seen = malloc(count * N * sizeof(*seen));
    svm_set(counters, 0, count * N * sizeof(cl_uint));
    svm_set(marks, 0, count * N * sizeof(cl_uint));
    local = 16;
    OK(clSetKernelArgSVMPointer(kernel, 0, counters));
    OK(clSetKernelArgSVMPointer(kernel, 1, marks));
    OK(clSetKernelArg(kernel, 2, sizeof(n), &n));
    OK(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, &local, 0, NULL, NULL));
    svm_read(seen, marks, count * N * sizeof(*seen));
    for (unsigned i = 0; i < count * N; i++)
        if (seen[i] != 1)
            FAIL("%s, number %u: value %u was given %u times", names[i / N], i / N, i % N, seen[i]);
    svm_read(seen, counters, count * N * sizeof(*seen));
    for (unsigned i = 0; i < count * N; i++)
        EQ(seen[i], i % N < N / 16 ? 16 : 0);
    printf("%u combinations of order and scope\n", count);
    return 0;
}
