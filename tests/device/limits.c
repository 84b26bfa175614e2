/* SPDX-License-Identifier: MIT */
/*
 * limits.c - little address space, strict accounting of memory, few
 * descriptors: the device works where it can, and says what is short where not
 *
 * Each case runs in a process of its own, as limits cannot be raised again.
 */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "harness.h"

static void set_limit(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit limit = {soft, hard};

    CHECK(!setrlimit(resource, &limit));
}

HARNESS_WG static void counts(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                              unsigned long z)
{
    (void)ctx, (void)x, (void)y, (void)z;
    __atomic_add_fetch(HARNESS_ARG(uint32_t, args, 0), 1, __ATOMIC_SEQ_CST);
}

static void works(struct harness *h)
{
    uint32_t *count = harness_map(HARNESS_PAGE);

    harness_open(h, 2);
    harness_run_ok(h, counts, count, 100);
    CHECK_EQ(*count, 100);
}

/* A soft limit is the application's: the window is smaller, the engine has no limit. */
static void soft_limit(void)
{
    struct harness h;
    struct rlimit limit;

    CHECK(!getrlimit(RLIMIT_AS, &limit));
    set_limit(RLIMIT_AS, 6ull << 30, limit.rlim_max);
    works(&h);
    CHECK_LE(h.info.window_len, 4ull << 30);
    CHECK_GE(h.info.window_len, 256ull << 20);
    harness_close(&h);
}

/* A hard one is the engine's, too, and the mirror is as large as the address space. */
static void hard_limit(void)
{
    struct hmmsvm_open_params params = {.mode = HMMSVM_MODE_KERNEL, .workers = 2};
    struct hmmsvm_device *dev;

    set_limit(RLIMIT_AS, 6ull << 30, 6ull << 30);
    CHECK_EQ(hmmsvm_device_open(&params, &dev), -ENOMEM);
    CHECK(strstr(hmmsvm_last_error(), "mirror"));
    CHECK(strstr(hmmsvm_last_error(), "ulimit"));

    /* Direct mode needs none. */
    params.mode = HMMSVM_MODE_DIRECT;
    CHECK_OK(hmmsvm_device_open(&params, &dev));
    hmmsvm_device_close(dev);
}

static void no_window(void)
{
    struct hmmsvm_open_params params = {.mode = HMMSVM_MODE_KERNEL, .workers = 2};
    struct hmmsvm_device *dev;
    struct rlimit limit;

    CHECK(!getrlimit(RLIMIT_AS, &limit));
    set_limit(RLIMIT_AS, 200ull << 20, limit.rlim_max);
    CHECK_EQ(hmmsvm_device_open(&params, &dev), -ENOMEM);
    CHECK(strstr(hmmsvm_last_error(), "window"));
    CHECK(strstr(hmmsvm_last_error(), "ulimit -v"));
}

static void few_descriptors(void)
{
    struct hmmsvm_open_params params = {.mode = HMMSVM_MODE_KERNEL, .workers = 2};
    struct hmmsvm_device *dev;

    for (rlim_t n = 3; n < 8; n++) {
        set_limit(RLIMIT_NOFILE, n, 1024);
        CHECK_NE(hmmsvm_device_open(&params, &dev), 0);
        CHECK_GT(strlen(hmmsvm_last_error()), 10);
        /* And nothing is left open. */
        CHECK(fcntl(3, F_GETFD) == -1);
    }
    set_limit(RLIMIT_NOFILE, 24, 1024);
    CHECK_OK(hmmsvm_device_open(&params, &dev));
    hmmsvm_device_close(dev);
}

/* The mirror and the window are not charged as memory. */
static void strict_accounting(void)
{
    int fd = open("/proc/sys/vm/overcommit_memory", O_RDWR);
    char before = '0';
    struct harness h;

    if (fd < 0)
        SKIP("vm.overcommit_memory cannot be set here");
    CHECK_EQ(read(fd, &before, 1), 1);
    CHECK_EQ(pwrite(fd, "2", 1, 0), 1);
    works(&h);
    harness_close(&h);
    CHECK_EQ(pwrite(fd, &before, 1, 0), 1);
    close(fd);
}

int main(void)
{
    static void (*const cases[])(void) = {soft_limit, hard_limit, no_window, few_descriptors,
                                          strict_accounting};
    struct harness h;

    /* Decides whether the test has a meaning here. */
    works(&h);
    harness_close(&h);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int status;
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (!pid) {
            /* Descriptors from 3 on are the case's. */
            for (int fd = 3; fd < 64; fd++)
                close(fd);
            cases[i]();
            _exit(0);
        }
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status) || (WEXITSTATUS(status) && WEXITSTATUS(status) != HARNESS_SKIP))
            FAIL("case %u ended with status 0x%x", i, status);
    }
    return 0;
}
