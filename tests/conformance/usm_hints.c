/* SPDX-License-Identifier: MIT */
/*
 * usm_hints.c - cl_intel_unified_shared_memory, clEnqueueMigrateMemINTEL and clEnqueueMemAdviseINTEL:
 * hints complete in the queue's order, leave what is in memory, and have their errors
 */
#include "usm.h"

#define N 1000

int main(int argc, char **argv)
{
    cl_uint x = 1, seen[N];
    cl_event done[2], hole = NULL;
    cl_int err;

    usm_open(argc, argv);
    cl_kernel add = common_kernel("add");
    cl_event foreign = clCreateUserEvent(new_context(), &err), untouched = foreign, event = foreign;
    OK(err);
    for (enum usm_kind kind = 0; kind < USM_KINDS; kind++) {
        static const cl_uint zero;
        cl_event gate = user_event();

        if (!usm_has(kind))
            continue;
        cl_uint *p = usm_alloc(kind, sizeof(seen));
        OK(usm_memfill(queue, p, &zero, sizeof(zero), sizeof(seen), 0, NULL, NULL));
        OK(usm_arg(add, 0, p));
        OK(clSetKernelArg(add, 1, sizeof(x), &x));
        run(queue, add, N, 0, NULL, NULL);
        RETURNS(usm_migrate(queue, p, sizeof(seen), 0, 1, &gate, &done[0]), CL_SUCCESS);
        run(queue, add, N, 0, NULL, NULL);
        RETURNS(usm_migrate(queue, p + 10, 4, CL_MIGRATE_MEM_OBJECT_HOST, 0, NULL, NULL),
                CL_SUCCESS);
        RETURNS(usm_advise(queue, p, sizeof(seen), 0, 0, NULL, &done[1]), CL_SUCCESS);
        OK(clFlush(queue));
        CHECK(event_status(done[0]) > CL_COMPLETE);
        CHECK(event_status(done[1]) > CL_COMPLETE);
        OK(clSetUserEventStatus(gate, CL_COMPLETE));
        event_ends(done[0], CL_COMMAND_MIGRATEMEM_INTEL);
        event_ends(done[1], CL_COMMAND_MEMADVISE_INTEL);
        usm_read(seen, p, sizeof(seen));
        for (unsigned i = 0; i < N; i++)
            EQ(seen[i], 2);

        RETURNS(usm_migrate(NULL, p, 64, 0, 0, NULL, &event), CL_INVALID_COMMAND_QUEUE);
        RETURNS(usm_migrate(queue, p, 64, 1 << 5, 0, NULL, &event), CL_INVALID_VALUE);
        RETURNS(usm_migrate(queue, p, 64, 0, 1, NULL, &event), CL_INVALID_EVENT_WAIT_LIST);
        RETURNS(usm_migrate(queue, p, 64, 0, 0, &gate, &event), CL_INVALID_EVENT_WAIT_LIST);
        RETURNS(usm_migrate(queue, p, 64, 0, 1, &hole, &event), CL_INVALID_EVENT_WAIT_LIST);
        RETURNS(usm_migrate(queue, p, 64, 0, 1, &foreign, &event), CL_INVALID_CONTEXT);
        RETURNS(usm_advise(NULL, p, 64, 0, 0, NULL, &event), CL_INVALID_COMMAND_QUEUE);
        RETURNS(usm_advise(queue, p, 64, 0x7fffffff, 0, NULL, &event), CL_INVALID_VALUE);
        RETURNS(usm_advise(queue, p, 64, 0, 1, NULL, &event), CL_INVALID_EVENT_WAIT_LIST);
        RETURNS(usm_advise(queue, p, 64, 0, 0, &gate, &event), CL_INVALID_EVENT_WAIT_LIST);
        RETURNS(usm_advise(queue, p, 64, 0, 1, &hole, &event), CL_INVALID_EVENT_WAIT_LIST);
        RETURNS(usm_advise(queue, p, 64, 0, 1, &foreign, &event), CL_INVALID_CONTEXT);
    }
    SAME(event, untouched);
    return 0;
}
