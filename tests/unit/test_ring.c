/* SPDX-License-Identifier: MIT */
/*
 * What libhmmsvm makes of a ring that somebody else writes into: each launch ends
 * once, as one that was submitted, and nothing is followed out of the ring.
 *
 * The test plays the engine, which writes what it likes where it likes.
 */
#include <pthread.h>

#include "orphan.h"

#define RING_ROUNDS   400u
#define RING_LAUNCHES 64u
#define RING_GROUPS   10u

static uint64_t seed;

static uint64_t rnd(void)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * 0x2545f4914f6cdd1dull;
}

static void nothing(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y, unsigned long z)
{
    (void)args, (void)ctx, (void)x, (void)y, (void)z;
}

/* A word of the ring, of which some are more likely than others. */
static uint32_t *somewhere(struct ring *ring)
{
    switch (rnd() % 6) {
    case 0:
        return (uint32_t *)(void *)&ring->done[rnd() % RING_SLOTS];
    case 1:
        return (uint32_t *)(void *)&ring->ready[rnd() % 32] + rnd() % 2;
    case 2:
        return (uint32_t *)(void *)&ring->slots[rnd() % RING_LAUNCHES].end +
               rnd() % (sizeof(struct hmmsvm_completion) / 4);
    case 3:
        return (uint32_t *)(void *)&ring->slots[rnd() % RING_LAUNCHES] +
               rnd() % (sizeof(struct ring_slot) / 4);
    case 4:
        return (uint32_t *)(void *)ring + rnd() % (offsetof(struct ring, done) / 4);
    default:
        return (uint32_t *)(void *)ring + rnd() % (sizeof(*ring) / 4);
    }
}

static void scribble(struct ring *ring, unsigned words)
{
    static const uint32_t odd[] = {0, 1, 2, RING_SLOTS - 1, RING_SLOTS, RING_SLOTS + 1, 0x7fffffff,
                                   0x80000000, 0xffffffff};

    while (words--) {
        uint32_t value = rnd() % 2 ? (uint32_t)rnd() : odd[rnd() % (sizeof(odd) / sizeof(*odd))];

        __atomic_store_n(somewhere(ring), value, __ATOMIC_RELAXED);
    }
}

/* A completion that was fetched has to be of a launch that has not ended yet. */
static void ended(const struct hmmsvm_completion *end, bool *running)
{
    uintptr_t i = (uintptr_t)end->user;

    assert_in_range(i, 1, RING_LAUNCHES);
    assert_true(running[i]);
    running[i] = false;
    assert_true(end->status <= HMMSVM_HUNG);
    assert_true(end->groups_run <= RING_GROUPS);
    assert_true(end->workers <= 1);
    assert_non_null(hmmsvm_status_name(end->status));
    assert_non_null(hmmsvm_call_name(end->access));
}

static bool submits(struct hmmsvm_device *dev, uintptr_t i, bool *running)
{
    struct hmmsvm_launch launch = unit_launch(nothing, NULL, RING_GROUPS, 1, 1);

    if (running[i])
        return false;
    launch.user = (void *)i;
    assert_int_equal(hmmsvm_submit(dev, &launch), 0);
    return running[i] = true;
}

static void every_launch_ends_once(void **state)
{
    unsigned submitted = 0, early = 0, late = 0;

    (void)state;
    for (unsigned round = 0; round < RING_ROUNDS; round++) {
        struct hmmsvm_device *dev = orphan();
        bool running[RING_LAUNCHES + 1] = {false};
        struct hmmsvm_completion end;

        dev->config.resident = 1;
        seed = round + 1;
        for (unsigned step = 0; step < 200; step++) {
            submitted += submits(dev, 1 + rnd() % RING_LAUNCHES, running);
            scribble(dev->ring, (unsigned)(rnd() % 8));
            if (!hmmsvm_wait(dev, &end, 0)) {
                ended(&end, running);
                early++;
            }
            /* For whoever asks it, a sound one too: it ends. */
            launch_ring_sound(dev);
            if (!(rnd() % 40))
                launch_recover(dev, false);
        }
        launch_recover(dev, true);
        while (!hmmsvm_wait(dev, &end, 0)) {
            ended(&end, running);
            late++;
        }
        assert_int_equal(dev->outstanding, 0);
        assert_int_equal(dev->nfree, RING_SLOTS);
        for (unsigned i = 1; i <= RING_LAUNCHES; i++)
            assert_false(running[i]);
        orphan_free(dev);
    }
    assert_int_equal(submitted, early + late);
    /* Some were ended by what was scribbled, some had to be ended. */
    assert_true(early > RING_ROUNDS && late > RING_ROUNDS);
}

struct scribbler {
    struct ring *ring;
    bool stop;
    _Atomic uint64_t written;
};

/* Writes all the time, from a random walk of its own; that it races with all is what it is there for. */
__attribute__((no_sanitize("thread"))) static void *scribbles(void *arg)
{
    struct scribbler *s = arg;
    uint64_t x = 88172645463325252ull;

    while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
        size_t at;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        at = x % 3 ? offsetof(struct ring, done) / 4 + x / 3 % RING_SLOTS :
                     x / 3 % (sizeof(*s->ring) / 4);
        __atomic_store_n((uint32_t *)(void *)s->ring + at, (uint32_t)(x >> 40) % 300,
                         __ATOMIC_RELAXED);
        s->written++;
    }
    return NULL;
}

/* While it is read, that is: what was checked is not read again. */
static void written_while_it_is_read(void **state)
{
    bool running[RING_LAUNCHES + 1] = {false};
    struct hmmsvm_device *dev = orphan();
    struct scribbler s = {.ring = dev->ring};
    struct hmmsvm_completion end;
    uint64_t until = ring_now_ns() + 1000000000u;
    unsigned submitted = 0, done = 0;
    pthread_t thread;

    (void)state;
    dev->config.resident = 1;
    seed = 1;
    assert_int_equal(pthread_create(&thread, NULL, scribbles, &s), 0);
    /* Where processors are busy it may take the other thread long to begin. */
    while (ring_now_ns() < until || !done || s.written <= 1000) {
        submitted += submits(dev, 1 + rnd() % RING_LAUNCHES, running);
        if (!hmmsvm_wait(dev, &end, 0)) {
            ended(&end, running);
            done++;
        }
        launch_ring_sound(dev);
    }
    __atomic_store_n(&s.stop, true, __ATOMIC_RELEASE);
    assert_int_equal(pthread_join(thread, NULL), 0);
    launch_recover(dev, true);
    while (!hmmsvm_wait(dev, &end, 0)) {
        ended(&end, running);
        done++;
    }
    assert_int_equal(done, submitted);
    assert_int_equal(dev->outstanding, 0);
    orphan_free(dev);
}

/* What is wrong is seen, and what is right is not taken for wrong. */
static void unsound_rings_are_seen(void **state)
{
    bool running[RING_LAUNCHES + 1] = {false};
    struct hmmsvm_device *dev = orphan();
    struct ring *ring = dev->ring;
    struct ring_slot *slot = &ring->slots[0];

    (void)state;
    assert_true(launch_ring_sound(dev));
    submits(dev, 1, running);
    submits(dev, 2, running);
    assert_true(launch_ring_sound(dev));
    /* One worker has claimed four groups of the first, and has run three of another claim. */
    atomic_store(&slot->remaining, 3);
    atomic_store(&slot->finished, 3);
    assert_true(launch_ring_sound(dev));
    /* All of it is claimed. */
    atomic_store(&slot->remaining, 0);
    atomic_store(&ring->head, 1);
    assert_true(launch_ring_sound(dev));

#define UNSOUND(word, value)                                                                       \
    do {                                                                                           \
        __typeof__(word) old_ = (word);                                                            \
                                                                                                   \
        (word) = (value);                                                                          \
        assert_false(launch_ring_sound(dev));                                                      \
        (word) = old_;                                                                             \
        assert_true(launch_ring_sound(dev));                                                       \
    } while (0)
    UNSOUND(ring->magic, 0);
    UNSOUND(ring->workers, 2);
    UNSOUND(ring->stack_size, 1);
    UNSOUND(ring->stop, 1);
    UNSOUND(ring->head, 0x80000000);
    UNSOUND(ring->head, 2);               /* nobody will claim the second */
    UNSOUND(ring->tail, 3);               /* there is no third */
    UNSOUND(ring->ready[1], 0);
    UNSOUND(ring->done[5], 1);            /* reported where nobody looks */
    UNSOUND(slot->id, 77);
    UNSOUND(slot->total, RING_GROUPS + 1);
    UNSOUND(slot->finished, RING_GROUPS); /* has ended, and nobody said so */
    UNSOUND(slot->finished, RING_GROUPS + 1);
    UNSOUND(slot->remaining, RING_GROUPS - 2);
    UNSOUND(slot->dependants, RING_ENDED);
    UNSOUND(slot->dependants, RING_SLOTS + 1);
#undef UNSOUND
    orphan_free(dev);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_launch_ends_once, unit_clear_environment),
        cmocka_unit_test_setup(written_while_it_is_read, unit_clear_environment),
        cmocka_unit_test_setup(unsound_rings_are_seen, unit_clear_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
