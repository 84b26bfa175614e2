/* SPDX-License-Identifier: MIT */
/*
 * memcg_faults.c - what the module keeps for device faults that wait, as for a pager of user space, is
 * charged to the engine's memory cgroup
 */
#include "cgroup.h"
#include "devmem.h"
#include "pager.h"

#define WORKERS 16u
#define EACH    4096ul /* bytes of a fault's snapshot */

struct work {
    uint64_t *p;
    uint32_t next, there;
};

/* Each group has a page of its own. */
HARNESS_WG static void touch(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                             unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);

    (void)ctx, (void)x, (void)y, (void)z;
    if (w->p[__atomic_fetch_add(&w->next, 1, __ATOMIC_SEQ_CST) * 512] >= PAGER_WORD)
        __atomic_fetch_add(&w->there, 1, __ATOMIC_SEQ_CST);
}

static void app(struct pager *pager)
{
    struct work *w = harness_map(HARNESS_PAGE);
    struct hmmsvm_completion c;
    unsigned long before;
    struct harness h;
    void *slot;

    cgroup_join();
    harness_open(&h, WORKERS);
    w->p = harness_map(WORKERS * HARNESS_PAGE);
    /* Threads, page tables and the range are there after a first time. */
    for (unsigned i = 0; i < WORKERS; i++)
        w->p[i * 512] = PAGER_WORD;
    harness_run_ok(&h, touch, w, WORKERS);
    CHECK_EQ(w->there, WORKERS);
    CHECK(!madvise(w->p, WORKERS * HARNESS_PAGE, MADV_DONTNEED));
    pager->memory = w->p;
    pager->pages = WORKERS;
    pager_register(pager);
    /* Counters are told within two seconds. */
    sleep(3);
    before = cgroup_stat("slab_unreclaimable");

    w->next = 0;
    harness_submit(&h, touch, &slot, w, WORKERS);
    cgroup_stat_reaches("slab_unreclaimable", before + WORKERS * EACH - CGROUP_STAT_SLACK);
    CHECK_EQ(__atomic_load_n(&w->there, __ATOMIC_SEQ_CST), WORKERS);
    for (unsigned i = 0; i < WORKERS; i++)
        CHECK(pager_serve(pager));
    c = harness_wait(&h);
    CHECK_STATUS(&c, HMMSVM_OK);
    CHECK_EQ(w->there, 2 * WORKERS);
    harness_close(&h);
    _exit(0);
}

int main(void)
{
    static uint32_t served;
    struct pager pager = {.served = &served};
    pid_t pid;

    cgroup_make();
    pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        pager.fd = pager_open();
        if (pager.fd < 0)
            SKIP("userfaultfd: %s", strerror(errno));
        app(&pager);
    }
    devmem_child_ok(pid);
    cgroup_remove();
    return 0;
}
