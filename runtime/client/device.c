/* SPDX-License-Identifier: MIT */
/*
 * Opening and closing a device: which mode it is and why, the window, the
 * context.
 *
 * fork(): the child has neither the threads nor the engine. It is told so by
 * a generation number that an atfork handler counts up; every device of an
 * older generation is unusable. The handler also closes the child's copies of
 * the descriptors.
 *
 * Locking: devices_lock guards the list of open devices. It is held over
 * fork(), so that the child finds the list whole.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "internal.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/*
 * Where the window is put: addresses that neither the program (0x55...) nor
 * its libraries (0x7f...) nor the shadow memory of sanitizers is found at,
 * and so none of what the kernel puts into the engine before it runs.
 */
#define WINDOW_BASE  0x200000000000ull
#define WINDOW_STEP  (64ull << 30)
#define WINDOW_SLOTS 256u
#define WINDOW_TRIES 16u
#define WINDOW_MAX   (64ull << 30)
#define WINDOW_MIN   (1ull << 28)

static pthread_mutex_t devices_lock = PTHREAD_MUTEX_INITIALIZER;
static struct hmmsvm_device *devices;
static unsigned devices_generation;
static pthread_once_t devices_once = PTHREAD_ONCE_INIT;

/* ---- signals, fork, exit --------------------------------------------------- */

/* Blocks all signals, so that threads and processes made now take none. */
void device_block_signals(void *old)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, old);
}

void device_restore_signals(const void *old)
{
    pthread_sigmask(SIG_SETMASK, old, NULL);
}

static void device_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void devices_before_fork(void)
{
    pthread_mutex_lock(&devices_lock);
}

static void devices_after_fork(void)
{
    pthread_mutex_unlock(&devices_lock);
}

static void devices_in_child(void)
{
    devices_generation++;
    for (struct hmmsvm_device *dev = devices; dev; dev = dev->next) {
        device_close_fd(&dev->fd);
        device_close_fd(&dev->ring_fd);
        device_close_fd(&dev->stop_fd);
        device_close_fd(&dev->kick_fd);
        device_close_fd(&dev->engine_pidfd);
    }
    devices = NULL;
    pthread_mutex_unlock(&devices_lock);
}

static void devices_init(void)
{
    pthread_atfork(devices_before_fork, devices_after_fork, devices_in_child);
}

/* Devices that are still open when the process ends have their summary now. */
__attribute__((destructor)) static void devices_at_exit(void)
{
    /* Somebody may be stuck with the lock; then there is no summary. */
    if (pthread_mutex_trylock(&devices_lock))
        return;
    for (struct hmmsvm_device *dev = devices; dev; dev = dev->next) {
        stats_print(dev);
        event_log_stop(dev);
    }
    pthread_mutex_unlock(&devices_lock);
}

/* Whether this process may use the device; sets the error if not. */
bool device_usable(struct hmmsvm_device *dev)
{
    if (dev->generation == devices_generation)
        return true;
    error_set(-ENODEV, "this process was forked from the one that opened the device: "
                       "open one of its own");
    return false;
}

/* ---- kernel mode -------------------------------------------------------------- */

/* Starts over when a signal arrives; 0 or a negative errno value. */
int device_ioctl(int fd, unsigned long request, void *arg)
{
    while (ioctl(fd, request, arg) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* Why the node does not open, in words; false if it is no reason to do without it. */
static bool device_open_failed(int err, const char *node, char *text, size_t size)
{
    switch (err) {
    case ENOENT:
        snprintf(text, size, "%s does not exist (is the module loaded? sudo modprobe hmmsvm)",
                 node);
        return true;
    case EACCES:
    case EPERM:
        snprintf(text, size, "no permission to open %s (ls -l %s shows who has it)", node, node);
        return true;
    case ENXIO:
    case ENODEV:
        snprintf(text, size, "%s has no driver behind it (is the module loaded? "
                 "sudo modprobe hmmsvm)", node);
        return true;
    case EISDIR:
    case ENOTTY:
        snprintf(text, size, "%s is not a character device, so nothing of the module's (ls -l %s "
                 "shows what it is)", node, node);
        return true;
    default:
        snprintf(text, size, "cannot open %s: %s", node, strerror(err));
        return false;
    }
}

/* Opens the node; a negative errno value if there is none, -ENOTTY if it is something else. */
static int device_open_node(const char *node)
{
    int fd = open(node, O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct stat st;

    if (fd < 0)
        return -errno;
    if (!fstat(fd, &st) && S_ISCHR(st.st_mode))
        return fd;
    close(fd);
    return -ENOTTY;
}

/* Asks the module what it is; 0 if it is what this library needs. */
static int device_check_version(struct hmmsvm_device *dev)
{
    const uint32_t least_minor = 0; /* all that mirroring needs */
    struct hmmsvm_version *v = &dev->version;
    int err;

    v->size = sizeof(*v);
    err = device_ioctl(dev->fd, HMMSVM_IOC_VERSION, v);
    if (err)
        return error_set(-EPROTO, "%s does not answer as the hmmsvm module does (%s): "
                         "is HMMSVM_DEVICE right?", dev->node, strerror(-err));
    v->release[sizeof(v->release) - 1] = '\0';
    if (v->abi_major != HMMSVM_ABI_MAJOR || v->abi_minor < least_minor)
        return error_set(-EPROTO, "the loaded module (%s) speaks ABI %u.%u, this library needs "
                         "%u.%u: load the module that was installed with the library, or set "
                         "HMMSVM_MODE=direct to do without it", v->release, v->abi_major,
                         v->abi_minor, HMMSVM_ABI_MAJOR, least_minor);
    if (!(v->features & HMMSVM_FEATURE_MIRROR))
        return error_set(-ENOTSUP, "the loaded module (%s) cannot mirror memory on this kernel; "
                         "HMMSVM_MODE=direct does without it", v->release);
    return 0;
}

/* Reserves the addresses that the engine is to have for itself. */
static int device_reserve_window(struct hmmsvm_device *dev)
{
    const uint64_t each = dev->config.stack_size + WORKER_GUARD + dev->config.local_size +
                          (1u << 18);
    const uint64_t need = (uint64_t)dev->config.workers * each + WINDOW_MIN;
    const uint8_t *random = (const uint8_t *)getauxval(AT_RANDOM);
    unsigned slot = random ? random[7] : 0;

    for (uint64_t len = WINDOW_MAX; len >= WINDOW_MIN && len >= need; len /= 4) {
        void *p = MAP_FAILED;

        /*
         * One of the good places, else any. A hint is no more than that, but
         * MAP_FIXED_NOREPLACE is misread by what intercepts mmap() in a program
         * built with a sanitizer.
         */
        for (unsigned i = 0; i <= WINDOW_TRIES; i++) {
            uint64_t at = WINDOW_BASE + (slot + i) % WINDOW_SLOTS * WINDOW_STEP;

            p = mmap((void *)(uintptr_t)at, len, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (p == MAP_FAILED || (uint64_t)(uintptr_t)p == at || i == WINDOW_TRIES)
                break;
            munmap(p, len);
        }
        if (p == MAP_FAILED)
            continue;
        madvise(p, len, MADV_DONTFORK);
        madvise(p, len, MADV_DONTDUMP);
        dev->window_start = (uint64_t)(uintptr_t)p;
        dev->window_len = len;
        if (dev->config.resident > (len - WINDOW_MIN) / each)
            dev->config.resident = (unsigned)((len - WINDOW_MIN) / each);
        return 0;
    }
    if (need > WINDOW_MAX)
        return error_set(-EINVAL, "%u workers with stacks of %zu and local memory of %zu bytes "
                         "do not fit into a window of 64 GiB", dev->config.workers,
                         dev->config.stack_size, dev->config.local_size);
    return error_set(-ENOMEM, "no %" PRIu64 " MiB of address space for the engine's window (%s): "
                     "is there a limit (ulimit -v)? HMMSVM_MODE=direct needs none", need >> 20,
                     strerror(errno));
}

static int device_bind(struct hmmsvm_device *dev)
{
    struct hmmsvm_create create = {
        .size = sizeof(create),
        .window_start = dev->window_start,
        .window_len = dev->window_len,
        .fault_around = dev->config.fault_around,
        .memory = dev->config.memory,
    };
    struct hmmsvm_memory memory = {.size = sizeof(memory)};
    int err;

    if (create.memory && !dev->version.abi_minor)
        return error_set(-ENOTSUP, "HMMSVM_MEMORY is \"%u\", but the loaded module (%s) knows no "
                         "device memory: load the module that was installed with the library",
                         create.memory, dev->version.release);
    err = device_ioctl(dev->fd, HMMSVM_IOC_CREATE, &create);
    if (err == -ENODEV && create.memory) {
        device_ioctl(dev->fd, HMMSVM_IOC_MEMORY, &memory);
        return error_set(err, "HMMSVM_MEMORY is \"%u\", but the module has only %u (they "
                         "count from 0)", create.memory, memory.count);
    }
    if (err == -EBUSY)
        return error_set(err, "this process is itself the engine of another: a kernel cannot use "
                         "the device");
    if (err)
        return error_set(err, "the module cannot bind to this process (%s); its kernel log may "
                         "say more", strerror(-err));
    debug_say(dev, "window 0x%" PRIx64 " + %" PRIu64 " MiB, mirror of 0x%" PRIx64 " to 0x%" PRIx64,
              dev->window_start, dev->window_len >> 20, (uint64_t)create.va_start,
              (uint64_t)create.va_end);
    return 0;
}

/* Makes the ring: a memfd of fixed size, so that nobody finds it cut short. */
static int device_share_ring(struct hmmsvm_device *dev)
{
    void *p;

    dev->ring_fd = memfd_create("hmmsvm-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (dev->ring_fd < 0 && errno == EINVAL)
        dev->ring_fd = memfd_create("hmmsvm-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (dev->ring_fd < 0)
        return error_set(-errno, "cannot create the ring (memfd_create: %s)", strerror(errno));
    if (ftruncate(dev->ring_fd, sizeof(struct ring)) ||
        fcntl(dev->ring_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        return error_set(-errno, "cannot size the ring: %s", strerror(errno));
    p = mmap(NULL, sizeof(struct ring), PROT_READ | PROT_WRITE, MAP_SHARED, dev->ring_fd, 0);
    if (p == MAP_FAILED)
        return error_set(-errno, "cannot map the ring: %s", strerror(errno));
    madvise(p, sizeof(struct ring), MADV_DONTFORK);
    madvise(p, sizeof(struct ring), MADV_DONTDUMP);
    dev->ring = p;
    return 0;
}

static int device_open_kernel(struct hmmsvm_device *dev)
{
    int err = device_check_version(dev);

    if (!err)
        err = engine_find(dev);
    if (!err)
        err = device_reserve_window(dev);
    if (!err)
        err = device_bind(dev);
    if (!err)
        err = memory_configure(dev);
    if (!err)
        err = event_log_start(dev);
    if (!err)
        err = device_share_ring(dev);
    if (err)
        return err;

    dev->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    dev->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (dev->stop_fd < 0 || dev->kick_fd < 0)
        return error_set(-errno, "cannot create an eventfd: %s", strerror(errno));
    launch_ring_init(dev);
    err = engine_start(dev);
    if (!err)
        err = engine_monitor_start(dev);
    return err;
}

/* ---- direct mode ---------------------------------------------------------------- */

static int device_open_direct(struct hmmsvm_device *dev)
{
    sigset_t old;
    void *p;
    int err;

    p = mmap(NULL, sizeof(struct ring), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return error_set(-ENOMEM, "no memory for the ring");
    dev->ring = p;
    launch_ring_init(dev);
    device_block_signals(&old);
    err = hmmsvm_pool_start(&dev->pool, dev->ring, NULL);
    device_restore_signals(&old);
    if (err)
        return error_set(err, "cannot start %u workers with stacks of %zu bytes: %s",
                         dev->config.workers, dev->config.stack_size, strerror(-err));
    return 0;
}

/* ---- both -------------------------------------------------------------------------- */

/* Decides the mode, opens the node for it, and says why. */
static int device_decide(struct hmmsvm_device *dev)
{
    const struct config *config = &dev->config;
    char text[sizeof(dev->reason) - 16];
    bool without;
    int err;

    dev->mode = HMMSVM_MODE_DIRECT;
    if (config->mode == HMMSVM_MODE_DIRECT) {
        snprintf(dev->reason, sizeof(dev->reason), "direct: chosen by %s", config->mode_source);
        return 0;
    }
    if (strlen(config->node) >= sizeof(dev->node))
        return error_set(-EINVAL, "HMMSVM_DEVICE has %zu characters, at most %zu are allowed",
                         strlen(config->node), sizeof(dev->node) - 1);
    strcpy(dev->node, config->node);
    err = device_open_node(dev->node);
    if (err >= 0) {
        dev->fd = err;
        dev->mode = HMMSVM_MODE_KERNEL;
        return 0;
    }
    without = device_open_failed(-err, dev->node, text, sizeof(text));
    if (config->mode == HMMSVM_MODE_KERNEL || !without)
        return error_set(err == -EISDIR ? -ENOTTY : err, "%s%s", text,
                         config->mode != HMMSVM_MODE_KERNEL ?
                         "; HMMSVM_MODE=direct does without it" :
                         "; kernel mode was asked for, hmmsvm run --guest has it everywhere");
    snprintf(dev->reason, sizeof(dev->reason), "direct: %s", text);
    return 0;
}

/* Takes apart what is there of a device; it is on no list. */
static void device_free(struct hmmsvm_device *dev)
{
    if (dev->mode == HMMSVM_MODE_DIRECT)
        hmmsvm_pool_stop(&dev->pool);
    else
        engine_end(dev);
    event_log_stop(dev);
    launch_free(dev);
    device_close_fd(&dev->fd);
    device_close_fd(&dev->ring_fd);
    device_close_fd(&dev->stop_fd);
    device_close_fd(&dev->kick_fd);
    if (dev->ring)
        munmap(dev->ring, sizeof(struct ring));
    if (dev->window_len)
        munmap((void *)(uintptr_t)dev->window_start, dev->window_len);
    pthread_mutex_destroy(&dev->lock);
    free(dev);
}

HMMSVM_API int hmmsvm_device_open(const struct hmmsvm_open_params *params,
                                  struct hmmsvm_device **out)
{
    struct hmmsvm_device *dev;
    struct config config;
    int err;

    error_clear();
    *out = NULL;
    err = config_read(params, &config);
    if (err)
        return err;
    pthread_once(&devices_once, devices_init);
    dev = calloc(1, sizeof(*dev));
    if (!dev)
        return error_set(-ENOMEM, "no memory for a device");
    dev->config = config;
    dev->generation = devices_generation;
    dev->fd = dev->ring_fd = dev->stop_fd = dev->kick_fd = -1;
    dev->engine_pid = dev->engine_pidfd = -1;
    dev->done_last = &dev->done_first;
    pthread_mutex_init(&dev->lock, NULL);

    err = device_decide(dev);
    if (!err)
        err = dev->mode == HMMSVM_MODE_KERNEL ? device_open_kernel(dev) : device_open_direct(dev);
    if (err) {
        debug_say(dev, "%s", hmmsvm_last_error());
        device_free(dev);
        return err;
    }
    if (dev->mode == HMMSVM_MODE_KERNEL)
        snprintf(dev->reason, sizeof(dev->reason), "kernel: %.160s, ABI %u.%u, module %.31s",
                 dev->node, dev->version.abi_major, dev->version.abi_minor, dev->version.release);
    debug_say(dev, "%s; %u workers", dev->reason, dev->config.workers);

    pthread_mutex_lock(&devices_lock);
    dev->next = devices;
    devices = dev;
    pthread_mutex_unlock(&devices_lock);
    *out = dev;
    return 0;
}

HMMSVM_API void hmmsvm_device_close(struct hmmsvm_device *dev)
{
    if (!dev)
        return;
    if (dev->generation != devices_generation) {
        /* In a forked child the rest is the parent's, or was never inherited. */
        free(dev);
        return;
    }
    pthread_mutex_lock(&devices_lock);
    for (struct hmmsvm_device **p = &devices; *p; p = &(*p)->next)
        if (*p == dev) {
            *p = dev->next;
            break;
        }
    pthread_mutex_unlock(&devices_lock);

    if (dev->mode == HMMSVM_MODE_KERNEL)
        engine_monitor_stop(dev);
    pthread_mutex_lock(&dev->lock);
    launch_fetch(dev); /* the summary shall count what has ended */
    pthread_mutex_unlock(&dev->lock);
    stats_print(dev);
    device_free(dev);
}

HMMSVM_API void hmmsvm_device_info(struct hmmsvm_device *dev, struct hmmsvm_device_info *info)
{
    bool direct = dev->mode == HMMSVM_MODE_DIRECT;

    *info = (struct hmmsvm_device_info){
        .mode = dev->mode,
        .reason = dev->reason,
        .workers = dev->config.workers,
        .resident = dev->config.resident,
        .local_size = dev->config.local_size,
        .stack_size = dev->config.stack_size,
        .window_start = dev->window_start,
        .window_len = dev->window_len,
        .kernel = dev->version,
        .engine_pid = direct ? (int)getpid() : -1,
    };
    if (dev->generation != devices_generation)
        return;
    pthread_mutex_lock(&dev->lock);
    info->resets = dev->resets;
    info->extra = dev->ring ? atomic_load(&dev->ring->extra) : 0;
    if (!direct)
        info->engine_pid = dev->engine_pid;
    pthread_mutex_unlock(&dev->lock);
}

HMMSVM_API int hmmsvm_device_stats(struct hmmsvm_device *dev, struct hmmsvm_stats *stats)
{
    int err;

    memset(stats, 0, sizeof(*stats));
    stats->size = sizeof(*stats);
    if (!device_usable(dev))
        return -ENODEV;
    if (dev->mode == HMMSVM_MODE_DIRECT)
        return error_set(-ENOTSUP, "there is no mirror in direct mode");
    err = device_ioctl(dev->fd, HMMSVM_IOC_STATS, stats);
    if (err)
        return error_set(err, "the module does not give its counters: %s", strerror(-err));
    return 0;
}
