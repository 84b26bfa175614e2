/* SPDX-License-Identifier: MIT */
/*
 * atomic_fence.c - OpenCL 3.0 C, section 6.15.12.5 (Fences), and API, section 3.3.7.2: relaxed atomics
 * between fences pass messages between the host and a running kernel, with fences of each order and
 * the scope of all SVM devices
 */
#include "atomics.h"

#define WORDS  100
#define ROUNDS 200

/* Odd rounds: acquire and release; even ones: acq_rel or seq_cst. */
static const char source[] = ATOMICS_SOURCE
    "#define G CLK_GLOBAL_MEM_FENCE\n"
    "kernel void answer(global atomic_uint *flags, global uint *words, uint n, uint rounds) {\n"
    "    for (uint r = 1; r <= rounds; r++) {\n"
    "        if (!await(flags, r)) return;\n"
    "        if (r % 4 == 0) atomic_work_item_fence(G, memory_order_acq_rel, ALL);\n"
    "#ifdef __opencl_c_atomic_order_seq_cst\n"
    "        else if (r % 4 == 2) atomic_work_item_fence(G, memory_order_seq_cst, ALL);\n"
    "#endif\n"
    "        else atomic_work_item_fence(G, memory_order_acquire, ALL);\n"
    "        for (uint i = 0; i < n; i++) words[n + i] = 2 * words[i];\n"
    "        if (r % 4 == 0) atomic_work_item_fence(G, memory_order_acq_rel, ALL);\n"
    "#ifdef __opencl_c_atomic_order_seq_cst\n"
    "        else if (r % 4 == 2) atomic_work_item_fence(G, memory_order_seq_cst, ALL);\n"
    "#endif\n"
    "        else atomic_work_item_fence(G, memory_order_release, ALL);\n"
    "        atomic_store_explicit(flags + 64, r, memory_order_relaxed, ALL);\n"
    "    }\n"
    "}\n";

int main(int argc, char **argv)
{
    const cl_uint n = WORDS, rounds = ROUNDS;

    test_open(argc, argv);
    need_host_atomics(CL_DEVICE_ATOMIC_ORDER_RELAXED);
    need_atomics(CL_DEVICE_ATOMIC_FENCE_CAPABILITIES,
                 CL_DEVICE_ATOMIC_ORDER_ACQ_REL | CL_DEVICE_ATOMIC_SCOPE_ALL_DEVICES);
    cl_kernel kernel = get_kernel(source, "answer");

    for (unsigned kind = 0; kind < ATOMIC_KINDS; kind++) {
        cl_uint *flags = atomic_memory(kind, 128 * sizeof(*flags));
        cl_uint *words = atomic_memory(kind, 2 * WORDS * sizeof(*words));
        cl_event done;

        if (flags == NULL)
            continue;
        OK(clSetKernelArgSVMPointer(kernel, 0, flags));
        OK(clSetKernelArgSVMPointer(kernel, 1, words));
        OK(clSetKernelArg(kernel, 2, sizeof(n), &n));
        OK(clSetKernelArg(kernel, 3, sizeof(rounds), &rounds));
        run(queue, kernel, 1, 0, NULL, &done);
        OK(clFlush(queue));
        for (cl_uint r = 1; r <= ROUNDS; r++) {
            for (unsigned i = 0; i < WORDS; i++)
                words[i] = r * 1000 + i;
            __atomic_thread_fence(__ATOMIC_RELEASE);
            __atomic_store_n(flags, r, __ATOMIC_RELAXED);
            host_await(flags + 64, r, done);
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            for (unsigned i = 0; i < WORDS; i++)
                EQ(words[WORDS + i], 2 * (r * 1000 + i));
        }
        event_ends(done, CL_COMMAND_NDRANGE_KERNEL);
    }
    return 0;
}
