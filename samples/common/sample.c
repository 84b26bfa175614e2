/*
 * What the samples share; sample.h says what each function promises.
 *
 * Locking: none. Everything here is called from the main thread.
 */
#define _GNU_SOURCE
#include "sample.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef CL_PLATFORM_NOT_FOUND_KHR
#define CL_PLATFORM_NOT_FOUND_KHR -1001
#endif

#define ERROR_NAME(e)                                                                              \
    case e:                                                                                        \
        return #e

const char *sample_error_name(cl_int error)
{
    switch (error) {
        ERROR_NAME(CL_SUCCESS);
        ERROR_NAME(CL_DEVICE_NOT_FOUND);
        ERROR_NAME(CL_DEVICE_NOT_AVAILABLE);
        ERROR_NAME(CL_COMPILER_NOT_AVAILABLE);
        ERROR_NAME(CL_MEM_OBJECT_ALLOCATION_FAILURE);
        ERROR_NAME(CL_OUT_OF_RESOURCES);
        ERROR_NAME(CL_OUT_OF_HOST_MEMORY);
        ERROR_NAME(CL_BUILD_PROGRAM_FAILURE);
        ERROR_NAME(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
        ERROR_NAME(CL_LINKER_NOT_AVAILABLE);
        ERROR_NAME(CL_INVALID_VALUE);
        ERROR_NAME(CL_INVALID_DEVICE);
        ERROR_NAME(CL_INVALID_CONTEXT);
        ERROR_NAME(CL_INVALID_QUEUE_PROPERTIES);
        ERROR_NAME(CL_INVALID_COMMAND_QUEUE);
        ERROR_NAME(CL_INVALID_BINARY);
        ERROR_NAME(CL_INVALID_BUILD_OPTIONS);
        ERROR_NAME(CL_INVALID_PROGRAM);
        ERROR_NAME(CL_INVALID_PROGRAM_EXECUTABLE);
        ERROR_NAME(CL_INVALID_KERNEL_NAME);
        ERROR_NAME(CL_INVALID_KERNEL_DEFINITION);
        ERROR_NAME(CL_INVALID_KERNEL);
        ERROR_NAME(CL_INVALID_ARG_INDEX);
        ERROR_NAME(CL_INVALID_ARG_VALUE);
        ERROR_NAME(CL_INVALID_ARG_SIZE);
        ERROR_NAME(CL_INVALID_KERNEL_ARGS);
        ERROR_NAME(CL_INVALID_WORK_DIMENSION);
        ERROR_NAME(CL_INVALID_WORK_GROUP_SIZE);
        ERROR_NAME(CL_INVALID_WORK_ITEM_SIZE);
        ERROR_NAME(CL_INVALID_EVENT);
        ERROR_NAME(CL_INVALID_OPERATION);
        ERROR_NAME(CL_INVALID_GLOBAL_WORK_SIZE);
        ERROR_NAME(CL_INVALID_COMPILER_OPTIONS);
        ERROR_NAME(CL_PLATFORM_NOT_FOUND_KHR);
    default:
        return "unknown error";
    }
}

void sample_die(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(SAMPLE_EXIT_FAILED);
}

void sample_check(cl_int error, const char *call)
{
    if (error != CL_SUCCESS)
        sample_die("%s failed: %s (%d)", call, sample_error_name(error), error);
}

void *sample_realloc(void *old, size_t count, size_t size)
{
    void *new = reallocarray(old, count ? count : 1, size);

    if (!new)
        sample_die("no memory for %zu objects of %zu bytes; smaller numbers or --quick need less",
                   count, size);
    return new;
}

void *sample_alloc(size_t count, size_t size)
{
    return sample_realloc(NULL, count, size);
}

void *sample_alloc_aligned(size_t alignment, size_t size)
{
    void *new = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);

    if (!new)
        sample_die("no memory for %zu bytes; smaller numbers or --quick need less", size);
    return new;
}

uint64_t sample_number(struct argp_state *state, const char *option, const char *text, uint64_t min,
                       uint64_t max)
{
    unsigned long long value;
    char *end;

    errno = 0;
    value = strtoull(text, &end, 0);
    /* strtoull takes "-1" for a huge number; a sign is never meant here */
    if (errno || end == text || *end || strpbrk(text, "-+ \t") || value < min || value > max)
        argp_error(state, "%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'", option,
                   min, max, text);
    return value;
}

double sample_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

uint64_t sample_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

uint64_t sample_seed(uint64_t seed)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du;

    return state ? state : 1;
}

/* Returns a malloc'ed string property of the device or, with device NULL, of the platform. */
static char *string_info(cl_platform_id platform, cl_device_id device, cl_uint name)
{
    size_t size = 0;
    char *text;
    cl_int error;

    error = device ? clGetDeviceInfo(device, name, 0, NULL, &size)
                   : clGetPlatformInfo(platform, name, 0, NULL, &size);
    if (error != CL_SUCCESS)
        size = 0;
    text = sample_alloc(size + 1, 1);
    if (size)
        error = device ? clGetDeviceInfo(device, name, size, text, NULL)
                       : clGetPlatformInfo(platform, name, size, text, NULL);
    text[error == CL_SUCCESS ? size : 0] = '\0';
    return text;
}

/* Adds "a, b" style to a message of bounded size. */
static void add_to_list(char *list, size_t size, const char *item)
{
    size_t used = strlen(list);

    snprintf(list + used, size - used, "%s%s", used ? ", " : "", item);
}

/* Writes into missing what the device lacks; empty if nothing. */
static void find_missing(cl_device_id device, const struct sample_needs *needs, char *missing,
                         size_t size)
{
    cl_version version = 0;
    cl_uint bits = 0;
    cl_bool compiler = CL_FALSE, available = CL_FALSE;
    cl_device_svm_capabilities svm = 0;
    cl_device_atomic_capabilities atomics = 0;

    missing[0] = '\0';
    /* A query that an older device does not know fails and leaves the 0: lacking, which is right.
     */
    clGetDeviceInfo(device, CL_DEVICE_AVAILABLE, sizeof(available), &available, NULL);
    clGetDeviceInfo(device, CL_DEVICE_COMPILER_AVAILABLE, sizeof(compiler), &compiler, NULL);
    clGetDeviceInfo(device, CL_DEVICE_NUMERIC_VERSION, sizeof(version), &version, NULL);
    clGetDeviceInfo(device, CL_DEVICE_ADDRESS_BITS, sizeof(bits), &bits, NULL);
    clGetDeviceInfo(device, CL_DEVICE_SVM_CAPABILITIES, sizeof(svm), &svm, NULL);
    clGetDeviceInfo(device, CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES, sizeof(atomics), &atomics, NULL);

    if (!available)
        add_to_list(missing, size, "it is not available");
    if (!compiler)
        add_to_list(missing, size, "no compiler");
    if (version < CL_MAKE_VERSION(3, 0, 0))
        add_to_list(missing, size, "no OpenCL 3.0");
    if (bits != 8 * sizeof(void *))
        add_to_list(missing, size, "pointers of another width than the host's");
    if (needs->svm & ~svm & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM)
        add_to_list(missing, size,
                    "no fine-grained system SVM (it cannot follow malloc'ed pointers)");
    if (needs->svm & ~svm & CL_DEVICE_SVM_ATOMICS)
        add_to_list(missing, size, "no SVM atomics");
    if (needs->atomics & ~atomics & CL_DEVICE_ATOMIC_ORDER_ACQ_REL)
        add_to_list(missing, size, "no acquire/release atomics");
    if (needs->atomics & ~atomics & CL_DEVICE_ATOMIC_SCOPE_DEVICE)
        add_to_list(missing, size, "no atomics of device scope");
    if (needs->atomics & ~atomics & CL_DEVICE_ATOMIC_SCOPE_ALL_DEVICES)
        add_to_list(missing, size, "no atomics of all-devices scope");
}

/* What kind of device is tried when. */
static int type_rank(cl_device_id device)
{
    cl_device_type type = 0;

    clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof(type), &type, NULL);
    if (type & CL_DEVICE_TYPE_GPU)
        return 0;
    return type & CL_DEVICE_TYPE_ACCELERATOR ? 1 : 2;
}

void sample_open(struct sample *s, const struct sample_needs *needs)
{
    cl_uint platform_count = 0;
    cl_platform_id *platforms;
    int best_rank = 3;
    char *rejected = NULL;
    size_t rejected_size = 0;
    cl_int error;
    FILE *report;

    memset(s, 0, sizeof(*s));
    error = clGetPlatformIDs(0, NULL, &platform_count);
    if (error != CL_SUCCESS || !platform_count) {
        fprintf(stderr,
                "%s: there is no OpenCL driver here (clGetPlatformIDs: %s).\n"
                "Way out: install one, or point OCL_ICD_VENDORS at the folder of its .icd file.\n",
                program_invocation_short_name, sample_error_name(error));
        exit(SAMPLE_EXIT_NO_DEVICE);
    }
    platforms = sample_alloc(platform_count, sizeof(*platforms));
    sample_check(clGetPlatformIDs(platform_count, platforms, NULL), "clGetPlatformIDs");

    report = open_memstream(&rejected, &rejected_size);
    if (!report)
        sample_die("no memory for a list of devices");
    for (cl_uint p = 0; p < platform_count; p++) {
        cl_uint count = 0;
        cl_device_id *devices;

        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, 0, NULL, &count) != CL_SUCCESS ||
            !count)
            continue;
        devices = sample_alloc(count, sizeof(*devices));
        sample_check(clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, count, devices, NULL),
                     "clGetDeviceIDs");
        for (cl_uint d = 0; d < count; d++) {
            char *device_name = string_info(NULL, devices[d], CL_DEVICE_NAME);
            char *platform_name = string_info(platforms[p], NULL, CL_PLATFORM_NAME);
            int rank = type_rank(devices[d]);
            char missing[512];

            if (needs->match && !strcasestr(device_name, needs->match) &&
                !strcasestr(platform_name, needs->match))
                snprintf(missing, sizeof(missing), "not what --device asks for");
            else
                find_missing(devices[d], needs, missing, sizeof(missing));
            if (missing[0])
                fprintf(report, "  %s (%s): %s\n", device_name, platform_name, missing);
            if (!missing[0] && rank < best_rank) {
                free(s->device_name);
                free(s->platform_name);
                s->device = devices[d];
                s->device_name = device_name;
                s->platform_name = platform_name;
                best_rank = rank;
            } else {
                free(device_name);
                free(platform_name);
            }
        }
        free(devices);
    }
    fclose(report);
    free(platforms);
    if (!s->device) {
        fprintf(stderr,
                "%s: no OpenCL device here can do this:\n%s"
                "Way out: a driver whose device has what is missing; OCL_ICD_VENDORS picks the "
                "driver,\n"
                "--device the device.\n",
                program_invocation_short_name,
                rejected_size ? rejected : "  (no devices at all)\n");
        free(rejected);
        exit(SAMPLE_EXIT_NO_DEVICE);
    }
    free(rejected);

    s->context = clCreateContext(NULL, 1, &s->device, NULL, NULL, &error);
    sample_check(error, "clCreateContext");
    s->queue = clCreateCommandQueueWithProperties(s->context, s->device, NULL, &error);
    sample_check(error, "clCreateCommandQueueWithProperties");
}

void sample_build(struct sample *s, const struct sample_source *sources, size_t count)
{
    const char **texts = sample_alloc(count, sizeof(*texts));
    size_t *lengths = sample_alloc(count, sizeof(*lengths));
    cl_int error;

    for (size_t i = 0; i < count; i++) {
        texts[i] = sources[i].text;
        lengths[i] = sources[i].length;
    }
    s->program = clCreateProgramWithSource(s->context, count, texts, lengths, &error);
    sample_check(error, "clCreateProgramWithSource");
    free(texts);
    free(lengths);

    error = clBuildProgram(s->program, 1, &s->device, "-cl-std=CL3.0", NULL, NULL);
    if (error != CL_SUCCESS) {
        size_t size = 0;
        char *log;

        clGetProgramBuildInfo(s->program, s->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
        log = sample_alloc(size + 1, 1);
        if (clGetProgramBuildInfo(s->program, s->device, CL_PROGRAM_BUILD_LOG, size, log, NULL) !=
            CL_SUCCESS)
            size = 0;
        log[size] = '\0';
        sample_die("%s cannot build the kernels: %s (%d)\n%s", s->device_name,
                   sample_error_name(error), error, log);
    }
}

cl_kernel sample_kernel(struct sample *s, const char *name)
{
    const cl_bool any_pointer = CL_TRUE;
    cl_kernel kernel;
    cl_int error;

    kernel = clCreateKernel(s->program, name, &error);
    sample_check(error, "clCreateKernel");
    error = clSetKernelExecInfo(kernel, CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM,
                                sizeof(any_pointer), &any_pointer);
    sample_check(error, "clSetKernelExecInfo(CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM)");
    return kernel;
}

void sample_set_pointer(cl_kernel kernel, cl_uint index, const void *pointer)
{
    sample_check(clSetKernelArgSVMPointer(kernel, index, pointer), "clSetKernelArgSVMPointer");
}

void sample_set_uint(cl_kernel kernel, cl_uint index, cl_uint value)
{
    sample_check(clSetKernelArg(kernel, index, sizeof(value), &value), "clSetKernelArg");
}

cl_event sample_start(struct sample *s, cl_kernel kernel, cl_uint dimensions, const size_t *global,
                      const size_t *local)
{
    cl_event event;

    sample_check(
        clEnqueueNDRangeKernel(s->queue, kernel, dimensions, NULL, global, local, 0, NULL, &event),
        "clEnqueueNDRangeKernel");
    sample_check(clFlush(s->queue), "clFlush");
    return event;
}

void sample_wait(cl_event event)
{
    cl_int error = clWaitForEvents(1, &event);
    cl_int status = CL_COMPLETE;

    sample_check(
        clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL),
        "clGetEventInfo");
    if (status < 0)
        sample_die("the kernel ended with an error on the device: %s (%d)",
                   sample_error_name(status), status);
    sample_check(error, "clWaitForEvents");
    clReleaseEvent(event);
}

void sample_run_groups(struct sample *s, cl_kernel kernel, cl_uint dimensions, const size_t *global,
                       const size_t *local)
{
    sample_wait(sample_start(s, kernel, dimensions, global, local));
}

void sample_run(struct sample *s, cl_kernel kernel, cl_uint dimensions, const size_t *global)
{
    sample_run_groups(s, kernel, dimensions, global, NULL);
}

void sample_close(struct sample *s)
{
    if (s->program)
        clReleaseProgram(s->program);
    clReleaseCommandQueue(s->queue);
    clReleaseContext(s->context);
    free(s->device_name);
    free(s->platform_name);
    memset(s, 0, sizeof(*s));
}
