/* SPDX-License-Identifier: MIT */
/*
 * usm_free.c - cl_intel_unified_shared_memory, Freeing Allocations: both calls free, for NULL do
 * nothing, and refuse what is no allocation's begin; the blocking one waits for commands that use the
 * memory
 */
#include "usm.h"

#include <pthread.h>

static cl_event gate;

static void *open_gate(void *arg)
{
    (void)arg;
    usleep(30000);
    OK(clSetUserEventStatus(gate, CL_COMPLETE));
    return NULL;
}

int main(int argc, char **argv)
{
    char here[64];

    usm_open(argc, argv);
    cl_kernel add = common_kernel("add");
    for (unsigned blocking = 0; blocking < 2; blocking++) {
        clMemFreeINTEL_fn free_it = blocking ? (clMemFreeINTEL_fn)usm_blocking_free : usm_free;

        RETURNS(free_it(NULL, NULL), CL_INVALID_CONTEXT);
        RETURNS(free_it(context, NULL), CL_SUCCESS);
        RETURNS(free_it(context, here), CL_INVALID_VALUE);
        for (enum usm_kind kind = 0; kind < USM_KINDS; kind++) {
            if (!usm_has(kind))
                continue;
            char *p = usm_alloc(kind, 4096);
            RETURNS(free_it(NULL, p), CL_INVALID_CONTEXT);
            RETURNS(free_it(context, p + 1), CL_INVALID_VALUE);
            RETURNS(free_it(context, p + 4095), CL_INVALID_VALUE);
            RETURNS(free_it(context, p), CL_SUCCESS);
            usm_known(p, CL_MEM_TYPE_UNKNOWN_INTEL, NULL, 0, NULL, 0);
        }
    }

    for (enum usm_kind kind = 0; kind < USM_KINDS; kind++) {
        cl_uint x = 1;
        cl_event done;
        pthread_t thread;

        if (!usm_has(kind))
            continue;
        cl_uint *p = usm_alloc(kind, 64);
        gate = user_event();
        OK(usm_arg(add, 0, p));
        OK(clSetKernelArg(add, 1, sizeof(x), &x));
        run(queue, add, 1, 1, &gate, &done);
        CHECK(pthread_create(&thread, NULL, open_gate, NULL) == 0);
        RETURNS(usm_blocking_free(context, p), CL_SUCCESS);
        EQ(event_status(gate), CL_COMPLETE);
        EQ(event_status(done), CL_COMPLETE);
        CHECK(pthread_join(thread, NULL) == 0);
        OK(clReleaseEvent(done));
    }
    return 0;
}
