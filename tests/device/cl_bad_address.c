/* SPDX-License-Identifier: MIT */
/*
 * cl_bad_address.c - a kernel that touches memory it must not: its event ends
 * with a negative status, a message names kernel, access and address, what
 * depends on it fails, and the next kernel is right. Kernel mode: without the
 * engine such a kernel ends the application.
 */
#include "cl_crash.h"

#include <sys/mman.h>

static const char source[] =
    "kernel void poke(global int *p) { if (get_global_id(0) == 70) *p = 1; }\n"
    "kernel void peek(global int *p, global int *out) { if (get_global_id(0) == 70) *out = *p; }\n"
    CRASH_GOOD;

int main(void)
{
    char address[64];
    int *none, *readonly, out = 5;

    cl_program program = crash_open(source);
    cl_kernel poke = crash_kernel(program, "poke"), peek = crash_kernel(program, "peek");
    cl_kernel ok = crash_kernel(program, "good");

    none = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(none != MAP_FAILED && readonly != MAP_FAILED);
    munmap(none, 4096);

    for (int round = 0; round < 3; round++) {
        CL(clSetKernelArgSVMPointer(poke, 0, none));
        crash_fails(poke);
        snprintf(address, sizeof(address), "kernel \"poke\" tried to write address %p", (void *)none);
        crash_says(address);
        crash_says("work-group (4,0,0)");
        crash_good(ok);

        CL(clSetKernelArgSVMPointer(peek, 0, none));
        CL(clSetKernelArgSVMPointer(peek, 1, &out));
        crash_fails(peek);
        snprintf(address, sizeof(address), "kernel \"peek\" tried to read address %p", (void *)none);
        crash_says(address);
        crash_good(ok);

        CL(clSetKernelArgSVMPointer(poke, 0, readonly));
        crash_fails(poke);
        snprintf(address, sizeof(address), "kernel \"poke\" tried to write address %p",
                 (void *)readonly);
        crash_says(address);
        EQ(*readonly, 0);
        crash_good(ok);
    }
    EQ(out, 5);
    return 0;
}
