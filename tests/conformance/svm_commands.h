/* SPDX-License-Identifier: MIT */
/*
 * svm_commands.h - each clEnqueueSVM* command in one form, for tests of what all of them share
 *
 * Locking: none.
 */
#ifndef CONFORMANCE_SVM_COMMANDS_H
#define CONFORMANCE_SVM_COMMANDS_H

#include "conformance.h"

enum svm_command { SVM_FREE, SVM_MEMCPY, SVM_MEMFILL, SVM_MAP, SVM_UNMAP, SVM_MIGRATE, SVM_COMMANDS };

static const struct {
    const char *name;
    cl_command_type type;
} svm_commands[SVM_COMMANDS] = {
    { "clEnqueueSVMFree", CL_COMMAND_SVM_FREE },
    { "clEnqueueSVMMemcpy", CL_COMMAND_SVM_MEMCPY },
    { "clEnqueueSVMMemFill", CL_COMMAND_SVM_MEMFILL },
    { "clEnqueueSVMMap", CL_COMMAND_SVM_MAP },
    { "clEnqueueSVMUnmap", CL_COMMAND_SVM_UNMAP },
    { "clEnqueueSVMMigrateMem", CL_COMMAND_SVM_MIGRATE_MEM },
};

/* Not every device has all: migration is new in OpenCL 2.1. */
MAYBE_UNUSED static bool has_command(enum svm_command command)
{
    return command != SVM_MIGRATE || device_version >= 210;
}

static void CL_CALLBACK svm_free_nothing(cl_command_queue q, cl_uint count, void *pointers[],
                                         void *data)
{
    (void)q;
    (void)count;
    (void)pointers;
    ++*(unsigned *)data;
}

static unsigned svm_freed; /* calls of SVM_FREE's callback, which frees nothing */

/*
 * Enqueues the command on 64 bytes at @p, not blocking. Copies and fills put 64 times the byte
 * @byte there. An unmap is that of a map that the caller has enqueued.
 */
MAYBE_UNUSED static cl_int svm_enqueue(enum svm_command command, cl_command_queue q, void *p,
                                       unsigned char byte, cl_uint nwait, const cl_event *wait,
                                       cl_event *event)
{
    static unsigned char sources[256][64]; /* stays as it is until a copy is done */
    const void *constant = p;
    const size_t size = 64;

    switch (command) {
    case SVM_FREE:
        return clEnqueueSVMFree(q, 1, &p, svm_free_nothing, &svm_freed, nwait, wait, event);
    case SVM_MEMCPY:
        memset(sources[byte], byte, size);
        return clEnqueueSVMMemcpy(q, CL_FALSE, p, sources[byte], size, nwait, wait, event);
    case SVM_MEMFILL:
        return clEnqueueSVMMemFill(q, p, &byte, 1, size, nwait, wait, event);
    case SVM_MAP:
        return clEnqueueSVMMap(q, CL_FALSE, CL_MAP_READ, p, size, nwait, wait, event);
    case SVM_UNMAP:
        return clEnqueueSVMUnmap(q, p, nwait, wait, event);
    case SVM_MIGRATE:
        return clEnqueueSVMMigrateMem(q, 1, &constant, &size, 0, nwait, wait, event);
    default:
        FAIL("there is no command %d", command);
    }
}

#endif /* CONFORMANCE_SVM_COMMANDS_H */
