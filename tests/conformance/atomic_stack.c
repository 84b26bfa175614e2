/* SPDX-License-Identifier: MIT */
/*
 * atomic_stack.c - OpenCL 3.0 API, section 5.6.1 (fine-grained sharing with atomics): host and device
 * push nodes to one list at the same time by compare and exchange, and each node is there once, with
 * its contents
 */
#include "atomics.h"

#define NODES 4096 /* of either */

/* The head is the number of a node, 0 for none. */
static const char source[] = ATOMICS_SOURCE
    "kernel void push(global atomic_uint *head, global uint *next, global uint *value) {\n"
    "    uint n = get_global_id(0) + 1, old;\n"
    "    value[n] = 3 * n;\n"
    "    old = atomic_load_explicit(head, memory_order_relaxed, ALL);\n"
    "    do next[n] = old;\n"
    "    while (!atomic_compare_exchange_weak_explicit(head, &old, n, memory_order_release,\n"
    "                                                  memory_order_relaxed, ALL));\n"
    "}\n";

int main(int argc, char **argv)
{
    static bool there[2 * NODES + 1];

    test_open(argc, argv);
    need_host_atomics(CL_DEVICE_ATOMIC_ORDER_RELAXED | CL_DEVICE_ATOMIC_ORDER_ACQ_REL);
    cl_kernel kernel = get_kernel(source, "push");
    for (unsigned kind = 0; kind < ATOMIC_KINDS; kind++) {
        cl_uint *head = atomic_memory(kind, 128);
        cl_uint *next = atomic_memory(kind, sizeof(cl_uint) * (2 * NODES + 1));
        cl_uint *value = atomic_memory(kind, sizeof(cl_uint) * (2 * NODES + 1));
        cl_event done;

        if (head == NULL)
            continue;
        OK(clSetKernelArgSVMPointer(kernel, 0, head));
        OK(clSetKernelArgSVMPointer(kernel, 1, next));
        OK(clSetKernelArgSVMPointer(kernel, 2, value));
        run(queue, kernel, NODES, 0, NULL, &done);
        OK(clFlush(queue));
        for (cl_uint n = NODES + 1; n <= 2 * NODES; n++) {
            cl_uint old = __atomic_load_n(head, __ATOMIC_RELAXED);

            value[n] = 3 * n;
            do
                next[n] = old;
            while (!__atomic_compare_exchange_n(head, &old, n, true, __ATOMIC_RELEASE,
                                                __ATOMIC_RELAXED));
        }
        event_ends(done, CL_COMMAND_NDRANGE_KERNEL);

        unsigned count = 0;
        memset(there, 0, sizeof(there));
        for (cl_uint n = *head; n != 0; n = next[n]) {
            CHECK(n <= 2 * NODES && !there[n]);
            there[n] = true;
            EQ(value[n], 3 * n);
            count++;
        }
        EQ(count, 2 * NODES);
    }
    return 0;
}
