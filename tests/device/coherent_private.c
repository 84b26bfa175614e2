/* SPDX-License-Identifier: MIT */
/*
 * coherent_private.c - one application with two devices, of which one has memory that the
 * CPU reaches and the other has not: each sees the other's, and pages go from one to the other
 */
#include "devmem.h"

#define PAGES DEVMEM_BLOCK_PAGES

enum { PRIVATE, COHERENT, KINDS };

int main(void)
{
    unsigned index[KINDS] = { 0, devmem_coherent() };
    struct hmmsvm_memory memory;
    struct harness h[KINDS];
    struct hmmsvm_stats s;
    struct agent a[KINDS];
    uint64_t *p[KINDS];
    char text[16];

    CHECK(devmem_memory(0, &memory));
    if (memory.kind != HMMSVM_MEMORY_PRIVATE)
        SKIP("the module has no private device memory (devmem_mb=)");
    for (unsigned k = 0; k < KINDS; k++) {
        devmem_used_is(index[k], 0);
        snprintf(text, sizeof(text), "%u", index[k]);
        CHECK(!setenv("HMMSVM_MEMORY", text, 1));
        devmem_open(&h[k], 1, "remote");
        agent_begin(&a[k], &h[k]);
        p[k] = devmem_small(1);
        devmem_fill(p[k], PAGES, 1000 * k);
        DEVMEM_REQUEST(&h[k], p[k], DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
    }
    for (unsigned k = 0; k < KINDS; k++) {
        devmem_used_is(index[k], PAGES);
        for (unsigned i = 0; i < PAGES; i += 8)
            CHECK_EQ(agent_add(&a[!k], &p[k][i * 512 + i % 512], 0), 1000 * k + i);
        agent_write(&a[!k], &p[k][7 * 512 + 8], 77);
        CHECK_EQ(agent_read(&a[k], &p[k][7 * 512 + 8]), 77);
        CHECK_EQ(devmem_resident(&h[k]), PAGES);
    }

    /* What is there does not go straight from one to the other. */
    DEVMEM_REQUEST(&h[PRIVATE], p[COHERENT], DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, 0, 0, PAGES);
    DEVMEM_REQUEST(&h[COHERENT], p[PRIVATE], DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, 0, 0, PAGES);

    /* The CPU has one at hand. For the other it faults, and what came back may go to the first. */
    harness_mark(&h[PRIVATE]);
    harness_mark(&h[COHERENT]);
    devmem_check(p[COHERENT], PAGES, 1000);
    CHECK_EQ(harness_delta(&h[COHERENT]).cpu_faults, 0);
    devmem_check(p[PRIVATE], PAGES, 0);
    s = harness_delta(&h[PRIVATE]);
    CHECK_EQ(s.cpu_faults, PAGES / 16);
    CHECK_EQ(s.device_pages, 0);
    DEVMEM_REQUEST(&h[COHERENT], p[PRIVATE], DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
    devmem_used_is(index[PRIVATE], 0);
    devmem_used_is(index[COHERENT], 2 * PAGES);

    /* Back by the other device's request: a page is the application's, whoever asks. */
    DEVMEM_REQUEST(&h[PRIVATE], p[COHERENT], DEVMEM_BLOCK, DEVMEM_TO_SYSTEM, 0, PAGES, 0, 0);
    DEVMEM_REQUEST(&h[PRIVATE], p[COHERENT], DEVMEM_BLOCK, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);
    devmem_used_is(index[PRIVATE], PAGES);
    devmem_used_is(index[COHERENT], PAGES);
    for (unsigned k = 0; k < KINDS; k++)
        CHECK_EQ(agent_read(&a[k], &p[k][7 * 512 + 8]), 77);

    for (unsigned k = 0; k < KINDS; k++) {
        agent_end(&a[k]);
        harness_close(&h[k]);
        devmem_used_is(index[k], 0);
    }
    devmem_check(p[PRIVATE], PAGES, 0);
    devmem_check(p[COHERENT], PAGES, 1000);
    return 0;
}
