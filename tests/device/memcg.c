/* SPDX-License-Identifier: MIT */
/*
 * memcg.c - an application with less memory than its buffer has, and swap: the device
 * and the CPU get right data, and moving pages charges nothing twice
 */
#include <signal.h>
#include <sys/stat.h>

#include "devmem.h"

#define GROUP "/sys/fs/cgroup/hmmsvm-test"
/* Device memory is charged too and cannot be swapped out: the limit is above it. */
#define ABOVE (12ul << 20)

static uint64_t limit;

struct work {
    uint64_t *p;
    uint64_t pages;
};

HARNESS_WG static void sweep(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                             unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);

    (void)ctx, (void)x, (void)y, (void)z;
    for (uint64_t i = 0; i < w->pages; i++)
        w->p[i * 512 + i % 512] += 3;
}

static void app(void)
{
    static const char *const placement[] = {"touch", "adaptive"};
    uint64_t pages = (limit + ABOVE) / HARNESS_PAGE, begin = harness_ns();
    struct hmmsvm_stats s;
    struct harness h;
    struct work *w;

    devmem_open(&h, 1, "remote");
    CHECK(!memory_put(GROUP "/cgroup.procs", "0"));
    w = harness_map(HARNESS_PAGE);
    w->pages = pages;
    w->p = devmem_small((unsigned)(pages / DEVMEM_BLOCK_PAGES));
    for (unsigned i = 0; i < 2; i++) {
        devmem_fill(w->p, pages, 1000 * i);
        CHECK_OK(hmmsvm_device_policy(h.dev, placement[i], NULL));
        harness_mark(&h);
        harness_run_ok(&h, sweep, w, 1);
        s = harness_delta(&h);
        CHECK_EQ(s.policy_errors + s.failed_faults, 0);
        if (!i)
            CHECK_GE(s.pages_to_device, pages / 4);
        devmem_check(w->p, pages, 1000 * i + 3);
        /* In bulk, more than fits; and home again. */
        devmem_fill(w->p, pages, 500 * i);
        devmem_move(&h, w->p, pages * HARNESS_PAGE, DEVMEM_TO_DEVICE);
        harness_run_ok(&h, sweep, w, 1);
        devmem_move(&h, w->p, pages * HARNESS_PAGE, DEVMEM_TO_SYSTEM);
        devmem_check(w->p, pages, 500 * i + 3);
        printf("%-9s after %.1f s: %llu pages evicted, %llu back for the CPU, %llu found no memory\n", placement[i],
               (double)(harness_ns() - begin) / 1e9,
               (unsigned long long)s.pages_to_system_evicted, (unsigned long long)s.pages_to_system_cpu,
               (unsigned long long)s.failed_no_system_memory);
    }
    CHECK_LE(memory_get(GROUP "/memory.current"), limit);
    harness_close(&h);
    _exit(0);
}

int main(void)
{
    struct hmmsvm_memory memory;
    char text[32];
    pid_t pid;
    int status;

    devmem_needed();
    CHECK(devmem_memory(0, &memory));
    if (memory.bytes > 64ull << 20)
        SKIP("%llu MiB of device memory are too many for this test", (unsigned long long)memory.bytes >> 20);
    limit = memory.bytes + ABOVE;
    snprintf(text, sizeof(text), "%llu", (unsigned long long)limit);
    if (!memory_has_swap())
        SKIP("no swap space");
    memory_put("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
    if (mkdir(GROUP, 0755) && errno != EEXIST)
        SKIP("no memory cgroups: %s", strerror(errno));
    if (memory_put(GROUP "/memory.max", text)) {
        rmdir(GROUP);
        SKIP("no memory cgroups: %s", strerror(errno));
    }
    pid = fork();
    CHECK(pid >= 0);
    if (!pid)
        app();
    CHECK(waitpid(pid, &status, 0) == pid);
    for (int i = 0; i < 100 && rmdir(GROUP); i++)
        usleep(10000);
    if (WIFEXITED(status) && WEXITSTATUS(status) == HARNESS_SKIP)
        return HARNESS_SKIP;
    CHECK_EQ(status, 0);
    devmem_used_is(0, 0);
    return 0;
}
