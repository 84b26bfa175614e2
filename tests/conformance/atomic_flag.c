/* SPDX-License-Identifier: MIT */
/*
 * atomic_flag.c - OpenCL 3.0 C, section 6.15.12.7 (atomic_flag): work-groups exclude each other with
 * test-and-set and clear of a flag in SVM memory
 */
#include "atomics.h"

#define GROUPS 32
#define TIMES  50

static const char source[] =
    "kernel void locked(global atomic_flag *flag, global uint *count, uint times) {\n"
    "    for (uint t = 0; t < times; t++) {\n"
    "        while (atomic_flag_test_and_set_explicit(flag, memory_order_acquire,\n"
    "                                                 memory_scope_device)) {}\n"
    "        *count += 1;\n"
    "        atomic_flag_clear_explicit(flag, memory_order_release, memory_scope_device);\n"
    "    }\n"
    "}\n"
    "kernel void states(global atomic_flag *flag, global uint *is) {\n"
    "    atomic_flag_clear_explicit(flag, memory_order_relaxed, memory_scope_device);\n"
    "    is[0] = atomic_flag_test_and_set_explicit(flag, memory_order_relaxed, memory_scope_device);\n"
    "    is[1] = atomic_flag_test_and_set_explicit(flag, memory_order_relaxed, memory_scope_device);\n"
    "    atomic_flag_clear_explicit(flag, memory_order_relaxed, memory_scope_device);\n"
    "    is[2] = atomic_flag_test_and_set_explicit(flag, memory_order_relaxed, memory_scope_device);\n"
    "    atomic_flag_clear_explicit(flag, memory_order_relaxed, memory_scope_device);\n"
    "}\n";

int main(int argc, char **argv)
{
    const size_t global = GROUPS, local = 1;
    const cl_uint times = TIMES;
    cl_uint is[3];

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    need_atomics(CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES,
                 CL_DEVICE_ATOMIC_ORDER_ACQ_REL | CL_DEVICE_ATOMIC_SCOPE_DEVICE);
    cl_kernel locked = get_kernel(source, "locked"), states = get_kernel(source, "states");
    cl_uint *flag = svm_alloc(0, 64), *count = svm_alloc(0, 64);

    OK(clSetKernelArgSVMPointer(states, 0, flag));
    OK(clSetKernelArgSVMPointer(states, 1, count));
    run(queue, states, 1, 0, NULL, NULL);
    svm_read(is, count, sizeof(is));
    EQ(is[0], 0);
    EQ(is[1], 1);
    EQ(is[2], 0);

    svm_set(count, 0, 64);
    OK(clSetKernelArgSVMPointer(locked, 0, flag));
    OK(clSetKernelArgSVMPointer(locked, 1, count));
    OK(clSetKernelArg(locked, 2, sizeof(times), &times));
    OK(clEnqueueNDRangeKernel(queue, locked, 1, NULL, &global, &local, 0, NULL, NULL));
    EQ(svm_read_uint(count), GROUPS * TIMES);
    return 0;
}
