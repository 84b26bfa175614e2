/* SPDX-License-Identifier: MIT */
/*
 * conformance.h - what every conformance test starts with
 *
 * A test is an OpenCL host program about one requirement of a specification, for any device. It
 * ends with 0 (the requirement is met), 1 (it is not; file:line and the values are printed) or 77
 * (the device lacks what the requirement depends on; the last line says what). The device is
 * the first whose name contains what --device or CONFORMANCE_DEVICE says, in any platform; without
 * either, the first there is. Which one it was is printed.
 *
 * Locking: none; test_open() before any threads.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include "../check.h"

#include <CL/cl_ext.h>

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAYBE_UNUSED __attribute__((unused))

/* --- results */

/* Two pointers or handles are equal. */
#define SAME(is, wanted)                                                                          \
    do {                                                                                          \
        const void *is_ = (is), *wanted_ = (wanted);                                              \
        if (is_ != wanted_)                                                                       \
            FAIL("%s is %p, not %p (%s)", #is, is_, wanted_, #wanted);                            \
    } while (0)

/* An OpenCL call returns this error, CL_SUCCESS included. */
#define RETURNS(call, code) EQ(call, code)
#define OK(call)            EQ(call, CL_SUCCESS)

/* --- the device */

static cl_platform_id platform;
static cl_device_id device;
static cl_context context;     /* of the device alone */
static cl_command_queue queue; /* in order, with profiling */
static cl_device_svm_capabilities svm_caps;
static unsigned device_version; /* 300 is OpenCL 3.0 */

static const char *test_wanted;

static error_t test_option(int key, char *arg, struct argp_state *state)
{
    (void)state;
    if (key != 'd')
        return ARGP_ERR_UNKNOWN;
    test_wanted = arg;
    return 0;
}

static inline const char *test_device_name(cl_device_id id)
{
    static char name[1024];

    OK(clGetDeviceInfo(id, CL_DEVICE_NAME, sizeof(name), name, NULL));
    return name;
}

/* The wanted device, or the end. */
static inline void test_find_device(void)
{
    cl_platform_id platforms[32];
    cl_uint nplatforms = 0;

    if (clGetPlatformIDs(32, platforms, &nplatforms) != CL_SUCCESS || nplatforms == 0)
        FAIL("there is no OpenCL platform");
    for (cl_uint i = 0; i < nplatforms && i < 32; i++) {
        cl_device_id devices[64];
        cl_uint n = 0;

        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 64, devices, &n) != CL_SUCCESS)
            continue;
        for (cl_uint j = 0; j < n && j < 64; j++) {
            if (test_wanted != NULL && strstr(test_device_name(devices[j]), test_wanted) == NULL)
                continue;
            platform = platforms[i];
            device = devices[j];
            return;
        }
    }
    if (test_wanted == NULL)
        FAIL("no platform has a device");
    FAIL("there is no device whose name contains \"%s\"", test_wanted);
}

static inline cl_command_queue new_queue(cl_command_queue_properties properties)
{
    const cl_queue_properties list[] = { CL_QUEUE_PROPERTIES, properties, 0 };
    cl_int err;
    cl_command_queue q = clCreateCommandQueueWithProperties(context, device, list, &err);

    OK(err);
    return q;
}

/* A queue that runs commands out of order; NULL if the device has none. */
MAYBE_UNUSED static cl_command_queue new_unordered_queue(void)
{
    cl_command_queue_properties can;

    OK(clGetDeviceInfo(device, CL_DEVICE_QUEUE_PROPERTIES, sizeof(can), &can, NULL));
    return can & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE
               ? new_queue(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) : NULL;
}

/* Another context of the same device. */
MAYBE_UNUSED static cl_context new_context(void)
{
    const cl_context_properties list[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)platform,
                                           0 };
    cl_int err;
    cl_context c = clCreateContext(list, 1, &device, NULL, NULL, &err);

    OK(err);
    return c;
}

/* Reads the options, finds the device, prints it and makes a context and a queue. */
MAYBE_UNUSED static void test_open(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "device", 'd', "SUBSTRING", 0, "the first device whose name contains this", 0 },
        { 0 },
    };
    static const struct argp argp = {
        options, test_option, NULL,
        "One requirement of an OpenCL specification; tests/conformance/README.md says which.\v"
        "CONFORMANCE_DEVICE does what --device does.  Exit status: 0 met, 1 not met, 77 skipped.",
        NULL, NULL, NULL
    };
    char version[256], vendor[256];
    unsigned major, minor;

    test_wanted = getenv("CONFORMANCE_DEVICE");
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    test_find_device();
    OK(clGetDeviceInfo(device, CL_DEVICE_VERSION, sizeof(version), version, NULL));
    OK(clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof(vendor), vendor, NULL));
    printf("device: %s (%s, %s)\n", test_device_name(device), vendor, version);
    if (sscanf(version, "OpenCL %u.%u", &major, &minor) != 2)
        FAIL("CL_DEVICE_VERSION is \"%s\"", version);
    device_version = major * 100 + minor * 10;
    if (device_version < 200)
        SKIP("the device is for OpenCL %u.%u: no shared virtual memory", major, minor);

    OK(clGetDeviceInfo(device, CL_DEVICE_SVM_CAPABILITIES, sizeof(svm_caps), &svm_caps, NULL));
    context = new_context();
    queue = new_queue(CL_QUEUE_PROFILING_ENABLE);
}

/* The device has these CL_DEVICE_SVM_*, or the end: coarse-grained buffers are a must in 2.x. */
MAYBE_UNUSED static void need_svm(cl_device_svm_capabilities caps)
{
    static const struct {
        cl_device_svm_capabilities bit;
        const char *name;
    } names[] = {
        { CL_DEVICE_SVM_COARSE_GRAIN_BUFFER, "CL_DEVICE_SVM_COARSE_GRAIN_BUFFER" },
        { CL_DEVICE_SVM_FINE_GRAIN_BUFFER, "CL_DEVICE_SVM_FINE_GRAIN_BUFFER" },
        { CL_DEVICE_SVM_FINE_GRAIN_SYSTEM, "CL_DEVICE_SVM_FINE_GRAIN_SYSTEM" },
        { CL_DEVICE_SVM_ATOMICS, "CL_DEVICE_SVM_ATOMICS" },
    };

    for (unsigned i = 0; i < 4; i++) {
        if ((caps & ~svm_caps & names[i].bit) == 0)
            continue;
        if (i == 0 && device_version < 300)
            FAIL("the device lacks %s, which OpenCL 2.x mandates", names[i].name);
        SKIP("the device lacks %s", names[i].name);
    }
}

MAYBE_UNUSED static bool has_extension(const char *name)
{
    static char list[32768];
    size_t length = strlen(name);

    OK(clGetDeviceInfo(device, CL_DEVICE_EXTENSIONS, sizeof(list), list, NULL));
    for (const char *p = list; (p = strstr(p, name)) != NULL; p += length)
        if ((p == list || p[-1] == ' ') && (p[length] == ' ' || p[length] == 0))
            return true;
    return false;
}

/* A function of an extension that the device says it has. */
MAYBE_UNUSED static void *extension_function(const char *name)
{
    void *function = clGetExtensionFunctionAddressForPlatform(platform, name);

    if (function == NULL)
        FAIL("there is no %s", name);
    return function;
}

/* --- kernels */

MAYBE_UNUSED static cl_program build(const char *source)
{
    const char *options = device_version >= 300 ? "-cl-std=CL3.0" : "-cl-std=CL2.0";
    cl_int err;
    cl_program program = clCreateProgramWithSource(context, 1, &source, NULL, &err);

    OK(err);
    if (clBuildProgram(program, 1, &device, options, NULL, NULL) != CL_SUCCESS) {
        static char log[65536];
        clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, sizeof(log), log, NULL);
        FAIL("a program does not build with %s:\n%s", options, log);
    }
    return program;
}

MAYBE_UNUSED static cl_kernel get_kernel(const char *source, const char *name)
{
    cl_int err;
    cl_program program = build(source);
    cl_kernel kernel = clCreateKernel(program, name, &err);

    OK(err);
    OK(clReleaseProgram(program));
    return kernel;
}

/* What most tests need: one program for all of them is built once. */
MAYBE_UNUSED static const char common_source[] =
    "struct node { global struct node *next; global uint *value; };\n"
    "kernel void add(global uint *p, uint x) { p[get_global_id(0)] += x; }\n"
    "kernel void copy(global uint *to, constant uint *from) {\n"
    "    to[get_global_id(0)] = from[get_global_id(0)];\n"
    "}\n"
    "kernel void walk(global struct node *list, global uint *sum) {\n"
    "    uint s = 0;\n"
    "    for (; list; list = list->next) { s += *list->value; *list->value += 1000; }\n"
    "    *sum = s;\n"
    "}\n"
    "kernel void locals(global uint *p, local uint *l, uint x) { l[0] = x; *p = l[0]; }\n";

/* As in common_source. */
struct node {
    struct node *next;
    cl_uint *value;
};

MAYBE_UNUSED static cl_kernel common_kernel(const char *name)
{
    return get_kernel(common_source, name);
}

/* Enqueues a one-dimensional range. */
MAYBE_UNUSED static void run(cl_command_queue q, cl_kernel kernel, size_t items, cl_uint nwait,
                             const cl_event *wait, cl_event *event)
{
    OK(clEnqueueNDRangeKernel(q, kernel, 1, NULL, &items, NULL, nwait, wait, event));
}

/* Enqueues "add" on @items unsigned integers at an SVM pointer. */
MAYBE_UNUSED static void run_add(cl_command_queue q, cl_kernel add, void *p, cl_uint x,
                                 size_t items, cl_uint nwait, const cl_event *wait,
                                 cl_event *event)
{
    OK(clSetKernelArgSVMPointer(add, 0, p));
    OK(clSetKernelArg(add, 1, sizeof(x), &x));
    run(q, add, items, nwait, wait, event);
}

/* --- memory */

struct svm_level {
    cl_svm_mem_flags flags;
    cl_device_svm_capabilities caps;
    const char *name;
};

/* The kinds of allocation that clSVMAlloc() has. */
MAYBE_UNUSED static const struct svm_level svm_levels[3] = {
    { 0, CL_DEVICE_SVM_COARSE_GRAIN_BUFFER, "coarse-grained" },
    { CL_MEM_SVM_FINE_GRAIN_BUFFER, CL_DEVICE_SVM_FINE_GRAIN_BUFFER, "fine-grained" },
    { CL_MEM_SVM_FINE_GRAIN_BUFFER | CL_MEM_SVM_ATOMICS,
      CL_DEVICE_SVM_FINE_GRAIN_BUFFER | CL_DEVICE_SVM_ATOMICS, "fine-grained with atomics" },
};

MAYBE_UNUSED static bool has_level(const struct svm_level *level)
{
    return (level->caps & ~svm_caps) == 0;
}

MAYBE_UNUSED static void *svm_alloc(cl_svm_mem_flags flags, size_t size)
{
    void *p = clSVMAlloc(context, flags, size, 0);

    if (p == NULL)
        FAIL("clSVMAlloc() of %zu bytes with flags 0x%llx failed", size,
             (unsigned long long)flags);
    return p;
}

/* What the host does with an allocation that may be coarse-grained: as mapping demands. */
MAYBE_UNUSED static void svm_write(void *to, const void *from, size_t size)
{
    OK(clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_WRITE, to, size, 0, NULL, NULL));
    memcpy(to, from, size);
    OK(clEnqueueSVMUnmap(queue, to, 0, NULL, NULL));
    OK(clFinish(queue));
}

MAYBE_UNUSED static void svm_read(void *to, void *from, size_t size)
{
    OK(clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_READ, from, size, 0, NULL, NULL));
    memcpy(to, from, size);
    OK(clEnqueueSVMUnmap(queue, from, 0, NULL, NULL));
    OK(clFinish(queue));
}

MAYBE_UNUSED static void svm_set(void *to, int byte, size_t size)
{
    OK(clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_WRITE, to, size, 0, NULL, NULL));
    memset(to, byte, size);
    OK(clEnqueueSVMUnmap(queue, to, 0, NULL, NULL));
    OK(clFinish(queue));
}

MAYBE_UNUSED static cl_uint svm_read_uint(cl_uint *p)
{
    cl_uint value;

    svm_read(&value, p, sizeof(value));
    return value;
}

/* --- events */

MAYBE_UNUSED static cl_event user_event(void)
{
    cl_int err;
    cl_event e = clCreateUserEvent(context, &err);

    OK(err);
    return e;
}

#endif /* CONFORMANCE_H */
