/* SPDX-License-Identifier: MIT */
/*
 * The watchdog: what counts as hung, and what is done about it.
 *
 * A work-group hangs if its thread has used so much processor time since the
 * group began, or since it was last seen to wait. So none of these hang:
 *
 *   - launches of any length whose groups end;
 *   - groups that wait for each other or for the host in a loop that the
 *     compiler knows to wait: they change their ctx_waiting (see progress.c);
 *   - groups whose memory has to come from disk, from userfaultfd or from a busy
 *     application, or that share a processor with a thousand others: that takes
 *     time, but none of the processor's.
 *
 * A group that computes for longer cannot be told from one that never ends. That
 * is why there is no limit unless the user names one.
 *
 * It is ended like a crash, by a signal to its thread, so that nothing else is
 * lost (crash.c). Where that has no effect, as the group has blocked it, the
 * engine ends, and with it all that it was running.
 *
 * Locking: none; called by the engine's main thread, which alone uses what it
 * remembers of a worker (worker->dog). Workers are only ever added to the list.
 */
#include "watchdog.h"

#include <signal.h>

#define WATCHDOG_MIN_TICK_MS 5u
#define WATCHDOG_MAX_TICK_MS 1000u

/* So often a group is told to end before the engine is given up. */
#define WATCHDOG_TRIES 8u

int watchdog_tick_ms(uint32_t limit_ms)
{
    uint32_t tick = limit_ms / 4;

    if (!limit_ms)
        return -1;
    return (int)(tick < WATCHDOG_MIN_TICK_MS   ? WATCHDOG_MIN_TICK_MS
                 : tick > WATCHDOG_MAX_TICK_MS ? WATCHDOG_MAX_TICK_MS
                                               : tick);
}

/* Processor time that a worker's thread has used. */
static uint64_t watchdog_used_ns(const struct hmmsvm_worker *w)
{
    struct timespec t;
    clockid_t clock;

    if (pthread_getcpuclockid(w->thread, &clock) || clock_gettime(clock, &t))
        return 0;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Whether the worker runs a group that hangs. */
static bool watchdog_hangs(struct hmmsvm_worker *w, uint64_t limit_ns)
{
    uint32_t value = hmmsvm_worker_waiting(w);
    uint64_t limit = atomic_load(&w->limit), at = atomic_load(&w->at), used;

    if (at >= limit) { /* it runs none */
        w->dog.at = at;
        return false;
    }
    used = watchdog_used_ns(w);
    if (at != w->dog.at || value != w->dog.waiting) {
        w->dog.at = at;
        w->dog.waiting = value;
        w->dog.used_ns = used;
        w->dog.tries = 0;
        return false;
    }
    return used - w->dog.used_ns >= limit_ns;
}

bool watchdog_look(struct hmmsvm_pool *pool, uint32_t limit_ms)
{
    unsigned workers = atomic_load(&pool->workers);

    for (unsigned i = 0; i < workers; i++) {
        struct hmmsvm_worker *w = pool->list[i];

        if (!watchdog_hangs(w, limit_ms * 1000000ull))
            continue;
        if (w->dog.tries++ == WATCHDOG_TRIES) {
            hmmsvm_worker_hangs(w);
            return false;
        }
        atomic_store(&w->hung, w->dog.at);
        pthread_kill(w->thread, WATCHDOG_SIGNAL);
    }
    return true;
}
