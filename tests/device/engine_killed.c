/* SPDX-License-Identifier: MIT */
/* engine_killed.c - the engine dies: its kernel ends as lost, memory is kept, a new one serves */
#include <signal.h>
#include <sys/wait.h>

#include "agent.h"

#define PAGES 32

int main(void)
{
    struct hmmsvm_device_info info;
    struct hmmsvm_completion c;
    struct harness h;
    struct agent a;
    uint64_t *p;

    agent_open(&a, &h);
    p = harness_map(PAGES * HARNESS_PAGE);
    for (int round = 1; round <= 3; round++) {
        hmmsvm_device_info(h.dev, &h.info);
        agent_fill_pages(&a, p, 10 * round, PAGES);
        CHECK(!kill(h.info.engine_pid, SIGKILL));
        c = harness_wait(&h);
        CHECK_STATUS(&c, HMMSVM_DEVICE_LOST);
        CHECK(c.user == a.mail);
        for (int i = 0; i < PAGES; i++)
            CHECK_EQ(p[i * 512], 10 * round + i);

        agent_begin(&a, &h);
        hmmsvm_device_info(h.dev, &info);
        CHECK_EQ(info.resets, round);
        CHECK_NE(info.engine_pid, h.info.engine_pid);
        CHECK_EQ(agent_sum_pages(&a, p, PAGES), PAGES * 10 * round + PAGES * (PAGES - 1) / 2);
    }
    /* Not one of them is left for this process to wait for. */
    CHECK(waitpid(-1, NULL, WNOHANG) == -1);
    CHECK_EQ(errno, ECHILD);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
