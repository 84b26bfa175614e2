/* SPDX-License-Identifier: MIT */
/*
 * events_fault.c - a request for an event ring whose answer cannot be written, or has no room for the
 * descriptor, leaves neither a descriptor open nor a ring taken
 */
#include "bare.h"

#define RINGS 4u

/* The next descriptor that would be opened. */
static int next_fd(void)
{
    int fd = dup(0);

    CHECK(fd >= 0);
    close(fd);
    return fd;
}

int main(void)
{
    struct hmmsvm_events *e = harness_map(HARNESS_PAGE), ring;
    int fd, next, fds[RINGS];

    devmem_any_kind = true;
    devmem_needed();
    fd = bare_open(0);
    next = next_fd();
    for (unsigned i = 0; i < 2 * RINGS; i++) {
        *e = (struct hmmsvm_events){.size = sizeof(*e), .entries = 128};
        /* It can be read, and not be written back. */
        CHECK(!mprotect(e, HARNESS_PAGE, PROT_READ));
        CHECK(ioctl(fd, HMMSVM_IOC_EVENTS, e) && errno == EFAULT);
        CHECK_EQ(next_fd(), next);
        CHECK(!mprotect(e, HARNESS_PAGE, PROT_READ | PROT_WRITE));
        e->size = offsetof(struct hmmsvm_events, fd);
        CHECK(ioctl(fd, HMMSVM_IOC_EVENTS, e) && errno == EINVAL);
        CHECK_EQ(next_fd(), next);
    }
    for (unsigned i = 0; i < RINGS; i++) {
        ring = (struct hmmsvm_events){.size = sizeof(ring), .entries = 128};
        CHECK(!ioctl(fd, HMMSVM_IOC_EVENTS, &ring));
        CHECK_EQ(ring.fd, next + (int)i);
        fds[i] = ring.fd;
    }
    CHECK(ioctl(fd, HMMSVM_IOC_EVENTS, &ring) && errno == EBUSY);
    CHECK_EQ(next_fd(), next + (int)RINGS);
    for (unsigned i = 0; i < RINGS; i++)
        close(fds[i]);
    close(fd);
    return 0;
}
