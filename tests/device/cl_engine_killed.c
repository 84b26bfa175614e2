/* SPDX-License-Identifier: MIT */
/*
 * cl_engine_killed.c - the engine is killed while a kernel runs: the kernel's
 * event fails, what was to come after it does not run, a message says so, memory
 * keeps what was written, and the next kernel runs in a new engine. Kernel mode: direct mode has no engine.
 */
#include "../processes.h"
#include "cl_harness.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>

static const char source[] =
    "kernel void stay(global atomic_int *started, global atomic_int *stop) {\n"
    "    atomic_store_explicit(started, 1, memory_order_release, memory_scope_all_svm_devices);\n"
    "    while (!atomic_load_explicit(stop, memory_order_acquire, memory_scope_all_svm_devices));\n"
    "}\n"
    "kernel void good(global int *a) { a[get_global_id(0)] = get_global_id(0); }\n";

/* The engine: the process of that name that has a pidfd of this one. */
static pid_t find_engine(void)
{
    DIR *proc = opendir("/proc");
    pid_t found = 0, engine;

    CHECK(proc != NULL);
    while (found == 0 && (engine = process_next(proc, "hmmsvm-engine")) != 0)
        for (int fd = 0; found == 0 && fd < 16; fd++) {
            char path[64], line[128];
            int pid = 0;

            snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", engine, fd);
            FILE *f = fopen(path, "r");
            if (f == NULL)
                continue;
            while (found == 0 && fgets(line, sizeof(line), f) != NULL)
                if (sscanf(line, "Pid: %d", &pid) == 1 && pid == getpid())
                    found = engine;
            fclose(f);
        }
    closedir(proc);
    return found;
}

int main(void)
{
    static struct {
        atomic_int started, stop;
    } shared;
    cl_event event, after[5];
    cl_int err;
    int a[100];

    cl_open();
    if (!cl_kernel_mode)
        SKIP("direct mode has no engine");
    cl_program program = cl_build_with(source, "-cl-std=CL3.0");
    cl_kernel stay = clCreateKernel(program, "stay", &err);
    CL(err);
    cl_kernel good = clCreateKernel(program, "good", &err);
    CL(err);
    CL(clSetKernelArgSVMPointer(stay, 0, &shared.started));
    CL(clSetKernelArgSVMPointer(stay, 1, &shared.stop));
    CL(clSetKernelArgSVMPointer(good, 0, a));

    pid_t last = 0;
    for (int round = 0; round < 2; round++) {
        atomic_store(&shared.started, 0);
        memset(a, -1, sizeof(a));
        cl_run(cl_queue, stay, 1, 1, &event);
        for (int i = 0; i < 5; i++)
            cl_run(cl_queue, good, 100, 10, &after[i]);
        CL(clFlush(cl_queue));
        while (atomic_load(&shared.started) == 0)
            usleep(1000);
        pid_t engine = find_engine();
        CHECK(engine > 0);
        CHECK(engine != last);
        last = engine;
        EQ(kill(engine, SIGKILL), 0);
        EQ(clWaitForEvents(1, &event), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
        EQ(event_status(event), CL_OUT_OF_RESOURCES);
        EQ(shared.started, 1);
        EQ(clWaitForEvents(5, after), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
        for (int i = 0; i < 5; i++)
            EQ(event_status(after[i]), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
        for (int i = 0; i < 100; i++)
            EQ(a[i], -1);

        cl_run(cl_queue, good, 100, 10, &event);
        CL(clWaitForEvents(1, &event));
        for (int i = 0; i < 100; i++)
            EQ(a[i], i);
    }
    return 0;
}
