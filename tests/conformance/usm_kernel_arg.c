/* SPDX-License-Identifier: MIT */
/*
 * usm_kernel_arg.c - cl_intel_unified_shared_memory, clSetKernelArgMemPointerINTEL: pointers to and
 * into each kind of memory are arguments; NULL is a value; the errors
 */
#include "usm.h"

#define N 256

int main(int argc, char **argv)
{
    static const cl_uint zero;
    cl_uint seen[2 * N], x = 4;

    usm_open(argc, argv);
    cl_kernel add = common_kernel("add"), locals = common_kernel("locals");
    cl_kernel walk = common_kernel("walk");
    OK(clSetKernelArg(add, 1, sizeof(x), &x));
    for (enum usm_kind kind = 0; kind < USM_KINDS; kind++) {
        if (!usm_has(kind))
            continue;
        cl_uint *p = usm_alloc(kind, sizeof(seen));

        OK(usm_memfill(queue, p, &zero, sizeof(zero), sizeof(seen), 0, NULL, NULL));
        RETURNS(usm_arg(add, 0, p), CL_SUCCESS);
        run(queue, add, N, 0, NULL, NULL);
        RETURNS(usm_arg(add, 0, p + N / 2), CL_SUCCESS);
        run(queue, add, N, 0, NULL, NULL);
        usm_read(seen, p, sizeof(seen));
        for (unsigned i = 0; i < 2 * N; i++)
            EQ(seen[i], i < N / 2 ? 4 : i < N ? 8 : i < N + N / 2 ? 4 : 0);

        /* an empty list, as no pointer says */
        RETURNS(usm_arg(walk, 0, NULL), CL_SUCCESS);
        RETURNS(usm_arg(walk, 1, p), CL_SUCCESS);
        run(queue, walk, 1, 0, NULL, NULL);
        usm_read(seen, p, sizeof(seen));
        EQ(seen[0], 0);

        RETURNS(usm_arg(NULL, 0, p), CL_INVALID_KERNEL);
        RETURNS(usm_arg(add, 2, p), CL_INVALID_ARG_INDEX);
        RETURNS(usm_arg(locals, 1, p), CL_INVALID_ARG_VALUE); /* local */
        RETURNS(usm_arg(locals, 2, p), CL_INVALID_ARG_VALUE); /* no pointer */
    }
    return 0;
}
