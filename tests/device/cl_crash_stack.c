/* SPDX-License-Identifier: MIT */
/*
 * cl_crash_stack.c - a kernel that runs out of its stack, step by step or at once, ends; groups whose
 * private memory would not fit are not even enqueued, unless they are of one item; kernel mode
 */
#include "cl_crash.h"

/* The stack has 16 MiB, and holds the private memory of all items of a group. */
#define USES(name, bytes) \
    "kernel void " name "(global int *a, int n) {\n" \
    "    volatile private int big[" bytes " / 4];\n" \
    "    for (int i = 0; i < n; i++) big[i * 64 % (" bytes " / 4)] = i;\n" \
    "    barrier(CLK_GLOBAL_MEM_FENCE);\n" \
    "    a[get_global_id(0)] = big[get_global_id(0) * 64];\n" \
    "}\n"

static const char source[] =
    "kernel void deeper(global int *a) {\n"
    "    a[get_global_id(0)] = 7;\n"
    "    if (get_global_id(0) == 70) __asm__ volatile(\"1: push %%rax; jmp 1b\" : : : \"memory\");\n"
    "}\n"
    USES("fits", "65536")
    USES("little", "1048576")
    USES("far", "67108864")
    USES("over", "20971520")
    CRASH_GOOD;

int main(void)
{
    static const struct {
        const char *name;
        size_t local;
    } bad[] = { { "little", 16 }, { "far", 16 } };
    cl_int n = 256; /* then it writes each word once */
    int a[CRASH_ITEMS];
    cl_event event;

    cl_program program = crash_open(source);
    cl_kernel good = crash_kernel(program, "good"), deeper = crash_kernel(program, "deeper");
    cl_kernel fits = crash_kernel(program, "fits");

    for (int round = 0; round < 2; round++) {
        memset(a, 0, sizeof(a));
        CL(clSetKernelArgSVMPointer(deeper, 0, a));
        crash_fails(deeper);
        crash_says("kernel \"deeper\" tried to write address 0x");
        crash_says("work-group (4,0,0)");
        EQ(a[70], 7);
        crash_good(good);
    }

    cl_kernel over = crash_kernel(program, "over");
    CL(clSetKernelArgSVMPointer(over, 0, a));
    ARG(over, 1, n);
    crash_fails_in(over, 1);
    crash_says("kernel \"over\" tried to write address 0x");
    crash_good(good);

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cl_kernel kernel = crash_kernel(program, bad[i].name);
        size_t global = CRASH_ITEMS;

        CL(clSetKernelArgSVMPointer(kernel, 0, a));
        ARG(kernel, 1, n);
        cl_int err = clEnqueueNDRangeKernel(cl_queue, kernel, 1, NULL, &global, &bad[i].local, 0,
                                            NULL, NULL);
        EQ(err, CL_INVALID_WORK_GROUP_SIZE);
    }
    CL(clSetKernelArgSVMPointer(fits, 0, a));
    ARG(fits, 1, n);
    cl_run(cl_queue, fits, CRASH_ITEMS, 16, &event);
    CL(clWaitForEvents(1, &event));
    for (int i = 0; i < CRASH_ITEMS; i++)
        EQ(a[i], i);
    return 0;
}
