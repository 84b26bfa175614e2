/* SPDX-License-Identifier: MIT */
/*
 * idle.c - what a process pays for having a device that does nothing
 *
 * Two processes do the same system calls in turns. One of them has opened the device, has run a
 * work-group that read and wrote 16 MiB, and has been left alone since; the other has touched the
 * same memory itself. Both are this program, started twice with the same address space layout where
 * the system allows that, and both do what a pipe tells them to.
 *
 * The module watches address space a GiB at a time, from the device's first access on. "Watched"
 * figures are about memory in that very GiB, though in other 2 MiB blocks than the device touched,
 * the rest about memory that is far away.
 *
 * In direct mode the device is threads of the process, and what is measured is what those cost.
 *
 * Locking: none, each process does one thing at a time.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hmmsvm/client.h>

#define PAGE       4096ul
#define GIB        (1ul << 30)
#define RESERVED   (8 * GIB)
#define TOUCHED    (16ul << 20)  /* by the device, from the first GiB boundary on */
#define WATCHED_AT (GIB / 2)     /* in the same GiB */
#define FAR_AT     (4 * GIB)     /* in a GiB that nobody else uses */
#define REGION     (256ul << 10) /* what a loop works on */

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define SLICE_NS 10000000u /* what one measurement takes at least */
#define CHILD_FD 3
#define CHILD    "--child"

enum op { OP_MAP, OP_PROTECT, OP_ADVISE, OP_FORK, OP_COUNTS };

struct order {
    uint32_t op;
    uint32_t watched;
    uint32_t rounds;
};

struct answer {
    uint64_t ns;
    uint64_t invalidations, zapped;
};

/* What a child says when it is ready. */
struct hello {
    char error[256]; /* "" if it is */
    char mode[32];
    char reason[256];
};

/* ---- a child --------------------------------------------------------------- */

static struct hmmsvm_device *device;
static uint8_t *base;

/* Writes without reading first: that would map the zero page, and copy it then. */
static void touch(volatile uint8_t *p, size_t size)
{
    for (volatile uint8_t *end = p + size; p < end; p += PAGE)
        *p = 1;
}

/* Runs in the engine. */
static void touch_all(volatile uint8_t *p)
{
    for (volatile uint8_t *end = p + TOUCHED; p < end; p += PAGE)
        *p = (uint8_t)(*p + 1);
}

static void touch_workgroup(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                            unsigned long z)
{
    (void)ctx, (void)x, (void)y, (void)z;
    touch_all(*((uint8_t ***)(void *)args)[0]);
}

static void child_map(uint8_t *p, size_t size)
{
    if (mmap(p, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
             0) != p)
        bench_die("cannot map %zu bytes at %p: %s", size, (void *)p, strerror(errno));
    if (madvise(p, size, MADV_NOHUGEPAGE) && errno != EINVAL)
        bench_die("cannot do without huge pages: %s", strerror(errno));
}

static void child_unmap(uint8_t *p, size_t size)
{
    if (munmap(p, size))
        bench_die("munmap: %s", strerror(errno));
}

/* Opens the device and has it touch the memory. */
static int child_device(struct hello *hello)
{
    uint8_t *touched = base;
    void *args[1] = {&touched};
    struct hmmsvm_launch launch = {
        .name = "touch",
        .fn = touch_workgroup,
        .groups = {1, 1, 1},
        .args = args,
        .nargs = 1,
        HMMSVM_NO_CTX,
    };
    struct hmmsvm_device_info info;
    struct hmmsvm_completion end;

    if (hmmsvm_device_open(NULL, &device) || hmmsvm_run(device, &launch, &end)) {
        snprintf(hello->error, sizeof(hello->error), "%s", hmmsvm_last_error());
        return -1;
    }
    if (end.status != HMMSVM_OK) {
        snprintf(hello->error, sizeof(hello->error), "a work-group ended %s",
                 hmmsvm_status_name(end.status));
        return -1;
    }
    hmmsvm_device_info(device, &info);
    snprintf(hello->mode, sizeof(hello->mode), "%s", hmmsvm_mode_name(info.mode));
    snprintf(hello->reason, sizeof(hello->reason), "%s", info.reason);
    return 0;
}

static void child_rounds(const struct order *o)
{
    uint8_t *p = base + (o->watched ? WATCHED_AT : FAR_AT);
    uint32_t i;

    for (i = 0; i < o->rounds; i++) {
        switch (o->op) {
        case OP_MAP:
            child_map(p, REGION);
            touch(p, REGION);
            child_unmap(p, REGION);
            break;
        case OP_PROTECT:
            if (mprotect(p, REGION, PROT_READ) || mprotect(p, REGION, PROT_READ | PROT_WRITE))
                bench_die("mprotect: %s", strerror(errno));
            break;
        case OP_ADVISE:
            if (madvise(p, REGION, MADV_DONTNEED))
                bench_die("madvise: %s", strerror(errno));
            touch(p, REGION);
            break;
        case OP_FORK: {
            pid_t pid = fork();
            int status;

            if (!pid)
                _exit(0);
            if (pid < 0 || waitpid(pid, &status, 0) != pid)
                bench_die("fork: %s", strerror(errno));
            break;
        }
        }
    }
}

static struct answer child_obey(const struct order *o)
{
    uint8_t *p = base + (o->watched ? WATCHED_AT : FAR_AT);
    bool region = o->op == OP_PROTECT || o->op == OP_ADVISE;
    struct answer answer = {0};
    struct hmmsvm_stats stats;

    if (o->op == OP_COUNTS) {
        if (device && !hmmsvm_device_stats(device, &stats)) {
            answer.invalidations = stats.invalidations;
            answer.zapped = stats.invalidations_zapped;
        }
        return answer;
    }
    if (region) {
        child_map(p, REGION);
        touch(p, REGION);
    }
    answer.ns = bench_ns();
    child_rounds(o);
    answer.ns = bench_ns() - answer.ns;
    if (region)
        child_unmap(p, REGION);
    return answer;
}

/* Never returns: a child ends when its socket does. */
__attribute__((noreturn)) static void child(bool with_device)
{
    struct hello hello = {0};
    struct order order;

    /* A wide piece of address space of which nobody else takes a part. */
    base = mmap(NULL, RESERVED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        snprintf(hello.error, sizeof(hello.error), "cannot reserve %lu GiB: %s", RESERVED / GIB,
                 strerror(errno));
    } else {
        base = (uint8_t *)(((uintptr_t)base + GIB - 1) & ~(GIB - 1));
        child_unmap(base, TOUCHED);
        child_map(base, TOUCHED);
        touch(base, TOUCHED);
        child_unmap(base + WATCHED_AT, REGION);
        child_unmap(base + FAR_AT, REGION);
        if (with_device)
            child_device(&hello);
    }
    /* Let the workers go to sleep. */
    usleep(100000);
    if (write(CHILD_FD, &hello, sizeof(hello)) != sizeof(hello))
        _exit(1);
    while (read(CHILD_FD, &order, sizeof(order)) == sizeof(order)) {
        struct answer answer = child_obey(&order);

        if (write(CHILD_FD, &answer, sizeof(answer)) != sizeof(answer))
            break;
    }
    hmmsvm_device_close(device);
    _exit(0);
}

/* ---- the parent ----------------------------------------------------------------- */

struct worker {
    int fd;
    struct hello hello;
};

static struct worker worker_start(bool with_device)
{
    struct worker w;
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        bench_die("socketpair: %s", strerror(errno));
    pid = fork();
    if (pid < 0)
        bench_die("fork: %s", strerror(errno));
    if (!pid) {
        int old = personality(0xffffffff);

        /* Not to be had everywhere; without it the pairs are a little less alike. */
        if (old >= 0)
            personality((unsigned long)old | ADDR_NO_RANDOMIZE);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (pair[1] == CHILD_FD)
            fcntl(CHILD_FD, F_SETFD, 0);
        else if (dup2(pair[1], CHILD_FD) < 0)
            _exit(1);
        execl("/proc/self/exe", program_invocation_name, CHILD, with_device ? "with" : "without",
              (char *)NULL);
        _exit(1);
    }
    close(pair[1]);
    w.fd = pair[0];
    if (recv(w.fd, &w.hello, sizeof(w.hello), MSG_WAITALL) != sizeof(w.hello))
        bench_die("the process %s a device ended", with_device ? "with" : "without");
    if (w.hello.error[0])
        bench_die("the process %s a device: %s", with_device ? "with" : "without", w.hello.error);
    return w;
}

static struct answer worker_order(struct worker *w, enum op op, bool watched, uint32_t rounds)
{
    struct order order = {.op = op, .watched = watched, .rounds = rounds};
    struct answer answer;

    if (write(w->fd, &order, sizeof(order)) != sizeof(order) ||
        recv(w->fd, &answer, sizeof(answer), MSG_WAITALL) != sizeof(answer))
        bench_die("a process that was to be measured has ended");
    return answer;
}

struct question {
    const char *name;
    enum op op;
    bool watched;
};

struct calibration {
    struct worker *worker;
    const struct question *question;
};

static uint64_t calibrate(void *arg, unsigned rounds)
{
    struct calibration *c = arg;

    return worker_order(c->worker, c->question->op, c->question->watched, rounds).ns;
}

static void measure(struct bench *b, const struct question *q, struct worker *with,
                    struct worker *without)
{
    struct bench_figure *f = bench_figure(b, q->name, "us/round", BENCH_LOWER);
    struct calibration c = {.worker = without, .question = q};
    unsigned rounds;

    bench_progress(b, q->name);
    rounds = bench_calibrate(calibrate, &c, SLICE_NS);
    for (unsigned i = 0; i <= b->repeat; i++) {
        struct answer before = worker_order(with, OP_COUNTS, false, 0), after;
        double a = (double)worker_order(with, q->op, q->watched, rounds).ns / 1e3 / rounds;
        double peer = (double)worker_order(without, q->op, q->watched, rounds).ns / 1e3 / rounds;

        if (!i)
            continue;
        after = worker_order(with, OP_COUNTS, false, 0);
        bench_pair(f, a, peer);
        bench_count(f, "rounds", rounds);
        bench_count(f, "invalidations seen", (double)(after.invalidations - before.invalidations));
        bench_count(f, "of them took entries", (double)(after.zapped - before.zapped));
    }
}

int main(int argc, char **argv)
{
    /* Fork last: it takes the device's entries away. */
    static const struct question questions[] = {
        {"mmap, touch, munmap", OP_MAP, false},
        {"mmap, touch, munmap, watched", OP_MAP, true},
        {"mprotect twice", OP_PROTECT, false},
        {"mprotect twice, watched", OP_PROTECT, true},
        {"madvise away, touch", OP_ADVISE, false},
        {"madvise away, touch, watched", OP_ADVISE, true},
        {"fork, wait", OP_FORK, false},
    };
    struct bench b = {
        .name = "idle",
        .title = "what a device that does nothing costs its process",
        .a = "a process that has a device, which is idle after it read and wrote 16 MiB",
        .b = "a process without a device",
        .repeat = 41,
    };
    struct worker with, without;

    if (argc == 3 && !strcmp(argv[1], CHILD))
        child(!strcmp(argv[2], "with"));

    bench_begin(&b, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    with = worker_start(true);
    without = worker_start(false);
    bench_mode(&b, with.hello.mode, with.hello.reason);
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
        measure(&b, &questions[i], &with, &without);
    return bench_end(&b);
}
