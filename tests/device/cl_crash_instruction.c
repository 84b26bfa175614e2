/* SPDX-License-Identifier: MIT */
/*
 * cl_crash_instruction.c - a kernel with an instruction that the processor refuses: illegal, privileged,
 * a breakpoint, a division by zero that nobody checked; kernel mode
 */
#include "cl_crash.h"

#define BAD(name, code) \
    "kernel void " name "(global int *a) {\n" \
    "    a[get_global_id(0)] = 7;\n" \
    "    if (get_global_id(0) == 70)\n" \
    "        __asm__ volatile(\"" code "\" : : : \"memory\", \"eax\", \"ecx\", \"edx\");\n" \
    "}\n"

static const char source[] =
    BAD("illegal", "ud2")
    BAD("privileged", "hlt")
    BAD("breakpoint", "int3")
    BAD("divide", "xor %%ecx, %%ecx; mov $1, %%eax; xor %%edx, %%edx; div %%ecx")
    BAD("overflow", "mov $0x80000000, %%eax; cltd; mov $-1, %%ecx; idiv %%ecx")
    CRASH_GOOD;

int main(void)
{
    static const struct {
        const char *name, *says;
    } bad[] = {
        { "illegal", "crashed with Illegal instruction" },
        { "privileged", "tried to read address 0xffffffffffffffff" }, /* of which the processor says no more */
        { "breakpoint", "crashed with Trace/breakpoint trap" },
        { "divide", "crashed with Floating point exception" },
        { "overflow", "crashed with Floating point exception" },
    };
    int a[CRASH_ITEMS];

    cl_program program = crash_open(source);
    cl_kernel good = crash_kernel(program, "good");
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cl_kernel kernel = crash_kernel(program, bad[i].name);

        memset(a, 0, sizeof(a));
        CL(clSetKernelArgSVMPointer(kernel, 0, a));
        crash_fails(kernel);
        crash_says(bad[i].says);
        crash_says(bad[i].name);
        crash_says("work-group (4,0,0)");
        EQ(a[70], 7);
        crash_good(good);
    }
    return 0;
}
