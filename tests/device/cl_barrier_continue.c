/* SPDX-License-Identifier: MIT */
/*
 * cl_barrier_continue.c - a barrier in a loop that some iterations do not reach: what all iterations have in
 * common is still done by each work-item for itself
 */
#include "cl_harness.h"

#define GROUPS 4
#define LOCAL  16
#define TASKS  40

static const char source[] =
    "kernel void tasks(int tasks, global int *sum, global int *done, local atomic_int *count) {\n"
    "    int lid = get_local_id(0);\n"
    "    for (int t = get_group_id(0); t < tasks; t += get_num_groups(0)) {\n"
    "        if (lid == 0)\n"
    "            atomic_store(count, 0);\n"
    "        barrier(CLK_LOCAL_MEM_FENCE);\n"
    "        if (t % 3 == 0)\n"
    "            SKIP\n"
    "        atomic_fetch_add(count, lid * (t + 1));\n"
    "        barrier(CLK_LOCAL_MEM_FENCE);\n"
    "        if (lid == 0) {\n"
    "            sum[t] = atomic_load(count);\n"
    "            done[t]++;\n"
    "        }\n"
    "        REST\n"
    "    }\n"
    "}\n";

/* Runs it with "continue" or the like in the place of SKIP; tasks that are skipped have their marks. */
static void check(const char *options)
{
    static int sum[TASKS], done[TASKS];
    cl_int tasks = TASKS, err;
    cl_event event;

    memset(sum, 0, sizeof(sum));
    memset(done, 0, sizeof(done));
    cl_program program = cl_build_with(source, options);
    cl_kernel kernel = clCreateKernel(program, "tasks", &err);
    CL(err);
    CL(clSetKernelArg(kernel, 0, sizeof(tasks), &tasks));
    CL(clSetKernelArgSVMPointer(kernel, 1, sum));
    CL(clSetKernelArgSVMPointer(kernel, 2, done));
    CL(clSetKernelArg(kernel, 3, sizeof(int), NULL));
    cl_run(cl_queue, kernel, (size_t)GROUPS * LOCAL, LOCAL, &event);
    CL(clWaitForEvents(1, &event));
    for (int t = 0; t < TASKS; t++) {
        int skipped = t % 3 == 0;

        EQ(done[t], !skipped);
        EQ(sum[t], skipped ? 0 : (t + 1) * LOCAL * (LOCAL - 1) / 2);
    }
    CL(clReleaseKernel(kernel));
    CL(clReleaseProgram(program));
}

int main(void)
{
    cl_open();
    check("-cl-std=CL3.0 -DSKIP=continue; -DREST=");
    check("-cl-std=CL3.0 -DSKIP=continue; -DREST=barrier(CLK_LOCAL_MEM_FENCE);");
    check("-cl-std=CL3.0 -cl-opt-disable -DSKIP=continue; -DREST=");
    return 0;
}
