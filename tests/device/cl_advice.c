/* SPDX-License-Identifier: MIT */
/*
 * cl_advice.c - clEnqueueMemAdviseINTEL: advice is a command with a place in
 * its queue, decides where pages go when the device uses them, ends with what
 * takes it back, and what is no advice is an error
 */
#include "cl_usm.h"
#include "counters.h"

#define BYTES (2 * COUNTERS_BLOCK)
#define PAGES (BYTES / COUNTERS_PAGE)
#define N     (BYTES / sizeof(cl_uint))

static const char source[] =
    "kernel void add(global uint *p, uint x) { p[get_global_id(0)] += x; }\n"
    "kernel void look(global const uint *p, global uint *sum) {\n"
    "    uint s = 0;\n"
    "    for (uint i = get_global_id(0); i < 1048576; i += get_global_size(0)) s += p[i];\n"
    "    atomic_add(sum, s);\n"
    "}\n";

static cl_kernel add, look;
static bool visible;

static void advise(const void *p, size_t size, cl_mem_advice_intel advice)
{
    cl_event event;

    CL(usm_advise(cl_queue, p, size, advice, 0, NULL, &event));
    event_ends(event, CL_COMMAND_MEMADVISE_INTEL);
}

static void kernel_adds(cl_uint *p, cl_uint x)
{
    CL(usm_arg(add, 0, p));
    ARG(add, 1, x);
    cl_run(cl_queue, add, N, 64, NULL);
    CL(clFinish(cl_queue));
}

static void host_sees(const cl_uint *p, cl_uint value)
{
    for (size_t i = 0; i < N; i++)
        EQ(p[i], value);
}

int main(void)
{
    cl_event user, event;
    cl_uint sum;
    cl_int err;

    usm_open();
    visible = counters_there();
    add = cl_get_kernel(source, "add");
    look = cl_get_kernel(source, "look");

    /* the device, then the system */
    cl_uint *p = counters_blocks(BYTES, 0);
    advise(p, BYTES, ADVICE_SET_DEVICE);
    if (visible)
        EQ(counters_device_pages(p, BYTES), 0); /* it moves nothing by itself */
    kernel_adds(p, 1);
    if (visible)
        MANY(counters_device_pages(p, BYTES), PAGES);
    host_sees(p, 1);
    advise(p, BYTES, ADVICE_SET_SYSTEM);
    kernel_adds(p, 1);
    if (visible)
        EQ(counters_device_pages(p, BYTES), 0);
    host_sees(p, 2);
    advise(p, BYTES, ADVICE_CLEAR_SYSTEM);

    /* the last one counts; on fresh memory, as what the device has mapped takes no faults */
    p = counters_blocks(BYTES, 0);
    advise(p, BYTES, ADVICE_SET_SYSTEM);
    advise(p, BYTES, ADVICE_SET_DEVICE);
    kernel_adds(p, 3);
    if (visible)
        MANY(counters_device_pages(p, BYTES), PAGES);
    advise(p, BYTES, ADVICE_CLEAR_DEVICE);
    host_sees(p, 3);

    /* half a range */
    advise(p, BYTES / 2, ADVICE_SET_SYSTEM);
    advise((char *)p + BYTES / 2, BYTES / 2, ADVICE_SET_DEVICE);
    kernel_adds(p, 4);
    if (visible) {
        EQ(counters_device_pages(p, BYTES / 2), 0);
        MANY(counters_device_pages((char *)p + BYTES / 2, BYTES / 2), PAGES / 2);
    }
    host_sees(p, 7);
    advise(p, BYTES, ADVICE_CLEAR_SYSTEM);
    advise(p, BYTES, ADVICE_CLEAR_DEVICE);

    /* what many read stays where both sides can */
    advise(p, BYTES, ADVICE_SET_READ_MOSTLY);
    for (int round = 0; round < 3; round++) {
        sum = 0;
        CL(usm_arg(look, 0, p));
        CL(usm_arg(look, 1, &sum));
        cl_run(cl_queue, look, 256, 64, NULL);
        CL(clFinish(cl_queue));
        EQ(sum, N * 7);
        if (visible)
            EQ(counters_device_pages(p, BYTES), 0);
        host_sees(p, 7);
    }
    advise(p, BYTES, ADVICE_CLEAR_READ_MOSTLY);

    /* its place in the queue */
    user = clCreateUserEvent(cl_ctx, &err);
    CL(err);
    CL(usm_advise(cl_queue, p, BYTES, ADVICE_SET_SYSTEM, 1, &user, &event));
    usleep(10000);
    CHECK(event_status(event) > CL_RUNNING);
    CL(clSetUserEventStatus(user, CL_COMPLETE));
    event_ends(event, CL_COMMAND_MEMADVISE_INTEL);
    CL(clReleaseEvent(user));
    advise(p, BYTES, ADVICE_CLEAR_SYSTEM);

    /* without effect, and no error: nothing to say, and what is the same everywhere here */
    advise(p, 1, 0);
    advise(p, 1, ADVICE_SET_NON_ATOMIC);
    advise(p, 1, ADVICE_BIAS_UNCACHED);

    EQ(usm_advise(cl_queue, p, BYTES, 1, 0, NULL, NULL), CL_INVALID_VALUE);
    EQ(usm_advise(cl_queue, p, BYTES, ADVICE_CLEAR_SYSTEM + 1, 0, NULL, NULL), CL_INVALID_VALUE);
    EQ(usm_advise(cl_queue, p, 0, ADVICE_SET_DEVICE, 0, NULL, NULL), CL_INVALID_VALUE);
    EQ(usm_advise(cl_queue, NULL, BYTES, ADVICE_SET_DEVICE, 0, NULL, NULL), CL_INVALID_VALUE);
    EQ(usm_advise(NULL, p, BYTES, ADVICE_SET_DEVICE, 0, NULL, NULL), CL_INVALID_COMMAND_QUEUE);
    EQ(usm_advise(cl_queue, p, BYTES, ADVICE_SET_DEVICE, 1, NULL, NULL),
       CL_INVALID_EVENT_WAIT_LIST);

    /* allocations come and go with theirs; the next ones at the same addresses start afresh */
    for (int round = 0; round < 50; round++) {
        void *a = usm_device_alloc(cl_ctx, cl_device, NULL, 4096u << round % 6, 0, &err);
        CL(err);
        void *b = clSVMAlloc(cl_ctx, CL_MEM_READ_WRITE, 100u << round % 12, 0);
        CHECK(b != NULL);
        CL(usm_advise(cl_queue, b, 100u << round % 12, ADVICE_SET_DEVICE, 0, NULL, NULL));
        CL(clEnqueueSVMFree(cl_queue, 1, &b, NULL, NULL, 0, NULL, NULL));
        CL(clFinish(cl_queue));
        CL(usm_free(cl_ctx, a));
    }
    return 0;
}
