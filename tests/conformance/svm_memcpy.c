/* SPDX-License-Identifier: MIT */
/*
 * svm_memcpy.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMMemcpy: copies exactly the bytes asked
 * for between SVM allocations, and between them and host memory in either direction, from and to
 * any address in them
 */
#include "conformance.h"

#define BYTES 70000

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(1 + i % 251);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = { 1, 2, 3, 7, 16, 255, 4096, 4097, 65536 };
    static const size_t offsets[] = { 0, 1, 13, 4096 };
    static unsigned char host_from[BYTES], host_to[BYTES], seen[BYTES];

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    unsigned char *svm_from = svm_alloc(0, BYTES), *svm_to = svm_alloc(0, BYTES);
    for (size_t i = 0; i < BYTES; i++)
        host_from[i] = byte_at(i);
    svm_write(svm_from, host_from, BYTES);

    for (unsigned kind = 1; kind < 4; kind++) { /* bit 0: to SVM, bit 1: from SVM */
        unsigned char *to = kind & 1 ? svm_to : host_to, *from = kind & 2 ? svm_from : host_from;

        for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
            size_t at = offsets[s % 4], source = offsets[(s + kind) % 4], size = sizes[s];

            if (kind & 1)
                svm_set(svm_to, 0, BYTES);
            else
                memset(host_to, 0, BYTES);
            OK(clEnqueueSVMMemcpy(queue, CL_FALSE, to + at, from + source, size, 0, NULL, NULL));
            OK(clFinish(queue));
            if (kind & 1)
                svm_read(seen, svm_to, BYTES);
            else
                memcpy(seen, host_to, BYTES);
            for (size_t i = 0; i < BYTES; i++) {
                unsigned char wanted = i >= at && i < at + size ? byte_at(i - at + source) : 0;
                if (seen[i] != wanted)
                    FAIL("kind %u, %zu bytes to %zu: byte %zu is %u, not %u", kind, size, at, i,
                         seen[i], wanted);
            }
        }
    }
    return 0;
}
