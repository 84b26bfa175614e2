/* SPDX-License-Identifier: MIT */
/*
 * usm_memfill.c - cl_intel_unified_shared_memory, clEnqueueMemFillINTEL: each pattern size up to 128
 * fills exactly the region in each kind of memory; the errors
 */
#include "usm.h"

#define BYTES 4096

int main(int argc, char **argv)
{
    static unsigned char seen[BYTES], empty[BYTES];
    unsigned char pattern[256];
    cl_event done, hole = NULL;
    cl_int err;

    usm_open(argc, argv);
    cl_event gate = user_event(), untouched = gate, event = gate;
    cl_event foreign = clCreateUserEvent(new_context(), &err);
    OK(err);
    for (enum usm_kind kind = 0; kind < USM_KINDS; kind++) {
        if (!usm_has(kind))
            continue;
        unsigned char *p = usm_alloc(kind, BYTES);

        for (unsigned size = 1; size <= 128; size *= 2) {
            usm_write(p, empty, BYTES);
            for (unsigned i = 0; i < size; i++)
                pattern[i] = (unsigned char)(i + 1);
            RETURNS(usm_memfill(queue, p + size, pattern, size, 9 * size, 0, NULL, &done),
                    CL_SUCCESS);
            memset(pattern, 0xee, sizeof(pattern));
            event_ends(done, CL_COMMAND_MEMFILL_INTEL);
            usm_read(seen, p, BYTES);
            for (unsigned i = 0; i < BYTES; i++)
                EQ(seen[i], i >= size && i < 10 * size ? i % size + 1 : 0);
            if (size > 1) {
                RETURNS(usm_memfill(queue, p + size / 2, pattern, size, size, 0, NULL, &event),
                        CL_INVALID_VALUE);
                RETURNS(usm_memfill(queue, p, pattern, size, size + size / 2, 0, NULL, &event),
                        CL_INVALID_VALUE);
            }
        }
        RETURNS(usm_memfill(NULL, p, pattern, 4, 64, 0, NULL, &event), CL_INVALID_COMMAND_QUEUE);
        RETURNS(usm_memfill(queue, NULL, pattern, 4, 64, 0, NULL, &event), CL_INVALID_VALUE);
        RETURNS(usm_memfill(queue, p, NULL, 4, 64, 0, NULL, &event), CL_INVALID_VALUE);
        RETURNS(usm_memfill(queue, p, pattern, 0, 64, 0, NULL, &event), CL_INVALID_VALUE);
        RETURNS(usm_memfill(queue, p, pattern, 3, 63, 0, NULL, &event), CL_INVALID_VALUE);
        RETURNS(usm_memfill(queue, p, pattern, 256, 256, 0, NULL, &event), CL_INVALID_VALUE);
        RETURNS(usm_memfill(queue, p, pattern, 4, 64, 1, NULL, &event), CL_INVALID_EVENT_WAIT_LIST);
        RETURNS(usm_memfill(queue, p, pattern, 4, 64, 0, &gate, &event),
                CL_INVALID_EVENT_WAIT_LIST);
        RETURNS(usm_memfill(queue, p, pattern, 4, 64, 1, &hole, &event),
                CL_INVALID_EVENT_WAIT_LIST);
        RETURNS(usm_memfill(queue, p, pattern, 4, 64, 1, &foreign, &event), CL_INVALID_CONTEXT);
    }
    SAME(event, untouched);
    return 0;
}
