/* SPDX-License-Identifier: MIT */
/*
 * atomic_operations.c - OpenCL 3.0 C, section 6.15.12.7 (Operations on Atomic Types): each operation
 * on SVM memory gives the old value and leaves the new one, in int, uint and, where the device has
 * 64-bit atomics, long and ulong
 */
#include "atomics.h"

#define RESULTS 24

/* T: the type, A: its atomic type. The same steps as in expected_<T>() below. */
#define SOURCE(T)                                                                                 \
    "kernel void ops_" #T "(global atomic_" #T " *a, global " #T " *r, " #T " x, " #T " y) {\n"   \
    "    const memory_order o = memory_order_relaxed;\n"                                          \
    "    const memory_scope s = memory_scope_work_group;\n"                                       \
    "    " #T " e;\n"                                                                             \
    "    atomic_store_explicit(a, x, o, s);\n"                                                    \
    "    r[0] = atomic_load_explicit(a, o, s);\n"                                                 \
    "    r[1] = atomic_exchange_explicit(a, y, o, s);\n"                                          \
    "    r[2] = atomic_fetch_add_explicit(a, x, o, s);\n"                                         \
    "    r[3] = atomic_fetch_sub_explicit(a, y, o, s);\n"                                         \
    "    r[4] = atomic_fetch_or_explicit(a, y, o, s);\n"                                          \
    "    r[5] = atomic_fetch_xor_explicit(a, x, o, s);\n"                                         \
    "    r[6] = atomic_fetch_and_explicit(a, y, o, s);\n"                                         \
    "    r[7] = atomic_fetch_min_explicit(a, x, o, s);\n"                                         \
    "    r[8] = atomic_fetch_max_explicit(a, y, o, s);\n"                                         \
    "    r[9] = atomic_fetch_min_explicit(a, x, o, s);\n"                                         \
    "    r[10] = atomic_fetch_max_explicit(a, x, o, s);\n"                                        \
    "    e = x;\n"                                                                                \
    "    r[11] = atomic_compare_exchange_strong_explicit(a, &e, y, o, o, s);\n"                   \
    "    r[12] = e;\n"                                                                            \
    "    e = x;\n"                                                                                \
    "    r[13] = atomic_compare_exchange_strong_explicit(a, &e, x, o, o, s);\n"                   \
    "    r[14] = e;\n"                                                                            \
    "    e = y;\n"                                                                                \
    "    while (!atomic_compare_exchange_weak_explicit(a, &e, x + y, o, o, s)) {}\n"              \
    "    r[15] = e;\n"                                                                            \
    "}\n"

#define EXPECTED(T, name)                                                                         \
    static T expected_##name(T r[RESULTS], T x, T y)                                              \
    {                                                                                             \
        T a = x;                                                                                  \
        r[0] = a;                                                                                 \
        r[1] = a; a = y;                                                                          \
        r[2] = a; a = (T)(a + x);                                                                 \
        r[3] = a; a = (T)(a - y);                                                                 \
        r[4] = a; a |= y;                                                                         \
        r[5] = a; a ^= x;                                                                         \
        r[6] = a; a &= y;                                                                         \
        r[7] = a; a = a < x ? a : x;                                                              \
        r[8] = a; a = a > y ? a : y;                                                              \
        r[9] = a; a = a < x ? a : x;                                                              \
        r[10] = a; a = a > x ? a : x;                                                             \
        r[11] = a == x; r[12] = a == x ? x : a; if (a == x) a = y;                                \
        r[13] = a == x; r[14] = a == x ? x : a; if (a == x) a = x;                                \
        r[15] = a; if (a == y) a = (T)(x + y);                                                    \
        return a;                                                                                 \
    }

EXPECTED(cl_int, int)
EXPECTED(cl_uint, uint)
EXPECTED(cl_long, long)
EXPECTED(cl_ulong, ulong)

#define CHECK_TYPE(T, name, X, Y)                                                                 \
    do {                                                                                          \
        cl_kernel kernel_ = get_kernel(source, "ops_" #name);                                     \
        T *a_ = svm_alloc(0, sizeof(T)), *r_ = svm_alloc(0, RESULTS * sizeof(T));                 \
        T x_ = (T)(X), y_ = (T)(Y), want_[RESULTS] = { 0 }, got_[RESULTS], last_, end_;          \
        svm_set(a_, 0x5a, sizeof(T));                                                             \
        svm_set(r_, 0, sizeof(want_));                                                          \
        OK(clSetKernelArgSVMPointer(kernel_, 0, a_));                                             \
        OK(clSetKernelArgSVMPointer(kernel_, 1, r_));                                             \
        OK(clSetKernelArg(kernel_, 2, sizeof(x_), &x_));                                          \
        OK(clSetKernelArg(kernel_, 3, sizeof(y_), &y_));                                          \
        run(queue, kernel_, 1, 0, NULL, NULL);                                                    \
        svm_read(got_, r_, sizeof(got_));                                                           \
        svm_read(&end_, a_, sizeof(end_));                                                        \
        last_ = expected_##name(want_, x_, y_);                                                 \
        for (unsigned i_ = 0; i_ < RESULTS; i_++)                                                 \
            if (got_[i_] != want_[i_])                                                           \
                FAIL(#name ": result %u is 0x%llx, not 0x%llx", i_, (long long)got_[i_],           \
                     (long long)want_[i_]);                                                     \
        EQ(end_, last_);                                                                          \
    } while (0)

int main(int argc, char **argv)
{
    static char source[16384];
    bool wide;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    wide = has_extension("cl_khr_int64_base_atomics")
           && has_extension("cl_khr_int64_extended_atomics");
    strcpy(source, SOURCE(int) SOURCE(uint));
    if (wide)
        strcat(source, SOURCE(long) SOURCE(ulong));
    CHECK_TYPE(cl_int, int, -123456, 0x0ff00ff0);
    CHECK_TYPE(cl_uint, uint, 0xfffffff0, 0x10ff);
    if (wide) {
        CHECK_TYPE(cl_long, long, -123456789012345, 0x0ff00ff00ff00ff0);
        CHECK_TYPE(cl_ulong, ulong, 0xfffffffffffffff0, 0x10ff00ff00);
    } else {
        printf("the device has no 64-bit atomics\n");
    }
    return 0;
}
