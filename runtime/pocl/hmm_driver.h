/* SPDX-License-Identifier: MIT */
/*
 * hmm_driver.h - what the parts of pocl's driver "hmm" share
 *
 * The driver joins pocl to libhmmsvm. pocl calls it through the table of
 * operations that hmm_device.c fills in:
 *
 *   hmm_device.c  opens the device and says what it can do
 *   hmm_queue.c   decides when a command runs, and where
 *   hmm_kernel.c  turns an ND-range into a launch and a completion into an
 *                 event's end
 *   hmm_memory.c  moves memory, and allocates where it matters
 *   hmm_link.c    makes kernels that need nothing from anybody else
 *   hmm_record.c  sends what kernels used to `hmmsvm record`, and with
 *   hmm_record_cpu.c what the CPU wrote between them
 *   support/      what such kernels are linked with
 *
 * Locking: pocl's own locks (event, queue) are taken before the driver's.
 * struct hmm_device's lock is a leaf: nothing is called with it held. fork()
 * takes open_lock and lock, after those of pocl (pocl_fork.h); gvar_lock is as
 * new in the child, where nobody can have what it guards.
 */
#ifndef HMM_DRIVER_H
#define HMM_DRIVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <hmmsvm/client.h>

#include "config.h"
#include "pocl_cl.h"
#include "record.h"

/* Errors that a user has to see, with or without POCL_DEBUG. */
void hmm_message(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct hmm_launch;
struct hmm_printf;

/**
 * struct hmm_device - the one device; lives until the process ends, and is opened anew in a forked
 *                     child with its first context
 * @svm:       libhmmsvm's device
 * @info:      what it said of itself when it was opened
 * @available: what CL_DEVICE_AVAILABLE points to
 * @openings:  how often it was to be opened: queues of another opening are those of the process
 *             that this one was forked from, and fail what they are given
 * @open:      whether it was opened as often as that
 * @open_lock: is held while it is opened anew
 * @gvar_lock: serialises the set-up of program-scope variables
 * @lock:      guards what follows
 * @work_cond: there is work for helpers
 * @work:      commands for helpers, in order
 * @helpers, @idle_helpers: threads that run host commands
 * @last_launch: the name of the last launch, see struct hmmsvm_launch
 * @in_flight: launches that libhmmsvm has, but for
 * @chained:   those that were given to it to come after another
 * @backlog:   launches that wait for room
 * @spare:     launches to use again
 * @printf:    printf buffers to use again
 */
struct hmm_device {
    _Atomic(struct hmmsvm_device *) svm;
    struct hmmsvm_device_info info;
    cl_bool available;
    _Atomic unsigned openings;
    atomic_bool open;
    pthread_mutex_t open_lock;
    _Atomic uint64_t last_launch;
    pthread_mutex_t gvar_lock;

    pthread_mutex_t lock;
    pthread_cond_t work_cond;
    _cl_command_node *work;
    unsigned helpers;
    unsigned idle_helpers;
    unsigned in_flight;
    unsigned chained;
    struct hmm_launch *backlog_first;
    struct hmm_launch *backlog_last;
    struct hmm_launch *spare;
    struct hmm_printf *printf;
};

extern struct hmm_device hmm_device;

/* Whether a kernel was given to the device before the events ended that it waits for. */
enum hmm_chain {
    HMM_UNCHAINED,
    HMM_CHAINING, /* a thread is about to; the event is CL_SUBMITTED from here on */
    HMM_CHAINED,  /* it was; it ends by its completion, whatever becomes of the events */
    HMM_REFUSED,  /* it could not be; it is run when it is ready */
};

/**
 * struct hmm_event - an event's own data
 * @finished: a word to sleep on
 * @launch:   the name of its launch, once libhmmsvm has that; 0 before
 * @chain, @dependency_failed: guarded by the event's lock
 * @start_ns, @end_ns: times measured by the device
 */
struct hmm_event {
    _Atomic uint32_t finished;
    _Atomic uint64_t launch;
    enum hmm_chain chain;
    bool dependency_failed;
    cl_ulong start_ns;
    cl_ulong end_ns;
};

/* hmm_device.c */
uint64_t hmm_now_ns(void);

/**
 * hmm_device_reopen - opens the device in a forked child, the first time it is called there
 *
 * CL_SUCCESS, also where there is nothing to do, or CL_DEVICE_NOT_AVAILABLE after a message.
 */
cl_int hmm_device_reopen(void);

/* hmm_queue.c */
int hmm_queue_start(struct hmm_device *d);
void hmm_submit(_cl_command_node *node, cl_command_queue cq);
void hmm_chain_dependants(cl_event event);
void hmm_notify(cl_device_id device, cl_event event, cl_event finished);
void hmm_flush(cl_device_id device, cl_command_queue cq);
void hmm_join(cl_device_id device, cl_command_queue cq);
void hmm_wait_event(cl_device_id device, cl_event event);
void hmm_update_event(cl_device_id device, cl_event event);
void hmm_notify_event_finished(cl_event event);
void hmm_notify_cmdq_finished(cl_command_queue cq);
void hmm_free_event_data(cl_event event);
int hmm_init_queue(cl_device_id device, cl_command_queue queue);
int hmm_free_queue(cl_device_id device, cl_command_queue queue);

/* hmm_kernel.c */

/**
 * hmm_kernel_prepare - gets a kernel's machine code ready, building it if need be
 *
 * May take seconds; no lock may be held. Returns 0, or -1 if it cannot be
 * built, with nothing to undo.
 */
int hmm_kernel_prepare(_cl_command_node *cmd);

/** hmm_kernel_release - gives back what hmm_kernel_prepare() took */
void hmm_kernel_release(_cl_command_node *cmd);

/**
 * hmm_kernel_launch - runs a prepared, submitted ND-range
 *
 * Never waits for the device. The event ends by hmm_kernel_complete(), or here
 * if it cannot be launched.
 */
void hmm_kernel_launch(_cl_command_node *cmd);

/**
 * hmm_kernel_may_chain - reserves room for a launch that is to come after another
 *
 * Takes only the device's lock. False if there is no room or the command needs no device.
 */
bool hmm_kernel_may_chain(const _cl_command_node *cmd);

/**
 * hmm_kernel_chain - launches a prepared, submitted ND-range to come after another launch
 * @after: that one's name
 *
 * The caller has room for it and holds a reference to the event, but no lock. Returns 0, and the
 * event ends by hmm_kernel_complete(), even before this returns; or an error, and neither the
 * room nor anything else is taken: the command may be launched when that one has ended.
 */
int hmm_kernel_chain(_cl_command_node *cmd, uint64_t after);

/** hmm_kernel_complete - ends the event of a launch */
void hmm_kernel_complete(const struct hmmsvm_completion *completion);

/* hmm_memory.c: operations of pocl's table */
void *hmm_svm_alloc(cl_device_id device, cl_svm_mem_flags flags, size_t size);
void hmm_svm_free(cl_device_id device, void *ptr);
void *hmm_usm_alloc(cl_device_id device, unsigned type, cl_mem_alloc_flags_intel flags, size_t size,
                    cl_int *error);
void hmm_usm_free(cl_device_id device, void *ptr);
void hmm_svm_migrate(cl_device_id device, size_t count, void *const *pointers, const size_t *sizes,
                     cl_mem_migration_flags flags);
void hmm_migrate_mem_objs(cl_device_id device, pocl_buffer_migration_info *infos,
                          cl_mem_migration_flags flags);
void hmm_svm_advise(cl_device_id device, const void *ptr, size_t size, cl_mem_advice_intel advice);
cl_int hmm_set_kernel_exec_info(cl_device_id device, unsigned program_device_i, cl_kernel kernel,
                                cl_uint name, size_t size, const void *value);

/* hmm_link.c */
int hmm_finalize_binary(cl_device_id device, const char *output, const char *input);
char *hmm_build_hash(cl_device_id device);
bool hmm_link_is_usable(void);

/* hmm_record.c */
struct hmm_record_range {
    const void *start;
    size_t size;
};

bool hmm_record_open(const struct hmm_device *d);
bool hmm_record_is_on(void);
void hmm_record_command(const _cl_command_node *node);
struct record_log *hmm_record_begin(void);
void hmm_record_end(struct record_log *log, const char *name, const struct hmmsvm_completion *c,
                    const struct hmm_record_range *own, unsigned nown);

/* hmm_record_cpu.c: for hmm_record.c */
bool hmm_record_cpu_open(void);
struct record_run *hmm_record_cpu_written(size_t *count);
bool hmm_record_cpu_used(const struct record *records, uint64_t count);
void hmm_record_cpu_watch(const char *maps, size_t size);
void hmm_record_cpu_protect(void);

#endif /* HMM_DRIVER_H */
