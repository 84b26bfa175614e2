/* SPDX-License-Identifier: MIT */
/*
 * features.c - what a client's program can do with a device behind a server besides plain kernels and
 * buffers: docs/remote.md has the list.
 */
#include "remote.h"

#define N 256

static const char source[] =
    "global uint counter = 40;\n"
    "kernel void add(global uint *a, uint what) { a[get_global_id(0)] += what; }\n"
    "kernel void count(global uint *a) { a[0] = ++counter; }\n"
    "kernel void sum(global uint *a, local uint *l, global atomic_uint *total) {\n"
    "    uint i = get_local_id(0);\n"
    "    l[i] = a[get_global_id(0)];\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    if (i == 0) {\n"
    "        uint n = 0;\n"
    "        for (uint j = 0; j < get_local_size(0); j++) n += l[j];\n"
    "        atomic_fetch_add_explicit(total, n, memory_order_relaxed, memory_scope_device);\n"
    "    }\n"
    "}\n"
    "kernel void swap(read_only image2d_t in, write_only image2d_t out) {\n"
    "    int2 at = (int2)(get_global_id(0), get_global_id(1));\n"
    "    write_imageui(out, at.yx, read_imageui(in, at));\n"
    "}\n";

static cl_program program;
static struct server *s;

static void go(cl_kernel kernel, size_t global, size_t local, cl_event *event)
{
    CL(clEnqueueNDRangeKernel(s->queue, kernel, 1, NULL, &global, &local, 0, NULL, event));
}

/* clEnqueueMapBuffer, both ways; clEnqueueFillBuffer; copies; the rectangle of a buffer. */
static void buffers(void)
{
    cl_uint one = 1, two = 2, rect[4] = { 0 };
    cl_mem m = buffer_of(N * sizeof(cl_uint)), other = buffer_of(N * sizeof(cl_uint));
    cl_kernel add = kernel_of(program, "add");
    cl_int err;
    cl_uint *p;

    CL(clEnqueueFillBuffer(s->queue, m, &one, sizeof(one), 0, N * sizeof(one), 0, NULL, NULL));
    CL(clEnqueueCopyBuffer(s->queue, m, other, 0, 0, N * sizeof(one), 0, NULL, NULL));
    ARG(add, 0, other);
    ARG(add, 1, two);
    go(add, N, 16, NULL);
    CL(clEnqueueCopyBuffer(s->queue, other, m, 0, N / 2 * sizeof(one), N / 2 * sizeof(one), 0, NULL,
                           NULL));
    p = clEnqueueMapBuffer(s->queue, m, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, N * sizeof(*p), 0,
                           NULL, NULL, &err);
    CL(err);
    for (int i = 0; i < N; i++)
        EQ(p[i], i < N / 2 ? 1 : 3);
    for (int i = 0; i < N; i++)
        p[i] = (cl_uint)i;
    CL(clEnqueueUnmapMemObject(s->queue, m, p, 0, NULL, NULL));
    ARG(add, 0, m);
    go(add, N, 16, NULL);
    CL(clEnqueueReadBufferRect(s->queue, m, CL_TRUE, (size_t[]){ 4, 1, 0 }, (size_t[]){ 0, 0, 0 },
                               (size_t[]){ 8, 2, 1 }, 64, 0, 8, 0, rect, 0, NULL, NULL));
    EQ(rect[0], 16 + 1 + 2);
    EQ(rect[1], 16 + 2 + 2);
    EQ(rect[2], 32 + 1 + 2);
    EQ(rect[3], 32 + 2 + 2);
    CL(clReleaseMemObject(other));
    CL(clReleaseMemObject(m));
}

/* Local memory, barriers and atomics of one device. */
static void atomics(void)
{
    cl_uint a[N], total = 0, sum = 0;
    cl_mem m = buffer_of(sizeof(a)), t = buffer_of(sizeof(total));
    cl_kernel kernel = kernel_of(program, "sum");

    for (cl_uint i = 0; i < N; i++)
        sum += a[i] = i * i;
    CL(clEnqueueWriteBuffer(s->queue, m, CL_TRUE, 0, sizeof(a), a, 0, NULL, NULL));
    CL(clEnqueueWriteBuffer(s->queue, t, CL_TRUE, 0, sizeof(total), &total, 0, NULL, NULL));
    ARG(kernel, 0, m);
    CL(clSetKernelArg(kernel, 1, 16 * sizeof(cl_uint), NULL));
    ARG(kernel, 2, t);
    go(kernel, N, 16, NULL);
    CL(clEnqueueReadBuffer(s->queue, t, CL_TRUE, 0, sizeof(total), &total, 0, NULL, NULL));
    EQ(total, sum);
}

/* A variable at program scope keeps its value from kernel to kernel, on each server its own. */
static void program_scope(void)
{
    cl_mem m = buffer_of(sizeof(cl_uint));
    cl_kernel count = kernel_of(program, "count");
    cl_uint n;

    ARG(count, 0, m);
    for (cl_uint i = 1; i <= 3; i++) {
        go(count, 1, 1, NULL);
        CL(clEnqueueReadBuffer(s->queue, m, CL_TRUE, 0, sizeof(n), &n, 0, NULL, NULL));
        EQ(n, 40 + i);
    }
}

static void images(void)
{
    cl_image_format format = { CL_RGBA, CL_UNSIGNED_INT8 };
    cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 8, .image_height = 8 };
    size_t origin[3] = { 0 }, region[3] = { 8, 8, 1 }, global[2] = { 8, 8 };
    unsigned char in[8][8][4], out[8][8][4] = { 0 };
    cl_kernel swap = kernel_of(program, "swap");
    cl_int err;

    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++)
            memcpy(in[y][x], (unsigned char[]){ (unsigned char)x, (unsigned char)y, 7, 9 }, 4);
    cl_mem from = clCreateImage(ctx, CL_MEM_READ_ONLY, &format, &desc, NULL, &err);
    CL(err);
    cl_mem to = clCreateImage(ctx, CL_MEM_WRITE_ONLY, &format, &desc, NULL, &err);
    CL(err);
    CL(clEnqueueWriteImage(s->queue, from, CL_TRUE, origin, region, 0, 0, in, 0, NULL, NULL));
    ARG(swap, 0, from);
    ARG(swap, 1, to);
    CL(clEnqueueNDRangeKernel(s->queue, swap, 2, NULL, global, NULL, 0, NULL, NULL));
    CL(clEnqueueReadImage(s->queue, to, CL_TRUE, origin, region, 0, 0, out, 0, NULL, NULL));
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++)
            EQ(memcmp(out[x][y], in[y][x], 4), 0);
}

/* CL_MEM_USE_HOST_PTR: the memory is right when it is mapped. */
static void host_pointer(void)
{
    static cl_uint a[N];
    cl_kernel add = kernel_of(program, "add");
    cl_uint what = 11;
    cl_int err;

    for (cl_uint i = 0; i < N; i++)
        a[i] = i;
    cl_mem m = clCreateBuffer(ctx, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, sizeof(a), a, &err);
    CL(err);
    ARG(add, 0, m);
    ARG(add, 1, what);
    go(add, N, 16, NULL);
    void *p = clEnqueueMapBuffer(s->queue, m, CL_TRUE, CL_MAP_READ, 0, sizeof(a), 0, NULL, NULL, &err);
    CL(err);
    CHECK(p == a);
    for (cl_uint i = 0; i < N; i++)
        EQ(a[i], i + what);
    CL(clEnqueueUnmapMemObject(s->queue, m, p, 0, NULL, NULL));
    CL(clFinish(s->queue));
    CL(clReleaseMemObject(m));
}

/* The times of a command are there and in order. */
static void profiling(void)
{
    cl_queue_properties props[] = { CL_QUEUE_PROPERTIES, CL_QUEUE_PROFILING_ENABLE, 0 };
    cl_ulong queued, submitted, started, ended;
    cl_kernel add = kernel_of(program, "add");
    cl_mem m = buffer_of(N * sizeof(cl_uint));
    size_t global = N;
    cl_uint what = 1;
    cl_event event;
    cl_int err;

    cl_command_queue queue = clCreateCommandQueueWithProperties(ctx, s->device, props, &err);
    CL(err);
    ARG(add, 0, m);
    ARG(add, 1, what);
    CL(clEnqueueNDRangeKernel(queue, add, 1, NULL, &global, NULL, 0, NULL, &event));
    CL(clWaitForEvents(1, &event));
    CL(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_QUEUED, sizeof(queued), &queued, NULL));
    CL(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_SUBMIT, sizeof(submitted), &submitted,
                               NULL));
    CL(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof(started), &started, NULL));
    CL(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof(ended), &ended, NULL));
    CHECK(queued <= submitted && submitted <= started && started < ended);
    CL(clReleaseCommandQueue(queue));
}

/* A program that was built before, from its binary. */
static void binary(void)
{
    size_t sizes[SERVERS];
    unsigned char *binaries[SERVERS];
    cl_device_id devices[SERVERS];
    cl_int status[SERVERS], err;
    cl_uint a = 5, what = 6;

    CL(clGetProgramInfo(program, CL_PROGRAM_DEVICES, sizeof(devices), devices, NULL));
    CL(clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(sizes), sizes, NULL));
    for (int i = 0; i < SERVERS; i++) {
        CHECK(sizes[i] > 0);
        binaries[i] = malloc(sizes[i]);
    }
    CL(clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(binaries), binaries, NULL));
    cl_program again = clCreateProgramWithBinary(ctx, SERVERS, devices, sizes,
                                                 (const unsigned char **)binaries, status, &err);
    CL(err);
    CL(clBuildProgram(again, 0, NULL, "", NULL, NULL));
    cl_kernel add = kernel_of(again, "add");
    cl_mem m = buffer_of(sizeof(a));
    CL(clEnqueueWriteBuffer(s->queue, m, CL_TRUE, 0, sizeof(a), &a, 0, NULL, NULL));
    ARG(add, 0, m);
    ARG(add, 1, what);
    go(add, 1, 1, NULL);
    CL(clEnqueueReadBuffer(s->queue, m, CL_TRUE, 0, sizeof(a), &a, 0, NULL, NULL));
    EQ(a, 11);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
        int kernels;
    } parts[] = {
        { "buffers", buffers, 2 },
        { "atomics", atomics, 1 },
        { "program_scope", program_scope, 3 },
        { "images", images, 1 },
        { "host_pointer", host_pointer, 1 },
        { "profiling", profiling, 1 },
        { "binary", binary, 1 },
    };
    int kernels = 0;

    open_all();
    program = build_all(source);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (argc > 1 && strcmp(argv[1], parts[i].name) != 0)
            continue;
        for (int j = 0; j < SERVERS; j++) {
            s = &servers[j];
            parts[i].run();
        }
        printf("%s\n", parts[i].name);
        fflush(stdout);
        kernels += parts[i].kernels;
    }
    EQ(server_stop(&servers[0]), kernels);
    EQ(server_stop(&servers[1]), kernels);
    return 0;
}
