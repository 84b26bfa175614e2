/* SPDX-License-Identifier: MIT */
/*
 * fault_injection.c - the n-th allocation fails, for every n until none is left to fail:
 * of a request either way, of a CPU fault and of a device fault. What was asked for is done,
 * done in part or refused, and no page loses its content.
 *
 * Of debug kernels with CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC and CONFIG_FAULT_INJECTION_DEBUG_FS.
 * A page fault may be refused with a signal, which is clean; a device fault starts over.
 */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "devmem.h"

#define DEBUG "/sys/kernel/debug/"
#define PAGES 64ul
#define MOST 3000

static struct harness h;
static struct agent a;
static uint64_t *p;
static int nth_fd;
static unsigned injected, refused, signals;

static int knob(const char *attribute, const char *name, const char *value)
{
    char path[128];

    snprintf(path, sizeof(path), DEBUG "%s/%s", attribute, name);
    return memory_put(path, value);
}

/* From now on the @n-th allocation of this thread fails; 0: none. */
static void fail_nth(unsigned n)
{
    char text[16];
    int len = snprintf(text, sizeof(text), "%u", n);

    CHECK_EQ(pwrite(nth_fd, text, (size_t)len, 0), len);
}

/* Whether it has failed. */
static bool has_failed(void)
{
    char text[16] = "";

    CHECK_GE(pread(nth_fd, text, sizeof(text) - 1, 0), 1);
    fail_nth(0);
    return !atoi(text);
}

/* The failures of an operation, one after the other. */
#define EACH_FAILURE(what, prepare, operation, judge)                                              \
    do {                                                                                           \
        unsigned n_;                                                                               \
        bool hit_ = true;                                                                          \
                                                                                                   \
        for (n_ = 1; hit_ && n_ < MOST; n_++) {                                                    \
            prepare;                                                                               \
            fail_nth(n_);                                                                          \
            operation;                                                                             \
            hit_ = has_failed();                                                                   \
            injected += hit_;                                                                      \
            judge;                                                                                 \
        }                                                                                          \
        CHECK_LT(n_, MOST);                                                                        \
        printf("%s: %u allocations\n", what, n_ - 2);                                              \
    } while (0)

static sigjmp_buf back;

static void on_bus(int signal)
{
    (void)signal;
    fail_nth(0);
    siglongjmp(back, 1);
}

/* A CPU write; false if it was refused with a signal. */
static bool touch(volatile uint64_t *at, uint64_t value)
{
    if (sigsetjmp(back, 1)) {
        signals++;
        return false;
    }
    *at = value;
    return true;
}

static void content(uint64_t seed)
{
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512 + i], seed + i);
}

static void request(bool huge)
{
    size_t bytes = huge ? DEVMEM_BLOCK : PAGES * HARNESS_PAGE;
    struct hmmsvm_migrate m;
    int rc = 0;

    p = memory_blocks(1);
    CHECK(!madvise(p, DEVMEM_BLOCK, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
    devmem_fill(p, PAGES, 1000);
    EACH_FAILURE(huge ? "huge page to the device" : "to the device",
                 devmem_move(&h, p, DEVMEM_BLOCK, DEVMEM_TO_SYSTEM),
                 rc = devmem_request(&h, p, bytes, DEVMEM_TO_DEVICE, &m),
                 {
                     refused += rc != 0 || m.pages_failed;
                     CHECK(rc == 0 || rc == -ENOMEM);
                     if (!hit_)
                         CHECK_EQ(m.pages_moved, bytes / HARNESS_PAGE);
                     CHECK_EQ(agent_read(&a, &p[5 * 512 + 5]), 1005);
                     content(1000);
                 });
    EACH_FAILURE(huge ? "huge page to the system" : "to the system",
                 devmem_move(&h, p, bytes, DEVMEM_TO_DEVICE),
                 rc = devmem_request(&h, p, bytes, DEVMEM_TO_SYSTEM, &m),
                 {
                     refused += rc != 0 || m.pages_failed;
                     CHECK(rc == 0 || rc == -ENOMEM);
                     if (!hit_)
                         CHECK_EQ(devmem_resident(&h), 0);
                     CHECK_EQ(agent_read(&a, &p[5 * 512 + 5]), 1005);
                     content(1000);
                 });
    {
        bool done = false;

        EACH_FAILURE(huge ? "CPU fault on a huge page" : "CPU fault",
                     { p[7 * 512] = 0; devmem_move(&h, p, bytes, DEVMEM_TO_DEVICE); },
                     done = touch(&p[7 * 512], n_),
                     {
                         if (!hit_)
                             CHECK_EQ(done, true);
                         if (hit_ && done)
                             CHECK_EQ(p[7 * 512], n_);
                         CHECK_EQ(agent_read(&a, &p[7 * 512]), done ? n_ : 0);
                         content(1000);
                     });
    }
    CHECK(!munmap(p, DEVMEM_BLOCK));
}

/* Memory that nobody has touched, or that is zero pages: none of it may become anything else. */
static void zeroes(bool huge, bool read)
{
    struct hmmsvm_migrate m;
    int rc = 0;

    EACH_FAILURE(read ? "zero pages" : "untouched memory",
                 {
                     p = memory_blocks(1);
                     CHECK(!madvise(p, DEVMEM_BLOCK, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
                     for (unsigned i = 0; read && i < PAGES; i++)
                         CHECK_EQ(((volatile uint64_t *)p)[i * 512], 0);
                 },
                 rc = devmem_request(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE, &m),
                 {
                     refused += rc != 0 || m.pages_failed;
                     CHECK(rc == 0 || rc == -ENOMEM);
                     CHECK_EQ(agent_sum_pages(&a, p, DEVMEM_BLOCK_PAGES), 0);
                     agent_write(&a, &p[3 * 512], 3);
                     CHECK_EQ(p[3 * 512], 3);
                     CHECK_EQ(p[4 * 512], 0);
                     CHECK(!munmap(p, DEVMEM_BLOCK));
                 });
}

/* The same for each thread of the engine, which allocates nothing but in device faults. */
static bool engine_fail_nth(unsigned n)
{
    char path[64], text[16];
    bool hit = false;
    struct dirent *e;
    DIR *tasks;

    hmmsvm_device_info(h.dev, &h.info);
    snprintf(path, sizeof(path), "/proc/%d/task", h.info.engine_pid);
    tasks = opendir(path);
    CHECK(tasks);
    while ((e = readdir(tasks))) {
        int fd;

        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%.10s/fail-nth", h.info.engine_pid, e->d_name);
        fd = open(path, O_RDWR | O_CLOEXEC);
        CHECK(fd >= 0);
        memset(text, 0, sizeof(text));
        CHECK_GE(pread(fd, text, sizeof(text) - 1, 0), 1);
        hit |= !atoi(text);
        snprintf(text, sizeof(text), "%u", n);
        CHECK_GE(pwrite(fd, text, strlen(text), 0), 1);
        close(fd);
    }
    closedir(tasks);
    return hit;
}

static void device_faults(const char *policy)
{
    bool hit = true;
    unsigned n;

    p = devmem_small(1);
    devmem_fill(p, PAGES, 1000);
    p[9 * 512] = 0;
    CHECK_OK(hmmsvm_device_policy(h.dev, policy, NULL));
    for (n = 1; hit && n < MOST; n++) {
        /* Home, and no entry of the device's left. */
        devmem_move(&h, p, DEVMEM_BLOCK, DEVMEM_TO_SYSTEM);
        CHECK(!mprotect(p, DEVMEM_BLOCK, PROT_READ));
        CHECK(!mprotect(p, DEVMEM_BLOCK, PROT_READ | PROT_WRITE));
        engine_fail_nth(n);
        CHECK_EQ(agent_add(&a, &p[9 * 512], 1), n - 1);
        hit = engine_fail_nth(0);
        injected += hit;
        CHECK_EQ(p[9 * 512], n);
        content(1000);
    }
    CHECK_LT(n, MOST);
    printf("device fault (%s): %u allocations\n", policy, n - 2);
    CHECK_OK(hmmsvm_device_policy(h.dev, "remote", NULL));
    CHECK(!munmap(p, DEVMEM_BLOCK));
}

int main(void)
{
    static const char *const attributes[] = {"failslab", "fail_page_alloc"};
    struct sigaction bus = {.sa_handler = on_bus};

    devmem_open(&h, 1, "remote");
    if (access(DEBUG "failslab", F_OK))
        mount("debugfs", DEBUG, "debugfs", 0, NULL);
    nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
    if (nth_fd < 0 || access(DEBUG "failslab", F_OK) || access(DEBUG "fail_page_alloc", F_OK))
        SKIP("this kernel makes no allocations fail (CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC)");
    for (unsigned i = 0; i < 2; i++) {
        /* No reports: the log is to be clean. Only fail-nth decides, of every allocation. */
        CHECK(!knob(attributes[i], "verbose", "0"));
        CHECK(!knob(attributes[i], "probability", "0"));
        CHECK(!knob(attributes[i], "ignore-gfp-wait", "N"));
    }
    knob("fail_page_alloc", "ignore-gfp-highmem", "N");
    knob("fail_page_alloc", "min-order", "0");
    CHECK(!sigaction(SIGBUS, &bus, NULL));
    CHECK(!sigaction(SIGSEGV, &bus, NULL));
    agent_begin(&a, &h);
    harness_mark(&h);
    request(false);
    request(true);
    zeroes(false, false);
    zeroes(false, true);
    zeroes(true, true);
    CHECK_EQ(harness_delta(&h).failed_faults, 0);
    device_faults("remote");
    device_faults("touch");
    CHECK_GE(injected, 20);
    printf("%u failures, %u requests in part, %u signals; %llu pages found no device memory, %llu no system memory\n",
           injected, refused, signals, (unsigned long long)harness_delta(&h).failed_no_memory,
           (unsigned long long)harness_delta(&h).failed_no_system_memory);
    agent_end(&a);
    harness_close(&h);
    devmem_used_is(0, 0);
    return 0;
}
