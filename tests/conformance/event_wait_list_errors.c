/* SPDX-License-Identifier: MIT */
/*
 * event_wait_list_errors.c - OpenCL 3.0 API, section 5.6.1: each SVM command gives
 * CL_INVALID_EVENT_WAIT_LIST for a number without a list, a list without a number and what is no
 * event, and CL_INVALID_CONTEXT for an event of another context
 */
#include "svm_commands.h"

static void check(void *p, cl_event foreign)
{
    for (enum svm_command c = 0; c < SVM_COMMANDS; c++) {
        cl_event gate = user_event(), event = foreign;
        cl_event holes[] = { gate, NULL }, contexts[] = { gate, foreign };

        if (!has_command(c))
            continue;
        cl_int none = svm_enqueue(c, queue, p, 7, 1, NULL, &event);
        cl_int zero = svm_enqueue(c, queue, p, 7, 0, &gate, &event);
        cl_int hole = svm_enqueue(c, queue, p, 7, 2, holes, &event);
        cl_int context_error = svm_enqueue(c, queue, p, 7, 2, contexts, &event);
        if (none != CL_INVALID_EVENT_WAIT_LIST || zero != CL_INVALID_EVENT_WAIT_LIST
            || hole != CL_INVALID_EVENT_WAIT_LIST)
            FAIL("%s: %d without a list, %d without a number, %d without an event: not "
                 "CL_INVALID_EVENT_WAIT_LIST", svm_commands[c].name, none, zero, hole);
        if (context_error != CL_INVALID_CONTEXT)
            FAIL("%s: %d for another context's event, not CL_INVALID_CONTEXT",
                 svm_commands[c].name, context_error);
        SAME(event, foreign);
        OK(clSetUserEventStatus(gate, CL_COMPLETE));
    }
    OK(clFinish(queue));
    EQ(svm_freed, 0);
}

int main(int argc, char **argv)
{
    unsigned char seen[64];
    cl_int err;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_event foreign = clCreateUserEvent(new_context(), &err);
    OK(err);
    unsigned char *p = svm_alloc(0, 64);
    svm_set(p, 1, 64);
    check(p, foreign);
    svm_read(seen, p, 64);
    for (unsigned i = 0; i < 64; i++)
        EQ(seen[i], 1);
    if (svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM)
        check(malloc(64), foreign);
    return 0;
}
