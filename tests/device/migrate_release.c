/* SPDX-License-Identifier: MIT */
/*
 * migrate_release.c - however the memory or its owner goes, its device pages are free
 * again; and if only the context goes, the content comes back
 */
#include <signal.h>

#include "devmem.h"

#define PAGES DEVMEM_BLOCK_PAGES

enum way { EXIT, KILLED, EXEC, WAYS };

/* An application that ends with pages in device memory, before its engine does. */
static void app(enum way way, bool huge)
{
    struct harness h;
    uint64_t *p;

    devmem_open(&h, 1, "remote");
    p = memory_blocks(1);
    CHECK(!madvise(p, DEVMEM_BLOCK, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
    devmem_fill(p, PAGES, 1);
    CHECK_EQ(devmem_move(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE), PAGES);
    devmem_used_is(0, PAGES);
    if (way == EXIT)
        _exit(0);
    if (way == KILLED)
        raise(SIGKILL);
    execl("/bin/true", "true", NULL);
    FAIL("exec: %s", strerror(errno));
}

int main(void)
{
    struct hmmsvm_stats s;
    struct harness h;
    uint64_t *p;
    int status;

    devmem_needed();
    devmem_used_is(0, 0);
    for (int i = 0; i < 2 * WAYS; i++) {
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (!pid)
            app(i % WAYS, i / WAYS);
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK_EQ(status, i % WAYS == KILLED ? SIGKILL : 0);
        devmem_used_is(0, 0);
    }

    /* Unmapped: gone at once, and nothing was copied. */
    devmem_open(&h, 1, "remote");
    for (int huge = 0; huge < 2; huge++) {
        p = memory_blocks(1);
        CHECK(!madvise(p, DEVMEM_BLOCK, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
        devmem_fill(p, PAGES, 1);
        CHECK_EQ(devmem_move(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE), PAGES);
        harness_mark(&h);
        CHECK(!munmap(p, DEVMEM_BLOCK));
        s = harness_delta(&h);
        CHECK_EQ(s.device_pages, 0);
        CHECK_EQ(s.pages_to_system, 0);
        devmem_used_is(0, 0);

        /* Closed: all of it is back, without a CPU fault, and as it was. */
        p = memory_blocks(1);
        CHECK(!madvise(p, DEVMEM_BLOCK, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
        devmem_fill(p, PAGES, 1000);
        CHECK_EQ(devmem_move(&h, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE), PAGES);
        CHECK_EQ(memory_present(p), 0);
        harness_close(&h);
        devmem_used_is(0, 0);
        for (unsigned i = 0; i < PAGES; i++)
            CHECK(memory_present(p + i * 512));
        devmem_check(p, PAGES, 1000);
        devmem_open(&h, 1, "remote");
    }
    harness_close(&h);
    return 0;
}
