/* SPDX-License-Identifier: MIT */
/*
 * svm_migrate.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMMigrateMem: ranges, parts of ranges and
 * whole allocations, to the device and to the host, keep their contents
 */
#include "conformance.h"

#define N 5000

int main(int argc, char **argv)
{
    static cl_uint seen[N];
    cl_event gate, done[5];

    test_open(argc, argv);
    if (device_version < 210)
        SKIP("clEnqueueSVMMigrateMem is new in OpenCL 2.1");
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    cl_kernel add = common_kernel("add");
    for (unsigned l = 0; l < 3; l++) {
        if (!has_level(&svm_levels[l]))
            continue;
        cl_uint *p = svm_alloc(svm_levels[l].flags, sizeof(seen));
        cl_uint *q = svm_alloc(svm_levels[l].flags, sizeof(seen));
        const void *whole[] = { p, q }, *middle[] = { p + 1000, q + 17 }, *one[] = { q + N - 1 };
        const size_t sizes[] = { 4000 * sizeof(*p), 0 }, last[] = { sizeof(*q) };

        for (unsigned i = 0; i < N; i++)
            seen[i] = i;
        svm_write(p, seen, sizeof(seen));
        svm_write(q, seen, sizeof(seen));

        gate = user_event();
        RETURNS(clEnqueueSVMMigrateMem(queue, 2, whole, NULL, 0, 1, &gate, &done[0]), CL_SUCCESS);
        run_add(queue, add, p, 1, N, 0, NULL, NULL);
        RETURNS(clEnqueueSVMMigrateMem(queue, 2, middle, sizes, CL_MIGRATE_MEM_OBJECT_HOST, 0, NULL,
                                       &done[1]), CL_SUCCESS);
        run_add(queue, add, q, 1, N, 0, NULL, NULL);
        RETURNS(clEnqueueSVMMigrateMem(queue, 2, middle, NULL, 0, 0, NULL, &done[2]), CL_SUCCESS);
        RETURNS(clEnqueueSVMMigrateMem(queue, 1, one, last, 0, 1, &done[2], &done[3]), CL_SUCCESS);
        RETURNS(clEnqueueSVMMigrateMem(queue, 2, whole, sizes, CL_MIGRATE_MEM_OBJECT_HOST, 0, NULL,
                                       &done[4]), CL_SUCCESS);
        whole[0] = whole[1] = middle[0] = middle[1] = one[0] = NULL; /* may be reused at once */
        OK(clFlush(queue));
        for (unsigned i = 0; i < 5; i++)
            CHECK(event_status(done[i]) > CL_COMPLETE);
        OK(clSetUserEventStatus(gate, CL_COMPLETE));
        for (unsigned i = 0; i < 5; i++)
            event_ends(done[i], CL_COMMAND_SVM_MIGRATE_MEM);
        for (unsigned k = 0; k < 2; k++) {
            svm_read(seen, k ? q : p, sizeof(seen));
            for (unsigned i = 0; i < N; i++)
                EQ(seen[i], i + 1);
        }

        /* the contents may go if the program says so, and can be written again */
        const void *again[] = { p };
        RETURNS(clEnqueueSVMMigrateMem(queue, 1, again, NULL,
                                       CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, 0, NULL, NULL),
                CL_SUCCESS);
        svm_set(p, 0, sizeof(seen));
        run_add(queue, add, p, 2, N, 0, NULL, NULL);
        svm_read(seen, p, sizeof(seen));
        for (unsigned i = 0; i < N; i++)
            EQ(seen[i], 2);
        clSVMFree(context, p);
        clSVMFree(context, q);
    }
    return 0;
}
