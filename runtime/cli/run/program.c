/* SPDX-License-Identifier: MIT */
/*
 * program.c - a program beside the command, for what watches one. One thread; no locking.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

pid_t cli_program_start(char **argv)
{
    pid_t pid;

    cli_environment();
    fflush(NULL);
    pid = fork();
    if (pid < 0)
        cli_die("cannot start a process: %s", strerror(errno));
    if (!pid) {
        int err;

        execvp(argv[0], argv);
        err = errno;
        cli_say("cannot run %s: %s", argv[0], strerror(err));
        _exit(err == ENOENT ? CLI_NOT_FOUND : CLI_NOT_RUNNABLE);
    }
    return pid;
}

int cli_program_end(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return CLI_FAILED;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
