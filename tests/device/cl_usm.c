/* SPDX-License-Identifier: MIT */
/*
 * cl_usm.c - cl_intel_unified_shared_memory: what the device says it can do,
 * allocations of each kind and what is known of them, every command between
 * all kinds of memory, and the errors
 */
#include "cl_usm.h"
#include "counters.h"

#include <pthread.h>

#define N     5000
#define BYTES (N * sizeof(cl_uint))

static const char source[] =
    "kernel void add(global uint *p, uint x) { p[get_global_id(0)] += x; }\n"
    "struct node { global struct node *next; uint value; };\n"
    "kernel void sum(global struct node *list, global uint *to) {\n"
    "    uint s = 0;\n"
    "    for (; list; list = list->next) s += list->value++;\n"
    "    *to = s;\n"
    "}\n";

struct node {
    struct node *next;
    cl_uint value;
};

enum { HOST, DEVICE, SHARED, SHARED_ANY, KINDS };

static const cl_uint types[KINDS] = { CL_MEM_TYPE_HOST_INTEL, CL_MEM_TYPE_DEVICE_INTEL,
                                      CL_MEM_TYPE_SHARED_INTEL, CL_MEM_TYPE_SHARED_INTEL };

static void *usm_alloc(int kind, const cl_mem_properties_intel *properties, size_t size,
                       cl_uint alignment, cl_int *err)
{
    *err = 12345;
    if (kind == HOST)
        return usm_host_alloc(cl_ctx, properties, size, alignment, err);
    if (kind == DEVICE)
        return usm_device_alloc(cl_ctx, cl_device, properties, size, alignment, err);
    return usm_shared_alloc(cl_ctx, kind == SHARED ? cl_device : NULL, properties, size, alignment,
                            err);
}

static void capabilities(void)
{
    static const cl_device_info names[] = {
        CL_DEVICE_HOST_MEM_CAPABILITIES_INTEL,
        CL_DEVICE_DEVICE_MEM_CAPABILITIES_INTEL,
        CL_DEVICE_SINGLE_DEVICE_SHARED_MEM_CAPABILITIES_INTEL,
        CL_DEVICE_CROSS_DEVICE_SHARED_MEM_CAPABILITIES_INTEL,
        CL_DEVICE_SHARED_SYSTEM_MEM_CAPABILITIES_INTEL,
    };

    for (int i = 0; i < 5; i++) {
        cl_device_unified_shared_memory_capabilities_intel caps;
        size_t size;

        CL(clGetDeviceInfo(cl_device, names[i], sizeof(caps), &caps, &size));
        EQ(size, sizeof(caps));
        EQ(caps, CL_UNIFIED_SHARED_MEMORY_ACCESS_INTEL
                     | CL_UNIFIED_SHARED_MEMORY_ATOMIC_ACCESS_INTEL
                     | CL_UNIFIED_SHARED_MEMORY_CONCURRENT_ACCESS_INTEL
                     | CL_UNIFIED_SHARED_MEMORY_CONCURRENT_ATOMIC_ACCESS_INTEL);
    }
}

static void known(const void *p, cl_uint type, const void *base, size_t size, cl_device_id device,
                  cl_mem_alloc_flags_intel flags)
{
    struct {
        cl_uint type;
        void *base;
        size_t size;
        cl_device_id device;
        cl_mem_alloc_flags_intel flags;
    } is;

    CL(usm_info(cl_ctx, p, CL_MEM_ALLOC_TYPE_INTEL, sizeof(is.type), &is.type, NULL));
    CL(usm_info(cl_ctx, p, CL_MEM_ALLOC_BASE_PTR_INTEL, sizeof(is.base), &is.base, NULL));
    CL(usm_info(cl_ctx, p, CL_MEM_ALLOC_SIZE_INTEL, sizeof(is.size), &is.size, NULL));
    CL(usm_info(cl_ctx, p, CL_MEM_ALLOC_DEVICE_INTEL, sizeof(is.device), &is.device, NULL));
    CL(usm_info(cl_ctx, p, CL_MEM_ALLOC_FLAGS_INTEL, sizeof(is.flags), &is.flags, NULL));
    EQ(is.type, type);
    EQ((uintptr_t)is.base, (uintptr_t)base);
    EQ(is.size, size);
    EQ((uintptr_t)is.device, (uintptr_t)device);
    EQ(is.flags, flags);
}

static void allocations(void)
{
    static const cl_mem_properties_intel flag_lists[][3] = {
        { 0 },
        { CL_MEM_ALLOC_FLAGS_INTEL, CL_MEM_ALLOC_WRITE_COMBINED_INTEL, 0 },
        { CL_MEM_ALLOC_FLAGS_INTEL, CL_MEM_ALLOC_INITIAL_PLACEMENT_DEVICE_INTEL, 0 },
        { CL_MEM_ALLOC_FLAGS_INTEL, CL_MEM_ALLOC_INITIAL_PLACEMENT_HOST_INTEL, 0 },
    };
    cl_int err;
    char on_stack;

    for (int kind = 0; kind < KINDS; kind++) {
        cl_device_id device = kind == DEVICE || kind == SHARED ? cl_device : NULL;

        for (int f = 0; f < 4; f++) {
            if (f >= 2 && kind < SHARED) {
                CHECK(usm_alloc(kind, flag_lists[f], BYTES, 0, &err) == NULL);
                EQ(err, CL_INVALID_PROPERTY);
                continue;
            }
            for (int bit = -1; bit <= 7; bit++) {
                cl_uint alignment = bit < 0 ? 0 : 1u << bit;
                char *p = usm_alloc(kind, flag_lists[f], BYTES, alignment, &err);

                CL(err);
                CHECK(p != NULL);
                EQ((uintptr_t)p % 128, 0);
                known(p, types[kind], p, BYTES, device, flag_lists[f][1]);
                known(p + BYTES - 1, types[kind], p, BYTES, device, flag_lists[f][1]);
                CL(usm_free(cl_ctx, p));
                known(p, CL_MEM_TYPE_UNKNOWN_INTEL, NULL, 0, NULL, 0);
            }
        }
        const cl_mem_properties_intel both[] = { CL_MEM_ALLOC_FLAGS_INTEL,
                                                 CL_MEM_ALLOC_INITIAL_PLACEMENT_DEVICE_INTEL
                                                     | CL_MEM_ALLOC_INITIAL_PLACEMENT_HOST_INTEL,
                                                 0 };
        const cl_mem_properties_intel unknown[] = { CL_MEM_ALLOC_FLAGS_INTEL, 1u << 12, 0 };
        const cl_mem_properties_intel no_property[] = { 1, 1, 0 };
        CHECK(usm_alloc(kind, both, BYTES, 0, &err) == NULL);
        EQ(err, CL_INVALID_PROPERTY);
        CHECK(usm_alloc(kind, unknown, BYTES, 0, &err) == NULL);
        EQ(err, CL_INVALID_PROPERTY);
        CHECK(usm_alloc(kind, no_property, BYTES, 0, &err) == NULL);
        EQ(err, CL_INVALID_PROPERTY);
        CHECK(usm_alloc(kind, NULL, 0, 0, &err) == NULL);
        EQ(err, CL_INVALID_BUFFER_SIZE);
        CHECK(usm_alloc(kind, NULL, SIZE_MAX, 0, &err) == NULL);
        EQ(err, CL_INVALID_BUFFER_SIZE);
        CHECK(usm_alloc(kind, NULL, BYTES, 24, &err) == NULL);
        EQ(err, CL_INVALID_VALUE);
        CHECK(usm_alloc(kind, NULL, BYTES, 256, &err) == NULL);
        EQ(err, CL_INVALID_VALUE);
    }
    CHECK(usm_device_alloc(cl_ctx, NULL, NULL, BYTES, 0, &err) == NULL);
    EQ(err, CL_INVALID_DEVICE);
    CHECK(usm_host_alloc(NULL, NULL, BYTES, 0, &err) == NULL);
    EQ(err, CL_INVALID_CONTEXT);
    CHECK(usm_device_alloc(NULL, cl_device, NULL, BYTES, 0, &err) == NULL);
    EQ(err, CL_INVALID_CONTEXT);
    CHECK(usm_host_alloc(cl_ctx, NULL, 0, 0, NULL) == NULL);

    known(&on_stack, CL_MEM_TYPE_UNKNOWN_INTEL, NULL, 0, NULL, 0);
    EQ(usm_info(cl_ctx, &on_stack, 1, sizeof(on_stack), &on_stack, NULL), CL_INVALID_VALUE);
    EQ(usm_info(NULL, &on_stack, CL_MEM_ALLOC_TYPE_INTEL, 0, NULL, NULL), CL_INVALID_CONTEXT);
}

/* Copies, fills, migration and advice, from and to every kind of memory. */
static void commands(void)
{
    cl_uint *kinds[KINDS + 2], pattern = 0x01020304;
    cl_event event, user;
    cl_int err;

    for (int kind = 0; kind < KINDS; kind++) {
        kinds[kind] = usm_alloc(kind, NULL, BYTES, 0, &err);
        CL(err);
    }
    kinds[KINDS] = malloc(BYTES);
    kinds[KINDS + 1] = clSVMAlloc(cl_ctx, CL_MEM_READ_WRITE, BYTES, 0);
    CHECK(kinds[KINDS + 1] != NULL);
    cl_kernel add = cl_get_kernel(source, "add");
    for (int from = 0; from < KINDS + 2; from++) {
        for (int to = 0; to < KINDS + 2; to++) {
            cl_uint x = (cl_uint)(from * 100 + to);

            if (from == to)
                continue;
            user = clCreateUserEvent(cl_ctx, &err);
            CL(err);
            CL(usm_fill(cl_queue, kinds[from], &pattern, sizeof(pattern), BYTES, 1, &user, &event));
            CHECK(event_status(event) > CL_RUNNING);
            CL(clSetUserEventStatus(user, CL_COMPLETE));
            CL(clReleaseEvent(user));
            event_ends(event, CL_COMMAND_MEMFILL_INTEL);
            CL(usm_arg(add, 0, kinds[from]));
            ARG(add, 1, x);
            cl_run(cl_queue, add, N, 0, NULL);
            CL(usm_migrate(cl_queue, kinds[from], BYTES, 0, 0, NULL, &event));
            event_ends(event, CL_COMMAND_MIGRATEMEM_INTEL);
            CL(usm_copy(cl_queue, CL_FALSE, kinds[to], kinds[from], BYTES, 0, NULL, &event));
            event_ends(event, CL_COMMAND_MEMCPY_INTEL);
            CL(usm_migrate(cl_queue, kinds[to], BYTES, CL_MIGRATE_MEM_OBJECT_HOST, 0, NULL,
                           &event));
            event_ends(event, CL_COMMAND_MIGRATEMEM_INTEL);
            for (int i = 0; i < N; i++)
                EQ(kinds[to][i], pattern + x);
            kinds[from][7] = 99;
            CL(usm_copy(cl_queue, CL_TRUE, &kinds[to][3], &kinds[from][7], sizeof(cl_uint), 0, NULL,
                        NULL));
            EQ(kinds[to][3], 99);
        }
    }

    EQ(usm_migrate(cl_queue, NULL, BYTES, 0, 0, NULL, NULL), CL_INVALID_VALUE);
    EQ(usm_migrate(cl_queue, kinds[0], BYTES, 1u << 5, 0, NULL, NULL), CL_INVALID_VALUE);
    EQ(usm_migrate(NULL, kinds[0], BYTES, 0, 0, NULL, NULL), CL_INVALID_COMMAND_QUEUE);
    EQ(usm_copy(cl_queue, CL_TRUE, NULL, kinds[0], BYTES, 0, NULL, NULL), CL_INVALID_VALUE);
    EQ(usm_fill(cl_queue, kinds[0], &pattern, 3, BYTES, 0, NULL, NULL), CL_INVALID_VALUE);

    /* freeing: only what these calls gave, and only by the pointer they gave */
    EQ(usm_free(cl_ctx, kinds[KINDS]), CL_INVALID_VALUE);
    EQ(usm_free(cl_ctx, kinds[KINDS + 1]), CL_INVALID_VALUE);
    EQ(usm_free(cl_ctx, kinds[0] + 1), CL_INVALID_VALUE);
    EQ(usm_free(NULL, kinds[0]), CL_INVALID_CONTEXT);
    CL(usm_free(cl_ctx, NULL));
    for (int kind = 0; kind < KINDS; kind++)
        CL(kind % 2 == 0 ? usm_free(cl_ctx, kinds[kind]) : usm_blocking_free(cl_ctx, kinds[kind]));
    EQ(usm_free(cl_ctx, kinds[0]), CL_INVALID_VALUE);
    free(kinds[KINDS]);
    clSVMFree(cl_ctx, kinds[KINDS + 1]);
    CL(clReleaseKernel(add));
}

/* Pointers in memory are followed into every kind of allocation. */
static void indirect(void)
{
    static const cl_kernel_exec_info names[] = { CL_KERNEL_EXEC_INFO_INDIRECT_HOST_ACCESS_INTEL,
                                                 CL_KERNEL_EXEC_INFO_INDIRECT_DEVICE_ACCESS_INTEL,
                                                 CL_KERNEL_EXEC_INFO_INDIRECT_SHARED_ACCESS_INTEL };
    cl_kernel sum = cl_get_kernel(source, "sum");
    struct node *nodes[KINDS], *list = NULL;
    const cl_bool yes = CL_TRUE;
    cl_uint *to;
    cl_int err;

    for (int kind = 0; kind < KINDS; kind++) {
        nodes[kind] = usm_alloc(kind, NULL, sizeof(**nodes), 0, &err);
        CL(err);
        nodes[kind]->next = list;
        nodes[kind]->value = 1u << kind;
        list = nodes[kind];
    }
    to = usm_alloc(SHARED, NULL, sizeof(*to), 0, &err);
    CL(err);
    for (int i = 0; i < 3; i++) {
        CL(clSetKernelExecInfo(sum, names[i], sizeof(yes), &yes));
        EQ(clSetKernelExecInfo(sum, names[i], 1, &yes), CL_INVALID_VALUE);
        EQ(clSetKernelExecInfo(sum, names[i], sizeof(yes), NULL), CL_INVALID_VALUE);
    }
    CL(clSetKernelExecInfo(sum, CL_KERNEL_EXEC_INFO_USM_PTRS_INTEL, sizeof(nodes), nodes));
    EQ(clSetKernelExecInfo(sum, CL_KERNEL_EXEC_INFO_USM_PTRS_INTEL, 7, nodes), CL_INVALID_VALUE);
    CL(usm_arg(sum, 0, list));
    CL(usm_arg(sum, 1, to));
    EQ(usm_arg(sum, 2, to), CL_INVALID_ARG_INDEX);
    for (cl_uint round = 0; round < 3; round++) {
        cl_run(cl_queue, sum, 1, 1, NULL);
        CL(clFinish(cl_queue));
        EQ(*to, 15 + KINDS * round);
    }
    CL(usm_free(cl_ctx, to));
    for (int kind = 0; kind < KINDS; kind++)
        CL(usm_free(cl_ctx, nodes[kind]));
    CL(clReleaseKernel(sum));
}

static void *release_later(void *event)
{
    usleep(100000);
    CL(clSetUserEventStatus(event, CL_COMPLETE));
    return NULL;
}

/* A blocking free waits for every command, of a queue without order too. */
static void blocking_free(void)
{
    cl_command_queue queue = cl_new_queue(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
    cl_kernel add = cl_get_kernel(source, "add");
    cl_uint one = 1;
    pthread_t thread;
    cl_event late, last;
    cl_int err;

    cl_uint *p = usm_alloc(SHARED, NULL, BYTES, 0, &err);
    CL(err);
    memset(p, 0, BYTES);
    cl_event user = clCreateUserEvent(cl_ctx, &err);
    CL(err);
    CL(usm_arg(add, 0, p));
    ARG(add, 1, one);
    const size_t n = N;
    CL(clEnqueueNDRangeKernel(queue, add, 1, NULL, &n, NULL, 1, &user, &late));
    CL(clEnqueueMarkerWithWaitList(queue, 0, NULL, NULL));
    CL(clEnqueueNDRangeKernel(queue, add, 1, NULL, &n, NULL, 0, NULL, &last));
    CL(clWaitForEvents(1, &last));
    CHECK(event_status(late) > CL_RUNNING);
    EQ(pthread_create(&thread, NULL, release_later, user), 0);
    CL(usm_blocking_free(cl_ctx, p));
    EQ(event_status(late), CL_COMPLETE);
    EQ(pthread_join(thread, NULL), 0);
    CL(clReleaseEvent(late));
    CL(clReleaseEvent(last));
    CL(clReleaseEvent(user));
    CL(clReleaseKernel(add));
    CL(clReleaseCommandQueue(queue));
}

/* In kernel mode, the kinds differ in where their pages go when the device uses them. */
static void places(void)
{
    const cl_mem_properties_intel on_device[]
        = { CL_MEM_ALLOC_FLAGS_INTEL, CL_MEM_ALLOC_INITIAL_PLACEMENT_DEVICE_INTEL, 0 };
    cl_kernel add = cl_get_kernel(source, "add");
    const size_t size = 2 * COUNTERS_BLOCK, pages = size / COUNTERS_PAGE;
    cl_uint five = 5;
    cl_int err;

    if (!counters_there())
        return;
    for (int kind = HOST; kind <= DEVICE; kind++) {
        cl_uint *p = usm_alloc(kind, NULL, size, 0, &err);
        CL(err);
        memset(p, 0, size);
        CL(usm_arg(add, 0, p));
        ARG(add, 1, five);
        cl_run(cl_queue, add, size / sizeof(*p), 64, NULL);
        CL(clFinish(cl_queue));
        if (kind == DEVICE)
            MANY(counters_device_pages(p, size), pages);
        else
            EQ(counters_device_pages(p, size), 0);
        for (size_t i = 0; i < size / sizeof(*p); i++)
            EQ(p[i], five);
        EQ(counters_device_pages(p, size), 0); /* the host has read them */
        CL(usm_free(cl_ctx, p));
    }
    char *p = usm_alloc(SHARED, on_device, size, 0, &err);
    CL(err);
    MOST(counters_device_pages(p, size), pages);
    for (size_t i = 0; i < size; i++)
        EQ(p[i], 0);
    EQ(counters_device_pages(p, size), 0);
    CL(usm_free(cl_ctx, p));
    CL(clReleaseKernel(add));
}

int main(void)
{
    usm_open();
    capabilities();
    allocations();
    commands();
    indirect();
    blocking_free();
    places();
    return 0;
}
