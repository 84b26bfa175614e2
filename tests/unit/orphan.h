/* SPDX-License-Identifier: MIT */
/*
 * orphan.h - for tests that play the engine
 *
 * Locking: as internal.h.
 */
#ifndef HMMSVM_TEST_ORPHAN_H
#define HMMSVM_TEST_ORPHAN_H

#include <sys/mman.h>

#include "unit.h"

#include "internal.h"

/* A device with a ring and nobody who works on it: the test plays the engine. */
static inline struct hmmsvm_device *orphan(void)
{
    struct hmmsvm_device *dev = calloc(1, sizeof(*dev));

    assert_non_null(dev);
    dev->ring = mmap(NULL, sizeof(struct ring), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                     -1, 0);
    assert_ptr_not_equal(dev->ring, MAP_FAILED);
    dev->mode = HMMSVM_MODE_DIRECT; /* nobody shall start an engine */
    dev->config.workers = 1;
    dev->done_last = &dev->done_first;
    dev->fd = dev->ring_fd = dev->stop_fd = dev->kick_fd = dev->engine_pidfd = -1;
    pthread_mutex_init(&dev->lock, NULL);
    launch_ring_init(dev);
    return dev;
}

static inline void orphan_free(struct hmmsvm_device *dev)
{
    launch_free(dev);
    munmap(dev->ring, sizeof(struct ring));
    free(dev);
}

#endif /* HMMSVM_TEST_ORPHAN_H */
