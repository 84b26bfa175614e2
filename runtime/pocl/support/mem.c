/* SPDX-License-Identifier: MIT */
/*
 * mem.c - the memory functions that compilers call behind one's back
 *
 * Linked into every kernel that needs them, so that nothing leads out of it.
 * Short blocks go word by word with overlapping ends, long ones as the
 * processor's string instructions do it, which is as fast as anything where
 * it counts (from about 512 bytes on).
 *
 * Locking: none.
 */
#include <stddef.h>
#include <stdint.h>

#define LONG_BLOCK 512

typedef uint64_t word8 __attribute__((may_alias, aligned(1)));
typedef uint32_t word4 __attribute__((may_alias, aligned(1)));
typedef uint16_t word2 __attribute__((may_alias, aligned(1)));
typedef char vec16 __attribute__((vector_size(16), may_alias, aligned(1)));

/* Both ends are read before either is written, so overlap does not matter. */
static inline void copy_up_to_16(char *to, const char *from, size_t n)
{
    if (n >= 8) {
        uint64_t first = *(const word8 *)from, last = *(const word8 *)(from + n - 8);
        *(word8 *)to = first;
        *(word8 *)(to + n - 8) = last;
    } else if (n >= 4) {
        uint32_t first = *(const word4 *)from, last = *(const word4 *)(from + n - 4);
        *(word4 *)to = first;
        *(word4 *)(to + n - 4) = last;
    } else if (n >= 2) {
        uint16_t first = *(const word2 *)from, last = *(const word2 *)(from + n - 2);
        *(word2 *)to = first;
        *(word2 *)(to + n - 2) = last;
    } else if (n == 1) {
        *to = *from;
    }
}

static inline void copy_forward(char *to, const char *from, size_t n)
{
    vec16 last = *(const vec16 *)(from + n - 16);
    char *end = to + n - 16;

    for (; to < end; to += 16, from += 16)
        *(vec16 *)to = *(const vec16 *)from;
    *(vec16 *)end = last;
}

static inline void copy_backward(char *to, const char *from, size_t n)
{
    vec16 first = *(const vec16 *)from;

    for (size_t i = n; i > 16; i -= 16)
        *(vec16 *)(to + i - 16) = *(const vec16 *)(from + i - 16);
    *(vec16 *)to = first;
}

/* Right for blocks that do not overlap, and where @to is below @from. */
static inline void copy_low_to_high(char *to, const char *from, size_t n)
{
    if (n <= 16)
        copy_up_to_16(to, from, n);
    else if (n < LONG_BLOCK)
        copy_forward(to, from, n);
    else
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

void *memcpy(void *to, const void *from, size_t n)
{
    copy_low_to_high(to, from, n);
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    if (n <= 16 || (uintptr_t)to - (uintptr_t)from >= n)
        copy_low_to_high(to, from, n);
    else
        copy_backward(to, from, n);
    return to;
}

void *memset(void *to, int value, size_t n)
{
    char *p = to;
    uint64_t word = 0x0101010101010101u * (uint8_t)value;

    if (n >= LONG_BLOCK) {
        void *cursor = to;
        __asm__ volatile("rep stosb" : "+D"(cursor), "+c"(n) : "a"(value) : "memory");
    } else if (n >= 8) {
        for (size_t i = 0; i + 8 < n; i += 8)
            *(word8 *)(p + i) = word;
        *(word8 *)(p + n - 8) = word;
    } else {
        for (size_t i = 0; i < n; i++)
            p[i] = (char)value;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *p = a, *q = b;

    for (size_t i = 0; i < n; i++)
        if (p[i] != q[i])
            return p[i] < q[i] ? -1 : 1;
    return 0;
}

int bcmp(const void *a, const void *b, size_t n)
{
    return memcmp(a, b, n);
}
