/* SPDX-License-Identifier: MIT */
/*
 * events.c - each thing that happens is in the ring, with its address, pages and
 * flags, in order; what was overwritten is counted as lost
 */
#include <signal.h>

#include "devmem.h"

#define PAGES DEVMEM_BLOCK_PAGES

static struct hmmsvm_event_reader *reader;

/* The next event of @type at @p, skipping others: those of the agent's own pages. */
static struct hmmsvm_event next(unsigned type, const volatile void *p)
{
    static uint64_t last;
    struct hmmsvm_event e;
    uint64_t lost = 0;

    /* Those of other threads may take a moment. */
    for (int i = 0; i < 1000; i++) {
        while (hmmsvm_event_reader_next(reader, &e, 1, &lost) == 1) {
            CHECK_EQ(lost, 0);
            CHECK_GE(e.ns + 1000000, last);
            last = e.ns;
            CHECK_GE(e.ns, e.took_ns);
            CHECK_GT(e.tid, 0);
            if (e.type == type && e.address == (uintptr_t)p)
                return e;
        }
        usleep(1000);
    }
    FAIL("no event %u at %p", type, (const void *)p);
}

int main(void)
{
    struct hmmsvm_events ring = {0}, more[3], none;
    struct hmmsvm_memory memory;
    struct hmmsvm_event e;
    struct harness h;
    struct agent a;
    uint64_t *p, *big, lost = 0;
    uint64_t blocks, n = 0;

    devmem_open(&h, 1, "remote");
    CHECK_EQ(hmmsvm_device_events(h.dev, 100, &none), -EINVAL);
    CHECK_EQ(hmmsvm_device_events(h.dev, 64, &none), -EINVAL);
    CHECK_EQ(hmmsvm_device_events(h.dev, 1u << 21, &none), -EINVAL);
    CHECK_OK(hmmsvm_device_events(h.dev, 4096, &ring));
    CHECK_OK(hmmsvm_event_reader_open(&ring, &reader));
    CHECK(mmap(NULL, ring.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0) == MAP_FAILED);
    close(ring.fd);
    agent_begin(&a, &h);
    p = devmem_small(1);
    devmem_fill(p, PAGES, 1);

    /* In system memory. */
    agent_read(&a, &p[3 * 512]);
    e = next(HMMSVM_EVENT_DEVICE_FAULT, p + 3 * 512);
    CHECK_EQ(e.flags, HMMSVM_EVENT_REMOTE);
    CHECK_EQ(e.pages, PAGES);
    agent_write(&a, &p[4 * 512], 1);
    e = next(HMMSVM_EVENT_DEVICE_FAULT, p + 4 * 512);
    CHECK_EQ(e.flags, HMMSVM_EVENT_REMOTE | HMMSVM_EVENT_WRITE);
    CHECK_EQ(e.pages, PAGES);

    devmem_move(&h, p + 16 * 512, 40 * HARNESS_PAGE, DEVMEM_TO_DEVICE);
    e = next(HMMSVM_EVENT_TO_DEVICE, p + 16 * 512);
    CHECK_EQ(e.pages, 40);
    CHECK_EQ(e.tid, getpid());
    agent_read(&a, &p[20 * 512]);
    e = next(HMMSVM_EVENT_DEVICE_FAULT, p + 20 * 512);
    CHECK_EQ(e.flags & (HMMSVM_EVENT_REMOTE | HMMSVM_EVENT_WRITE), 0);

    ((volatile uint64_t *)p)[37 * 512] = 5;
    e = next(HMMSVM_EVENT_CPU_FAULT, p + 32 * 512);
    CHECK_EQ(e.flags, HMMSVM_EVENT_WRITE);
    CHECK_EQ(e.pages, 16);
    CHECK_EQ(e.tid, getpid());
    devmem_move(&h, p + 10 * 512, 10 * HARNESS_PAGE, DEVMEM_TO_SYSTEM);
    e = next(HMMSVM_EVENT_TO_SYSTEM, p + 10 * 512);
    CHECK_EQ(e.pages, 4);

    /* One that fails. */
    CHECK(!mprotect(p, DEVMEM_BLOCK, PROT_NONE));
    agent_dies(&a, AGENT_WRITE, p + 7 * 512);
    e = next(HMMSVM_EVENT_FAILED, p + 7 * 512);
    CHECK_EQ(e.flags, HMMSVM_EVENT_WRITE);
    CHECK_EQ(e.pages, 0);
    agent_begin(&a, &h);
    CHECK(!munmap(p, DEVMEM_BLOCK));

    /* One block more than there is room for: the oldest has to go. */
    CHECK_OK(hmmsvm_device_memory(h.dev, &memory));
    blocks = memory.bytes / DEVMEM_BLOCK;
    if (blocks <= 64) {
        CHECK_OK(hmmsvm_device_policy(h.dev, NULL, "fifo"));
        big = devmem_small((unsigned)blocks + 1);
        devmem_fill(big, (blocks + 1) * PAGES, 1);
        harness_mark(&h);
        for (unsigned i = 0; i <= blocks; i++)
            CHECK_EQ(devmem_move(&h, big + i * PAGES * 512, DEVMEM_BLOCK, DEVMEM_TO_DEVICE), PAGES);
        do
            CHECK_EQ(hmmsvm_event_reader_next(reader, &e, 1, &lost), 1);
        while (e.type != HMMSVM_EVENT_EVICT);
        CHECK_EQ(e.pages, PAGES);
        CHECK_EQ(e.address, (uintptr_t)big);
        CHECK_EQ(harness_delta(&h).evictions, 1);
        CHECK_EQ(harness_delta(&h).pages_to_system_evicted, PAGES);
        devmem_check(big, (blocks + 1) * PAGES, 1);
        CHECK(!munmap(big, blocks * DEVMEM_BLOCK));
    }

    /* A policy that samples withdraws; the next access is a sampled one. */
    p = devmem_small(1);
    devmem_fill(p, PAGES, 1);
    CHECK_OK(hmmsvm_device_policy(h.dev, "hot", NULL));
    {
        int64_t all = 100;
        bool clamped;

        CHECK_OK(hmmsvm_device_tunable(h.dev, "sample", &all, true, &clamped));
        CHECK_EQ(clamped, false);
    }
    agent_read(&a, p);
    e = next(HMMSVM_EVENT_WITHDRAW, p);

    /* More than the ring holds. */
    CHECK_OK(hmmsvm_device_policy(h.dev, "remote", NULL));
    for (unsigned i = 0; i < 3; i++)
        CHECK_OK(hmmsvm_device_events(h.dev, 128, &more[i]));
    CHECK_EQ(hmmsvm_device_events(h.dev, 128, &none), -EBUSY);
    hmmsvm_event_reader_close(reader);
    CHECK_OK(hmmsvm_event_reader_open(&more[0], &reader));
    close(more[1].fd);
    close(more[2].fd);
    CHECK_OK(hmmsvm_device_events(h.dev, 128, &more[1]));
    close(more[1].fd);
    for (unsigned i = 0; i < 200; i++) {
        devmem_move(&h, p, HARNESS_PAGE, DEVMEM_TO_DEVICE);
        devmem_move(&h, p, HARNESS_PAGE, DEVMEM_TO_SYSTEM);
    }
    lost = 0;
    while (hmmsvm_event_reader_next(reader, &e, 1, &lost) == 1)
        n++;
    CHECK_GE(lost, 400 - 128);
    CHECK_LE(n, 128);
    CHECK_GE(n, 127);
    CHECK_GE(n + lost, 400);
    CHECK_EQ(e.type, HMMSVM_EVENT_TO_SYSTEM);
    CHECK_EQ(e.address, (uintptr_t)p);
    CHECK_EQ(e.pages, 1);
    agent_end(&a);
    harness_close(&h);
    /* The ring outlives the context; nothing more is written. */
    CHECK_EQ(hmmsvm_event_reader_next(reader, &e, 1, &lost), 0);
    hmmsvm_event_reader_close(reader);
    close(more[0].fd);
    return 0;
}
