/* SPDX-License-Identifier: MIT */
/*
 * hmmsvm/client.h - libhmmsvm: one device, its launches and what it did
 *
 * A device runs work-groups. In kernel mode they run in the engine, a process
 * of its own that sees this process's memory through the mirror of
 * /dev/hmmsvm; in direct mode they run on threads of this process. A launch
 * is described in this process's own memory and its pointers are this
 * process's pointers, in either mode.
 *
 * Locking: every function may be called from any thread, also while others
 * wait, except hmmsvm_device_close(), which must be the last call on a device.
 * No function may be called from a signal handler. After fork() the child
 * must not use the parent's device; every call on it fails with -ENODEV.
 *
 * Errors are negative errno values; hmmsvm_last_error() of the same thread
 * says in words what was wrong and how to mend it.
 */
#ifndef HMMSVM_CLIENT_H
#define HMMSVM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hmmsvm/uapi.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HMMSVM_API __attribute__((visibility("default")))

struct hmmsvm_device;

enum hmmsvm_mode {
    HMMSVM_MODE_AUTO = 0,   /* kernel where the node opens, else direct */
    HMMSVM_MODE_KERNEL = 1, /* kernel or an error */
    HMMSVM_MODE_DIRECT = 2, /* threads of this process */
};

/**
 * struct hmmsvm_open_params - how to open a device; all zero is the default
 * @mode:         a choice made by the program; HMMSVM_MODE_AUTO leaves it to
 *                the environment variable HMMSVM_MODE and then to what is there
 * @workers:      worker threads, that is compute units; 0 takes
 *                HMMSVM_COMPUTE_UNITS and then one for each CPU this process
 *                may run on. At most HMMSVM_MAX_WORKERS.
 * @resident:     how many work-groups may be under way at once while they wait
 *                for each other or for the host; 0 takes
 *                HMMSVM_RESIDENT_GROUPS and then 2048, or @workers where address
 *                space is limited (RLIMIT_AS, strict overcommit). With @workers or fewer
 *                groups may wait for earlier ones and the host only. At most
 *                HMMSVM_MAX_RESIDENT.
 * @local_size:   bytes of local memory of a worker; 0 takes 1 MiB
 * @stack_size:   bytes of a worker's stack, which holds all work-items of a
 *                group; 0 takes 16 MiB
 * @fault_around: as in struct hmmsvm_create; 0 takes HMMSVM_FAULT_AROUND and
 *                then the module's parameter
 */
struct hmmsvm_open_params {
    enum hmmsvm_mode mode;
    unsigned workers;
    unsigned resident;
    size_t local_size;
    size_t stack_size;
    unsigned fault_around;
};

#define HMMSVM_MAX_WORKERS  1024
#define HMMSVM_MAX_RESIDENT 4096

/**
 * struct hmmsvm_device_info - what a device is
 * @mode:       HMMSVM_MODE_KERNEL or HMMSVM_MODE_DIRECT
 * @reason:     why that mode, one line for people
 * @workers:    worker threads
 * @resident:   how many work-groups can be under way at once: there are more
 *              worker threads than @workers while groups wait for each other,
 *              but never more than this
 * @extra:      how many more there are by now; they sleep when not needed
 * @engine_pid: process id of the engine; in direct mode this process's own
 * @local_size: bytes of local memory of a worker
 * @stack_size: bytes of a worker's stack
 * @window_start, @window_len: addresses the engine keeps for itself (kernel
 *              mode; 0 otherwise): memory there is not this process's
 * @resets:     how often a new engine had to be started
 * @kernel:     what the module says of itself; all zero in direct mode
 *
 * The strings live as long as the device.
 */
struct hmmsvm_device_info {
    enum hmmsvm_mode mode;
    const char *reason;
    unsigned workers;
    unsigned resident;
    unsigned extra;
    int engine_pid;
    size_t local_size;
    size_t stack_size;
    uint64_t window_start, window_len;
    unsigned resets;
    struct hmmsvm_version kernel;
};

/**
 * hmmsvm_workgroup_fn - a work-group
 * @args: pointers to the arguments, the worker's own copy of the array
 * @ctx:  the worker's own copy of hmmsvm_launch.ctx
 * @x, @y, @z: the group's index
 *
 * This is the entry point pocl's work-group functions have. It runs in
 * another process in kernel mode: it must not call into the C library, use
 * thread-local variables or make system calls other than sched_yield(2).
 */
typedef void (*hmmsvm_workgroup_fn)(uint8_t *args, uint8_t *ctx, unsigned long x,
                                    unsigned long y, unsigned long z);

/**
 * struct hmmsvm_local - an argument that is local memory
 * @arg:  its index in hmmsvm_launch.args
 * @size: bytes; each is aligned to 128 bytes
 */
struct hmmsvm_local {
    uint32_t arg;
    uint32_t size;
};

#define HMMSVM_LAUNCH_FTZ     (1u << 0) /* flush denormals to zero */
#define HMMSVM_LAUNCH_RTZ     (1u << 1) /* round towards zero, not to nearest */

#define HMMSVM_NO_FIELD UINT32_MAX /* an offset that is not there */

/**
 * struct hmmsvm_launch - an ND-range to run
 * @name:        the kernel's name, for messages
 * @fn:          the work-group function
 * @groups:      number of work-groups in each dimension; none may be 0
 * @args, @nargs: the argument array (pointers to the arguments). Workers copy
 *               it; @args may be NULL if @nargs is 0. At most
 *               HMMSVM_MAX_ARGS.
 * @locals, @nlocals: which of them are local memory: for each, the worker
 *               lets its copy's entry point to a pointer to its own memory
 * @ctx, @ctx_size: a block that each worker copies and hands to @fn; at most
 *               HMMSVM_MAX_CTX bytes
 * @ctx_failed:  offset in the block of a uint32_t that @fn sets to not 0 when
 *               it failed; HMMSVM_NO_FIELD if there is none
 * @ctx_waiting: offset in the block of a uint32_t that @fn changes now and then
 *               while it waits for another group or the host, so that others
 *               may be started in its stead at once; HMMSVM_NO_FIELD if there
 *               is none: that is then noticed only after a second
 * @ctx_printf, @ctx_printf_pos: offsets of two pointers in the block which
 *               each worker sets to its own part of @printf_buf and
 *               @printf_pos; HMMSVM_NO_FIELD if there are none
 * @printf_buf, @printf_pos, @printf_size: for worker w, bytes from
 *               printf_buf + w * printf_size on and its position
 *               printf_pos[w]; room for hmmsvm_device_info.resident
 * @flags:       HMMSVM_LAUNCH_* bits
 * @id:          a name by which later launches can refer to this one: unique
 *               among the launches whose completion was not taken; 0 for none
 * @after:       the @id of an earlier launch that has to end first, 0 for none.
 *               If that one does not end with HMMSVM_OK, this one ends with
 *               HMMSVM_CANCELLED and no group of it runs. What waits does not
 *               hold up other launches.
 * @user:        the caller's; comes back with the completion
 *
 * Ownership: the structure is copied by hmmsvm_submit(); everything it points
 * to stays the caller's and must stay as it is until the completion is there.
 */
struct hmmsvm_launch {
    const char *name;
    hmmsvm_workgroup_fn fn;
    uint64_t groups[3];
    void *const *args;
    const struct hmmsvm_local *locals;
    uint32_t nargs;
    uint32_t nlocals;
    const void *ctx;
    uint32_t ctx_size;
    uint32_t ctx_failed;
    uint32_t ctx_waiting;
    uint32_t ctx_printf;
    uint32_t ctx_printf_pos;
    uint8_t *printf_buf;
    uint32_t *printf_pos;
    uint32_t printf_size;
    uint32_t flags;
    uint64_t id;
    uint64_t after;
    void *user;
};

/* In an initializer of a launch: @fn knows no fields of the block. */
#define HMMSVM_NO_CTX                                                                              \
    .ctx_failed = HMMSVM_NO_FIELD, .ctx_waiting = HMMSVM_NO_FIELD,                                 \
    .ctx_printf = HMMSVM_NO_FIELD, .ctx_printf_pos = HMMSVM_NO_FIELD

#define HMMSVM_MAX_ARGS 4096
#define HMMSVM_MAX_CTX  1024

enum hmmsvm_status {
    HMMSVM_OK = 0,
    HMMSVM_FAILED = 1,       /* the work-group function says so (ctx_failed) */
    HMMSVM_BAD_ADDRESS = 2,  /* it touched what is not mapped or not allowed */
    HMMSVM_CRASHED = 3,      /* illegal instruction, division by zero, ... */
    HMMSVM_DEVICE_LOST = 4,  /* the engine ended while it ran */
    HMMSVM_NO_MEMORY = 5,    /* local memory larger than the device's */
    HMMSVM_CANCELLED = 6,    /* the launch it was to come after failed */
    HMMSVM_REFUSED = 7,      /* it made a system call, which a kernel may not */
    HMMSVM_HUNG = 8,         /* a group did not end within HMMSVM_WATCHDOG_MS */
};

#define HMMSVM_NO_CALL 0xffffu /* a system call of a 32-bit program, whose number means another */

enum hmmsvm_access { HMMSVM_READ = 0, HMMSVM_WRITE = 1, HMMSVM_EXECUTE = 2 };

/**
 * struct hmmsvm_completion - how a launch ended
 * @user:     as given in the launch
 * @status:   an enum hmmsvm_status value
 * @access:   what was tried at @address (enum hmmsvm_access), where @status is
 *            HMMSVM_BAD_ADDRESS; the number of the system call, or
 *            HMMSVM_NO_CALL, where it is HMMSVM_REFUSED
 * @signal:   the signal the engine caught, where @status is
 *            HMMSVM_BAD_ADDRESS, HMMSVM_CRASHED or HMMSVM_REFUSED; SIGXCPU
 *            where it is HMMSVM_HUNG. SIGSYS where it
 *            is HMMSVM_DEVICE_LOST: the engine itself made the call in @access.
 * @workers:  how many workers there were: the parts of hmmsvm_launch.printf_buf
 *            from this one on are as they were
 * @address:  the address that was touched (UINT64_MAX: one that is no address
 *            at all, of which the processor does not say more), or that of the
 *            instruction if @status is HMMSVM_CRASHED, HMMSVM_REFUSED or
 *            HMMSVM_HUNG (0: not known)
 * @group:    index of the group that failed first
 * @groups_run: how many groups ran to their end
 * @start_ns, @end_ns: when the first group started and the last one ended,
 *            CLOCK_MONOTONIC, nanoseconds. A launch starts after the end of
 *            the one that it was to come after.
 */
struct hmmsvm_completion {
    void *user;
    uint32_t status;
    uint32_t access;
    int32_t signal;
    uint32_t workers;
    uint64_t address;
    uint64_t group[3];
    uint64_t groups_run;
    uint64_t start_ns, end_ns;
};

/**
 * hmmsvm_device_open - opens the device
 * @params: NULL or how to open it
 * @out:    the device; the caller closes it
 *
 * Decides the mode, in kernel mode reserves the window, makes the context and
 * starts the engine, and starts the workers. Returns 0, -EINVAL (a value that
 * is out of range, in @params or the environment), -ENOENT (no node, no
 * engine program), -EACCES, -ENOTTY (the node is no character device), -EPROTO
 * (the module speaks another ABI), -ENOMEM, -ENOTSUP (what the kernel cannot
 * do), or what else the system said.
 */
HMMSVM_API int hmmsvm_device_open(const struct hmmsvm_open_params *params,
                                  struct hmmsvm_device **out);

/**
 * hmmsvm_device_close - ends the engine or the workers and frees the device
 *
 * Launches that have not ended are not reported any more. In kernel mode they
 * end where they are; in direct mode the groups that are running are waited
 * for, as a thread cannot be ended from outside. NULL is allowed.
 */
HMMSVM_API void hmmsvm_device_close(struct hmmsvm_device *dev);

/** hmmsvm_device_info - fills in what the device is; never fails */
HMMSVM_API void hmmsvm_device_info(struct hmmsvm_device *dev, struct hmmsvm_device_info *info);

/**
 * hmmsvm_submit - queues a launch
 *
 * Launches start in the order they were submitted and may overlap; those with
 * hmmsvm_launch.after start when they may, and are reported after the launch
 * that they come after. Blocks while the queue is full. Returns 0, -EINVAL,
 * -ESTALE (no launch by the name of @launch->after: if there was one, its
 * completion has been taken and says how it ended), -ENODEV (no engine and
 * none could be started), -ENOMEM.
 */
HMMSVM_API int hmmsvm_submit(struct hmmsvm_device *dev, const struct hmmsvm_launch *launch);

/**
 * hmmsvm_wait - takes the next completion
 * @timeout_ms: how long to wait; -1 forever, 0 not at all
 *
 * Each completion is reported once, to one caller. An engine that ends on its
 * own is found out here: what it was running is reported as
 * HMMSVM_DEVICE_LOST, and a new engine is started for what comes. Returns 0,
 * -ETIMEDOUT, or -ECANCELED after hmmsvm_wake().
 */
HMMSVM_API int hmmsvm_wait(struct hmmsvm_device *dev, struct hmmsvm_completion *out,
                           int timeout_ms);

/** hmmsvm_wake - makes one hmmsvm_wait() return -ECANCELED, now or the next one */
HMMSVM_API void hmmsvm_wake(struct hmmsvm_device *dev);

/**
 * hmmsvm_run - submits a launch and waits for its completion
 *
 * hmmsvm_wait() does not get to see this completion, whoever calls it
 * meanwhile. Returns 0 when there is a completion, whatever its status.
 */
HMMSVM_API int hmmsvm_run(struct hmmsvm_device *dev, const struct hmmsvm_launch *launch,
                          struct hmmsvm_completion *out);

/**
 * hmmsvm_device_stats - what the mirror did
 *
 * @stats->size is set by the function. In direct mode there is no mirror:
 * returns -ENOTSUP and zeroes.
 */
HMMSVM_API int hmmsvm_device_stats(struct hmmsvm_device *dev, struct hmmsvm_stats *stats);

/* ---- device memory ----------------------------------------------------------
 *
 * All that follows is of kernel mode. In direct mode, and where the loaded
 * module is older than device memory, these functions return -ENOTSUP; where
 * the module has no device memory, those that need some return -ENODEV.
 */

/**
 * hmmsvm_device_memory - describes the device memory that this device uses
 *
 * Returns 0 or -ENODEV; @out->count is how many the module has.
 */
HMMSVM_API int hmmsvm_device_memory(struct hmmsvm_device *dev, struct hmmsvm_memory *out);

/**
 * hmmsvm_device_limit - limits how much device memory this device may have, or asks
 * @bytes: NULL, or the limit that is to hold from now on; HMMSVM_NO_LIMIT takes it away.
 *         HMMSVM_MEMORY_LIMIT sets it when the device is opened.
 * @out:   NULL or what is said of this and other limits, see struct hmmsvm_limit
 *
 * What the device has beyond that goes to system memory before this returns, as far as it
 * can. Returns 0, -ENODEV, or -ENOTSUP where the module knows no limits.
 */
HMMSVM_API int hmmsvm_device_limit(struct hmmsvm_device *dev, const uint64_t *bytes,
                                   struct hmmsvm_limit *out);

/**
 * hmmsvm_device_migrate - moves memory now, whatever the policy thinks
 * @start, @length: the bytes; every page they touch is meant. No bytes: nothing
 *         is done.
 * @flags: HMMSVM_MIGRATE_TO_DEVICE or HMMSVM_MIGRATE_TO_SYSTEM
 * @out:   NULL or how many pages moved, were there already, and could not move
 *
 * What cannot move (files, shared or pinned memory, no room) stays and is no
 * error. Returns when all of it is done: 0, -EINVAL, -EFAULT (a part is not
 * mapped; what is was moved, and is counted in @out), -ENODEV, -ENOMEM.
 */
HMMSVM_API int hmmsvm_device_migrate(struct hmmsvm_device *dev, const void *start, size_t length,
                                     unsigned flags, struct hmmsvm_migrate *out);

/**
 * hmmsvm_device_advise - says what is known about a range
 * @set:   HMMSVM_ADVICE_* bits; not both DEVICE and SYSTEM
 * @clear: bits that are no longer valid; ~0u takes back all advice
 *
 * Moves nothing by itself; see struct hmmsvm_advise for what the bits do. Advice
 * stays with the addresses, also when other memory is mapped there: clear it
 * before the memory is freed. Returns 0, -EINVAL, -ENOSPC (too many ranges),
 * -ENOMEM.
 */
HMMSVM_API int hmmsvm_device_advise(struct hmmsvm_device *dev, const void *start, size_t length,
                                    unsigned set, unsigned clear);

/**
 * hmmsvm_device_policy - chooses what moves memory unasked, at any time
 * @placement, @eviction: names, or NULL to leave it as it is
 *
 * Choosing a placement policy sets its tunables to their defaults. Returns 0 or
 * -EINVAL: no such policy; the error's words name those there are.
 */
HMMSVM_API int hmmsvm_device_policy(struct hmmsvm_device *dev, const char *placement,
                                    const char *eviction);

/**
 * hmmsvm_device_tunable - reads or sets a tunable of the placement policy
 * @value:   its value; in, if @set; out: what it is now
 * @clamped: NULL or whether @value was out of limits and was changed
 *
 * Returns 0 or -ENOENT: no such tunable; the error's words name those there are.
 */
HMMSVM_API int hmmsvm_device_tunable(struct hmmsvm_device *dev, const char *name, int64_t *value,
                                     bool set, bool *clamped);

#define HMMSVM_RESIDENCY_MAX 4096 /* blocks in one call */

/**
 * hmmsvm_device_residency - where the memory is that the device has used
 * @start:  where to begin, 0 the first time; out: where to go on, 0 if that was all
 * @blocks: filled in, in order of address
 * @count:  room at @blocks; out: how many were filled in, HMMSVM_RESIDENCY_MAX at
 *          the most
 */
HMMSVM_API int hmmsvm_device_residency(struct hmmsvm_device *dev, uint64_t *start,
                                       struct hmmsvm_residency_block *blocks, uint32_t *count);

/**
 * hmmsvm_device_events - makes a ring that the module writes events to
 * @entries: a power of two from 128 to 1048576
 * @out:     its descriptor, which the caller closes (-1 on errors), and size
 *
 * The ring lives until its descriptor is closed and its mapping gone. Returns 0,
 * -EINVAL, -EBUSY (there are four), -EMFILE, -ENOMEM.
 */
HMMSVM_API int hmmsvm_device_events(struct hmmsvm_device *dev, uint32_t entries,
                                    struct hmmsvm_events *out);

struct hmmsvm_event_reader;

/**
 * hmmsvm_event_reader_open - maps an event ring to read it from its beginning
 *
 * @events->fd stays the caller's and may be closed right away. A reader is for
 * one thread at a time. Returns 0, -ENOMEM, -EPROTO (no such ring), or what
 * mmap(2) says.
 */
HMMSVM_API int hmmsvm_event_reader_open(const struct hmmsvm_events *events,
                                        struct hmmsvm_event_reader **out);

/**
 * hmmsvm_event_reader_next - copies the events that came since the last call
 * @count: room at @events
 * @lost:  NULL or a counter, to which is added how many were overwritten before
 *         they could be read; they are older than the ones returned
 *
 * Returns how many; 0 if there are none now. Never waits.
 */
HMMSVM_API size_t hmmsvm_event_reader_next(struct hmmsvm_event_reader *reader,
                                           struct hmmsvm_event *events, size_t count,
                                           uint64_t *lost);

/** hmmsvm_event_reader_close - unmaps the ring; NULL is allowed */
HMMSVM_API void hmmsvm_event_reader_close(struct hmmsvm_event_reader *reader);

/** hmmsvm_last_error - what the last failed call of this thread says, "" if none did */
HMMSVM_API const char *hmmsvm_last_error(void);

/** hmmsvm_status_name - "ok", "bad-address", ...; "unknown" for no status */
HMMSVM_API const char *hmmsvm_status_name(uint32_t status);

/** hmmsvm_call_name - the name of a system call, as in hmmsvm_completion.access; "?" for none */
HMMSVM_API const char *hmmsvm_call_name(uint32_t call);

/** hmmsvm_mode_name - "auto", "kernel" or "direct" */
HMMSVM_API const char *hmmsvm_mode_name(enum hmmsvm_mode mode);

#ifdef __cplusplus
}
#endif

#endif /* HMMSVM_CLIENT_H */
