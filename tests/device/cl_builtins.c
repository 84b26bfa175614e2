/* SPDX-License-Identifier: MIT */
/*
 * cl_builtins.c - every built-in function finds all it needs in the kernel
 * itself: kernels that call them link, optimised and not, and give what the
 * host's mathematical library gives
 */
#include "cl_harness.h"

#include <math.h>

#define N 64

#define UNARY(F)                                                                          \
    F(acos) F(acosh) F(acospi) F(asin) F(asinh) F(asinpi) F(atan) F(atanh) F(atanpi)      \
    F(cbrt) F(ceil) F(cos) F(cosh) F(cospi) F(erfc) F(erf) F(exp) F(exp2) F(exp10)        \
    F(expm1) F(fabs) F(floor) F(lgamma) F(log) F(log2) F(log10) F(log1p) F(logb) F(rint)  \
    F(round) F(rsqrt) F(sin) F(sinh) F(sinpi) F(sqrt) F(tan) F(tanh) F(tanpi) F(tgamma)   \
    F(trunc) F(degrees) F(radians) F(sign)
#define BINARY(F)                                                                         \
    F(atan2) F(atan2pi) F(copysign) F(fdim) F(fmax) F(fmin) F(fmod) F(hypot) F(maxmag)    \
    F(minmag) F(nextafter) F(pow) F(powr) F(remainder) F(step)

#define NAME(f) #f,
static const char *const unary[] = { UNARY(NAME) };
static const char *const binary[] = { BINARY(NAME) };
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Host functions for those that the C library has under the same name. */
static const struct {
    const char *name;
    double (*fn)(double);
} hosts[] = {
    { "acos", acos }, { "asin", asin }, { "atan", atan }, { "cbrt", cbrt }, { "cos", cos },
    { "cosh", cosh }, { "erf", erf }, { "exp", exp }, { "exp2", exp2 }, { "expm1", expm1 },
    { "lgamma", lgamma }, { "log", log }, { "log2", log2 }, { "log1p", log1p }, { "sin", sin },
    { "sinh", sinh }, { "sqrt", sqrt }, { "tan", tan }, { "tanh", tanh }, { "tgamma", tgamma },
};

static void add(char *source, const char *format, ...)
{
    size_t len = strlen(source);
    va_list args;

    va_start(args, format);
    vsnprintf(source + len, 65536 - len, format, args);
    va_end(args);
}

/* One kernel that stores each function's result for x (and y) at its place. */
static void functions(char *source, const char *kernel, const char *type)
{
    add(source, "kernel void %s(global %s *out, global const %s *in) {\n"
                "    int i = get_global_id(0), n = get_global_size(0);\n"
                "    %s x = in[i], y = in[n - 1 - i];\n", kernel, type, type, type);
    for (size_t f = 0; f < COUNT(unary); f++)
        add(source, "    out[%zu * n + i] = %s(x);\n", f, unary[f]);
    for (size_t f = 0; f < COUNT(binary); f++)
        add(source, "    out[%zu * n + i] = %s(x, y);\n", COUNT(unary) + f, binary[f]);
    add(source, "    out[%zu * n + i] = fma(x, y, x) + mad(x, y, y) + ldexp(x, 3) + pown(x, 3);\n",
        COUNT(unary) + COUNT(binary));
    add(source, "}\n");
}

static void run(const char *source, const char *options)
{
    static double in[N], out[N * 100];
    static float inf[N], outf[N * 100];
    cl_int err;
    cl_event event;

    cl_program program = cl_build_with(source, options);
    for (int i = 0; i < N; i++)
        inf[i] = in[i] = (i + 1) / (double)(N + 1); /* where all of them are defined */
    cl_kernel d = clCreateKernel(program, "doubles", &err);
    CL(err);
    cl_kernel f = clCreateKernel(program, "floats", &err);
    CL(err);
    CL(clSetKernelArgSVMPointer(d, 0, out));
    CL(clSetKernelArgSVMPointer(d, 1, in));
    cl_run(cl_queue, d, N, 8, &event);
    CL(clWaitForEvents(1, &event));
    CL(clSetKernelArgSVMPointer(f, 0, outf));
    CL(clSetKernelArgSVMPointer(f, 1, inf));
    cl_run(cl_queue, f, N, 8, &event);
    CL(clWaitForEvents(1, &event));

    int compared = 0;
    for (size_t u = 0; u < COUNT(unary); u++)
        for (size_t h = 0; h < COUNT(hosts); h++) {
            if (strcmp(unary[u], hosts[h].name) != 0)
                continue;
            compared++;
            for (int i = 0; i < N; i++) {
                double wanted = hosts[h].fn(in[i]), wantedf = hosts[h].fn(inf[i]);
                if (fabs(out[u * N + i] - wanted) > 1e-13 * fmax(1, fabs(wanted)))
                    FAIL("%s(%g) is %.17g, not %.17g (%s)", unary[u], in[i], out[u * N + i],
                         wanted, options);
                if (fabs(outf[u * N + i] - wantedf) > 1e-5 * fmax(1, fabs(wantedf)))
                    FAIL("%s(%gf) is %.9g, not %.9g (%s)", unary[u], inf[i], outf[u * N + i],
                         wantedf, options);
            }
        }
    EQ(compared, COUNT(hosts));
    for (size_t b = 0; b < COUNT(binary); b++)
        for (int i = 0; i < N && strcmp(binary[b], "fmod") == 0; i++) {
            CHECK(out[(COUNT(unary) + b) * N + i] == fmod(in[i], in[N - 1 - i]));
            CHECK(outf[(COUNT(unary) + b) * N + i] == fmodf(inf[i], inf[N - 1 - i]));
        }

    /* vectors, half floats in memory and odd operations only have to link and run */
    static char scratch[1 << 16] __attribute__((aligned(128)));
    static const char *const more[] = { "vectors", "integers", "halves", "memory" };
    for (size_t k = 0; k < COUNT(more); k++) {
        cl_kernel kernel = clCreateKernel(program, more[k], &err);
        CL(err);
        memset(scratch, 1, sizeof(scratch));
        CL(clSetKernelArgSVMPointer(kernel, 0, scratch));
        if (k == 0)
            CL(clSetKernelArgSVMPointer(kernel, 1, scratch));
        cl_run(cl_queue, kernel, 8, 4, &event);
        CL(clWaitForEvents(1, &event));
        EQ(event_status(event), CL_COMPLETE);
    }
}

int main(void)
{
    static char source[65536];

    functions(source, "doubles", "double");
    functions(source, "floats", "float");
    functions(source, "vectors", "float4");
    add(source,
        "kernel void integers(global long *a) {\n"
        "    long x = a[0], y = a[1] | 1;\n"
        "    a[2] = x / y + x %% y + mul_hi(x, y) + mad_sat(x, y, x) + rhadd(x, y) + rotate(x, y)\n"
        "           + popcount(x) + clz(x) + ctz(x) + hadd(x, y) + abs_diff(x, y) + sub_sat(x, y);\n"
        "    a[3] = convert_long_sat(convert_double(x)) + convert_ulong_rtz(1e30f * x)\n"
        "           + convert_int_rte(as_double(x)) + convert_float_rtp(x);\n"
        "    a[4] = (long)(fmod((double)x, (double)y) * 3.0) / y;\n"
        "}\n"
        "kernel void halves(global half *a) {\n"
        "    float f = vload_half(3, a);\n"
        "    vstore_half_rtz((double)f * 1.5, 4, a);\n"
        "    vstore_half8((float8)(f), 4, a);\n"
        "    vstore_half(as_double(0x3ff123456789abcdL) * get_global_id(0), 41, a);\n"
        "}\n"
        "struct big { int x[300]; };\n"
        "kernel void memory(global struct big *a) {\n"
        "    struct big copy = a[get_global_id(0)];\n"
        "    for (int i = 0; i < 300; i++) copy.x[(i * 7) %% 300] ^= i;\n"
        "    a[get_global_id(0) + 8] = copy;\n"
        "    for (int i = 0; i < 300; i++) a[20].x[i] = 0;\n"
        "    a[21] = a[22];\n"
        "}\n");
    cl_open();
    run(source, "-cl-std=CL3.0");
    if (cl_kernel_mode)
        return 0; /* kernels are the same in both modes; building them takes minutes in a guest */
    run(source, "-cl-std=CL3.0 -cl-opt-disable");
    run(source, "-cl-std=CL3.0 -cl-fast-relaxed-math");
    return 0;
}
