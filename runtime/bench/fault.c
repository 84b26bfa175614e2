/* SPDX-License-Identifier: MIT */
/*
 * fault.c - what a page costs that the device touches for the first time
 *
 * A is a work-group in the engine that touches every page of a region in order; between two runs
 * the entries of the engine are taken away by making the region inaccessible and accessible again.
 * B is a thread of this process that does the same, in the same code, to a fresh mapping of shared
 * memory whose pages are all there: the kernel's own minor fault, its fault-around included.
 * The last figure is about memory that nobody has touched before; B then is a CPU thread's own
 * first touch. No huge pages on either side.
 *
 * A's time is the work-group's own, from its start to its end, without the way there and back.
 *
 * Locking: none, one thread and one launch at a time.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <hmmsvm/client.h>

#define PAGE  4096ul
#define PAGES 8192ul
#define SIZE  (PAGES * PAGE)

static struct hmmsvm_device *device;

struct job {
    volatile uint8_t *at;
    bool write;
    uint8_t sum;
};

/* The same machine code for both sides: neither gets a copy of its own. */
__attribute__((noinline)) static void touch(struct job *job)
{
    volatile uint8_t *p = job->at, *end = p + SIZE;
    uint8_t sum = 0;

    if (job->write) {
        for (; p < end; p += PAGE)
            *p = 1;
    } else {
        for (; p < end; p += PAGE)
            sum += *p;
    }
    job->sum = sum;
}

/* Runs in the engine: no C library, no system calls. */
static void touch_workgroup(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                            unsigned long z)
{
    (void)ctx, (void)x, (void)y, (void)z;
    touch(((struct job **)(void *)args)[0]);
}

static void *map(int fd)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);

    if (p == MAP_FAILED)
        bench_die("cannot map %lu MiB: %s", SIZE >> 20, strerror(errno));
    if (madvise(p, SIZE, MADV_NOHUGEPAGE) && errno != EINVAL)
        bench_die("cannot do without huge pages: %s", strerror(errno));
    return p;
}

static void protect(void *p, int prot)
{
    if (mprotect(p, SIZE, prot))
        bench_die("mprotect: %s", strerror(errno));
}

static long minor_faults(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
}

static void stats(struct hmmsvm_stats *s)
{
    int err = hmmsvm_device_stats(device, s);

    if (err)
        bench_die("cannot read the counters: %s", hmmsvm_last_error());
}

/* Microseconds a page of the device's touching p. */
static double touch_by_device(void *p, bool write)
{
    struct job job = {.at = p, .write = write};
    void *args[1] = {&job};
    struct hmmsvm_launch launch = {
        .name = "touch",
        .fn = touch_workgroup,
        .groups = {1, 1, 1},
        .args = args,
        .nargs = 1,
        HMMSVM_NO_CTX,
    };
    struct hmmsvm_completion end;
    int err = hmmsvm_run(device, &launch, &end);

    if (err)
        bench_die("cannot run a work-group: %s", hmmsvm_last_error());
    if (end.status != HMMSVM_OK)
        bench_die("a work-group ended %s at address %p", hmmsvm_status_name(end.status),
                  (void *)(uintptr_t)end.address);
    return (double)(end.end_ns - end.start_ns) / 1e3 / PAGES;
}

/* The same of this thread's. */
static double touch_here(void *p, bool write)
{
    struct job job = {.at = p, .write = write};
    uint64_t begin = bench_ns();

    touch(&job);
    return (double)(bench_ns() - begin) / 1e3 / PAGES;
}

struct question {
    const char *name;
    bool shared, write, fresh;
};

static void measure(struct bench *b, const struct question *q, int memfd)
{
    struct bench_figure *f = bench_figure(b, q->name, "us/page", BENCH_LOWER);
    void *region = q->fresh ? NULL : map(q->shared ? memfd : -1);

    bench_progress(b, q->name);
    /* The first pair is for warming up. */
    for (unsigned i = 0; i <= b->repeat; i++) {
        struct hmmsvm_stats before, after;
        double at_device, here;
        long faults;
        void *p = region ? region : map(-1);

        if (region) {
            protect(p, PROT_NONE);
            protect(p, PROT_READ | PROT_WRITE);
            touch_here(p, true);
        }
        stats(&before);
        at_device = touch_by_device(p, q->write);
        stats(&after);
        if (!region)
            munmap(p, SIZE);

        p = map(q->fresh ? -1 : memfd);
        faults = minor_faults();
        here = touch_here(p, q->write);
        faults = minor_faults() - faults;
        munmap(p, SIZE);

        if (!i)
            continue;
        bench_pair(f, at_device, here);
        bench_count(f, "pages touched", PAGES);
        bench_count(f, "device faults", after.device_faults - before.device_faults);
        bench_count(f, "pages mirrored", after.pages_mirrored - before.pages_mirrored);
        bench_count(f, "of them writable", after.pages_writable - before.pages_writable);
        bench_count(f, "faults of B", faults);
        bench_count(f, "brought in singly", after.app_faults - before.app_faults);
        bench_count(f, "brought in ahead", after.pages_populated - before.pages_populated);
        bench_count(f, "us/page in the handler",
                    (double)(after.fault_ns - before.fault_ns) / 1e3 / PAGES);
    }
    if (region)
        munmap(region, SIZE);
}

int main(int argc, char **argv)
{
    static const struct question questions[] = {
        {.name = "read, anonymous memory"},
        {.name = "write, anonymous memory", .write = true},
        {.name = "read, shared memory", .shared = true},
        {.name = "write, shared memory", .shared = true, .write = true},
        {.name = "first touch, anonymous memory", .write = true, .fresh = true},
    };
    struct bench b = {
        .name = "fault",
        .title = "what a page costs that is touched for the first time",
        .a = "the device touches each page of 32 MiB through the mirror",
        .b = "a CPU thread touches each page of a fresh mapping: of shared memory that is there, "
             "or (first touch) of anonymous memory",
        .repeat = 15,
    };
    struct hmmsvm_open_params params = {.workers = 1};
    struct hmmsvm_device_info info;
    void *p;
    int fd;

    bench_begin(&b, argc, argv);
    if (hmmsvm_device_open(&params, &device))
        bench_die("no device: %s", hmmsvm_last_error());
    hmmsvm_device_info(device, &info);
    bench_mode(&b, hmmsvm_mode_name(info.mode), info.reason);
    if (info.mode != HMMSVM_MODE_KERNEL)
        bench_nothing(&b, "only kernel mode has a mirror (try --guest)");
    /* The mirror alone: nothing is to move. */
    if (info.kernel.features & HMMSVM_FEATURE_DEVICE_MEMORY &&
        hmmsvm_device_policy(device, "remote", NULL))
        bench_die("cannot choose a policy: %s", hmmsvm_last_error());

    fd = memfd_create("bench-fault", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, SIZE))
        bench_die("no shared memory: %s", strerror(errno));
    p = map(fd);
    touch_here(p, true);
    munmap(p, SIZE);

    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
        measure(&b, &questions[i], fd);
    hmmsvm_device_close(device);
    return bench_end(&b);
}
