/* SPDX-License-Identifier: MIT */
/*
 * cl_crash_jump.c - a kernel that jumps to where no code is: nowhere, to what is no address, to
 * memory it can read but holds no instructions; kernel mode
 */
#include "cl_crash.h"

static const char source[] =
    "kernel void leap(ulong to, global int *before) {\n"
    "    before[get_global_id(0)] = 1;\n"
    "    if (get_global_id(0) == 70) __asm__ volatile(\"jmp *%0\" : : \"r\"(to) : \"memory\");\n"
    "}\n"
    CRASH_GOOD;

int main(void)
{
    static unsigned char garbage[4096] __attribute__((aligned(4096)));
    int before[CRASH_ITEMS];
    char text[80];

    cl_program program = crash_open(source);
    cl_kernel leap = crash_kernel(program, "leap"), good = crash_kernel(program, "good");
    memset(garbage, 0x06, sizeof(garbage)); /* no instruction in 64-bit code */
    cl_ulong to[] = { 0, 0x123456, 0x8000000000000000, (cl_ulong)(uintptr_t)garbage };

    CL(clSetKernelArgSVMPointer(leap, 1, before));
    for (int i = 0; i < 4; i++) {
        memset(before, 0, sizeof(before));
        ARG(leap, 0, to[i]);
        crash_fails(leap);
        /* Before it jumped it had written, and that stays. */
        EQ(before[70], 1);
        if (i < 2) {
            snprintf(text, sizeof(text), "tried to execute address 0x%llx", (long long)to[i]);
            crash_says(text);
        } else if (i == 3) {
            snprintf(text, sizeof(text), "crashed with Illegal instruction at address 0x%llx",
                     (long long)to[i]);
            crash_says(text);
        }
        crash_says("kernel \"leap\"");
        crash_says("work-group (4,0,0)");
        crash_good(good);
    }
    return 0;
}
