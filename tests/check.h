/* SPDX-License-Identifier: MIT */
/*
 * check.h - how a test that is an OpenCL host program ends: with 0 (passed), 1 (failed, with
 * file:line and the values) or 77 (skipped, with the reason)
 *
 * Locking: none.
 */
#ifndef HMMSVM_TEST_CHECK_H
#define HMMSVM_TEST_CHECK_H

#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

__attribute__((noreturn, format(printf, 4, 5))) static inline void
check_end(int code, const char *file, int line, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "%s %s:%d: ", code == 77 ? "SKIP" : "FAIL", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    _exit(code); /* not exit(): other threads may be running */
}

#define FAIL(...) check_end(1, __FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) check_end(77, __FILE__, __LINE__, __VA_ARGS__)

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition))                                                                 \
            FAIL("%s is not so", #condition);                                             \
    } while (0)

/* Two integers are equal; prints both if not. */
#define EQ(is, wanted)                                                                    \
    do {                                                                                  \
        long long is_ = (long long)(is), wanted_ = (long long)(wanted);                   \
        if (is_ != wanted_)                                                               \
            FAIL("%s is %lld, not %lld (%s)", #is, is_, wanted_, #wanted);                \
    } while (0)

__attribute__((unused)) static cl_int event_status(cl_event event)
{
    cl_int status;

    EQ(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL),
       CL_SUCCESS);
    return status;
}

/* The command ends well and was of this type; the event is released. */
__attribute__((unused)) static void event_ends(cl_event event, cl_command_type wanted)
{
    cl_command_type type;

    EQ(clWaitForEvents(1, &event), CL_SUCCESS);
    EQ(event_status(event), CL_COMPLETE);
    EQ(clGetEventInfo(event, CL_EVENT_COMMAND_TYPE, sizeof(type), &type, NULL), CL_SUCCESS);
    EQ(type, wanted);
    EQ(clReleaseEvent(event), CL_SUCCESS);
}

#endif /* HMMSVM_TEST_CHECK_H */
