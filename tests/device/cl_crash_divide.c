/* SPDX-License-Identifier: MIT */
/*
 * cl_crash_divide.c - integer divisions that have no result, of every type, as quotient and remainder, by
 * variables and by constants, end neither the kernel nor the application, and all other items are right
 */
#include "cl_crash.h"

#include <limits.h>

#define N 64

/* r[0..1]: by the variable; r[2..5]: by 0 and -1 written as such. */
#define DIVIDES(type) \
    "kernel void divide_" type "(global const long *in, global const long *by, global long *r) {\n" \
    "    int i = get_global_id(0);\n" \
    "    " type " a = (" type ")in[i], b = (" type ")by[i];\n" \
    "    r[2 * i] = a / b; r[2 * i + 1] = a % b;\n" \
    "}\n" \
    "kernel void constant_" type "(global const long *in, global const long *by, global long *r) {\n" \
    "    int i = get_global_id(0);\n" \
    "    " type " a = (" type ")in[i], zero = 0, minus = (" type ")-1;\n" \
    "    if (by[i] == 0) { r[2 * i] = a / zero; r[2 * i + 1] = a % zero; }\n" \
    "    else if (by[i] == -1) { r[2 * i] = a / minus; r[2 * i + 1] = a % minus; }\n" \
    "    else { r[2 * i] = a / (" type ")3; r[2 * i + 1] = a % (" type ")3; }\n" \
    "}\n" \
    "kernel void vector_" type "(global const long *in, global const long *by, global long *r) {\n" \
    "    int i = get_global_id(0) & ~3, k = get_global_id(0) & 3;\n" \
    "    " type "4 a = convert_" type "4((long4)(in[i], in[i + 1], in[i + 2], in[i + 3]));\n" \
    "    " type "4 b = convert_" type "4((long4)(by[i], by[i + 1], by[i + 2], by[i + 3]));\n" \
    "    long4 q = convert_long4(a / b), m = convert_long4(a % b);\n" \
    "    i += k;\n" \
    "    r[2 * i] = k == 0 ? q.x : k == 1 ? q.y : k == 2 ? q.z : q.w;\n" \
    "    r[2 * i + 1] = k == 0 ? m.x : k == 1 ? m.y : k == 2 ? m.z : m.w;\n" \
    "}\n"

static const char source[] =
    DIVIDES("char") DIVIDES("uchar") DIVIDES("short") DIVIDES("ushort") DIVIDES("int") DIVIDES("uint")
    DIVIDES("long") DIVIDES("ulong")
    CRASH_GOOD;

static const struct type {
    const char *name;
    int bits;
    bool is_signed;
} types[] = { { "char", 8, true },  { "uchar", 8, false }, { "short", 16, true }, { "ushort", 16, false },
              { "int", 32, true },  { "uint", 32, false }, { "long", 64, true },  { "ulong", 64, false } };

static cl_long least(const struct type *t)
{
    return t->is_signed ? (cl_long)(~0ull << (t->bits - 1)) : 0;
}

/* The value as the type has it. */
static cl_long wrap(const struct type *t, cl_long v)
{
    int shift = 64 - t->bits;

    return t->is_signed ? (cl_long)((cl_ulong)v << shift) >> shift
                        : (cl_long)(((cl_ulong)v << shift) >> shift);
}

int main(void)
{
    static const char *const forms[] = { "divide", "constant", "vector" };
    static cl_long in[N], by[N], r[2 * N];
    char name[32];

    cl_open();
    cl_program program = cl_build_with(source, "-cl-std=CL3.0");
    cl_kernel good = crash_kernel(program, "good");
    for (unsigned t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        const struct type *type = &types[t];

        for (int i = 0; i < N; i++) {
            in[i] = i % 3 == 0 ? least(type) : i + 1;
            by[i] = i % 4 == 0 ? 0 : i % 4 == 1 ? -1 : 3;
            /* With saturation in the vectors' conversion -1 is no value of the others. */
            if (!type->is_signed && by[i] == -1)
                by[i] = 3;
        }
        for (int f = 0; f < 3; f++) {
            cl_event event;

            snprintf(name, sizeof(name), "%s_%s", forms[f], type->name);
            cl_kernel kernel = crash_kernel(program, name);
            CL(clSetKernelArgSVMPointer(kernel, 0, in));
            CL(clSetKernelArgSVMPointer(kernel, 1, by));
            CL(clSetKernelArgSVMPointer(kernel, 2, r));
            memset(r, 0x55, sizeof(r));
            cl_run(cl_queue, kernel, N, 8, &event);
            CL(clWaitForEvents(1, &event));
            EQ(event_status(event), CL_COMPLETE);
            CL(clReleaseEvent(event));
            CL(clReleaseKernel(kernel));
            for (int i = 0; i < N; i++) {
                if (by[i] == 0 || (by[i] == -1 && in[i] == least(type)))
                    continue; /* no result */
                EQ(wrap(type, r[2 * i]), wrap(type, in[i] / by[i]));
                EQ(wrap(type, r[2 * i + 1]), wrap(type, in[i] % by[i]));
            }
        }
        crash_good(good);
    }
    return 0;
}
