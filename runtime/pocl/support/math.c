/* SPDX-License-Identifier: MIT */
/*
 * math.c - the floating-point functions that compilers call behind one's back
 *
 * pocl's kernel library brings OpenCL's mathematical functions along; what is
 * left are operations of LLVM's own that no instruction does: the remainder
 * of a floating-point division.
 *
 * Locking: none.
 */
#include <stdint.h>

/*
 * The remainder is exact: it is found by long division of the significands,
 * one bit of the quotient at a time.
 */
#define DEFINE_FMOD(name, type, word, significand_bits, exponent_mask)                    \
    type name(type x, type y)                                                             \
    {                                                                                     \
        const word one = (word)1 << (significand_bits);                                   \
        const word sign_bit = (word)1 << (sizeof(word) * 8 - 1);                          \
        union {                                                                           \
            type value;                                                                   \
            word bits;                                                                    \
        } a = { x }, b = { y }, nan = { .bits = (word)(exponent_mask) << (significand_bits) \
                                                | one >> 1 };                             \
        const word sign = a.bits & sign_bit;                                              \
        a.bits ^= sign;                                                                   \
        b.bits &= ~sign_bit;                                                              \
                                                                                          \
        const word infinity = (word)(exponent_mask) << (significand_bits);                \
        if (b.bits == 0 || a.bits >= infinity || b.bits > infinity)                       \
            return nan.value;                                                             \
        if (a.bits < b.bits)                                                              \
            return x;                                                                     \
                                                                                          \
        int ea = (int)(a.bits >> (significand_bits));                                     \
        int eb = (int)(b.bits >> (significand_bits));                                     \
        word ma = a.bits & (one - 1), mb = b.bits & (one - 1);                            \
        if (ea != 0)                                                                      \
            ma |= one;                                                                    \
        else                                                                              \
            ea = 1;                                                                       \
        if (eb != 0)                                                                      \
            mb |= one;                                                                    \
        else                                                                              \
            eb = 1;                                                                       \
                                                                                          \
        for (; ea > eb; ea--) {                                                           \
            if (ma >= mb)                                                                 \
                ma -= mb;                                                                 \
            ma <<= 1;                                                                     \
        }                                                                                 \
        if (ma >= mb)                                                                     \
            ma -= mb;                                                                     \
        while (ma != 0 && ma < one && ea > 1) {                                           \
            ma <<= 1;                                                                     \
            ea--;                                                                         \
        }                                                                                 \
        a.bits = ma >= one ? ((word)ea << (significand_bits)) + (ma - one) : ma;          \
        a.bits |= sign;                                                                   \
        return a.value;                                                                   \
    }

DEFINE_FMOD(fmod, double, uint64_t, 52, 0x7ff)
DEFINE_FMOD(fmodf, float, uint32_t, 23, 0xff)
