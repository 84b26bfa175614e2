/* SPDX-License-Identifier: MIT */
/*
 * guest-init.c - process 1 of the test guest, a static program in the initial RAM disk.
 *
 * It puts a tmpfs over the host's root file system (9p, read-only), mounts what a program expects,
 * shares the caller's folder read-write, loads the module, runs the one application of the job
 * with its three standard streams carried over a virtio-serial port, unloads the module, reports,
 * and ends the machine. Nothing of the host's own start-up runs.
 *
 * One thread, one poll loop; no locking. Frames to the launcher are written blocking: a slow reader
 * outside slows the application down, as a pipe would.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/fs.h>

#include "guest-proto.h"

#define NEWROOT     "/newroot"
#define SWAP_DISK   "/dev/vda"

static int port = -1;
static bool guest_failed;

struct job {
    char **argv;
    char **env;
    char *cwd;
    char **shares;
    char **module;      /* path, parameters */
    bool probe;
};

static void write_all(int fd, const void *data, size_t length)
{
    const char *p = data;

    while (length) {
        ssize_t n = write(fd, p, length);

        if (n < 0) {
            if (errno == EINTR)
                continue;
            if (errno == EAGAIN) {
                struct pollfd wait = { .fd = fd, .events = POLLOUT };

                poll(&wait, 1, -1);
                continue;
            }
            return;
        }
        p += n;
        length -= n;
    }
}

/* Sends one frame; it is one write, so that a frame is never torn. */
static void frame_send(uint32_t type, const void *data, uint32_t length)
{
    static char buffer[sizeof(struct guest_frame) + GUEST_FRAME_MAX];
    struct guest_frame head = { .type = type, .length = length };

    if (port < 0)
        return;
    memcpy(buffer, &head, sizeof(head));
    if (length)
        memcpy(buffer + sizeof(head), data, length);
    write_all(port, buffer, sizeof(head) + length);
}

/* Tells the user, and the kernel log, for the case that the port is what is broken. */
static void note(const char *format, ...)
{
    char text[1024];
    va_list args;
    int n, log;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n >= (int)sizeof(text))
        n = sizeof(text) - 1;
    frame_send(GUEST_NOTE, text, n);
    log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    if (log >= 0) {
        dprintf(log, "guest-init: %s\n", text);
        close(log);
    }
}

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

__attribute__((noreturn)) static void finish(int code)
{
    struct guest_status status = { .code = code, .failed = guest_failed };
    struct pollfd drained = { .fd = port, .events = POLLOUT };

    frame_send(GUEST_STATUS, &status, sizeof(status));
    /* The port is writable again once the host has taken the frame. */
    if (port >= 0)
        poll(&drained, 1, 5000);
    reboot(RB_AUTOBOOT);
    _exit(1);
}

/* The guest is of no use: says why and ends the machine. */
static void fail(const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    note("%s", text);
    guest_failed = true;
    finish(125);
}

/* The whole file plus a NUL, its length in *length; NULL if there is none. */
static char *file_read(const char *path, size_t *length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *text;
    ssize_t n = 0;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) || !(text = malloc(st.st_size + 1))) {
        close(fd);
        return NULL;
    }
    *length = 0;
    while (*length < (size_t)st.st_size &&
           (n = read(fd, text + *length, st.st_size - *length)) > 0)
        *length += n;
    text[*length] = '\0';
    close(fd);
    return text;
}

/* The NUL-terminated strings of a file as a NULL-terminated vector; NULL if there is no file. */
static char **strings_read(const char *path)
{
    size_t length, n = 0, i;
    char *text = file_read(path, &length), **vector;

    if (!text)
        return NULL;
    for (i = 0; i < length; i++)
        n += !text[i];
    vector = calloc(n + 1, sizeof(*vector));
    if (!vector || !length) {
        free(text);
        return vector;
    }
    for (i = 0, n = 0; i < length; i += strlen(text + i) + 1)
        vector[n++] = text + i;
    return vector;
}

static void mount_or_note(const char *type, const char *target, unsigned long flags,
                          const char *options)
{
    mkdir(target, 0755);
    if (mount(type, target, type, flags, options))
        note("cannot mount %s on %s: %s", type, target, strerror(errno));
}

static void root_mount(void)
{
    char options[] = "trans=virtio,version=9p2000.L,msize=512000,cache=loose,access=any";

    mkdir("/lower", 0755);
    mkdir("/upper", 0755);
    mkdir(NEWROOT, 0755);
    if (mount(GUEST_ROOT_TAG, "/lower", "9p", MS_RDONLY, options))
        fail("cannot mount the host's root file system: %s", strerror(errno));
    if (mount("upper", "/upper", "tmpfs", 0, "mode=755"))
        fail("cannot mount a tmpfs: %s", strerror(errno));
    mkdir("/upper/data", 0755);
    mkdir("/upper/work", 0755);
    if (mount("root", NEWROOT, "overlay", 0,
              "lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work"))
        fail("cannot lay a tmpfs over the host's root: %s", strerror(errno));

    mount_or_note("proc", NEWROOT "/proc", 0, NULL);
    mount_or_note("sysfs", NEWROOT "/sys", 0, NULL);
    mount_or_note("devtmpfs", NEWROOT "/dev", 0, NULL);
    mkdir(NEWROOT "/dev/pts", 0755);
    mount_or_note("devpts", NEWROOT "/dev/pts", 0, "mode=620,ptmxmode=666");
    mount_or_note("tmpfs", NEWROOT "/dev/shm", 0, "mode=1777");
    mount_or_note("mqueue", NEWROOT "/dev/mqueue", 0, NULL);
    mount_or_note("tmpfs", NEWROOT "/run", 0, "mode=755");
    mount_or_note("debugfs", NEWROOT "/sys/kernel/debug", 0, NULL);
    mount_or_note("cgroup2", NEWROOT "/sys/fs/cgroup", 0, NULL);
}

/*
 * Folders that the application may change for real. "mmap" caches no more than shared mappings
 * need, so the host sees a file when it is closed, even if the guest crashes later.
 */
static void shares_mount(char **shares)
{
    char options[] = "trans=virtio,version=9p2000.L,msize=512000,cache=mmap,access=any";
    int i;

    for (i = 0; shares && shares[i]; i++) {
        char target[4096 + sizeof(NEWROOT)], tag[64], *slash;

        snprintf(target, sizeof(target), NEWROOT "%s", shares[i]);
        /* It is there already, unless it lies where the guest has a file system of its own. */
        for (slash = target + sizeof(NEWROOT); (slash = strchr(slash, '/')); *slash++ = '/') {
            *slash = '\0';
            mkdir(target, 0755);
        }
        mkdir(target, 0755);
        snprintf(tag, sizeof(tag), GUEST_SHARE_TAG "%d", i);
        if (mount(tag, target, "9p", 0, options))
            fail("cannot share %s with the guest: %s", shares[i], strerror(errno));
    }
}

static void root_switch(void)
{
    if (chdir(NEWROOT) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
        fail("cannot switch to the new root: %s", strerror(errno));
}

static void port_open(void)
{
    DIR *folder = opendir("/sys/class/virtio-ports");
    struct dirent *entry;

    while (folder && (entry = readdir(folder))) {
        char path[600];
        size_t length;
        char *name;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
        name = file_read(path, &length);
        if (!name || strncmp(name, GUEST_PORT_NAME, strlen(GUEST_PORT_NAME))) {
            free(name);
            continue;
        }
        free(name);
        snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
        port = open(path, O_RDWR | O_CLOEXEC);
        if (port < 0)
            note("cannot open %s: %s", path, strerror(errno));
        break;
    }
    if (folder)
        closedir(folder);
    if (port < 0)
        fail("there is no port named " GUEST_PORT_NAME);
}

static void loopback_up(void)
{
    struct ifreq request = { .ifr_name = "lo" };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    if (!ioctl(fd, SIOCGIFFLAGS, &request)) {
        request.ifr_flags |= IFF_UP | IFF_RUNNING;
        ioctl(fd, SIOCSIFFLAGS, &request);
    }
    close(fd);
}

/* Writes a swap signature on the launcher's disk, if it gave one, and swaps on it. */
static void swap_on(void)
{
    static union {
        char page[4096];
        struct {
            char boot[1024];
            uint32_t version, last_page, bad_pages;
        } header;
    } first;
    int fd = open(SWAP_DISK, O_RDWR | O_CLOEXEC);
    uint64_t size = 0;

    if (fd < 0)
        return;
    ioctl(fd, BLKGETSIZE64, &size);
    first.header.version = 1;
    first.header.last_page = size / 4096 - 1;
    memcpy(first.page + 4096 - 10, "SWAPSPACE2", 10);
    write_all(fd, first.page, sizeof(first.page));
    fsync(fd);
    close(fd);
    if (swapon(SWAP_DISK, 0))
        note("cannot swap on " SWAP_DISK ": %s", strerror(errno));
}

/* The module's name is its file's name without the ending, with '-' read as '_'. */
static const char *module_name(const char *path)
{
    static char name[128];
    const char *base = strrchr(path, '/');
    char *p;

    snprintf(name, sizeof(name), "%s", base ? base + 1 : path);
    for (p = name; *p && *p != '.'; p++)
        if (*p == '-')
            *p = '_';
    *p = '\0';
    return name;
}

static void module_load(char **module)
{
    int fd = open(module[0], O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        fail("cannot open the module %s: %s", module[0], strerror(errno));
    if (syscall(SYS_finit_module, fd, module[1] ? module[1] : "", 0))
        fail("the kernel refuses the module %s: %s (the kernel log has the reason)", module[0],
             strerror(errno));
    close(fd);
}

/* Files of processes just killed are closed a moment later: a busy module gets five seconds. */
static void module_unload(char **module)
{
    const char *name = module_name(module[0]);
    struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
    int tries;

    for (tries = 0; tries < 100; tries++) {
        if (!syscall(SYS_delete_module, name, O_NONBLOCK))
            return;
        if (errno != EAGAIN && errno != EBUSY && errno != EWOULDBLOCK)
            break;
        nanosleep(&pause, NULL);
    }
    if (errno == ENOENT)
        return;     /* the application unloaded it itself */
    note("the module %s cannot be unloaded: %s", name, strerror(errno));
    guest_failed = true;
}

/*
 * The console does not show a message's level, so the guest looks for what the module itself
 * rated a warning or worse. Everything else that condemns a run the launcher finds in the log.
 */
static void kernel_log_check(void)
{
    int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    char record[8192];
    ssize_t n;

    if (fd < 0)
        return;
    for (;;) {
        unsigned int priority;
        char *text, *end;

        n = read(fd, record, sizeof(record) - 1);
        if (n < 0 && (errno == EPIPE || errno == EINTR))
            continue;
        if (n <= 0)
            break;
        record[n] = '\0';
        text = strchr(record, ';');
        if (!text || sscanf(record, "%u", &priority) != 1 || priority > 4)
            continue;   /* facility 0 is the kernel's; level 4 is a warning */
        text++;
        end = strchr(text, '\n');
        if (end)
            *end = '\0';
        /* Said of every module that is not the kernel's own. */
        if (strstr(text, "loading out-of-tree module") || strstr(text, "module verification"))
            continue;
        if (!strncmp(text, "hmmsvm: ", 8))
            frame_send(GUEST_KLOG, text, strlen(text));
    }
    close(fd);
}

struct stream {
    int fd;             /* our end of the application's pipe, -1 when done */
    uint32_t type;
};

/* Moves what the application wrote; false at end of file. */
static bool stream_forward(struct stream *stream)
{
    static char buffer[GUEST_FRAME_MAX];
    ssize_t n = read(stream->fd, buffer, sizeof(buffer));

    if (n > 0) {
        frame_send(stream->type, buffer, n);
        return true;
    }
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    close(stream->fd);
    stream->fd = -1;
    return false;
}

struct input {
    struct guest_frame head;
    size_t have;                    /* bytes of the frame read so far, its head included */
    char data[GUEST_FRAME_MAX];
    size_t written;                 /* of a complete STDIN frame, given to the application */
    bool complete;
    int pipe;                       /* the application's standard input, -1 when closed */
};

/* Reads at most one frame from the launcher; a complete one is acted on or left for the pipe. */
static void input_read(struct input *in, pid_t app)
{
    char *target;
    size_t want;
    ssize_t n;

    if (in->have < sizeof(in->head)) {
        target = (char *)&in->head + in->have;
        want = sizeof(in->head) - in->have;
    } else {
        target = in->data + in->have - sizeof(in->head);
        want = in->head.length - (in->have - sizeof(in->head));
    }
    if (want) {
        n = read(port, target, want);
        if (n <= 0)
            return;
        in->have += n;
    }
    if (in->have < sizeof(in->head) || in->have < sizeof(in->head) + in->head.length)
        return;
    if (in->head.length > GUEST_FRAME_MAX)
        fail("the launcher sent a frame of %u bytes", in->head.length);

    if (in->head.type == GUEST_STDIN && in->head.length && in->pipe >= 0) {
        in->complete = true;
        in->written = 0;
        return;
    }
    if (in->head.type == GUEST_STDIN && !in->head.length && in->pipe >= 0) {
        close(in->pipe);
        in->pipe = -1;
    } else if (in->head.type == GUEST_SIGNAL && in->head.length == sizeof(int32_t)) {
        int32_t number;

        memcpy(&number, in->data, sizeof(number));
        kill(-app, number);
    }
    in->have = 0;
}

static void input_write(struct input *in)
{
    ssize_t n = write(in->pipe, in->data + in->written, in->head.length - in->written);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        close(in->pipe);    /* the application does not want more */
        in->pipe = -1;
        in->complete = false;
        in->have = 0;
        return;
    }
    in->written += n;
    if (in->written == in->head.length) {
        in->complete = false;
        in->have = 0;
    }
}

static int child_pipe;      /* SIGCHLD wakes the poll loop */

static void child_changed(int number)
{
    /* NOLINTNEXTLINE(bugprone-signal-handler): what errno is made of may be called anywhere */
    int saved = errno;

    (void)number;
    if (write(child_pipe, "", 1) < 0)
        errno = saved;
    errno = saved;
}

static void job_exec(const struct job *job, int in, int out, int err)
{
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    if (chdir(job->cwd)) {
        dprintf(2, "hmmsvm: cannot change to %s in the guest: %s\n", job->cwd, strerror(errno));
        _exit(126);
    }
    environ = job->env;
    execvp(job->argv[0], job->argv);
    dprintf(2, "hmmsvm: cannot run %s: %s\n", job->argv[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

/* Runs the application to its end; returns its status as a shell would. */
static int job_run(const struct job *job)
{
    static struct input in = { .pipe = -1 };
    struct stream out[2];
    int stdin_pipe[2], stdout_pipe[2], stderr_pipe[2], wake[2];
    int code = -1;
    pid_t app;

    if (pipe2(stdin_pipe, O_CLOEXEC) || pipe2(stdout_pipe, O_CLOEXEC) ||
        pipe2(stderr_pipe, O_CLOEXEC) || pipe2(wake, O_CLOEXEC | O_NONBLOCK))
        fail("cannot make pipes: %s", strerror(errno));
    child_pipe = wake[1];
    signal(SIGCHLD, child_changed);
    signal(SIGPIPE, SIG_IGN);

    frame_send(GUEST_READY, NULL, 0);
    app = fork();
    if (app < 0)
        fail("cannot start a process: %s", strerror(errno));
    if (!app)
        job_exec(job, stdin_pipe[0], stdout_pipe[1], stderr_pipe[1]);
    close(stdin_pipe[0]);
    close(stdout_pipe[1]);
    close(stderr_pipe[1]);
    in.pipe = stdin_pipe[1];
    fcntl(in.pipe, F_SETFL, O_NONBLOCK);
    out[0] = (struct stream){ .fd = stdout_pipe[0], .type = GUEST_STDOUT };
    out[1] = (struct stream){ .fd = stderr_pipe[0], .type = GUEST_STDERR };
    fcntl(out[0].fd, F_SETFL, O_NONBLOCK);
    fcntl(out[1].fd, F_SETFL, O_NONBLOCK);

    while (code < 0) {
        struct pollfd polls[5] = {
            { .fd = out[0].fd, .events = POLLIN },
            { .fd = out[1].fd, .events = POLLIN },
            { .fd = wake[0], .events = POLLIN },
            { .fd = in.complete ? -1 : port, .events = POLLIN },
            { .fd = in.complete ? in.pipe : -1, .events = POLLOUT },
        };
        char drop[16];
        int status;
        pid_t pid;

        if (poll(polls, 5, -1) < 0)
            continue;
        if (polls[0].revents)
            stream_forward(&out[0]);
        if (polls[1].revents)
            stream_forward(&out[1]);
        if (polls[3].revents & POLLIN)
            input_read(&in, app);
        if (polls[4].revents)
            input_write(&in);
        while (read(wake[0], drop, sizeof(drop)) > 0)
            ;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
            if (pid == app)
                code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    /* What is left in the pipes belongs to the output; who still holds their ends does not count. */
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    while (out[0].fd >= 0 && stream_forward(&out[0]))
        ;
    while (out[1].fd >= 0 && stream_forward(&out[1]))
        ;
    return code;
}

int main(void)
{
    struct job job = { 0 };
    struct rlimit no_core = { 0, 0 };
    struct stat st;
    size_t length;
    int code, i;

    /* The kernel gave us the console, if it found one; never depend on it. */
    mkdir("/dev", 0755);
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    port_open();

    job.probe = !stat("/" GUEST_JOB_PROBE, &st);
    job.argv = strings_read("/" GUEST_JOB_ARGV);
    job.env = strings_read("/" GUEST_JOB_ENV);
    job.cwd = file_read("/" GUEST_JOB_CWD, &length);
    job.shares = strings_read("/" GUEST_JOB_SHARES);
    job.module = strings_read("/" GUEST_JOB_MODULE);
    if (job.probe)
        finish(0);
    if (!job.argv || !job.argv[0] || !job.env || !job.cwd)
        fail("the RAM disk carries no job");

    root_mount();
    shares_mount(job.shares);
    root_switch();
    if (sethostname("hmmsvm-guest", 12))
        note("cannot set the host name: %s", strerror(errno));
    setrlimit(RLIMIT_CORE, &no_core);
    loopback_up();
    swap_on();
    if (job.module && job.module[0])
        module_load(job.module);

    code = job_run(&job);

    if (job.module && job.module[0])
        module_unload(job.module);
    sync();
    for (i = 0; job.shares && job.shares[i]; i++)
        if (umount2(job.shares[i], MNT_DETACH))
            note("cannot unmount %s: %s", job.shares[i], strerror(errno));
    swapoff(SWAP_DISK);
    kernel_log_check();
    finish(code);
}
