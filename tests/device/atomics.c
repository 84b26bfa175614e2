/* SPDX-License-Identifier: MIT */
/* atomics.c - host threads and work-groups add to the same words at the same time, none is lost */
#include <pthread.h>

#include "harness.h"

#define GROUPS 8
#define THREADS 3
#define WORDS 16
#define ROUNDS 20000u

struct shared {
    uint64_t word[WORDS];
    uint32_t started, turn;
    uint32_t turns;
};

static struct shared *shared;

static inline void add_all(struct shared *s, unsigned seed)
{
    for (unsigned i = 0; i < ROUNDS; i++)
        __atomic_fetch_add(&s->word[(i + seed) % WORDS], 1, __ATOMIC_RELAXED);
}

HARNESS_WG static void device_adds(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                                   unsigned long z)
{
    struct shared *s = HARNESS_ARG(struct shared, args, 0);

    (void)ctx, (void)y, (void)z;
    harness_set(&s->started, 1);
    add_all(s, (unsigned)x);
}

static void *host_adds(void *arg)
{
    while (!harness_get(&shared->started))
        ;
    add_all(shared, (unsigned)(uintptr_t)arg);
    return NULL;
}

/* Ping-pong: the device answers every even turn with an odd one. */
HARNESS_WG static void device_answers(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                                      unsigned long z)
{
    struct shared *s = HARNESS_ARG(struct shared, args, 0);

    (void)ctx, (void)x, (void)y, (void)z;
    for (uint32_t t = 0; t < s->turns; t++) {
        uint32_t want = 2 * t + 1;

        while (!__atomic_compare_exchange_n(&s->turn, &want, want + 1, 0, __ATOMIC_SEQ_CST,
                                            __ATOMIC_SEQ_CST)) {
            __builtin_ia32_pause();
            want = 2 * t + 1;
        }
    }
}

int main(void)
{
    pthread_t thread[THREADS];
    struct hmmsvm_completion c;
    struct harness h;
    uint64_t sum = 0;
    void *slot;

    harness_open(&h, 2);
    shared = harness_map(sizeof(*shared));
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&thread[i], NULL, host_adds, (void *)i));
    harness_run_ok(&h, device_adds, shared, GROUPS);
    for (int i = 0; i < THREADS; i++)
        CHECK(!pthread_join(thread[i], NULL));
    for (int i = 0; i < WORDS; i++)
        sum += shared->word[i];
    CHECK_EQ(sum, (uint64_t)(GROUPS + THREADS) * ROUNDS);
    CHECK_GT(harness_delta(&h).pages_mirrored, 0);

    shared->turns = 2000;
    harness_submit(&h, device_answers, &slot, shared, 1);
    for (uint32_t t = 0; t < shared->turns; t++) {
        harness_set(&shared->turn, 2 * t + 1);
        while (harness_get(&shared->turn) != 2 * t + 2)
            __builtin_ia32_pause();
    }
    c = harness_wait(&h);
    CHECK_STATUS(&c, HMMSVM_OK);
    harness_close(&h);
    return 0;
}
