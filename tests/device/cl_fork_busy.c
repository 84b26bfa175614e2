/* SPDX-License-Identifier: MIT */
/*
 * cl_fork_busy.c - a program with threads, whose kernels are running, forks: the children run other
 * programs, which use OpenCL anew, or end, and no command of the parent's is lost or wrong
 */
#include "cl_harness.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 3
#define ITEMS 256
#define FORKS 6

static const char source[] =
    "kernel void add(global int *a, int n) { a[get_global_id(0)] += n; }\n";

static atomic_bool stop;
static cl_kernel kernels[THREADS];
static unsigned rounds[THREADS];

/* One that is in the air nearly always. */
static void *enqueues(void *arg)
{
    unsigned t = (unsigned)(size_t)arg;
    int *a = calloc(ITEMS, sizeof(*a)), sum = 0;
    cl_command_queue queue = cl_new_queue(0);

    CHECK(a != NULL);
    CL(clSetKernelArgSVMPointer(kernels[t], 0, a));
    while (!atomic_load(&stop)) {
        for (cl_int i = 1; i <= 8; i++) {
            ARG(kernels[t], 1, i);
            cl_run(queue, kernels[t], ITEMS, 16, NULL);
            sum += i;
        }
        CL(clFinish(queue));
        for (int i = 0; i < ITEMS; i++)
            EQ(a[i], sum);
        rounds[t]++;
    }
    CL(clReleaseCommandQueue(queue));
    free(a);
    return NULL;
}

/* As a program of its own. */
static int child(void)
{
    int a[ITEMS];
    cl_int n = 5;

    cl_open();
    cl_kernel k = cl_get_kernel(source, "add");
    for (int i = 0; i < ITEMS; i++)
        a[i] = i;
    CL(clSetKernelArgSVMPointer(k, 0, a));
    ARG(k, 1, n);
    cl_run(cl_queue, k, ITEMS, 16, NULL);
    CL(clFinish(cl_queue));
    for (int i = 0; i < ITEMS; i++)
        EQ(a[i], i + 5);
    return 0;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];

    (void)argv;
    if (argc > 1)
        return child();
    cl_open();
    for (size_t t = 0; t < THREADS; t++) {
        kernels[t] = cl_get_kernel(source, "add");
        EQ(pthread_create(&threads[t], NULL, enqueues, (void *)t), 0);
    }
    for (int i = 0; i < FORKS; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            alarm(60); /* a hang is a failure, not a test that does not end */
            if (i % 2 == 0)
                _exit(0);
            execl("/proc/self/exe", "cl_fork_busy", "child", (char *)NULL);
            _exit(127);
        }
        cl_child_ok(pid);
        usleep(20000);
    }
    atomic_store(&stop, true);
    for (int t = 0; t < THREADS; t++) {
        EQ(pthread_join(threads[t], NULL), 0);
        CHECK(rounds[t] > 0);
    }
    return 0;
}
