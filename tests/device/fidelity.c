/* SPDX-License-Identifier: MIT */
/*
 * fidelity.c - the policy lab's replay counts what the module counts
 *
 * One work-group uses memory in known ways, in turns with the CPU, under several policies, and
 * each use is written to a trace, too. The lab replays that with the same policies and as much
 * device memory; then every counter that both have must agree to 1 %: faults, pages that
 * moved and why, evictions, entries. (They are equal today, and what is not is printed.)
 *
 * Left out is what time or chance decides: ticks (an hour apart here), policies that look at the
 * clock or measure costs, and evictions that go by the numbers of chunks (clock, random), which are
 * in the order in which whoever came before has left them.
 */
#include <hmmsvm/trace.h>
#include <sim.h>

#include "devmem.h"

/* A context and the device's memory remember: each run has addresses, and memory, of its own. */
struct run {
    struct harness *h;
    struct agent *a;
    struct hmmsvm_trace_writer *trace;
    char *base;      /* of what may be used */
    uint64_t pages;
    uint64_t memory; /* pages of device memory */
};

/* ---- uses, by either side ------------------------------------------------ */

static void note(struct run *r, bool cpu, bool write, uint64_t first, uint64_t count,
                 uint64_t stride)
{
    const struct hmmsvm_trace_event e = {
        .type = HMMSVM_TRACE_ACCESS,
        .cpu = cpu,
        .write = write,
        .page = (uintptr_t)r->base / HARNESS_PAGE + first,
        .count = count,
        .stride = stride,
        .weight = 1,
    };

    CHECK_LE(first + (count - 1) * stride, r->pages - 1);
    hmmsvm_trace_write(r->trace, &e);
}

static void device(struct run *r, bool write, uint64_t first, uint64_t count, uint64_t stride)
{
    note(r, false, write, first, count, stride);
    agent_order(r->a, write ? AGENT_FILL : AGENT_SUM, r->base + first * HARNESS_PAGE, 1, count,
                stride * HARNESS_PAGE / 8);
}

static void cpu(struct run *r, bool write, uint64_t first, uint64_t count, uint64_t stride)
{
    note(r, true, write, first, count, stride);
    for (uint64_t i = 0; i < count; i++) {
        volatile char *p = r->base + (first + i * stride) * HARNESS_PAGE;

        if (write)
            *p = 1;
        else
            (void)*p;
    }
}

/* ---- patterns ------------------------------------------------------------- */

/* All of it in order, which is more than there is device memory, twice. */
static void scan(struct run *r)
{
    cpu(r, true, 0, r->pages, 1);
    device(r, false, 0, r->pages, 1);
    device(r, true, 0, r->pages, 1);
}

/* Nobody has used it before the device does. */
static void fresh(struct run *r)
{
    device(r, true, 0, r->pages / 2, 1);
    device(r, false, r->pages / 2, r->pages / 2, 1);
    cpu(r, false, 3, r->pages / 600, 600);
    device(r, false, 0, r->pages, 1);
}

/* Nobody has written it: what is read is one page of zeros, until it is written. */
static void zeros(struct run *r)
{
    device(r, false, 0, 640, 1);
    cpu(r, false, 9, 300, 5);
    device(r, true, 8, 90, 21);
    cpu(r, true, 1, 60, 30);
    device(r, false, 0, 1000, 2);
}

/* Every so many pages, reads and writes, and the CPU a few in between. */
static void strided(struct run *r)
{
    cpu(r, true, 0, r->pages / 4, 1);
    device(r, false, 7, (r->pages - 7) / 24, 24);
    cpu(r, false, 5, (r->pages - 5) / 77, 77);
    device(r, true, 11, (r->pages - 11) / 40, 40);
    cpu(r, true, 0, r->pages / 130, 130);
    device(r, false, 7, (r->pages - 7) / 24, 24);
}

/* What is used again and again, beside a scan. */
static void reuse(struct run *r)
{
    uint64_t hot = r->memory / 3 / 16 * 16, at;

    cpu(r, true, 0, hot, 1);
    device(r, false, 0, hot, 1);
    for (at = hot; at + 208 <= r->pages; at += 208) {
        device(r, at % 3 == 0, at, 208, 1);
        device(r, at % 7 == 0, at * 37 % (hot - 256), 256, 1);
    }
}

/* The CPU takes back what the device has just used. */
static void bounce(struct run *r)
{
    cpu(r, true, 0, 1024, 1);
    for (uint64_t round = 0; round < 12; round++) {
        device(r, round % 2, round * 64, 256, 1);
        cpu(r, round % 3, round * 64 + 9, 4, 50);
        device(r, round % 5 == 0, round * 64 + 5, 20, 11);
    }
}

/* Both use all regions, the CPU every 16th page of them. */
static void comb(struct run *r)
{
    device(r, true, 0, r->pages / 2, 1);
    for (uint64_t round = 0; round < 3; round++) {
        cpu(r, true, 0, r->pages / 32, 16);
        for (uint64_t page = 0; page + 16 <= r->pages / 2; page += 16)
            device(r, round % 2, page + 1, 15, 1);
    }
    device(r, false, 0, r->pages, 1);
}

/* ---- both, side by side ------------------------------------------------- */

#define COUNTERS(X)                                                                                \
    X(device_faults) X(device_write_faults) X(sampled_faults) X(app_faults) X(pages_mirrored)      \
    X(pages_mirrored_device) X(cpu_faults) X(migrations_to_device) X(pages_to_device)              \
    X(pages_zeroed) X(pages_to_system) X(pages_to_system_cpu) X(pages_to_system_evicted)           \
    X(evictions) X(refaults) X(huge_to_device) X(huge_to_system) X(failed_no_memory)               \
    X(policy_errors) X(withdrawals)

/* Whether they agree to 1 %. */
static bool agree(const char *name, uint64_t module, uint64_t lab)
{
    uint64_t differ = module > lab ? module - lab : lab - module;

    if (differ)
        printf("  %s: the module has %llu, the lab %llu\n", name, (unsigned long long)module,
               (unsigned long long)lab);
    return differ * 100 <= module;
}

/* @tunables, "name=value", space between; NULL: none. */
static void set_tunables(struct run *r, struct sim_setup *setup, const char *tunables)
{
    char text[128], name[HMMSVM_POLICY_NAME + 16];
    long long value;
    int n;

    snprintf(text, sizeof(text), "%s", tunables ? tunables : "");
    for (char *at = text; sscanf(at, " %31[^=]=%lld%n", name, &value, &n) == 2; at += n) {
        int64_t set = value;
        uint32_t i = 0;

        CHECK_OK(hmmsvm_device_tunable(r->h->dev, name, &set, true, NULL));
        while (strcmp(setup->placement->tunables[i].name, name))
            CHECK_LT(++i, setup->placement->nr_tunables);
        setup->tunables[i] = value;
    }
}

static void compare(struct run *r, const char *what, void (*pattern)(struct run *r),
                    const char *placement, const char *eviction, const char *tunables, bool huge,
                    unsigned from)
{
    struct sim_setup setup = {
        .machine = &sim_machine_plain,
        .placement = hmmsvm_placement_find(placement),
        .eviction = hmmsvm_eviction_find(eviction),
    };
    uint64_t blocks = (r->memory * 9 / 8 + DEVMEM_BLOCK_PAGES - 1) / DEVMEM_BLOCK_PAGES;
    size_t size, length = blocks * DEVMEM_BLOCK;
    struct hmmsvm_trace *trace;
    struct sim_result lab;
    struct hmmsvm_stats s;
    char *all, error[256];
    bool fine = true;
    void *bytes;

    CHECK(setup.placement && setup.eviction);
    all = memory_blocks((unsigned)blocks + 1);
    CHECK(!madvise(all, length, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
    /* The mapping begins within a block. */
    CHECK(!mprotect(all, from * HARNESS_PAGE, PROT_NONE));
    r->base = all + from * HARNESS_PAGE;
    r->pages = length / HARNESS_PAGE - from;
    r->trace = hmmsvm_trace_create_memory();
    CHECK(r->trace);
    hmmsvm_trace_alloc(r->trace, (uintptr_t)r->base / HARNESS_PAGE, r->pages, what);

    CHECK_OK(hmmsvm_device_policy(r->h->dev, placement, eviction));
    sim_setup_defaults(&setup);
    set_tunables(r, &setup, tunables);
    harness_mark(r->h);
    pattern(r);
    s = harness_delta(r->h);
    CHECK_OK(hmmsvm_device_policy(r->h->dev, "remote", NULL));
    /* The addresses stay taken: what is known of their blocks is this run's. */
    CHECK(!madvise(all, length, MADV_DONTNEED));

    bytes = hmmsvm_trace_finish_memory(r->trace, &size);
    CHECK(bytes);
    trace = hmmsvm_trace_parse(bytes, size, error, sizeof(error));
    if (!trace)
        FAIL("%s: %s", what, error);
    setup.trace = trace;
    setup.layout = sim_layout_new(trace, error, sizeof(error));
    if (!setup.layout)
        FAIL("%s: %s", what, error);
    setup.chunks = (uint32_t)(r->memory / DEVMEM_BLOCK_PAGES);
    setup.huge = huge && r->h->info.kernel.features & HMMSVM_FEATURE_HUGE_PAGES;
    CHECK(sim_run(&setup, &lab));
    CHECK_EQ(lab.fault, SIM_FINE);

    printf("%-8s %-7s %-4s %5llu faults, %5llu of the CPU, %5llu pages there, %5llu back, %3llu evictions\n",
           what, placement, eviction, (unsigned long long)s.device_faults,
           (unsigned long long)s.cpu_faults, (unsigned long long)s.pages_to_device,
           (unsigned long long)s.pages_to_system, (unsigned long long)s.evictions);
#define AGREE(name) fine = agree(#name, s.name, lab.count.name) && fine;
    COUNTERS(AGREE)
#undef AGREE
    CHECK_EQ(s.failed_busy, 0);
    CHECK(fine);
    sim_layout_free((struct sim_layout *)setup.layout);
    hmmsvm_trace_close(trace);
    free(bytes);
}

int main(void)
{
    struct hmmsvm_memory memory;
    struct harness h;
    struct agent a;
    struct run r = {.h = &h, .a = &a};

    devmem_open(&h, 1, "remote");
    CHECK_OK(hmmsvm_device_memory(h.dev, &memory));
    devmem_at_most(&memory, 64);
    CHECK_GE(memory.bytes, 8 * DEVMEM_BLOCK);
    agent_begin(&a, &h);
    r.memory = memory.bytes / HARNESS_PAGE;

    /* The memory of an eviction policy begins anew if another one was used before. */
    compare(&r, "scan", scan, "tree", "lru", NULL, false, 0);
    compare(&r, "reuse", reuse, "touch", "lfu", NULL, false, 0);
    compare(&r, "fresh", fresh, "tree", "fifo", NULL, false, 13);
    compare(&r, "fresh", fresh, "remote", "lru", NULL, false, 13);
    compare(&r, "fresh", fresh, "xe", "lru", "slice=0", true, 0);
    compare(&r, "zeros", zeros, "remote", "lru", NULL, false, 0);
    compare(&r, "zeros", zeros, "touch", "lru", NULL, false, 0);
    compare(&r, "strided", strided, "counter", "fifo", "tick=3600000 threshold=2", false, 40);
    compare(&r, "strided", strided, "touch", "lru", "granularity=4", false, 0);
    compare(&r, "bounce", bounce, "touch", "lru", NULL, false, 3);
    compare(&r, "bounce", bounce, "counter", "fifo", "tick=3600000 threshold=2", false, 0);
    compare(&r, "bounce", bounce, "tree", "lru", "density=25", false, 0);
    compare(&r, "zeros", zeros, "counter", "fifo", "tick=3600000 threshold=4 shown=128", false, 0);
    compare(&r, "bounce", bounce, "counter", "fifo", "tick=3600000 threshold=2 shown=512", false, 3);
    /* Of what time decides nothing is left of it then. */
    compare(&r, "fresh", fresh, "adaptive", "lru", "pace=0 tick=3600000", false, 13);
    compare(&r, "comb", comb, "adaptive", "lru", "pace=0 tick=3600000", false, 0);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
