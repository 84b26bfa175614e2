/* SPDX-License-Identifier: MIT */
/*
 * Forward progress, in direct mode: work-groups that wait for each other, or
 * for the host, end although there are more of them than workers; each runs
 * exactly once, and there are as many more workers as groups were under way.
 *
 * Locking: work-groups run on other threads and use atomics.
 */
#include <pthread.h>
#include <sched.h>

#include "unit.h"

enum { WORKERS = 2 };

struct groups {
    uint64_t total;
    uint64_t waits, for_whom; /* the one that waits, where it is one */
    uint32_t arrived, go;
    uint32_t *ran;
};

/* What the launches' context is here. */
struct block {
    uint32_t failed, waiting;
};

/* A group waits, and says so as kernels do. */
static void wait_for(const uint32_t *word, uint32_t value, uint8_t *ctx)
{
    struct block *block = (struct block *)(void *)ctx;

    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value) {
        __atomic_add_fetch(&block->waiting, 1, __ATOMIC_RELAXED);
        sched_yield();
    }
}

static void host_waits_for(const uint32_t *word, uint32_t value)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
        usleep(1000);
}

static void ran(struct groups *g, uint64_t i)
{
    __atomic_add_fetch(&g->ran[i], 1, __ATOMIC_RELEASE);
}

/* All wait until the last has come. */
static void meets(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y, unsigned long z)
{
    struct groups *g = UNIT_ARG(struct groups, args, 0);

    (void)y, (void)z;
    __atomic_add_fetch(&g->arrived, 1, __ATOMIC_ACQ_REL);
    wait_for(&g->arrived, (uint32_t)g->total, ctx);
    ran(g, x);
}

/* Each waits for the one after it. */
static void waits_for_next(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                           unsigned long z)
{
    struct groups *g = UNIT_ARG(struct groups, args, 0);

    (void)y, (void)z;
    if (x + 1 < g->total)
        wait_for(&g->ran[x + 1], 1, ctx);
    ran(g, x);
}

/* Each waits for the one before it. */
static void waits_for_previous(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                               unsigned long z)
{
    struct groups *g = UNIT_ARG(struct groups, args, 0);

    (void)y, (void)z;
    if (x)
        wait_for(&g->ran[x - 1], 1, ctx);
    ran(g, x);
}

/* One waits for another. */
static void one_waits(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                      unsigned long z)
{
    struct groups *g = UNIT_ARG(struct groups, args, 0);

    (void)y, (void)z;
    if (x == g->waits)
        wait_for(&g->ran[g->for_whom], 1, ctx);
    ran(g, x);
}

/* All but the last wait for the host, and tell it that they have come. */
static void waits_for_host(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                           unsigned long z)
{
    struct groups *g = UNIT_ARG(struct groups, args, 0);

    (void)y, (void)z;
    __atomic_add_fetch(&g->arrived, 1, __ATOMIC_ACQ_REL);
    wait_for(&g->go, 1, ctx);
    ran(g, x);
}

/* One of the groups fails when all have come. */
static void one_fails(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                      unsigned long z)
{
    struct groups *g = UNIT_ARG(struct groups, args, 0);

    (void)y, (void)z;
    __atomic_add_fetch(&g->arrived, 1, __ATOMIC_ACQ_REL);
    wait_for(&g->arrived, (uint32_t)g->total, ctx);
    if (x == g->waits)
        ((struct block *)(void *)ctx)->failed = 1;
    ran(g, x);
}

static unsigned extra(struct hmmsvm_device *dev)
{
    struct hmmsvm_device_info info;

    hmmsvm_device_info(dev, &info);
    return info.extra;
}

/*
 * Each of @groups that were under way at once had a worker of its own, and none was started for
 * nothing. A worker that is always there may have come too late for a group that another was called
 * for.
 */
static void extra_check(struct hmmsvm_device *dev, unsigned groups)
{
    assert_in_range(extra(dev), groups - WORKERS, groups);
}

static struct groups groups_new(uint64_t total)
{
    struct groups g = {.total = total, .ran = calloc(total, sizeof(uint32_t))};

    assert_non_null(g.ran);
    return g;
}

static void groups_check(struct groups *g)
{
    for (uint64_t i = 0; i < g->total; i++)
        assert_int_equal(g->ran[i], 1);
    free(g->ran);
}

static struct hmmsvm_launch launch_of(hmmsvm_workgroup_fn fn, void **args, uint64_t total)
{
    static const struct block none;
    struct hmmsvm_launch launch = unit_launch(fn, args, total, 1, 1);

    launch.ctx = &none;
    launch.ctx_size = sizeof(none);
    launch.ctx_failed = offsetof(struct block, failed);
    launch.ctx_waiting = offsetof(struct block, waiting);
    return launch;
}

static void run(struct hmmsvm_device *dev, hmmsvm_workgroup_fn fn, struct groups *g)
{
    void *args[] = {g};
    struct hmmsvm_launch launch = launch_of(fn, args, g->total);
    struct hmmsvm_completion end;

    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    assert_int_equal(end.status, HMMSVM_OK);
    assert_int_equal(end.groups_run, g->total);
}

static void groups_meet(void **state)
{
    static const unsigned totals[] = {3, 8, 64, 1024};

    (void)state;
    for (size_t i = 0; i < sizeof(totals) / sizeof(*totals); i++) {
        struct hmmsvm_device *dev = unit_open(WORKERS);
        struct groups g = groups_new(totals[i]);

        run(dev, meets, &g);
        groups_check(&g);
        extra_check(dev, totals[i]);
        hmmsvm_device_close(dev);
    }
}

/* The added workers are used again. */
static void groups_meet_again(void **state)
{
    struct hmmsvm_device *dev = unit_open(WORKERS);

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        struct groups g = groups_new(20);

        run(dev, meets, &g);
        groups_check(&g);
        extra_check(dev, 20);
    }
    hmmsvm_device_close(dev);
}

static void groups_wait_for_neighbours(void **state)
{
    static const unsigned totals[] = {8, 64, 256};
    struct hmmsvm_device *dev = unit_open(WORKERS);

    (void)state;
    for (size_t i = 0; i < sizeof(totals) / sizeof(*totals); i++) {
        struct groups g = groups_new(totals[i]);

        run(dev, waits_for_previous, &g);
        groups_check(&g);
        g = groups_new(totals[i]);
        run(dev, waits_for_next, &g);
        groups_check(&g);
        assert_in_range(extra(dev), 1, totals[i]);
    }
    hmmsvm_device_close(dev);
}

/* What waits and what it waits for were claimed by the same worker, in one go. */
static void claimed_groups_are_given_back(void **state)
{
    static const uint64_t pairs[][2] = {{0, 1}, {0, 500}, {0, 99999}, {7, 8}, {99998, 99999}};
    struct hmmsvm_device *dev = unit_open(WORKERS);

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        struct groups g = groups_new(100000);

        g.waits = pairs[i][0];
        g.for_whom = pairs[i][1];
        run(dev, one_waits, &g);
        groups_check(&g);
    }
    hmmsvm_device_close(dev);
}

/* The same, again and again: giving back meets workers that go on at that moment. */
static void giving_back_meets_work(void **state)
{
    struct hmmsvm_device *dev = unit_open(WORKERS);

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct groups g = groups_new(3000);

        g.waits = i * 100;
        g.for_whom = i * 100 + 1 + i % 7;
        run(dev, one_waits, &g);
        groups_check(&g);
    }
    hmmsvm_device_close(dev);
}

static void groups_wait_for_the_host(void **state)
{
    static const unsigned totals[] = {8, 64, 256};
    struct hmmsvm_device *dev = unit_open(WORKERS);

    (void)state;
    for (size_t i = 0; i < sizeof(totals) / sizeof(*totals); i++) {
        struct groups g = groups_new(totals[i]);
        void *args[] = {&g};
        struct hmmsvm_launch launch = launch_of(waits_for_host, args, g.total);
        struct hmmsvm_completion end;

        assert_int_equal(hmmsvm_submit(dev, &launch), 0);
        /* The host waits for all of them, which wait for the host. */
        host_waits_for(&g.arrived, totals[i]);
        __atomic_store_n(&g.go, 1, __ATOMIC_RELEASE);
        assert_int_equal(hmmsvm_wait(dev, &end, -1), 0);
        assert_int_equal(end.status, HMMSVM_OK);
        assert_int_equal(end.groups_run, totals[i]);
        groups_check(&g);
        extra_check(dev, totals[i]);
    }
    hmmsvm_device_close(dev);
}

/* What is to come after a crowd starts, whichever worker ended that. */
static void a_launch_follows_a_crowd(void **state)
{
    struct hmmsvm_device *dev = unit_open(WORKERS);

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        struct groups crowd = groups_new(12), next = groups_new(1);
        void *args[] = {&crowd}, *next_args[] = {&next};
        struct hmmsvm_launch launch = launch_of(meets, args, crowd.total);
        struct hmmsvm_launch after = launch_of(waits_for_previous, next_args, next.total);
        struct hmmsvm_completion end;

        launch.id = 1;
        after.id = 2;
        after.after = 1;
        assert_int_equal(hmmsvm_submit(dev, &launch), 0);
        assert_int_equal(hmmsvm_submit(dev, &after), 0);
        for (unsigned n = 0; n < 2; n++) {
            assert_int_equal(hmmsvm_wait(dev, &end, 20000), 0);
            assert_int_equal(end.status, HMMSVM_OK);
        }
        groups_check(&crowd);
        groups_check(&next);
    }
    /* One that came too late for a crowd may not be back when the next comes; they are no more. */
    assert_in_range(extra(dev), 12 - WORKERS, 2 * 12);
    hmmsvm_device_close(dev);
}

/* Groups of one launch wait for what a later launch does. */
static void launches_wait_for_each_other(void **state)
{
    struct hmmsvm_device *dev = unit_open(WORKERS);
    struct groups g = groups_new(8);
    void *args[] = {&g};
    struct hmmsvm_launch launch = launch_of(meets, args, 4);
    struct hmmsvm_completion end;

    (void)state;
    /* Four of each; all eight meet. */
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(hmmsvm_submit(dev, &launch), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(hmmsvm_wait(dev, &end, -1), 0);
        assert_int_equal(end.status, HMMSVM_OK);
        assert_int_equal(end.groups_run, 4);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(g.ran[i], 2);
    extra_check(dev, 8);
    free(g.ran);
    hmmsvm_device_close(dev);
}

static void a_failure_ends_those_that_were_added(void **state)
{
    struct hmmsvm_device *dev = unit_open(WORKERS);
    struct groups g = groups_new(30);
    void *args[] = {&g};
    struct hmmsvm_launch launch = launch_of(one_fails, args, g.total);
    struct hmmsvm_completion end;

    (void)state;
    g.waits = 17;
    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    assert_int_equal(end.status, HMMSVM_FAILED);
    assert_int_equal(end.group[0], 17);
    assert_int_equal(end.groups_run, 29);
    groups_check(&g);
    g = groups_new(30);
    run(dev, meets, &g);
    groups_check(&g);
    hmmsvm_device_close(dev);
}

/*
 * Groups that are given back are started in their order: all wait for the first, and there are more
 * of them than may be under way at once.
 */
static void first_is_slow(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                          unsigned long z)
{
    struct groups *g = UNIT_ARG(struct groups, args, 0);

    (void)y, (void)z;
    if (!x)
        usleep(300000);
    else
        wait_for(&g->ran[x - 1], 1, ctx);
    ran(g, x);
}

static void given_back_groups_keep_their_order(void **state)
{
    struct hmmsvm_open_params params = {
        .mode = HMMSVM_MODE_DIRECT,
        .workers = 4,
        .resident = 8,
        .stack_size = 1u << 18,
    };
    struct hmmsvm_device *dev;

    (void)state;
    assert_int_equal(hmmsvm_device_open(&params, &dev), 0);
    for (unsigned i = 0; i < 3; i++) {
        struct groups g = groups_new(2000);

        run(dev, first_is_slow, &g);
        groups_check(&g);
    }
    hmmsvm_device_close(dev);
}

static void computes(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y, unsigned long z)
{
    struct groups *g = UNIT_ARG(struct groups, args, 0);

    (void)ctx, (void)y, (void)z;
    usleep(1000);
    ran(g, x);
}

/* A group that waits for the host is replaced by one worker, whatever else there is to do. */
static void ordinary_groups_beside_one_that_waits(void **state)
{
    struct hmmsvm_device *dev = unit_open(WORKERS);
    struct groups waiting = groups_new(1), others = groups_new(1000);
    void *args[2][1] = {{&waiting}, {&others}};
    struct hmmsvm_launch launches[] = {
        launch_of(waits_for_host, args[0], 1),
        launch_of(computes, args[1], others.total),
    };
    struct hmmsvm_completion end;

    (void)state;
    launches[0].user = &waiting;
    launches[1].user = &others;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(hmmsvm_submit(dev, &launches[i]), 0);
    assert_int_equal(hmmsvm_wait(dev, &end, -1), 0);
    assert_ptr_equal(end.user, &others);
    assert_int_equal(end.groups_run, others.total);
    assert_int_equal(extra(dev), 1);
    __atomic_store_n(&waiting.go, 1, __ATOMIC_RELEASE);
    assert_int_equal(hmmsvm_wait(dev, &end, -1), 0);
    assert_ptr_equal(end.user, &waiting);
    groups_check(&waiting);
    groups_check(&others);
    hmmsvm_device_close(dev);
}

/* Groups that do not say that they wait are found out by their not ending. */
static void groups_wait_in_silence(void **state)
{
    struct hmmsvm_device *dev = unit_open(WORKERS);
    struct groups g = groups_new(5);
    void *args[] = {&g};
    struct hmmsvm_launch launch = launch_of(meets, args, g.total);
    struct hmmsvm_completion end;

    (void)state;
    launch.ctx_waiting = HMMSVM_NO_FIELD;
    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    assert_int_equal(end.status, HMMSVM_OK);
    groups_check(&g);
    extra_check(dev, 5);
    hmmsvm_device_close(dev);
}

/* One that is slow is no reason, as long as others end. */
static void works(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y, unsigned long z)
{
    struct groups *g = UNIT_ARG(struct groups, args, 0);

    (void)ctx, (void)y, (void)z;
    usleep(x ? 2000 : 100000);
    ran(g, x);
}

static void ordinary_groups_get_no_more_workers(void **state)
{
    struct hmmsvm_device *dev = unit_open(WORKERS);
    struct groups g = groups_new(100);

    (void)state;
    run(dev, works, &g);
    groups_check(&g);
    assert_int_equal(extra(dev), 0);
    hmmsvm_device_close(dev);
}

static void residents_are_limited(void **state)
{
    struct hmmsvm_open_params params = {
        .mode = HMMSVM_MODE_DIRECT,
        .workers = WORKERS,
        .resident = 5,
        .stack_size = 1u << 18,
    };
    struct hmmsvm_device *dev;
    struct groups g = groups_new(5);

    (void)state;
    assert_int_equal(hmmsvm_device_open(&params, &dev), 0);
    run(dev, meets, &g);
    groups_check(&g);
    assert_int_equal(extra(dev), 3);
    /* More wait than may be under way at once: those that wait for earlier ones still end. */
    g = groups_new(1000);
    run(dev, waits_for_previous, &g);
    groups_check(&g);
    assert_int_equal(extra(dev), 3);
    hmmsvm_device_close(dev);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(groups_meet, unit_clear_environment),
        cmocka_unit_test_setup(groups_meet_again, unit_clear_environment),
        cmocka_unit_test_setup(groups_wait_for_neighbours, unit_clear_environment),
        cmocka_unit_test_setup(claimed_groups_are_given_back, unit_clear_environment),
        cmocka_unit_test_setup(giving_back_meets_work, unit_clear_environment),
        cmocka_unit_test_setup(groups_wait_for_the_host, unit_clear_environment),
        cmocka_unit_test_setup(a_launch_follows_a_crowd, unit_clear_environment),
        cmocka_unit_test_setup(launches_wait_for_each_other, unit_clear_environment),
        cmocka_unit_test_setup(a_failure_ends_those_that_were_added, unit_clear_environment),
        cmocka_unit_test_setup(given_back_groups_keep_their_order, unit_clear_environment),
        cmocka_unit_test_setup(ordinary_groups_beside_one_that_waits, unit_clear_environment),
        cmocka_unit_test_setup(groups_wait_in_silence, unit_clear_environment),
        cmocka_unit_test_setup(ordinary_groups_get_no_more_workers, unit_clear_environment),
        cmocka_unit_test_setup(residents_are_limited, unit_clear_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
