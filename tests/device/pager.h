/* SPDX-License-Identifier: MIT */
/*
 * pager.h - a slow pager: pages of a range that are missing are served by user space
 *
 * The n-th page holds PAGER_WORD + n in its first word when it comes.
 *
 * Locking: none; whoever serves counts atomically.
 */
#ifndef HMMSVM_TEST_PAGER_H
#define HMMSVM_TEST_PAGER_H

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "harness.h"

#define PAGER_WORD 100

struct pager {
    int fd;
    uint64_t *memory;
    uint64_t pages;
    uint32_t *served; /* how many; counted before they are there */
    unsigned delay_us;
};

static inline struct uffdio_register pager_range(const struct pager *p)
{
    return (struct uffdio_register){.mode = UFFDIO_REGISTER_MODE_MISSING,
                                    .range = {.start = (uintptr_t)p->memory, .len = p->pages * HARNESS_PAGE}};
}

/** pager_open - a descriptor, for no range yet; -1 and errno where this is not to be had */
static inline int pager_open(void)
{
    struct uffdio_api api = {.api = UFFD_API};
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0)
        CHECK(!ioctl(fd, UFFDIO_API, &api));
    return fd;
}

static inline void pager_register(const struct pager *p)
{
    struct uffdio_register range = pager_range(p);

    CHECK(!ioctl(p->fd, UFFDIO_REGISTER, &range));
}

/** pager_serve - serves one page, for which it waits a second; false if none was wanted */
static inline bool pager_serve(const struct pager *p)
{
    static _Thread_local uint64_t page[512] __attribute__((aligned(4096)));
    struct pollfd poll_fd = {.fd = p->fd, .events = POLLIN};
    struct uffdio_copy copy = {.len = HARNESS_PAGE, .src = (uintptr_t)page};
    struct uffd_msg msg;

    if (poll(&poll_fd, 1, 1000) != 1 || read(p->fd, &msg, sizeof(msg)) != sizeof(msg))
        return false;
    CHECK_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
    copy.dst = msg.arg.pagefault.address & ~(HARNESS_PAGE - 1);
    page[0] = PAGER_WORD + (copy.dst - (uintptr_t)p->memory) / HARNESS_PAGE;
    /* Slow on purpose: the fault must sleep, not spin or fail. */
    usleep(p->delay_us);
    /* Before the copy, which lets who waits go on. */
    __atomic_fetch_add(p->served, 1, __ATOMIC_SEQ_CST);
    /* Two may have asked for the same page. */
    if (ioctl(p->fd, UFFDIO_COPY, &copy))
        CHECK_EQ(errno, EEXIST);
    return true;
}

#endif /* HMMSVM_TEST_PAGER_H */
