/* SPDX-License-Identifier: MIT */
/*
 * migrate.c - how fast memory moves to device memory and back
 *
 * A moves SIZE bytes by request, or by the faults of either side. Its peers B are memcpy() of as
 * many bytes between two warm buffers, the kernel's own move_pages(2) from one NUMA node to another
 * and back, and the kernel's own HMM driver, test_hmm, where its module can be loaded: HMMSVM_TEST_HMM
 * names the file (it is given its own copy of the memory, and its time holds a copy of the data to
 * user space that its request always makes). What B cannot do here is left out, and said.
 *
 * Locking: none, one thread and one launch at a time.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <hmmsvm/client.h>
#include <hmmsvm/policy.h>

#define PAGE   4096ul
#define BLOCK  (2ul << 20)
#define SIZE   (32ul << 20)
#define PAGES  (SIZE / PAGE)
#define BLOCKS (SIZE / BLOCK)

/* The request of the kernel's lib/test_hmm.c, as its own user interface has it. */
struct test_hmm_request {
    uint64_t addr, ptr, npages, cpages, faults;
};

#define TEST_HMM_TO_DEVICE _IOWR('H', 0x02, struct test_hmm_request)
#define TEST_HMM_TO_SYSTEM _IOWR('H', 0x03, struct test_hmm_request)

static struct hmmsvm_device *device;
static uint8_t *copy_from, *copy_to;
static int test_hmm = -1;

struct job {
    volatile uint8_t *at;
    uint64_t size;
};

/* Runs in the engine: no C library, no system calls. */
static void touch_workgroup(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                            unsigned long z)
{
    struct job *job = ((struct job **)(void *)args)[0];
    volatile uint8_t *p = job->at, *end = p + job->size;

    (void)ctx, (void)x, (void)y, (void)z;
    for (; p < end; p += PAGE)
        *p = 1;
}

/* SIZE bytes, aligned to a block, with or without huge pages. */
static uint8_t *map(bool huge)
{
    uint8_t *raw = mmap(NULL, SIZE + BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                        -1, 0), *p;

    if (raw == MAP_FAILED)
        bench_die("cannot map %lu MiB: %s", SIZE >> 20, strerror(errno));
    p = (uint8_t *)(((uintptr_t)raw + BLOCK - 1) & ~(BLOCK - 1));
    munmap(raw, (size_t)(p - raw));
    munmap(p + SIZE, BLOCK - (size_t)(p - raw));
    if (madvise(p, SIZE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
        bench_die("madvise: %s", strerror(errno));
    return p;
}

static void stats(struct hmmsvm_stats *s)
{
    if (hmmsvm_device_stats(device, s))
        bench_die("cannot read the counters: %s", hmmsvm_last_error());
}

static double mb_per_s(uint64_t ns)
{
    return (double)SIZE * 1e3 / (double)(ns ? ns : 1);
}

/* ---- A -------------------------------------------------------------------------- */

static double request(uint8_t *p, unsigned flags)
{
    struct hmmsvm_migrate m;
    uint64_t begin = bench_ns();

    if (hmmsvm_device_migrate(device, p, SIZE, flags, &m))
        bench_die("cannot migrate: %s", hmmsvm_last_error());
    begin = bench_ns() - begin;
    if (m.pages_moved < PAGES * 99 / 100)
        bench_die("only %llu of %lu pages moved", (unsigned long long)m.pages_moved, PAGES);
    return mb_per_s(begin);
}

static uint64_t touch_here(uint8_t *p)
{
    uint64_t begin = bench_ns();

    for (size_t i = 0; i < SIZE; i += PAGE)
        *(volatile uint8_t *)(p + i) = 2;
    return bench_ns() - begin;
}

static uint64_t touch_by_device(uint8_t *p, uint64_t size)
{
    struct job job = {.at = p, .size = size};
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

    if (hmmsvm_run(device, &launch, &end))
        bench_die("cannot run a work-group: %s", hmmsvm_last_error());
    if (end.status != HMMSVM_OK)
        bench_die("a work-group ended %s", hmmsvm_status_name(end.status));
    return end.end_ns - end.start_ns;
}

static void policy(const char *name)
{
    if (hmmsvm_device_policy(device, name, "lru"))
        bench_die("cannot choose a policy: %s", hmmsvm_last_error());
}

/* ---- B -------------------------------------------------------------------------- */

static double copy(void)
{
    uint64_t begin = bench_ns();

    memcpy(copy_to, copy_from, SIZE);
    /* Or the compiler sees that nobody looks. */
    __asm__ volatile("" : : "r"(copy_to) : "memory");
    return mb_per_s(bench_ns() - begin);
}

/* Moves @p to NUMA node @node; 0 if the system cannot. */
static double move(uint8_t *p, int node)
{
    static void *pages[PAGES];
    static int nodes[PAGES], status[PAGES];
    uint64_t begin;

    for (size_t i = 0; i < PAGES; i++) {
        pages[i] = p + i * PAGE;
        nodes[i] = node;
    }
    begin = bench_ns();
    if (syscall(SYS_move_pages, 0, PAGES, pages, nodes, status, 2) < 0)
        return 0;
    begin = bench_ns() - begin;
    for (size_t i = 0; i < PAGES; i++)
        if (status[i] != node)
            return 0;
    return mb_per_s(begin);
}

static void test_hmm_open(void)
{
    const char *file = getenv("HMMSVM_TEST_HMM");
    int fd;

    if (file && *file && access("/dev/hmm_dmirror0", F_OK)) {
        fd = open(file, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            syscall(SYS_finit_module, fd, "", 0);
            close(fd);
        }
    }
    test_hmm = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);
}

static double test_hmm_move(uint8_t *p, unsigned long request)
{
    struct test_hmm_request r = {
        .addr = (uintptr_t)p, .ptr = (uintptr_t)copy_to, .npages = PAGES};
    uint64_t begin = bench_ns();

    /* It counts a huge page as one, on the way back. */
    if (ioctl(test_hmm, request, &r))
        bench_die("test_hmm does not move pages: %s", strerror(errno));
    if (r.cpages != PAGES && r.cpages != BLOCKS)
        bench_die("test_hmm moved %llu of %lu pages", (unsigned long long)r.cpages, PAGES);
    return mb_per_s(bench_ns() - begin);
}

/* ---- the figures ------------------------------------------------------------------ */

/* A's ways there and back against B's. */
static void measure_ways(struct bench *b, bool huge)
{
    enum { TO_COPY, BACK_COPY, FAULT_COPY, TO_MOVE, TO_HMM, BACK_HMM, FIGURES };
    static const char *const what[FIGURES] = {
        "to the device; memcpy", "back by request; memcpy", "back by CPU faults; memcpy",
        "to the device; move_pages", "to the device; test_hmm", "back by request; test_hmm",
    };
    static char names[2][FIGURES][64];
    struct bench_figure *f[FIGURES] = {0};
    uint8_t *p = map(huge), *q = map(huge), *r = map(huge);
    const char *kind = huge ? "2 MiB pages" : "4 KiB pages";
    bool moves;

    touch_here(q);
    moves = move(q, 1) > 0 && move(q, 0) > 0;
    for (unsigned i = 0; i < FIGURES; i++) {
        snprintf(names[huge][i], sizeof(names[huge][i]), "%s, %s", kind, what[i]);
        if ((i != TO_MOVE || moves) && (i < TO_HMM || test_hmm >= 0))
            f[i] = bench_figure(b, names[huge][i], "MB/s", BENCH_HIGHER);
    }
    bench_progress(b, kind);
    for (unsigned i = 0; i <= b->repeat; i++) {
        double to, back, fault, copied, moved = 0, hmm_to = 0, hmm_back = 0;

        /* Each begins with memory that was just written, and comes back right after. */
        touch_here(p);
        to = request(p, HMMSVM_MIGRATE_TO_DEVICE);
        back = request(p, HMMSVM_MIGRATE_TO_SYSTEM);
        touch_here(copy_from);
        copied = copy();
        if (moves) {
            touch_here(q);
            moved = move(q, 1);
            move(q, 0);
        }
        if (test_hmm >= 0) {
            touch_here(r);
            hmm_to = test_hmm_move(r, TEST_HMM_TO_DEVICE);
            hmm_back = test_hmm_move(r, TEST_HMM_TO_SYSTEM);
        }
        touch_here(p);
        request(p, HMMSVM_MIGRATE_TO_DEVICE);
        fault = mb_per_s(touch_here(p));
        if (!i)
            continue;
        bench_pair(f[TO_COPY], to, copied);
        bench_pair(f[BACK_COPY], back, copied);
        bench_pair(f[FAULT_COPY], fault, copied);
        if (moves && moved > 0)
            bench_pair(f[TO_MOVE], to, moved);
        if (test_hmm >= 0) {
            bench_pair(f[TO_HMM], to, hmm_to);
            bench_pair(f[BACK_HMM], back, hmm_back);
        }
    }
    munmap(p, SIZE);
    munmap(q, SIZE);
    munmap(r, SIZE);
}

static long minor_faults(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
}

/*
 * Faults a block, and the time, of a first touch in order. The policy has to learn that it is in
 * order: the first eighth is for that.
 */
static void measure_first_touch(struct bench *b)
{
    const uint64_t warm = SIZE / 8, rest = SIZE - warm;
    struct bench_figure *faults, *speed;

    bench_progress(b, "first touch");
    faults = bench_figure(b, "first touch in order, once warm", "faults/2 MiB", BENCH_LOWER);
    speed = bench_figure(b, "first touch in order, once warm", "MB/s", BENCH_HIGHER);
    policy(HMMSVM_DEFAULT_PLACEMENT);
    for (unsigned i = 0; i <= b->repeat; i++) {
        struct hmmsvm_stats before, after;
        uint8_t *p = map(true);
        uint64_t at_device, here;
        long minor;

        touch_by_device(p, warm);
        stats(&before);
        at_device = touch_by_device(p + warm, rest);
        stats(&after);
        munmap(p, SIZE);
        p = map(true);
        minor = minor_faults();
        here = touch_here(p);
        minor = minor_faults() - minor;
        munmap(p, SIZE);
        if (!i)
            continue;
        bench_pair(faults, (double)(after.device_faults - before.device_faults) * BLOCK / rest,
                   (double)minor * BLOCK / SIZE);
        bench_pair(speed, (double)rest * 1e3 / (double)at_device, mb_per_s(here));
        bench_count(speed, "device faults", (double)(after.device_faults - before.device_faults));
        bench_count(speed, "pages to the device",
                    (double)(after.pages_to_device - before.pages_to_device));
        bench_count(speed, "of them without a copy",
                    (double)(after.pages_zeroed - before.pages_zeroed));
    }
    policy("remote");
}

int main(int argc, char **argv)
{
    struct bench b = {
        .name = "migrate",
        .title = "how fast memory moves to device memory and back",
        .a = "32 MiB move to device memory, or back",
        .b = "memcpy of 32 MiB, move_pages(2) to another node, test_hmm, or a CPU thread's first "
             "touch, as the figure says",
        .repeat = 15,
    };
    struct hmmsvm_open_params params = {.workers = 1};
    struct hmmsvm_device_info info;
    struct hmmsvm_memory memory;

    bench_begin(&b, argc, argv);
    if (hmmsvm_device_open(&params, &device))
        bench_die("no device: %s", hmmsvm_last_error());
    hmmsvm_device_info(device, &info);
    bench_mode(&b, hmmsvm_mode_name(info.mode), info.reason);
    if (info.mode != HMMSVM_MODE_KERNEL)
        bench_nothing(&b, "only kernel mode has device memory (try --guest)");
    if (hmmsvm_device_memory(device, &memory))
        bench_nothing(&b, "the module has no device memory (hmmsvm load)");
    if (memory.bytes < 2 * SIZE)
        bench_nothing(&b, "%llu MiB of device memory are too few, %lu are wanted",
                      (unsigned long long)memory.bytes >> 20, 2 * SIZE >> 20);
    policy("remote");
    copy_from = map(true);
    copy_to = map(true);
    touch_here(copy_from);
    touch_here(copy_to);
    test_hmm_open();
    if (test_hmm < 0)
        fprintf(stderr, "migrate: without test_hmm (HMMSVM_TEST_HMM names its module)\n");

    measure_ways(&b, true);
    measure_ways(&b, false);
    measure_first_touch(&b);
    hmmsvm_device_close(device);
    return bench_end(&b);
}
