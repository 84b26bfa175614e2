/* SPDX-License-Identifier: MIT */
/*
 * guest.c - boots a test kernel on this machine's own root file system and runs one program there.
 *
 * Parts: the RAM disk (guest-init and the job, a cpio archive in a memfd), QEMU's command line, the
 * trial boot that says whether KVM works, the loop that carries the program's streams, and the
 * judgement of the kernel log.
 *
 * One thread, one poll loop; signals arrive through a signalfd, QEMU is killed when we die.
 * Nothing is left behind but the log.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "guest-proto.h"

#define QEMU            "qemu-system-x86_64"
#define PROBE_SECONDS   15
#define LOGS_KEPT       20
#define GUEST_DEVMEM    "256"   /* MiB */

/*
 * MiB: where the memory that is kept for the device begins, above the kernel, and what the guest
 * needs besides.
 */
#define COHERENT_START  256
#define COHERENT_REST   512

/* ---- the RAM disk ---- */

struct archive {
    FILE *file;
    unsigned inode;
    size_t offset;
};

static void archive_bytes(struct archive *a, const void *data, size_t length)
{
    if (length && fwrite(data, 1, length, a->file) != length)
        cli_die("cannot write the guest's RAM disk: %s", strerror(errno));
    a->offset += length;
}

static void archive_pad(struct archive *a)
{
    archive_bytes(a, "\0\0\0", -a->offset & 3);
}

/* One member in cpio's "newc" format, the only one the kernel reads. */
static void archive_member(struct archive *a, const char *name, unsigned mode, const void *data,
                           size_t length)
{
    char head[111];

    snprintf(head, sizeof(head), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
             ++a->inode, mode, 0, 0, 1, 0, (unsigned)length, 0, 0, 0, 0,
             (unsigned)strlen(name) + 1, 0);
    archive_bytes(a, head, 110);
    archive_bytes(a, name, strlen(name) + 1);
    archive_pad(a);
    archive_bytes(a, data, length);
    archive_pad(a);
}

static void archive_strings(struct archive *a, const char *name, char *const *strings)
{
    size_t length = 0, i;
    char *text, *p;

    for (i = 0; strings[i]; i++)
        length += strlen(strings[i]) + 1;
    p = text = malloc(length + 1);
    if (!text)
        cli_die("out of memory");
    for (i = 0; strings[i]; i++)
        p = stpcpy(p, strings[i]) + 1;
    archive_member(a, name, S_IFREG | 0644, text, length);
    free(text);
}

static void archive_file(struct archive *a, const char *name, unsigned mode, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *data;

    if (fd < 0 || fstat(fd, &st))
        cli_die("%s: %s (built with this command; build or install it again)", path,
                strerror(errno));
    data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        cli_die("cannot read %s: %s", path, strerror(errno));
    archive_member(a, name, mode, data, st.st_size);
    munmap(data, st.st_size);
    close(fd);
}

/* Opens a RAM disk with init in it; archive_end() gives its descriptor, which QEMU inherits. */
static struct archive archive_begin(void)
{
    char *init = cli_format("%s/libexec/hmmsvm/guest-init", cli_prefix());
    int fd = memfd_create("hmmsvm-initrd", 0);
    struct archive a = { 0 };

    if (fd < 0 || !(a.file = fdopen(fd, "w")))
        cli_die("cannot make the guest's RAM disk: %s", strerror(errno));
    archive_file(&a, "init", S_IFREG | 0755, init);
    archive_member(&a, "job", S_IFDIR | 0755, NULL, 0);
    free(init);
    return a;
}

static int archive_end(struct archive *a)
{
    int fd;

    archive_member(a, "TRAILER!!!", 0, NULL, 0);
    if (fflush(a->file))
        cli_die("cannot write the guest's RAM disk: %s", strerror(errno));
    fd = dup(fileno(a->file));
    fclose(a->file);
    if (fd < 0)
        cli_die("cannot keep the guest's RAM disk: %s", strerror(errno));
    return fd;
}

/* ---- QEMU ---- */

struct machine {
    pid_t pid;
    int job;        /* our end of the job port */
};

static void machine_kill(struct machine *m)
{
    if (m->pid <= 0)
        return;
    kill(m->pid, SIGKILL);
    waitpid(m->pid, NULL, 0);
    m->pid = 0;
}

static char *accel_args(bool kvm)
{
    /* 57-bit addresses only on demand: a fifth level of tables makes emulation slower. */
    return kvm ? "kvm" : "tcg,thread=multi,tb-size=512";
}

/* Commas end a QEMU option's value; a doubled comma is a comma. */
static char *qemu_escape(const char *text)
{
    char *out = malloc(2 * strlen(text) + 1), *p = out;

    if (!out)
        cli_die("out of memory");
    for (; *text; text++) {
        if (*text == ',')
            *p++ = ',';
        *p++ = *text;
    }
    *p = '\0';
    return out;
}

/* Adds a folder of this machine to the guest's. */
static void qemu_share(struct cli_strings *args, const char *id, const char *tag, const char *path,
                       bool readonly)
{
    char *escaped = qemu_escape(path);

    cli_strings_add(args, "-fsdev");
    cli_strings_add(args, cli_format("local,id=%s,path=%s,security_model=none,multidevs=remap%s",
                                     id, escaped, readonly ? ",readonly=on" : ""));
    cli_strings_add(args, "-device");
    cli_strings_add(args, cli_format("virtio-9p-pci,fsdev=%s,mount_tag=%s", id, tag));
    free(escaped);
}

static char *kernel_folder(const struct guest_options *o)
{
    return cli_format("%s/kernel-%s-%s", cli_cache(), o->kernel, o->variant);
}

/*
 * Starts QEMU with what every boot needs plus `extra`. The kernel's console goes to `log`. Ends
 * the program when QEMU is not there. A trial's own complaints are not for the user.
 */
static struct machine machine_start(const struct guest_options *o, bool kvm, int initrd,
                                    const char *log, const struct cli_strings *extra, bool trial)
{
    char *folder = kernel_folder(o), *escaped_log = qemu_escape(log);
    struct cli_strings args = { 0 };
    struct machine m;
    int pair[2], gate[2];
    sigset_t none;
    char *append;
    size_t i;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) || pipe2(gate, O_CLOEXEC))
        cli_die("cannot make a socket: %s", strerror(errno));

    /*
     * Interrupts are all MSI: without ACPI's routing the guest need not interpret the firmware's
     * byte code for each device, which a debug kernel takes ten seconds for.
     */
    append = cli_format("console=ttyS0 loglevel=8 log_buf_len=4M panic=-1 oops=panic reboot=t "
                        "acpi=noirq no_timer_check tsc=nowatchdog random.trust_cpu=on");
    for (i = 0; i < o->append.count; i++) {
        char *longer = cli_format("%s %s", append, o->append.items[i]);

        free(append);
        append = longer;
    }
    if (o->coherent_mb)
        append = cli_format("%s memmap=%ldM$%dM", append, o->coherent_mb, COHERENT_START);
#define ADD(text) cli_strings_add(&args, (char *)(text))
    ADD(QEMU);
    ADD("-nodefaults"), ADD("-no-user-config"), ADD("-no-reboot"), ADD("-display"), ADD("none");
    ADD("-machine"), ADD("pc");
    ADD("-accel"), ADD(accel_args(kvm));
    ADD("-cpu"), ADD(kvm ? "host" : "max,la57=off");
    ADD("-m"), ADD(cli_format("%ldM", o->memory_mb));
    /* A CPU a socket: the kernel warns of a socket that spans nodes. */
    ADD("-smp"), ADD(cli_format("%ld,sockets=%ld", o->cpus, o->cpus));
    for (i = 0; o->nodes > 1 && i < (size_t)o->nodes; i++) {
        long share = o->memory_mb / o->nodes;

        if (i == 0)
            share = o->memory_mb - share * (o->nodes - 1);
        ADD("-object"), ADD(cli_format("memory-backend-ram,id=m%zu,size=%ldM", i, share));
        ADD("-numa"), ADD(cli_format("node,nodeid=%zu,memdev=m%zu", i, i));
    }
    for (i = 0; o->nodes > 1 && i < (size_t)o->cpus; i++)
        ADD("-numa"), ADD(cli_format("cpu,node-id=%zu,socket-id=%zu", i % o->nodes, i));
    ADD("-kernel"), ADD(cli_format("%s/vmlinux", folder));
    ADD("-initrd"), ADD(cli_format("/proc/self/fd/%d", initrd));
    ADD("-append"), ADD(append);
    ADD("-chardev"), ADD(cli_format("file,id=log,path=%s", escaped_log));
    ADD("-serial"), ADD("chardev:log");
    ADD("-device"), ADD("virtio-serial-pci");
    ADD("-chardev"), ADD(cli_format("socket,id=job,fd=%d", pair[1]));
    ADD("-device"), ADD("virtserialport,chardev=job,name=" GUEST_PORT_NAME);
    ADD("-device"), ADD("virtio-rng-pci");
#undef ADD
    for (i = 0; extra && i < extra->count; i++)
        cli_strings_add(&args, extra->items[i]);

    if (o->verbose) {
        fprintf(stderr, "hmmsvm:");
        for (i = 0; i < args.count; i++)
            fprintf(stderr, " %s", args.items[i]);
        fputc('\n', stderr);
    }

    m.job = pair[0];
    m.pid = fork();
    if (m.pid < 0)
        cli_die("cannot start a process: %s", strerror(errno));
    if (!m.pid) {
        int null = open("/dev/null", O_RDWR);

        /* Its own group: Ctrl-C is for us, and we end it. */
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(null, 0);
        if (trial && !o->verbose)
            dup2(null, 2);
        dup2(2, 1);
        fcntl(pair[1], F_SETFD, 0);
        execvp(args.items[0], args.items);
        if (write(gate[1], &errno, sizeof(errno)) < 0)
            _exit(1);
        _exit(1);
    }
    close(pair[1]);
    close(gate[1]);
    if (read(gate[0], &errno, sizeof(errno)) == sizeof(errno))
        cli_die("cannot run " QEMU ": %s (Debian: apt install qemu-system-x86)",
                strerror(errno));
    close(gate[0]);
    free(folder);
    free(escaped_log);
    return m;
}

/* ---- frames ---- */

struct receiver {
    struct guest_frame head;
    size_t have;
    char data[GUEST_FRAME_MAX + 1];
};

/* 1: a frame is complete; 0: not yet; -1: the other end is gone or talks nonsense. */
static int frame_receive(struct receiver *r, int fd)
{
    char *target = (char *)&r->head + r->have;
    size_t want = sizeof(r->head) - r->have;
    ssize_t n;

    if (r->have >= sizeof(r->head)) {
        target = r->data + (r->have - sizeof(r->head));
        want = r->head.length - (r->have - sizeof(r->head));
    }
    if (want) {
        n = recv(fd, target, want, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (n <= 0)
            return -1;
        r->have += n;
    }
    if (r->have < sizeof(r->head))
        return 0;
    if (r->head.length > GUEST_FRAME_MAX)
        return -1;
    if (r->have < sizeof(r->head) + r->head.length)
        return 0;
    r->data[r->head.length] = '\0';
    r->have = 0;
    return 1;
}

/* ---- which accelerator ---- */

/* Boots once with KVM and does nothing there. Opening /dev/kvm proves little: it may be nested. */
static bool kvm_boots(const struct guest_options *o)
{
    struct guest_options probe = { .kernel = o->kernel, .variant = o->variant, .memory_mb = 512,
                                   .cpus = o->cpus, .nodes = 1, .verbose = o->verbose };
    char *log = cli_format("%s/kvm-probe.log", cli_cache());
    double deadline = cli_seconds() + PROBE_SECONDS;
    struct archive a = archive_begin();
    struct receiver *r = calloc(1, sizeof(*r));
    struct machine m;
    bool boots = false;
    int initrd;

    if (!r)
        cli_die("out of memory");
    archive_member(&a, GUEST_JOB_PROBE, S_IFREG | 0644, NULL, 0);
    initrd = archive_end(&a);
    m = machine_start(&probe, true, initrd, log, NULL, true);
    close(initrd);
    while (cli_seconds() < deadline) {
        struct pollfd ready = { .fd = m.job, .events = POLLIN };
        int got;

        if (poll(&ready, 1, 200) <= 0)
            continue;
        got = frame_receive(r, m.job);
        if (got < 0)
            break;
        if (got && r->head.type == GUEST_STATUS) {
            boots = true;
            break;
        }
    }
    machine_kill(&m);
    close(m.job);
    free(r);
    free(log);
    return boots;
}

/* The verdict holds for this host kernel and this QEMU. */
static char *kvm_verdict_key(void)
{
    struct stat qemu = { 0 };
    struct utsname host;

    uname(&host);
    if (stat("/usr/bin/" QEMU, &qemu))
        qemu.st_mtime = 0;
    return cli_format("%s %s %lld", host.release, host.version, (long long)qemu.st_mtime);
}

/* Whether to use KVM, and why (a static text). */
static bool accel_choose(const struct guest_options *o, const char **why)
{
    char *path, *key, line[2 * PATH_MAX], *verdict = NULL;
    int kvm, i;
    FILE *file;
    bool boots;

    if (strcmp(o->accel, "auto")) {
        *why = "as asked";
        return !strcmp(o->accel, "kvm");
    }
    kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) {
        *why = errno == EACCES ? "no permission for /dev/kvm; add yourself to the group kvm"
                               : "this machine has no KVM";
        return false;
    }
    close(kvm);

    path = cli_format("%s/kvm-verdict", cli_cache());
    key = kvm_verdict_key();
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strlen(line) > 2 && !strcmp(line + 2, key))
            verdict = line;
        if (verdict)
            break;
    }
    if (file)
        fclose(file);
    if (verdict) {
        boots = line[0] == '+';
    } else {
        if (!o->quiet)
            cli_say("trying a boot with KVM, once, %d s at most", PROBE_SECONDS);
        boots = kvm_boots(o);
        file = fopen(path, "ae");
        if (file) {
            i = fprintf(file, "%c %s\n", boots ? '+' : '-', key);
            if (fclose(file) || i < 0)
                cli_say("cannot remember the verdict on KVM in %s: %s", path, strerror(errno));
        }
    }
    free(path);
    free(key);
    *why = boots ? "KVM works here" : "/dev/kvm opens, but a trial boot with it failed";
    return boots;
}

/* ---- the kernel log ---- */

/* What a sound kernel never prints. */
static const char *const complaints[] = {
    "WARNING:", "BUG:", "BUG at", "Oops", "KASAN", "UBSAN", "KFENCE",
    "Kernel panic", "Call Trace:", "RIP: 0010", "general protection", "unable to handle",
    "possible circular", "possible recursive", "inconsistent lock state", "suspicious RCU",
    "locking correctness validator", "INFO: task ", "blocked for more than", "self-detected stall",
    "detected stalls", "soft lockup", "hard LOCKUP", "scheduling while atomic",
    "sleeping function called", "refcount_t:", "list_add corruption", "list_del corruption",
    "Bad page", "nobody cared", "page allocation failure", "] Out of memory:",
};

/*
 * Whether a line of the log condemns. The stack in an OOM killer's report, of a memory cgroup that
 * has reached its limit, is where the memory was wanted and no sign of a fault; *oom says that the
 * lines are within one.
 */
static bool line_complains(const char *line, bool *oom)
{
    size_t i;

    if (strstr(line, " invoked oom-killer: "))
        *oom = true;
    else if (strstr(line, "</TASK>"))
        *oom = false;
    if (*oom && (strstr(line, "Call Trace:") || strstr(line, "RIP: 0010:")))
        return false;
    for (i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++)
        if (strstr(line, complaints[i]))
            return true;
    return false;
}

/* Prints what in the log condemns the run, at most 40 lines; returns how many there are. */
static unsigned log_judge(const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    unsigned found = 0;
    bool oom = false;

    if (!file) {
        cli_say("cannot read the guest's kernel log %s: %s", path, strerror(errno));
        return 1;
    }
    while (getline(&line, &room, file) > 0) {
        if (!line_complains(line, &oom))
            continue;
        line[strcspn(line, "\r\n")] = '\0';
        if (found++ < 40)
            cli_say("kernel log: %s", line);
    }
    free(line);
    fclose(file);
    return found;
}

/* Whether the kernel got as far as starting anything: before that nothing of ours has run. */
static bool log_has_init(const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    bool found = false;

    while (file && !found && getline(&line, &room, file) > 0)
        found = strstr(line, "as init process") != NULL;
    free(line);
    if (file)
        fclose(file);
    return found;
}

static void log_tail(const char *path, int lines)
{
    FILE *file = fopen(path, "re");
    char *ring[64] = { NULL }, *line = NULL;
    size_t room = 0;
    unsigned long n = 0, i;

    while (file && getline(&line, &room, file) > 0) {
        free(ring[n % 64]);
        ring[n++ % 64] = strdup(line);
    }
    for (i = n > (unsigned long)lines ? n - lines : 0; i < n; i++)
        fprintf(stderr, "  | %s", ring[i % 64] ? ring[i % 64] : "\n");
    for (i = 0; i < 64; i++)
        free(ring[i]);
    free(line);
    if (file)
        fclose(file);
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A new log in the cache, named by time; old ones go. */
static char *log_create(const struct guest_options *o)
{
    char *folder = cli_format("%s/log", cli_cache()), stamp[32], *path;
    struct cli_strings names = { 0 };
    struct dirent *entry;
    time_t now = time(NULL);
    struct tm local;
    DIR *listing;
    size_t i;

    mkdir(folder, 0755);
    listing = opendir(folder);
    while (listing && (entry = readdir(listing)))
        if (!strncmp(entry->d_name, "guest-", 6))
            cli_strings_add(&names, cli_format("%s/%s", folder, entry->d_name));
    if (listing)
        closedir(listing);
    if (names.count)
        qsort(names.items, names.count, sizeof(*names.items), name_compare);
    for (i = 0; i < names.count; i++) {
        if (i + LOGS_KEPT < names.count)
            unlink(names.items[i]);
        free(names.items[i]);
    }
    free(names.items);
    localtime_r(&now, &local);
    strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &local);
    path = cli_format("%s/guest-%s-%d-%s-%s.log", folder, stamp, (int)getpid(), o->kernel, o->variant);
    free(folder);
    return path;
}

/* ---- a run ---- */

struct session {
    const struct guest_options *options;
    struct machine machine;
    struct receiver receiver;
    const char *log;
    bool ready, ended;              /* READY seen, STATUS seen */
    struct guest_status status;
    unsigned condemned;             /* KLOG frames */
    /* a frame of output on its way to us */
    int out_fd;                     /* -1: none */
    size_t out_written;
    /* input on its way to the guest: a frame, its head included */
    char in[sizeof(struct guest_frame) + GUEST_FRAME_MAX];
    size_t in_length, in_written;
    bool in_end;                    /* the end of file is sent or queued */
};

/* Acts on a complete frame; output waits in the receiver until it is written. */
static void session_frame(struct session *s)
{
    struct receiver *r = &s->receiver;

    switch (r->head.type) {
    case GUEST_READY:
        s->ready = true;
        break;
    case GUEST_STDOUT:
    case GUEST_STDERR:
        s->out_fd = r->head.type == GUEST_STDOUT ? STDOUT_FILENO : STDERR_FILENO;
        s->out_written = 0;
        break;
    case GUEST_NOTE:
        cli_say("guest: %s", r->data);
        break;
    case GUEST_KLOG:
        cli_say("kernel log: %s", r->data);
        s->condemned++;
        break;
    case GUEST_STATUS:
        if (r->head.length == sizeof(s->status)) {
            memcpy(&s->status, r->data, sizeof(s->status));
            s->ended = true;
        }
        break;
    default:
        cli_say("guest: unknown frame %u", r->head.type);
    }
}

/* Small pieces: a pipe that poll() calls writable takes 4 KiB without blocking. */
static void session_output(struct session *s)
{
    size_t left = s->receiver.head.length - s->out_written;
    ssize_t n = write(s->out_fd, s->receiver.data + s->out_written, left < 4096 ? left : 4096);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        n = left;       /* nobody reads it: the program goes on, as the rest of it may matter */
    s->out_written += n;
    if (s->out_written >= s->receiver.head.length)
        s->out_fd = -1;
}

static void session_input(struct session *s)
{
    struct guest_frame head = { .type = GUEST_STDIN };
    ssize_t n = read(STDIN_FILENO, s->in + sizeof(head), GUEST_FRAME_MAX);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        s->in_end = true;
        n = 0;
    }
    head.length = n;
    memcpy(s->in, &head, sizeof(head));
    s->in_length = sizeof(head) + n;
    s->in_written = 0;
}

static void session_forward(struct session *s)
{
    ssize_t n = send(s->machine.job, s->in + s->in_written, s->in_length - s->in_written,
                     MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n > 0)
        s->in_written += n;
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        s->in_written = s->in_length;
    if (s->in_written == s->in_length)
        s->in_length = s->in_written = 0;
}

/* Carries the streams until the guest has gone. Returns a signal that ended us, or 0. */
static int session_loop(struct session *s, int signals)
{
    double start = cli_seconds(), end = 0;
    bool gone = false;

    while (!gone || s->out_fd >= 0) {
        struct pollfd polls[5] = {
            { .fd = signals, .events = POLLIN },
            { .fd = s->out_fd < 0 && !gone ? s->machine.job : -1, .events = POLLIN },
            { .fd = s->out_fd, .events = POLLOUT },
            { .fd = s->ready && !s->in_end && !s->in_length ? STDIN_FILENO : -1,
              .events = POLLIN },
            { .fd = s->in_length && !gone ? s->machine.job : -1, .events = POLLOUT },
        };
        double now = cli_seconds();

        if (s->options->timeout_s && now - start > s->options->timeout_s) {
            cli_say("the guest did not end within %ld s (--timeout)", s->options->timeout_s);
            return SIGALRM;
        }
        if (s->ended && !end)
            end = now;
        if (end && now - end > 20) {
            cli_say("the guest's program ended, but the guest did not");
            return SIGALRM;
        }
        if (poll(polls, 5, 500) < 0)
            continue;
        if (polls[0].revents) {
            struct signalfd_siginfo info;

            if (read(signals, &info, sizeof(info)) == sizeof(info))
                return info.ssi_signo;
        }
        if (polls[1].revents) {
            int got = frame_receive(&s->receiver, s->machine.job);

            if (got < 0)
                gone = true;
            else if (got)
                session_frame(s);
        }
        if (polls[2].revents)
            session_output(s);
        if (polls[3].revents)
            session_input(s);
        if (polls[4].revents)
            session_forward(s);
    }
    return 0;
}

/*
 * The guest, until it has gone. Where the machine is emulated a kernel dies now and then while it
 * patches its own code: a guest that did before it started anything is started once more. Returns
 * as session_loop().
 */
static int session_run(struct session *s, bool kvm, int initrd, struct cli_strings *extra,
                       int signals)
{
    const struct guest_options *o = s->options;
    const char *log;
    int ended_by;

    for (unsigned tries = 0;; tries++) {
        s->out_fd = -1;
        s->machine = machine_start(o, kvm, initrd, s->log, extra, false);
        ended_by = session_loop(s, signals);
        machine_kill(&s->machine);
        if (tries || kvm || ended_by || s->ready || s->ended || log_has_init(s->log))
            return ended_by;
        cli_say("the guest died before it started anything; once more; the end of its kernel log:");
        log_tail(s->log, 3);
        log = s->log;
        memset(s, 0, sizeof(*s));
        s->options = o;
        s->log = log;
    }
}

/* A sparse file without a name for the guest to swap on. */
static int swap_create(long megabytes)
{
    const char *folder = getenv("TMPDIR");
    char *path;
    int fd;

    path = cli_format("%s/hmmsvm-swap-XXXXXX", folder && *folder ? folder : "/var/tmp");
    fd = mkstemp(path);
    if (fd < 0 || unlink(path) || ftruncate(fd, megabytes << 20))
        cli_die("cannot make a swap disk (%s): %s; set TMPDIR, or use --swap 0", path,
                strerror(errno));
    free(path);
    return fd;
}

static void kernel_check(const struct guest_options *o)
{
    char *folder = kernel_folder(o), *image = cli_format("%s/vmlinux", folder);

    if (access(image, R_OK))
        cli_die("there is no test kernel %s %s in %s: tests/guest/build-kernel %s %s in the "
                "source tree builds it", o->kernel, o->variant, cli_cache(), o->kernel, o->variant);
    free(folder);
    free(image);
}

static char *module_find(const struct guest_options *o)
{
    char *path;

    if (o->no_module)
        return NULL;
    if (o->module) {
        path = realpath(o->module, NULL);
        if (!path)
            cli_die("the module %s: %s", o->module, strerror(errno));
        return path;
    }
    path = cli_format("%s/lib/hmmsvm/%s-%s/hmmsvm.ko", cli_prefix(), o->kernel, o->variant);
    if (access(path, R_OK))
        cli_die("there is no module for kernel %s %s (%s); build it, name one with --module, or "
                "say --no-module", o->kernel, o->variant, path);
    return path;
}

/* Whether the module has a parameter of that name; the kernel warns of those it has not. */
static bool module_has_param(const char *path, const char *name)
{
    char *entry = cli_format("parmtype=%s:", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    bool has = false;
    void *data;

    if (fd >= 0 && !fstat(fd, &st) && st.st_size) {
        data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data != MAP_FAILED) {
            has = memmem(data, st.st_size, entry, strlen(entry));
            munmap(data, st.st_size);
        }
    }
    if (fd >= 0)
        close(fd);
    free(entry);
    return has;
}

/* Adds the memory that is kept for the device to the module's parameters. */
static char *module_coherent(const struct guest_options *o, const char *module, char *params)
{
    if (!o->coherent_mb)
        return params;
    if (!module_has_param(module, "devmem_range"))
        cli_die("the module %s knows no device memory on a range, but --coherent was given", module);
    if (o->memory_mb < COHERENT_REST + o->coherent_mb)
        cli_die("--coherent %ld leaves too little of the guest's %ld MiB of memory: at least "
                "--memory %ld is needed", o->coherent_mb, o->memory_mb,
                COHERENT_REST + o->coherent_mb);
    return cli_format("%s%sdevmem_range=%ldM@%dM", params, *params ? " " : "", o->coherent_mb,
                      COHERENT_START);
}

/* The module's parameters: those that were given, and device memory unless they say. */
static char *module_params(const struct guest_options *o, const char *module)
{
    const char *given = o->module_params ? o->module_params : "";
    bool can = module_has_param(module, "devmem_mb");

    if (o->devmem && !can && strcmp(o->devmem, "0"))
        cli_die("the module %s knows no device memory, but --devmem was given", module);
    if (!can || (!o->devmem && strstr(given, "devmem_mb=")) ||
        (o->devmem && !strcmp(o->devmem, "0")))
        return module_coherent(o, module, cli_format("%s", given));
    return module_coherent(o, module,
                           cli_format("%s%sdevmem_mb=%s", given, *given ? " " : "",
                                      o->devmem ? o->devmem : GUEST_DEVMEM));
}

int guest_run(const struct guest_options *o, char **argv, char **env)
{
    struct session *s = calloc(1, sizeof(*s));
    struct cli_strings extra = { 0 }, shares = { 0 };
    char *cwd = getcwd(NULL, 0), *module, *log, *job_module[3];
    unsigned complaints_found;
    const char *why;
    struct archive a;
    sigset_t watched;
    int signals, initrd, swap = -1, ended_by, status;
    size_t i;
    bool kvm;

    if (!s || !cwd)
        cli_die("cannot tell the current folder: %s", strerror(errno));
    kernel_check(o);
    module = module_find(o);
    kvm = accel_choose(o, &why);
    log = o->log ? cli_format("%s", o->log) : log_create(o);
    if (!o->quiet)
        cli_say("guest: Linux %s %s, %s: %s", o->kernel, o->variant, kvm ? "KVM" : "emulated", why);

    qemu_share(&extra, "root", GUEST_ROOT_TAG, "/", true);
    if (strcmp(cwd, "/"))
        cli_strings_add(&shares, cwd);
    for (i = 0; i < o->shares.count; i++) {
        char *path = realpath(o->shares.items[i], NULL);

        if (!path)
            cli_die("cannot share %s: %s", o->shares.items[i], strerror(errno));
        /* What lies in the current folder is shared with it. */
        if (strcmp(cwd, "/") && !strncmp(path, cwd, strlen(cwd)) &&
            (path[strlen(cwd)] == '/' || !path[strlen(cwd)])) {
            free(path);
            continue;
        }
        cli_strings_add(&shares, path);
    }
    for (i = 0; i < shares.count; i++) {
        char *id = cli_format("share%zu", i), *tag = cli_format(GUEST_SHARE_TAG "%zu", i);

        qemu_share(&extra, id, tag, shares.items[i], false);
        free(id);
        free(tag);
    }
    if (o->swap_mb) {
        swap = swap_create(o->swap_mb);
        cli_strings_add(&extra, "-drive");
        cli_strings_add(&extra, cli_format("file=/proc/self/fd/%d,format=raw,if=none,id=swap,"
                                           "cache=unsafe,discard=unmap", swap));
        cli_strings_add(&extra, "-device");
        cli_strings_add(&extra, "virtio-blk-pci,drive=swap");
    }

    a = archive_begin();
    archive_strings(&a, GUEST_JOB_ARGV, argv);
    archive_strings(&a, GUEST_JOB_ENV, env);
    archive_member(&a, GUEST_JOB_CWD, S_IFREG | 0644, cwd, strlen(cwd));
    if (shares.count)
        archive_strings(&a, GUEST_JOB_SHARES, shares.items);
    if (module) {
        job_module[0] = module;
        job_module[1] = module_params(o, module);
        job_module[2] = NULL;
        archive_strings(&a, GUEST_JOB_MODULE, job_module);
    }
    initrd = archive_end(&a);

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&watched);
    sigaddset(&watched, SIGINT);
    sigaddset(&watched, SIGTERM);
    sigaddset(&watched, SIGHUP);
    sigaddset(&watched, SIGQUIT);
    sigprocmask(SIG_BLOCK, &watched, NULL);
    signals = signalfd(-1, &watched, SFD_CLOEXEC);
    if (signals < 0)
        cli_die("cannot watch for signals: %s", strerror(errno));

    s->options = o;
    s->log = log;
    ended_by = session_run(s, kvm, initrd, &extra, signals);
    close(initrd);
    if (swap >= 0)
        close(swap);

    if (ended_by && ended_by != SIGALRM) {
        cli_say("ended by signal %d", ended_by);
        return 128 + ended_by;
    }
    complaints_found = log_judge(log) + s->condemned;
    status = s->status.code;
    if (!s->ended) {
        cli_say("%s; the end of its kernel log:",
                !s->ready ? "the guest did not get as far as starting the program"
                : ended_by ? "the guest was ended while its program ran"
                           : "the guest ended while its program ran");
        log_tail(log, 15);
        status = CLI_FAILED;
    } else if (ended_by || s->status.failed || complaints_found) {
        if (complaints_found)
            cli_say("the guest's kernel complained (%u lines); the program's own status was %d",
                    complaints_found, s->status.code);
        status = CLI_FAILED;
    }
    if (status == CLI_FAILED || o->verbose)
        cli_say("kernel log: %s", log);
    free(module);
    free(log);
    free(s);
    return status;
}
