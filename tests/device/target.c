/* SPDX-License-Identifier: MIT */
/* target.c - who may look into another process's contexts, and steer them */
#include "devmem.h"

static int ask(int fd, unsigned pid, unsigned context, struct hmmsvm_stats *s)
{
    *s = (struct hmmsvm_stats){.size = sizeof(*s), .target = {pid, context}};
    return ioctl(fd, HMMSVM_IOC_STATS, s) ? errno : 0;
}

static int choose(int fd, unsigned pid, unsigned context, const char *placement)
{
    struct hmmsvm_policy_choice c = {.size = sizeof(c), .target = {pid, context}};

    if (placement) {
        c.flags = HMMSVM_POLICY_SET_PLACEMENT;
        snprintf(c.placement, sizeof(c.placement), "%s", placement);
    }
    return ioctl(fd, HMMSVM_IOC_POLICY, &c) ? errno : 0;
}

static int blocks(int fd, unsigned pid, unsigned context)
{
    struct hmmsvm_residency_block b[4];
    struct hmmsvm_residency r = {.size = sizeof(r), .count = 4, .target = {pid, context},
                                 .blocks = (uintptr_t)b};

    return ioctl(fd, HMMSVM_IOC_RESIDENCY, &r) ? errno : 0;
}

static int ring(int fd, unsigned pid, unsigned context)
{
    struct hmmsvm_events e = {.size = sizeof(e), .entries = 128, .target = {pid, context}};

    if (ioctl(fd, HMMSVM_IOC_EVENTS, &e))
        return errno;
    close(e.fd);
    return 0;
}

static int tunable(int fd, unsigned pid, unsigned context)
{
    struct hmmsvm_tunable_value v = {.size = sizeof(v), .target = {pid, context}};

    return ioctl(fd, HMMSVM_IOC_TUNABLE, &v) ? errno : 0;
}

static void all(int fd, unsigned pid, unsigned context, int wanted)
{
    struct hmmsvm_stats s;

    CHECK_EQ(ask(fd, pid, context, &s), wanted);
    CHECK_EQ(choose(fd, pid, context, "touch"), wanted);
    CHECK_EQ(choose(fd, pid, context, NULL), wanted);
    CHECK_EQ(blocks(fd, pid, context), wanted);
    CHECK_EQ(ring(fd, pid, context), wanted);
    CHECK_EQ(tunable(fd, pid, context), wanted);
}

int main(void)
{
    struct hmmsvm_stats s, own;
    struct harness h[2];
    uint64_t *p;
    pid_t app = getpid(), gone, child;
    int value, fd;

    devmem_open(&h[0], 1, "remote");
    devmem_open(&h[1], 1, "remote");
    fd = devmem_node();
    p = devmem_small(1);
    devmem_fill(p, 512, 1);
    CHECK_EQ(devmem_move(&h[1], p, 100 * HARNESS_PAGE, DEVMEM_TO_DEVICE), 100);

    /* The file that asks has no context of its own. */
    all(fd, 0, 0, ENOTCONN);
    all(fd, (unsigned)app, 2, ENOENT);
    all(fd, (unsigned)app, ~0u, ENOENT);
    CHECK_EQ(ask(fd, (unsigned)app, 0, &s), 0);
    CHECK_EQ(s.pages_to_device, 0);
    CHECK_EQ(ask(fd, (unsigned)app, 1, &s), 0);
    CHECK_EQ(s.pages_to_device, 100);
    CHECK_OK(hmmsvm_device_stats(h[1].dev, &own));
    CHECK_EQ(own.device_pages, s.device_pages);

    gone = fork();
    CHECK(gone >= 0);
    if (!gone)
        _exit(0);
    devmem_child_ok(gone);
    all(fd, (unsigned)gone, 0, ESRCH);
    /* Kernel threads, and processes that are no application. */
    CHECK_EQ(ask(fd, 2, 0, &s), ESRCH);
    CHECK_EQ(ask(fd, 1, 0, &s), ENOENT);

    /* Another process of the same user. */
    child = fork();
    CHECK(child >= 0);
    if (!child) {
        all(fd, (unsigned)app, 0, 0);
        all(fd, (unsigned)app, 1, 0);
        /* Not so the file of the application itself, which forked children have. */
        CHECK_EQ(ask(fd, 0, 0, &s), ENOTCONN);
        _exit(0);
    }
    devmem_child_ok(child);
    value = choose(fd, (unsigned)app, 0, "remote");
    CHECK_EQ(value, 0);

    /* Somebody else, with the node open already. */
    if (geteuid() == 0) {
        child = fork();
        CHECK(child >= 0);
        if (!child) {
            CHECK(!setresgid(1234, 1234, 1234));
            CHECK(!setresuid(1234, 1234, 1234));
            all(fd, (unsigned)app, 0, EPERM);
            all(fd, (unsigned)app, 1, EPERM);
            all(fd, (unsigned)app, 2, ENOENT);
            all(fd, (unsigned)gone, 0, ESRCH);
            _exit(0);
        }
        devmem_child_ok(child);
        /* The same user without the application's capabilities. */
        child = fork();
        CHECK(child >= 0);
        if (!child) {
            CHECK(!setresgid(0, 0, 1234));
            CHECK(!setresuid(0, 1234, 1234));
            all(fd, (unsigned)app, 0, EPERM);
            _exit(0);
        }
        devmem_child_ok(child);
    }
    harness_close(&h[0]);
    /* The other one is the first now. */
    CHECK_EQ(ask(fd, (unsigned)app, 0, &s), 0);
    CHECK_EQ(s.pages_to_device, 100);
    CHECK_EQ(ask(fd, (unsigned)app, 1, &s), ENOENT);
    harness_close(&h[1]);
    CHECK_EQ(ask(fd, (unsigned)app, 0, &s), ENOENT);
    return 0;
}
