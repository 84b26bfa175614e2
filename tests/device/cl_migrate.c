/* SPDX-License-Identifier: MIT */
/*
 * cl_migrate.c - clEnqueueSVMMigrateMem and clEnqueueMigrateMemObjects move
 * memory of malloc, of clSVMAlloc and of buffers to the device and back, in
 * their place among other commands, and nothing is lost on the way
 */
#include "counters.h"

#define BYTES (4 * COUNTERS_BLOCK)
#define PAGES (BYTES / COUNTERS_PAGE)
#define N     (BYTES / sizeof(cl_uint))

static const char source[] =
    "kernel void add(global uint *p, uint n, uint x) {\n"
    "    for (size_t i = get_global_id(0); i < n; i += get_global_size(0)) p[i] += x;\n"
    "}\n";

static cl_kernel add;
static bool visible;

static void migrate(const void *p, size_t size, cl_mem_migration_flags flags)
{
    cl_event event;

    CL(clEnqueueSVMMigrateMem(cl_queue, 1, &p, size != 0 ? &size : NULL, flags, 0, NULL, &event));
    event_ends(event, CL_COMMAND_SVM_MIGRATE_MEM);
}

static void kernel_adds(cl_uint x)
{
    cl_uint n = N;

    ARG(add, 1, n);
    ARG(add, 2, x);
    cl_run(cl_queue, add, 256, 64, NULL);
    CL(clFinish(cl_queue));
}

/* There and back; @size 0: as a whole, by a pointer into the middle. */
static void round_trip(cl_uint *p, size_t size, bool whole_blocks)
{
    const void *what = size != 0 ? p : p + N / 2;
    bool look = visible && whole_blocks;

    for (cl_uint i = 0; i < N; i++)
        p[i] = i;
    migrate(what, size, 0);
    if (look)
        MOST(counters_device_pages(p, BYTES), PAGES);
    CL(clSetKernelArgSVMPointer(add, 0, p));
    kernel_adds(1000);
    migrate(what, size, CL_MIGRATE_MEM_OBJECT_HOST);
    if (look)
        EQ(counters_device_pages(p, BYTES), 0);
    for (cl_uint i = 0; i < N; i++)
        EQ(p[i], i + 1000);

    /* there, and back page by page as the host reads */
    migrate(what, size, 0);
    if (look)
        MOST(counters_device_pages(p, BYTES), PAGES);
    for (cl_uint i = 0; i < N; i++)
        EQ(p[i], i + 1000);
    if (look)
        EQ(counters_device_pages(p, BYTES), 0);
}

/* It waits for its list, and what comes after it in the queue waits for it. */
static void order(cl_uint *a, cl_uint *b)
{
    const void *pointers[] = { a, b + 1, a + N - 1 };
    const size_t sizes[] = { BYTES, 8 * COUNTERS_PAGE, sizeof(cl_uint) };
    struct hmmsvm_stats before, after;
    cl_event user, migrated, mark;
    cl_int err;

    for (cl_uint i = 0; i < N; i++)
        a[i] = b[i] = ~i;
    if (visible)
        CHECK(counters_read(&before));
    user = clCreateUserEvent(cl_ctx, &err);
    CL(err);
    CL(clEnqueueSVMMigrateMem(cl_queue, 3, pointers, sizes, 0, 1, &user, &migrated));
    CL(clEnqueueMarkerWithWaitList(cl_queue, 0, NULL, &mark));
    CL(clFlush(cl_queue));
    usleep(20000);
    CHECK(event_status(migrated) > CL_RUNNING);
    CHECK(event_status(mark) > CL_RUNNING);
    if (visible) {
        CHECK(counters_read(&after));
        EQ(after.pages_to_device, before.pages_to_device);
    }
    CL(clSetUserEventStatus(user, CL_COMPLETE));
    CL(clWaitForEvents(1, &mark));
    EQ(event_status(migrated), CL_COMPLETE);
    if (visible) {
        MOST(counters_device_pages(a, BYTES), PAGES);
        CHECK(counters_device_pages(b, BYTES) >= 8);
        CHECK(counters_device_pages(b, BYTES) <= 9);
        CHECK(counters_read(&after));
        CHECK(after.pages_to_device - before.pages_to_device >= PAGES - PAGES / 16);
        CHECK(after.migrations_to_device > before.migrations_to_device);
    }
    event_ends(migrated, CL_COMMAND_SVM_MIGRATE_MEM);
    CL(clReleaseEvent(mark));
    CL(clReleaseEvent(user));
    for (cl_uint i = 0; i < N; i++) {
        EQ(a[i], ~i);
        EQ(b[i], ~i);
    }

    /* one whose wait list failed does nothing and fails */
    user = clCreateUserEvent(cl_ctx, &err);
    CL(err);
    CL(clEnqueueSVMMigrateMem(cl_queue, 1, pointers, sizes, 0, 1, &user, &migrated));
    CL(clSetUserEventStatus(user, -7));
    EQ(clWaitForEvents(1, &migrated), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    EQ(event_status(migrated), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    if (visible)
        EQ(counters_device_pages(a, BYTES), 0);
    CL(clReleaseEvent(migrated));
    CL(clReleaseEvent(user));
}

static void buffers(void)
{
    cl_uint *host = counters_blocks(BYTES, 5), *result = malloc(BYTES);
    cl_buffer_region region = { COUNTERS_BLOCK, COUNTERS_BLOCK };
    const cl_image_format format = { CL_RGBA, CL_UNSIGNED_INT8 };
    const cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D,
                                 .image_width = 512,
                                 .image_height = 256 };
    const size_t origin[3] = { 0 }, extent[3] = { 512, 256, 1 };
    cl_event event;
    cl_int err;

    cl_mem plain = cl_new_buffer(BYTES, host);
    cl_mem used = clCreateBuffer(cl_ctx, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, BYTES, host,
                                 &err);
    CL(err);
    cl_mem image = clCreateImage(cl_ctx, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, &format, &desc,
                                 host, &err);
    CL(err);
    cl_mem all[] = { plain, used, image, plain };

    CL(clEnqueueMigrateMemObjects(cl_queue, 4, all, 0, 0, NULL, &event));
    event_ends(event, CL_COMMAND_MIGRATE_MEM_OBJECTS);
    if (visible)
        MOST(counters_device_pages(host, BYTES), PAGES);
    ARG(add, 0, used);
    kernel_adds(1);
    ARG(add, 0, plain);
    kernel_adds(2);
    CL(clEnqueueMigrateMemObjects(cl_queue, 3, all, CL_MIGRATE_MEM_OBJECT_HOST, 0, NULL, &event));
    event_ends(event, CL_COMMAND_MIGRATE_MEM_OBJECTS);
    if (visible)
        EQ(counters_device_pages(host, BYTES), 0);
    CL(clEnqueueReadBuffer(cl_queue, used, CL_TRUE, 0, BYTES, result, 0, NULL, NULL));
    for (cl_uint i = 0; i < N; i++)
        EQ(result[i], 0x05050506);
    CL(clEnqueueReadBuffer(cl_queue, plain, CL_TRUE, 0, BYTES, result, 0, NULL, NULL));
    for (cl_uint i = 0; i < N; i++)
        EQ(result[i], 0x05050507);
    CL(clEnqueueReadImage(cl_queue, image, CL_TRUE, origin, extent, 0, 0, result, 0, NULL, NULL));
    for (cl_uint i = 0; i < 512 * 256; i++)
        EQ(result[i], 0x05050505);

    /* contents that may be lost are not lost here */
    CL(clEnqueueMigrateMemObjects(cl_queue, 1, &plain, CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, 0,
                                  NULL, NULL));
    CL(clEnqueueMigrateMemObjects(
        cl_queue, 1, &plain,
        CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED | CL_MIGRATE_MEM_OBJECT_HOST, 0, NULL, NULL));
    CL(clFinish(cl_queue));

    /* a part of a buffer moves alone */
    cl_mem part = clCreateSubBuffer(used, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region,
                                    &err);
    CL(err);
    CL(clEnqueueMigrateMemObjects(cl_queue, 1, &part, 0, 0, NULL, &event));
    event_ends(event, CL_COMMAND_MIGRATE_MEM_OBJECTS);
    if (visible) {
        MOST(counters_device_pages(host, BYTES), PAGES / 4);
        MOST(counters_device_pages((char *)host + COUNTERS_BLOCK, COUNTERS_BLOCK), PAGES / 4);
    }
    CL(clEnqueueMigrateMemObjects(cl_queue, 1, &part, CL_MIGRATE_MEM_OBJECT_HOST, 0, NULL, &event));
    event_ends(event, CL_COMMAND_MIGRATE_MEM_OBJECTS);
    if (visible)
        EQ(counters_device_pages(host, BYTES), 0);

    EQ(clEnqueueMigrateMemObjects(cl_queue, 0, all, 0, 0, NULL, NULL), CL_INVALID_VALUE);
    EQ(clEnqueueMigrateMemObjects(cl_queue, 1, NULL, 0, 0, NULL, NULL), CL_INVALID_VALUE);
    EQ(clEnqueueMigrateMemObjects(cl_queue, 1, all, 1u << 2, 0, NULL, NULL), CL_INVALID_VALUE);
    CL(clReleaseMemObject(part));
    CL(clReleaseMemObject(image));
    CL(clReleaseMemObject(used));
    CL(clReleaseMemObject(plain));
    free(result);
}

int main(void)
{
    cl_open();
    visible = counters_there();
    add = cl_get_kernel(source, "add");

    cl_uint *a = counters_blocks(BYTES, 0), *b = counters_blocks(BYTES, 0);
    round_trip(a, BYTES, true);

    /* from malloc, at an odd address */
    char *odd = malloc(BYTES + 64);
    CHECK(odd != NULL);
    round_trip((cl_uint *)(odd + 4), BYTES, false);
    free(odd);

    cl_uint *svm = clSVMAlloc(cl_ctx, CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER, BYTES, 0);
    CHECK(svm != NULL);
    bool blocks = (uintptr_t)svm % COUNTERS_BLOCK == 0;
    round_trip(svm, BYTES, blocks);
    round_trip(svm, 0, blocks);

    order(a, b);

    /* system memory without a size: that page at least, and nothing is said against it */
    migrate(a + N / 2, 0, 0);
    EQ(a[N / 2], ~(cl_uint)(N / 2));

    const void *pointers[] = { svm, NULL };
    const size_t sizes[] = { BYTES, 1 }, beyond = BYTES + 1;
    EQ(clEnqueueSVMMigrateMem(cl_queue, 0, pointers, sizes, 0, 0, NULL, NULL), CL_INVALID_VALUE);
    EQ(clEnqueueSVMMigrateMem(cl_queue, 1, NULL, sizes, 0, 0, NULL, NULL), CL_INVALID_VALUE);
    EQ(clEnqueueSVMMigrateMem(cl_queue, 2, pointers, sizes, 0, 0, NULL, NULL), CL_INVALID_VALUE);
    EQ(clEnqueueSVMMigrateMem(cl_queue, 1, pointers, sizes, 1u << 2, 0, NULL, NULL),
       CL_INVALID_VALUE);
    CHECK(clEnqueueSVMMigrateMem(cl_queue, 1, pointers, &beyond, 0, 0, NULL, NULL) != CL_SUCCESS);
    EQ(clEnqueueSVMMigrateMem(cl_queue, 1, pointers, sizes, 0, 1, NULL, NULL),
       CL_INVALID_EVENT_WAIT_LIST);
    EQ(clEnqueueSVMMigrateMem(NULL, 1, pointers, sizes, 0, 0, NULL, NULL),
       CL_INVALID_COMMAND_QUEUE);
    migrate(svm, BYTES, CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED);
    migrate(svm, BYTES, CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED | CL_MIGRATE_MEM_OBJECT_HOST);
    clSVMFree(cl_ctx, svm);

    buffers();
    return 0;
}
