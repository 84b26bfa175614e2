/* SPDX-License-Identifier: MIT */
/*
 * cl_hang.c - a kernel that does not end is ended by the watchdog, and what runs beside it is not; nor are
 * kernels that are long but get on, that wait for the host, or whose groups wait for each other; kernel mode
 */
#include "cl_crash.h"

#include <stdatomic.h>
#include <time.h>

#define LIMIT_MS 1000

static const char source[] =
    "kernel void endless(global int *a) {\n"
    "    a[get_global_id(0)] = 7;\n"
    "    volatile int turn = 0;\n"
    "    while (get_global_id(0) == 70 && turn >= 0) turn = (turn + 1) & 0xffff;\n"
    "}\n"
    "kernel void until(global atomic_int *started, global atomic_int *stop) {\n"
    "    atomic_store_explicit(started, 1, memory_order_release, memory_scope_all_svm_devices);\n"
    "    while (!atomic_load_explicit(stop, memory_order_acquire, memory_scope_all_svm_devices));\n"
    "}\n"
    "kernel void steps(global int *a, int turns) {\n"
    "    volatile int n = 0;\n"
    "    for (int i = 0; i < turns; i++) n += i & 3;\n"
    "    a[get_group_id(0)] = n;\n"
    "}\n"
    CRASH_GOOD;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(void)
{
    static struct {
        atomic_int started, stop;
    } wait;
    static int steps_done[4096];
    int a[CRASH_ITEMS];
    cl_event event;

    setenv("HMMSVM_WATCHDOG_MS", "1000", 1);
    cl_program program = crash_open(source);
    cl_kernel endless = crash_kernel(program, "endless"), until = crash_kernel(program, "until");
    cl_kernel steps = crash_kernel(program, "steps"), good = crash_kernel(program, "good");
    cl_command_queue beside = cl_new_queue(0);

    /* One that waits for the host is there all the time. */
    CL(clSetKernelArgSVMPointer(until, 0, &wait.started));
    CL(clSetKernelArgSVMPointer(until, 1, &wait.stop));
    cl_run(beside, until, 1, 1, &event);
    CL(clFlush(beside));
    while (atomic_load(&wait.started) == 0)
        usleep(1000);

    for (int round = 0; round < 2; round++) {
        memset(a, 0, sizeof(a));
        CL(clSetKernelArgSVMPointer(endless, 0, a));
        crash_fails(endless);
        crash_says("kernel \"endless\" was ended: work-group (4,0,0) used more processor time than "
                   "HMMSVM_WATCHDOG_MS allows");
        EQ(a[70], 7);
        crash_good(good);
    }

    /* Longer than the limit, in groups each of which is not. */
    cl_int turns = 100000;
    CL(clSetKernelArgSVMPointer(steps, 0, steps_done));
    for (double begin = now(); now() - begin < 3.0 * LIMIT_MS / 1000; ) {
        cl_event done;

        ARG(steps, 1, turns);
        cl_run(cl_queue, steps, 4096, 1, &done);
        CL(clWaitForEvents(1, &done));
        EQ(event_status(done), CL_COMPLETE);
        CL(clReleaseEvent(done));
    }

    EQ(event_status(event), CL_RUNNING);
    atomic_store(&wait.stop, 1);
    CL(clWaitForEvents(1, &event));
    EQ(event_status(event), CL_COMPLETE);
    return 0;
}
