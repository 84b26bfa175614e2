/* SPDX-License-Identifier: MIT */
/*
 * torture.c - CPU and device write interleaved words of the same pages while everything
 * else happens to them; in the end each word holds what its writer wrote last
 *
 * See torture.h. HMMSVM_TORTURE_SECONDS says how long (default 10).
 */
#include "torture.h"

int main(void)
{
    const char *text = getenv("HMMSVM_TORTURE_SECONDS");
    unsigned seconds = text && *text ? (unsigned)atoi(text) : 10;
    struct hmmsvm_completion c;
    struct hmmsvm_stats s;
    uint64_t device, host, end;
    void *slot;

    torture_open(0);
    torture_begin();
    harness_submit(&h, device_writes, &slot, w, GROUPS);
    end = harness_ns() + seconds * 1000000000ull;
    while (harness_ns() < end && !harness_get(&w->error.set))
        usleep(50000);
    harness_set(&w->stop, 1);
    c = harness_wait(&h);
    CHECK_STATUS(&c, HMMSVM_OK);
    torture_end(&device, &host);
    s = harness_delta(&h);
    printf("%u s: %llu writes by the device, %llu by the host; %u policies, %u forks, requests moved %u there and %u back, "
           "%u mprotect, %u madvise; %llu pages to the device, %llu back for the CPU, %llu evicted; %llu busy, %llu without memory\n",
           seconds, (unsigned long long)device, (unsigned long long)host, policies, forks, there, back, protects,
           advices, (unsigned long long)s.pages_to_device, (unsigned long long)s.pages_to_system_cpu,
           (unsigned long long)s.pages_to_system_evicted, (unsigned long long)s.failed_busy,
           (unsigned long long)s.failed_no_system_memory);
    CHECK_EQ(s.policy_errors + s.failed_faults, 0);
    CHECK_GE(device, 100);
    CHECK_GE(host, 100);
    CHECK_GE(forks, 1);
    CHECK_GE(s.pages_to_device, 100);
    CHECK_GE(s.pages_to_system_cpu, 10);
    harness_close(&h);
    devmem_used_is(0, 0);
    return 0;
}
