/* SPDX-License-Identifier: MIT */
/*
 * svm_enqueue_free.c - OpenCL 3.0 API, section 5.6.1, clEnqueueSVMFree: without a callback the
 * allocations are freed, after the commands before it, so that more than the program's address space
 * can be had piece after piece
 */
#include "conformance.h"

#include <sys/resource.h>

#define PIECE (32 << 20)

int main(int argc, char **argv)
{
    cl_event gate, done;
    struct rlimit limit;
    size_t pages = 0;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);

    /* it has its place in the queue */
    cl_kernel add = common_kernel("add");
    cl_uint *p = svm_alloc(0, sizeof(*p)), *q = svm_alloc(0, sizeof(*q)), seen = 0;
    void *both[] = { p, q };
    svm_set(p, 0, sizeof(*p));
    gate = user_event();
    run_add(queue, add, p, 3, 1, 1, &gate, NULL);
    OK(clEnqueueSVMMemcpy(queue, CL_FALSE, &seen, p, sizeof(seen), 0, NULL, NULL));
    RETURNS(clEnqueueSVMFree(queue, 2, both, NULL, NULL, 0, NULL, &done), CL_SUCCESS);
    both[0] = both[1] = NULL; /* the list may be reused at once */
    OK(clFlush(queue));
    CHECK(event_status(done) > CL_COMPLETE);
    OK(clSetUserEventStatus(gate, CL_COMPLETE));
    event_ends(done, CL_COMMAND_SVM_FREE);
    EQ(seen, 3);

    /* it does free */
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%zu", &pages) != 1)
        return 0;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = pages * (size_t)sysconf(_SC_PAGESIZE) + 8 * (size_t)PIECE;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    for (unsigned i = 0; i < 64; i++) {
        void *piece[] = { clSVMAlloc(context, 0, PIECE, 0) };

        if (piece[0] == NULL)
            FAIL("no memory after %u pieces were had and freed", i);
        svm_set(piece[0], 1, 1);
        RETURNS(clEnqueueSVMFree(queue, 1, piece, NULL, NULL, 0, NULL, NULL), CL_SUCCESS);
        OK(clFinish(queue));
    }
    return 0;
}
