/* SPDX-License-Identifier: MIT */
/*
 * matrix.c - runs replays in processes of their own. No locking: each writes its own result, and
 * the parent reads it when the process has ended.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "matrix.h"

/* What a process hands back. */
struct outcome {
    struct sim_result result;
    struct sim_oracle reached;
    bool done, no_memory;
};

static void run_cell(const struct sim_cell *cell, struct outcome *outcome, unsigned limit_s)
{
    struct rlimit cpu = { limit_s, limit_s + 2 }, core = { 0, 0 };
    static const int deadly[] = { SIGXCPU, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
    const struct sim_setup *s = &cell->setup;

    /* Whoever calls may have a mind to survive them. */
    for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
        signal(deadly[i], SIG_DFL);
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_CORE, &core);
    if (cell->oracle)
        outcome->no_memory = !sim_oracle_run(s->trace, s->layout, s->machine,
                                             (uint64_t)s->chunks * SIM_BLOCK_PAGES,
                                             &outcome->reached);
    else
        outcome->no_memory = !sim_run(s, &outcome->result);
    outcome->done = true;
}

static void ended(struct sim_cell *cell, const struct outcome *outcome, int status,
                  const struct rusage *usage)
{
    cell->seconds = (double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec / 1e6;
    if (outcome->done) {
        cell->result = outcome->result;
        cell->reached = outcome->reached;
        cell->no_memory = outcome->no_memory;
        return;
    }
    memset(&cell->result, 0, sizeof(cell->result));
    cell->result.faults = 1;
    cell->result.fault = WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU ||
                                                 WTERMSIG(status) == SIGKILL)
                             ? SIM_HUNG : SIM_CRASHED;
}

bool sim_matrix_run(struct sim_cell *cells, size_t count, unsigned jobs, unsigned limit_s)
{
    size_t size = (count ? count : 1) * sizeof(struct outcome), started = 0, running = 0, i;
    struct outcome *outcomes = mmap(NULL, size, PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t *pids = calloc(count ? count : 1, sizeof(*pids));
    bool ok = outcomes != MAP_FAILED && pids;
    struct rusage usage;
    int status;

    while (ok && (started < count || running)) {
        pid_t pid = 0;
        siginfo_t info;

        if (started < count && running < jobs) {
            pid = fork();
            if (!pid) {
                run_cell(&cells[started], &outcomes[started], limit_s);
                _exit(0);
            }
            ok = pid > 0 || running;
            if (pid > 0) {
                pids[started++] = pid;
                running++;
            }
            if (pid > 0 && running < jobs && started < count)
                continue;
        }
        if (!running)
            continue;
        /* Waits for any, and then sees which. */
        waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
        for (i = 0; i < started; i++) {
            if (!pids[i] || wait4(pids[i], &status, WNOHANG, &usage) <= 0)
                continue;
            ended(&cells[i], &outcomes[i], status, &usage);
            pids[i] = 0;
            running--;
        }
    }
    free(pids);
    if (outcomes != MAP_FAILED)
        munmap(outcomes, size);
    return ok;
}
