/* SPDX-License-Identifier: MIT */
/* mprotect.c - rights taken and given while a kernel runs hold for it too */
#include "agent.h"

int main(void)
{
    struct harness h;
    struct agent a;
    uint64_t *p;

    agent_open(&a, &h);
    p = harness_map(4 * HARNESS_PAGE);
    agent_fill_pages(&a, p, 10, 4);
    AGENT_FAULTS(&h, 4);

    /* Read-only: it still reads, after one fault, and cannot write. */
    CHECK(!mprotect(p + 512, HARNESS_PAGE, PROT_READ));
    CHECK_EQ(harness_delta(&h).invalidations_zapped, 1);
    CHECK_EQ(agent_read(&a, p + 512), 11);
    AGENT_FAULTS(&h, 1);
    agent_dies(&a, AGENT_WRITE, p + 512);
    CHECK_EQ(p[512], 11);

    /* Writable again. */
    CHECK(!mprotect(p + 512, HARNESS_PAGE, PROT_READ | PROT_WRITE));
    agent_begin(&a, &h);
    agent_write(&a, p + 512, 12);
    CHECK_EQ(p[512], 12);
    AGENT_FAULTS(&h, 1);

    /* No access at all. */
    CHECK(!mprotect(p + 512, HARNESS_PAGE, PROT_NONE));
    agent_dies(&a, AGENT_READ, p + 512);
    CHECK(!mprotect(p + 512, HARNESS_PAGE, PROT_READ));
    agent_begin(&a, &h);
    CHECK_EQ(agent_read(&a, p + 512), 12);
    AGENT_FAULTS(&h, 1);

    agent_end(&a);
    harness_close(&h);
    return 0;
}
