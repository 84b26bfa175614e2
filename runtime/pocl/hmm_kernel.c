/* SPDX-License-Identifier: MIT */
/*
 * hmm_kernel.c - from an ND-range to a launch, and from a completion to the
 * end of its event
 *
 * A launch describes a kernel to libhmmsvm: its entry point and arguments are
 * in this process's memory, where the device reads them. What is not an
 * argument the application gave (pointers, image descriptors, pocl's context)
 * is kept in struct hmm_launch until the completion is there. Launches and
 * printf buffers are used again, as an empty kernel's round trip is mostly
 * such overhead.
 *
 * Locking: a launch belongs to one thread at a time. The lists they are in are
 * guarded by struct hmm_device's lock.
 */
#define _GNU_SOURCE
#include "hmm_driver.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common.h"
#include "common_driver.h"
#include "common_utils.h"
#include "pocl_builtin_kernels.h"
#include "pocl_context.h"
#include "pocl_util.h"

/*
 * More at once only fill the ring, and whoever submits must never wait for it. Those that come
 * after another do not count among the others: a long chain leaves them their room.
 */
#define MAX_IN_FLIGHT 32
#define MAX_CHAINED   128

/* One that had more than this is not kept for further use. */
#define KEEP_ARGS 64

/**
 * struct hmm_printf - where the workers' printf output of one launch goes
 * @positions: for each worker, how many bytes it wrote
 * @buffer:    for each worker, printf_buffer_size bytes; memory only where
 *             something was written
 */
struct hmm_printf {
    struct hmm_printf *next;
    uint32_t *positions;
    uint8_t *buffer;
};

/* What workers copy for themselves: the recorder only if kernels are recorded. */
struct hmm_context {
    union {
        struct pocl_context pc;
        char room[RECORD_OFFSET];
    };
    struct recorder recorder;
};

_Static_assert(offsetof(struct hmm_context, recorder) == RECORD_OFFSET,
               "kernels that are recorded look there");

/**
 * struct hmm_launch - an ND-range on its way
 * @log:    what is recorded of it, or NULL
 * @chained: whether it was given to the device to come after another
 * @room:   how many arguments there is room for
 * @args:   pointers to the arguments
 * @values: the arguments that the driver made: pointers and samplers
 * @images: the descriptors that image arguments point to
 * @locals: the arguments that are local memory
 */
struct hmm_launch {
    struct hmm_launch *next;
    _cl_command_node *cmd;
    struct hmm_printf *printf;
    struct hmm_context ctx;
    struct record_log *log;
    struct hmmsvm_launch desc;
    bool chained;
    unsigned room;
    void **args;
    void **values;
    dev_image_t *images;
    struct hmmsvm_local *locals;
};

static struct hmm_printf *printf_get(struct hmm_device *d, size_t size)
{
    pthread_mutex_lock(&d->lock);
    struct hmm_printf *p = d->printf;
    if (p != NULL)
        d->printf = p->next;
    pthread_mutex_unlock(&d->lock);
    if (p != NULL)
        return p;

    p = malloc(sizeof(*p));
    if (p == NULL)
        return NULL;
    p->positions = calloc(d->info.resident, sizeof(*p->positions));
    p->buffer = mmap(NULL, d->info.resident * size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p->positions == NULL || p->buffer == MAP_FAILED) {
        if (p->buffer != MAP_FAILED)
            munmap(p->buffer, d->info.resident * size);
        free(p->positions);
        free(p);
        return NULL;
    }
    return p;
}

/* Writes out what the kernel printed, and empties the buffers. */
static void printf_flush(struct hmm_printf *p, unsigned workers, size_t size)
{
    for (unsigned i = 0; i < workers; i++) {
        if (p->positions[i] == 0)
            continue;
        if (p->positions[i] <= size)
            pocl_write_printf_buffer((char *)p->buffer + i * size, p->positions[i]);
        p->positions[i] = 0;
    }
}

static void launch_free(struct hmm_launch *l)
{
    free(l->args);
    free(l->images);
    free(l->locals);
    free(l);
}

/* Image descriptors have pages to themselves: kernels read them, but they are not the program's. */
#define IMAGES_ALIGNMENT ((size_t)1 << RECORD_PAGE_SHIFT)

_Static_assert(IMAGES_ALIGNMENT % MAX_EXTENDED_ALIGNMENT == 0, "alignment of descriptors");

static size_t images_bytes(unsigned nargs)
{
    return (nargs * sizeof(dev_image_t) + IMAGES_ALIGNMENT - 1) & ~(IMAGES_ALIGNMENT - 1);
}

/* A launch with room for so many arguments, or NULL if there is no memory. */
static struct hmm_launch *launch_get(struct hmm_device *d, unsigned nargs)
{
    struct hmm_launch *l = NULL;

    if (nargs <= KEEP_ARGS) {
        nargs = KEEP_ARGS;
        pthread_mutex_lock(&d->lock);
        l = d->spare;
        if (l != NULL)
            d->spare = l->next;
        pthread_mutex_unlock(&d->lock);
    }
    if (l != NULL)
        return l;

    l = calloc(1, sizeof(*l));
    if (l == NULL)
        return NULL;
    l->room = nargs;
    l->args = malloc(2 * nargs * sizeof(*l->args));
    l->images = aligned_alloc(IMAGES_ALIGNMENT, images_bytes(nargs));
    l->locals = malloc(nargs * sizeof(*l->locals));
    if (l->args == NULL || l->images == NULL || l->locals == NULL) {
        launch_free(l);
        return NULL;
    }
    l->values = l->args + nargs;
    return l;
}

/* Sends what was recorded; @c is NULL if the launch was never made. */
static void launch_recorded(struct hmm_device *d, struct hmm_launch *l,
                            const struct hmmsvm_completion *c)
{
    const struct hmm_record_range own[] = {
        { l->images, images_bytes(l->room) },
        { l->printf != NULL ? l->printf->buffer : NULL, d->info.resident * l->desc.printf_size },
    };

    if (l->log == NULL)
        return;
    hmm_record_end(l->log, l->desc.name, c, own, 2);
    l->log = NULL;
}

/* Puts a launch back whose event is about to end, or has. */
static void launch_put(struct hmm_device *d, struct hmm_launch *l)
{
    launch_recorded(d, l, NULL);
    pthread_mutex_lock(&d->lock);
    if (l->printf != NULL) {
        l->printf->next = d->printf;
        d->printf = l->printf;
        l->printf = NULL;
    }
    if (l->room == KEEP_ARGS) {
        l->next = d->spare;
        d->spare = l;
        l = NULL;
    }
    pthread_mutex_unlock(&d->lock);
    if (l != NULL)
        launch_free(l);
}

/* Fills in the argument array. Returns 0 or -1, with a message. */
static int launch_set_args(struct hmm_launch *l, _cl_command_node *cmd)
{
    cl_device_id device = cmd->device;
    pocl_kernel_metadata_t *meta = cmd->command.run.kernel->meta;
    unsigned nlocals = 0;

    for (unsigned i = 0; i < meta->num_args; i++) {
        struct pocl_argument *arg = &cmd->command.run.arguments[i];

        l->args[i] = &l->values[i];
        l->values[i] = NULL;
        if (ARG_IS_LOCAL(meta->arg_info[i])) {
            if (arg->size > UINT32_MAX)
                return -1;
            l->locals[nlocals++] = (struct hmmsvm_local){ .arg = i, .size = arg->size };
            continue;
        }
        switch (meta->arg_info[i].type) {
        case POCL_ARG_TYPE_POINTER:
            if (arg->value == NULL)
                break;
            if (arg->is_raw_ptr) {
                memcpy(&l->values[i], arg->value, sizeof(void *));
            } else {
                cl_mem mem = *(cl_mem *)arg->value;
                l->values[i] = mem->device_ptrs[device->global_mem_id].mem_ptr;
            }
            break;
        case POCL_ARG_TYPE_IMAGE:
            memset(&l->images[i], 0, sizeof(l->images[i]));
            pocl_fill_dev_image_t(&l->images[i], arg, device);
            l->values[i] = &l->images[i];
            break;
        case POCL_ARG_TYPE_SAMPLER: {
            dev_sampler_t sampler;
            pocl_fill_dev_sampler_t(&sampler, arg);
            l->values[i] = (void *)(uintptr_t)sampler;
            break;
        }
        default:
            l->args[i] = arg->value;
        }
    }

    /* local variables of the kernel are arguments too, after its own */
    for (unsigned i = 0; i < meta->num_locals; i++) {
        unsigned j = meta->num_args + i;

        l->args[j] = &l->values[j];
        l->values[j] = NULL;
        if (meta->local_sizes[i] > UINT32_MAX)
            return -1;
        l->locals[nlocals++] = (struct hmmsvm_local){ .arg = j, .size = meta->local_sizes[i] };
    }
    l->desc.nlocals = nlocals;
    l->desc.nargs = meta->num_args + meta->num_locals;
    return 0;
}

static uint32_t launch_flags(cl_device_id device, cl_program program)
{
    cl_device_fp_config any = device->half_fp_config | device->single_fp_config
                              | device->double_fp_config;

    return (any & CL_FP_DENORM) == 0 || program->flush_denorms ? HMMSVM_LAUNCH_FTZ : 0;
}

int hmm_kernel_prepare(_cl_command_node *cmd)
{
    cl_kernel kernel = cmd->command.run.kernel;
    cl_program program = kernel->program;
    char *saved_name = NULL;

    cmd->command.run.device_data = NULL;
    if (program->global_var_total_size[cmd->program_device_i] > 0) {
        pthread_mutex_lock(&hmm_device.gvar_lock);
        int err = pocl_driver_build_gvar_init_kernel(program, cmd->program_device_i, cmd->device,
                                                     pocl_cpu_gvar_init_callback);
        pthread_mutex_unlock(&hmm_device.gvar_lock);
        if (err != CL_SUCCESS) {
            hmm_message("the set-up of the program-scope variables of kernel \"%s\" cannot be "
                        "built; POCL_DEBUG=error says more", kernel->name);
            return -1;
        }
    }

    pocl_sanitize_builtin_kernel_name(kernel, &saved_name);
    void *handle = pocl_check_kernel_dlhandle_cache(cmd, CL_TRUE, CL_TRUE);
    pocl_restore_builtin_kernel_name(kernel, saved_name);
    if (handle == NULL) {
        hmm_message("kernel \"%s\" cannot be built; POCL_DEBUG=error says more", kernel->name);
        return -1;
    }
    cmd->command.run.device_data = handle;
    return 0;
}

void hmm_kernel_release(_cl_command_node *cmd)
{
    if (cmd->command.run.device_data == NULL)
        return;
    pocl_release_dlhandle_cache(cmd->command.run.device_data);
    cmd->command.run.device_data = NULL;
}

static void launch_end(struct hmm_launch *l, cl_int status)
{
    struct hmm_device *d = &hmm_device;
    _cl_command_node *cmd = l->cmd;
    cl_event event = cmd->sync.event.event;

    hmm_kernel_release(cmd);
    launch_put(d, l);
    if (status == CL_COMPLETE)
        POCL_UPDATE_EVENT_COMPLETE_MSG(event, "NDRange Kernel        ");
    else
        pocl_update_event_failed(status, __func__, __LINE__, event, "NDRange Kernel        ");
}

/*
 * Gives a launch to libhmmsvm. From there on it may end at any time, so the caller holds a reference
 * to its event.
 */
static int launch_pass_on(struct hmm_launch *l, struct hmm_event *data)
{
    struct hmm_device *d = &hmm_device;
    uint64_t id = atomic_fetch_add_explicit(&d->last_launch, 1, memory_order_relaxed) + 1;

    l->desc.id = id;
    int err = hmmsvm_submit(d->svm, &l->desc);
    if (err == 0)
        atomic_store_explicit(&data->launch, id, memory_order_release);
    return err;
}

/* Launches what libhmmsvm has room for, and what waits for just that. */
static void launch_submit(struct hmm_launch *l)
{
    struct hmm_device *d = &hmm_device;
    cl_event event = l->cmd->sync.event.event;

    POname(clRetainEvent)(event);
    int err = launch_pass_on(l, event->data);
    if (err == 0)
        hmm_chain_dependants(event);
    POname(clReleaseEvent)(event);
    if (err == 0)
        return;
    pthread_mutex_lock(&d->lock);
    d->in_flight--;
    pthread_mutex_unlock(&d->lock);
    hmm_message("kernel \"%s\" cannot be run: %s", l->desc.name, hmmsvm_last_error());
    launch_end(l, CL_OUT_OF_RESOURCES);
}

/* Makes the launch of a prepared command, or NULL if there is no memory. */
static struct hmm_launch *launch_new(_cl_command_node *cmd)
{
    struct hmm_device *d = &hmm_device;
    cl_kernel kernel = cmd->command.run.kernel;
    cl_program program = kernel->program;
    const struct pocl_context *pc = &cmd->command.run.pc;

    struct hmm_launch *l = launch_get(d, kernel->meta->num_args + kernel->meta->num_locals);
    if (l == NULL || (l->printf = printf_get(d, cmd->device->printf_buffer_size)) == NULL
        || (l->cmd = cmd, launch_set_args(l, cmd)) != 0
        || (hmm_record_is_on() && (l->log = hmm_record_begin()) == NULL)) {
        if (l != NULL)
            launch_put(d, l);
        return NULL;
    }

    l->ctx.pc = *pc;
    l->ctx.pc.global_var_buffer = program->gvar_storage[cmd->program_device_i];
    l->ctx.pc.printf_buffer_capacity = cmd->device->printf_buffer_size;
    l->ctx.pc.execution_failed = 0;
    if (l->log != NULL)
        l->ctx.recorder = (struct recorder){
            .log = l->log, .locals = l->locals, .nlocals = l->desc.nlocals,
        };

    l->desc.name = kernel->name;
    l->desc.fn = (hmmsvm_workgroup_fn)cmd->command.run.wg;
    for (int i = 0; i < 3; i++)
        l->desc.groups[i] = pc->num_groups[i];
    l->desc.args = l->args;
    l->desc.locals = l->locals;
    l->desc.ctx = &l->ctx;
    l->desc.ctx_size = l->log != NULL ? sizeof(l->ctx) : sizeof(l->ctx.pc);
    l->desc.ctx_failed = offsetof(struct pocl_context, execution_failed);
    l->desc.ctx_waiting = offsetof(struct pocl_context, waiting);
    l->desc.ctx_printf = offsetof(struct pocl_context, printf_buffer);
    l->desc.ctx_printf_pos = offsetof(struct pocl_context, printf_buffer_position);
    l->desc.printf_buf = l->printf->buffer;
    l->desc.printf_pos = l->printf->positions;
    l->desc.printf_size = cmd->device->printf_buffer_size;
    l->desc.flags = launch_flags(cmd->device, program);
    l->desc.after = 0;
    l->desc.user = l;
    l->chained = false;
    return l;
}

static bool has_groups(const _cl_command_node *cmd)
{
    const struct pocl_context *pc = &cmd->command.run.pc;

    return pc->num_groups[0] != 0 && pc->num_groups[1] != 0 && pc->num_groups[2] != 0;
}

void hmm_kernel_launch(_cl_command_node *cmd)
{
    struct hmm_device *d = &hmm_device;
    cl_event event = cmd->sync.event.event;

    if (!has_groups(cmd)) {
        hmm_kernel_release(cmd);
        pocl_update_event_running(event);
        POCL_UPDATE_EVENT_COMPLETE_MSG(event, "NDRange Kernel        ");
        return;
    }

    struct hmm_launch *l = launch_new(cmd);
    if (l == NULL) {
        hmm_message("kernel \"%s\" cannot be run: out of memory",
                    cmd->command.run.kernel->name);
        hmm_kernel_release(cmd);
        pocl_update_event_failed(CL_OUT_OF_HOST_MEMORY, __func__, __LINE__, event, NULL);
        return;
    }

    pocl_update_event_running(event);

    pthread_mutex_lock(&d->lock);
    bool room = d->in_flight < MAX_IN_FLIGHT && d->backlog_first == NULL;
    if (room) {
        d->in_flight++;
    } else {
        l->next = NULL;
        if (d->backlog_first == NULL)
            d->backlog_first = l;
        else
            d->backlog_last->next = l;
        d->backlog_last = l;
    }
    pthread_mutex_unlock(&d->lock);
    if (room)
        launch_submit(l);
}

bool hmm_kernel_may_chain(const _cl_command_node *cmd)
{
    struct hmm_device *d = &hmm_device;

    if (!has_groups(cmd))
        return false;
    pthread_mutex_lock(&d->lock);
    bool room = d->chained < MAX_CHAINED;
    if (room)
        d->chained++;
    pthread_mutex_unlock(&d->lock);
    return room;
}

int hmm_kernel_chain(_cl_command_node *cmd, uint64_t after)
{
    struct hmm_device *d = &hmm_device;
    struct hmm_launch *l = launch_new(cmd);
    int err = -ENOMEM;

    if (l != NULL) {
        l->desc.after = after;
        l->chained = true;
        err = launch_pass_on(l, cmd->sync.event.event->data);
        if (err == 0)
            return 0;
        launch_put(d, l);
    }
    pthread_mutex_lock(&d->lock);
    d->chained--;
    pthread_mutex_unlock(&d->lock);
    return err;
}

/* Says on stderr what a kernel did wrong. */
static void report(const char *name, const struct hmmsvm_completion *c)
{
    static const char *const verbs[] = { "read", "write", "execute" };
    const char *verb = c->access <= HMMSVM_EXECUTE ? verbs[c->access] : "access";

    switch (c->status) {
    case HMMSVM_FAILED:
        hmm_message("kernel \"%s\" gave up (it reached what its code calls unreachable)", name);
        break;
    case HMMSVM_BAD_ADDRESS:
        hmm_message("kernel \"%s\" tried to %s address 0x%" PRIx64
                    " (not mapped or not allowed) in work-group (%" PRIu64 ",%" PRIu64 ",%" PRIu64
                    ")", name, verb, c->address, c->group[0], c->group[1], c->group[2]);
        break;
    case HMMSVM_CRASHED:
        hmm_message("kernel \"%s\" crashed with %s at address 0x%" PRIx64
                    " in work-group (%" PRIu64 ",%" PRIu64 ",%" PRIu64 ")", name,
                    strsignal(c->signal), c->address, c->group[0], c->group[1], c->group[2]);
        break;
    case HMMSVM_REFUSED:
        hmm_message("kernel \"%s\" made a system call (%s), which the engine refuses to kernels, at "
                    "address 0x%" PRIx64 " in work-group (%" PRIu64 ",%" PRIu64 ",%" PRIu64 ")",
                    name, c->access == HMMSVM_NO_CALL ? "one of a 32-bit program"
                                                      : hmmsvm_call_name(c->access),
                    c->address, c->group[0], c->group[1], c->group[2]);
        break;
    case HMMSVM_HUNG:
        hmm_message("kernel \"%s\" was ended: work-group (%" PRIu64 ",%" PRIu64 ",%" PRIu64 ") used "
                    "more processor time than HMMSVM_WATCHDOG_MS allows, and neither ended nor "
                    "waited (at address 0x%" PRIx64 ")", name, c->group[0], c->group[1],
                    c->group[2], c->address);
        break;
    case HMMSVM_DEVICE_LOST:
        if (c->signal == SIGSYS)
            hmm_message("the engine made system call %s, which is refused to it: a defect of its own",
                        hmmsvm_call_name(c->access));
        hmm_message("the engine ended while kernel \"%s\" ran; a new one was started", name);
        break;
    case HMMSVM_NO_MEMORY:
        hmm_message("kernel \"%s\" needs more local memory than the device's %zu bytes", name,
                    hmm_device.info.local_size);
        break;
    default:
        hmm_message("kernel \"%s\" ended with status %s", name, hmmsvm_status_name(c->status));
    }
}

void hmm_kernel_complete(const struct hmmsvm_completion *c)
{
    struct hmm_device *d = &hmm_device;
    struct hmm_launch *l = c->user;
    cl_event event = l->cmd->sync.event.event;
    struct hmm_event *data = event->data;
    struct hmm_launch *next = NULL;
    cl_int status = CL_COMPLETE;

    /* what waits goes first: the device need not be idle while this one ends */
    pthread_mutex_lock(&d->lock);
    if (l->chained)
        d->chained--;
    else if ((next = d->backlog_first) != NULL)
        d->backlog_first = next->next;
    else
        d->in_flight--;
    pthread_mutex_unlock(&d->lock);
    if (next != NULL)
        launch_submit(next);

    if (l->chained && c->status != HMMSVM_CANCELLED) {
        /* whoever launched it may not have come to that yet */
        POCL_LOCK_OBJ(event);
        if (event->status == CL_SUBMITTED)
            pocl_update_event_running_unlocked(event);
        POCL_UNLOCK_OBJ(event);
    }
    data->start_ns = c->start_ns;
    data->end_ns = c->end_ns;
    if (c->status == HMMSVM_CANCELLED) {
        status = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
    } else if (c->status != HMMSVM_OK) {
        report(l->desc.name, c);
        status = c->status == HMMSVM_FAILED ? CL_FAILED : CL_OUT_OF_RESOURCES;
    }
    launch_recorded(d, l, c);
    /* an engine that was ended may have left half an entry */
    if (c->status == HMMSVM_DEVICE_LOST)
        memset(l->printf->positions, 0, d->info.resident * sizeof(*l->printf->positions));
    else
        printf_flush(l->printf, c->workers, l->desc.printf_size);

    launch_end(l, status);
}
