/* SPDX-License-Identifier: MIT */
/*
 * threads.c - a kernel sees, while it runs, what other threads of the
 * application write meanwhile, in the order they write it
 *
 * Each writer bumps its counter and then a copy of it, and the work-group
 * checks that the copy is never ahead.
 */
#include <pthread.h>

#include "harness.h"

#define WRITERS 2

struct shared {
    struct {
        volatile uint64_t first, second;
        uint64_t pad[510];
    } pair[WRITERS];
    uint32_t stop;
    uint64_t looked, changes, wrong;
};

static struct shared *shared;

HARNESS_WG static void look(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                            unsigned long z)
{
    struct shared *s = HARNESS_ARG(struct shared, args, 0);
    uint64_t looked = 0, changes = 0, wrong = 0, last[WRITERS] = {0};

    (void)ctx, (void)x, (void)y, (void)z;
    while (!harness_get(&s->stop)) {
        for (int i = 0; i < WRITERS; i++) {
            uint64_t second = s->pair[i].second, first;

            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            first = s->pair[i].first;
            wrong += second > first;
            wrong += second < last[i];
            changes += second != last[i];
            last[i] = second;
        }
        looked++;
    }
    s->looked = looked;
    s->changes = changes;
    s->wrong = wrong;
}

static void *write_pair(void *arg)
{
    uintptr_t i = (uintptr_t)arg;

    for (uint64_t n = 1; !harness_get(&shared->stop); n++) {
        shared->pair[i].first = n;
        __atomic_thread_fence(__ATOMIC_RELEASE);
        shared->pair[i].second = n;
        if (n % 1024 == 0)
            usleep(100);
    }
    return NULL;
}

int main(void)
{
    pthread_t thread[WRITERS];
    struct hmmsvm_completion c;
    struct harness h;
    void *slot;

    harness_open(&h, 1);
    shared = harness_map(sizeof(*shared));
    for (uintptr_t i = 0; i < WRITERS; i++)
        CHECK(!pthread_create(&thread[i], NULL, write_pair, (void *)i));
    harness_submit(&h, look, &slot, shared, 1);
    usleep(300000);
    harness_set(&shared->stop, 1);
    c = harness_wait(&h);
    CHECK_STATUS(&c, HMMSVM_OK);
    for (int i = 0; i < WRITERS; i++)
        CHECK(!pthread_join(thread[i], NULL));

    CHECK_GT(shared->looked, 0);
    CHECK_GT(shared->changes, 2);
    CHECK_EQ(shared->wrong, 0);
    CHECK_GE(harness_delta(&h).pages_mirrored, WRITERS);
    harness_close(&h);
    return 0;
}
