/* SPDX-License-Identifier: MIT */
/*
 * fork_cow.c - after fork() the device works on the parent's memory: writes of
 * device, parent and child each stay on their side
 */
#include <sys/wait.h>

#include "agent.h"

#define PAGES 16

struct both {
    uint32_t step;
};

static void step_to(struct both *b, uint32_t n)
{
    harness_set(&b->step, n);
}

int main(void)
{
    struct both *b = mmap(NULL, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                          -1, 0);
    struct hmmsvm_stats s;
    struct harness h;
    struct agent a;
    uint64_t *p;
    int status;
    pid_t child;

    CHECK(b != MAP_FAILED);
    agent_open(&a, &h);
    p = harness_map(PAGES * HARNESS_PAGE);
    agent_fill_pages(&a, p, 100, PAGES);
    AGENT_FAULTS(&h, PAGES);

    child = fork();
    CHECK(child >= 0);
    if (!child) {
        /* The child sees what was there at the fork, whatever the device writes. */
        harness_until(&b->step, 1);
        for (int i = 0; i < PAGES; i++)
            CHECK_EQ(p[i * 512], 100 + i);
        for (int i = 0; i < PAGES; i++)
            p[i * 512] = 9;
        step_to(b, 2);
        harness_until(&b->step, 3);
        for (int i = 0; i < PAGES; i++)
            CHECK_EQ(p[i * 512], 9);
        _exit(0);
    }
    CHECK_GE(harness_delta(&h).invalidations_zapped, 1);
    harness_mark(&h);

    /* Half written by the device, a quarter by the host, the rest by the child only. */
    agent_fill_pages(&a, p, 500, PAGES / 2);
    s = harness_delta(&h);
    CHECK_EQ(s.device_faults, PAGES / 2);
    CHECK_EQ(s.device_write_faults, PAGES / 2);
    CHECK_EQ(s.app_faults, PAGES / 2);
    for (int i = PAGES / 2; i < PAGES * 3 / 4; i++)
        p[i * 512] = 500 + i;
    step_to(b, 1);
    harness_until(&b->step, 2);

    for (int i = 0; i < PAGES; i++) {
        uint64_t want = i < PAGES * 3 / 4 ? 500 + i : 100 + i;

        CHECK_EQ(agent_read(&a, p + i * 512), want);
        CHECK_EQ(p[i * 512], want);
    }
    agent_fill_pages(&a, p, 700, PAGES);
    for (int i = 0; i < PAGES; i++)
        CHECK_EQ(p[i * 512], 700 + i);
    step_to(b, 3);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
    CHECK_EQ(harness_delta(&h).failed_faults, 0);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
