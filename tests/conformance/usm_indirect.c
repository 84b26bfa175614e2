/* SPDX-License-Identifier: MIT */
/*
 * usm_indirect.c - cl_intel_unified_shared_memory, clSetKernelExecInfo: kernels follow pointers to
 * memory of each kind that a list or the flag of its kind allows; the errors
 */
#include "usm.h"

int main(int argc, char **argv)
{
    const cl_bool yes = CL_TRUE, no = CL_FALSE;
    const cl_kernel_exec_info list = CL_KERNEL_EXEC_INFO_USM_PTRS_INTEL;
    static const cl_uint five = 5;
    cl_uint seen;

    usm_open(argc, argv);
    cl_kernel walk = common_kernel("walk");
    for (enum usm_kind kind = 0; kind < USM_KINDS; kind++) {
        const cl_kernel_exec_info flag = usm_kinds[kind].indirect;

        if (!usm_has(kind)) {
            if (kind < USM_SHARED)
                RETURNS(clSetKernelExecInfo(walk, flag, sizeof(yes), &yes), CL_INVALID_OPERATION);
            continue;
        }
        cl_uint *value = usm_alloc(kind, 64), *sum = usm_alloc(kind, sizeof(*sum));
        struct node *node = usm_alloc(kind, sizeof(*node)), built = { NULL, value + 7 };
        const void *allowed[] = { value + 3 }, *two[] = { value, node };

        usm_write(node, &built, sizeof(built));
        OK(usm_memfill(queue, value, &five, sizeof(five), 64, 0, NULL, NULL));
        OK(usm_arg(walk, 0, node));
        OK(usm_arg(walk, 1, sum));
        for (unsigned round = 0; round < 3; round++) {
            /* one allocation by its middle, two, all of the kind */
            if (round == 0)
                RETURNS(clSetKernelExecInfo(walk, list, sizeof(allowed), allowed), CL_SUCCESS);
            else if (round == 1)
                RETURNS(clSetKernelExecInfo(walk, list, sizeof(two), two), CL_SUCCESS);
            else
                RETURNS(clSetKernelExecInfo(walk, flag, sizeof(yes), &yes), CL_SUCCESS);
            run(queue, walk, 1, 0, NULL, NULL);
            usm_read(&seen, sum, sizeof(seen));
            EQ(seen, 5 + 1000 * round);
        }
        RETURNS(clSetKernelExecInfo(walk, flag, sizeof(no), &no), CL_SUCCESS);

        RETURNS(clSetKernelExecInfo(NULL, list, sizeof(two), two), CL_INVALID_KERNEL);
        RETURNS(clSetKernelExecInfo(walk, list, sizeof(two), NULL), CL_INVALID_VALUE);
        RETURNS(clSetKernelExecInfo(walk, list, sizeof(two) - 1, two), CL_INVALID_VALUE);
        RETURNS(clSetKernelExecInfo(walk, flag, sizeof(yes), NULL), CL_INVALID_VALUE);
        RETURNS(clSetKernelExecInfo(walk, flag, sizeof(yes) - 1, &yes), CL_INVALID_VALUE);
    }
    return 0;
}
