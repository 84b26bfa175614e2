/* SPDX-License-Identifier: MIT */
/*
 * policy_choice.c - policies change while a kernel runs; tunables have limits and go
 * back to their defaults; names that are none are refused and change nothing
 */
#include <hmmsvm/policy.h>

#include "devmem.h"

static uint64_t *p;

static void chosen(struct harness *h, const char *placement, const char *eviction)
{
    struct hmmsvm_policy_choice choice = {.size = sizeof(choice), .target.pid = (uint32_t)getpid()};
    int fd = devmem_node();

    (void)h;
    CHECK(!ioctl(fd, HMMSVM_IOC_POLICY, &choice));
    close(fd);
    if (strcmp(choice.placement, placement) || strcmp(choice.eviction, eviction))
        FAIL("the policies are %s and %s, wanted %s and %s", choice.placement, choice.eviction,
             placement, eviction);
}

static uint64_t moves(struct harness *h, struct agent *a)
{
    devmem_move(h, p, DEVMEM_BLOCK, DEVMEM_TO_SYSTEM);
    CHECK(!madvise(p, DEVMEM_BLOCK, MADV_DONTNEED));
    for (unsigned i = 0; i < DEVMEM_BLOCK_PAGES; i++)
        p[i * 512] = i;
    harness_mark(h);
    CHECK_EQ(agent_read(a, &p[100 * 512]), 100);
    CHECK_EQ(harness_delta(h).policy_errors, 0);
    return harness_delta(h).pages_to_device;
}

int main(void)
{
    struct harness h;
    struct agent a;
    int64_t value;
    bool clamped;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(1);
    chosen(&h, "remote", HMMSVM_DEFAULT_EVICTION);

    /* The agent is running all the time. */
    CHECK_EQ(moves(&h, &a), 0);
    CHECK_OK(hmmsvm_device_policy(h.dev, "touch", "clock"));
    chosen(&h, "touch", "clock");
    CHECK_EQ(moves(&h, &a), 16);
    value = 64;
    CHECK_OK(hmmsvm_device_tunable(h.dev, "granularity", &value, true, &clamped));
    CHECK_EQ(value, 64);
    CHECK_EQ(clamped, false);
    CHECK_EQ(moves(&h, &a), 64);
    value = 1;
    CHECK_OK(hmmsvm_device_tunable(h.dev, "granularity", &value, true, &clamped));
    CHECK_EQ(moves(&h, &a), 1);

    /* Out of limits. */
    value = 100000;
    CHECK_OK(hmmsvm_device_tunable(h.dev, "granularity", &value, true, &clamped));
    CHECK_EQ(value, 512);
    CHECK_EQ(clamped, true);
    CHECK_EQ(moves(&h, &a), 512);
    value = INT64_MIN;
    CHECK_OK(hmmsvm_device_tunable(h.dev, "granularity", &value, true, &clamped));
    CHECK_EQ(value, 1);
    CHECK_EQ(clamped, true);
    value = 77;
    CHECK_OK(hmmsvm_device_tunable(h.dev, "granularity", &value, false, NULL));
    CHECK_EQ(value, 1);

    /* Not there. */
    CHECK_EQ(hmmsvm_device_tunable(h.dev, "nonsense", &value, true, NULL), -ENOENT);
    CHECK_EQ(hmmsvm_device_tunable(h.dev, "tick", &value, false, NULL), -ENOENT);
    CHECK_EQ(hmmsvm_device_policy(h.dev, "nonsense", NULL), -EINVAL);
    CHECK_EQ(hmmsvm_device_policy(h.dev, NULL, "nonsense"), -EINVAL);
    CHECK_EQ(hmmsvm_device_policy(h.dev, "", NULL), -EINVAL);
    CHECK_EQ(hmmsvm_device_policy(h.dev, "remotest-of-all-policies", NULL), -EINVAL);
    /* A good one beside a bad one is not taken. */
    CHECK_EQ(hmmsvm_device_policy(h.dev, "remote", "nonsense"), -EINVAL);
    CHECK_EQ(hmmsvm_device_policy(h.dev, "nonsense", "fifo"), -EINVAL);
    chosen(&h, "touch", "clock");
    value = 0;
    CHECK_OK(hmmsvm_device_tunable(h.dev, "granularity", &value, false, NULL));
    CHECK_EQ(value, 1);

    /* Chosen anew, all is at its default; the eviction alone touches nothing. */
    CHECK_OK(hmmsvm_device_policy(h.dev, NULL, "lfu"));
    CHECK_OK(hmmsvm_device_tunable(h.dev, "granularity", &value, false, NULL));
    CHECK_EQ(value, 1);
    CHECK_OK(hmmsvm_device_policy(h.dev, "touch", NULL));
    CHECK_OK(hmmsvm_device_tunable(h.dev, "granularity", &value, false, NULL));
    CHECK_EQ(value, 16);
    chosen(&h, "touch", "lfu");
    CHECK_OK(hmmsvm_device_policy(h.dev, "remote", NULL));
    CHECK_EQ(moves(&h, &a), 0);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
