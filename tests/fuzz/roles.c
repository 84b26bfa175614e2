/* SPDX-License-Identifier: MIT */
/*
 * The processes: an application with threads that share its descriptors, the
 * engines that it starts, and strangers that get a descriptor over a socket.
 *
 * Locking: none. Threads use a process's descriptors without agreeing who closes
 * them: that a number means another file by then is part of the test.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define ROLES_CHILDREN       6 /* of an application at a time */
#define ROLES_ENGINE_THREADS 2
#define ROLES_ENGINE_CALLS   300
#define ROLES_STRANGER_CALLS 60

#define ROLES_NODE "/dev/hmmsvm"

/* What a thread is started with. */
struct roles_thread {
    struct fuzz f;
    unsigned calls;
    pthread_t id;
};

static _Atomic int roles_children;

/* A child, unless there are enough: as fork(), and -1 if so. Counted as a @call. */
static pid_t roles_child(struct fuzz *f, enum fuzz_call call)
{
    pid_t pid = -1;

    if (!f->depth && atomic_fetch_add(&roles_children, 1) < ROLES_CHILDREN) {
        pid = fork();
        if (pid)
            fuzz_ended(f, call, pid);
        else
            f->depth++;
    }
    if (pid < 0 && !f->depth)
        atomic_fetch_sub(&roles_children, 1);
    return pid;
}

/* Looks whether a child has ended, and as it should. */
static void roles_reap(void)
{
    int status;

    if (waitpid(-1, &status, WNOHANG) <= 0)
        return;
    atomic_fetch_sub(&roles_children, 1);
    if (WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status) != SIGKILL) {
        fprintf(stderr, "fuzz: a child ended with status 0x%x\n", (unsigned)status);
        _exit(96);
    }
}

static bool roles_begin(struct fuzz *f, struct fuzz_shared *shared, _Atomic int *nodes,
                        enum fuzz_role role, uint64_t seed)
{
    uint8_t *p = mmap(NULL, FUZZ_FIXED + 3 * FUZZ_PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return false;
    *f = (struct fuzz){.shared = shared, .nodes = nodes, .role = role, .ring = -1};
    f->random = (seed + 1) * 0x9e3779b97f4a7c15ull | 1;
    fuzz_random(f);
    fuzz_random(f);
    f->fixed = p;
    f->end = p + FUZZ_FIXED + 2 * FUZZ_PAGE;
    fuzz_request_fixed(f);
    return !mprotect(f->fixed, FUZZ_FIXED, PROT_READ) && !mprotect(f->end, FUZZ_PAGE, PROT_NONE);
}

static int roles_node(struct fuzz *f)
{
    int node = f->nodes[fuzz_below(f, FUZZ_NODES)];

    /* What is not open teaches little. */
    for (unsigned i = 0; node < 0 && i < FUZZ_NODES && fuzz_below(f, 16); i++)
        node = f->nodes[i];
    return node;
}

static void roles_open(struct fuzz *f)
{
    char path[32];
    int node = roles_node(f), fd, old;

    if (fuzz_one_in(f, 3) && node >= 0) {
        fd = fcntl(node, F_DUPFD_CLOEXEC, 300);
        fuzz_ended(f, FUZZ_dup, fd);
    } else {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", node);
        fd = open(fuzz_one_in(f, 4) ? path : ROLES_NODE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
        fuzz_ended(f, FUZZ_open, fd);
    }
    if (fd < 0)
        return;
    old = atomic_exchange(&f->nodes[fuzz_below(f, FUZZ_NODES)], fd);
    if (old >= 0)
        fuzz_ended(f, FUZZ_close, close(old));
}

static void roles_close(struct fuzz *f)
{
    int old = atomic_exchange(&f->nodes[fuzz_below(f, FUZZ_NODES)], -1);

    if (old >= 0)
        fuzz_ended(f, FUZZ_close, close(old));
}

static void roles_calls(struct fuzz *f, unsigned calls);

/*
 * A child that goes on as a copy. Of a process with threads, so that it calls nothing
 * that locks.
 */
static void roles_fork(struct fuzz *f)
{
    if (roles_child(f, FUZZ_fork))
        return;
    f->role = FUZZ_STRANGER;
    roles_calls(f, 20);
    _exit(0);
}

/* Hands a descriptor to a child over a socket; the child closes all others. */
static void roles_pass(struct fuzz *f)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec data = {(void *)(uintptr_t)"x", 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    int pair[2], node = roles_node(f), got;
    struct cmsghdr *c;
    char byte;

    if (f->depth || node < 0 || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair))
        return;
    c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &node, sizeof(node));
    if (fuzz_ended(f, FUZZ_pass, sendmsg(pair[0], &message, MSG_DONTWAIT)) < 0 ||
        fuzz_one_in(f, 4)) {
        /* Closed on its way: the socket held the last reference, maybe. */
        close(pair[0]);
        close(pair[1]);
        return;
    }
    if (!roles_child(f, FUZZ_fork)) {
        f->role = FUZZ_STRANGER;
        for (unsigned i = 0; i < FUZZ_NODES; i++) {
            close(f->nodes[i]);
            f->nodes[i] = -1;
        }
        data.iov_base = &byte;
        if (recvmsg(pair[1], &message, MSG_DONTWAIT) == 1 && CMSG_FIRSTHDR(&message)) {
            memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(got));
            f->nodes[0] = got;
        }
        atomic_fetch_add(&f->shared->strangers, 1);
        roles_calls(f, ROLES_STRANGER_CALLS);
        _exit(0);
    }
    close(pair[0]);
    close(pair[1]);
}

/* Starts this program as an engine of a context. */
static void roles_engine(struct fuzz *f, int node)
{
    char seed[24];

    if (f->role != FUZZ_APPLICATION || node < 0)
        return;
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)fuzz_random(f));
    if (roles_child(f, FUZZ_engine))
        return;
    if (dup2(node, FUZZ_FD_CONTEXT) < 0)
        _exit(0); /* another thread has closed it */
    execl("/proc/self/exe", "uapi", "--engine", seed, NULL);
    _exit(97);
}

/* Any call. */
static void roles_call(struct fuzz *f)
{
    unsigned what = (unsigned)fuzz_below(f, 1000);

    if (what < 500)
        fuzz_request(f, roles_node(f));
    else if (what < 530)
        fuzz_request_valid(f, roles_node(f), FUZZ_CREATE);
    else if (what < 560)
        roles_open(f);
    else if (what < 575)
        roles_close(f);
    else if (what < 660)
        fuzz_call_file(f, roles_node(f));
    else if (what < (f->role == FUZZ_ENGINE ? 740 : 680))
        fuzz_call_mirror(f, roles_node(f));
    else if (what < 993)
        fuzz_call_memory(f);
    else if (what < 995)
        roles_fork(f);
    else if (what < 998)
        roles_pass(f);
    else
        roles_engine(f, roles_node(f));
}

static void roles_calls(struct fuzz *f, unsigned calls)
{
    while (calls--) {
        roles_call(f);
        if (!f->depth && !(calls % 32))
            roles_reap();
    }
    if (f->ring >= 0)
        close(f->ring);
    f->ring = -1;
}

static void *roles_thread_main(void *arg)
{
    struct roles_thread *t = arg;

    roles_calls(&t->f, t->calls);
    return NULL;
}

/* Several threads with the same descriptors, then the end of all. */
static int roles_run(struct roles_thread *t, unsigned threads, unsigned calls)
{
    for (unsigned i = 0; i < threads; i++) {
        t[i].calls = calls / threads;
        if (pthread_create(&t[i].id, NULL, roles_thread_main, &t[i]))
            return 95;
    }
    for (unsigned i = 0; i < threads; i++)
        pthread_join(t[i].id, NULL);
    return 0;
}

/** fuzz_application - what an application is; @calls in all its threads, beside its children's */
int fuzz_application(struct fuzz_shared *shared, int shared_fd, uint64_t seed, unsigned calls)
{
    static struct roles_thread threads[64];
    static _Atomic int nodes[FUZZ_NODES];
    struct rlimit no_core = {0, 0};
    unsigned n = shared->threads;
    struct fuzz *f = &threads[0].f;
    uint64_t end;

    setrlimit(RLIMIT_CORE, &no_core);
    fuzz_signals();
    for (unsigned i = 0; i < FUZZ_NODES; i++)
        nodes[i] = -1;
    if (dup2(shared_fd, FUZZ_FD_SHARED) < 0 ||
        mmap((void *)FUZZ_ARENA, FUZZ_ARENA_SIZE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
        return 94;
    for (unsigned i = 0; i < n; i++)
        if (!roles_begin(&threads[i].f, shared, nodes, FUZZ_APPLICATION, seed * 64 + i))
            return 93;
    shared->pids[atomic_fetch_add(&shared->next_pid, 1) % FUZZ_PIDS] = (uint32_t)getpid();
    atomic_fetch_add(&shared->applications, 1);

    /* So that every round has them: a node without a context, and one with an engine. */
    nodes[0] = open(ROLES_NODE, O_RDWR | O_CLOEXEC);
    nodes[1] = open(ROLES_NODE, O_RDWR | O_CLOEXEC);
    if (nodes[0] < 0 || nodes[1] < 0)
        return 92;
    fuzz_request_valid(f, nodes[1], FUZZ_CREATE);
    fuzz_request_valid(f, nodes[1], FUZZ_CREATE);
    roles_engine(f, nodes[1]);

    if (roles_run(threads, n, calls))
        return 95;
    end = fuzz_below(f, 4);
    if (end == 0) {
        /* The address space ends, the process does not. */
        execl("/proc/self/exe", "uapi", "--leave", NULL);
        return 97;
    }
    if (end == 1)
        kill(getpid(), SIGKILL);
    if (end == 2)
        munmap((void *)FUZZ_ARENA, FUZZ_ARENA_SIZE);
    return 0;
}

/** fuzz_engine - what an engine is: this program anew, with the descriptor of a context */
int fuzz_engine(struct fuzz_shared *shared, uint64_t seed, unsigned calls)
{
    static struct roles_thread threads[ROLES_ENGINE_THREADS];
    static _Atomic int nodes[FUZZ_NODES];
    struct fuzz *f = &threads[0].f;

    fuzz_signals();
    /* Half of what it does is about the context. */
    for (unsigned i = 0; i < FUZZ_NODES; i++)
        nodes[i] = i < FUZZ_NODES / 2 ? fcntl(FUZZ_FD_CONTEXT, F_DUPFD_CLOEXEC, 300) : -1;
    for (unsigned i = 0; i < ROLES_ENGINE_THREADS; i++)
        if (!roles_begin(&threads[i].f, shared, nodes, FUZZ_ENGINE, seed + i))
            return 93;
    shared->pids[atomic_fetch_add(&shared->next_pid, 1) % FUZZ_PIDS] = (uint32_t)getpid();
    atomic_fetch_add(&shared->engines, 1);

    for (unsigned i = (unsigned)fuzz_below(f, 3); i; i--)
        fuzz_request(f, FUZZ_FD_CONTEXT);
    if (!fuzz_request_valid(f, FUZZ_FD_CONTEXT, FUZZ_ATTACH)) {
        void *p = mmap((void *)FUZZ_ARENA, FUZZ_ARENA_SIZE, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_FIXED, FUZZ_FD_CONTEXT, FUZZ_ARENA);

        fuzz_ended(f, FUZZ_map_node, p == MAP_FAILED ? -1 : 0);
    }
    if (roles_run(threads, ROLES_ENGINE_THREADS, calls ? calls : ROLES_ENGINE_CALLS))
        return 95;
    if (fuzz_one_in(f, 2))
        kill(getpid(), SIGKILL);
    return 0;
}
