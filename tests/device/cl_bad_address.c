/* SPDX-License-Identifier: MIT */
/*
 * cl_bad_address.c - a kernel that touches memory it must not: its event ends
 * with a negative status, a message names kernel, access and address, what
 * depends on it fails, and the next kernel is right. Kernel mode: without the
 * engine such a kernel ends the application.
 */
#include "cl_harness.h"

#include <sys/mman.h>

static const char source[] =
    "kernel void poke(global int *p) { if (get_global_id(0) == 70) *p = 1; }\n"
    "kernel void peek(global int *p, global int *out) { if (get_global_id(0) == 70) *out = *p; }\n"
    "kernel void good(global int *a) { a[get_global_id(0)] = get_global_id(0); }\n";

/* Runs a kernel that must fail; what was said on stderr goes to @said. */
static void fails(cl_kernel kernel, char *said, size_t size)
{
    static char path[] = "/tmp/cl_bad_address.XXXXXX";
    char name[sizeof(path)];
    cl_event event, next;
    size_t global = 128, local = 16;

    strcpy(name, path);
    int file = mkstemp(name), terminal = dup(STDERR_FILENO);
    CHECK(file >= 0 && terminal >= 0);
    unlink(name);
    dup2(file, STDERR_FILENO);
    cl_run(cl_queue, kernel, 128, 16, &event);
    CL(clEnqueueNDRangeKernel(cl_queue, kernel, 1, NULL, &global, &local, 1, &event, &next));
    cl_int waited = clWaitForEvents(1, &event);
    cl_int waited_next = clWaitForEvents(1, &next);
    dup2(terminal, STDERR_FILENO);
    close(terminal);

    ssize_t n = pread(file, said, size - 1, 0);
    CHECK(n >= 0);
    said[n] = '\0';
    close(file);
    EQ(waited, CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    EQ(waited_next, CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    EQ(event_status(event), CL_OUT_OF_RESOURCES);
    CHECK(event_status(next) < 0);
}

static void good(cl_kernel kernel)
{
    int a[128];
    cl_event event;

    memset(a, -1, sizeof(a));
    CL(clSetKernelArgSVMPointer(kernel, 0, a));
    cl_run(cl_queue, kernel, 128, 16, &event);
    CL(clWaitForEvents(1, &event));
    for (int i = 0; i < 128; i++)
        EQ(a[i], i);
}

static void says(const char *said, const char *wanted)
{
    if (strstr(said, wanted) == NULL)
        FAIL("the message has no \"%s\": %s", wanted, said);
}

int main(void)
{
    char said[4096], address[64];
    cl_int err, *none, *readonly, out = 5;

    cl_open();
    if (!cl_kernel_mode)
        SKIP("direct mode has no isolation");
    cl_program program = cl_build_with(source, "-cl-std=CL3.0");
    cl_kernel poke = clCreateKernel(program, "poke", &err);
    CL(err);
    cl_kernel peek = clCreateKernel(program, "peek", &err);
    CL(err);
    cl_kernel ok = clCreateKernel(program, "good", &err);
    CL(err);

    none = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(none != MAP_FAILED && readonly != MAP_FAILED);
    munmap(none, 4096);

    for (int round = 0; round < 3; round++) {
        CL(clSetKernelArgSVMPointer(poke, 0, none));
        fails(poke, said, sizeof(said));
        snprintf(address, sizeof(address), "kernel \"poke\" tried to write address %p", (void *)none);
        says(said, address);
        says(said, "work-group (4,0,0)");
        good(ok);

        CL(clSetKernelArgSVMPointer(peek, 0, none));
        CL(clSetKernelArgSVMPointer(peek, 1, &out));
        fails(peek, said, sizeof(said));
        snprintf(address, sizeof(address), "kernel \"peek\" tried to read address %p", (void *)none);
        says(said, address);
        good(ok);

        CL(clSetKernelArgSVMPointer(poke, 0, readonly));
        fails(poke, said, sizeof(said));
        snprintf(address, sizeof(address), "kernel \"poke\" tried to write address %p",
                 (void *)readonly);
        says(said, address);
        EQ(*readonly, 0);
        good(ok);
    }
    EQ(out, 5);
    return 0;
}
