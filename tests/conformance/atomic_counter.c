/* SPDX-License-Identifier: MIT */
/*
 * atomic_counter.c - OpenCL 3.0 API, sections 3.3.6 and 5.6.1: host and device count in the same
 * memory at the same time, with each order and the scope of all SVM devices, and nothing is lost
 */
#include "atomics.h"

#define ITEMS 256
#define TIMES 100

static const char source[] =
    "#define ALL memory_scope_all_svm_devices\n"
    "kernel void count(global atomic_uint *c, global atomic_uint *running, uint times) {\n"
    "    atomic_store_explicit(running, 1, memory_order_relaxed, ALL);\n"
    "    for (uint i = 0; i < times; i++) {\n"
    "        atomic_fetch_add_explicit(c, 1, memory_order_relaxed, ALL);\n"
    "#ifdef __opencl_c_atomic_order_acq_rel\n"
    "        atomic_fetch_add_explicit(c + 1, 1, memory_order_acquire, ALL);\n"
    "        atomic_fetch_add_explicit(c + 2, 1, memory_order_release, ALL);\n"
    "        atomic_fetch_add_explicit(c + 3, 1, memory_order_acq_rel, ALL);\n"
    "#endif\n"
    "#ifdef __opencl_c_atomic_order_seq_cst\n"
    "        atomic_fetch_add_explicit(c + 4, 1, memory_order_seq_cst, ALL);\n"
    "#endif\n"
    "    }\n"
    "}\n";

int main(int argc, char **argv)
{
    cl_uint times = TIMES;

    test_open(argc, argv);
    need_host_atomics(CL_DEVICE_ATOMIC_ORDER_RELAXED);
    cl_device_atomic_capabilities caps = atomic_caps(CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES);
    const bool has[5] = { true, caps & CL_DEVICE_ATOMIC_ORDER_ACQ_REL,
                          caps & CL_DEVICE_ATOMIC_ORDER_ACQ_REL,
                          caps & CL_DEVICE_ATOMIC_ORDER_ACQ_REL,
                          caps & CL_DEVICE_ATOMIC_ORDER_SEQ_CST };
    cl_kernel kernel = get_kernel(source, "count");

    for (unsigned kind = 0; kind < ATOMIC_KINDS; kind++) {
        cl_uint *c = atomic_memory(kind, 5 * sizeof(*c));
        cl_uint *running = atomic_memory(kind, sizeof(*running)), mine = 0;
        cl_event done;

        if (c == NULL)
            continue;
        OK(clSetKernelArgSVMPointer(kernel, 0, c));
        OK(clSetKernelArgSVMPointer(kernel, 1, running));
        OK(clSetKernelArg(kernel, 2, sizeof(times), &times));
        run(queue, kernel, ITEMS, 0, NULL, &done);
        OK(clFlush(queue));
        host_await(running, 1, done);
        do { /* as long as the device does */
            __atomic_fetch_add(c, 1, __ATOMIC_RELAXED);
            __atomic_fetch_add(c + 1, 1, __ATOMIC_ACQUIRE);
            __atomic_fetch_add(c + 2, 1, __ATOMIC_RELEASE);
            __atomic_fetch_add(c + 3, 1, __ATOMIC_ACQ_REL);
            __atomic_fetch_add(c + 4, 1, __ATOMIC_SEQ_CST);
            mine++;
        } while (event_status(done) > CL_COMPLETE);
        event_ends(done, CL_COMMAND_NDRANGE_KERNEL);
        for (unsigned i = 0; i < 5; i++)
            EQ(c[i], mine + (has[i] ? ITEMS * TIMES : 0));
        printf("the host counted %u\n", mine);
    }
    return 0;
}
