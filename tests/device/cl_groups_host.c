/* SPDX-License-Identifier: MIT */
/*
 * cl_groups_host.c - work-groups wait for the host, which waits for all of
 * them, though there are many more than compute units; the host also waits for
 * a kernel that is behind one which waits for the host, in another queue
 */
#include "cl_harness.h"

#include <stdatomic.h>

static const char source[] =
    "kernel void wait(global atomic_uint *arrived, global atomic_uint *go, global uint *out) {\n"
    "    atomic_fetch_add_explicit(arrived, 1, memory_order_acq_rel,\n"
    "                              memory_scope_all_svm_devices);\n"
    "    uint value;\n"
    "    while (!(value = atomic_load_explicit(go, memory_order_acquire,\n"
    "                                          memory_scope_all_svm_devices)))\n"
    "        ;\n"
    "    out[get_group_id(0)] = value + get_group_id(0);\n"
    "}\n"
    "kernel void arrive(global atomic_uint *arrived) {\n"
    "    atomic_fetch_add_explicit(arrived, 1, memory_order_acq_rel,\n"
    "                              memory_scope_all_svm_devices);\n"
    "}\n";

static void wait_until(const atomic_uint *word, cl_uint value)
{
    while (atomic_load(word) != value)
        usleep(1000);
}

int main(void)
{
    const cl_uint totals[] = { 8, 64, cl_many_groups() };
    atomic_uint *words = calloc(2, sizeof(*words)); /* arrived, go */

    cl_open();
    cl_command_queue other = cl_new_queue(0);
    cl_kernel wait = cl_get_kernel(source, "wait"), arrive = cl_get_kernel(source, "arrive");

    CL(clSetKernelArgSVMPointer(wait, 0, &words[0]));
    CL(clSetKernelArgSVMPointer(wait, 1, &words[1]));
    CL(clSetKernelArgSVMPointer(arrive, 0, &words[0]));
    for (size_t t = 0; t < sizeof(totals) / sizeof(*totals); t++) {
        cl_uint *out = calloc(totals[t], sizeof(*out));
        cl_event done;

        CHECK(out != NULL);
        atomic_store(&words[0], 0);
        atomic_store(&words[1], 0);
        CL(clSetKernelArgSVMPointer(wait, 2, out));
        cl_run(cl_queue, wait, totals[t], 1, &done);
        CL(clFlush(cl_queue));
        wait_until(&words[0], totals[t]);
        /* All are there, and none can end. */
        cl_run(other, arrive, 1, 1, NULL);
        CL(clFlush(other));
        wait_until(&words[0], totals[t] + 1);
        CHECK(event_status(done) > CL_COMPLETE);
        atomic_store(&words[1], 100);
        CL(clWaitForEvents(1, &done));
        EQ(event_status(done), CL_COMPLETE);
        for (cl_uint i = 0; i < totals[t]; i++)
            EQ(out[i], 100 + i);
        CL(clReleaseEvent(done));
        CL(clFinish(other));
        free(out);
    }
    return 0;
}
