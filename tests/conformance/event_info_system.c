/* SPDX-License-Identifier: MIT */
/*
 * event_info_system.c - OpenCL 3.0 API, sections 5.6.1 and 5.11: on system memory each SVM command
 * has the event that it has on an allocation
 */
#include "svm_commands.h"

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_FINE_GRAIN_SYSTEM);
    unsigned char *p = malloc(64);

    for (enum svm_command c = 0; c < SVM_COMMANDS; c++) {
        cl_command_queue q;
        cl_event gate = user_event(), done = NULL;

        if (c == SVM_MIGRATE) /* see svm_migrate_system */
            continue;
        memset(p, 0, 64);
        RETURNS(svm_enqueue(c, queue, p, 7, 1, &gate, &done), CL_SUCCESS);
        CHECK(done != NULL);
        OK(clGetEventInfo(done, CL_EVENT_COMMAND_QUEUE, sizeof(q), &q, NULL));
        SAME(q, queue);
        OK(clFlush(queue));
        CHECK(event_status(done) > CL_COMPLETE);
        EQ(p[63], 0);
        OK(clSetUserEventStatus(gate, CL_COMPLETE));
        event_ends(done, svm_commands[c].type);
        EQ(p[63], c == SVM_MEMCPY || c == SVM_MEMFILL ? 7 : 0);
    }
    EQ(svm_freed, 1);
    return 0;
}
