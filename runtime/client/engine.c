/* SPDX-License-Identifier: MIT */
/*
 * Starting the engine, noticing its end, starting the next one.
 *
 * The application must not notice that it has a child: no SIGCHLD, and no
 * process that its wait() would find or wait for forever. A child that calls
 * execve() is always an ordinary one, so the engine is a grandchild: a
 * short-lived process in between (with this address space and no exit signal)
 * starts it, waits until the module has taken it as the engine, and ends.
 * A pidfd tells of the engine's end from then on.
 *
 * Neither of the two is made with fork(): the application may be huge, and its
 * page tables would be copied for nothing.
 *
 * Locking: engine_start() is called with the device's lock held, or before
 * others know the device.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "internal.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define ENGINE_PROGRAM    "libexec/hmmsvm/hmmsvm-engine"
#define ENGINE_PATIENCE   60000000000ull /* for its start; an emulated machine is slow */
#define ENGINE_SOON       1000000000ull  /* an end sooner than this after the start is suspect */
#define ENGINE_DEATHS_MAX 3u             /* so many of them, and no further one is started */
#define ENGINE_CLOSE_MS   2000           /* for its end */
#define ENGINE_STACK      (64u << 10)

/* ---- the program ------------------------------------------------------------- */

/* Finds the engine program; 0 or -ENOENT, -EACCES with a hint. */
int engine_find(struct hmmsvm_device *dev)
{
    /* From lib/, lib64/ and lib/<triplet>/. */
    static const char *const ups[] = {"/../", "/../../"};
    char *real = NULL, *slash;
    Dl_info info;

    if (dev->config.engine) {
        if ((size_t)snprintf(dev->engine_path, sizeof(dev->engine_path), "%s",
                             dev->config.engine) >= sizeof(dev->engine_path))
            return error_set(-EINVAL, "HMMSVM_ENGINE is too long");
        if (!access(dev->engine_path, X_OK))
            return 0;
        return error_set(-errno, "HMMSVM_ENGINE is \"%s\", which cannot be run: %s",
                         dev->engine_path, strerror(errno));
    }

    if (dladdr((void *)&hmmsvm_device_open, &info) && info.dli_fname)
        real = realpath(info.dli_fname, NULL);
    slash = real ? strrchr(real, '/') : NULL;
    if (!slash) {
        free(real);
        return error_set(-ENOENT, "cannot find where libhmmsvm lies, and so not its engine "
                         "program: set HMMSVM_ENGINE to its path");
    }
    *slash = '\0';
    for (unsigned i = 0; i < 2; i++) {
        snprintf(dev->engine_path, sizeof(dev->engine_path), "%.4000s%s" ENGINE_PROGRAM, real,
                 ups[i]);
        if (!access(dev->engine_path, X_OK)) {
            free(real);
            return 0;
        }
    }
    error_set(-ENOENT, "there is no engine program at %.400s/../" ENGINE_PROGRAM
              ": install it with the library, or set HMMSVM_ENGINE to its path", real);
    free(real);
    return -ENOENT;
}

/* ---- starting ------------------------------------------------------------------ */

struct spawn {
    struct hmmsvm_device *dev;
    int fds[RING_FD_END - RING_FD_CONTEXT];
    uint8_t *stack; /* of the second process; the first's lies below */
    int pidfd;
    int pid;
    int error; /* errno of what did not work */
    const char *what;
};

/*
 * Runs in the address space of the application, whose threads go on: system
 * calls only, nothing that locks or allocates.
 */
static int spawn_exec(void *arg)
{
    static char *const env[] = {(char *)"GLIBC_TUNABLES=glibc.pthread.rseq=0", NULL};
    enum { COUNT = RING_FD_END - RING_FD_CONTEXT, ABOVE = RING_FD_END + 1 };
    struct spawn *s = arg;
    char *argv[] = {(char *)"hmmsvm-engine", (char *)"--attach", NULL};
    int high[COUNT], null;

    /* First out of the way of the numbers they are to have. */
    for (int i = 0; i < COUNT; i++) {
        high[i] = fcntl(s->fds[i], F_DUPFD_CLOEXEC, ABOVE);
        if (high[i] < 0)
            goto fail;
    }
    for (int i = 0; i < COUNT; i++)
        if (dup2(high[i], RING_FD_CONTEXT + i) < 0)
            goto fail;
    /* The application's pipes and terminals are not to be kept open. */
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0 && null <= 2)
        null = fcntl(null, F_DUPFD_CLOEXEC, ABOVE);
    for (int fd = 0; fd <= 2; fd++)
        if (fd != 2 || !s->dev->config.debug) {
            close(fd);
            if (null >= 0)
                dup2(null, fd);
        }
    if (syscall(SYS_close_range, RING_FD_END, ~0u, 0))
        goto fail;
    /* Not execve(): what a compiler may put around that, to save counts, is more than a call. */
    syscall(SYS_execve, s->dev->engine_path, argv, env);
    s->what = "run";
    s->error = errno;
    _exit(127);
fail:
    s->what = "pass its descriptors to";
    s->error = errno;
    _exit(127);
}

/* Whether the process of a pidfd has ended. */
static bool engine_gone(int pidfd, int timeout_ms)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    return poll(&p, 1, timeout_ms) == 1;
}

/*
 * Waits until the engine's start is past @state; false if it ended or took too
 * long. System calls only, for spawn_between().
 */
static bool engine_await(struct ring *ring, int pidfd, uint32_t state)
{
    uint64_t end = ring_now_ns() + ENGINE_PATIENCE;

    for (;;) {
        uint32_t now = atomic_load(&ring->state);

        if (now > state)
            return true;
        if (engine_gone(pidfd, 0))
            return atomic_load(&ring->state) > state;
        if (ring_now_ns() > end)
            return false;
        ring_futex_wait(&ring->state, now, 20000000);
    }
}

/* The process in between. System calls only, as above. */
static int spawn_between(void *arg)
{
    struct spawn *s = arg;

    s->pid = clone(spawn_exec, s->stack + ENGINE_STACK, CLONE_VM | CLONE_VFORK | CLONE_PIDFD, s,
                   &s->pidfd);
    if (s->pid < 0) {
        s->what = "make a process for";
        s->error = errno;
    } else if (!s->error) {
        /* The module wants to see whose child it is. */
        engine_await(s->dev->ring, s->pidfd, RING_STARTING);
    }
    _exit(0);
}

/* Starts the program; fills in pid and pidfd. */
static int engine_spawn(struct hmmsvm_device *dev, struct spawn *s)
{
    uint8_t *stacks = mmap(NULL, 2 * ENGINE_STACK, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    int app, pid, cancel, status;
    sigset_t old;

    *s = (struct spawn){.dev = dev, .pid = -1, .pidfd = -1};
    if (stacks == MAP_FAILED)
        return error_set(-ENOMEM, "no memory to start the engine");
    app = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (app < 0) {
        munmap(stacks, 2 * ENGINE_STACK);
        return error_set(-errno, "pidfd_open: %s", strerror(errno));
    }
    s->stack = stacks + ENGINE_STACK;
    s->fds[RING_FD_CONTEXT - RING_FD_CONTEXT] = dev->fd;
    s->fds[RING_FD_RING - RING_FD_CONTEXT] = dev->ring_fd;
    s->fds[RING_FD_APP - RING_FD_CONTEXT] = app;
    s->fds[RING_FD_STOP - RING_FD_CONTEXT] = dev->stop_fd;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    device_block_signals(&old);
    pid = clone(spawn_between, stacks + ENGINE_STACK, CLONE_VM | CLONE_VFORK | CLONE_FILES, s);
    if (pid < 0) {
        s->what = "make a process for";
        s->error = errno;
    } else {
        while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
            ;
    }
    device_restore_signals(&old);
    pthread_setcancelstate(cancel, NULL);
    close(app);
    munmap(stacks, 2 * ENGINE_STACK);
    if (!s->error)
        return 0;
    if (s->pidfd >= 0)
        close(s->pidfd);
    return error_set(-s->error, "cannot %s the engine program %s: %s", s->what, dev->engine_path,
                     strerror(s->error));
}

/* Says why the engine did not become ready. */
static int engine_start_failed(struct hmmsvm_device *dev, bool gone)
{
    const struct ring *ring = dev->ring;
    int err = ring->error > 0 && ring->error < 4096 ? ring->error : EIO;
    const char *why = strerror(err);

    if (atomic_load(&ring->state) != RING_FAILED)
        return error_set(-EIO, "the engine program %s %s; HMMSVM_DEBUG=1 says more",
                         dev->engine_path,
                         gone ? "ended before it was ready" : "was not ready within a minute");
    switch (ring->step) {
    case RING_STEP_RING:
        return error_set(-EPROTO, "the engine program %s is of another version than libhmmsvm: "
                         "install both from the same build, or mend HMMSVM_ENGINE",
                         dev->engine_path);
    case RING_STEP_ATTACH:
        return error_set(-err, "the module does not take the engine: %s", why);
    case RING_STEP_PROGRAM:
        return error_set(-err, "the engine cannot read its own program file %s: %s (is /proc "
                         "mounted, may the file be read?)", dev->engine_path, why);
    case RING_STEP_BREAK:
        return error_set(-err, "the engine cannot freeze its heap at 0x%" PRIx64 ": %s",
                         ring->detail, why);
    case RING_STEP_PLACE:
        return error_set(-err, "the engine finds no room for itself in its window: %s", why);
    case RING_STEP_LOAD:
        return error_set(-err, "the engine cannot load itself at 0x%" PRIx64 ": %s (is there a "
                         "limit on memory: ulimit -v, vm.overcommit_memory?)", ring->detail, why);
    case RING_STEP_CLEAR:
        return error_set(-err, "the engine cannot clear its window at 0x%" PRIx64 ": %s",
                         ring->detail, why);
    case RING_STEP_MIRROR:
        return error_set(-err, "the engine cannot map the mirror at 0x%" PRIx64 ": %s%s",
                         ring->detail, why,
                         err == ENOMEM ? " (is there a limit on address space: ulimit -Hv?)" :
                         err == EPERM  ? " (does this kernel seal system mappings: "
                                         "CONFIG_MSEAL_SYSTEM_MAPPINGS?)" : "");
    case RING_STEP_RESIDUE:
        return error_set(-err, "the engine has a mapping at 0x%" PRIx64 " that is neither in its "
                         "window nor the mirror", ring->detail);
    case RING_STEP_WATCH:
        return error_set(-err, "the engine cannot watch this process: %s", why);
    case RING_STEP_SANDBOX:
        return error_set(-err, "the engine cannot give up its system calls: %s (has this kernel "
                         "CONFIG_SECCOMP_FILTER, and does no filter forbid seccomp(2)?)", why);
    case RING_STEP_WORKERS:
        return error_set(-err, "the engine cannot start %u workers with stacks of %zu bytes: %s",
                         dev->config.workers, dev->config.stack_size, why);
    default:
        return error_set(-err, "the engine could not start: %s", why);
    }
}

/* Closes what is known of an engine that has ended. */
static void engine_forget(struct hmmsvm_device *dev)
{
    siginfo_t info;

    /* Its parent is init, unless this process is that, or a subreaper. */
    waitid(P_PIDFD, (id_t)dev->engine_pidfd, &info, WEXITED | WNOHANG | __WALL);
    close(dev->engine_pidfd);
    dev->engine_pidfd = -1;
    dev->engine_pid = -1;
}

/* Ends the engine without a word; the monitor sees it. */
void engine_kill(struct hmmsvm_device *dev)
{
    syscall(SYS_pidfd_send_signal, dev->engine_pidfd, SIGKILL, NULL, 0);
}

/*
 * Ends the engine, if there is one: by a word, which it hears whatever user
 * this process is by now, and by a signal if it does not listen.
 */
void engine_end(struct hmmsvm_device *dev)
{
    uint64_t one = 1;

    if (dev->engine_pidfd < 0)
        return;
    if (write(dev->stop_fd, &one, sizeof(one)) != sizeof(one) ||
        !engine_gone(dev->engine_pidfd, ENGINE_CLOSE_MS)) {
        engine_kill(dev);
        engine_gone(dev->engine_pidfd, ENGINE_CLOSE_MS);
    }
    engine_forget(dev);
    /* For the next one. */
    if (read(dev->stop_fd, &one, sizeof(one)) < 0)
        return;
}

/*
 * Starts an engine on the ring as it is; returns when it runs. 0, or a negative
 * errno value with words for it. There must be none.
 */
int engine_start(struct hmmsvm_device *dev)
{
    uint64_t one = 1, began = ring_now_ns();
    struct spawn s;
    bool gone;
    int err = engine_spawn(dev, &s);

    if (err)
        return err;
    dev->engine_pid = s.pid;
    dev->engine_pidfd = s.pidfd;
    if (!engine_await(dev->ring, s.pidfd, RING_ATTACHED) ||
        atomic_load(&dev->ring->state) != RING_READY) {
        gone = engine_gone(s.pidfd, atomic_load(&dev->ring->state) == RING_FAILED ? 1000 : 0);
        err = engine_start_failed(dev, gone);
        engine_end(dev);
        atomic_store(&dev->ring->state, RING_STARTING);
        debug_say(dev, "%s", hmmsvm_last_error());
        return err;
    }
    dev->engine_started_ns = ring_now_ns();
    dev->engine_worked = false;
    debug_say(dev, "engine %d started in %.1f ms: %s", s.pid,
              (double)(dev->engine_started_ns - began) / 1e6, dev->engine_path);
    /* The monitor, if there is one, has to watch this one. */
    if (write(dev->kick_fd, &one, sizeof(one)) < 0)
        debug_say(dev, "the monitor does not hear: %s", strerror(errno));
    return 0;
}

/* ---- watching ------------------------------------------------------------------- */

/* The engine has ended on its own: saves what can be saved, starts another. */
static void engine_died(struct hmmsvm_device *dev)
{
    bool soon = ring_now_ns() - dev->engine_started_ns < ENGINE_SOON;
    uint32_t refused = atomic_load(&dev->ring->refused);
    int pid = dev->engine_pid, err;

    engine_forget(dev);
    if (refused)
        debug_say(dev, "the engine made system call %s, which it must not",
                  hmmsvm_call_name(refused - 1));
    launch_recover(dev, false);
    dev->engine_deaths = soon && !dev->engine_worked ? dev->engine_deaths + 1 : 0;
    dev->resets++;
    debug_say(dev, "engine %d has ended, reset %u", pid, dev->resets);
    if (dev->engine_deaths >= ENGINE_DEATHS_MAX) {
        debug_say(dev, "%u engines in a row ended at once: the next is started by a launch",
                  dev->engine_deaths);
        dev->engine_deaths = 0;
        err = -EIO;
    } else {
        err = engine_start(dev);
    }
    if (err)
        launch_recover(dev, true);
    ring_notify(dev->ring);
}

static void *engine_monitor(void *arg)
{
    struct hmmsvm_device *dev = arg;
    bool closing = false;

    while (!closing) {
        struct pollfd p[2] = {{.fd = dev->kick_fd, .events = POLLIN}, {.events = POLLIN}};
        uint64_t kicks;

        pthread_mutex_lock(&dev->lock);
        p[1].fd = dev->engine_pidfd;
        pthread_mutex_unlock(&dev->lock);
        if (poll(p, 2, -1) < 0)
            continue;
        if (p[0].revents && read(dev->kick_fd, &kicks, sizeof(kicks)) < 0)
            continue;
        pthread_mutex_lock(&dev->lock);
        closing = dev->closing;
        if (!closing && p[1].revents && dev->engine_pidfd == p[1].fd)
            engine_died(dev);
        pthread_mutex_unlock(&dev->lock);
    }
    return NULL;
}

/* Starts the thread that watches the engine. */
int engine_monitor_start(struct hmmsvm_device *dev)
{
    sigset_t old;
    int err;

    device_block_signals(&old);
    err = pthread_create(&dev->monitor, NULL, engine_monitor, dev);
    device_restore_signals(&old);
    if (err)
        return error_set(-err, "cannot start a thread: %s", strerror(err));
    pthread_setname_np(dev->monitor, "hmmsvm-monitor");
    return 0;
}

void engine_monitor_stop(struct hmmsvm_device *dev)
{
    uint64_t one = 1;

    pthread_mutex_lock(&dev->lock);
    dev->closing = true;
    pthread_mutex_unlock(&dev->lock);
    if (write(dev->kick_fd, &one, sizeof(one)) == sizeof(one))
        pthread_join(dev->monitor, NULL);
}
