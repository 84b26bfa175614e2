/* SPDX-License-Identifier: MIT */
/*
 * descriptor_passed.c - a context is of use to the address space that made it and to its engine only,
 * however its descriptor gets to others: inherited, over an exec, sent, taken, by another user
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include "devmem.h"

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static struct harness h;
static uint64_t *memory;

/* The descriptor of the device's context: the only one of this process that is the node. */
static int context_fd(void)
{
    for (int fd = 3; fd < 1024; fd++) {
        char path[64], target[256];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n = readlink(path, target, sizeof(target) - 1);
        if (n <= 0)
            continue;
        target[n] = '\0';
        if (strstr(target, "/hmmsvm") && !strstr(target, "memfd"))
            return fd;
    }
    FAIL("this process has no descriptor of the node");
}

#define REFUSED(fd, request, structure, ...)                                                       \
    do {                                                                                           \
        struct structure refused_ = {.size = sizeof(refused_), __VA_ARGS__};                       \
                                                                                                   \
        CHECK_EQ(ioctl(fd, request, &refused_), -1);                                               \
        CHECK_EQ(errno, EPERM);                                                                    \
    } while (0)

/* Everything that is done with a context's own file; @attach_error is why there can be no other engine. */
static void all_refused(int fd, int attach_error)
{
    struct hmmsvm_attach attach = {.size = sizeof(attach)};
    struct hmmsvm_residency_block blocks[4];
    struct hmmsvm_create create = {.size = sizeof(create), .window_start = 0x200000000000,
                                   .window_len = HARNESS_PAGE};
    void *at = (void *)((uintptr_t)memory & ~(HARNESS_PAGE - 1));

    CHECK_EQ(ioctl(fd, HMMSVM_IOC_ATTACH, &attach), -1);
    CHECK_EQ(errno, attach_error);
    REFUSED(fd, HMMSVM_IOC_STATS, hmmsvm_stats);
    REFUSED(fd, HMMSVM_IOC_POLICY, hmmsvm_policy_choice, .flags = HMMSVM_POLICY_SET_PLACEMENT,
            .placement = "touch");
    REFUSED(fd, HMMSVM_IOC_TUNABLE, hmmsvm_tunable_value);
    REFUSED(fd, HMMSVM_IOC_EVENTS, hmmsvm_events, .entries = 128);
    REFUSED(fd, HMMSVM_IOC_RESIDENCY, hmmsvm_residency, .count = 4, .blocks = (uintptr_t)blocks);
    REFUSED(fd, HMMSVM_IOC_MIGRATE, hmmsvm_migrate, .flags = HMMSVM_MIGRATE_TO_SYSTEM,
            .start = (uintptr_t)at, .length = HARNESS_PAGE);
    REFUSED(fd, HMMSVM_IOC_ADVISE, hmmsvm_advise, .start = (uintptr_t)at, .length = HARNESS_PAGE,
            .set = HMMSVM_ADVICE_DEVICE);
    /* It has its application. */
    CHECK_EQ(ioctl(fd, HMMSVM_IOC_CREATE, &create), -1);
    CHECK_EQ(errno, EBUSY);
    /* And nobody but the engine has the mirror: elsewhere, or where the memory is. */
    CHECK(mmap((void *)0x100000000000, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
               fd, 0x100000000000) == MAP_FAILED);
    CHECK_EQ(errno, EPERM);
    CHECK(mmap(at, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
               (off_t)(uintptr_t)at) == MAP_FAILED);
    CHECK_EQ(errno, EPERM);
}

static void send_fd(int to, int fd)
{
    char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 1;
    struct iovec io = {&byte, 1};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control,
                       .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    CHECK_EQ(sendmsg(to, &m, 0), 1);
}

static int receive_fd(int from)
{
    char control[CMSG_SPACE(sizeof(int))], byte;
    struct iovec io = {&byte, 1};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control,
                       .msg_controllen = sizeof(control)};
    int fd;

    CHECK_EQ(recvmsg(from, &m, 0), 1);
    CHECK(CMSG_FIRSTHDR(&m));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
    return fd;
}

/* The ways of getting it. */
enum way { SENT, SENT_TO_NOBODY, EXEC, TAKEN, OPENED, WAYS };

static void other(enum way way, int socket, int fd)
{
    char path[64], number[16], where[32];
    struct hmmsvm_stats stats = {.size = sizeof(stats)};

    switch (way) {
    case SENT_TO_NOBODY:
        CHECK(!setresgid(1234, 1234, 1234) && !setresuid(1234, 1234, 1234));
        /* fall through */
    case SENT:
        all_refused(receive_fd(socket), EPERM);
        break;
    case EXEC:
        fd = receive_fd(socket);
        snprintf(number, sizeof(number), "%d", fd);
        snprintf(where, sizeof(where), "%p", (void *)memory);
        CHECK(!fcntl(fd, F_SETFD, 0));
        execl("/proc/self/exe", "descriptor_passed", number, where, NULL);
        FAIL("exec: %s", strerror(errno));
    case TAKEN: {
        int app = (int)syscall(SYS_pidfd_open, getppid(), 0);

        CHECK(app >= 0);
        fd = (int)syscall(SYS_pidfd_getfd, app, fd, 0);
        CHECK(fd >= 0);
        all_refused(fd, EPERM);
        break;
    }
    default:
        /* That opens the node anew, and is nobody's context. */
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", getppid(), fd);
        fd = open(path, O_RDWR | O_CLOEXEC);
        CHECK(fd >= 0);
        CHECK_EQ(ioctl(fd, HMMSVM_IOC_STATS, &stats), -1);
        CHECK_EQ(errno, ENOTCONN);
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    struct hmmsvm_device_info info;
    struct agent a;
    int fd;

    if (argc == 3) {
        memory = (void *)(uintptr_t)strtoull(argv[2], NULL, 16);
        /* This could be the engine, as the application has started it, if there were none. */
        all_refused(atoi(argv[1]), EBUSY);
        return 0;
    }
    agent_open(&a, &h);
    memory = harness_map(HARNESS_PAGE);
    agent_write(&a, memory, 1);
    fd = context_fd();
    for (enum way way = 0; way < WAYS; way++) {
        int sockets[2];
        pid_t pid;

        if (way == SENT_TO_NOBODY && geteuid() != 0)
            continue;
        CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
        pid = fork();
        CHECK(pid >= 0);
        if (!pid)
            other(way, sockets[1], fd);
        if (way <= EXEC)
            send_fd(sockets[0], fd);
        devmem_child_ok(pid);
        close(sockets[0]);
        close(sockets[1]);
    }
    /* The owner noticed nothing. */
    agent_write(&a, memory, 2);
    CHECK_EQ(*memory, 2);
    hmmsvm_device_info(h.dev, &info);
    CHECK_EQ(info.resets, 0);
    CHECK_EQ(info.engine_pid, h.info.engine_pid);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
