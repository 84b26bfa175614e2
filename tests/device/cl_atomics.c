/* SPDX-License-Identifier: MIT */
/*
 * cl_atomics.c - host and device add to the same malloc'ed counters while both
 * run, and a kernel sees a flag that the host sets after it has started
 */
#include "cl_harness.h"

#include <pthread.h>
#include <stdatomic.h>

#define GROUPS  64
#define GROUP   32
#define ROUNDS  500

static const char source[] =
    "kernel void add(global atomic_int *sum, global atomic_int *started, global atomic_int *stop,\n"
    "                int rounds) {\n"
    "    atomic_store_explicit(started, 1, memory_order_release, memory_scope_all_svm_devices);\n"
    "    for (int i = 0; i < rounds; i++)\n"
    "        atomic_fetch_add_explicit(sum, 1, memory_order_relaxed,\n"
    "                                  memory_scope_all_svm_devices);\n"
    "    if (get_global_id(0) == get_global_size(0) - 1)\n"
    "        while (!atomic_load_explicit(stop, memory_order_acquire,\n"
    "                                     memory_scope_all_svm_devices));\n"
    "}\n";

struct shared {
    atomic_int sum, started, stop;
};

int main(void)
{
    struct shared *s = calloc(1, sizeof(*s));
    cl_event done;
    cl_int rounds = ROUNDS;
    int mine = 0;

    cl_open();
    cl_kernel add = cl_get_kernel(source, "add");
    CL(clSetKernelArgSVMPointer(add, 0, &s->sum));
    CL(clSetKernelArgSVMPointer(add, 1, &s->started));
    CL(clSetKernelArgSVMPointer(add, 2, &s->stop));
    ARG(add, 3, rounds);
    cl_run(cl_queue, add, GROUPS * GROUP, GROUP, &done);
    CL(clFlush(cl_queue));

    while (atomic_load(&s->started) == 0)
        ;
    /* it cannot end before stop is set, so these are done while it runs */
    while (mine < 100000) {
        atomic_fetch_add(&s->sum, 1);
        mine++;
    }
    CHECK(event_status(done) > CL_COMPLETE);
    atomic_store(&s->stop, 1);
    CL(clWaitForEvents(1, &done));
    EQ(s->sum, GROUPS * GROUP * ROUNDS + mine);
    return 0;
}
