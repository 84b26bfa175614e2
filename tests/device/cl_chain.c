/* SPDX-License-Identifier: MIT */
/*
 * cl_chain.c - kernels that wait only for kernels: the device gets them before
 * those have ended. What may not change by that: order, results, times,
 * statuses after a failure, and what other queues and the host do in between.
 */
#include "cl_harness.h"

#include <stdatomic.h>
#include <time.h>

#define ITEMS 64
#define LONG 700 /* more than the device takes at once */

/*
 * A kernel of many groups that all have to find what the one before left: next() fails to count on
 * if any group of its predecessor is still to come.
 */
static const char source[] =
    "kernel void next(global uint *a, uint from) {\n"
    "    uint i = get_global_id(0);\n"
    "    uint left = i == 0 ? get_global_size(0) - 1 : i - 1;\n"
    "    global uint *in = a + (from & 1) * get_global_size(0);\n"
    "    global uint *out = a + (~from & 1) * get_global_size(0);\n"
    "    out[i] = in[i] == from && in[left] == from ? from + 1 : 1000000;\n"
    "}\n"
    "kernel void wait(global atomic_int *gate, global int *seen) {\n"
    "    atomic_store_explicit(gate + 1, 1, memory_order_release, memory_scope_all_svm_devices);\n"
    "    while (!atomic_load_explicit(gate, memory_order_acquire, memory_scope_all_svm_devices));\n"
    "    *seen += 1;\n"
    "}\n"
    "kernel void fail(global int *p, local int *l) {\n"
    "    l[0] = 1; *p = l[0];\n"
    "}\n"
    "kernel void add(global int *a, int n) { a[get_global_id(0)] += n; }\n"
    "kernel void say(int n) { printf(\"%d \", n); }\n"
    "global int counter = 7;\n"
    "kernel void count(global int *out) { out[0] = counter++; }\n";

static struct {
    atomic_int open, started;
} gate;
static int seen;

static cl_kernel next, wait_kernel, fail, add, say, count_kernel;
static cl_mem m;

static cl_event go(cl_command_queue queue, cl_kernel kernel, size_t global, size_t local,
                   cl_uint nafter, const cl_event *after)
{
    cl_event event;

    CL(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, &local, nafter, after, &event));
    return event;
}

static cl_event step(cl_command_queue queue, cl_uint from, cl_event after)
{
    ARG(next, 0, m);
    ARG(next, 1, from);
    return go(queue, next, ITEMS, 8, after != NULL, after != NULL ? &after : NULL);
}

static void clear(cl_command_queue queue)
{
    static const cl_uint zeroes[2 * ITEMS];

    CL(clEnqueueWriteBuffer(queue, m, CL_FALSE, 0, sizeof(zeroes), zeroes, 0, NULL, NULL));
}

static void expect(cl_command_queue queue, cl_uint n)
{
    cl_uint a[ITEMS];

    CL(clEnqueueReadBuffer(queue, m, CL_TRUE, (n & 1) * sizeof(a), sizeof(a), a, 0, NULL, NULL));
    for (int i = 0; i < ITEMS; i++)
        EQ(a[i], n);
}

/* Holds up a queue until gate_open(). */
static cl_event gate_enter(cl_command_queue queue)
{
    atomic_store(&gate.open, 0);
    atomic_store(&gate.started, 0);
    cl_event event = go(queue, wait_kernel, 1, 1, 0, NULL);

    CL(clFlush(queue));
    while (atomic_load(&gate.started) == 0)
        nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
    return event;
}

static void gate_open(void)
{
    atomic_store(&gate.open, 1);
}

static cl_ulong at(cl_event event, cl_profiling_info what)
{
    cl_ulong ns = 0;

    CL(clGetEventProfilingInfo(event, what, sizeof(ns), &ns, NULL));
    return ns;
}

static void in_order(cl_event before, const cl_event *e, int n)
{
    cl_ulong end = before != NULL ? at(before, CL_PROFILING_COMMAND_END) : 0;

    for (int i = 0; i < n; i++) {
        cl_ulong queued = at(e[i], CL_PROFILING_COMMAND_QUEUED);
        cl_ulong submitted = at(e[i], CL_PROFILING_COMMAND_SUBMIT);
        cl_ulong start = at(e[i], CL_PROFILING_COMMAND_START);

        CHECK(queued <= submitted && submitted <= start && end <= start);
        end = at(e[i], CL_PROFILING_COMMAND_END);
        CHECK(start <= end);
    }
}

static void release(cl_event *e, int n)
{
    for (int i = 0; i < n; i++)
        CL(clReleaseEvent(e[i]));
}

static atomic_int called, called_wrong;

static void CL_CALLBACK on_status(cl_event event, cl_int status, void *user)
{
    (void)event;
    if (status != (cl_int)(intptr_t)user)
        atomic_fetch_add(&called_wrong, 1);
    atomic_fetch_add(&called, 1);
}

static void test_given_early(void)
{
    cl_event e[10], first = gate_enter(cl_queue);

    for (int i = 0; i < 10; i++)
        e[i] = go(cl_queue, wait_kernel, 1, 1, 0, NULL);
    CL(clFlush(cl_queue));
    for (int i = 0; i < 10; i++) {
        EQ(event_status(e[i]), CL_SUBMITTED); /* the device has it, and it has not started */
        CL(clSetEventCallback(e[i], CL_RUNNING, on_status, (void *)(intptr_t)CL_RUNNING));
        CL(clSetEventCallback(e[i], CL_COMPLETE, on_status, (void *)(intptr_t)CL_COMPLETE));
    }
    EQ(seen, 0);
    gate_open();
    CL(clFinish(cl_queue));
    EQ(seen, 11);
    for (int i = 0; i < 10; i++)
        EQ(event_status(e[i]), CL_COMPLETE);
    for (int i = 0; i < 5000 && atomic_load(&called) < 20; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    EQ(called, 20);
    EQ(called_wrong, 0);
    in_order(first, e, 10);
    release(e, 10);
    release(&first, 1);
}

static void test_long(bool gated)
{
    static cl_event e[LONG];
    cl_event first = NULL;

    clear(cl_queue);
    if (gated)
        first = gate_enter(cl_queue);
    for (int i = 0; i < LONG; i++)
        e[i] = step(cl_queue, i, NULL);
    if (gated)
        gate_open();
    CL(clFinish(cl_queue));
    expect(cl_queue, LONG);
    in_order(first, e, LONG);
    release(e, LONG);
    if (gated)
        release(&first, 1);
}

/* Two chains, and others that hop between the queues. */
static void test_queues(void)
{
    cl_command_queue other = cl_new_queue(CL_QUEUE_PROFILING_ENABLE);
    cl_command_queue any = cl_new_queue(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
    cl_command_queue queues[] = { cl_queue, other, any };
    int a[2][ITEMS] = { 0 };
    cl_mem sums[2] = { cl_new_buffer(sizeof(a[0]), a[0]), cl_new_buffer(sizeof(a[1]), a[1]) };
    cl_event last = NULL;
    cl_int one = 1;

    clear(cl_queue);
    CL(clFinish(cl_queue));
    for (cl_uint i = 0; i < 300; i++) {
        for (int q = 0; q < 2; q++) {
            ARG(add, 0, sums[q]);
            ARG(add, 1, one);
            cl_event e = go(queues[q], add, ITEMS, 8, 0, NULL);
            release(&e, 1);
        }
        cl_event e = step(queues[i * 7 % 3], i, last);
        CL(clFlush(queues[i * 7 % 3]));
        if (last != NULL)
            release(&last, 1);
        last = e;
    }
    for (int q = 0; q < 3; q++)
        CL(clFinish(queues[q]));
    release(&last, 1);
    expect(cl_queue, 300);
    for (int q = 0; q < 2; q++) {
        CL(clEnqueueReadBuffer(queues[q], sums[q], CL_TRUE, 0, sizeof(a[q]), a[q], 0, NULL, NULL));
        for (int i = 0; i < ITEMS; i++)
            EQ(a[q][i], 300);
        CL(clReleaseMemObject(sums[q]));
    }
    CL(clReleaseCommandQueue(other));
    CL(clReleaseCommandQueue(any));
}

/* One kernel that several wait for, and one that waits for several. */
static void test_diamond(void)
{
    cl_command_queue any = cl_new_queue(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
    int a[ITEMS] = { 0 };
    cl_mem sums[8];
    cl_event e[9];
    cl_int n = 1;

    for (int i = 0; i < 8; i++)
        sums[i] = cl_new_buffer(sizeof(a), a);
    for (int round = 0; round < 50; round++) {
        ARG(add, 0, sums[0]);
        ARG(add, 1, n);
        e[0] = go(any, add, ITEMS, 8, round > 0, round > 0 ? &e[8] : NULL);
        if (round > 0)
            release(&e[8], 1);
        for (int i = 1; i < 8; i++) {
            ARG(add, 0, sums[i]);
            e[i] = go(any, add, ITEMS, 8, 1, &e[0]);
        }
        ARG(add, 0, sums[7]);
        e[8] = go(any, add, ITEMS, 8, 8, e);
        release(e, 8);
    }
    CL(clFinish(any));
    EQ(event_status(e[8]), CL_COMPLETE);
    release(&e[8], 1);
    for (int i = 0; i < 8; i++) {
        CL(clEnqueueReadBuffer(any, sums[i], CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL));
        for (int j = 0; j < ITEMS; j++)
            EQ(a[j], i == 7 ? 100 : 50);
        CL(clReleaseMemObject(sums[i]));
    }
    CL(clReleaseCommandQueue(any));
}

/* Host commands break a chain; what follows them forms one again. */
static void test_host_commands(void)
{
    static const cl_uint zeroes[2 * ITEMS];
    cl_event e[60];
    cl_int err;

    cl_event user = clCreateUserEvent(cl_ctx, &err);
    CL(err);
    for (int round = 0; round < 20; round++) {
        cl_event first = round == 0 ? NULL : gate_enter(cl_queue);

        CL(clEnqueueWriteBuffer(cl_queue, m, CL_FALSE, 0, sizeof(zeroes), zeroes, round == 0,
                                round == 0 ? &user : NULL, NULL));
        for (int i = 0; i < 60; i++) {
            e[i] = step(cl_queue, i, NULL);
            if (i == 30)
                CL(clEnqueueMarkerWithWaitList(cl_queue, 0, NULL, NULL));
            if (i == 40)
                CL(clEnqueueBarrierWithWaitList(cl_queue, 0, NULL, NULL));
        }
        CL(clFlush(cl_queue));
        EQ(event_status(e[0]), CL_QUEUED);
        EQ(event_status(e[59]), CL_QUEUED);
        if (round == 0)
            CL(clSetUserEventStatus(user, CL_COMPLETE));
        gate_open();
        CL(clFinish(cl_queue));
        expect(cl_queue, 60);
        in_order(first, e, 60);
        release(e, 60);
        if (first != NULL)
            release(&first, 1);
    }
    release(&user, 1);
}

/* The one in the middle fails: exactly what comes after it does, too, and nothing of that runs. */
static void test_failure(int before, int after)
{
    static cl_event e[LONG];
    cl_event first, failed;
    int a[ITEMS] = { 0 };
    cl_mem sum = cl_new_buffer(sizeof(a), a), p = cl_new_buffer(sizeof(a), a);
    cl_int one = 1;
    cl_command_queue other = cl_new_queue(0);

    ARG(add, 0, sum);
    ARG(add, 1, one);
    ARG(fail, 0, p);
    CL(clSetKernelArg(fail, 1, (size_t)64 << 20, NULL)); /* more than the device has */
    first = gate_enter(cl_queue);
    for (int i = 0; i < before; i++)
        e[i] = go(cl_queue, add, ITEMS, 8, 0, NULL);
    failed = go(cl_queue, fail, 1, 1, 0, NULL);
    for (int i = before; i < before + after; i++)
        e[i] = go(cl_queue, add, ITEMS, 8, 0, NULL);
    cl_event elsewhere = go(other, add, ITEMS, 8, 1, &failed);
    CL(clFlush(other));
    gate_open();
    CL(clFinish(cl_queue));
    CL(clFinish(other));

    EQ(event_status(first), CL_COMPLETE);
    for (int i = 0; i < before; i++)
        EQ(event_status(e[i]), CL_COMPLETE);
    EQ(event_status(failed), CL_OUT_OF_RESOURCES);
    for (int i = before; i < before + after; i++)
        EQ(event_status(e[i]), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    EQ(event_status(elsewhere), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);

    cl_event good = go(cl_queue, add, ITEMS, 8, 0, NULL);
    CL(clWaitForEvents(1, &good));
    CL(clEnqueueReadBuffer(cl_queue, sum, CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL));
    for (int i = 0; i < ITEMS; i++)
        EQ(a[i], before + 1);
    release(e, before + after);
    release(&first, 1);
    release(&failed, 1);
    release(&elsewhere, 1);
    release(&good, 1);
    CL(clReleaseMemObject(sum));
    CL(clReleaseMemObject(p));
    CL(clReleaseCommandQueue(other));
}

/* What the kernels of a chain print comes in their order. */
static void test_printf(void)
{
    char path[] = "/tmp/cl_chain.XXXXXX", text[4096] = "", wanted[4096] = "";
    int file = mkstemp(path), terminal = dup(STDOUT_FILENO);

    CHECK(file >= 0 && terminal >= 0);
    unlink(path);
    fflush(stdout);
    dup2(file, STDOUT_FILENO);
    cl_event first = gate_enter(cl_queue);
    for (cl_int i = 0; i < 200; i++) {
        ARG(say, 0, i);
        cl_event e = go(cl_queue, say, 1, 1, 0, NULL);
        release(&e, 1);
        sprintf(wanted + strlen(wanted), "%d ", i);
    }
    gate_open();
    CL(clFinish(cl_queue));
    fflush(stdout);
    dup2(terminal, STDOUT_FILENO);
    close(terminal);
    CHECK(pread(file, text, sizeof(text) - 1, 0) >= 0);
    close(file);
    if (strcmp(text, wanted) != 0)
        FAIL("printed was \"%s\"", text);
    release(&first, 1);
}

static void test_program_scope(void)
{
    int out[100];
    cl_event first = gate_enter(cl_queue);

    for (int i = 0; i < 100; i++) {
        CL(clSetKernelArgSVMPointer(count_kernel, 0, &out[i]));
        cl_event e = go(cl_queue, count_kernel, 1, 1, 0, NULL);
        release(&e, 1);
    }
    gate_open();
    CL(clFinish(cl_queue));
    for (int i = 0; i < 100; i++)
        EQ(out[i], 7 + i);
    release(&first, 1);
}

static cl_kernel get(cl_program program, const char *name)
{
    cl_int err;
    cl_kernel kernel = clCreateKernel(program, name, &err);

    CL(err);
    return kernel;
}

int main(void)
{
    cl_open();
    cl_program program = cl_build_with(source, "-cl-std=CL3.0");
    next = get(program, "next");
    wait_kernel = get(program, "wait");
    fail = get(program, "fail");
    add = get(program, "add");
    say = get(program, "say");
    count_kernel = get(program, "count");
    m = cl_new_buffer(2 * ITEMS * sizeof(cl_uint), NULL);
    CL(clSetKernelArgSVMPointer(wait_kernel, 0, &gate));
    CL(clSetKernelArgSVMPointer(wait_kernel, 1, &seen));

    /* all are built */
    gate_open();
    cl_event e = go(cl_queue, wait_kernel, 1, 1, 0, NULL);
    CL(clWaitForEvents(1, &e));
    release(&e, 1);
    seen = 0;

    test_given_early();
    test_long(false);
    test_long(true);
    test_queues();
    test_diamond();
    test_host_commands();
    test_program_scope();
    test_printf();
    test_failure(5, 20);
    test_failure(0, 1);
    test_failure(200, 300);
    return 0;
}
