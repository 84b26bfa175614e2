/* SPDX-License-Identifier: MIT */
/*
 * cl_groups_meet.c - persistent work-groups: all of a launch's groups wait for
 * each other, several times, though there are many more of them than compute
 * units
 */
#include "cl_harness.h"

#define GROUP 16

static const char source[] =
    "kernel void meet(global atomic_uint *arrived, global uint *sums, uint rounds) {\n"
    "    uint groups = get_num_groups(0);\n"
    "    for (uint round = 0; round < rounds; round++) {\n"
    "        sums[round * get_global_size(0) + get_global_id(0)] = get_group_id(0) + round;\n"
    "        work_group_barrier(CLK_GLOBAL_MEM_FENCE, memory_scope_device);\n"
    "        if (get_local_id(0) == 0) {\n"
    "            atomic_fetch_add_explicit(arrived, 1, memory_order_acq_rel,\n"
    "                                      memory_scope_device);\n"
    "            while (atomic_load_explicit(arrived, memory_order_acquire,\n"
    "                                        memory_scope_device) < (round + 1) * groups)\n"
    "                ;\n"
    "        }\n"
    "        work_group_barrier(CLK_GLOBAL_MEM_FENCE, memory_scope_device);\n"
    /* What another group wrote before it came. */
    "        uint other = (get_group_id(0) + 1) % groups;\n"
    "        if (sums[round * get_global_size(0) + other * get_local_size(0) + get_local_id(0)]\n"
    "            != other + round)\n"
    "            sums[round * get_global_size(0) + get_global_id(0)] = 0xffffffff;\n"
    "    }\n"
    "}\n";

int main(void)
{
    const cl_uint totals[] = { 8, 64, cl_many_groups() };
    cl_open();
    cl_kernel meet = cl_get_kernel(source, "meet");
    for (size_t t = 0; t < sizeof(totals) / sizeof(*totals); t++) {
        /* A turn of a thousand threads takes seconds where that is emulated. */
        cl_uint rounds = cl_kernel_mode && totals[t] > 64 ? 1 : 3;
        size_t n = (size_t)totals[t] * GROUP;
        cl_uint *sums = calloc(n * rounds, sizeof(*sums));
        cl_uint *arrived = calloc(1, sizeof(*arrived));

        CHECK(sums != NULL && arrived != NULL);
        CL(clSetKernelArgSVMPointer(meet, 0, arrived));
        CL(clSetKernelArgSVMPointer(meet, 1, sums));
        ARG(meet, 2, rounds);
        cl_run(cl_queue, meet, n, GROUP, NULL);
        CL(clFinish(cl_queue));
        EQ(*arrived, rounds * totals[t]);
        for (cl_uint round = 0; round < rounds; round++)
            for (size_t i = 0; i < n; i++)
                EQ(sums[round * n + i], i / GROUP + round);
        free(sums);
        free(arrived);
    }
    return 0;
}
