/* SPDX-License-Identifier: MIT */
/*
 * The simulator: traces worked out by hand, counter by counter; every policy on every pattern; and
 * policies that are wrong, which are caught and told apart.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replay.h"

static struct replay r;

#define COUNT(name) (r.result.count.name)
#define US 1000000ull /* in picoseconds */
#define FAULT (10 * US)
#define COPY 4096000ull
#define CLEAR 409600ull
#define LOCAL 6400ull
#define REMOTE 64000ull

static void begin(const char *text, const char *placement)
{
    replay_text(&r, text);
    replay_policies(&r, hmmsvm_placement_find(placement), "lru");
}

static void finish(void)
{
    assert_int_equal(r.result.faults, 0);
    replay_end(&r);
}

/* ---- the mirror ---------------------------------------------------------------------------- */

static void remote_maps_all_there_is(void **state)
{
    (void)state;
    begin("cpu w 512 512\ndevice r 512 512 64\ndevice w 512 512\n", "remote");
    replay_run(&r);
    /* One fault shows the block, one makes it writable. */
    assert_int_equal(COUNT(device_faults), 2);
    assert_int_equal(COUNT(device_write_faults), 1);
    assert_int_equal(COUNT(pages_mirrored), 512);
    assert_int_equal(COUNT(app_faults), 0);
    assert_int_equal(COUNT(accesses_remote), 1024);
    assert_int_equal(COUNT(accesses_local), 0);
    assert_int_equal(r.result.memory_ps, 2 * FAULT + (512 * 64 + 512) * REMOTE);
    assert_int_equal(r.result.accesses, 3 * 512);
    finish();
}

/* What is only read is the page of zeros that all share: a write needs a page of its own. */
static void zeros_become_pages(void **state)
{
    (void)state;
    begin("alloc 512 512\ncpu r 512 64\ndevice r 512 64\ndevice w 512 3\ncpu w 520 2\n"
          "device r 512 64\n", "remote");
    replay_run(&r);
    /* To read; to write one, and two ahead, whose entries went; to read what the CPU has written. */
    assert_int_equal(COUNT(device_faults), 4);
    assert_int_equal(COUNT(app_faults), 2);
    assert_int_equal(COUNT(pages_mirrored), 64 + 3 + 2);
    finish();
    begin("alloc 512 512\ncpu r 512 16\ndevice r 512 16\n", "touch");
    replay_run(&r);
    assert_int_equal(COUNT(pages_zeroed), 16);
    finish();
}

/* Memory that nobody has touched comes in steps of 1, 2, 4 ... 256 and 1 pages. */
static void remote_brings_in_ahead(void **state)
{
    (void)state;
    begin("device w 512 512\n", "remote");
    replay_run(&r);
    assert_int_equal(COUNT(device_faults), 10);
    assert_int_equal(COUNT(app_faults), 10);
    finish();
}

/* A policy that decides has only the region of the fault shown. */
static void undecided_memory_is_shown_by_regions(void **state)
{
    (void)state;
    begin("cpu w 512 512\ndevice r 512 512\n", "hot");
    replay_run(&r);
    assert_int_equal(COUNT(device_faults), 32);
    assert_int_equal(COUNT(accesses_remote), 512);
    finish();
}

/* ---- migration ----------------------------------------------------------------------------- */

static void touch_brings_regions(void **state)
{
    (void)state;
    begin("cpu w 512 512\ndevice r 512 512\ndevice w 512 512\n", "touch");
    replay_run(&r);
    /* One a region; the first write makes what device memory has of the block writable. */
    assert_int_equal(COUNT(device_faults), 33);
    assert_int_equal(COUNT(migrations_to_device), 32);
    assert_int_equal(COUNT(pages_to_device), 512);
    assert_int_equal(COUNT(pages_zeroed), 0);
    assert_int_equal(COUNT(device_pages_peak), 512);
    assert_int_equal(COUNT(accesses_local), 1024);
    assert_int_equal(r.result.memory_ps, 33 * FAULT + 512 * COPY + 1024 * LOCAL);
    finish();
}

static void the_cpu_takes_its_region_back(void **state)
{
    (void)state;
    begin("cpu w 512 32\ndevice w 512 32\ncpu r 515\ndevice w 515\ncpu r 530\n", "touch");
    replay_run(&r);
    assert_int_equal(COUNT(cpu_faults), 2);
    assert_int_equal(COUNT(pages_to_system), 32);
    assert_int_equal(COUNT(pages_to_system_cpu), 32);
    assert_int_equal(COUNT(pages_to_device), 48);
    assert_int_equal(COUNT(device_faults), 3);
    assert_int_equal(COUNT(refaults), 0);
    finish();
}

static void ranges_end_where_memory_does(void **state)
{
    (void)state;
    begin("alloc 520 100\ncpu w 520 100\ndevice r 600\n", "touch");
    replay_set(&r, "granularity", 512);
    replay_run(&r);
    assert_int_equal(COUNT(pages_to_device), 100);
    replay_end(&r);
    /* Holes between mappings do not move, nor what lies behind them. */
    begin("alloc 512 8\nalloc 528 8\ncpu w 512 8\ncpu w 528 8\ndevice r 512\ndevice r 528\n",
          "touch");
    replay_set(&r, "granularity", 512);
    replay_run(&r);
    assert_int_equal(COUNT(migrations_to_device), 2);
    assert_int_equal(COUNT(pages_to_device), 16);
    finish();
}

static void fresh_blocks_are_huge(void **state)
{
    (void)state;
    begin("device w 512 512\ncpu r 700\ndevice r 512 512\n", "touch");
    replay_set(&r, "granularity", 512);
    replay_run(&r);
    assert_int_equal(COUNT(device_faults), 2);
    assert_int_equal(COUNT(pages_zeroed), 512);
    assert_int_equal(COUNT(huge_to_device), 2);
    assert_int_equal(COUNT(huge_to_system), 1);
    assert_int_equal(COUNT(pages_to_system_cpu), 512);
    assert_int_equal(r.result.memory_ps,
                     2 * FAULT + 512 * CLEAR + FAULT + 512 * COPY + 512 * COPY + 1024 * LOCAL);
    r.setup.huge = false;
    replay_run(&r);
    assert_int_equal(COUNT(huge_to_device), 0);
    assert_int_equal(COUNT(pages_to_device), 1024);
    finish();
}

static void freed_memory_is_gone(void **state)
{
    (void)state;
    begin("alloc 512 512\ncpu w 512 512\ndevice r 512 512\nfree 512 512\n"
          "alloc 512 512\ndevice r 512 16\n", "touch");
    replay_run(&r);
    assert_int_equal(COUNT(pages_to_device), 528);
    assert_int_equal(COUNT(pages_zeroed), 16);
    assert_int_equal(COUNT(pages_to_system), 0);
    finish();
}

static void a_full_memory_evicts(void **state)
{
    (void)state;
    begin("cpu w 512 1024\ndevice r 512 512\ndevice r 1024 16\ndevice r 512 16\n", "touch");
    r.setup.chunks = 1;
    replay_run(&r);
    assert_int_equal(COUNT(evictions), 1);
    assert_int_equal(COUNT(pages_to_system_evicted), 512);
    /* The second block has one region of the chunk, so that the first gets another. */
    assert_int_equal(COUNT(pages_to_device), 512 + 16 + 16);
    assert_int_equal(COUNT(refaults), 16);
    assert_int_equal(COUNT(device_pages_peak), 512);
    finish();
}

/* lru and fifo differ: the first block was used again, through a write fault. */
static void the_eviction_policy_chooses(void **state)
{
    static const char text[] = "cpu w 512 1536\ndevice r 512 512\ndevice r 1024 512\n"
                               "device w 512\ndevice r 1536 512\ndevice r 512 512\n";

    (void)state;
    replay_text(&r, text);
    r.setup.chunks = 2;
    replay_policies(&r, hmmsvm_placement_find("touch"), "lru");
    replay_run(&r);
    assert_int_equal(COUNT(evictions), 1);
    assert_int_equal(COUNT(refaults), 0);
    replay_policies(&r, hmmsvm_placement_find("touch"), "fifo");
    replay_run(&r);
    assert_int_equal(COUNT(evictions), 2);
    assert_int_equal(COUNT(refaults), 512);
    finish();
}

static void runs_with_steps(void **state)
{
    uint64_t faults;

    (void)state;
    begin("cpu w 512 2048\ndevice r 515 20 1 100\n", "touch");
    replay_run(&r);
    faults = COUNT(device_faults);
    assert_int_equal(COUNT(accesses_local), 20);
    assert_int_equal(faults, 20);
    replay_end(&r);
    begin("cpu w 512 2048\ndevice r 515 100 1 3\n", "touch");
    replay_run(&r);
    assert_int_equal(COUNT(device_faults), 19); /* 298 pages from the 4th of a region on */
    assert_int_equal(COUNT(accesses_local), 100);
    finish();
}

/* ---- ticks --------------------------------------------------------------------------------- */

static const struct hmmsvm_tunable each_ms[] = {
    {.name = "tick", .help = "milliseconds", .value = 1, .min = 1, .max = 1000},
};

static void withdraw_tick(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                          struct hmmsvm_policy_decision *d)
{
    (void)env;
    (void)block;
    d->action = HMMSVM_ACTION_WITHDRAW;
}

static void sampled_fault(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                          const struct hmmsvm_policy_fault *fault,
                          struct hmmsvm_policy_decision *d)
{
    (void)env;
    (void)d;
    block->priv[0] += fault->sampled;
}

static void withdrawn_entries_fault(void **state)
{
    static const struct hmmsvm_placement watcher = {
        .name = "watcher", .help = "", .tunables = each_ms, .nr_tunables = 1,
        .device_fault = sampled_fault, .tick = withdraw_tick,
    };

    (void)state;
    replay_text(&r, "cpu w 512 32\ndevice r 512 32\ntime 10000000\ndevice r 512 32\n");
    replay_policies(&r, &watcher, "lru");
    replay_run(&r);
    assert_int_equal(COUNT(withdrawals), 10);
    /* Two regions; one fault a withdrawal is a sampled one. */
    assert_int_equal(COUNT(device_faults), 4);
    assert_int_equal(COUNT(sampled_faults), 1);
    finish();
}

static void promote_tick(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                         struct hmmsvm_policy_decision *d)
{
    (void)env;
    d->action = block->migrations ? HMMSVM_ACTION_TO_SYSTEM : HMMSVM_ACTION_TO_DEVICE;
    d->first = 8;
    d->count = 100;
}

static void ticks_move(void **state)
{
    static const struct hmmsvm_placement mover = {
        .name = "mover", .help = "", .tunables = each_ms, .nr_tunables = 1, .tick = promote_tick,
    };

    (void)state;
    replay_text(&r, "cpu w 512 512\ndevice r 512\ntime 1500000\ndevice r 512 512\n"
                    "time 1500000\n");
    replay_policies(&r, &mover, "lru");
    replay_run(&r);
    assert_int_equal(COUNT(pages_to_device), 100);
    assert_int_equal(COUNT(pages_to_system), 100);
    assert_int_equal(COUNT(pages_to_system_cpu), 0);
    assert_int_equal(COUNT(accesses_local), 100);
    finish();
}

/* ---- every policy on every pattern --------------------------------------------------------- */

static void all_behave(void **state)
{
    const struct hmmsvm_placement *p;
    const struct hmmsvm_eviction *e;
    struct sim_machine machine = sim_machine_plain;
    const char *name;

    (void)state;
    machine.copy_ps = 3000000;
    for (unsigned i = 0; (name = trace_make_name(i, NULL)); i++) {
        replay_pattern(&r, name, 2048);
        r.setup.machine = &machine;
        r.setup.chunks = sim_chunks_for(r.layout, 150);
        for (unsigned k = 0; (p = hmmsvm_placement_at(k)); k++) {
            for (unsigned v = 0; (e = hmmsvm_eviction_at(v)); v++) {
                struct sim_result again;
                uint64_t rest;

                /* Where a victim is chosen makes no difference to the others. */
                if (v && strcmp(p->name, "touch") && strcmp(p->name, "adaptive"))
                    continue;
                replay_policies(&r, p, e->name);
                replay_run(&r);
                if (r.result.faults)
                    fail_msg("%s: %s with %s %s", name, p->name, e->name,
                             sim_fault_text(r.result.fault));
                assert_int_equal(r.result.accesses, r.trace->accesses);
                assert_int_equal(COUNT(accesses_local) + COUNT(accesses_remote),
                                 r.trace->device_accesses);
                assert_true(COUNT(device_pages_peak) <= r.setup.chunks * SIM_BLOCK_PAGES);
                assert_true(COUNT(pages_to_system) <= COUNT(pages_to_device));
                /* Moving and using is all there is, but for the copies that ticks ask for. */
                rest = r.result.memory_ps - sim_moving_ps(&machine, &r.result.count) -
                       COUNT(lines_local) * LOCAL - COUNT(lines_remote) * REMOTE;
                assert_int_equal(rest % machine.copy_ps, 0);
                assert_true(rest / machine.copy_ps <= COUNT(pages_to_system));
                if (strcmp(p->name, "adaptive") && strcmp(p->name, "hot") && strcmp(p->name, "tpp"))
                    assert_int_equal(rest, 0);
                if (!v) {
                    assert_true(sim_run(&r.setup, &again));
                    assert_memory_equal(&again, &r.result, sizeof(again));
                }
            }
        }
        replay_end(&r);
    }
}

/* ---- memory that stays where it is --------------------------------------------------------- */

static void shows_half(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                       const struct hmmsvm_policy_fault *fault, struct hmmsvm_policy_decision *d)
{
    (void)env;
    (void)block;
    d->first = fault->page & ~255u;
    d->count = 256;
}

static void shows_half_writable(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                                const struct hmmsvm_policy_fault *fault,
                                struct hmmsvm_policy_decision *d)
{
    shows_half(env, block, fault, d);
    d->writable = true;
}

static void ranges_are_shown(void **state)
{
    struct hmmsvm_placement half = {.name = "half", .help = "", .tick_tunable = -1,
                                    .device_fault = shows_half};

    (void)state;
    replay_text(&r, "cpu w 512 1024\ndevice r 512 1024\ndevice w 512 1024\n");
    replay_policies(&r, &half, "lru");
    replay_run(&r);
    assert_int_equal(COUNT(device_faults), 8);
    assert_int_equal(COUNT(device_write_faults), 4);
    assert_int_equal(COUNT(pages_mirrored), 1024);
    half.device_fault = shows_half_writable;
    replay_run(&r);
    assert_int_equal(COUNT(device_faults), 4);
    assert_int_equal(COUNT(device_write_faults), 0);
    finish();
    /* Of memory that nobody has touched the stream of faults brings in so much at the most. */
    replay_text(&r, "alloc 512 512\ndevice w 512 512\n");
    replay_policies(&r, &half, "lru");
    replay_run(&r);
    assert_int_equal(COUNT(app_faults), COUNT(device_faults));
    assert_int_equal(COUNT(device_faults), 9 + 1);
    finish();
}

/* ---- pages of a range that stay ------------------------------------------------------------ */

static void but_every_fourth(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                             const struct hmmsvm_policy_fault *fault,
                             struct hmmsvm_policy_decision *d)
{
    (void)env;
    (void)block;
    if (fault->page % 4 == 0)
        return;
    d->action = HMMSVM_ACTION_TO_DEVICE;
    d->count = 512;
    for (uint32_t page = 0; page < 512; page += 4)
        hmmsvm_pages_set(&d->except, page, 1);
}

/* Every eighth page from the fault on. */
static void every_eighth(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                         const struct hmmsvm_policy_fault *fault,
                         struct hmmsvm_policy_decision *d)
{
    (void)env;
    (void)block;
    d->first = fault->page;
    d->count = 512 - fault->page;
    memset(&d->except, 0xff, sizeof(d->except));
    for (uint32_t page = fault->page; page < 512; page += 8)
        hmmsvm_pages_clear(&d->except, page, 1);
}

static void excepted_pages_stay(void **state)
{
    static const struct hmmsvm_placement comb = {
        .name = "comb", .help = "", .tick_tunable = -1, .device_fault = but_every_fourth,
        .cpu_fault = every_eighth,
    };

    (void)state;
    replay_text(&r, "cpu w 512 512\ndevice w 513 3\ncpu w 515 62 1 8\ndevice r 517 2\n");
    replay_policies(&r, &comb, "lru");
    replay_run(&r);
    assert_int_equal(COUNT(pages_to_device), 384);
    assert_int_equal(COUNT(migrations_to_device), 1);
    /* The CPU's first fault brings all that it will use; the entries of all from there on go. */
    assert_int_equal(COUNT(cpu_faults), 1);
    assert_int_equal(COUNT(pages_to_system), 64);
    assert_int_equal(COUNT(device_faults), 1 + 1);
    assert_int_equal(COUNT(huge_to_device), 0);
    finish();
}

/* ---- what is seen, comes and goes without a fault of its own --------------------------------- */

/* All of it where it is, with pages for what nobody has touched. */
static void shows_all(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                      const struct hmmsvm_policy_fault *fault, struct hmmsvm_policy_decision *d)
{
    (void)env;
    (void)block;
    (void)fault;
    d->count = 512;
    d->writable = d->populate = true;
}

static void tick_brings_half(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                             struct hmmsvm_policy_decision *d)
{
    (void)env;
    if (block->migrations)
        return;
    d->action = HMMSVM_ACTION_TO_DEVICE;
    d->count = 256;
    d->writable = true;
    hmmsvm_pages_set(&d->except, 8, 8);
}

/* What a tick brings over has its entries; what stays, of which they were taken, has none. */
static void ticks_show_what_they_bring(void **state)
{
    static const struct hmmsvm_placement half = {
        .name = "half", .help = "", .tunables = each_ms, .nr_tunables = 1,
        .device_fault = shows_all, .tick = tick_brings_half,
    };

    (void)state;
    replay_text(&r, "cpu w 512 512\ndevice r 512 512\ntime 1500000\ndevice w 512 8\n"
                    "device w 528 496\ndevice w 520 8\n");
    replay_policies(&r, &half, "lru");
    replay_run(&r);
    assert_int_equal(COUNT(pages_to_device), 248);
    assert_int_equal(COUNT(device_faults), 1 + 1);
    assert_int_equal(COUNT(pages_mirrored), 512 + 248 + 8);
    assert_int_equal(COUNT(pages_mirrored_device), 248);
    assert_int_equal(COUNT(accesses_local), 248);
    assert_int_equal(COUNT(shows), 0);
    finish();
}

static void brings_all(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                       const struct hmmsvm_policy_fault *fault, struct hmmsvm_policy_decision *d)
{
    (void)env;
    (void)fault;
    d->action = HMMSVM_ACTION_TO_DEVICE;
    d->count = 512;
    /* The one before goes, if one has to. */
    d->victim = block->start - (2ull << 20);
}

static void takes_a_page(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                         const struct hmmsvm_policy_fault *fault,
                         struct hmmsvm_policy_decision *d)
{
    (void)env;
    (void)block;
    d->first = fault->page;
    d->count = 1;
}

static void tick_shows(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                       struct hmmsvm_policy_decision *d)
{
    (void)env;
    (void)block;
    d->count = 512;
}

static void ticks_show_what_is_there(void **state)
{
    static const struct hmmsvm_placement shows = {
        .name = "shows", .help = "", .tunables = each_ms, .nr_tunables = 1,
        .device_fault = brings_all, .cpu_fault = takes_a_page, .tick = tick_shows,
    };

    (void)state;
    replay_text(&r, "cpu w 512 512\ndevice r 512 512\ncpu w 600\ntime 1500000\n"
                    "device r 512 512\ntime 1000000\n");
    replay_policies(&r, &shows, "lru");
    replay_run(&r);
    /* One entry for all of it went with the page; small ones came, and that page's with them. */
    assert_int_equal(COUNT(device_faults), 1);
    assert_int_equal(COUNT(pages_to_system_cpu), 1);
    assert_int_equal(COUNT(pages_mirrored), 512 + 512);
    assert_int_equal(COUNT(pages_mirrored_device), 512 + 511);
    /* The tick before that found nothing to do. */
    assert_int_equal(COUNT(shows), 2);
    finish();
}

static void ranges_are_populated(void **state)
{
    static const struct hmmsvm_placement all = {
        .name = "all", .help = "", .tick_tunable = -1, .device_fault = shows_all,
    };

    (void)state;
    replay_text(&r, "device w 712 312\ndevice w 512 200\n");
    replay_policies(&r, &all, "lru");
    replay_run(&r);
    /* From the page of the fault on. */
    assert_int_equal(COUNT(app_faults), 2);
    assert_int_equal(COUNT(device_faults), 2);
    assert_int_equal(COUNT(pages_mirrored), 512);
    finish();
}

/* All of the block and of two more, of which the last one keeps a half and so ends it. */
static void takes_three(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                        const struct hmmsvm_policy_fault *fault,
                        struct hmmsvm_policy_decision *d)
{
    (void)env;
    if (fault->ahead && block->start >> 21 == 4)
        return;
    d->first = fault->ahead ? 256 : 0;
    d->count = 512 - d->first;
    d->ahead = fault->ahead ? 100 : 5; /* there it says nothing */
}

static void blocks_ahead_come_back(void **state)
{
    static const struct hmmsvm_placement three = {
        .name = "three", .help = "", .tick_tunable = -1, .device_fault = brings_all,
        .cpu_fault = takes_three,
    };

    (void)state;
    replay_text(&r, "cpu w 512 2560\ndevice r 512 2560\ncpu r 600\n");
    replay_policies(&r, &three, "lru");
    replay_run(&r);
    assert_int_equal(COUNT(cpu_faults), 1);
    assert_int_equal(COUNT(pages_to_system_cpu), 512 + 256 + 256);
    assert_int_equal(r.result.memory_ps, (5 + 1) * FAULT + (5 * 512 + 1024) * COPY + 2560 * LOCAL);
    finish();
}

/* Of blocks 1 to 4 the third one leaves for the fourth, though the first is the oldest. */
static void a_victim_is_named(void **state)
{
    static const struct hmmsvm_placement names = {
        .name = "names", .help = "", .tick_tunable = -1, .device_fault = brings_all,
    };

    (void)state;
    replay_text(&r, "cpu w 512 2048\ndevice r 512 2048\ndevice r 512 1024\ndevice r 2048 512\n");
    replay_policies(&r, &names, "lru");
    r.setup.chunks = 3;
    replay_run(&r);
    assert_int_equal(COUNT(evictions), 1);
    assert_int_equal(COUNT(refaults), 0);
    assert_int_equal(COUNT(device_faults), 4);
    /* The one before the first is nothing to evict: the eviction policy's turn. */
    replay_end(&r);
    replay_text(&r, "cpu w 512 1024\ndevice r 1024 512\ndevice r 512 512\n");
    replay_policies(&r, &names, "lru");
    r.setup.chunks = 1;
    replay_run(&r);
    assert_int_equal(COUNT(evictions), 1);
    finish();
}

/* ---- machines that cost nothing ------------------------------------------------------------ */

static void knows_costs(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                        const struct hmmsvm_policy_fault *fault, struct hmmsvm_policy_decision *d)
{
    (void)fault;
    (void)d;
    block->priv[0]++;
    assert_true(env->device_fault_ns && env->cpu_fault_ns && env->copy_page_ns);
}

/* A policy divides by costs: they are never 0. */
static void costs_are_not_zero(void **state)
{
    static const struct hmmsvm_placement asks = {
        .name = "asks", .help = "", .tick_tunable = -1, .device_fault = knows_costs,
    };
    struct sim_machine free = sim_machine_plain;

    (void)state;
    free.device_fault_ps = free.cpu_fault_ps = free.to_device_page_ps = free.copy_ps = 0;
    replay_text(&r, "cpu w 512 512\ndevice r 512 512\n");
    replay_policies(&r, &asks, "lru");
    r.setup.machine = &free;
    replay_run(&r);
    assert_int_equal(COUNT(device_faults), 32);
    finish();
}

/* ---- policies that are wrong --------------------------------------------------------------- */

static void outside(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                    const struct hmmsvm_policy_fault *fault, struct hmmsvm_policy_decision *d)
{
    (void)env;
    (void)block;
    (void)fault;
    d->action = HMMSVM_ACTION_TO_DEVICE;
    d->first = 500;
    d->count = 100;
}

/* Leaves everything where it is, and shows what lies elsewhere. */
static void shows_outside(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                          const struct hmmsvm_policy_fault *fault,
                          struct hmmsvm_policy_decision *d)
{
    (void)env;
    (void)block;
    d->first = fault->page ? 0 : 1;
    d->count = 1;
}

static void nonsense(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                     const struct hmmsvm_policy_fault *fault, struct hmmsvm_policy_decision *d)
{
    (void)env;
    (void)block;
    (void)fault;
    d->action = (enum hmmsvm_policy_action)77;
}

static void scribbles(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                      const struct hmmsvm_policy_fault *fault, struct hmmsvm_policy_decision *d)
{
    (void)fault;
    (void)d;
    block->migrations++;
    env->now_ns = 0;
}

static void hangs(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                  const struct hmmsvm_policy_fault *fault, struct hmmsvm_policy_decision *d)
{
    volatile bool forever = true;

    (void)env;
    (void)block;
    (void)fault;
    (void)d;
    while (forever)
        ;
}

static void crashes(struct hmmsvm_policy_env *env, struct hmmsvm_policy_block *block,
                    const struct hmmsvm_policy_fault *fault, struct hmmsvm_policy_decision *d)
{
    (void)env;
    (void)block;
    (void)fault;
    (void)d;
    raise(SIGSEGV);
}

static int none(struct hmmsvm_policy_chunk *chunks, __u32 count, __u64 *priv)
{
    (void)chunks;
    (void)count;
    (void)priv;
    return -1;
}

static int beyond(struct hmmsvm_policy_chunk *chunks, __u32 count, __u64 *priv)
{
    (void)chunks;
    (void)priv;
    return (int)count;
}

static int younger(struct hmmsvm_policy_chunk *chunks, __u32 count, __u64 *priv)
{
    (void)count;
    (void)priv;
    chunks[0].touches += 10;
    return 0;
}

static const struct hmmsvm_tunable no_tick[] = {
    {.name = "tick", .help = "", .value = 0, .min = 0, .max = 10},
};

/* Each in a process of its own; none keeps the others from ending. */
static void wrong_policies_are_told_apart(void **state)
{
#define WRONG(n, f) static const struct hmmsvm_placement n##_policy = { \
        .name = #n, .help = "", .tick_tunable = -1, .device_fault = f }
    WRONG(outside, outside);
    WRONG(shows_outside, shows_outside);
    WRONG(nonsense, nonsense);
    WRONG(scribbles, scribbles);
    WRONG(hangs, hangs);
    WRONG(crashes, crashes);
    static const struct hmmsvm_placement untunable = {
        .name = "untunable", .help = "", .tunables = no_tick, .nr_tunables = 1};
    static const struct hmmsvm_eviction evictions[] = {
        {"none", "", none}, {"beyond", "", beyond}, {"younger", "", younger}};
    const struct hmmsvm_placement *touch = hmmsvm_placement_find("touch");
    const struct {
        const struct hmmsvm_placement *placement;
        const struct hmmsvm_eviction *eviction;
        enum sim_fault fault;
    } wrong[] = {
        {&outside_policy, NULL, SIM_BAD_RANGE},
        {&shows_outside_policy, NULL, SIM_BAD_RANGE},
        {&nonsense_policy, NULL, SIM_BAD_ACTION},
        {&scribbles_policy, NULL, SIM_WROTE},
        {&untunable, NULL, SIM_BAD_TUNABLES},
        {touch, &evictions[0], SIM_NO_VICTIM},
        {touch, &evictions[1], SIM_BAD_VICTIM},
        {touch, &evictions[2], SIM_WROTE},
        {&hangs_policy, NULL, SIM_HUNG},
        {&crashes_policy, NULL, SIM_CRASHED},
        {touch, NULL, SIM_FINE},
    };
    enum { N = sizeof(wrong) / sizeof(wrong[0]) };
    struct sim_cell cells[N] = {{.oracle = false}};

    (void)state;
    replay_text(&r, "cpu w 512 1024\ndevice r 512 1024\n");
    r.setup.chunks = 1;
    for (int i = 0; i < N; i++) {
        replay_policies(&r, wrong[i].placement, "lru");
        cells[i].setup = r.setup;
        if (wrong[i].eviction)
            cells[i].setup.eviction = wrong[i].eviction;
    }
    assert_true(sim_matrix_run(cells, N, 3, 1));
    for (int i = 0; i < N; i++) {
        if (cells[i].result.fault != wrong[i].fault)
            fail_msg("%s: %s", wrong[i].placement->name, sim_fault_text(cells[i].result.fault));
        assert_int_equal(cells[i].result.faults != 0, wrong[i].fault != SIM_FINE);
    }
    assert_int_equal(cells[N - 1].result.count.evictions, 1);
    replay_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remote_maps_all_there_is),
        cmocka_unit_test(zeros_become_pages),
        cmocka_unit_test(remote_brings_in_ahead),
        cmocka_unit_test(undecided_memory_is_shown_by_regions),
        cmocka_unit_test(touch_brings_regions),
        cmocka_unit_test(the_cpu_takes_its_region_back),
        cmocka_unit_test(ranges_end_where_memory_does),
        cmocka_unit_test(fresh_blocks_are_huge),
        cmocka_unit_test(freed_memory_is_gone),
        cmocka_unit_test(a_full_memory_evicts),
        cmocka_unit_test(the_eviction_policy_chooses),
        cmocka_unit_test(runs_with_steps),
        cmocka_unit_test(withdrawn_entries_fault),
        cmocka_unit_test(ticks_move),
        cmocka_unit_test(all_behave),
        cmocka_unit_test(ranges_are_shown),
        cmocka_unit_test(excepted_pages_stay),
        cmocka_unit_test(ticks_show_what_they_bring),
        cmocka_unit_test(ticks_show_what_is_there),
        cmocka_unit_test(ranges_are_populated),
        cmocka_unit_test(blocks_ahead_come_back),
        cmocka_unit_test(a_victim_is_named),
        cmocka_unit_test(costs_are_not_zero),
        cmocka_unit_test(wrong_policies_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
