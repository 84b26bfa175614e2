/* SPDX-License-Identifier: MIT */
/*
 * ring_scribble.c - whoever writes over the ring, the work-groups or the application, gets an end for
 * each launch, and then a device that works
 *
 * The ring is shared memory of the application, thus the device sees it where it is.
 */
#include "harness.h"

#define GROUPS   4
#define LAUNCHES 8
#define ROUNDS   2

struct work {
    uint32_t *ring;
    uint64_t words, seed, ran;
};

/* The same for both sides. */
static inline void scribble(uint32_t *ring, uint64_t words, uint64_t seed, unsigned count)
{
    while (count--) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        ring[(seed >> 33) % words] = seed & 64 ? (uint32_t)(seed >> 16) : (uint32_t)(seed >> 8) % 300;
    }
}

HARNESS_WG static void device_scribbles(uint8_t *args, uint8_t *ctx, unsigned long x,
                                        unsigned long y, unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);

    (void)ctx, (void)y, (void)z;
    scribble(w->ring, w->words, w->seed + x, 100000);
}

HARNESS_WG static void counts(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                              unsigned long z)
{
    (void)ctx, (void)x, (void)y, (void)z;
    __atomic_fetch_add(&HARNESS_ARG(struct work, args, 0)->ran, 1, __ATOMIC_RELAXED);
}

/* Where this process has the ring. */
static void find_ring(struct work *w)
{
    FILE *f = fopen("/proc/self/maps", "re");
    unsigned long start, end;
    char line[512];

    CHECK(f);
    w->ring = NULL;
    while (fgets(line, sizeof(line), f))
        if (strstr(line, "memfd:hmmsvm-ring") && sscanf(line, "%lx-%lx", &start, &end) == 2) {
            w->ring = (uint32_t *)start;
            w->words = (end - start) / sizeof(*w->ring);
        }
    fclose(f);
    CHECK(w->ring);
}

/* Each launch has to end, as one of those there were; then there is a device as before. */
static void all_end(struct harness *h, struct work *w, unsigned launches)
{
    uint64_t ran;

    while (launches--) {
        struct hmmsvm_completion c = harness_wait(h);

        CHECK(c.user == w);
        CHECK_LE(c.status, HMMSVM_HUNG);
        CHECK_LE(c.groups_run, GROUPS);
    }
    ran = __atomic_load_n(&w->ran, __ATOMIC_RELAXED);
    for (int tries = 0; tries < 3; tries++) {
        struct hmmsvm_completion c = harness_run(h, counts, w, GROUPS);

        if (c.status == HMMSVM_OK && c.groups_run == GROUPS) {
            CHECK_EQ(w->ran - ran, GROUPS);
            return;
        }
        /* What was scribbled last came out only now. */
        ran = __atomic_load_n(&w->ran, __ATOMIC_RELAXED);
    }
    FAIL("no launch gets to its end any more");
}

int main(void)
{
    void *slots[LAUNCHES];
    struct harness h;
    struct work *w;

    harness_open(&h, 2);
    w = harness_map(sizeof(*w));
    find_ring(w);
    for (unsigned round = 0; round < ROUNDS; round++) {
        w->seed = round * 1000;
        if (round % 2) {
            for (unsigned i = 0; i < LAUNCHES; i++)
                harness_submit(&h, counts, &slots[i], w, GROUPS);
            scribble(w->ring, w->words, w->seed, 100000);
            all_end(&h, w, LAUNCHES);
        } else {
            harness_submit(&h, device_scribbles, &slots[0], w, GROUPS);
            all_end(&h, w, 1);
        }
    }
    hmmsvm_device_info(h.dev, &h.info);
    printf("%u engines had to go in %u rounds\n", h.info.resets, ROUNDS);
    CHECK_GE(h.info.resets, 1);
    harness_close(&h);
    return 0;
}
