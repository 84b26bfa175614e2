/* SPDX-License-Identifier: MIT */
/* several_memories.c - each device memory is its own: pages go to the one that the context chose */
#include "devmem.h"

#define PAGES DEVMEM_BLOCK_PAGES

int main(void)
{
    struct hmmsvm_memory memory;
    uint64_t *p[2], *both;
    struct harness h[2];
    struct agent a[2];
    unsigned count;

    devmem_needed();
    CHECK(devmem_memory(0, &memory));
    count = memory.count;
    CHECK_EQ(devmem_memory(count, &memory), false);
    CHECK_EQ(memory.count, count);
    if (count < 2)
        SKIP("the module has one device memory (devmem_mb=16,16 makes two)");

    for (int i = 0; i < 2; i++) {
        CHECK(!setenv("HMMSVM_MEMORY", i ? "1" : "0", 1));
        devmem_open(&h[i], 1, "remote");
        CHECK_OK(hmmsvm_device_memory(h[i].dev, &memory));
        CHECK_EQ(memory.index, i);
        CHECK_EQ(memory.kind, HMMSVM_MEMORY_PRIVATE);
        agent_begin(&a[i], &h[i]);
        p[i] = devmem_small(1);
        devmem_fill(p[i], PAGES, 1000 * i);
        CHECK_EQ(devmem_move(&h[i], p[i], DEVMEM_BLOCK, DEVMEM_TO_DEVICE), PAGES);
    }
    devmem_used_is(0, PAGES);
    devmem_used_is(1, PAGES);
    CHECK_EQ(devmem_resident(&h[0]), PAGES);
    CHECK_EQ(devmem_resident(&h[1]), PAGES);

    /* Each device sees the memory of the other one. */
    for (int i = 0; i < 2; i++) {
        harness_mark(&h[i]);
        CHECK_EQ(agent_read(&a[i], &p[!i][5 * 512 + 5]), 1000 * !i + 5);
        agent_write(&a[i], &p[!i][5 * 512 + 6], 77);
        CHECK_EQ(harness_delta(&h[i]).failed_faults, 0);
        CHECK_EQ(agent_read(&a[!i], &p[!i][5 * 512 + 6]), 77);
    }
    CHECK_EQ(devmem_resident(&h[0]), PAGES);
    CHECK_EQ(devmem_resident(&h[1]), PAGES);

    /* What lies in one is there already for a request of the other one, or moves on; it is right. */
    both = p[0];
    devmem_move(&h[1], both, DEVMEM_BLOCK, DEVMEM_TO_DEVICE);
    CHECK_EQ(devmem_resident(&h[0]) + devmem_resident(&h[1]), 2 * PAGES);
    devmem_check(both, PAGES, 0);
    CHECK_EQ(devmem_resident(&h[0]) + devmem_resident(&h[1]), PAGES);
    /* Page by page in turns. */
    for (unsigned i = 0; i < 64; i++)
        devmem_move(&h[i & 1], both + i * 512, HARNESS_PAGE, DEVMEM_TO_DEVICE);
    CHECK_EQ(devmem_resident(&h[0]), 32);
    CHECK_EQ(devmem_resident(&h[1]), PAGES + 32);
    for (unsigned i = 0; i < 64; i++)
        CHECK_EQ(agent_read(&a[i & 1], &both[i * 512 + i]), i);
    devmem_check(both, PAGES, 0);

    agent_end(&a[0]);
    harness_close(&h[0]);
    devmem_used_is(0, 0);
    devmem_used_is(1, PAGES);
    agent_end(&a[1]);
    harness_close(&h[1]);
    devmem_used_is(1, 0);
    devmem_check(p[1], PAGES, 1000);

    CHECK(!setenv("HMMSVM_MEMORY", "9", 1));
    CHECK_NE(hmmsvm_device_open(&(struct hmmsvm_open_params){.mode = HMMSVM_MODE_KERNEL}, &h[0].dev), 0);
    return 0;
}
