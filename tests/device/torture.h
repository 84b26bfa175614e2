/* SPDX-License-Identifier: MIT */
/*
 * torture.h - CPU and device write interleaved words of the same pages while everything else happens to
 * them
 *
 * Each word has one writer, a device work-group or a host thread; it counts up, and before each write
 * checks that the word holds what it wrote the last time. Meanwhile policies change every 100 ms,
 * children are forked, ranges are requested to go either way, protection and advice to the kernel change,
 * mappings move.
 *
 * Locking: none. torture_open() makes what they work on; the threads start with torture_begin() and end with
 * torture_end().
 */
#ifndef HMMSVM_TEST_TORTURE_H
#define HMMSVM_TEST_TORTURE_H

#include <pthread.h>

#include "devmem.h"

#define BLOCKS 12ul /* with device memory of 16 MiB more than fits */
#define PAGES (BLOCKS * DEVMEM_BLOCK_PAGES)
#define GROUPS 2u
#define HOSTS 2u
#define WRITERS (GROUPS + HOSTS)

#ifndef MADV_PAGEOUT
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif

struct error {
    uint32_t set;
    uint32_t writer;
    uint64_t page, found, wanted;
};

struct work {
    uint64_t *memory;
    uint32_t stop;
    uint32_t pages;
    /* Of each writer: what it wrote to its word of each page. In memory of its own. */
    uint32_t *written[WRITERS];
    uint64_t writes[WRITERS];
    /* Of each device writer: that it runs, and the page that it is about to write to. */
    uint32_t runs[GROUPS];
    uint64_t at[GROUPS];
    struct error error;
};

static struct work *w;
static struct harness h;
static unsigned forks, policies, there, back, protects, advices;

static inline uint64_t word(uint64_t writer, uint64_t page, uint64_t n)
{
    return (n << 32 | page << 4 | writer) * (n != 0);
}

/* One write, of the page that @seed says; false if the word is not what it has to be. */
static inline int step(struct work *k, uint64_t writer, uint64_t *seed)
{
    uint64_t page, is, was, *at;

    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    /* Mostly near the last one, as programs do. */
    page = (*seed >> 60) ? ((*seed >> 40) % 64 + (k->writes[writer] >> 8) * 16) % k->pages
                         : (*seed >> 33) % k->pages;
    /* Words of different writers lie next to each other. */
    at = &k->memory[page * 512 + (page * 4 % 508) + writer];
    was = word(writer, page, k->written[writer][page]);
    is = *(volatile uint64_t *)at;
    if (is != was) {
        if (!__atomic_exchange_n(&k->error.set, 1, __ATOMIC_SEQ_CST)) {
            k->error.writer = (uint32_t)writer;
            k->error.page = page;
            k->error.found = is;
            k->error.wanted = was;
        }
        return 0;
    }
    if (writer < GROUPS)
        k->at[writer] = page;
    k->written[writer][page]++;
    *(volatile uint64_t *)at = word(writer, page, k->written[writer][page]);
    k->writes[writer]++;
    return 1;
}

HARNESS_WG static void device_writes(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                                     unsigned long z)
{
    struct work *k = HARNESS_ARG(struct work, args, 0);
    uint64_t seed = x + 1;

    (void)ctx, (void)y, (void)z;
    harness_set(&k->runs[x], 1);
    while (!harness_get(&k->stop))
        if (!step(k, x, &seed))
            break;
}

static void *host_writes(void *arg)
{
    uint64_t writer = (uintptr_t)arg, seed = writer + 1;

    while (!harness_get(&w->stop)) {
        for (unsigned i = 0; i < 200; i++)
            if (!step(w, writer, &seed))
                return NULL;
        usleep(500);
    }
    return NULL;
}

static void *policies_thread(void *arg)
{
    static const char *const placement[] = {"touch", "tree", "hot", "thrash", "adaptive", "remote"};
    static const char *const eviction[] = {"lru", "fifo", "clock", "lfu"};

    (void)arg;
    while (!harness_get(&w->stop)) {
        CHECK_OK(hmmsvm_device_policy(h.dev, placement[policies % 6], eviction[policies / 6 % 4]));
        policies++;
        usleep(100000);
    }
    return NULL;
}

static void *forks_thread(void *arg)
{
    (void)arg;
    while (!harness_get(&w->stop)) {
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (!pid) {
            for (unsigned i = forks % 7; i < PAGES; i += 61)
                w->memory[i * 512 + 511] = w->memory[i * 512];
            _exit(0);
        }
        CHECK(waitpid(pid, NULL, 0) == pid);
        forks++;
        usleep(150000);
    }
    return NULL;
}

static void *moves_thread(void *arg)
{
    uint64_t seed = 99;

    (void)arg;
    while (!harness_get(&w->stop)) {
        size_t first, count;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        first = (seed >> 33) % PAGES;
        count = 1 + (seed >> 20) % (seed >> 63 ? 16 : 1024);
        if (count > PAGES - first)
            count = PAGES - first;
        if (seed >> 62 & 1)
            there += (unsigned)devmem_move(&h, w->memory + first * 512, count * HARNESS_PAGE, DEVMEM_TO_DEVICE);
        else
            back += (unsigned)devmem_move(&h, w->memory + first * 512, count * HARNESS_PAGE, DEVMEM_TO_SYSTEM);
        usleep(3000);
    }
    return NULL;
}

/* What a program does to its mappings, none of which changes the content. */
static void *mappings_thread(void *arg)
{
    uint64_t seed = 5;

    (void)arg;
    while (!harness_get(&w->stop)) {
        static const int advice[] = {MADV_COLD, MADV_PAGEOUT, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
                                     MADV_WILLNEED};
        size_t first, count;
        void *at;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        first = (seed >> 33) % PAGES;
        count = 1 + (seed >> 20) % 300;
        if (count > PAGES - first)
            count = PAGES - first;
        at = w->memory + first * 512;
        if (seed >> 63) {
            /* Still writable: everybody goes on writing. The entries change all the same. */
            CHECK(!mprotect(at, count * HARNESS_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
            CHECK(!mprotect(at, count * HARNESS_PAGE, PROT_READ | PROT_WRITE));
            protects++;
        } else {
            advices += !madvise(at, count * HARNESS_PAGE, advice[(seed >> 40) % 5]);
        }
        usleep(4000);
    }
    return NULL;
}

static pthread_t torture_threads[HOSTS + 4];

/* Opens the device, with workers for the caller's own launches too, and maps the memory. */
static inline void torture_open(unsigned more_workers)
{
    devmem_any_kind = true;
    devmem_open(&h, GROUPS + more_workers, "remote");
    w = harness_map(sizeof(*w));
    w->pages = PAGES;
    w->memory = memory_blocks(BLOCKS);
    CHECK(!madvise(w->memory, BLOCKS * DEVMEM_BLOCK / 2, MADV_HUGEPAGE));
    for (unsigned i = 0; i < WRITERS; i++) {
        w->written[i] = mmap(NULL, PAGES * 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        CHECK(w->written[i] != MAP_FAILED);
    }
}

/* Starts the host's threads; device_writes() is the caller's. */
static inline void torture_begin(void)
{
    static void *(*const others[])(void *) = {policies_thread, forks_thread, moves_thread,
                                              mappings_thread};

    for (uintptr_t i = 0; i < HOSTS; i++)
        CHECK(!pthread_create(&torture_threads[i], NULL, host_writes, (void *)(GROUPS + i)));
    for (unsigned i = 0; i < 4; i++)
        CHECK(!pthread_create(&torture_threads[HOSTS + i], NULL, others[i], NULL));
}

/* Nothing was found wrong so far. */
static inline void torture_check(void)
{
    if (w->error.set)
        FAIL("writer %u (%s), page %llu: found 0x%llx, wanted 0x%llx", w->error.writer,
             w->error.writer < GROUPS ? "device" : "host", (unsigned long long)w->error.page,
             (unsigned long long)w->error.found, (unsigned long long)w->error.wanted);
}

/* Ends the threads, the device's writers having ended, and looks at every word. */
static inline void torture_end(uint64_t *device, uint64_t *host)
{
    harness_set(&w->stop, 1);
    for (unsigned i = 0; i < HOSTS + 4; i++)
        CHECK(!pthread_join(torture_threads[i], NULL));
    torture_check();
    *device = *host = 0;
    for (unsigned i = 0; i < WRITERS; i++) {
        *(i < GROUPS ? device : host) += w->writes[i];
        for (uint64_t page = 0; page < PAGES; page++)
            CHECK_EQ(w->memory[page * 512 + page * 4 % 508 + i], word(i, page, w->written[i][page]));
    }
}

#endif /* HMMSVM_TEST_TORTURE_H */
