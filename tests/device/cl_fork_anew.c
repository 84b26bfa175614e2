/* SPDX-License-Identifier: MIT */
/*
 * cl_fork_anew.c - children of a program whose kernels are running, and are being compiled, use OpenCL
 * anew without a program of their own: contexts, compiler, callbacks, memory that they inherited,
 * isolation in kernel mode, and their children's children; the parent goes on
 */
#include "cl_harness.h"

#include <pthread.h>
#include <stdatomic.h>

#define ITEMS 256

static const char source[] = "kernel void add(global int *a, int n) { a[get_global_id(0)] += n; }\n";

static atomic_bool stop;
static unsigned rounds, compiled[2];
static int inherited[ITEMS];
static atomic_int called;

/* One kernel is in the air nearly always. */
static void *enqueues(void *arg)
{
    int *a = calloc(ITEMS, sizeof(*a)), sum = 0;
    cl_command_queue queue = cl_new_queue(0);
    cl_kernel k = arg;

    CHECK(a != NULL);
    CL(clSetKernelArgSVMPointer(k, 0, a));
    while (!atomic_load(&stop)) {
        for (cl_int i = 1; i <= 8; i++) {
            ARG(k, 1, i);
            cl_run(queue, k, ITEMS, 16, NULL);
            sum += i;
        }
        CL(clFinish(queue));
        for (int i = 0; i < ITEMS; i++)
            EQ(a[i], sum);
        rounds++;
    }
    CL(clReleaseCommandQueue(queue));
    free(a);
    return NULL;
}

/* With two of these the compiler is busy always, and somebody waits for it. */
static void *compiles(void *arg)
{
    unsigned *n = arg;
    char text[256];

    while (!atomic_load(&stop)) {
        snprintf(text, sizeof(text), "kernel void k%td(global int *a) { a[%u] = %d; }", n - compiled,
                 *n, (int)getpid());
        CL(clReleaseProgram(cl_build_with(text, "-cl-std=CL3.0")));
        ++*n;
    }
    return NULL;
}

/* The device's name is the parent's; this says whether there is an engine. */
static void crashes_alone(void)
{
    cl_kernel k = cl_get_kernel("kernel void bad(ulong a) { *(global int *)a = 1; }", "bad");
    cl_ulong address = 16;
    cl_event event;

    ARG(k, 0, address);
    cl_run(cl_queue, k, 1, 1, &event);
    CHECK(clWaitForEvents(1, &event) < 0);
    CL(clReleaseEvent(event));
    CL(clReleaseKernel(k));
}

static void CL_CALLBACK count(cl_event event, cl_int status, void *data)
{
    (void)event;
    (void)data;
    if (status == CL_COMPLETE)
        atomic_fetch_add(&called, 1);
}

/*
 * All of it, with memory that was there before, and source that nobody has compiled. The parent's
 * objects are still there, but fail.
 */
static void uses_anew(int depth, bool is_kernel_mode)
{
    char text[512];
    cl_event event;
    cl_command_queue parents = cl_queue;
    cl_int n = 5, before = inherited[0];

    cl_device = NULL;
    cl_open();
    if (is_kernel_mode)
        crashes_alone();
    snprintf(text, sizeof(text), "%s// %d\nkernel void mark(global int *a) { *a = %d; }", source,
             (int)getpid(), depth);
    cl_kernel k = cl_get_kernel(text, "add");

    /* commands of an own queue, and one that makes another one wait */
    cl_int err;
    cl_event gate = clCreateUserEvent(cl_ctx, &err);
    CL(err);
    CL(clSetKernelArgSVMPointer(k, 0, inherited));
    ARG(k, 1, n);
    for (int i = 0; i < 3; i++) {
        size_t global = ITEMS;
        CL(clEnqueueNDRangeKernel(cl_queue, k, 1, NULL, &global, NULL, i == 0, i == 0 ? &gate : NULL,
                                  &event));
        CL(clSetEventCallback(event, CL_COMPLETE, count, NULL));
        CL(clReleaseEvent(event));
    }
    CL(clSetUserEventStatus(gate, CL_COMPLETE));
    CL(clFinish(cl_queue));
    for (int i = 0; i < ITEMS; i++)
        EQ(inherited[i], before + 15);
    while (atomic_load(&called) != 3)
        usleep(1000);

    size_t size = 1 << 20;
    cl_uchar *big = malloc(size), *back = malloc(size);
    CHECK(big != NULL && back != NULL);
    memset(big, 0x5a, size);
    cl_mem m = cl_new_buffer(size, NULL);
    CL(clEnqueueWriteBuffer(cl_queue, m, CL_FALSE, 0, size, big, 0, NULL, NULL)); /* by a helper */
    CL(clEnqueueReadBuffer(cl_queue, m, CL_TRUE, 0, size, back, 0, NULL, NULL));
    CHECK(memcmp(big, back, size) == 0);

    err = clEnqueueMarkerWithWaitList(parents, 0, NULL, &event);
    if (err == CL_SUCCESS)
        err = clWaitForEvents(1, &event);
    CHECK(err < 0);
    CL(clReleaseMemObject(m));
    CL(clReleaseKernel(k));
    if (depth == 2) { /* a child's child tries what is the child's */
        CL(clReleaseCommandQueue(cl_queue));
        CL(clReleaseContext(cl_ctx));
    }
    free(big);
    free(back);
}

int main(void)
{
    pthread_t threads[3];

#ifdef __SANITIZE_THREAD__
    SKIP("ThreadSanitizer takes no new threads in the child of a process that had some");
#elif defined(__SANITIZE_ADDRESS__)
    SKIP("gcc's AddressSanitizer leaves locks of its malloc() to threads that a child has not got");
#endif
    cl_open();
    bool is_kernel_mode = cl_kernel_mode;
    EQ(pthread_create(&threads[0], NULL, enqueues, cl_get_kernel(source, "add")), 0);
    for (int t = 0; t < 2; t++)
        EQ(pthread_create(&threads[1 + t], NULL, compiles, &compiled[t]), 0);
    /* In an emulated machine compiling takes seconds. */
    for (int i = 0; i < (is_kernel_mode ? 1 : 3); i++) {
        pid_t pid = fork();

        if (pid == 0) {
            alarm(120); /* a hang is a failure, not a test that does not end */
            uses_anew(1, is_kernel_mode);
            pid = i == 0 ? fork() : -1;
            if (pid == 0) {
                alarm(120);
                atomic_store(&called, 0);
                uses_anew(2, is_kernel_mode);
                EQ(inherited[0], 30);
                _exit(0);
            }
            if (i == 0)
                cl_child_ok(pid);
            EQ(inherited[0], 15);
            if (i == 1)
                exit(0); /* with what libraries do at the end */
            _exit(0);
        }
        cl_child_ok(pid);
        EQ(inherited[0], 0);
        usleep(20000);
    }
    atomic_store(&stop, true);
    for (int t = 0; t < 3; t++)
        EQ(pthread_join(threads[t], NULL), 0);
    CHECK(rounds > 0);
    CHECK(compiled[0] > 0);
    CHECK(compiled[1] > 0);
    return 0;
}
