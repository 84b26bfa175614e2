/* SPDX-License-Identifier: MIT */
/*
 * event_info.c - OpenCL 3.0 API, section 5.11 (table of clGetEventInfo and of command types): the
 * event of each SVM command says its type, its queue and its context
 */
#include "svm_commands.h"

static void check(void *p)
{
    for (enum svm_command c = 0; c < SVM_COMMANDS; c++) {
        cl_command_queue q;
        cl_context ctx;
        cl_uint references;
        cl_event done;

        if (!has_command(c))
            continue;
        RETURNS(svm_enqueue(c, queue, p, 1, 0, NULL, &done), CL_SUCCESS);
        OK(clGetEventInfo(done, CL_EVENT_COMMAND_QUEUE, sizeof(q), &q, NULL));
        OK(clGetEventInfo(done, CL_EVENT_CONTEXT, sizeof(ctx), &ctx, NULL));
        OK(clGetEventInfo(done, CL_EVENT_REFERENCE_COUNT, sizeof(references), &references, NULL));
        SAME(q, queue);
        SAME(ctx, context);
        CHECK(references >= 1);
        event_ends(done, svm_commands[c].type);
    }
}

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    for (unsigned l = 0; l < 3; l++)
        if (has_level(&svm_levels[l]))
            check(svm_alloc(svm_levels[l].flags, 64));
    return 0;
}
