/* SPDX-License-Identifier: MIT */
/*
 * fork_busy.c - an application with launches under way forks: the child opens a device of its own, with
 * an engine of its own, sees its own copy of the memory, and the parent's launches go on
 */
#include <pthread.h>

#include "devmem.h"

static struct harness h;
static uint32_t stop, launches;

HARNESS_WG static void adds(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                            unsigned long z)
{
    (void)ctx, (void)x, (void)y, (void)z;
    __atomic_add_fetch(HARNESS_ARG(uint64_t, args, 0), 1, __ATOMIC_SEQ_CST);
}

static void *launches_all_the_time(void *arg)
{
    uint64_t *count = harness_map(HARNESS_PAGE), wanted = 0;
    void *args[] = {count};
    struct hmmsvm_launch launch = {
        .name = "adds", .fn = adds, .groups = {16, 1, 1}, .args = args, .nargs = 1, HMMSVM_NO_CTX};

    (void)arg;
    while (!harness_get(&stop)) {
        struct hmmsvm_completion c;

        CHECK_OK(hmmsvm_run(h.dev, &launch, &c));
        CHECK_STATUS(&c, HMMSVM_OK);
        wanted += 16;
        CHECK_EQ(harness_get(count), wanted);
        __atomic_add_fetch(&launches, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

int main(void)
{
    struct hmmsvm_device_info info;
    pthread_t threads[2];
    uint64_t *p;

    harness_open(&h, 2);
    p = harness_map(HARNESS_PAGE);
    *p = 100;
    for (int i = 0; i < 2; i++)
        CHECK(!pthread_create(&threads[i], NULL, launches_all_the_time, NULL));
    for (int round = 1; round <= 5; round++) {
        uint32_t before = harness_get(&launches);
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (!pid) {
            struct hmmsvm_stats s;
            struct harness own;

            alarm(60);
            CHECK_EQ(hmmsvm_device_stats(h.dev, &s), -ENODEV);
            harness_open(&own, 1);
            CHECK_NE(own.info.engine_pid, h.info.engine_pid);
            harness_run_ok(&own, adds, p, 10);
            CHECK_EQ(*p, 110);
            harness_close(&own);
            _exit(0);
        }
        devmem_child_ok(pid);
        CHECK_EQ(*p, 100);
        harness_run_ok(&h, adds, p, 10);
        CHECK_EQ(*p, 110);
        *p = 100;
        while (harness_get(&launches) - before < 4)
            usleep(1000);
    }
    harness_set(&stop, 1);
    for (int i = 0; i < 2; i++)
        CHECK(!pthread_join(threads[i], NULL));
    hmmsvm_device_info(h.dev, &info);
    CHECK_EQ(info.resets, 0);
    CHECK_EQ(info.engine_pid, h.info.engine_pid);
    harness_close(&h);
    return 0;
}
