/* SPDX-License-Identifier: MIT */
/*
 * atomic_coherence.c - OpenCL 3.0 API, section 3.3.7.1 (modification order): relaxed reads of one
 * location, by the device of what the host writes and the other way round, never go back to an older
 * value
 */
#include "atomics.h"

#define LAST 200000

static const char source[] = ATOMICS_SOURCE
    "kernel void both_ways(global atomic_uint *in, global atomic_uint *out, global uint *result,\n"
    "                      uint last) {\n"
    "    uint before = 0, back = 0, changes = 0, i, wrote = 0;\n"
    "    for (i = 0; i < " TO_TEXT(SPINS) " && before != last; i++) {\n"
    "        uint now = atomic_load_explicit(in, memory_order_relaxed, ALL);\n"
    "        back += now < before;\n"
    "        changes += now != before;\n"
    "        before = now;\n"
    "        if (wrote < last) atomic_store_explicit(out, ++wrote, memory_order_relaxed, ALL);\n"
    "    }\n"
    "    while (wrote < last) atomic_store_explicit(out, ++wrote, memory_order_relaxed, ALL);\n"
    "    result[0] = before; result[1] = back; result[2] = changes;\n"
    "}\n";

int main(int argc, char **argv)
{
    const cl_uint last = LAST;

    test_open(argc, argv);
    need_host_atomics(CL_DEVICE_ATOMIC_ORDER_RELAXED);
    cl_kernel kernel = get_kernel(source, "both_ways");
    for (unsigned kind = 0; kind < ATOMIC_KINDS; kind++) {
        cl_uint *in = atomic_memory(kind, 128), *out = atomic_memory(kind, 128);
        cl_uint *result = atomic_memory(kind, 128), before = 0, changes = 0;
        cl_event done;

        if (in == NULL)
            continue;
        OK(clSetKernelArgSVMPointer(kernel, 0, in));
        OK(clSetKernelArgSVMPointer(kernel, 1, out));
        OK(clSetKernelArgSVMPointer(kernel, 2, result));
        OK(clSetKernelArg(kernel, 3, sizeof(last), &last));
        run(queue, kernel, 1, 0, NULL, &done);
        OK(clFlush(queue));
        while (__atomic_load_n(out, __ATOMIC_RELAXED) == 0 && event_status(done) > CL_COMPLETE)
            sched_yield(); /* until the kernel runs */
        for (cl_uint i = 1; i <= LAST; i++) {
            cl_uint now = __atomic_load_n(out, __ATOMIC_RELAXED);

            __atomic_store_n(in, i, __ATOMIC_RELAXED);
            if (now < before)
                FAIL("the host read %u after %u", now, before);
            changes += now != before;
            before = now;
        }
        event_ends(done, CL_COMMAND_NDRANGE_KERNEL);
        EQ(*out, LAST);
        EQ(result[0], LAST);
        EQ(result[1], 0);
        printf("the host saw %u changes, the device %u\n", changes, result[2]);
        CHECK(result[2] >= 1);
    }
    return 0;
}
