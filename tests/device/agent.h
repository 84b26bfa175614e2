/* SPDX-License-Identifier: MIT */
/*
 * agent.h - a work-group that stays and does what the test tells it
 *
 * The agent runs in the engine for as long as the test likes, so that what the
 * test does to its own address space happens while a kernel runs. Each order
 * names an address; the agent touches it and answers. Orders go through a
 * shared anonymous page: fork() does not write-protect that, so that it raises
 * no faults of its own once the agent has begun. Together with a fault-around
 * of one page, every other fault that the module counts is the order's.
 *
 * Locking: none, one thread gives the orders.
 */
#ifndef HMMSVM_TEST_AGENT_H
#define HMMSVM_TEST_AGENT_H

#include "harness.h"

enum agent_op { AGENT_STOP, AGENT_READ, AGENT_WRITE, AGENT_ADD, AGENT_SUM, AGENT_FILL };

struct agent_mail {
    uint32_t asked, answered; /* sequence numbers */
    enum agent_op op;
    volatile uint64_t *at;
    uint64_t count;  /* SUM, FILL: words */
    uint64_t stride; /* SUM, FILL: words from one to the next */
    uint64_t value;  /* in: what to write or add; out: what was read */
};

struct agent {
    struct harness *h;
    struct agent_mail *mail;
    void **slot;
};

HARNESS_WG static void agent_work(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                                  unsigned long z)
{
    struct agent_mail *m = HARNESS_ARG(struct agent_mail, args, 0);
    uint32_t seen = harness_get(&m->answered);
    uint64_t i, sum;

    (void)ctx, (void)x, (void)y, (void)z;
    for (;;) {
        while (harness_get(&m->asked) == seen)
            __builtin_ia32_pause();
        seen++;
        /* If-chains: a jump table would be one more page to fault on. */
        if (m->op == AGENT_STOP)
            break;
        if (m->op == AGENT_READ) {
            m->value = *m->at;
        } else if (m->op == AGENT_WRITE) {
            *m->at = m->value;
        } else if (m->op == AGENT_ADD) {
            m->value = __atomic_fetch_add(m->at, m->value, __ATOMIC_SEQ_CST);
        } else if (m->op == AGENT_SUM) {
            for (i = 0, sum = 0; i < m->count; i++)
                sum += m->at[i * m->stride];
            m->value = sum;
        } else {
            for (i = 0; i < m->count; i++)
                m->at[i * m->stride] = m->value + i;
        }
        harness_set(&m->answered, seen);
    }
    harness_set(&m->answered, seen);
}

/* Gives an order without waiting for the answer. */
static inline void agent_ask(struct agent *a, enum agent_op op, volatile void *at, uint64_t value,
                             uint64_t count, uint64_t stride)
{
    struct agent_mail *m = a->mail;

    m->op = op;
    m->at = at;
    m->value = value;
    m->count = count;
    m->stride = stride;
    harness_set(&m->asked, m->asked + 1);
}

static inline uint64_t agent_order(struct agent *a, enum agent_op op, volatile void *at,
                                   uint64_t value, uint64_t count, uint64_t stride)
{
    agent_ask(a, op, at, value, count, stride);
    harness_until(&a->mail->answered, a->mail->asked);
    return a->mail->value;
}

static inline uint64_t agent_read(struct agent *a, volatile void *at)
{
    return agent_order(a, AGENT_READ, at, 0, 0, 0);
}

static inline void agent_write(struct agent *a, volatile void *at, uint64_t value)
{
    agent_order(a, AGENT_WRITE, at, value, 0, 0);
}

static inline uint64_t agent_add(struct agent *a, volatile void *at, uint64_t value)
{
    return agent_order(a, AGENT_ADD, at, value, 0, 0);
}

/* The first word of each of @pages pages from @at on: their sum. */
static inline uint64_t agent_sum_pages(struct agent *a, volatile void *at, uint64_t pages)
{
    return agent_order(a, AGENT_SUM, at, 0, pages, HARNESS_PAGE / 8);
}

/* The same, set to @value, @value + 1, ... */
static inline void agent_fill_pages(struct agent *a, volatile void *at, uint64_t value,
                                    uint64_t pages)
{
    agent_order(a, AGENT_FILL, at, value, pages, HARNESS_PAGE / 8);
}

/* Begins with @h open; every order has been given once, all its pages are in. */
static inline void agent_begin(struct agent *a, struct harness *h)
{
    uint64_t *word;

    a->h = h;
    a->mail = mmap(NULL, 2 * HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                   0);
    CHECK(a->mail != MAP_FAILED);
    memset(a->mail, 0, HARNESS_PAGE);
    a->slot = (void **)((char *)a->mail + HARNESS_PAGE / 2);
    word = (uint64_t *)((char *)a->mail + HARNESS_PAGE);
    harness_submit(h, agent_work, a->slot, a->mail, 1);

    *word = 41;
    CHECK_EQ(agent_read(a, word), 41);
    CHECK_EQ(agent_add(a, word, 1), 41);
    CHECK_EQ(agent_sum_pages(a, word, 1), 42);
    agent_fill_pages(a, word, 7, 1);
    CHECK_EQ(*word, 7);
    agent_write(a, word, 8);
    CHECK_EQ(*word, 8);
    harness_mark(h);
}

/* Ends the agent, which must have done all it was told. */
static inline void agent_end(struct agent *a)
{
    struct hmmsvm_completion c;

    agent_order(a, AGENT_STOP, NULL, 0, 0, 0);
    c = harness_wait(a->h);
    CHECK_STATUS(&c, HMMSVM_OK);
    munmap(a->mail, 2 * HARNESS_PAGE);
}

/*
 * Gives an order that the agent must die of: a touch of @at, which the engine
 * may not make. Checks status, address and access, and the count of failed
 * faults. The agent is gone then; agent_begin() makes a new one.
 */
static inline void agent_dies(struct agent *a, enum agent_op op, volatile void *at)
{
    struct hmmsvm_completion c;

    harness_mark(a->h);
    agent_ask(a, op, at, 0, 0, 0);
    c = harness_wait(a->h);
    CHECK_STATUS(&c, HMMSVM_BAD_ADDRESS);
    CHECK_EQ(c.address, (uintptr_t)at);
    CHECK_EQ(c.access, op == AGENT_READ ? HMMSVM_READ : HMMSVM_WRITE);
    CHECK_EQ(c.groups_run, 0);
    /* Nothing is mirrored in the lowest 64 KiB, so that no fault gets to the module. */
    CHECK_EQ(harness_delta(a->h).failed_faults, (uintptr_t)at >= 0x10000);
    munmap(a->mail, 2 * HARNESS_PAGE);
}

/* Opens the device so that each page faults by itself, and begins an agent. */
static inline void agent_open(struct agent *a, struct harness *h)
{
    harness_open_params(h, (struct hmmsvm_open_params){.workers = 1, .fault_around = 1});
    agent_begin(a, h);
}

/*
 * What the orders since harness_mark() must have cost: @faults device faults,
 * each of which mirrored or upgraded one page. Counts from here again.
 */
#define AGENT_FAULTS(h, faults)                                                                    \
    do {                                                                                           \
        struct hmmsvm_stats agent_d_ = harness_delta(h);                                           \
                                                                                                   \
        CHECK_EQ(agent_d_.device_faults, faults);                                                  \
        CHECK_EQ(agent_d_.pages_mirrored + agent_d_.pages_upgraded, faults);                       \
        CHECK_EQ(agent_d_.failed_faults, 0);                                                       \
        harness_mark(h);                                                                           \
    } while (0)

#endif /* HMMSVM_TEST_AGENT_H */
