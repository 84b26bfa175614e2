/* SPDX-License-Identifier: MIT */
/*
 * atomic_lock.c - OpenCL 3.0 C, section 6.15.12.7.5 (compare and exchange), and API, section 3.3.7: a
 * lock that host and work-groups take with acquire and give back with release protects ordinary
 * variables
 */
#include "atomics.h"

#define GROUPS 16
#define TIMES  100

static const char source[] = ATOMICS_SOURCE
    "kernel void locked(global atomic_uint *lock, global uint *pair, uint times) {\n"
    "    for (uint t = 0; t < times; t++) {\n"
    "        uint expected, i = 0, got = 0;\n"
    "        while (!got && i++ < " TO_TEXT(SPINS) ") {\n"
    "            expected = 0;\n"
    "            got = atomic_compare_exchange_strong_explicit(lock, &expected, 1,\n"
    "                      memory_order_acquire, memory_order_relaxed, ALL);\n"
    "        }\n"
    "        if (!got) return;\n"
    "        pair[0] += 1;\n"
    "        if (pair[0] != pair[1] + 1) pair[2] += 1;\n"
    "        pair[1] += 1;\n"
    "        atomic_store_explicit(lock, 0, memory_order_release, ALL);\n"
    "    }\n"
    "}\n";

int main(int argc, char **argv)
{
    const size_t global = GROUPS, local = 1;
    const cl_uint times = TIMES;

    test_open(argc, argv);
    need_host_atomics(CL_DEVICE_ATOMIC_ORDER_RELAXED | CL_DEVICE_ATOMIC_ORDER_ACQ_REL);
    cl_kernel kernel = get_kernel(source, "locked");
    for (unsigned kind = 0; kind < ATOMIC_KINDS; kind++) {
        cl_uint *lock = atomic_memory(kind, 128), mine = 0;
        volatile cl_uint *pair = atomic_memory(kind, 128);
        cl_event done;

        if (lock == NULL)
            continue;
        OK(clSetKernelArgSVMPointer(kernel, 0, lock));
        OK(clSetKernelArgSVMPointer(kernel, 1, (void *)pair));
        OK(clSetKernelArg(kernel, 2, sizeof(times), &times));
        OK(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, &local, 0, NULL, &done));
        OK(clFlush(queue));
        do {
            cl_uint expected = 0;

            if (!__atomic_compare_exchange_n(lock, &expected, 1, false, __ATOMIC_ACQUIRE,
                                             __ATOMIC_RELAXED)) {
                sched_yield();
                continue;
            }
            pair[0]++;
            pair[2] += pair[0] != pair[1] + 1;
            pair[1]++;
            mine++;
            __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
        } while (event_status(done) > CL_COMPLETE);
        event_ends(done, CL_COMMAND_NDRANGE_KERNEL);
        EQ(pair[2], 0);
        EQ(pair[0], GROUPS * TIMES + mine);
        EQ(pair[1], GROUPS * TIMES + mine);
        printf("the host had the lock %u times\n", mine);
    }
    return 0;
}
