/* SPDX-License-Identifier: MIT */
/* globals.c - the device reads .rodata, and reads and writes .data and .bss */
#include "agent.h"

static const uint64_t constant[512] __attribute__((aligned(4096))) = {17, 18};
static volatile uint64_t data[512] __attribute__((aligned(4096))) = {27, 28};
static volatile uint64_t bss[512] __attribute__((aligned(4096)));

int main(void)
{
    struct harness h;
    struct agent a;

    agent_open(&a, &h);
    CHECK_EQ(agent_read(&a, (volatile void *)(uintptr_t)&constant[1]), 18);
    AGENT_FAULTS(&h, 1);

    CHECK_EQ(agent_read(&a, &data[1]), 28);
    AGENT_FAULTS(&h, 1);
    /* A private page of the program's file: the write makes a copy first. */
    agent_write(&a, &data[0], 30);
    CHECK_EQ(data[0], 30);
    CHECK_EQ(data[1], 28);
    CHECK_GE(harness_delta(&h).app_faults, 1);
    CHECK_EQ(harness_delta(&h).device_write_faults, 1);
    harness_mark(&h);

    /* Never touched by anyone: the device's write is the first. */
    agent_write(&a, &bss[3], 40);
    CHECK_EQ(bss[3], 40);
    AGENT_FAULTS(&h, 1);
    bss[4] = 41;
    CHECK_EQ(agent_read(&a, &bss[4]), 41);
    AGENT_FAULTS(&h, 0);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
