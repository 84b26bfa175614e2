/* SPDX-License-Identifier: MIT */
/* userfaultfd.c - a device fault in memory that a user-space pager serves waits for the pager */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "agent.h"

#define PAGES 8

static int uffd;
static unsigned served;

static void *pager(void *arg)
{
    static uint64_t page[512] __attribute__((aligned(4096)));
    uint64_t *p = arg;

    for (;;) {
        struct pollfd poll_fd = {.fd = uffd, .events = POLLIN};
        struct uffd_msg msg;
        struct uffdio_copy copy = {.len = HARNESS_PAGE, .src = (uintptr_t)page};

        CHECK(poll(&poll_fd, 1, 60000) == 1);
        if (read(uffd, &msg, sizeof(msg)) != sizeof(msg))
            continue;
        CHECK_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
        copy.dst = msg.arg.pagefault.address & ~(HARNESS_PAGE - 1);
        page[0] = 100 + (copy.dst - (uintptr_t)p) / HARNESS_PAGE;
        /* Slow on purpose: the fault must sleep, not spin or fail. */
        usleep(20000);
        /* Before the copy, which lets the device go on. */
        __atomic_fetch_add(&served, 1, __ATOMIC_SEQ_CST);
        CHECK(!ioctl(uffd, UFFDIO_COPY, &copy));
    }
    return NULL;
}

int main(void)
{
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register reg = {.mode = UFFDIO_REGISTER_MODE_MISSING};
    struct harness h;
    struct agent a;
    pthread_t thread;
    uint64_t *p;

    uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (uffd < 0)
        SKIP("userfaultfd: %s", strerror(errno));
    CHECK(!ioctl(uffd, UFFDIO_API, &api));
    agent_open(&a, &h);
    p = harness_map(PAGES * HARNESS_PAGE);
    reg.range.start = (uintptr_t)p;
    reg.range.len = PAGES * HARNESS_PAGE;
    CHECK(!ioctl(uffd, UFFDIO_REGISTER, &reg));
    CHECK(!pthread_create(&thread, NULL, pager, p));

    CHECK_EQ(agent_sum_pages(&a, p, PAGES / 2), PAGES / 2 * 100 + PAGES / 2 * (PAGES / 2 - 1) / 2);
    CHECK_EQ(__atomic_load_n(&served, __ATOMIC_SEQ_CST), PAGES / 2);
    CHECK_EQ(harness_delta(&h).app_faults, PAGES / 2);
    AGENT_FAULTS(&h, PAGES / 2);

    /* A write is served as well, and what it wrote stays. */
    agent_write(&a, p + 6 * 512 + 1, 7);
    CHECK_EQ(p[6 * 512], 106);
    CHECK_EQ(p[6 * 512 + 1], 7);
    AGENT_FAULTS(&h, 1);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
