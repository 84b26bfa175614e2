/* SPDX-License-Identifier: MIT */
/* stack.c - the device reads and writes variables on stacks, of main and of another thread */
#include <pthread.h>

#include "agent.h"

static struct agent agent;

static void check_here(void)
{
    volatile uint64_t there[3] = {11, 12, 13};

    CHECK_EQ(agent_read(&agent, &there[1]), 12);
    agent_write(&agent, &there[1], 99);
    CHECK_EQ(there[1], 99);
    CHECK_EQ(there[0] + there[2], 24);
    there[2] = 77;
    CHECK_EQ(agent_read(&agent, &there[2]), 77);
}

static void *in_thread(void *arg)
{
    (void)arg;
    check_here();
    return NULL;
}

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    pthread_t thread;

    agent_open(&agent, &h);
    check_here();
    CHECK(!pthread_create(&thread, NULL, in_thread, NULL));
    CHECK(!pthread_join(thread, NULL));

    /* One page each, read first and upgraded then; at most two where it straddles. */
    s = harness_delta(&h);
    CHECK_GE(s.device_faults, 4);
    CHECK_LE(s.device_faults, 8);
    CHECK_EQ(s.failed_faults, 0);
    agent_end(&agent);
    harness_close(&h);
    return 0;
}
