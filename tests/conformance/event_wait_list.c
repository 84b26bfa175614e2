/* SPDX-License-Identifier: MIT */
/*
 * event_wait_list.c - OpenCL 3.0 API, sections 5.6.1 and 5.11: each SVM command waits for all events
 * of its list, of user and of commands of other queues, and runs when the last of them is complete
 */
#include "svm_commands.h"

int main(int argc, char **argv)
{
    unsigned char seen[64];

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_command_queue other = new_queue(0);
    unsigned char *p = svm_alloc(0, 64), *q = svm_alloc(0, 64);
    svm_set(q, 0, 64);

    for (enum svm_command c = 0; c < SVM_COMMANDS; c++) {
        cl_event gates[3] = { user_event(), user_event(), NULL }, last = user_event(), done;

        if (!has_command(c))
            continue;
        svm_freed = 0;
        svm_set(p, 0, 64);
        if (c == SVM_UNMAP)
            OK(clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_READ, p, 64, 0, NULL, NULL));
        OK(svm_enqueue(SVM_MEMFILL, other, q, (unsigned char)(c + 1), 1, &last, &gates[2]));
        RETURNS(svm_enqueue(c, queue, p, 7, 3, gates, &done), CL_SUCCESS);
        gates[1] = gates[1]; /* the list is copied: */
        cl_event kept[3] = { gates[0], gates[1], gates[2] };
        gates[0] = gates[1] = gates[2] = NULL;
        OK(clFlush(queue));
        OK(clFlush(other));

        OK(clSetUserEventStatus(kept[1], CL_COMPLETE));
        CHECK(event_status(done) > CL_COMPLETE);
        OK(clSetUserEventStatus(kept[0], CL_COMPLETE));
        usleep(2000);
        CHECK(event_status(done) > CL_COMPLETE);
        CHECK(event_status(kept[2]) > CL_COMPLETE);
        EQ(svm_freed, 0);
        OK(clSetUserEventStatus(last, CL_COMPLETE));
        OK(clWaitForEvents(1, &done));
        EQ(event_status(kept[2]), CL_COMPLETE);
        event_ends(done, svm_commands[c].type);
        if (c == SVM_MAP)
            OK(clEnqueueSVMUnmap(queue, p, 0, NULL, NULL));

        EQ(svm_freed, c == SVM_FREE);
        svm_read(seen, p, 64);
        EQ(seen[0], c == SVM_MEMCPY || c == SVM_MEMFILL ? 7 : 0);
        svm_read(seen, q, 64);
        EQ(seen[63], c + 1);
    }
    return 0;
}
