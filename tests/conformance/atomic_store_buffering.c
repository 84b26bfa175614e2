/* SPDX-License-Identifier: MIT */
/*
 * atomic_store_buffering.c - OpenCL 3.0 API, section 3.3.7 (sequential consistency): host and device
 * each write one location and then read the other's with seq_cst; both cannot read the old value
 */
#include "atomics.h"

#define ROUNDS 2000

static const char source[] = ATOMICS_SOURCE
    "kernel void device_side(global atomic_uint *sync, global atomic_uint *x, global atomic_uint *y,\n"
    "                        global uint *seen, uint rounds) {\n"
    "    for (uint r = 1; r <= rounds; r++) {\n"
    "        if (!await(sync, r)) return;\n"
    "        atomic_store_explicit(y, r, memory_order_seq_cst, ALL);\n"
    "        seen[r] = atomic_load_explicit(x, memory_order_seq_cst, ALL);\n"
    "        atomic_store_explicit(sync + 64, r, memory_order_relaxed, ALL);\n"
    "    }\n"
    "}\n";

int main(int argc, char **argv)
{
    const cl_uint rounds = ROUNDS;
    static cl_uint host_seen[ROUNDS + 1];
    unsigned crossed = 0;

    test_open(argc, argv);
    need_host_atomics(CL_DEVICE_ATOMIC_ORDER_RELAXED | CL_DEVICE_ATOMIC_ORDER_SEQ_CST);
    cl_kernel kernel = get_kernel(source, "device_side");

    for (unsigned kind = 0; kind < ATOMIC_KINDS; kind++) {
        cl_uint *sync = atomic_memory(kind, 128 * sizeof(cl_uint));
        cl_uint *x = atomic_memory(kind, 128), *y = atomic_memory(kind, 128);
        cl_uint *seen = atomic_memory(kind, sizeof(host_seen));
        cl_event done;

        if (sync == NULL)
            continue;
        OK(clSetKernelArgSVMPointer(kernel, 0, sync));
        OK(clSetKernelArgSVMPointer(kernel, 1, x));
        OK(clSetKernelArgSVMPointer(kernel, 2, y));
        OK(clSetKernelArgSVMPointer(kernel, 3, seen));
        OK(clSetKernelArg(kernel, 4, sizeof(rounds), &rounds));
        run(queue, kernel, 1, 0, NULL, &done);
        OK(clFlush(queue));
        for (cl_uint r = 1; r <= ROUNDS; r++) {
            __atomic_store_n(sync, r, __ATOMIC_RELAXED);
            for (volatile unsigned delay = r % 64; delay > 0; delay--) {
            } /* to meet the device at different moments */
            __atomic_store_n(x, r, __ATOMIC_SEQ_CST);
            host_seen[r] = __atomic_load_n(y, __ATOMIC_SEQ_CST);
            host_await(sync + 64, r, done);
        }
        event_ends(done, CL_COMMAND_NDRANGE_KERNEL);
        for (cl_uint r = 1; r <= ROUNDS; r++) {
            bool host_old = host_seen[r] == r - 1, device_old = seen[r] == r - 1;

            CHECK(host_old || host_seen[r] == r);
            CHECK(device_old || seen[r] == r);
            if (host_old && device_old)
                FAIL("in round %u both read the old value", r);
            crossed += !host_old && !device_old;
        }
    }
    printf("in %u rounds both read the new value\n", crossed);
    return 0;
}
