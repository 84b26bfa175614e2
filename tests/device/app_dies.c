/* SPDX-License-Identifier: MIT */
/*
 * app_dies.c - however the application ends, with a kernel running that writes to memory in both memories,
 * its engine ends too, and all device pages are free again
 */
#include <signal.h>
#include <sys/resource.h>

#include "cgroup.h"
#include "devmem.h"

enum how { EXIT, KILLED, ABORTED, EXEC, CRASHED, OOM, WAYS };

static const char *const names[] = {"exit", "SIGKILL", "abort", "exec", "SIGSEGV", "OOM kill"};

/* Has all of it written, again and again, part of it in device memory if there is some. */
static void begin(struct harness *h, struct agent *a)
{
    uint64_t *p;

    agent_open(a, h);
    p = memory_blocks(2);
    if (h->info.kernel.features & HMMSVM_FEATURE_DEVICE_MEMORY) {
        devmem_fill(p, DEVMEM_BLOCK_PAGES, 1);
        CHECK_EQ(devmem_move(h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE), DEVMEM_BLOCK_PAGES);
    }
    agent_fill_pages(a, p, 1, 2 * DEVMEM_BLOCK_PAGES);
    /* It will be writing when the end comes. */
    agent_ask(a, AGENT_FILL, p, 2, 1ull << 40, 0);
}

__attribute__((noreturn)) static void app(enum how how, int pipe_fd)
{
    const struct rlimit none = {0, 0};
    struct harness h;
    struct agent a;

    setrlimit(RLIMIT_CORE, &none);
    if (how == OOM)
        cgroup_join();
    begin(&h, &a);
    CHECK_EQ(write(pipe_fd, &h.info.engine_pid, sizeof(int)), sizeof(int));
    switch (how) {
    case EXIT:
        _exit(0);
    case KILLED:
        raise(SIGKILL);
        break;
    case ABORTED:
        abort();
    case CRASHED:
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        break;
    case OOM:
        cgroup_set("memory.max", (unsigned long long)(cgroup_pages() + 256) * HARNESS_PAGE);
        memset(harness_map(64ul << 20), 1, 64ul << 20);
        break;
    default:
        /* The process goes on as another program, without what the engine looked at. */
        execl("/bin/sleep", "sleep", "3", NULL);
    }
    FAIL("way %u is no end: %s", how, strerror(errno));
}

static uint64_t end_of(enum how how)
{
    int pipe_fd[2], engine, status;
    uint64_t start;
    pid_t pid;

    CHECK(!pipe2(pipe_fd, O_CLOEXEC));
    pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        close(pipe_fd[0]);
        app(how, pipe_fd[1]);
    }
    close(pipe_fd[1]);
    if (read(pipe_fd[0], &engine, sizeof(engine)) != sizeof(engine)) {
        CHECK(waitpid(pid, &status, 0) == pid);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    if (how == EXEC)
        /* Until the exec closes the other end. */
        CHECK_EQ(read(pipe_fd[0], &status, 1), 0);
    else
        CHECK(waitpid(pid, &status, 0) == pid);
    close(pipe_fd[0]);
    start = harness_ns();
    if (how == OOM || how == KILLED)
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    /* Ten seconds, as the guest may be slow; one is what a machine needs. */
    while (!kill(engine, 0) && harness_ns() - start < 10000000000ull)
        usleep(1000);
    if (!kill(engine, 0))
        FAIL("engine %d outlives its application (%s)", engine, names[how]);
    CHECK_EQ(errno, ESRCH);
    start = harness_ns() - start;
    if (how == EXEC) {
        CHECK(!kill(pid, SIGKILL));
        CHECK(waitpid(pid, &status, 0) == pid);
    }
    return start;
}

int main(void)
{
    struct hmmsvm_memory memory;
    struct harness h;
    bool groups = !memory_put(CGROUP_ROOT "/cgroup.subtree_control", "+memory");

    /* Decides whether this can run at all. */
    harness_open(&h, 1);
    harness_close(&h);
    if (groups) {
        cgroup_make();
        if (access(cgroup_file("memory.swap.max"), F_OK) == 0)
            cgroup_set("memory.swap.max", 0);
    }
    for (enum how how = 0; how < WAYS; how++) {
        if (how == OOM && !groups) {
            printf("%s: no memory cgroups to be had\n", names[how]);
            continue;
        }
        printf("%s: the engine was gone after %.1f ms\n", names[how], (double)end_of(how) / 1e6);
        if (devmem_memory(0, &memory))
            devmem_used_is(0, 0);
    }
    if (groups) {
        CHECK_GE(cgroup_event("oom_kill"), 1);
        cgroup_remove();
    }
    return 0;
}
