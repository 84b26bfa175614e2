/* SPDX-License-Identifier: MIT */
/*
 * event_profiling.c - OpenCL 3.0 API, section 5.14: in a queue with profiling each SVM command has
 * its times, in their order, and they are not available before it is complete
 */
#include "svm_commands.h"

int main(int argc, char **argv)
{
    static const cl_profiling_info names[] = { CL_PROFILING_COMMAND_QUEUED,
                                               CL_PROFILING_COMMAND_SUBMIT,
                                               CL_PROFILING_COMMAND_START,
                                               CL_PROFILING_COMMAND_END };
    unsigned char *memory[2];

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    memory[0] = svm_alloc(0, 64);
    memory[1] = svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM ? malloc(64) : NULL;
    for (unsigned m = 0; m < 2 && memory[m] != NULL; m++) {
        for (enum svm_command c = 0; c < SVM_COMMANDS; c++) {
            cl_ulong times[4];
            cl_event gate = user_event(), done;

            if (!has_command(c) || (c == SVM_MIGRATE && m == 1))
                continue;
            OK(svm_enqueue(c, queue, memory[m], 7, 1, &gate, &done));
            OK(clFlush(queue));
            RETURNS(clGetEventProfilingInfo(done, CL_PROFILING_COMMAND_END, sizeof(times[0]),
                                            &times[0], NULL),
                    CL_PROFILING_INFO_NOT_AVAILABLE);
            OK(clSetUserEventStatus(gate, CL_COMPLETE));
            OK(clWaitForEvents(1, &done));
            for (unsigned i = 0; i < 4; i++)
                OK(clGetEventProfilingInfo(done, names[i], sizeof(times[i]), &times[i], NULL));
            for (unsigned i = 0; i < 3; i++)
                if (times[i] > times[i + 1] || times[i] == 0)
                    FAIL("%s: time %u is %llu, time %u is %llu", svm_commands[c].name, i,
                         (unsigned long long)times[i], i + 1, (unsigned long long)times[i + 1]);
        }
    }
    return 0;
}
