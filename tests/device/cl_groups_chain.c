/* SPDX-License-Identifier: MIT */
/*
 * cl_groups_chain.c - each work-group waits for a flag of its neighbour: the
 * one before it, or the one after it, which would start last; the flag is an
 * atomic or a volatile variable
 */
#include "cl_harness.h"

static const char source[] =
    "void hand_on(global atomic_uint *flags, uint from, uint to) {\n"
    "    while (atomic_load_explicit(&flags[from], memory_order_acquire, memory_scope_device) == 0)\n"
    "        ;\n"
    "    atomic_store_explicit(&flags[to],\n"
    "                          atomic_load_explicit(&flags[from], memory_order_relaxed,\n"
    "                                               memory_scope_device) + 1,\n"
    "                          memory_order_release, memory_scope_device);\n"
    "}\n"
    "kernel void forwards(global atomic_uint *flags) {\n"
    "    hand_on(flags, get_group_id(0), get_group_id(0) + 1);\n"
    "}\n"
    "kernel void backwards(global atomic_uint *flags) {\n"
    "    hand_on(flags, get_group_id(0) + 1, get_group_id(0));\n"
    "}\n"
    "kernel void backwards_volatile(volatile global uint *flags) {\n"
    "    uint value;\n"
    "    while ((value = flags[get_group_id(0) + 1]) == 0)\n"
    "        ;\n"
    "    flags[get_group_id(0)] = value + 1;\n"
    "}\n";

int main(void)
{
    static const char *const names[] = { "forwards", "backwards", "backwards_volatile" };
    const cl_uint totals[] = { 8, 64, 128, 256, cl_many_groups() };

    cl_open();
    for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
        cl_kernel kernel = cl_get_kernel(source, names[k]);

        for (size_t t = 0; t < sizeof(totals) / sizeof(*totals); t++) {
            cl_uint *flags;
            bool back = k > 0;

            /* Each hand-over takes a turn of all that wait: minutes where that is emulated. */
            if (back && cl_kernel_mode && totals[t] > 256)
                continue;
            flags = calloc(totals[t] + 1, sizeof(*flags));
            CHECK(flags != NULL);
            flags[back ? totals[t] : 0] = 1;
            CL(clSetKernelArgSVMPointer(kernel, 0, flags));
            cl_run(cl_queue, kernel, totals[t], 1, NULL);
            CL(clFinish(cl_queue));
            for (cl_uint i = 0; i <= totals[t]; i++)
                EQ(flags[i], back ? totals[t] + 1 - i : i + 1);
            free(flags);
        }
    }
    return 0;
}
