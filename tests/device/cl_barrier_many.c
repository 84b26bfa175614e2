/* SPDX-License-Identifier: MIT */
/*
 * cl_barrier_many.c - a kernel with many barriers that depend on conditions is compiled without a copy of what
 * follows for each of their combinations, and is right
 */
#include "cl_harness.h"

#define LOCAL  16
#define GROUPS 8
#define ROUNDS 24

/* Each round is unrolled: a prefix sum of which the barriers are in loops that a condition may leave out. */
static const char source[] =
    "int prefix(local int *data, int x, int rounds) {\n"
    "    int lid = get_local_id(0);\n"
    "    data[lid] = x;\n"
    "    for (int d = 1; d < rounds; d <<= 1) {\n"
    "        barrier(CLK_LOCAL_MEM_FENCE);\n"
    "        int y = lid >= d ? data[lid - d] : 0;\n"
    "        barrier(CLK_LOCAL_MEM_FENCE);\n"
    "        data[lid] += y;\n"
    "    }\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    int sum = data[lid];\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    return sum;\n"
    "}\n"
    "kernel void many(global int *in, global int *out, local int *data) {\n"
    "    int gid = get_global_id(0), length = in[get_group_id(0)];\n"
    "#pragma unroll\n"
    "    for (int r = 0; r < ROUNDS; r++) {\n"
    "        if (length & 1 << r)\n"
    "            out[r * get_global_size(0) + gid] = prefix(data, gid + r, get_local_size(0));\n"
    "    }\n"
    "}\n";

int main(void)
{
    static int in[GROUPS], out[ROUNDS * GROUPS * LOCAL];
    cl_event event;
    cl_int err;

    for (int g = 0; g < GROUPS; g++)
        in[g] = 0x5a3c96 * (g + 1);
    cl_open();
    char options[64];
    snprintf(options, sizeof(options), "-cl-std=CL3.0 -DROUNDS=%d", ROUNDS);
    cl_program program = cl_build_with(source, options);
    cl_kernel kernel = clCreateKernel(program, "many", &err);
    CL(err);
    CL(clSetKernelArgSVMPointer(kernel, 0, in));
    CL(clSetKernelArgSVMPointer(kernel, 1, out));
    CL(clSetKernelArg(kernel, 2, LOCAL * sizeof(int), NULL));
    cl_run(cl_queue, kernel, (size_t)GROUPS * LOCAL, LOCAL, &event);
    CL(clWaitForEvents(1, &event));
    for (int r = 0; r < ROUNDS; r++)
        for (int g = 0; g < GROUPS; g++)
            for (int i = 0, sum = 0; i < LOCAL; i++) {
                sum += g * LOCAL + i + r;
                EQ(out[(r * GROUPS + g) * LOCAL + i], in[g] & 1 << r ? sum : 0);
            }
    return 0;
}
