/* SPDX-License-Identifier: MIT */
/*
 * events_others.c - another process of the same user can have three of a context's four event rings, and
 * leaves one to the application; what is refused takes none, and one that is closed can be had again
 */
#include <signal.h>
#include <sys/prctl.h>

#include "bare.h"

#define RINGS  4u
#define OTHERS 3u

/* What the other process says; a step is even when it is its turn. */
struct other {
    uint32_t step;
    unsigned first, then, again; /* how many it got */
};

/* As many rings of the first context of @pid (0: that of @fd) as there are, eight at most. */
static unsigned rings(int fd, pid_t pid, int *last)
{
    struct hmmsvm_events e;
    unsigned n = 0;

    for (unsigned i = 0; i < 2 * RINGS; i++) {
        e = (struct hmmsvm_events){.size = sizeof(e), .entries = 128, .target = {(unsigned)pid, 0}};
        if (!ioctl(fd, HMMSVM_IOC_EVENTS, &e)) {
            *last = e.fd;
            n++;
        } else {
            CHECK_EQ(errno, EBUSY);
        }
    }
    return n;
}

static void other_process(struct other *o, pid_t app)
{
    int node = devmem_node(), last = -1;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    o->first = rings(node, app, &last);
    harness_set(&o->step, 1);
    harness_until(&o->step, 2);
    o->then = rings(node, app, &last);
    close(last);
    o->again = rings(node, app, &last);
    harness_set(&o->step, 3);
    pause();
    _exit(0);
}

int main(void)
{
    struct other *o = mmap(NULL, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t app = getpid(), pid;
    int fd, last = -1;

    CHECK(o != MAP_FAILED);
    devmem_any_kind = true;
    devmem_needed();
    fd = bare_open(0);
    pid = fork();
    CHECK(pid >= 0);
    if (!pid)
        other_process(o, app);
    harness_until(&o->step, 1);
    CHECK_EQ(o->first, OTHERS);
    CHECK_EQ(rings(fd, 0, &last), RINGS - OTHERS);
    harness_set(&o->step, 2);
    harness_until(&o->step, 3);
    CHECK_EQ(o->then, 0);
    CHECK_EQ(o->again, 1);
    close(last);
    /* By process id it is still the application. */
    CHECK_EQ(rings(fd, app, &last), RINGS - OTHERS);
    CHECK(!kill(pid, SIGKILL));
    CHECK(waitpid(pid, NULL, 0) == pid);
    /* With nobody else about it may have all. */
    CHECK_EQ(rings(fd, 0, &last), OTHERS);
    close(fd);
    return 0;
}
