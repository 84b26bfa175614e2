/* SPDX-License-Identifier: MIT */
/*
 * event_failed_wait.c - OpenCL 3.0 API, section 5.11: an SVM command that waits for an event which
 * fails, or has failed already, is not executed and fails itself, and so does what waits for that
 */
#include "svm_commands.h"

/* @before: both events have failed when somebody comes to wait for them. */
static void try(enum svm_command c, unsigned char *memory, bool before)
{
    cl_event gate = user_event(), done, after;
    cl_command_queue q = new_queue(0); /* what fails may take its queue along */

    if (before)
        OK(clSetUserEventStatus(gate, -77));
    OK(svm_enqueue(c, q, memory, 7, 1, &gate, &done));
    if (!before) {
        OK(clEnqueueMarkerWithWaitList(q, 1, &done, &after));
        OK(clFlush(q));
        OK(clSetUserEventStatus(gate, -77));
    }
    RETURNS(clWaitForEvents(1, &done), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    if (event_status(done) >= 0)
        FAIL("%s has status %d", svm_commands[c].name, event_status(done));
    if (before)
        OK(clEnqueueMarkerWithWaitList(q, 1, &done, &after));
    RETURNS(clWaitForEvents(1, &after), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    CHECK(event_status(after) < 0);
}

int main(int argc, char **argv)
{
    unsigned char seen[64];

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    unsigned char *memory[2] = { svm_alloc(0, 64), NULL };
    svm_set(memory[0], 1, 64);
    if (svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM)
        memory[1] = memset(malloc(64), 1, 64);

    for (unsigned m = 0; m < 2 && memory[m] != NULL; m++) {
        for (enum svm_command c = 0; c < SVM_COMMANDS; c++) {
            if (!has_command(c) || (c == SVM_MIGRATE && m == 1))
                continue;
            try(c, memory[m], false);
            try(c, memory[m], true);
        }
    }
    EQ(svm_freed, 0);
    svm_read(seen, memory[0], 64);
    for (unsigned i = 0; i < 64; i++) {
        EQ(seen[i], 1);
        EQ(memory[1] == NULL || memory[1][i] == 1, true);
    }
    return 0;
}
