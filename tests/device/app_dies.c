/* SPDX-License-Identifier: MIT */
/* app_dies.c - however the application ends, with a kernel running, its engine ends too */
#include <signal.h>
#include <sys/wait.h>

#include "agent.h"

enum how { EXIT, KILLED, ABORTED, EXEC };

/* Runs an application that ends as told in the middle of a kernel; returns its engine. */
static int run_app(enum how how)
{
    int pipe_fd[2], engine, status;
    pid_t pid;

    CHECK(!pipe(pipe_fd));
    pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        struct harness h;
        struct agent a;

        agent_open(&a, &h);
        CHECK_EQ(write(pipe_fd[1], &h.info.engine_pid, sizeof(int)), sizeof(int));
        close(pipe_fd[0]);
        close(pipe_fd[1]);
        if (how == EXIT)
            _exit(0);
        if (how == KILLED)
            raise(SIGKILL);
        if (how == ABORTED)
            abort();
        /* The process goes on as another program, without what the engine looked at. */
        execl("/bin/sleep", "sleep", "3", NULL);
        FAIL("exec: %s", strerror(errno));
    }
    close(pipe_fd[1]);
    if (read(pipe_fd[0], &engine, sizeof(engine)) != sizeof(engine)) {
        CHECK(waitpid(pid, &status, 0) == pid);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    close(pipe_fd[0]);
    if (how != EXEC)
        CHECK(waitpid(pid, &status, 0) == pid);
    return engine;
}

int main(void)
{
    static const enum how ways[] = {EXIT, KILLED, ABORTED, EXEC};

    for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        int engine = run_app(ways[i]);
        int waited = 0;

        /* Ten seconds, as the guest may be slow; one is what a machine needs. */
        while (!kill(engine, 0) && waited++ < 1000)
            usleep(10000);
        if (!kill(engine, 0))
            FAIL("engine %d outlives its application (way %u)", engine, i);
        CHECK_EQ(errno, ESRCH);
    }
    while (waitpid(-1, NULL, 0) > 0)
        ;
    return 0;
}
