/* SPDX-License-Identifier: MIT */
/*
 * two_devices.c - two devices of one application: two engines, two windows,
 * the same memory; one's death is not the other's
 */
#include <signal.h>

#include "agent.h"

int main(void)
{
    uint64_t *word = harness_map(HARNESS_PAGE);
    struct hmmsvm_device_info info;
    struct harness h[2];
    struct agent a[2];

    for (int i = 0; i < 2; i++)
        agent_open(&a[i], &h[i]);
    CHECK_NE(h[0].info.engine_pid, h[1].info.engine_pid);
    CHECK(h[0].info.window_start + h[0].info.window_len <= h[1].info.window_start ||
          h[1].info.window_start + h[1].info.window_len <= h[0].info.window_start);

    for (unsigned i = 0; i < 100; i++)
        CHECK_EQ(agent_add(&a[i & 1], word, 1), i);
    CHECK_EQ(*word, 100);
    /* What each counted is its own. */
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(harness_delta(&h[i]).device_faults, 1);
        CHECK_EQ(harness_delta(&h[i]).pages_mirrored, 1);
    }

    CHECK(!kill(h[0].info.engine_pid, SIGKILL));
    CHECK_EQ(harness_wait(&h[0]).status, HMMSVM_DEVICE_LOST);
    CHECK_EQ(agent_add(&a[1], word, 1), 100);
    hmmsvm_device_info(h[1].dev, &info);
    CHECK_EQ(info.resets, 0);
    hmmsvm_device_info(h[0].dev, &info);
    CHECK_EQ(info.resets, 1);

    /* Closing one leaves the other alone, too. */
    harness_close(&h[0]);
    CHECK_EQ(agent_add(&a[1], word, 1), 101);
    agent_end(&a[1]);
    harness_close(&h[1]);
    return 0;
}
