/* SPDX-License-Identifier: MIT */
/* no_swap.c - eviction needs no swap space: what has to go goes to system memory */
#include <sys/swap.h>

#include "devmem.h"

static char device[128];

static void swap_on(void)
{
    if (device[0])
        swapon(device, 0);
}

int main(void)
{
    FILE *f = fopen("/proc/swaps", "re");
    struct hmmsvm_memory memory;
    struct hmmsvm_stats s;
    uint64_t *p, pages, sum;
    struct harness h;
    struct agent a;
    char line[256];

    devmem_open(&h, 1, "tree");
    CHECK(f);
    if (fgets(line, sizeof(line), f) && fgets(line, sizeof(line), f))
        CHECK_EQ(sscanf(line, "%127s", device), 1);
    fclose(f);
    if (device[0] && swapoff(device))
        SKIP("swapoff %s: %s", device, strerror(errno));
    atexit(swap_on);
    agent_begin(&a, &h);
    CHECK_OK(hmmsvm_device_memory(h.dev, &memory));
    devmem_at_most(&memory, 256);
    pages = 2 * memory.bytes / HARNESS_PAGE;
    p = devmem_small((unsigned)(pages / DEVMEM_BLOCK_PAGES));
    harness_mark(&h);
    agent_fill_pages(&a, p, 0, pages);
    CHECK_EQ(agent_sum_pages(&a, p, pages), pages * (pages - 1) / 2);
    s = harness_delta(&h);
    CHECK_GE(s.pages_to_device, pages);
    CHECK_GE(s.pages_to_system_evicted, pages / 2);
    CHECK_EQ(s.failed_no_system_memory + s.failed_faults + s.policy_errors, 0);
    for (uint64_t i = sum = 0; i < pages; i++)
        sum += p[i * 512];
    CHECK_EQ(sum, pages * (pages - 1) / 2);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
