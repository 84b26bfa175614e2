/* SPDX-License-Identifier: MIT */
/*
 * hmm_queue.c - when a command runs, and on which thread
 *
 * A command is ready when no event is left that it waits for. It is then run
 * on the thread that found this out, if that takes no time to speak of: an
 * ND-range is only handed to the device, a small copy is done on the spot.
 * Everything else goes to helper threads. So a kernel that is enqueued to an
 * idle queue reaches the device without one thread hop.
 *
 * A command that ends makes others ready, on the same thread. They are not run
 * from within pocl's notification, where events are locked, but put into this
 * thread's list, which whoever started the first one then works off.
 *
 * A kernel that waits only for kernels that the device has already is given to
 * it, too, to come after them: a chain of kernels then runs without the host
 * between one and the next. That is tried when such a kernel is enqueued, and
 * when another that it waits for was launched. If it cannot be, for whatever
 * reason, it stays where it is until it is ready.
 *
 * The completion thread takes what the device has finished.
 *
 * Locking: pocl calls hmm_submit() and hmm_notify() with events locked, see
 * there. Work is always run with nothing locked.
 */
#define _GNU_SOURCE
#include "hmm_driver.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"
#include "common_utils.h"
#include "pocl_util.h"
#include "utlist.h"

/* Host commands at once; one that waits for another must not stop it. */
#define MAX_HELPERS 16

/* A host command up to this size is done on the spot. */
#define INLINE_BYTES (64 * 1024)

/**
 * struct hmm_queue - a queue's own data
 * @idle:    it has no command any more
 * @opening: of the device, when it was created
 */
struct hmm_queue {
    pthread_cond_t idle;
    unsigned opening;
};

/* Commands that got ready on this thread while it runs another. */
static __thread struct {
    bool active;
    _cl_command_node *list;
} ready;

/*
 * What we keep for an event, which is locked. It is made by whoever comes first: in an in-order
 * queue the command before may end, and hmm_notify() be called, before the event is CL_QUEUED.
 */
static struct hmm_event *event_data(cl_event event)
{
    struct hmm_event *data = event->data;

    if (data != NULL)
        return data;
    data = calloc(1, sizeof(*data));
    if (data == NULL) {
        hmm_message("out of memory for an event");
        abort(); /* nobody could be told how its command ended */
    }
    __atomic_store_n(&event->data, data, __ATOMIC_RELEASE); /* chain_after() looks unlocked */
    return data;
}

static long futex(_Atomic uint32_t *word, int op, uint32_t value)
{
    return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* Threads of the driver leave all signals to the application's own. */
static int start_thread(void *(*fn)(void *), void *arg)
{
    sigset_t all, old;
    pthread_t thread;
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&thread, &attr, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return err;
}

/* Whether it is another process's, and this one only has a copy: its commands have no device. */
static bool is_lost(cl_command_queue queue)
{
    const struct hmm_queue *q = queue->data;

    return q->opening != atomic_load_explicit(&hmm_device.openings, memory_order_relaxed);
}

static void fail_command(_cl_command_node *node, cl_int status)
{
    cl_event event = node->sync.event.event;

    if (node->type == CL_COMMAND_NDRANGE_KERNEL)
        hmm_kernel_release(node);
    pocl_update_event_failed(status, NULL, 0, event, NULL);
}

/* Host commands that are over before another thread would have woken up. */
static bool runs_inline(const _cl_command_node *node)
{
    const _cl_command_t *cmd = &node->command;

    switch (node->type) {
    case CL_COMMAND_MARKER:
    case CL_COMMAND_BARRIER:
    case CL_COMMAND_COMMAND_BUFFER_KHR:
    case CL_COMMAND_SVM_MAP:
    case CL_COMMAND_SVM_UNMAP:
        return true;
    case CL_COMMAND_READ_BUFFER:
        return cmd->read.size <= INLINE_BYTES;
    case CL_COMMAND_WRITE_BUFFER:
        return cmd->write.size <= INLINE_BYTES;
    case CL_COMMAND_COPY_BUFFER:
        return cmd->copy.size <= INLINE_BYTES;
    case CL_COMMAND_FILL_BUFFER:
        return cmd->memfill.size <= INLINE_BYTES;
    case CL_COMMAND_SVM_MEMCPY:
        return cmd->svm_memcpy.size <= INLINE_BYTES;
    case CL_COMMAND_SVM_MEMFILL:
        return cmd->svm_fill.size <= INLINE_BYTES;
    case CL_COMMAND_MAP_BUFFER:
        return cmd->map.mapping->size <= INLINE_BYTES;
    default:
        return false;
    }
}

static bool is_host_kernel(const _cl_command_node *node)
{
    return node->command.run.kernel->program->builtin_kernel_attributes != NULL;
}

static void run_host_command(_cl_command_node *node)
{
    cl_event event = node->sync.event.event;

    if (node->type != CL_COMMAND_NDRANGE_KERNEL) {
        if (hmm_record_is_on())
            hmm_record_command(node);
        pocl_exec_command(node);
        return;
    }

    /* a defined built-in kernel: pocl's own code, on the host */
    cl_kernel kernel = node->command.run.kernel;
    pocl_update_event_running(event);
    int err = pocl_cpu_execute_dbk(kernel->program, kernel, kernel->meta, node->program_device_i,
                                   node->command.run.arguments);
    if (err == CL_SUCCESS)
        POCL_UPDATE_EVENT_COMPLETE(event);
    else
        POCL_UPDATE_EVENT_FAILED(CL_FAILED, event);
}

/* Whether that takes no time to speak of. */
static bool runs_at_once(const _cl_command_node *node)
{
    return (node->type == CL_COMMAND_NDRANGE_KERNEL && !is_host_kernel(node)) || runs_inline(node)
           || is_lost(node->sync.event.event->queue);
}

static void run_command(_cl_command_node *node)
{
    if (is_lost(node->sync.event.event->queue))
        fail_command(node, CL_DEVICE_NOT_AVAILABLE);
    else if (node->type == CL_COMMAND_NDRANGE_KERNEL && !is_host_kernel(node))
        hmm_kernel_launch(node);
    else
        run_host_command(node);
}

static void run_ready(_cl_command_node *node);

static void *helper_main(void *arg)
{
    struct hmm_device *d = arg;

    pthread_mutex_lock(&d->lock);
    for (;;) {
        while (d->work == NULL) {
            d->idle_helpers++;
            pthread_cond_wait(&d->work_cond, &d->lock);
            d->idle_helpers--;
        }
        _cl_command_node *node = d->work;
        DL_DELETE(d->work, node);
        pthread_mutex_unlock(&d->lock);

        bool was_active = ready.active;
        ready.active = true;
        run_command(node);
        ready.active = was_active;
        if ((node = ready.list) != NULL) {
            DL_DELETE(ready.list, node);
            run_ready(node);
        }

        pthread_mutex_lock(&d->lock);
    }
    return NULL;
}

/* Hands a command to a helper. Takes only the device's lock. */
static void push_to_helpers(struct hmm_device *d, _cl_command_node *node)
{
    bool start = false;
    unsigned waiting = 0;
    _cl_command_node *other;

    pthread_mutex_lock(&d->lock);
    DL_APPEND(d->work, node);
    DL_FOREACH (d->work, other)
        waiting++;
    if (waiting > d->idle_helpers && d->helpers < MAX_HELPERS) {
        d->helpers++;
        start = true;
    }
    pthread_cond_signal(&d->work_cond);
    pthread_mutex_unlock(&d->lock);

    if (start && start_thread(helper_main, d) != 0) {
        pthread_mutex_lock(&d->lock);
        d->helpers--;
        pthread_mutex_unlock(&d->lock);
    }
}

/*
 * Runs a submitted command and what it makes ready on this thread. Nothing is
 * locked. If this thread is running a command already, that one's caller does it.
 */
static void run_ready(_cl_command_node *node)
{
    struct hmm_device *d = &hmm_device;

    if (ready.active) {
        DL_APPEND(ready.list, node);
        return;
    }

    ready.active = true;
    for (;;) {
        if (runs_at_once(node))
            run_command(node);
        else
            push_to_helpers(d, node);

        node = ready.list;
        if (node == NULL)
            break;
        DL_DELETE(ready.list, node);
    }
    ready.active = false;
}

/*
 * The launch that a kernel can be given to the device to come after: its end is also the end of all
 * that the kernel waits for. 0 if there is none. The event is locked, so its wait list stays, and
 * what is in there lives.
 */
static uint64_t chain_after(cl_event event)
{
    const _cl_command_node *node = event->command;
    cl_command_queue queue = NULL;
    uint64_t after = 0;
    event_node *item;

    if (node->type != CL_COMMAND_NDRANGE_KERNEL || is_host_kernel(node) || is_lost(event->queue))
        return 0;
    LL_FOREACH (event->wait_list, item) {
        cl_event e = item->event;

        if (e->queue == NULL || e->queue->device->ops->notify != hmm_notify || is_lost(e->queue))
            return 0;
        /* of several, the last: in an in-order queue, the others end and fail before it */
        if (queue != NULL
            && (e->queue != queue || (queue->properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE)))
            return 0;
        queue = e->queue;
        struct hmm_event *data = __atomic_load_n(&e->data, __ATOMIC_ACQUIRE);
        uint64_t launch = data == NULL ? 0
                                       : atomic_load_explicit(&data->launch, memory_order_acquire);
        if (launch == 0)
            return 0;
        if (launch > after)
            after = launch;
    }
    return after;
}

/*
 * Gives a READY kernel that waits to the device. Called with its event locked, returns with it
 * unlocked; the caller holds a reference. The device's library is called with nothing locked: it
 * may have to wait for what only the completion thread can do. Returns whether it was launched; if
 * not, it stays pending, or was run here if it has got ready meanwhile.
 */
static bool chain(cl_event event)
{
    _cl_command_node *node = event->command;
    struct hmm_event *data = event->data;
    uint64_t after = chain_after(event);

    if (after == 0 || !hmm_kernel_may_chain(node)) {
        POCL_UNLOCK_OBJ(event);
        return false;
    }
    data->chain = HMM_CHAINING;
    pocl_update_event_submitted(event);
    POCL_UNLOCK_OBJ(event);

    int err = hmm_kernel_chain(node, after);

    POCL_LOCK_OBJ(event);
    if (err == 0) {
        data->chain = HMM_CHAINED;
        if (event->status == CL_SUBMITTED && !data->dependency_failed
            && pocl_command_is_ready(event))
            pocl_update_event_running_unlocked(event);
        POCL_UNLOCK_OBJ(event);
        return true;
    }

    bool failed = data->dependency_failed;
    bool is_ready = pocl_command_is_ready(event);
    data->chain = is_ready ? HMM_UNCHAINED : HMM_REFUSED;
    POCL_UNLOCK_OBJ(event);
    if (failed)
        fail_command(node, CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    else if (is_ready)
        run_ready(node);
    return false;
}

/* A kernel that waits for @event and that may be tried to chain: locked, and with a reference. */
static cl_event lock_dependant(cl_event event)
{
    event_node *item;

    POCL_LOCK_OBJ(event);
    LL_FOREACH (event->notify_list, item) {
        cl_event e = item->event;
        struct hmm_event *data;

        if (e->queue == NULL || e->queue->device->ops->notify != hmm_notify)
            continue;
        POCL_LOCK_OBJ(e);
        data = e->data;
        if (e->status == CL_QUEUED && data != NULL && !data->dependency_failed
            && e->command->state == POCL_COMMAND_READY && chain_after(e) != 0) {
            POCL_RETAIN_OBJECT_UNLOCKED(e);
            POCL_UNLOCK_OBJ(event);
            return e;
        }
        POCL_UNLOCK_OBJ(e);
    }
    POCL_UNLOCK_OBJ(event);
    return NULL;
}

/**
 * hmm_chain_dependants - gives the device what waits for a kernel that was launched
 *
 * And what waits for that, and so on. Nothing is locked; the caller holds a
 * reference to the event.
 */
void hmm_chain_dependants(cl_event event)
{
    cl_event todo[64]; /* launched; what waits for them was not looked at */
    unsigned count = 0;

    POname(clRetainEvent)(event);
    for (;;) {
        cl_event waiting = lock_dependant(event);

        if (waiting != NULL && chain(waiting) && count < sizeof(todo) / sizeof(todo[0])) {
            todo[count++] = waiting;
            continue;
        }
        if (waiting != NULL)
            POname(clReleaseEvent)(waiting);
        POname(clReleaseEvent)(event);
        if (count == 0)
            return;
        event = todo[--count];
    }
}

static void *completion_main(void *arg)
{
    struct hmm_device *d = arg;
    struct hmmsvm_completion done;

    for (;;) {
        int err = hmmsvm_wait(d->svm, &done, -1);
        if (err == -ETIMEDOUT || err == -ECANCELED || err == -EINTR)
            continue;
        if (err < 0) {
            hmm_message("the device ended: %s", hmmsvm_last_error());
            d->available = CL_FALSE;
            return NULL;
        }

        ready.active = true;
        hmm_kernel_complete(&done);
        ready.active = false;

        _cl_command_node *node = ready.list;
        if (node != NULL) {
            DL_DELETE(ready.list, node);
            run_ready(node);
        }
    }
}

/* A device that is just being opened has descriptors which the child would not know of. */
static void before_fork(void)
{
    pthread_mutex_lock(&hmm_device.open_lock);
    pthread_mutex_lock(&hmm_device.lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&hmm_device.lock);
    pthread_mutex_unlock(&hmm_device.open_lock);
}

/*
 * The child has neither the device nor the driver's threads, and what they were at, the parent does.
 * Launches and printf buffers are left where they are: the next device may have another size.
 */
static void after_fork_in_child(void)
{
    struct hmm_device *d = &hmm_device;

    atomic_fetch_add(&d->openings, 1);
    d->open = false;
    d->available = CL_TRUE; /* whatever has become of the parent's */
    pthread_mutex_init(&d->gvar_lock, NULL);
    pthread_cond_init(&d->work_cond, NULL);
    d->work = NULL;
    d->helpers = d->idle_helpers = 0;
    d->in_flight = d->chained = 0;
    d->backlog_first = d->backlog_last = NULL;
    d->spare = NULL;
    d->printf = NULL;
    ready.active = false;
    ready.list = NULL;
    pthread_mutex_unlock(&d->lock);
    pthread_mutex_unlock(&d->open_lock);
}

static void register_fork(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/** hmm_queue_start - starts the completion thread; 0 or an errno value */
int hmm_queue_start(struct hmm_device *d)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, register_fork);
    return start_thread(completion_main, d);
}

/**
 * hmm_submit - takes a command that has been enqueued
 *
 * Called with its event locked, returns with it unlocked. A kernel is built
 * here, with the event unlocked; until the command is READY hmm_notify() only
 * takes notes.
 */
void hmm_submit(_cl_command_node *node, cl_command_queue cq)
{
    cl_event event = node->sync.event.event;
    struct hmm_event *data = event->data;
    bool built = true;

    if (node->state == POCL_COMMAND_FAILED)
        data->dependency_failed = true; /* it had, when the command was made */
    if (node->type == CL_COMMAND_NDRANGE_KERNEL) {
        node->command.run.device_data = NULL;
        if (!is_host_kernel(node) && !is_lost(cq)) {
            POCL_UNLOCK_OBJ(event);
            built = hmm_kernel_prepare(node) == 0;
            POCL_LOCK_OBJ(event);
        }
    }

    node->state = POCL_COMMAND_READY;
    if (!built || data->dependency_failed) {
        POCL_UNLOCK_OBJ(event);
        fail_command(node, built ? CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST
                                 : CL_BUILD_PROGRAM_FAILURE);
        return;
    }
    if (!pocl_command_is_ready(event)) {
        POCL_RETAIN_OBJECT_UNLOCKED(event);
        if (chain(event))
            hmm_chain_dependants(event);
        POname(clReleaseEvent)(event);
        return;
    }
    pocl_update_event_submitted(event);
    POCL_UNLOCK_OBJ(event);
    run_ready(node);
}

/**
 * hmm_notify - an event that a command waits for has ended
 *
 * Called and returns with both locked.
 */
void hmm_notify(cl_device_id device, cl_event event, cl_event finished)
{
    _cl_command_node *node = event->command;
    struct hmm_event *data = event_data(event);

    (void)device;
    if (data->dependency_failed)
        return; /* it is being failed, maybe by another thread */
    if (finished->status < CL_COMPLETE) {
        data->dependency_failed = true;
        if (node->state != POCL_COMMAND_READY || data->chain == HMM_CHAINING
            || data->chain == HMM_CHAINED)
            return;
        /* what fails here takes the queue's lock, which goes first */
        pocl_unlock_events_inorder(event, finished);
        fail_command(node, CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
        pocl_lock_events_inorder(finished, event);
        return;
    }

    if (node->state != POCL_COMMAND_READY || !pocl_command_is_ready(event))
        return;
    switch (data->chain) {
    case HMM_CHAINING:
        return; /* that thread will see it */
    case HMM_CHAINED:
        if (event->status == CL_SUBMITTED)
            pocl_update_event_running_unlocked(event);
        return;
    case HMM_REFUSED:
        data->chain = HMM_UNCHAINED;
        break;
    case HMM_UNCHAINED:
        if (event->status != CL_QUEUED)
            return;
        pocl_update_event_submitted(event);
    }

    if (ready.active)
        DL_APPEND(ready.list, node);
    else
        push_to_helpers(&hmm_device, node);
}

void hmm_flush(cl_device_id device, cl_command_queue cq)
{
    (void)device;
    (void)cq;
}

/** hmm_join - waits until a queue is empty; one of the parent's will not be */
void hmm_join(cl_device_id device, cl_command_queue cq)
{
    struct hmm_queue *q = cq->data;

    (void)device;
    POCL_LOCK_OBJ(cq);
    while (cq->command_count != 0 && !is_lost(cq))
        POCL_WAIT_COND(q->idle, cq->pocl_lock);
    POCL_UNLOCK_OBJ(cq);
}

/* Called with the queue locked. */
void hmm_notify_cmdq_finished(cl_command_queue cq)
{
    struct hmm_queue *q = cq->data;

    if (!is_lost(cq)) /* those that wait are the parent's threads */
        POCL_BROADCAST_COND(q->idle);
}

/** hmm_wait_event - waits until an event has ended; it is not locked */
void hmm_wait_event(cl_device_id device, cl_event event)
{
    struct hmm_event *data = event->data;

    (void)device;
    while (atomic_load_explicit(&data->finished, memory_order_acquire) == 0) {
        if (is_lost(event->queue)) { /* the parent works on it, on this copy nobody does */
            event->status = CL_DEVICE_NOT_AVAILABLE;
            return;
        }
        futex(&data->finished, FUTEX_WAIT, 0);
    }
}

/* Called with the event locked, after its status is final. */
void hmm_notify_event_finished(cl_event event)
{
    struct hmm_event *data = event->data;

    atomic_store_explicit(&data->finished, 1, memory_order_release);
    futex(&data->finished, FUTEX_WAKE, INT_MAX);
}

/** hmm_update_event - keeps the times; called with the event locked */
void hmm_update_event(cl_device_id device, cl_event event)
{
    struct hmm_event *data = event_data(event);
    bool timed = (event->queue->properties & CL_QUEUE_PROFILING_ENABLE) != 0;

    (void)device;
    switch (event->status) {
    case CL_QUEUED:
        event_data(event);
        if (timed)
            event->time_queue = hmm_now_ns();
        break;
    case CL_SUBMITTED:
        if (timed)
            event->time_submit = hmm_now_ns();
        break;
    case CL_RUNNING:
        if (timed)
            event->time_start = hmm_now_ns();
        break;
    default: /* ended, well or not */
        if (!timed)
            break;
        if (data->end_ns != 0) {
            event->time_start = data->start_ns;
            event->time_end = data->end_ns;
        } else {
            event->time_end = hmm_now_ns();
        }
    }
}

void hmm_free_event_data(cl_event event)
{
    free(event->data);
    event->data = NULL;
}

/* Whether the context is another process's: what it has may wait for what will never end here. */
static bool is_lost_context(cl_context context)
{
    for (unsigned i = 0; i < context->num_devices; i++) {
        cl_command_queue queue = context->default_queues[i];

        if (queue != NULL && queue->device->ops->notify == hmm_notify && is_lost(queue))
            return true;
    }
    return false;
}

int hmm_init_queue(cl_device_id device, cl_command_queue queue)
{
    struct hmm_queue *q;
    cl_int err = is_lost_context(queue->context) ? CL_DEVICE_NOT_AVAILABLE : hmm_device_reopen();

    (void)device;
    if (err != CL_SUCCESS)
        return err;
    q = malloc(sizeof(*q));
    if (q == NULL)
        return CL_OUT_OF_HOST_MEMORY;
    pthread_cond_init(&q->idle, NULL);
    q->opening = hmm_device.openings;
    queue->data = q;
    return CL_SUCCESS;
}

int hmm_free_queue(cl_device_id device, cl_command_queue queue)
{
    struct hmm_queue *q = queue->data;

    (void)device;
    pthread_cond_destroy(&q->idle);
    free(q);
    queue->data = NULL;
    return CL_SUCCESS;
}
