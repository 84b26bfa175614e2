/* SPDX-License-Identifier: MIT */
/*
 * hmm_device.c - pocl's device "hmm": the table of operations, and what the
 * device says it can do
 *
 * Memory is the application's own, so buffers, images, maps and copies are
 * what pocl's CPU devices do with them; queues, kernels and linking are ours.
 *
 * There is one device in a process. It is opened when pocl asks how many
 * there are, so that one which cannot be opened is not there at all and the
 * program gets CL_DEVICE_NOT_FOUND. It stays open until the process ends: pocl
 * has no operation that is sure to come after the last use, and libhmmsvm and
 * the engine take care of an exit.
 *
 * Locking: pocl probes and initialises under its own lock.
 */
#define _GNU_SOURCE
#include "hmm_driver.h"

#include <errno.h>
#include <hwloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common.h"
#include "common_driver.h"
#include "common_utils.h"
#include "devices.h"
#include "pocl_driver_abi.h"
#include "pocl_runtime_config.h"
#include "pocl_util.h"

/* exported by pocl's library of its basic device */
void pocl_basic_init_device_ops(struct pocl_device_ops *ops);

POCL_EXPORT void pocl_hmm_init_device_ops(struct pocl_device_ops *ops);
POCL_EXPORT extern const pocl_driver_abi pocl_hmm_driver_abi;

const pocl_driver_abi pocl_hmm_driver_abi = POCL_DRIVER_ABI_INIT;

#define DEVICE_NAME "hmm"
#define VENDOR      "hmmsvm"

/* For each worker and launch; the least that a full-profile device may have. */
#define PRINTF_BYTES (1024 * 1024)

/* Left of a worker's local memory for the alignment of each piece. */
#define LOCAL_SLACK (64 * 1024)

struct hmm_device hmm_device = {
    .open_lock = PTHREAD_MUTEX_INITIALIZER,
    .gvar_lock = PTHREAD_MUTEX_INITIALIZER,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .work_cond = PTHREAD_COND_INITIALIZER,
};

void hmm_message(const char *format, ...)
{
    char line[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    fprintf(stderr, "hmmsvm: %s\n", line);
}

uint64_t hmm_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* HMMSVM_DEVICE_TYPE. Returns 0 if it is none, with a message. */
static cl_device_type device_type(void)
{
    const char *value = pocl_get_string_option("HMMSVM_DEVICE_TYPE", "gpu");

    if (strcmp(value, "gpu") == 0)
        return CL_DEVICE_TYPE_GPU;
    if (strcmp(value, "cpu") == 0)
        return CL_DEVICE_TYPE_CPU;
    if (strcmp(value, "accelerator") == 0)
        return CL_DEVICE_TYPE_ACCELERATOR;
    hmm_message("HMMSVM_DEVICE_TYPE is \"%s\"; it can be gpu, cpu or accelerator", value);
    return 0;
}

/* HMMSVM_SVM: what of shared virtual memory is offered. Returns 0 if it is none. */
static cl_device_svm_capabilities svm_capabilities(void)
{
    const char *value = pocl_get_string_option("HMMSVM_SVM", "fine-system");
    cl_device_svm_capabilities caps = CL_DEVICE_SVM_COARSE_GRAIN_BUFFER;

    if (strcmp(value, "coarse") == 0)
        return caps;
    caps |= CL_DEVICE_SVM_FINE_GRAIN_BUFFER | CL_DEVICE_SVM_ATOMICS;
    if (strcmp(value, "fine-buffer") == 0)
        return caps;
    caps |= CL_DEVICE_SVM_FINE_GRAIN_SYSTEM;
    if (strcmp(value, "fine-system") == 0)
        return caps;
    hmm_message("HMMSVM_SVM is \"%s\"; it can be fine-system, fine-buffer or coarse", value);
    return 0;
}

/* What that means for unified shared memory of any kind, in pocl's other words. */
static cl_device_unified_shared_memory_capabilities_intel
usm_capabilities(cl_device_svm_capabilities svm)
{
    cl_device_unified_shared_memory_capabilities_intel caps = CL_UNIFIED_SHARED_MEMORY_ACCESS_INTEL;

    if (svm & CL_DEVICE_SVM_ATOMICS)
        caps |= CL_UNIFIED_SHARED_MEMORY_ATOMIC_ACCESS_INTEL
                | CL_UNIFIED_SHARED_MEMORY_CONCURRENT_ATOMIC_ACCESS_INTEL;
    if (svm & CL_DEVICE_SVM_FINE_GRAIN_BUFFER)
        caps |= CL_UNIFIED_SHARED_MEMORY_CONCURRENT_ACCESS_INTEL;
    return caps;
}

/*
 * Names the memory that is local to the CPUs this process may run on, and
 * counts those CPUs: 0 if hwloc cannot tell.
 */
static unsigned describe_topology(char *memory, size_t size)
{
    hwloc_topology_t topology;
    unsigned cpus = 0;

    snprintf(memory, size, "system memory");
    if (hwloc_topology_init(&topology) != 0)
        return 0;
    hwloc_cpuset_t mine = hwloc_bitmap_alloc();
    if (mine == NULL || hwloc_topology_load(topology) != 0
        || hwloc_get_cpubind(topology, mine, HWLOC_CPUBIND_PROCESS) != 0)
        goto out;

    hwloc_bitmap_and(mine, mine, hwloc_topology_get_allowed_cpuset(topology));
    int weight = hwloc_bitmap_weight(mine);
    cpus = weight > 0 ? (unsigned)weight : 0;

    size_t len = 0;
    hwloc_obj_t node = NULL;
    while ((node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)) != NULL) {
        if (!hwloc_bitmap_intersects(node->cpuset, mine))
            continue;
        int n = snprintf(memory + len, size - len, "%s%u", len == 0 ? "NUMA node " : "+",
                         node->os_index);
        if (n < 0 || (size_t)n >= size - len)
            break;
        len += (size_t)n;
    }
out:
    if (mine != NULL)
        hwloc_bitmap_free(mine);
    hwloc_topology_destroy(topology);
    return cpus;
}

/* The processor's name: pocl puts the device's and LLVM's name for it in front. */
static const char *processor_name(cl_device_id device)
{
    const char *name = device->long_name != NULL ? device->long_name : "CPU";
    size_t len = strlen(DEVICE_NAME "-");

    if (strncmp(name, DEVICE_NAME "-", len) == 0)
        name += len;
    len = device->llvm_cpu != NULL ? strlen(device->llvm_cpu) : 0;
    if (len > 0 && strncmp(name, device->llvm_cpu, len) == 0 && name[len] == '-')
        name += len + 1;
    return name;
}

/* Whether the device is as the one was that OpenCL's was made for. */
static bool is_like(const struct hmmsvm_device_info *info, const struct hmmsvm_device_info *before)
{
    if (before->mode == info->mode && before->local_size <= info->local_size
        && before->stack_size <= info->stack_size)
        return true;
    hmm_message("no device in the forked process: its parent's is in %s mode, with %zu bytes of local "
                "memory and stacks of %zu; this one would be in %s mode (%s), with %zu and %zu",
                hmmsvm_mode_name(before->mode), before->local_size, before->stack_size,
                hmmsvm_mode_name(info->mode), info->reason, info->local_size, info->stack_size);
    return false;
}

/*
 * Returns whether it is open; if not, says why not. What is left of the parent's device in a forked
 * process stays: another thread may be about to ask it for something.
 */
static bool device_open(struct hmm_device *d)
{
    struct hmmsvm_device *before = d->svm, *svm = NULL;
    struct hmmsvm_device_info info;
    int err = hmmsvm_device_open(NULL, &svm);

    if (err != 0) {
        const char *why = hmmsvm_last_error();
        hmm_message("no device: %s", why[0] != '\0' ? why : strerror(-err));
        return false;
    }
    hmmsvm_device_info(svm, &info);
    if (before != NULL && !is_like(&info, &d->info)) {
        hmmsvm_device_close(svm);
        return false;
    }
    d->info = info;
    d->svm = svm;
    err = hmm_record_open(d) ? hmm_queue_start(d) : -1;
    if (err == 0) {
        d->open = true;
        return true;
    }
    if (err > 0)
        hmm_message("no device: cannot start a thread (%s)", strerror(err));
    d->svm = before;
    hmmsvm_device_close(svm);
    return false;
}

/* Opens the device. Returns how many there are: 0, with a message, or 1. */
static unsigned int hmm_probe(struct pocl_device_ops *ops)
{
    struct hmm_device *d = &hmm_device;
    int wanted = pocl_device_get_env_count(ops->device_name);

    if (wanted <= 0)
        return 0;
    if (wanted > 1)
        hmm_message("%s names %s %d times; there is one", POCL_DEVICES_ENV, DEVICE_NAME, wanted);
    if (device_type() == 0 || svm_capabilities() == 0 || !hmm_link_is_usable())
        return 0;

    return device_open(d);
}

cl_int hmm_device_reopen(void)
{
    struct hmm_device *d = &hmm_device;

    if (atomic_load_explicit(&d->open, memory_order_acquire))
        return CL_SUCCESS;
    pthread_mutex_lock(&d->open_lock);
    if (!d->open && hmm_record_is_on())
        hmm_message("no device in a forked process: `hmmsvm record` records those that were executed");
    else if (!d->open)
        device_open(d);
    pthread_mutex_unlock(&d->open_lock);
    return d->open ? CL_SUCCESS : CL_DEVICE_NOT_AVAILABLE;
}

static cl_int hmm_init(unsigned j, cl_device_id device, const char *parameters)
{
    struct hmm_device *d = &hmm_device;
    char memory[128], *name;

    (void)j;
    (void)parameters;
    device->data = d;
    device->available = &d->available;
    cl_int err = pocl_cpu_init_common(device);
    if (err != CL_SUCCESS)
        return err;
    pocl_init_dlhandle_cache();

    device->type = device_type();
    device->vendor = VENDOR;
    device->short_name = DEVICE_NAME;
    device->max_compute_units = d->info.workers;
    unsigned cpus = describe_topology(memory, sizeof(memory));
    if (asprintf(&name, DEVICE_NAME " (%s mode, %u worker%s, %s, %s)",
                 hmmsvm_mode_name(d->info.mode), d->info.workers, d->info.workers == 1 ? "" : "s",
                 memory, processor_name(device)) < 0)
        return CL_OUT_OF_HOST_MEMORY;
    device->long_name = name;
    POCL_MSG_PRINT_GENERAL("hmm: %s mode (%s), %u workers for %u CPUs, %s\n",
                           hmmsvm_mode_name(d->info.mode), d->info.reason, d->info.workers, cpus,
                           memory);

    device->max_sub_devices = 0;
    device->num_partition_properties = 0;
    device->num_partition_types = 0;
    device->partition_properties = NULL;
    device->partition_type = NULL;

    /* buffers are the application's memory, which all CPU devices share */
    device->global_mem_id = 0;
    device->host_unified_memory = CL_TRUE;
    device->svm_caps = svm_capabilities();
    /* one coherent memory for all: a fence for every device is the one for this device */
    device->atomic_fence_capabilities |= CL_DEVICE_ATOMIC_SCOPE_ALL_DEVICES;
    device->host_usm_capabs = usm_capabilities(device->svm_caps);
    device->device_usm_capabs = device->host_usm_capabs;
    device->single_shared_usm_capabs = device->host_usm_capabs;
    device->cross_shared_usm_capabs = device->host_usm_capabs;
    device->system_shared_usm_capabs
        = device->svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM ? device->host_usm_capabs : 0;

    /* the workers' own memory; a group's work-items share one stack frame */
    device->device_alloca_locals = CL_FALSE;
    if (device->local_mem_size > d->info.local_size - LOCAL_SLACK)
        device->local_mem_size = d->info.local_size - LOCAL_SLACK;
    device->work_group_stack_size = d->info.stack_size / 4 * 3;
    device->printf_buffer_size = PRINTF_BYTES;

    /* more groups are on their way than there are processors when they wait for each other */
    device->yield_in_wait_loops = CL_TRUE;

    device->report_accesses = hmm_record_is_on();

    /* an integer division by zero must not end the engine */
    device->run_sanitize_divrem_pass = CL_TRUE;

    /* the device measures when its kernels start and end */
    device->has_own_timer = CL_TRUE;
    device->profiling_timer_resolution = 1;

    d->available = CL_TRUE;
    return CL_SUCCESS;
}

/* pocl asks for one clock that host and device know. */
static cl_int hmm_synchronized_timestamps(cl_device_id device, cl_ulong *device_time,
                                          cl_ulong *host_time)
{
    cl_ulong now = hmm_now_ns();

    (void)device;
    if (device_time != NULL)
        *device_time = now;
    if (host_time != NULL)
        *host_time = now;
    return CL_SUCCESS;
}

/** pocl_hmm_init_device_ops - the driver's entry point */
void pocl_hmm_init_device_ops(struct pocl_device_ops *ops)
{
    pocl_basic_init_device_ops(ops);
    ops->device_name = DEVICE_NAME;

    ops->probe = hmm_probe;
    ops->init = hmm_init;
    ops->uninit = NULL;
    ops->reinit = NULL;

    ops->submit = hmm_submit;
    ops->notify = hmm_notify;
    ops->flush = hmm_flush;
    ops->join = hmm_join;
    ops->wait_event = hmm_wait_event;
    ops->update_event = hmm_update_event;
    ops->notify_event_finished = hmm_notify_event_finished;
    ops->notify_cmdq_finished = hmm_notify_cmdq_finished;
    ops->free_event_data = hmm_free_event_data;
    ops->init_queue = hmm_init_queue;
    ops->free_queue = hmm_free_queue;

    ops->svm_alloc = hmm_svm_alloc;
    ops->svm_free = hmm_svm_free;
    ops->usm_alloc = hmm_usm_alloc;
    ops->usm_free = hmm_usm_free;
    ops->svm_migrate = hmm_svm_migrate;
    ops->svm_advise = hmm_svm_advise;
    ops->migrate_mem_objs = hmm_migrate_mem_objs;
    ops->set_kernel_exec_info_ext = hmm_set_kernel_exec_info;

    ops->run = NULL;
    ops->build_hash = hmm_build_hash;
    ops->finalize_binary = hmm_finalize_binary;
    ops->get_synchronized_timestamps = hmm_synchronized_timestamps;
}
