/* SPDX-License-Identifier: MIT */
/* userfaultfd.c - a device fault in memory that a user-space pager serves waits for the pager */
#include <pthread.h>

#include "agent.h"
#include "pager.h"

#define PAGES 8

static uint32_t served;
static struct pager pager = {.pages = PAGES, .served = &served, .delay_us = 20000};

static void *serves(void *arg)
{
    (void)arg;
    for (;;)
        pager_serve(&pager);
    return NULL;
}

int main(void)
{
    struct harness h;
    struct agent a;
    pthread_t thread;
    uint64_t *p;

    pager.fd = pager_open();
    if (pager.fd < 0)
        SKIP("userfaultfd: %s", strerror(errno));
    agent_open(&a, &h);
    p = harness_map(PAGES * HARNESS_PAGE);
    pager.memory = p;
    pager_register(&pager);
    CHECK(!pthread_create(&thread, NULL, serves, NULL));

    CHECK_EQ(agent_sum_pages(&a, p, PAGES / 2), PAGES / 2 * 100 + PAGES / 2 * (PAGES / 2 - 1) / 2);
    CHECK_EQ(__atomic_load_n(&served, __ATOMIC_SEQ_CST), PAGES / 2);
    CHECK_EQ(harness_delta(&h).app_faults, PAGES / 2);
    AGENT_FAULTS(&h, PAGES / 2);

    /* A write is served as well, and what it wrote stays. */
    agent_write(&a, p + 6 * 512 + 1, 7);
    CHECK_EQ(p[6 * 512], 106);
    CHECK_EQ(p[6 * 512 + 1], 7);
    AGENT_FAULTS(&h, 1);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
