/* SPDX-License-Identifier: MIT */
/* abi.c - the node says no, with the right error, to whoever may not or asks for nonsense */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "harness.h"

#define WINDOW_SIZE (16ul << 20)

#define CHECK_ERRNO(call, wanted)                                                                  \
    do {                                                                                           \
        errno = 0;                                                                                 \
        CHECK((call) == -1);                                                                       \
        CHECK_EQ(errno, wanted);                                                                   \
    } while (0)

static void *window;

static struct hmmsvm_create good_create(void)
{
    return (struct hmmsvm_create){.size = sizeof(struct hmmsvm_create),
                                  .window_start = (uintptr_t)window,
                                  .window_len = WINDOW_SIZE};
}

static int node(void)
{
    int fd = open("/dev/hmmsvm", O_RDWR | O_CLOEXEC);

    CHECK(fd >= 0);
    return fd;
}

static void sizes(void)
{
    struct {
        struct hmmsvm_version v;
        uint64_t more;
    } big = {.v.size = sizeof(big)};
    struct hmmsvm_version v = {.size = sizeof(v)};
    int fd = node();

    CHECK(!ioctl(fd, HMMSVM_IOC_VERSION, &v));
    CHECK_EQ(v.abi_major, HMMSVM_ABI_MAJOR);
    CHECK_EQ(v.page_size, HARNESS_PAGE);
    CHECK(v.features & HMMSVM_FEATURE_MIRROR);
    CHECK(v.release[0]);

    /* A caller of a later version, which asks for nothing new, and one that does. */
    CHECK(!ioctl(fd, HMMSVM_IOC_VERSION, &big));
    CHECK_EQ(big.v.abi_major, HMMSVM_ABI_MAJOR);
    big.v.size = sizeof(big);
    big.more = 1;
    CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_VERSION, &big), E2BIG);
    /* One of an earlier version gets what it has room for. */
    memset(&v, 0xff, sizeof(v));
    memset(&v, 0, 8);
    v.size = 8;
    CHECK(!ioctl(fd, HMMSVM_IOC_VERSION, &v));
    CHECK_EQ(v.abi_major, HMMSVM_ABI_MAJOR);
    CHECK_EQ(v.abi_minor, 0xffffffff);

    v.size = 0;
    CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_VERSION, &v), EINVAL);
    v.size = 1u << 30;
    CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_VERSION, &v), EINVAL);
    CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_VERSION, NULL), EFAULT);
    CHECK_ERRNO(ioctl(fd, _IOWR('H', 0x7f, v), &v), ENOTTY);
    CHECK_ERRNO(ioctl(fd, _IOWR('X', 0x40, v), &v), ENOTTY);
    close(fd);
}

static void create(void)
{
    struct hmmsvm_attach attach = {.size = sizeof(attach)};
    struct hmmsvm_stats stats = {.size = sizeof(stats)};
    struct hmmsvm_create c;
    int fd = node(), other;

    CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_STATS, &stats), ENOTCONN);
    CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_ATTACH, &attach), ENOTCONN);
#define BAD(field, value)                                                                          \
    do {                                                                                           \
        c = good_create();                                                                         \
        c.field = (value);                                                                         \
        CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_CREATE, &c), EINVAL);                                     \
    } while (0)
    BAD(flags, 1);
    BAD(window_start, (uintptr_t)window + 1);
    BAD(window_start, 0);
    BAD(window_start, UINT64_MAX - 4095);
    BAD(window_start, 1ull << 47);
    BAD(window_len, 0);
    BAD(window_len, 100);
    BAD(window_len, UINT64_MAX - 4095);
    BAD(fault_around, 3);
    BAD(fault_around, 1024);
#undef BAD
    c = good_create();
    c.memory = 8;
    CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_CREATE, &c), ENODEV);
    c = good_create();
    CHECK(!ioctl(fd, HMMSVM_IOC_CREATE, &c));
    CHECK_GT(c.va_end, c.va_start);
    c = good_create();
    CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_CREATE, &c), EBUSY);

    /* The application cannot be its own engine, nor map the mirror. */
    CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_ATTACH, &attach), EPERM);
    CHECK(mmap(NULL, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    CHECK_EQ(errno, EPERM);

    /* All counters are zero. */
    CHECK(!ioctl(fd, HMMSVM_IOC_STATS, &stats));
    CHECK_EQ(stats.device_faults + stats.pages_mirrored + stats.ranges, 0);

    /* Two contexts of one application do not disturb each other. */
    other = node();
    c = good_create();
    CHECK(!ioctl(other, HMMSVM_IOC_CREATE, &c));
    close(other);
    CHECK(!ioctl(fd, HMMSVM_IOC_STATS, &stats));
    close(fd);
}

/* A program that the application started, with the descriptor. */
static void program(int fd)
{
    struct hmmsvm_stats stats = {.size = sizeof(stats)};
    struct hmmsvm_attach attach = {.size = sizeof(attach)};
    struct hmmsvm_create c = good_create();
    void *at = (void *)0x100000000000;
    volatile uint64_t *p;
    int status;
    pid_t pid;

    /* A child of its own is none of the application's. */
    pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_ATTACH, &attach), EPERM);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_EQ(status, 0);

    CHECK(!ioctl(fd, HMMSVM_IOC_ATTACH, &attach));
    CHECK_EQ(attach.window_start, (uintptr_t)window);
    CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_ATTACH, &attach), EBUSY);
    CHECK_ERRNO(ioctl(node(), HMMSVM_IOC_CREATE, &c), EBUSY);
    CHECK(!ioctl(fd, HMMSVM_IOC_STATS, &stats));

    /* Only as it is meant to be mapped. */
#define NO_MAP(addr, prot, flags, off)                                                             \
    do {                                                                                           \
    CHECK(mmap(addr, HARNESS_PAGE, prot, flags, fd, (off_t)(off)) == MAP_FAILED);              \
    CHECK_EQ(errno, EINVAL);                                                                   \
    } while (0)
    NO_MAP(at, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, (uintptr_t)at);
    NO_MAP(at, PROT_READ, MAP_SHARED | MAP_FIXED, (uintptr_t)at);
    NO_MAP(at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 0);
    NO_MAP(window, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, (uintptr_t)window);
#undef NO_MAP
    p = mmap(at, 2 * HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
             (off_t)(uintptr_t)at);
    CHECK(p == at);
    /* It stays where and what it is. */
    CHECK(mprotect(at, HARNESS_PAGE, PROT_READ));
    CHECK(mremap(at, HARNESS_PAGE, 2 * HARNESS_PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
    CHECK(mremap(at, 2 * HARNESS_PAGE, 2 * HARNESS_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                 (char *)at + (64 << 20)) == MAP_FAILED);
    pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        /* Not inherited: msync() tells what is not mapped. */
        CHECK_ERRNO(msync(at, HARNESS_PAGE, MS_ASYNC), ENOMEM);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_EQ(status, 0);
}

/* What a child, which has the descriptor, can do with it. */
static void child(void)
{
    struct hmmsvm_create c = good_create();
    int fd = node(), status;
    pid_t pid;

    CHECK(!ioctl(fd, HMMSVM_IOC_CREATE, &c));
    pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        struct hmmsvm_stats stats = {.size = sizeof(stats)};
        struct hmmsvm_attach attach = {.size = sizeof(attach)};
        char number[16], where[32];
        void *at = (void *)0x100000000000;

        CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_STATS, &stats), EPERM);
        CHECK(mmap(at, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                   (off_t)(uintptr_t)at) == MAP_FAILED);
        CHECK_EQ(errno, EPERM);
        attach.flags = 1;
        CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_ATTACH, &attach), EINVAL);
        attach.flags = 0;
        /* It is the application's copy, and no program that was started to be an engine. */
        CHECK_ERRNO(ioctl(fd, HMMSVM_IOC_ATTACH, &attach), EPERM);

        CHECK(!fcntl(fd, F_SETFD, 0));
        snprintf(number, sizeof(number), "%d", fd);
        snprintf(where, sizeof(where), "%p", window);
        execl("/proc/self/exe", "abi", number, where, NULL);
        FAIL("exec: %s", strerror(errno));
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_EQ(status, 0);
    close(fd);
}

int main(int argc, char **argv)
{
    struct harness h;

    if (argc == 3) {
        window = (void *)(uintptr_t)strtoull(argv[2], NULL, 16);
        program(atoi(argv[1]));
        return 0;
    }
    /* For the decision whether this can run at all. */
    harness_open(&h, 1);
    harness_close(&h);
    window = mmap(NULL, WINDOW_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(window != MAP_FAILED);
    sizes();
    create();
    child();
    return 0;
}
