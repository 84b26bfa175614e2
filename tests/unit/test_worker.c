/* SPDX-License-Identifier: MIT */
/*
 * The worker loop, in direct mode: every group runs exactly once, whatever the
 * sizes, and each worker has its own arguments, local memory, context and
 * part of the printf buffer.
 *
 * Locking: work-groups run on other threads and use atomics.
 */
#include <dirent.h>
#include <fenv.h>
#include <pthread.h>

#include "unit.h"

/* ---- every group once ---- */

struct grid {
    uint64_t size[3];
    uint8_t *seen;
    uint32_t outside;
};

static void marks(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y, unsigned long z)
{
    struct grid *g = UNIT_ARG(struct grid, args, 0);

    (void)ctx;
    if (x >= g->size[0] || y >= g->size[1] || z >= g->size[2])
        __atomic_add_fetch(&g->outside, 1, __ATOMIC_RELAXED);
    else
        __atomic_add_fetch(&g->seen[(z * g->size[1] + y) * g->size[0] + x], 1, __ATOMIC_RELAXED);
}

static void run_grid(struct hmmsvm_device *dev, uint64_t x, uint64_t y, uint64_t z)
{
    struct grid g = {.size = {x, y, z}};
    uint64_t total = x * y * z;
    void *args[] = {&g};
    struct hmmsvm_launch launch = unit_launch(marks, args, x, y, z);
    struct hmmsvm_completion end;

    g.seen = calloc(total, 1);
    assert_non_null(g.seen);
    launch.user = &g;
    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    assert_int_equal(end.status, HMMSVM_OK);
    assert_int_equal(end.groups_run, total);
    assert_ptr_equal(end.user, &g);
    assert_true(end.start_ns && end.end_ns >= end.start_ns);
    assert_int_equal(g.outside, 0);
    for (uint64_t i = 0; i < total; i++)
        assert_int_equal(g.seen[i], 1);
    free(g.seen);
}

static void every_group_runs_once(void **state)
{
    static const uint64_t sizes[][3] = {
        {1, 1, 1},   {2, 1, 1},   {1, 3, 1},    {1, 1, 5},    {7, 1, 3},       {1, 127, 129},
        {31, 37, 1}, {63, 61, 59}, {1, 1, 9973}, {100003, 1, 1}, {2, 50021, 3},
    };
    static const unsigned workers[] = {1, 2, 3, 8, 33};

    (void)state;
    for (size_t w = 0; w < sizeof(workers) / sizeof(*workers); w++) {
        struct hmmsvm_device *dev = unit_open(workers[w]);

        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
            run_grid(dev, sizes[i][0], sizes[i][1], sizes[i][2]);
        hmmsvm_device_close(dev);
    }
}

/* ---- many launches at once ---- */

static void counts(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y, unsigned long z)
{
    (void)ctx, (void)x, (void)y, (void)z;
    __atomic_add_fetch(UNIT_ARG(uint64_t, args, 0), 1, __ATOMIC_RELAXED);
}

static void thousands_of_launches(void **state)
{
    enum { LAUNCHES = 20000 };
    struct hmmsvm_device *dev = unit_open(3);
    uint64_t count = 0, want = 0;
    void *args[] = {&count};
    uint8_t *seen = calloc(LAUNCHES, 1);
    struct hmmsvm_completion end;

    (void)state;
    for (uintptr_t i = 0; i < LAUNCHES; i++) {
        struct hmmsvm_launch launch = unit_launch(counts, args, 1 + i % 7, 1, 1);

        launch.user = (void *)i;
        assert_int_equal(hmmsvm_submit(dev, &launch), 0);
        want += 1 + i % 7;
    }
    for (uintptr_t i = 0; i < LAUNCHES; i++) {
        assert_int_equal(hmmsvm_wait(dev, &end, 20000), 0);
        assert_int_equal(end.status, HMMSVM_OK);
        assert_true((uintptr_t)end.user < LAUNCHES);
        assert_int_equal(seen[(uintptr_t)end.user]++, 0);
        assert_int_equal(end.groups_run, 1 + (uintptr_t)end.user % 7);
    }
    assert_int_equal(count, want);
    assert_int_equal(hmmsvm_wait(dev, &end, 0), -ETIMEDOUT);
    hmmsvm_device_close(dev);
    free(seen);
}

struct submitter {
    struct hmmsvm_device *dev;
    uint64_t count;
};

static void *submits(void *arg)
{
    struct submitter *s = arg;
    void *args[] = {&s->count};

    for (int i = 0; i < 2000; i++) {
        struct hmmsvm_launch launch = unit_launch(counts, args, 3, 1, 1);
        struct hmmsvm_completion end;

        if (hmmsvm_run(s->dev, &launch, &end) || end.status != HMMSVM_OK || end.groups_run != 3)
            return "a launch failed";
    }
    return NULL;
}

static void threads_submit_at_once(void **state)
{
    struct submitter s[4] = {{0}};
    struct hmmsvm_device *dev = unit_open(2);
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        s[i].dev = dev;
        assert_int_equal(pthread_create(&threads[i], NULL, submits, &s[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *complaint;

        assert_int_equal(pthread_join(threads[i], &complaint), 0);
        assert_null(complaint);
        assert_int_equal(s[i].count, 6000);
    }
    hmmsvm_device_close(dev);
}

/* Two launches of one group each that wait for each other: both must be running. */
struct pair {
    uint32_t arrived;
};

static void meets(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y, unsigned long z)
{
    struct pair *p = UNIT_ARG(struct pair, args, 0);

    (void)ctx, (void)x, (void)y, (void)z;
    __atomic_add_fetch(&p->arrived, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 20000 && __atomic_load_n(&p->arrived, __ATOMIC_SEQ_CST) < 2; i++)
        usleep(1000);
}

static void launches_overlap(void **state)
{
    struct hmmsvm_device *dev = unit_open(2);

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct pair p = {0};
        void *args[] = {&p};
        struct hmmsvm_launch launch = unit_launch(meets, args, 1, 1, 1);
        struct hmmsvm_completion end[2];

        assert_int_equal(hmmsvm_submit(dev, &launch), 0);
        if (round % 3 == 1)
            usleep(100); /* so that workers spin, or sleep */
        assert_int_equal(hmmsvm_submit(dev, &launch), 0);
        assert_int_equal(hmmsvm_wait(dev, &end[0], 20000), 0);
        assert_int_equal(hmmsvm_wait(dev, &end[1], 20000), 0);
        assert_int_equal(p.arrived, 2);
        /* They ran at the same time. */
        assert_true(end[0].start_ns <= end[1].end_ns && end[1].start_ns <= end[0].end_ns);
        if (round % 3 == 2)
            usleep(300);
    }
    hmmsvm_device_close(dev);
}

/* ---- what a worker has of its own ---- */

struct locals {
    uintptr_t at[64][3];
    uint32_t overlaps;
};

static void uses_locals(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                        unsigned long z)
{
    struct locals *l = UNIT_ARG(struct locals, args, 0);
    static const uint32_t sizes[] = {100, 4096, 1};

    (void)ctx, (void)y, (void)z;
    for (unsigned i = 0; i < 3; i++) {
        /* An argument is a pointer to its value: here, to a pointer. */
        uint8_t *p = *UNIT_ARG(uint8_t *, args, i + 1);

        l->at[x][i] = (uintptr_t)p;
        memset(p, (int)(x * 3 + i), sizes[i]);
    }
    usleep(100);
    for (unsigned i = 0; i < 3; i++) {
        uint8_t *p = *UNIT_ARG(uint8_t *, args, i + 1);

        for (unsigned k = 0; k < sizes[i]; k++)
            if (p[k] != (uint8_t)(x * 3 + i))
                __atomic_add_fetch(&l->overlaps, 1, __ATOMIC_RELAXED);
    }
}

static void local_memory_is_each_workers_own(void **state)
{
    static const struct hmmsvm_local locals[] = {{1, 100}, {2, 4096}, {3, 1}};
    struct hmmsvm_device *dev = unit_open(4);
    struct locals l = {0};
    void *args[4] = {&l};
    struct hmmsvm_launch launch = unit_launch(uses_locals, args, 64, 1, 1);
    struct hmmsvm_completion end;
    unsigned different = 1;

    (void)state;
    launch.nargs = 4;
    launch.locals = locals;
    launch.nlocals = 3;
    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    assert_int_equal(end.status, HMMSVM_OK);
    assert_int_equal(l.overlaps, 0);
    for (unsigned x = 0; x < 64; x++) {
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(l.at[x][i] % 128, 0);
        assert_true(l.at[x][1] >= l.at[x][0] + 100);
        assert_true(l.at[x][2] >= l.at[x][1] + 4096);
        different += l.at[x][0] != l.at[0][0];
    }
    assert_true(different > 1); /* more than one worker took part */
    /* The caller's array is a template: nobody wrote into it. */
    assert_null(args[1]);
    assert_null(args[2]);
    hmmsvm_device_close(dev);
}

static void local_memory_has_an_end(void **state)
{
    struct hmmsvm_device *dev = unit_open(2);
    struct hmmsvm_local locals[] = {{1, 1 << 20}, {2, 1}};
    struct locals l = {0};
    void *args[4] = {&l};
    struct hmmsvm_launch launch = unit_launch(marks, args, 8, 1, 1);
    struct grid g = {.size = {8, 1, 1}, .seen = calloc(8, 1)};
    struct hmmsvm_completion end;

    (void)state;
    args[0] = &g;
    launch.nargs = 3;
    launch.locals = locals;
    launch.nlocals = 2;
    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    assert_int_equal(end.status, HMMSVM_NO_MEMORY);
    assert_int_equal(end.groups_run, 0);
    /* The first alone just fits. */
    launch.nlocals = 1;
    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    assert_int_equal(end.status, HMMSVM_OK);
    assert_int_equal(end.groups_run, 8);
    for (int i = 0; i < 8; i++)
        assert_int_equal(g.seen[i], 1);
    free(g.seen);
    hmmsvm_device_close(dev);
}

/* ---- the context block ---- */

struct block {
    uint64_t constant;
    uint8_t *printf_buf;
    uint32_t *printf_pos;
    uint32_t failed;
};

enum { WORKERS = 4, PRINT_SIZE = 4096 };

static void prints(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y, unsigned long z)
{
    struct block *b = (struct block *)(void *)ctx;
    uint32_t *wrong = UNIT_ARG(uint32_t, args, 0);

    (void)y, (void)z;
    if (b->constant != 0x1234567812345678)
        __atomic_add_fetch(wrong, 1, __ATOMIC_RELAXED);
    if (*b->printf_pos < PRINT_SIZE)
        b->printf_buf[(*b->printf_pos)++] = (uint8_t)x;
}

static void each_worker_prints_into_its_part(void **state)
{
    static uint8_t buf[WORKERS * PRINT_SIZE];
    struct block block = {.constant = 0x1234567812345678};
    uint32_t pos[WORKERS] = {0}, wrong = 0, seen[256] = {0}, total = 0;
    struct hmmsvm_device *dev = unit_open(WORKERS);
    void *args[] = {&wrong};
    struct hmmsvm_launch launch = unit_launch(prints, args, 256, 1, 1);
    struct hmmsvm_completion end;

    (void)state;
    launch.ctx = &block;
    launch.ctx_size = sizeof(block);
    launch.ctx_printf = offsetof(struct block, printf_buf);
    launch.ctx_printf_pos = offsetof(struct block, printf_pos);
    launch.ctx_failed = offsetof(struct block, failed);
    launch.printf_buf = buf;
    launch.printf_pos = pos;
    launch.printf_size = PRINT_SIZE;
    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    assert_int_equal(end.status, HMMSVM_OK);
    assert_int_equal(wrong, 0);
    for (unsigned w = 0; w < WORKERS; w++) {
        total += pos[w];
        for (uint32_t i = 0; i < pos[w]; i++)
            seen[buf[w * PRINT_SIZE + i]]++;
    }
    assert_int_equal(total, 256);
    for (unsigned x = 0; x < 256; x++)
        assert_int_equal(seen[x], 1);
    /* The caller's block is a template, too. */
    assert_null(block.printf_buf);
    assert_null(block.printf_pos);
    hmmsvm_device_close(dev);
}

struct failing {
    uint64_t at, ran;
};

static void fails_at(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                     unsigned long z)
{
    struct failing *f = UNIT_ARG(struct failing, args, 0);

    if (x + 100 * y + 1000 * z == f->at)
        ((struct block *)(void *)ctx)->failed = 1;
    else
        __atomic_add_fetch(&f->ran, 1, __ATOMIC_RELAXED);
}

static void a_group_that_fails_ends_the_launch(void **state)
{
    struct hmmsvm_device *dev = unit_open(2);
    struct block block = {0};
    struct failing f = {.at = 4305};
    void *args[] = {&f};
    struct hmmsvm_launch launch = unit_launch(fails_at, args, 10, 10, 100);
    struct hmmsvm_completion end;

    (void)state;
    launch.ctx = &block;
    launch.ctx_size = sizeof(block);
    launch.ctx_failed = offsetof(struct block, failed);
    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    assert_int_equal(end.status, HMMSVM_FAILED);
    assert_int_equal(end.group[0], 5);
    assert_int_equal(end.group[1], 3);
    assert_int_equal(end.group[2], 4);
    assert_int_equal(end.groups_run, f.ran);
    assert_true(f.ran < 9999);
    assert_int_equal(end.signal, 0);

    /* The mark was in the worker's copy, and the next launch has a fresh one. */
    assert_int_equal(block.failed, 0);
    f = (struct failing){.at = UINT64_MAX};
    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    assert_int_equal(end.status, HMMSVM_OK);
    assert_int_equal(f.ran, 10000);
    hmmsvm_device_close(dev);
}

/* ---- floating point ---- */

struct rounding {
    volatile double one, three, tiny, third, flushed;
};

static void divides(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y, unsigned long z)
{
    struct rounding *r = UNIT_ARG(struct rounding, args, 0);

    (void)ctx, (void)x, (void)y, (void)z;
    r->third = -r->one / r->three;
    r->flushed = r->tiny / r->three;
}

static void rounding_and_denormals(void **state)
{
    struct rounding r = {.one = 5, .three = 3, .tiny = 2.2250738585072014e-308};
    struct hmmsvm_device *dev = unit_open(1);
    void *args[] = {&r};
    struct hmmsvm_launch launch = unit_launch(divides, args, 1, 1, 1);
    struct hmmsvm_completion end;
    double nearest;

    (void)state;
    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    nearest = r.third;
    assert_true(nearest == -5.0 / 3.0); /* was rounded away from zero */
    assert_true(r.flushed > 0);

    launch.flags = HMMSVM_LAUNCH_RTZ | HMMSVM_LAUNCH_FTZ;
    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    assert_true(r.third > nearest); /* nearer to zero */
    assert_true(r.flushed == 0);

    launch.flags = 0;
    assert_int_equal(hmmsvm_run(dev, &launch, &end), 0);
    assert_true(r.third == nearest);
    assert_true(r.flushed > 0);
    hmmsvm_device_close(dev);
}

/* ---- threads ---- */

/* What /proc says about this process's threads. */
static void thread_times(unsigned *threads, unsigned long *ticks)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *d;

    *threads = 0;
    *ticks = 0;
    assert_non_null(dir);
    while ((d = readdir(dir))) {
        unsigned long user, system;
        char path[300];
        FILE *f;

        if (d->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/self/task/%s/stat", d->d_name);
        f = fopen(path, "r");
        if (!f)
            continue;
        if (fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                   &system) == 2) {
            ++*threads;
            *ticks += user + system;
        }
        fclose(f);
    }
    closedir(dir);
}

static void idle_workers_sleep(void **state)
{
    struct hmmsvm_device *dev;
    unsigned long before, after;
    unsigned threads, others;

    (void)state;
    thread_times(&others, &before); /* a sanitizer has one of its own */
    dev = unit_open(4);
    run_grid(dev, 1000, 1, 1);
    usleep(50000);
    thread_times(&threads, &before);
    assert_int_equal(threads, others + 5); /* and the one that watches them */
    usleep(500000);
    thread_times(&threads, &after);
    /* A spinning one alone would have used half a second. */
    assert_true((after - before) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK) < 100);
    hmmsvm_device_close(dev);
    thread_times(&threads, &after);
    assert_int_equal(threads, others);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_group_runs_once, unit_clear_environment),
        cmocka_unit_test_setup(thousands_of_launches, unit_clear_environment),
        cmocka_unit_test_setup(threads_submit_at_once, unit_clear_environment),
        cmocka_unit_test_setup(launches_overlap, unit_clear_environment),
        cmocka_unit_test_setup(local_memory_is_each_workers_own, unit_clear_environment),
        cmocka_unit_test_setup(local_memory_has_an_end, unit_clear_environment),
        cmocka_unit_test_setup(each_worker_prints_into_its_part, unit_clear_environment),
        cmocka_unit_test_setup(a_group_that_fails_ends_the_launch, unit_clear_environment),
        cmocka_unit_test_setup(rounding_and_denormals, unit_clear_environment),
        cmocka_unit_test_setup(idle_workers_sleep, unit_clear_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
