/* SPDX-License-Identifier: MIT */
/*
 * atomic_message.c - OpenCL 3.0 API, section 3.3.7 (Memory Ordering Rules) and 5.6.1: what is written
 * before a release is seen after the acquire that reads it, from the host to a running kernel and
 * back, with acquire and release, and with seq_cst
 */
#include "atomics.h"

#define WORDS  200
#define ROUNDS 200

/* The device answers each message by one with each word doubled. */
static const char source[] = ATOMICS_SOURCE
    "kernel void answer(global atomic_uint *flags, global uint *words, uint n, uint rounds,\n"
    "                   uint strong) {\n"
    "    for (uint r = 1; r <= rounds; r++) {\n"
    "        uint i, come = 0;\n"
    "        for (i = 0; i < " TO_TEXT(SPINS) " && come != r; i++)\n"
    "#ifdef __opencl_c_atomic_order_seq_cst\n"
    "            if (strong) come = atomic_load_explicit(flags, memory_order_seq_cst, ALL);\n"
    "            else\n"
    "#endif\n"
    "                come = atomic_load_explicit(flags, memory_order_acquire, ALL);\n"
    "        if (come != r) return;\n"
    "        for (i = 0; i < n; i++) words[n + i] = 2 * words[i];\n"
    "#ifdef __opencl_c_atomic_order_seq_cst\n"
    "        if (strong) atomic_store_explicit(flags + 64, r, memory_order_seq_cst, ALL);\n"
    "        else\n"
    "#endif\n"
    "            atomic_store_explicit(flags + 64, r, memory_order_release, ALL);\n"
    "    }\n"
    "}\n";

int main(int argc, char **argv)
{
    const cl_uint n = WORDS, rounds = ROUNDS;

    test_open(argc, argv);
    need_host_atomics(CL_DEVICE_ATOMIC_ORDER_RELAXED | CL_DEVICE_ATOMIC_ORDER_ACQ_REL);
    cl_device_atomic_capabilities caps = atomic_caps(CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES);
    cl_kernel kernel = get_kernel(source, "answer");

    for (unsigned kind = 0; kind < ATOMIC_KINDS; kind++) {
        for (cl_uint strong = 0; strong < (caps & CL_DEVICE_ATOMIC_ORDER_SEQ_CST ? 2 : 1); strong++) {
            cl_uint *flags = atomic_memory(kind, 128 * sizeof(*flags));
            cl_uint *words = atomic_memory(kind, 2 * WORDS * sizeof(*words));
            cl_event done;

            if (flags == NULL)
                continue;
            OK(clSetKernelArgSVMPointer(kernel, 0, flags));
            OK(clSetKernelArgSVMPointer(kernel, 1, words));
            OK(clSetKernelArg(kernel, 2, sizeof(n), &n));
            OK(clSetKernelArg(kernel, 3, sizeof(rounds), &rounds));
            OK(clSetKernelArg(kernel, 4, sizeof(strong), &strong));
            run(queue, kernel, 1, 0, NULL, &done);
            OK(clFlush(queue));
            for (cl_uint r = 1; r <= ROUNDS; r++) {
                for (unsigned i = 0; i < WORDS; i++)
                    words[i] = r * 1000 + i;
                __atomic_store_n(flags, r, strong ? __ATOMIC_SEQ_CST : __ATOMIC_RELEASE);
                host_await(flags + 64, r, done);
                __atomic_thread_fence(strong ? __ATOMIC_SEQ_CST : __ATOMIC_ACQUIRE);
                for (unsigned i = 0; i < WORDS; i++)
                    EQ(words[WORDS + i], 2 * (r * 1000 + i));
            }
            event_ends(done, CL_COMMAND_NDRANGE_KERNEL);
        }
    }
    return 0;
}
