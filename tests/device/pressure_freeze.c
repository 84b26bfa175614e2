/* SPDX-License-Identifier: MIT */
/*
 * pressure_freeze.c - application and engine are frozen with their control group in the middle of device
 * faults and migrations, and go on when they are thawed
 */
#include <pthread.h>
#include <signal.h>

#include "cgroup.h"
#include "devmem.h"

#define PAGES  256u
#define ROUNDS 5

/* Shared by who freezes and who is frozen. */
struct shared {
    uint32_t begun, stop;
    uint64_t added;
    uint64_t moved;
};

struct work {
    uint64_t *memory;
    struct shared *shared;
};

struct mover {
    struct harness *h;
    struct work *w;
};

HARNESS_WG static void adds(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                            unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);
    struct shared *s = w->shared;

    (void)ctx, (void)x, (void)y, (void)z;
    while (!harness_get(&s->stop)) {
        w->memory[s->added % PAGES * 512]++;
        __atomic_store_n(&s->added, s->added + 1, __ATOMIC_RELAXED);
    }
}

static void *moves(void *arg)
{
    struct mover *m = arg;
    struct shared *s = m->w->shared;

    while (!harness_get(&s->stop)) {
        s->moved += devmem_move(m->h, m->w->memory, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE);
        devmem_move(m->h, m->w->memory, PAGES * HARNESS_PAGE, DEVMEM_TO_SYSTEM);
    }
    return NULL;
}

static void application(struct shared *shared)
{
    struct hmmsvm_completion c;
    struct work *w = harness_map(sizeof(*w));
    struct mover m = {.w = w};
    uint64_t sum = 0;
    struct harness h;
    pthread_t thread;
    void *slot;

    cgroup_join();
    devmem_open(&h, 1, "remote");
    m.h = &h;
    w->shared = shared;
    w->memory = devmem_small(1);
    memset(w->memory, 0, PAGES * HARNESS_PAGE);
    harness_submit(&h, adds, &slot, w, 1);
    CHECK(!pthread_create(&thread, NULL, moves, &m));
    harness_set(&shared->begun, 1);
    c = harness_wait(&h);
    CHECK_STATUS(&c, HMMSVM_OK);
    CHECK(!pthread_join(thread, NULL));
    for (unsigned i = 0; i < PAGES; i++)
        sum += w->memory[i * 512];
    CHECK_EQ(sum, shared->added);
    harness_close(&h);
    _exit(0);
}

int main(void)
{
    struct shared *s = mmap(NULL, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                            -1, 0);
    pid_t app;

    devmem_needed();
    CHECK(s != MAP_FAILED);
    cgroup_make();
    app = fork();
    CHECK(app >= 0);
    if (!app)
        application(s);
    harness_until(&s->begun, 1);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t before;

        usleep(100000);
        CHECK(cgroup_freeze(1));
        before = __atomic_load_n(&s->added, __ATOMIC_RELAXED);
        usleep(100000);
        CHECK_EQ(__atomic_load_n(&s->added, __ATOMIC_RELAXED), before);
        CHECK(cgroup_freeze(0));
        for (int k = 0; k < 6000 && __atomic_load_n(&s->added, __ATOMIC_RELAXED) == before; k++)
            usleep(10000);
        CHECK_GT(__atomic_load_n(&s->added, __ATOMIC_RELAXED), before);
    }
    CHECK_GE(s->moved, 1);
    harness_set(&s->stop, 1);
    devmem_child_ok(app);

    /* And one that is killed while it is frozen ends. */
    memset(s, 0, sizeof(*s));
    app = fork();
    CHECK(app >= 0);
    if (!app)
        application(s);
    harness_until(&s->begun, 1);
    CHECK(cgroup_freeze(1));
    CHECK(!kill(app, SIGKILL));
    CHECK(waitpid(app, NULL, 0) == app);
    CHECK(cgroup_freeze(0)); /* the engine is not told while it does not run */
    cgroup_remove();
    devmem_used_is(0, 0);
    return 0;
}
