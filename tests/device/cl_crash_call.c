/* SPDX-License-Identifier: MIT */
/*
 * cl_crash_call.c - a kernel that makes a system call ends, with a message that names it; nothing
 * was opened, written or started; kernel mode
 */
#include "cl_crash.h"

static const char source[] =
    "kernel void call(long nr, ulong a, ulong b, ulong c, global int *before) {\n"
    "    before[get_global_id(0)] = 1;\n"
    "    if (get_global_id(0) == 70)\n"
    "        __asm__ volatile(\"syscall\" : \"+a\"(nr) : \"D\"(a), \"S\"(b), \"d\"(c)\n"
    "                         : \"rcx\", \"r11\", \"memory\");\n"
    "}\n"
    CRASH_GOOD;

int main(void)
{
    static const char path[] = "/tmp/cl_crash_call.must_not_be";
    static const struct {
        long nr;
        const char *name;
    } calls[] = { { 2, "open" }, { 1, "write" }, { 57, "fork" }, { 59, "execve" }, { 41, "socket" },
                  { 16, "ioctl" }, { 62, "kill" }, { 101, "ptrace" } };
    int before[CRASH_ITEMS];
    char text[80];

    cl_program program = crash_open(source);
    cl_kernel call = crash_kernel(program, "call"), good = crash_kernel(program, "good");
    CL(clSetKernelArgSVMPointer(call, 4, before));
    unlink(path);
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        cl_long nr = calls[i].nr;
        /* open(path, O_CREAT | O_RDWR, 0); nobody would notice the others. */
        cl_ulong a = nr == 1 ? 1 : nr == 62 ? (cl_ulong)getpid() : (cl_ulong)(uintptr_t)path;
        cl_ulong b = nr == 2 ? 0102 : nr == 62 ? 9 : 0, c = 0;

        memset(before, 0, sizeof(before));
        ARG(call, 0, nr);
        ARG(call, 1, a);
        ARG(call, 2, b);
        ARG(call, 3, c);
        crash_fails(call);
        snprintf(text, sizeof(text), "kernel \"call\" made a system call (%s), which the engine refuses",
                 calls[i].name);
        crash_says(text);
        EQ(before[70], 1);
        EQ(access(path, F_OK), -1);
        crash_good(good);
    }
    return 0;
}
