/* SPDX-License-Identifier: MIT */
/*
 * hmm_memory.c - where memory is: migration, advice, and allocations with a place
 *
 * All memory is the application's own, whichever OpenCL call it came from, and
 * the device reaches it wherever it is. What OpenCL says about places is
 * therefore a request to the module, and never decides whether a kernel sees
 * its data. In direct mode libhmmsvm answers -ENOTSUP, without device memory
 * -ENODEV: the command ends well and has done nothing, as a hint may.
 *
 *   OpenCL                                  libhmmsvm
 *   migrate (SVM, USM, buffers)             hmmsvm_device_migrate()
 *   advice                                  hmmsvm_device_advise()
 *   USM device, host allocation             advice, from allocation to free
 *   USM shared, initially on the device     hmmsvm_device_migrate() of fresh memory
 *
 * The module places pages, and advice stays with addresses until it is taken
 * back. So allocations that carry advice have their pages to themselves, and
 * every free takes advice back before the addresses can be used again.
 *
 * Locking: none of its own. Commands come here on helper threads, allocations
 * on the application's.
 */
#define _GNU_SOURCE
#include "hmm_driver.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CL/cl_ext_pocl.h>

#include "pocl_debug.h"
#include "utlist.h"

/* What moves best: the unit of huge pages and of the module's blocks. */
#define BLOCK (2u * 1024 * 1024)

/* Alignment of the largest data type, double16 and long16. */
#define SMALL_ALIGNMENT 128

/* Advice was given at least once, so that frees have to take some back. */
static atomic_bool advised;

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void migrate(const void *start, size_t size, cl_mem_migration_flags flags)
{
    bool to_system = (flags & CL_MIGRATE_MEM_OBJECT_HOST) != 0;
    struct hmmsvm_migrate done = { 0 };
    int err = hmmsvm_device_migrate(
        hmm_device.svm, start, size,
        to_system ? HMMSVM_MIGRATE_TO_SYSTEM : HMMSVM_MIGRATE_TO_DEVICE, &done);

    if (err < 0 && err != -ENOTSUP && err != -ENODEV)
        POCL_MSG_WARN("hmm: migrating %zu bytes at %p: %s\n", size, start, strerror(-err));
    else
        POCL_MSG_PRINT_MEMORY("hmm: %zu bytes at %p to the %s: %llu pages moved, %llu there, "
                              "%llu failed\n",
                              size, start, to_system ? "system" : "device",
                              (unsigned long long)done.pages_moved,
                              (unsigned long long)done.pages_there,
                              (unsigned long long)done.pages_failed);
}

static void advise(const void *start, size_t size, unsigned set, unsigned clear)
{
    if (set != 0)
        atomic_store_explicit(&advised, true, memory_order_relaxed);
    int err = hmmsvm_device_advise(hmm_device.svm, start, size, set, clear);
    if (err < 0 && err != -ENOTSUP && err != -ENODEV)
        POCL_MSG_WARN("hmm: advice for %zu bytes at %p: %s\n", size, start, strerror(-err));
}

/*
 * At least @size bytes, or NULL. From a page on they share their pages with
 * nothing else; from 2 MiB on huge pages fit.
 */
static void *allocate(size_t size, size_t alignment)
{
    size_t page = page_size();
    void *ptr;

    if (size >= BLOCK)
        alignment = BLOCK;
    else if (size >= page && alignment < page)
        alignment = page;
    if (alignment >= page) {
        if (size > SIZE_MAX - page)
            return NULL;
        size = (size + page - 1) / page * page;
    }
    return posix_memalign(&ptr, alignment, size) == 0 ? ptr : NULL;
}

static void release(void *ptr)
{
    if (ptr != NULL && atomic_load_explicit(&advised, memory_order_relaxed)) {
        size_t size = malloc_usable_size(ptr), page = page_size();

        if (size >= page) /* whole pages were asked for; the few bytes more lie in the next one */
            size -= size % page;
        advise(ptr, size, 0, ~0u);
    }
    free(ptr);
}

/** hmm_svm_alloc - clSVMAlloc */
void *hmm_svm_alloc(cl_device_id device, cl_svm_mem_flags flags, size_t size)
{
    (void)device;
    (void)flags;
    return allocate(size, SMALL_ALIGNMENT);
}

/** hmm_svm_free - clSVMFree and clEnqueueSVMFree */
void hmm_svm_free(cl_device_id device, void *ptr)
{
    (void)device;
    release(ptr);
}

/** hmm_usm_alloc - cl*MemAllocINTEL; all flags are accepted, write-combining has no meaning here */
void *hmm_usm_alloc(cl_device_id device, unsigned type, cl_mem_alloc_flags_intel flags, size_t size,
                    cl_int *error)
{
    void *ptr = allocate(size, page_size());

    (void)device;
    *error = ptr != NULL ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
    if (ptr == NULL)
        return NULL;
    if (type == CL_MEM_TYPE_DEVICE_INTEL)
        advise(ptr, size, HMMSVM_ADVICE_DEVICE, 0);
    else if (type == CL_MEM_TYPE_HOST_INTEL)
        advise(ptr, size, HMMSVM_ADVICE_SYSTEM, 0);
    else if ((flags & CL_MEM_ALLOC_INITIAL_PLACEMENT_DEVICE_INTEL) != 0)
        migrate(ptr, size, 0);
    return ptr;
}

/** hmm_usm_free - clMemFreeINTEL and clMemBlockingFreeINTEL, which pocl has wait before */
void hmm_usm_free(cl_device_id device, void *ptr)
{
    (void)device;
    release(ptr);
}

/** hmm_svm_migrate - clEnqueueSVMMigrateMem and clEnqueueMigrateMemINTEL */
void hmm_svm_migrate(cl_device_id device, size_t count, void *const *pointers, const size_t *sizes,
                     cl_mem_migration_flags flags)
{
    (void)device;
    for (size_t i = 0; i < count; i++) {
        /* of system memory without a size, no more is known than that this byte is meant */
        migrate(pointers[i], sizes[i] != 0 ? sizes[i] : 1, flags);
    }
}

/** hmm_migrate_mem_objs - clEnqueueMigrateMemObjects */
void hmm_migrate_mem_objs(cl_device_id device, pocl_buffer_migration_info *infos,
                          cl_mem_migration_flags flags)
{
    pocl_buffer_migration_info *info;

    LL_FOREACH (infos, info) {
        const void *start = info->buffer->device_ptrs[device->global_mem_id].mem_ptr;

        if (start != NULL && info->buffer->size != 0)
            migrate(start, info->buffer->size, flags);
    }
}

/** hmm_svm_advise - clEnqueueMemAdviseINTEL; pocl has checked that there is such advice */
void hmm_svm_advise(cl_device_id device, const void *ptr, size_t size, cl_mem_advice_intel advice)
{
    (void)device;
    switch (advice) {
    case CL_MEM_ADVICE_SET_PREFERRED_LOCATION_POCL:
        advise(ptr, size, HMMSVM_ADVICE_DEVICE, 0);
        break;
    case CL_MEM_ADVICE_CLEAR_PREFERRED_LOCATION_POCL:
        advise(ptr, size, 0, HMMSVM_ADVICE_DEVICE);
        break;
    case CL_MEM_ADVICE_SET_SYSTEM_MEMORY_PREFERRED_LOCATION_POCL:
        advise(ptr, size, HMMSVM_ADVICE_SYSTEM, 0);
        break;
    case CL_MEM_ADVICE_CLEAR_SYSTEM_MEMORY_PREFERRED_LOCATION_POCL:
        advise(ptr, size, 0, HMMSVM_ADVICE_SYSTEM);
        break;
    case CL_MEM_ADVICE_SET_READ_MOSTLY_POCL:
        advise(ptr, size, HMMSVM_ADVICE_READ_MOSTLY, 0);
        break;
    case CL_MEM_ADVICE_CLEAR_READ_MOSTLY_POCL:
        advise(ptr, size, 0, HMMSVM_ADVICE_READ_MOSTLY);
        break;
    default:
        break; /* about atomics and caches, which work the same everywhere here */
    }
}

/** hmm_set_kernel_exec_info - all pointers can be followed, so that there is nothing to remember */
cl_int hmm_set_kernel_exec_info(cl_device_id device, unsigned program_device_i, cl_kernel kernel,
                                cl_uint name, size_t size, const void *value)
{
    cl_bool system = CL_FALSE;

    (void)program_device_i;
    (void)kernel;
    if (name == CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM && size == sizeof(system)) {
        memcpy(&system, value, sizeof(system));
        if (system && !(device->svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM))
            return CL_INVALID_OPERATION;
    }
    return CL_SUCCESS;
}
