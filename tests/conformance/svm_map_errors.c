/* SPDX-License-Identifier: MIT */
/*
 * svm_map_errors.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMMap and clEnqueueSVMUnmap:
 * CL_INVALID_COMMAND_QUEUE and CL_INVALID_VALUE
 */
#include "conformance.h"

static void check(void *p)
{
    char here;
    cl_event untouched = (cl_event)(void *)&here, event = untouched;

    for (cl_bool blocking = CL_FALSE; blocking <= CL_TRUE; blocking++) {
        RETURNS(clEnqueueSVMMap(NULL, blocking, CL_MAP_READ, p, 64, 0, NULL, &event),
                CL_INVALID_COMMAND_QUEUE);
        RETURNS(clEnqueueSVMMap(queue, blocking, CL_MAP_READ, NULL, 64, 0, NULL, &event),
                CL_INVALID_VALUE);
        RETURNS(clEnqueueSVMMap(queue, blocking, CL_MAP_READ, p, 0, 0, NULL, &event),
                CL_INVALID_VALUE);
        /* flags: unknown, and exclusive ones together */
        RETURNS(clEnqueueSVMMap(queue, blocking, 1 << 10, p, 64, 0, NULL, &event),
                CL_INVALID_VALUE);
        RETURNS(clEnqueueSVMMap(queue, blocking, CL_MAP_READ | 1u << 31, p, 64, 0, NULL, &event),
                CL_INVALID_VALUE);
        RETURNS(clEnqueueSVMMap(queue, blocking, CL_MAP_READ | CL_MAP_WRITE_INVALIDATE_REGION, p,
                                64, 0, NULL, &event), CL_INVALID_VALUE);
        RETURNS(clEnqueueSVMMap(queue, blocking, CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION, p,
                                64, 0, NULL, &event), CL_INVALID_VALUE);
    }
    RETURNS(clEnqueueSVMUnmap(NULL, p, 0, NULL, &event), CL_INVALID_COMMAND_QUEUE);
    RETURNS(clEnqueueSVMUnmap(queue, NULL, 0, NULL, &event), CL_INVALID_VALUE);
    SAME(event, untouched);
}

int main(int argc, char **argv)
{
    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    for (unsigned l = 0; l < 3; l++)
        if (has_level(&svm_levels[l]))
            check(svm_alloc(svm_levels[l].flags, 64));
    if (svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM)
        check(malloc(64));
    return 0;
}
