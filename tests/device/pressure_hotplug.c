/* SPDX-License-Identifier: MIT */
/*
 * pressure_hotplug.c - CPUs come and go while work-groups add to pages that move, and no update is lost
 */
#include <pthread.h>

#include "devmem.h"

#define PAGES    256u
#define GROUPS   2
#define TOGGLES  6
#define CPU      "/sys/devices/system/cpu/cpu1/online"

struct work {
    uint64_t *memory;
    uint32_t stop;
    uint64_t added[GROUPS];
};

struct mover {
    struct harness *h;
    uint64_t *memory;
    uint32_t stop;
    uint64_t there, back;
};

HARNESS_WG static void adds(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                            unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);

    (void)ctx, (void)y, (void)z;
    while (!harness_get(&w->stop)) {
        __atomic_fetch_add(&w->memory[w->added[x] % PAGES * 512], 1, __ATOMIC_RELAXED);
        __atomic_store_n(&w->added[x], w->added[x] + 1, __ATOMIC_RELAXED);
    }
}

static void *moves(void *arg)
{
    struct mover *m = arg;

    while (!harness_get(&m->stop)) {
        m->there += devmem_move(m->h, m->memory, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE);
        m->back += devmem_move(m->h, m->memory, PAGES * HARNESS_PAGE, DEVMEM_TO_SYSTEM);
    }
    return NULL;
}

int main(void)
{
    struct hmmsvm_completion c;
    struct mover m = {0};
    uint64_t sum = 0, added = 0;
    pthread_t thread;
    struct harness h;
    struct work *w;
    void *slot;

    devmem_open(&h, GROUPS, "remote");
    if (memory_get(CPU) != 1 || memory_put(CPU, "1"))
        SKIP("there is no second CPU that can be taken away (" CPU ")");
    w = harness_map(sizeof(*w));
    w->memory = devmem_small(1);
    m.h = &h;
    m.memory = w->memory;
    devmem_fill(w->memory, PAGES, 0);
    memset(w->memory, 0, PAGES * HARNESS_PAGE);
    harness_submit(&h, adds, &slot, w, GROUPS);
    CHECK(!pthread_create(&thread, NULL, moves, &m));

    for (unsigned i = 0; i < TOGGLES; i++) {
        uint64_t before = __atomic_load_n(&w->added[0], __ATOMIC_RELAXED);

        CHECK(!memory_put(CPU, i % 2 ? "1" : "0"));
        CHECK_EQ(memory_get(CPU), i % 2);
        /* It goes on, with whatever CPUs there are. */
        for (int k = 0; k < 6000 && __atomic_load_n(&w->added[0], __ATOMIC_RELAXED) == before; k++)
            usleep(10000);
        CHECK_GT(__atomic_load_n(&w->added[0], __ATOMIC_RELAXED), before);
        usleep(200000);
    }
    harness_set(&m.stop, 1);
    CHECK(!pthread_join(thread, NULL));
    harness_set(&w->stop, 1);
    c = harness_wait(&h);
    CHECK_STATUS(&c, HMMSVM_OK);
    for (unsigned i = 0; i < GROUPS; i++)
        added += w->added[i];
    for (unsigned i = 0; i < PAGES; i++)
        sum += w->memory[i * 512];
    CHECK_EQ(sum, added);
    CHECK_GE(m.there, 1);
    CHECK_GE(m.back, 1);
    CHECK_EQ(harness_delta(&h).failed_faults, 0);
    printf("%llu updates, %llu pages moved to the device\n", (unsigned long long)added,
           (unsigned long long)m.there);
    harness_close(&h);
    devmem_used_is(0, 0);
    return 0;
}
