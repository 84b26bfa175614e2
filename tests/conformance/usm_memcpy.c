/* SPDX-License-Identifier: MIT */
/*
 * usm_memcpy.c - cl_intel_unified_shared_memory, clEnqueueMemcpyINTEL: copies between all kinds of
 * memory, the host's own included, blocking and not, and its event
 */
#include "usm.h"

#define BYTES 1000

int main(int argc, char **argv)
{
    unsigned char *memory[USM_KINDS + 2][2], source[BYTES], seen[BYTES];
    unsigned kinds = 0;

    usm_open(argc, argv);
    for (enum usm_kind kind = 0; kind < USM_KINDS; kind++) {
        if (!usm_has(kind))
            continue;
        for (unsigned k = 0; k < 2; k++)
            memory[kinds][k] = usm_alloc(kind, BYTES);
        kinds++;
    }
    memory[kinds][0] = malloc(BYTES);
    memory[kinds++][1] = malloc(BYTES);
    for (unsigned i = 0; i < BYTES; i++)
        source[i] = (unsigned char)(i % 251 + 1);

    for (unsigned from = 0; from < kinds; from++) {
        for (unsigned to = 0; to < kinds; to++) {
            unsigned char *a = memory[from][0], *b = memory[to][1], zero = 0;
            cl_event gate = user_event(), done;

            usm_write(a, source, BYTES);
            if (to < kinds - 1)
                OK(usm_memfill(queue, b, &zero, 1, BYTES, 0, NULL, NULL));
            else
                memset(b, 0, BYTES);
            RETURNS(usm_memcpy(queue, CL_FALSE, b + 3, a + 10, 900, 1, &gate, &done), CL_SUCCESS);
            OK(clFlush(queue));
            CHECK(event_status(done) > CL_COMPLETE);
            OK(clSetUserEventStatus(gate, CL_COMPLETE));
            event_ends(done, CL_COMMAND_MEMCPY_INTEL);
            usm_read(seen, b, BYTES);
            for (unsigned i = 0; i < BYTES; i++)
                if (seen[i] != (i >= 3 && i < 903 ? source[i + 7] : 0))
                    FAIL("from %u to %u: byte %u is %u", from, to, i, seen[i]);
            RETURNS(usm_memcpy(queue, CL_TRUE, b, a, BYTES, 0, NULL, &done), CL_SUCCESS);
            EQ(event_status(done), CL_COMPLETE);
            OK(clReleaseEvent(done));
            usm_read(seen, b, BYTES);
            CHECK(memcmp(seen, source, BYTES) == 0);
        }
    }
    return 0;
}
