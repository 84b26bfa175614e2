/* SPDX-License-Identifier: MIT */
/*
 * cl_fork_refused.c - a forked child that gets no device of its own, or not one like its parent's, is
 * told so by the first call, does not crash, and may try again
 */
#include "cl_harness.h"

static void is_refused(const char *what)
{
    cl_int err = CL_SUCCESS;
    cl_context context = clCreateContext(NULL, 1, &cl_device, NULL, NULL, &err);

    if (context != NULL || err >= 0)
        FAIL("%s: a context, and %d", what, err);
}

/* What was in the environment comes back. */
static void is_refused_with(const char *name, const char *value)
{
    char *before = getenv(name);

    before = before != NULL ? strdup(before) : NULL;
    setenv(name, value, 1);
    is_refused(value);
    if (before != NULL)
        setenv(name, before, 1);
    else
        unsetenv(name);
    free(before);
}

static void child(void)
{
    cl_queue_properties none[] = { 0 };
    cl_int err = CL_SUCCESS;
    int a[4] = { 0 };

    alarm(60); /* a hang is a failure, not a test that does not end */
    /* In a context of the parent's there is no queue to be had. */
    CHECK(clCreateCommandQueueWithProperties(cl_ctx, cl_device, none, &err) == NULL);
    CHECK(err < 0);
    is_refused_with("HMMSVM_COMPUTE_UNITS", "many");
    if (cl_kernel_mode) {
        is_refused_with("HMMSVM_ENGINE", "/nonexistent");
        is_refused_with("HMMSVM_MODE", "direct"); /* no isolation, where the parent's has some */
    } else {
        setenv("HMMSVM_DEVICE", "/nonexistent", 1);
        is_refused_with("HMMSVM_MODE", "kernel");
    }

    cl_device = NULL;
    cl_open();
    cl_kernel k = cl_get_kernel("kernel void k(global int *a) { a[get_global_id(0)] = 3; }", "k");
    CL(clSetKernelArgSVMPointer(k, 0, a));
    cl_run(cl_queue, k, 4, 1, NULL);
    CL(clFinish(cl_queue));
    EQ(a[3], 3);
    _exit(0);
}

int main(void)
{
#ifdef __SANITIZE_THREAD__
    SKIP("ThreadSanitizer takes no new threads in the child of a process that had some");
#endif
    cl_open();
    pid_t pid = fork();
    if (pid == 0)
        child();
    cl_child_ok(pid);
    CL(clFinish(cl_queue));
    return 0;
}
