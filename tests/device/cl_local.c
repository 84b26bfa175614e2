/* SPDX-License-Identifier: MIT */
/* cl_local.c - local memory of both kinds and barriers: each group reverses and sums its own part */
#include "cl_harness.h"

#define GROUP  64
#define GROUPS 301

static const char source[] =
    "kernel void k(global int *a, local int *given, global long *sums) {\n"
    "    local long own[64];\n"
    "    int l = get_local_id(0), n = get_local_size(0);\n"
    "    given[l] = a[get_global_id(0)];\n"
    "    own[l] = given[l];\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    a[get_global_id(0)] = given[n - 1 - l];\n"
    "    for (int step = n / 2; step > 0; step /= 2) {\n"
    "        if (l < step) own[l] += own[l + step];\n"
    "        barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    }\n"
    "    if (l == 0) sums[get_group_id(0)] = own[0];\n"
    "}\n";

int main(void)
{
    static cl_int a[GROUP * GROUPS];
    static cl_long sums[GROUPS];
    cl_ulong device_size, kernel_size;

    for (int i = 0; i < GROUP * GROUPS; i++)
        a[i] = i;
    cl_open();
    cl_kernel k = cl_get_kernel(source, "k");
    cl_mem ma = cl_new_buffer(sizeof(a), a), ms = cl_new_buffer(sizeof(sums), NULL);

    ARG(k, 0, ma);
    CL(clSetKernelArg(k, 1, GROUP * sizeof(cl_int), NULL));
    ARG(k, 2, ms);
    cl_run(cl_queue, k, GROUP * GROUPS, GROUP, NULL);
    CL(clEnqueueReadBuffer(cl_queue, ma, CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL));
    CL(clEnqueueReadBuffer(cl_queue, ms, CL_TRUE, 0, sizeof(sums), sums, 0, NULL, NULL));
    for (int g = 0; g < GROUPS; g++) {
        long first = (long)g * GROUP;

        EQ(sums[g], GROUP * first + GROUP * (GROUP - 1) / 2);
        for (int l = 0; l < GROUP; l++)
            EQ(a[first + l], first + GROUP - 1 - l);
    }

    /* all that the device says it has can be used */
    CL(clGetDeviceInfo(cl_device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof(device_size), &device_size,
                       NULL));
    CL(clGetKernelWorkGroupInfo(k, cl_device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof(kernel_size),
                                &kernel_size, NULL));
    CHECK(device_size >= 32 * 1024);
    CL(clSetKernelArg(k, 1, device_size - 64 * sizeof(cl_long) - 256, NULL));
    cl_run(cl_queue, k, GROUP * GROUPS, GROUP, NULL);
    CL(clEnqueueReadBuffer(cl_queue, ma, CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL));
    for (int i = 0; i < GROUP * GROUPS; i++)
        EQ(a[i], i);
    return 0;
}
