/* SPDX-License-Identifier: MIT */
/*
 * usm_memcpy_errors.c - cl_intel_unified_shared_memory, clEnqueueMemcpyINTEL: the errors, overlap and
 * blocking on a failed event included
 */
#include "usm.h"

int main(int argc, char **argv)
{
    cl_int err;

    usm_open(argc, argv);
    cl_event gate = user_event(), untouched = gate, event = gate;
    cl_event foreign = clCreateUserEvent(new_context(), &err), hole = NULL;
    OK(err);
    for (enum usm_kind kind = 0; kind < USM_KINDS; kind++) {
        if (!usm_has(kind))
            continue;
        char *p = usm_alloc(kind, 4096), *q = usm_alloc(kind, 4096);

        RETURNS(usm_memcpy(NULL, CL_FALSE, p, q, 64, 0, NULL, &event), CL_INVALID_COMMAND_QUEUE);
        RETURNS(usm_memcpy(queue, CL_FALSE, NULL, q, 64, 0, NULL, &event), CL_INVALID_VALUE);
        RETURNS(usm_memcpy(queue, CL_FALSE, p, NULL, 64, 0, NULL, &event), CL_INVALID_VALUE);
        RETURNS(usm_memcpy(queue, CL_FALSE, p, q, 64, 1, NULL, &event),
                CL_INVALID_EVENT_WAIT_LIST);
        RETURNS(usm_memcpy(queue, CL_FALSE, p, q, 64, 0, &gate, &event),
                CL_INVALID_EVENT_WAIT_LIST);
        RETURNS(usm_memcpy(queue, CL_FALSE, p, q, 64, 1, &hole, &event),
                CL_INVALID_EVENT_WAIT_LIST);
        RETURNS(usm_memcpy(queue, CL_FALSE, p, q, 64, 1, &foreign, &event), CL_INVALID_CONTEXT);
        for (cl_bool blocking = CL_FALSE; blocking <= CL_TRUE; blocking++) {
            RETURNS(usm_memcpy(queue, blocking, p + 63, p, 64, 0, NULL, &event),
                    CL_MEM_COPY_OVERLAP);
            RETURNS(usm_memcpy(queue, blocking, p, p + 63, 64, 0, NULL, &event),
                    CL_MEM_COPY_OVERLAP);
            RETURNS(usm_memcpy(queue, blocking, p, p, 1, 0, NULL, &event), CL_MEM_COPY_OVERLAP);
            RETURNS(usm_memcpy(queue, blocking, p + 64, p, 64, 0, NULL, NULL), CL_SUCCESS);
        }
    }
    char *host = malloc(4096);
    RETURNS(usm_memcpy(queue, CL_TRUE, host + 1, host, 64, 0, NULL, &event), CL_MEM_COPY_OVERLAP);
    SAME(event, untouched);

    OK(clSetUserEventStatus(gate, -5));
    char *p = usm_alloc(USM_DEVICE, 64);
    RETURNS(usm_memcpy(new_queue(0), CL_TRUE, p, host, 64, 1, &gate, NULL),
            CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    return 0;
}
