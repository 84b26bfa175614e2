/* SPDX-License-Identifier: MIT */
/*
 * Launches from the caller's side: what is refused and why, waiting and
 * waking, a full queue, closing with work in flight, fork, and what becomes of
 * launches when an engine is lost.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

#include "orphan.h"

static void counts(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y, unsigned long z)
{
    (void)ctx, (void)x, (void)y, (void)z;
    __atomic_add_fetch(UNIT_ARG(uint64_t, args, 0), 1, __ATOMIC_RELAXED);
}

/* Waits until the flag is set. */
static void waits(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y, unsigned long z)
{
    uint32_t *flag = UNIT_ARG(uint32_t, args, 0);

    (void)ctx, (void)x, (void)y, (void)z;
    while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
        usleep(100);
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- what is refused ---- */

static void refused(struct hmmsvm_device *dev, const struct hmmsvm_launch *launch, const char *why)
{
    assert_int_equal(hmmsvm_submit(dev, launch), -EINVAL);
    assert_error_says("unit");
    assert_error_says(why);
}

static void bad_launches(void **state)
{
    struct hmmsvm_device *dev = unit_open(1);
    struct hmmsvm_local local = {1, 16};
    uint64_t count = 0, block[4] = {0};
    void *args[] = {&count};
    const struct hmmsvm_launch good = unit_launch(counts, args, 1, 1, 1);
    struct hmmsvm_completion end;
    struct hmmsvm_launch l;

    (void)state;
    assert_int_equal(hmmsvm_submit(dev, NULL), -EINVAL);

    l = good, l.fn = NULL;
    refused(dev, &l, "no work-group function");
    l = good, l.groups[1] = 0;
    refused(dev, &l, "1 x 0 x 1 groups; none of the three may be 0");
    l = good, l.groups[0] = l.groups[1] = 1ull << 32;
    refused(dev, &l, "more than 2^64");
    l = good, l.nargs = HMMSVM_MAX_ARGS + 1;
    refused(dev, &l, "4097 arguments, at most 4096");
    l = good, l.args = NULL;
    refused(dev, &l, "args is NULL");
    l = good, l.nlocals = 2, l.locals = &local;
    refused(dev, &l, "2 local arguments of 1");
    l = good, l.nlocals = 1;
    refused(dev, &l, "1 local arguments of 1");
    l = good, l.nlocals = 1, l.locals = &local;
    refused(dev, &l, "local argument 1, but there are 1");
    l = good, l.ctx_size = HMMSVM_MAX_CTX + 1, l.ctx = block;
    refused(dev, &l, "at most 1024");
    l = good, l.ctx_size = 8;
    refused(dev, &l, "ctx is (nil)");
    l = good, l.ctx_failed = 0;
    refused(dev, &l, "outside of the 0 bytes");
    l = good, l.ctx = block, l.ctx_size = 32, l.ctx_failed = 29;
    refused(dev, &l, "outside of the 32 bytes");
    l = good, l.ctx = block, l.ctx_size = 32, l.ctx_printf = 25;
    refused(dev, &l, "outside of the 32 bytes");
    l = good, l.ctx = block, l.ctx_size = 32, l.ctx_printf_pos = UINT32_MAX - 1;
    refused(dev, &l, "outside of the 32 bytes");
    l = good, l.ctx = block, l.ctx_size = 32, l.ctx_printf = 24;
    refused(dev, &l, "no buffer for printf");
    l = good, l.flags = 4;
    refused(dev, &l, "flags is 0x4");
    l = good, l.id = l.after = 7;
    refused(dev, &l, "come after itself");

    /* None of them ran, and the good one still does. */
    assert_int_equal(count, 0);
    assert_int_equal(hmmsvm_run(dev, &good, &end), 0);
    assert_int_equal(count, 1);
    hmmsvm_device_close(dev);
}

/* ---- waiting ---- */

static void wait_times_out(void **state)
{
    struct hmmsvm_device *dev = unit_open(1);
    struct hmmsvm_completion end;
    uint64_t start = now_ms();

    (void)state;
    assert_int_equal(hmmsvm_wait(dev, &end, 0), -ETIMEDOUT);
    assert_true(now_ms() - start < 50);
    assert_int_equal(hmmsvm_wait(dev, &end, 60), -ETIMEDOUT);
    assert_true(now_ms() - start >= 60);
    hmmsvm_device_close(dev);
}

static void *wakes(void *arg)
{
    usleep(30000);
    hmmsvm_wake(arg);
    return NULL;
}

static void wake_ends_one_wait(void **state)
{
    struct hmmsvm_device *dev = unit_open(1);
    struct hmmsvm_completion end;
    pthread_t thread;

    (void)state;
    /* The next one. */
    hmmsvm_wake(dev);
    assert_int_equal(hmmsvm_wait(dev, &end, -1), -ECANCELED);
    assert_int_equal(hmmsvm_wait(dev, &end, 0), -ETIMEDOUT);
    /* The one that is waiting. */
    assert_int_equal(pthread_create(&thread, NULL, wakes, dev), 0);
    assert_int_equal(hmmsvm_wait(dev, &end, -1), -ECANCELED);
    pthread_join(thread, NULL);
    assert_int_equal(hmmsvm_wait(dev, &end, 0), -ETIMEDOUT);
    hmmsvm_device_close(dev);
}

/* hmmsvm_run() takes its own completion and leaves the others. */
static void run_takes_its_own(void **state)
{
    struct hmmsvm_device *dev = unit_open(2);
    uint64_t count = 0;
    void *args[] = {&count};
    struct hmmsvm_launch launch = unit_launch(counts, args, 1, 1, 1);
    struct hmmsvm_completion end;

    (void)state;
    launch.user = (void *)1;
    assert_int_equal(hmmsvm_submit(dev, &launch), 0);
    launch.user = (void *)2;
    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    assert_ptr_equal(end.user, (void *)2);
    assert_int_equal(hmmsvm_wait(dev, &end, 5000), 0);
    assert_ptr_equal(end.user, (void *)1);
    hmmsvm_device_close(dev);
}

/* They end as they end, not as they were submitted. */
static void completions_come_as_launches_end(void **state)
{
    struct hmmsvm_device *dev = unit_open(2);
    uint32_t flag = 0;
    uint64_t count = 0;
    void *slow_args[] = {&flag}, *fast_args[] = {&count};
    struct hmmsvm_launch slow = unit_launch(waits, slow_args, 1, 1, 1);
    struct hmmsvm_launch fast = unit_launch(counts, fast_args, 1, 1, 1);
    struct hmmsvm_completion end;

    (void)state;
    slow.user = &slow;
    fast.user = &fast;
    assert_int_equal(hmmsvm_submit(dev, &slow), 0);
    assert_int_equal(hmmsvm_submit(dev, &fast), 0);
    assert_int_equal(hmmsvm_wait(dev, &end, 5000), 0);
    assert_ptr_equal(end.user, &fast);
    assert_int_equal(hmmsvm_wait(dev, &end, 20), -ETIMEDOUT);
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    assert_int_equal(hmmsvm_wait(dev, &end, 5000), 0);
    assert_ptr_equal(end.user, &slow);
    hmmsvm_device_close(dev);
}

/* ---- a full queue ---- */

struct filler {
    struct hmmsvm_device *dev;
    struct hmmsvm_launch *launch;
    uint32_t submitted;
};

static void *fills(void *arg)
{
    struct filler *f = arg;

    for (unsigned i = 0; i < RING_SLOTS + 5; i++) {
        if (hmmsvm_submit(f->dev, f->launch))
            return (void *)1;
        __atomic_add_fetch(&f->submitted, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void a_full_queue_blocks(void **state)
{
    struct hmmsvm_device *dev = unit_open(1);
    uint32_t flag = 0;
    void *args[] = {&flag};
    struct hmmsvm_launch launch = unit_launch(waits, args, 1, 1, 1);
    struct filler f = {dev, &launch, 0};
    struct hmmsvm_completion end;
    pthread_t thread;
    void *complaint;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, fills, &f), 0);
    for (int i = 0; i < 1000 && __atomic_load_n(&f.submitted, __ATOMIC_SEQ_CST) < RING_SLOTS; i++)
        usleep(10000);
    usleep(50000);
    assert_int_equal(__atomic_load_n(&f.submitted, __ATOMIC_SEQ_CST), RING_SLOTS);

    /* It goes on though nobody takes the completions. */
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    assert_int_equal(pthread_join(thread, &complaint), 0);
    assert_null(complaint);
    assert_int_equal(f.submitted, RING_SLOTS + 5);
    for (unsigned i = 0; i < RING_SLOTS + 5; i++) {
        assert_int_equal(hmmsvm_wait(dev, &end, 5000), 0);
        assert_int_equal(end.status, HMMSVM_OK);
    }
    assert_int_equal(hmmsvm_wait(dev, &end, 0), -ETIMEDOUT);
    hmmsvm_device_close(dev);
}

/* ---- closing, forking ---- */

static void *sets_later(void *flag)
{
    usleep(50000);
    __atomic_store_n((uint32_t *)flag, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* The running group is waited for, the others never start. */
static void close_with_launches_in_flight(void **state)
{
    struct hmmsvm_device *dev = unit_open(1);
    uint32_t flag = 0;
    uint64_t count = 0;
    void *slow_args[] = {&flag}, *fast_args[] = {&count};
    struct hmmsvm_launch slow = unit_launch(waits, slow_args, 1, 1, 1);
    struct hmmsvm_launch fast = unit_launch(counts, fast_args, 1000, 1, 1);
    pthread_t thread;

    (void)state;
    assert_int_equal(hmmsvm_submit(dev, &slow), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(hmmsvm_submit(dev, &fast), 0);
    usleep(10000);
    assert_int_equal(pthread_create(&thread, NULL, sets_later, &flag), 0);
    hmmsvm_device_close(dev);
    assert_int_equal(__atomic_load_n(&flag, __ATOMIC_ACQUIRE), 1);
    assert_int_equal(count, 0);
    pthread_join(thread, NULL);
}

static void close_of_nothing(void **state)
{
    (void)state;
    hmmsvm_device_close(NULL);
}

static void a_forked_child_is_told(void **state)
{
    struct hmmsvm_device *dev = unit_open(2);
    uint64_t count = 0;
    void *args[] = {&count};
    struct hmmsvm_launch launch = unit_launch(counts, args, 10, 1, 1);
    struct hmmsvm_completion end;
    struct hmmsvm_stats stats;
    struct hmmsvm_device *own;
    int status;
    pid_t pid = fork();

    (void)state;
    if (!pid) {
        if (hmmsvm_submit(dev, &launch) != -ENODEV || hmmsvm_wait(dev, &end, 0) != -ENODEV ||
            hmmsvm_run(dev, &launch, &end) != -ENODEV || hmmsvm_device_stats(dev, &stats) != -ENODEV)
            _exit(1);
        if (!strstr(hmmsvm_last_error(), "forked"))
            _exit(2);
        hmmsvm_wake(dev);
        hmmsvm_device_close(dev);
#ifdef __SANITIZE_THREAD__ /* which cannot start threads in such a child */
        own = NULL;
#else
        /* One of its own works. */
        own = unit_open(2);
        if (hmmsvm_run(own, &launch, &end) || end.groups_run != 10 || count != 10)
            _exit(3);
#endif
        hmmsvm_device_close(own);
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    /* The parent's goes on. */
    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    assert_int_equal(count, 10);
    hmmsvm_device_close(dev);
}

/* ---- one after the other ---- */

/* How often a launch came in its turn: argument 0 is the number so far, 1 is its own. */
static void follows(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y, unsigned long z)
{
    uint64_t *seen = UNIT_ARG(uint64_t, args, 0), mine = *UNIT_ARG(uint64_t, args, 1);

    (void)ctx, (void)x, (void)y, (void)z;
    /* Not atomic: nobody else may be running. */
    if (*seen / 8 == mine)
        ++*seen;
}

/* Waits for the flag, then fails. */
static void gives_up(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y, unsigned long z)
{
    waits(args, ctx, x, y, z);
    __atomic_store_n((uint32_t *)(void *)ctx, 1, __ATOMIC_RELAXED);
}

static struct hmmsvm_launch named(struct hmmsvm_launch launch, uintptr_t id, uintptr_t after)
{
    launch.id = id;
    launch.after = after;
    launch.user = (void *)id;
    return launch;
}

static void ends(struct hmmsvm_device *dev, uintptr_t id, uint32_t status, uint64_t groups)
{
    struct hmmsvm_completion end;

    assert_int_equal(hmmsvm_wait(dev, &end, 10000), 0);
    assert_int_equal((uintptr_t)end.user, id);
    assert_string_equal(hmmsvm_status_name(end.status), hmmsvm_status_name(status));
    assert_int_equal(end.groups_run, groups);
    assert_true(end.start_ns && end.end_ns >= end.start_ns);
}

/* More than fit into the ring, each after the one before; 8 groups in one launch by one worker. */
static void chains_run_in_order(void **state)
{
    enum { LAUNCHES = 3000 };
    static uint64_t numbers[LAUNCHES];
    static void *args[LAUNCHES][2];
    uint64_t seen = 0, last_end = 0;
    uintptr_t done = 1;

    (void)state;
    for (unsigned workers = 1; workers <= 4; workers++) {
        struct hmmsvm_device *dev = unit_open(workers);

        seen = last_end = 0;
        done = 1;
        for (uintptr_t i = 0; i < LAUNCHES; i++) {
            struct hmmsvm_launch l;
            int err;

            numbers[i] = i / 8;
            args[i][0] = &seen;
            args[i][1] = &numbers[i];
            l = named(unit_launch(follows, args[i], 1, 1, 1), i + 1, i);
            l.nargs = 2;
            err = hmmsvm_submit(dev, &l);
            if (err == -ESTALE) {
                l.after = 0;
                err = hmmsvm_submit(dev, &l);
            }
            assert_int_equal(err, 0);
            while (i > done + 200 || i == LAUNCHES - 1) {
                struct hmmsvm_completion end;

                assert_int_equal(hmmsvm_wait(dev, &end, 10000), 0);
                assert_int_equal((uintptr_t)end.user, done++);
                assert_int_equal(end.status, HMMSVM_OK);
                assert_true(end.start_ns >= last_end && end.end_ns >= end.start_ns);
                last_end = end.end_ns;
                if (done > LAUNCHES)
                    break;
            }
        }
        assert_int_equal(seen, LAUNCHES);
        assert_int_equal(atomic_load(&dev->failures), 0);
        hmmsvm_device_close(dev);
    }
}

/* Nobody takes completions while more is submitted than there are slots. */
static void a_chain_longer_than_the_ring(void **state)
{
    struct hmmsvm_device *dev = unit_open(2);
    uint64_t count = 0;
    void *args[] = {&count};

    (void)state;
    for (uintptr_t i = 1; i <= 5 * RING_SLOTS; i++) {
        struct hmmsvm_launch l = named(unit_launch(counts, args, 3, 1, 1), i, i - 1);

        assert_int_equal(hmmsvm_submit(dev, &l), 0);
    }
    for (uintptr_t i = 1; i <= 5 * RING_SLOTS; i++)
        ends(dev, i, HMMSVM_OK, 3);
    assert_int_equal(count, 3 * 5 * RING_SLOTS);
    hmmsvm_device_close(dev);
}

/* What waits is in nobody's way; all that waits for one starts when that one has ended. */
static void what_waits_holds_up_nobody(void **state)
{
    struct hmmsvm_device *dev = unit_open(2);
    uint32_t flag = 0;
    uint64_t count = 0, other = 0;
    void *slow_args[] = {&flag}, *args[] = {&count}, *other_args[] = {&other};
    struct hmmsvm_launch l = named(unit_launch(waits, slow_args, 1, 1, 1), 1, 0);
    struct hmmsvm_completion end;
    uint64_t sum = 0;

    (void)state;
    assert_int_equal(hmmsvm_submit(dev, &l), 0);
    for (uintptr_t i = 2; i < 100; i++) {
        l = named(unit_launch(counts, args, 10, 1, 1), i, i < 50 ? 1 : i - 40);
        assert_int_equal(hmmsvm_submit(dev, &l), 0);
    }
    /* More than there are slots: the one that runs does not keep others from theirs. */
    for (uintptr_t i = 1000; i < 1000 + 2 * RING_SLOTS; i++) {
        l = named(unit_launch(counts, other_args, 2, 1, 1), i, 0);
        assert_int_equal(hmmsvm_submit(dev, &l), 0);
        ends(dev, i, HMMSVM_OK, 2);
    }
    assert_int_equal(other, 4 * RING_SLOTS);
    assert_int_equal(__atomic_load_n(&count, __ATOMIC_RELAXED), 0);
    assert_int_equal(hmmsvm_wait(dev, &end, 0), -ETIMEDOUT);
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    ends(dev, 1, HMMSVM_OK, 1);
    for (uintptr_t i = 2; i < 100; i++) {
        assert_int_equal(hmmsvm_wait(dev, &end, 10000), 0);
        assert_int_equal(end.status, HMMSVM_OK);
        sum += (uintptr_t)end.user;
    }
    assert_int_equal(sum, 99 * 100 / 2 - 1);
    assert_int_equal(count, 980);
    hmmsvm_device_close(dev);
}

static void a_failure_cancels_what_comes_after(void **state)
{
    struct hmmsvm_device *dev = unit_open(2);
    uint32_t flag = 0, block = 0;
    uint64_t count = 0;
    void *bad_args[] = {&flag}, *args[] = {&count};
    struct hmmsvm_launch l = named(unit_launch(gives_up, bad_args, 1, 1, 1), 1, 0);

    (void)state;
    l.ctx = &block;
    l.ctx_size = sizeof(block);
    l.ctx_failed = 0;
    assert_int_equal(hmmsvm_submit(dev, &l), 0);
    for (uintptr_t i = 2; i <= 200; i++) {
        l = named(unit_launch(counts, args, 5, 1, 1), i, i - 1);
        assert_int_equal(hmmsvm_submit(dev, &l), 0);
    }
    l = named(unit_launch(counts, args, 1, 1, 1), 201, 0);
    assert_int_equal(hmmsvm_submit(dev, &l), 0);
    ends(dev, 201, HMMSVM_OK, 1);
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    ends(dev, 1, HMMSVM_FAILED, 0);
    for (uintptr_t i = 2; i < 200; i++)
        ends(dev, i, HMMSVM_CANCELLED, 0);
    /* That of 200 was not taken, so it is known how it ended. */
    l = named(unit_launch(counts, args, 1, 1, 1), 202, 200);
    assert_int_equal(hmmsvm_submit(dev, &l), 0);
    ends(dev, 200, HMMSVM_CANCELLED, 0);
    ends(dev, 202, HMMSVM_CANCELLED, 0);
    l = named(unit_launch(counts, args, 1, 1, 1), 203, 202);
    assert_int_equal(hmmsvm_submit(dev, &l), -ESTALE);
    assert_error_says("after launch 202");
    assert_int_equal(count, 1);
    assert_int_equal(dev->nfree, RING_SLOTS);
    hmmsvm_device_close(dev);
}

/* Several threads, each with a chain of its own that now and then fails. */
struct chain {
    struct hmmsvm_device *dev;
    uint64_t base, count;
    uint32_t flag, block;
    void *args[1], *bad_args[1]; /* read as groups start: the thread may have ended by then */
};

static void *chains(void *arg)
{
    struct chain *c = arg;
    uint64_t last = 0;

    c->args[0] = &c->count;
    c->bad_args[0] = &c->flag;
    c->flag = 1;
    for (uint64_t i = 1; i <= 2000; i++) {
        struct hmmsvm_launch l = i % 50 ? unit_launch(counts, c->args, 1 + i % 3, 1, 1)
                                        : unit_launch(gives_up, c->bad_args, 1, 1, 1);
        int err;

        l = named(l, c->base + i, last);
        if (i % 50 == 0) {
            l.ctx = &c->block;
            l.ctx_size = sizeof(c->block);
            l.ctx_failed = 0;
        }
        err = hmmsvm_submit(c->dev, &l);
        if (err == -ESTALE) {
            l.after = 0;
            err = hmmsvm_submit(c->dev, &l);
        }
        if (err)
            return "a launch was refused";
        last = i % 50 == 7 ? 0 : l.id;
    }
    return NULL;
}

static void many_chains_at_once(void **state)
{
    struct chain c[4] = {{0}};
    struct hmmsvm_device *dev = unit_open(3);
    uint64_t last[4] = {0}, ok = 0, failed = 0, cancelled = 0;
    pthread_t threads[4];
    void *complaint;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        c[i].dev = dev;
        c[i].base = i * 10000;
        assert_int_equal(pthread_create(&threads[i], NULL, chains, &c[i]), 0);
    }
    for (unsigned n = 0; n < 8000; n++) {
        struct hmmsvm_completion end;
        uint64_t i;

        assert_int_equal(hmmsvm_wait(dev, &end, 20000), 0);
        i = (uintptr_t)end.user;
        /* 8, 58, ... do not wait for the one before. */
        if (i % 50 != 8)
            assert_true(i % 10000 == 1 || last[i / 10000] >= i - 1 || (i - 1) % 50 < 8);
        if (last[i / 10000] < i)
            last[i / 10000] = i;
        ok += end.status == HMMSVM_OK;
        failed += end.status == HMMSVM_FAILED;
        cancelled += end.status == HMMSVM_CANCELLED;
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &complaint), 0);
        assert_null(complaint);
    }
    assert_int_equal(ok + failed + cancelled, 8000);
    assert_true(failed > 0);
    assert_int_equal(dev->nfree, RING_SLOTS);
    assert_int_equal(dev->outstanding, 0);
    hmmsvm_device_close(dev);
}

/* Closing with a chain that never starts. */
static void close_with_a_chain_in_flight(void **state)
{
    struct hmmsvm_device *dev = unit_open(2);
    uint32_t flag = 0;
    uint64_t count = 0;
    void *slow_args[] = {&flag}, *args[] = {&count};
    struct hmmsvm_launch l = named(unit_launch(waits, slow_args, 1, 1, 1), 1, 0);
    pthread_t thread;

    (void)state;
    assert_int_equal(hmmsvm_submit(dev, &l), 0);
    for (uintptr_t i = 2; i < 50; i++) {
        l = named(unit_launch(counts, args, 5, 1, 1), i, i - 1);
        assert_int_equal(hmmsvm_submit(dev, &l), 0);
    }
    usleep(10000);
    assert_int_equal(pthread_create(&thread, NULL, sets_later, &flag), 0);
    hmmsvm_device_close(dev);
    assert_int_equal(__atomic_load_n(&flag, __ATOMIC_ACQUIRE), 1);
    assert_int_equal(count, 0);
    pthread_join(thread, NULL);
}

/* ---- a lost engine ---- */

static void submit_numbered(struct hmmsvm_device *dev, uintptr_t from, uintptr_t to)
{
    for (uintptr_t i = from; i < to; i++) {
        struct hmmsvm_launch launch = unit_launch(counts, NULL, 10, 1, 1);

        launch.user = (void *)i;
        assert_int_equal(hmmsvm_submit(dev, &launch), 0);
    }
}

/* The engine claims @claimed groups of slot @n and finishes @finished of them. */
static void play(struct hmmsvm_device *dev, unsigned n, uint64_t claimed, uint64_t finished)
{
    struct ring_slot *slot = &dev->ring->slots[n];

    atomic_fetch_sub(&slot->remaining, claimed);
    if (atomic_fetch_add(&slot->finished, finished) + finished == 10)
        slot->end.groups_run = 10;
}

static void completes(struct hmmsvm_device *dev, uintptr_t user, uint32_t status)
{
    struct hmmsvm_completion end;

    assert_int_equal(hmmsvm_wait(dev, &end, 0), 0);
    assert_int_equal((uintptr_t)end.user, user);
    assert_string_equal(hmmsvm_status_name(end.status), hmmsvm_status_name(status));
}

static void a_lost_engine(void **state)
{
    struct hmmsvm_device *dev = orphan();
    struct hmmsvm_completion end;

    (void)state;
    submit_numbered(dev, 0, 6);
    play(dev, 0, 10, 10); /* done, the word of it got through */
    atomic_store(&dev->ring->done[0], 1);
    play(dev, 1, 10, 10); /* done, and then the end came */
    play(dev, 2, 10, 4);  /* all claimed */
    play(dev, 3, 1, 0);   /* just begun */
    atomic_store(&dev->ring->head, 3);
    atomic_store(&dev->ring->sleepers, 1);
    launch_recover(dev, false);
    completes(dev, 0, HMMSVM_OK);
    completes(dev, 1, HMMSVM_OK);
    completes(dev, 2, HMMSVM_DEVICE_LOST);
    completes(dev, 3, HMMSVM_DEVICE_LOST);
    assert_int_equal(hmmsvm_wait(dev, &end, 0), -ETIMEDOUT);

    /* 4 and 5 are queued anew, in order, on a ring as good as new. */
    assert_int_equal(dev->outstanding, 2);
    assert_int_equal(atomic_load(&dev->ring->head), 0);
    assert_int_equal(atomic_load(&dev->ring->tail), 2);
    assert_int_equal(atomic_load(&dev->ring->sleepers), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal((uintptr_t)dev->ring->slots[i].launch.user, 4 + i);
        assert_int_equal(atomic_load(&dev->ring->slots[i].remaining), 10);
    }

    /* No engine any more: they end, too. */
    launch_recover(dev, true);
    completes(dev, 4, HMMSVM_DEVICE_LOST);
    completes(dev, 5, HMMSVM_DEVICE_LOST);
    assert_int_equal(dev->outstanding, 0);
    orphan_free(dev);
}

static void submit_chained(struct hmmsvm_device *dev, uintptr_t id, uintptr_t after)
{
    struct hmmsvm_launch launch = named(unit_launch(counts, NULL, 10, 1, 1), id, after);

    assert_int_equal(hmmsvm_submit(dev, &launch), 0);
}

static void a_lost_engine_with_chains(void **state)
{
    struct hmmsvm_device *dev = orphan();
    struct hmmsvm_completion end;
    struct ring_slot *slots = dev->ring->slots;

    (void)state;
    submit_chained(dev, 1, 0); /* running */
    submit_chained(dev, 2, 1);
    submit_chained(dev, 3, 2);
    submit_chained(dev, 4, 0); /* not started */
    submit_chained(dev, 5, 4);
    submit_chained(dev, 6, 5);
    submit_chained(dev, 7, 0); /* done, but what waits was not let go */
    submit_chained(dev, 8, 7);
    submit_chained(dev, 9, 0); /* done and taken, what waits was let go */
    submit_chained(dev, 10, 9);
    submit_chained(dev, 11, 0); /* failed and taken, what waits was not cancelled */
    submit_chained(dev, 12, 11);
    assert_int_equal(atomic_load(&dev->ring->tail), 5);
    assert_int_equal(atomic_load(&slots[1].remaining), 0);
    play(dev, 0, 4, 2);
    play(dev, 6, 10, 10);
    play(dev, 8, 10, 10);
    ring_start(dev->ring, 9, 10);
    atomic_store(&dev->ring->done[0], 9);
    completes(dev, 9, HMMSVM_OK);
    play(dev, 10, 10, 10);
    slots[10].end.status = HMMSVM_FAILED;
    atomic_store(&dev->ring->done[1], 11);
    completes(dev, 11, HMMSVM_FAILED);

    launch_recover(dev, false);
    completes(dev, 1, HMMSVM_DEVICE_LOST);
    completes(dev, 2, HMMSVM_CANCELLED);
    completes(dev, 3, HMMSVM_CANCELLED);
    completes(dev, 7, HMMSVM_OK);
    completes(dev, 12, HMMSVM_CANCELLED);
    assert_int_equal(hmmsvm_wait(dev, &end, 0), -ETIMEDOUT);

    /* In order: 4, 5 and 6 one after the other, 8 and 10 at once. */
    assert_int_equal(dev->outstanding, 5);
    assert_int_equal(dev->nfree, RING_SLOTS - 5);
    assert_int_equal(atomic_load(&dev->ring->tail), 3);
    for (unsigned i = 0; i < 5; i++) {
        static const uintptr_t ids[] = {4, 5, 6, 8, 10};
        bool waiting = ids[i] == 5 || ids[i] == 6;

        assert_int_equal((uintptr_t)slots[i].launch.user, ids[i]);
        assert_int_equal(atomic_load(&slots[i].waits), waiting);
        assert_int_equal(atomic_load(&slots[i].remaining), waiting ? 0 : 10);
    }
    assert_int_equal(atomic_load(&slots[0].dependants), 2);
    assert_int_equal(atomic_load(&slots[1].dependants), 3);

    launch_recover(dev, true);
    for (unsigned i = 0; i < 5; i++) {
        static const uintptr_t ids[] = {4, 5, 6, 8, 10};

        completes(dev, ids[i], HMMSVM_DEVICE_LOST);
    }
    assert_int_equal(dev->outstanding, 0);
    orphan_free(dev);
}

/* Whatever a work-group scribbles into the ring, nothing but its launch suffers. */
static void a_scribbled_ring(void **state)
{
    struct hmmsvm_device *dev = orphan();
    struct hmmsvm_completion end;

    (void)state;
    submit_numbered(dev, 7, 9);
    atomic_store(&dev->ring->done[0], 0xffffffff);
    atomic_store(&dev->ring->done[1], RING_SLOTS); /* a slot that is free */
    assert_int_equal(hmmsvm_wait(dev, &end, 0), -ETIMEDOUT);
    assert_int_equal(dev->outstanding, 2);

    dev->ring->slots[1].end.status = 77;
    dev->ring->slots[1].end.user = (void *)0xdead;
    dev->ring->slots[1].end.groups_run = 1000;
    atomic_store(&dev->ring->done[2], 2);
    assert_int_equal(hmmsvm_wait(dev, &end, 0), 0);
    assert_ptr_equal(end.user, (void *)8);
    assert_int_equal(end.status, HMMSVM_DEVICE_LOST);
    assert_int_equal(end.groups_run, 10);
    /* The same again is once too often. */
    atomic_store(&dev->ring->done[3], 2);
    assert_int_equal(hmmsvm_wait(dev, &end, 0), -ETIMEDOUT);

    memset(dev->ring->slots, 0xa5, sizeof(dev->ring->slots));
    launch_recover(dev, false);
    completes(dev, 7, HMMSVM_DEVICE_LOST);
    assert_int_equal(dev->outstanding, 0);
    orphan_free(dev);
}

/* The counters wrap around without a launch getting lost. */
static void counters_wrap(void **state)
{
    struct hmmsvm_device *dev = unit_open(2);
    uint64_t count = 0;
    void *args[] = {&count};
    struct hmmsvm_launch launch = unit_launch(counts, args, 2, 1, 1);
    struct hmmsvm_completion end;
    const uint32_t start = 0u - 512u;

    (void)state;
    pthread_mutex_lock(&dev->lock);
    dev->done_head = start;
    atomic_store(&dev->ring->head, start);
    atomic_store(&dev->ring->done_next, start);
    atomic_store(&dev->ring->tail, start);
    pthread_mutex_unlock(&dev->lock);
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
        assert_int_equal(end.groups_run, 2);
    }
    assert_true(atomic_load(&dev->ring->tail) < start);
    assert_int_equal(count, 4000);
    hmmsvm_device_close(dev);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(hmmsvm_status_name(HMMSVM_OK), "ok");
    assert_string_equal(hmmsvm_status_name(HMMSVM_BAD_ADDRESS), "bad-address");
    assert_string_equal(hmmsvm_status_name(HMMSVM_NO_MEMORY), "no-memory");
    assert_string_equal(hmmsvm_status_name(HMMSVM_CANCELLED), "cancelled");
    assert_string_equal(hmmsvm_status_name(HMMSVM_REFUSED), "refused");
    assert_string_equal(hmmsvm_status_name(HMMSVM_HUNG), "hung");
    assert_string_equal(hmmsvm_status_name(99), "unknown");
    assert_string_equal(hmmsvm_call_name(59), "execve");
    assert_string_equal(hmmsvm_call_name(435), "clone3");
    assert_string_equal(hmmsvm_call_name(HMMSVM_NO_CALL), "?");
    assert_string_equal(hmmsvm_mode_name(HMMSVM_MODE_AUTO), "auto");
    assert_string_equal(hmmsvm_mode_name(HMMSVM_MODE_KERNEL), "kernel");
    assert_string_equal(hmmsvm_mode_name(HMMSVM_MODE_DIRECT), "direct");
    assert_string_equal(hmmsvm_mode_name((enum hmmsvm_mode)9), "unknown");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(bad_launches, unit_clear_environment),
        cmocka_unit_test_setup(wait_times_out, unit_clear_environment),
        cmocka_unit_test_setup(wake_ends_one_wait, unit_clear_environment),
        cmocka_unit_test_setup(run_takes_its_own, unit_clear_environment),
        cmocka_unit_test_setup(completions_come_as_launches_end, unit_clear_environment),
        cmocka_unit_test_setup(a_full_queue_blocks, unit_clear_environment),
        cmocka_unit_test_setup(close_with_launches_in_flight, unit_clear_environment),
        cmocka_unit_test_setup(close_of_nothing, unit_clear_environment),
        cmocka_unit_test_setup(a_forked_child_is_told, unit_clear_environment),
        cmocka_unit_test_setup(chains_run_in_order, unit_clear_environment),
        cmocka_unit_test_setup(a_chain_longer_than_the_ring, unit_clear_environment),
        cmocka_unit_test_setup(what_waits_holds_up_nobody, unit_clear_environment),
        cmocka_unit_test_setup(a_failure_cancels_what_comes_after, unit_clear_environment),
        cmocka_unit_test_setup(many_chains_at_once, unit_clear_environment),
        cmocka_unit_test_setup(close_with_a_chain_in_flight, unit_clear_environment),
        cmocka_unit_test_setup(a_lost_engine, unit_clear_environment),
        cmocka_unit_test_setup(a_lost_engine_with_chains, unit_clear_environment),
        cmocka_unit_test_setup(a_scribbled_ring, unit_clear_environment),
        cmocka_unit_test_setup(counters_wrap, unit_clear_environment),
        cmocka_unit_test_setup(names, unit_clear_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
