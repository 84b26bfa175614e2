/* SPDX-License-Identifier: MIT */
/*
 * held.h - pages of device memory that the CPU reaches, which somebody holds where they are: in a pipe
 *
 * Locking: none.
 */
#ifndef HMMSVM_TEST_HELD_H
#define HMMSVM_TEST_HELD_H

#include <fcntl.h>
#include <sys/uio.h>

#include "harness.h"

struct held {
    int pipe[2];
};

/** held_begin - the first of each @stride pages from @p on, @n in all, stays until held_end() */
static inline void held_begin(struct held *h, uint64_t *p, unsigned n, unsigned stride)
{
    CHECK(!pipe(h->pipe));
    CHECK(fcntl(h->pipe[1], F_SETPIPE_SZ, n * HARNESS_PAGE) > 0);
    for (unsigned i = 0; i < n; i++) {
        struct iovec word = {p + (size_t)i * stride * 512, 8};

        CHECK_EQ(vmsplice(h->pipe[1], &word, 1, 0), 8);
    }
}

static inline void held_end(struct held *h)
{
    close(h->pipe[0]);
    close(h->pipe[1]);
}

#endif /* HMMSVM_TEST_HELD_H */
