/* SPDX-License-Identifier: MIT */
/*
 * migrate_gup.c - the kernel reaches for device pages on behalf of others: another
 * process reads and writes them, a debugger peeks and pokes, a pipe keeps them
 */
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "devmem.h"

#define PAGES 64ul

static pid_t child_with(int go[2], uint64_t *p, pid_t parent)
{
    pid_t child = fork();
    char c;

    CHECK(child >= 0);
    if (!child) {
        uint64_t word = 0;
        struct iovec local = {&word, 8}, remote = {&p[2 * 512], 8};

        CHECK_EQ(read(go[0], &c, 1), 1);
        CHECK_EQ(process_vm_readv(parent, &local, 1, &remote, 1, 0), 8);
        CHECK_EQ(word, 102);
        word = 777;
        remote.iov_base = &p[3 * 512];
        CHECK_EQ(process_vm_writev(parent, &local, 1, &remote, 1, 0), 8);
        _exit(0);
    }
    return child;
}

int main(void)
{
    struct hmmsvm_stats s;
    struct iovec piece;
    struct harness h;
    struct agent a;
    uint64_t *p, word;
    pid_t child;
    int go[2], pipe_fd[2], status;

    CHECK(!pipe(go));
    CHECK(!pipe(pipe_fd));
    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(1);
    /* The child does not get a copy, which would be one more to use the pages. */
    CHECK(!madvise(p, DEVMEM_BLOCK, MADV_DONTFORK));
    for (unsigned i = 0; i < PAGES; i++)
        p[i * 512] = 100 + i;
    child = child_with(go, p, getpid());
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);

    /* Somebody else's access brings just the page. */
    harness_mark(&h);
    CHECK_EQ(write(go[1], "x", 1), 1);
    devmem_child_ok(child);
    s = harness_delta(&h);
    CHECK_EQ(s.cpu_faults, 2);
    CHECK_EQ(s.pages_to_system_cpu, 2);
    CHECK_EQ(s.device_pages, PAGES - 2);
    CHECK_EQ(agent_read(&a, &p[3 * 512]), 777);
    CHECK_EQ(p[3 * 512], 777);
    p[3 * 512] = 103;

    /* A system call of the application itself: as its own access, by region. */
    harness_mark(&h);
    CHECK_EQ(write(pipe_fd[1], &p[20 * 512], 8), 8);
    CHECK_EQ(read(pipe_fd[0], &word, 8), 8);
    CHECK_EQ(word, 120);
    s = harness_delta(&h);
    CHECK_EQ(s.cpu_faults, 1);
    CHECK_EQ(s.pages_to_system_cpu, 16);

    /* A page in a pipe is held: it comes back for it and cannot leave until it was read. */
    CHECK_EQ(devmem_resident(&h), PAGES - 18);
    piece = (struct iovec){&p[40 * 512], 8};
    CHECK_EQ(vmsplice(pipe_fd[1], &piece, 1, 0), 8);
    CHECK_EQ(devmem_resident(&h), PAGES - 34);
    harness_mark(&h);
    DEVMEM_REQUEST(&h, p + 40 * 512, HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, 0, 0, 1);
    CHECK_EQ(harness_delta(&h).pages_to_device, 0);
    CHECK_EQ(harness_delta(&h).failed_busy, 1);
    CHECK_EQ(agent_add(&a, &p[40 * 512], 1), 140);
    CHECK_EQ(read(pipe_fd[0], &word, 8), 8);
    CHECK_EQ(word, 141);
    DEVMEM_REQUEST(&h, p + 40 * 512, HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, 1, 0, 0);
    CHECK_EQ(agent_read(&a, &p[40 * 512]), 141);
    CHECK_EQ(p[40 * 512], 141);

    /* A child is the application here, as only it may be traced; its pages stay its own. */
    child = fork();
    CHECK(child >= 0);
    if (!child) {
        uint64_t *q;
        struct harness g;

        devmem_open(&g, 1, "remote");
        q = devmem_small(1);
        CHECK_EQ(write(go[1], &q, 8), 8);
        CHECK(!ptrace(PTRACE_TRACEME, 0, 0, 0));
        for (unsigned i = 0; i < PAGES; i++)
            q[i * 512] = 300 + i;
        DEVMEM_REQUEST(&g, q, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
        harness_mark(&g);
        raise(SIGSTOP);
        CHECK_EQ(harness_delta(&g).cpu_faults, 2);
        CHECK_EQ(devmem_resident(&g), PAGES - 2);
        CHECK_EQ(q[9 * 512], 4711);
        CHECK_EQ(q[8 * 512], 308);
        harness_close(&g);
        _exit(0);
    }
    CHECK_EQ(read(go[0], &p, 8), 8);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSTOPPED(status));
    errno = 0;
    CHECK_EQ(ptrace(PTRACE_PEEKDATA, child, &p[8 * 512], 0), 308);
    CHECK_EQ(errno, 0);
    CHECK(!ptrace(PTRACE_POKEDATA, child, &p[9 * 512], 4711ul));
    CHECK(!ptrace(PTRACE_CONT, child, 0, 0));
    devmem_child_ok(child);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
