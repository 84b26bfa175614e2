/* SPDX-License-Identifier: MIT */
/*
 * soak.c - the engine is killed again and again, at any point, while CPU and device write to memory that
 * migrates: no write is lost but the one it was at, and nothing is left behind
 *
 * See torture.h. HMMSVM_SOAK_KILLS says how often (default 30, on a kernel that checks itself 8). The
 * points are random, from the seed HMMSVM_SOAK_SEED (default: the time), which is printed.
 */
#include <signal.h>

#include "footprint.h"
#include "torture.h"

/* Kernel memory that comes and goes, and what a thousand kills may not add up to. */
#define SLACK_KB (24ul << 10)

static uint64_t seed;
static void *slot;

static unsigned chance(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static void submit(void)
{
    for (unsigned i = 0; i < GROUPS; i++)
        harness_set(&w->runs[i], 0);
    harness_submit(&h, device_writes, &slot, w, GROUPS);
}

static bool all_run(void)
{
    for (unsigned i = 0; i < GROUPS; i++)
        if (!harness_get(&w->runs[i]))
            return false;
    return true;
}

/* The write that each of the killed writers was at may be done, or not. */
static unsigned settle(void)
{
    unsigned undone = 0;

    for (unsigned i = 0; i < GROUPS; i++) {
        uint64_t page = w->at[i], is = w->memory[page * 512 + page * 4 % 508 + i];
        uint32_t n = w->written[i][page];

        if (is == word(i, page, n))
            continue;
        CHECK(n);
        CHECK_EQ(is, word(i, page, n - 1));
        w->written[i][page]--;
        undone++;
    }
    return undone;
}

/* Kills the engine; returns whether it took the launch with it, or had not begun with that. */
static bool kill_engine(void)
{
    struct hmmsvm_device_info info;
    struct hmmsvm_completion c;
    uint64_t end = harness_ns() + 120000000000ull;
    int err;

    hmmsvm_device_info(h.dev, &info);
    if (info.engine_pid <= 0)
        return false; /* the next one is on its way */
    for (unsigned i = 0; i < GROUPS; i++)
        harness_set(&w->runs[i], 0);
    CHECK(!kill(info.engine_pid, SIGKILL));
    for (;;) {
        err = hmmsvm_wait(h.dev, &c, 100);
        if (!err)
            break;
        CHECK_EQ(err, -ETIMEDOUT);
        if (all_run())
            return false; /* in the next engine */
        if (harness_ns() > end)
            FAIL("neither is the launch lost nor does it run, two minutes after the kill");
    }
    CHECK_STATUS(&c, HMMSVM_DEVICE_LOST);
    return true;
}

int main(void)
{
    const char *text = getenv("HMMSVM_SOAK_KILLS"), *seed_text = getenv("HMMSVM_SOAK_SEED");
    unsigned kills = text && *text ? (unsigned)atoi(text) : getenv("HMMSVM_TEST_SLOW") ? 8 : 30;
    unsigned killed = 0, lost = 0, undone = 0, said = 0;
    struct hmmsvm_device_info info;
    struct footprint before, after;
    struct hmmsvm_completion c;
    struct hmmsvm_stats s;
    uint64_t device, host, began = harness_ns();

    seed = seed_text && *seed_text ? strtoull(seed_text, NULL, 0) : harness_ns();
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %llu\n", (unsigned long long)seed);
    before = after = (struct footprint){0};
    torture_open(0);
    torture_begin();
    submit();
    while (killed < kills) {
        /* Sometimes at once, mostly while it writes. */
        if (chance(4))
            while (!all_run())
                usleep(200);
        usleep(chance(4) ? chance(30000) : chance(300));
        hmmsvm_device_info(h.dev, &info);
        if (kill_engine()) {
            lost++;
            undone += settle();
            submit();
        }
        hmmsvm_device_info(h.dev, &info);
        killed = info.resets;
        torture_check();
        if (!before.descriptors && killed >= 3)
            before = footprint();
        if (killed - said >= 10) {
            said = killed;
            printf("%u killed, %.1f s\n", killed, (double)(harness_ns() - began) / 1e9);
        }
    }
    while (!all_run())
        usleep(1000);
    after = footprint();
    harness_set(&w->stop, 1);
    c = harness_wait(&h);
    CHECK_STATUS(&c, HMMSVM_OK);
    torture_end(&device, &host);
    s = harness_delta(&h);
    printf("%u engines killed, %u with what they ran, %u writes undone; %llu writes by the device, "
           "%llu by the host; %llu pages to the device, %llu back for the CPU, %llu evicted\n", killed, lost, undone,
           (unsigned long long)device, (unsigned long long)host, (unsigned long long)s.pages_to_device,
           (unsigned long long)s.pages_to_system_cpu, (unsigned long long)s.pages_to_system_evicted);
    CHECK_EQ(s.policy_errors, 0);
    CHECK_GE(lost, kills / 4);
    CHECK_GE(device, kills);
    CHECK_GE(s.pages_to_device, 100);
    footprint_same(&before, &after, SLACK_KB);
    harness_close(&h);
    devmem_used_is(0, 0);
    CHECK_EQ(footprint_engines(), 0);
    return 0;
}
