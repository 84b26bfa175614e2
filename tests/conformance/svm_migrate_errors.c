/* SPDX-License-Identifier: MIT */
/*
 * svm_migrate_errors.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMMigrateMem:
 * CL_INVALID_COMMAND_QUEUE and CL_INVALID_VALUE, the latter also for a range that begins in an
 * allocation and goes on behind it
 */
#include "conformance.h"

int main(int argc, char **argv)
{
    char here;
    cl_event untouched = (cl_event)(void *)&here, event = untouched;
    const size_t fits[] = { 4096, 4096 }, last_is_long[] = { 4096, 4097 }, first_is_long[] = { 8192, 1 };

    test_open(argc, argv);
    if (device_version < 210)
        SKIP("clEnqueueSVMMigrateMem is new in OpenCL 2.1");
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    char *p = svm_alloc(0, 4096), *q = svm_alloc(0, 4096);
    const void *both[] = { p, q }, *behind[] = { p, q + 1 };

    RETURNS(clEnqueueSVMMigrateMem(NULL, 2, both, NULL, 0, 0, NULL, &event),
            CL_INVALID_COMMAND_QUEUE);
    RETURNS(clEnqueueSVMMigrateMem(queue, 0, both, NULL, 0, 0, NULL, &event), CL_INVALID_VALUE);
    RETURNS(clEnqueueSVMMigrateMem(queue, 2, NULL, NULL, 0, 0, NULL, &event), CL_INVALID_VALUE);
    RETURNS(clEnqueueSVMMigrateMem(queue, 2, both, NULL, 1 << 2, 0, NULL, &event),
            CL_INVALID_VALUE);
    RETURNS(clEnqueueSVMMigrateMem(queue, 2, both, fits,
                                   CL_MIGRATE_MEM_OBJECT_HOST | (cl_mem_migration_flags)1 << 40, 0,
                                   NULL, &event), CL_INVALID_VALUE);
    RETURNS(clEnqueueSVMMigrateMem(queue, 2, both, last_is_long, 0, 0, NULL, &event),
            CL_INVALID_VALUE);
    RETURNS(clEnqueueSVMMigrateMem(queue, 2, both, first_is_long, 0, 0, NULL, &event),
            CL_INVALID_VALUE);
    RETURNS(clEnqueueSVMMigrateMem(queue, 2, behind, fits, 0, 0, NULL, &event), CL_INVALID_VALUE);
    SAME(event, untouched);
    RETURNS(clEnqueueSVMMigrateMem(queue, 2, both, fits, 0, 0, NULL, &event), CL_SUCCESS);
    event_ends(event, CL_COMMAND_SVM_MIGRATE_MEM);
    return 0;
}
