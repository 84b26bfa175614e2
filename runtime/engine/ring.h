/* SPDX-License-Identifier: MIT */
/*
 * ring.h - the memory that libhmmsvm and its workers share
 *
 * In kernel mode it is a sealed memfd, mapped by libhmmsvm wherever it likes
 * and by the engine inside its window; in direct mode it is anonymous memory
 * of the one process. Futexes are waited on here only: on a mirrored address
 * they would fail.
 *
 * A launch lies in a slot from hmmsvm_submit() until its completion is fetched.
 * If it may start it is in the queue ready[]: whoever lets it start takes the
 * next position from tail and writes it there. Those at head and after it may
 * have groups that nobody has claimed; groups are claimed of the one at head.
 *
 * A launch that is to come after another waits in that one's list dependants,
 * with remaining 0, and is in no queue, so it is in nobody's way. Who finishes
 * a launch takes the list, and marks it with RING_ENDED so that nothing is
 * added any more; he takes the launch's place in done[], lets those in the list
 * start and only then reports it there; or, if it failed, reports it and then
 * those in the list as cancelled. So launches are reported in order.
 *
 * Locking: none, atomics. Who may write what:
 *
 *   slots before they are published               libhmmsvm, under its lock
 *   dependants, next                              libhmmsvm adds, under its lock;
 *                                                 who finishes the launch takes
 *   ready[], tail                                 whoever lets a launch start
 *   remaining, finished, cancelled, failed, head  whoever gets there
 *   end of a slot                                 the worker that set failed,
 *                                                 then the one that finishes
 *   crowd, extra                                  the thread of progress.c
 *   refused                                       crash.c
 *   watch                                         whoever gets there
 *   done[]                                        workers fill, libhmmsvm empties
 *
 * A claim is a compare-and-swap that lowers a slot's remaining. While claimed
 * groups are not accounted in finished the slot cannot be used anew, so a
 * worker reads everything else of a slot only while it holds a claim. One
 * whose idea of head is old may thereby claim groups of a later launch in the
 * same slot: that is as good a claim as any, as remaining is not 0 only once the
 * launch may start.
 *
 * ready[] has room enough: groups are claimed of a position behind head only by
 * a worker whose idea of head is old, once. So the positions from head on are
 * of one launch that has ended, one more for each worker, and launches in slots.
 *
 * libhmmsvm believes nothing that it reads here and that a stray write of a
 * work-group could have changed: it keeps its own copy of what it needs.
 */
#ifndef HMMSVM_RING_H
#define HMMSVM_RING_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <hmmsvm/client.h>

#define RING_MAGIC   0x676e697272686d68ull
#define RING_VERSION 4u
#define RING_SLOTS   256u
#define RING_QUEUE   8192u /* more than RING_SLOTS + HMMSVM_MAX_RESIDENT */
#define RING_ENDED   UINT32_MAX

/* Descriptors the engine is started with; 0 to 2 are /dev/null or stderr. */
enum ring_fd {
    RING_FD_CONTEXT = 3, /* the node, bound to the application */
    RING_FD_RING = 4,    /* the memfd; closed when it is mapped in the window */
    RING_FD_APP = 5,     /* pidfd of the application */
    RING_FD_STOP = 6,    /* eventfd: readable when the engine is to end */
    RING_FD_END = 7,
};

/* How far the engine's start has got. */
enum ring_state {
    RING_STARTING = 0,
    RING_ATTACHED = 1,
    RING_READY = 2,
    RING_FAILED = 3,
};

/* What the engine was doing when its start failed. */
enum ring_step {
    RING_STEP_NONE = 0,
    RING_STEP_RING,    /* mapping the ring */
    RING_STEP_ATTACH,  /* HMMSVM_IOC_ATTACH */
    RING_STEP_PROGRAM, /* reading its own program file */
    RING_STEP_BREAK,   /* freezing its heap */
    RING_STEP_PLACE,   /* finding room in the window */
    RING_STEP_LOAD,    /* loading itself there */
    RING_STEP_CLEAR,   /* clearing the rest of the window */
    RING_STEP_MIRROR,  /* mapping the mirror */
    RING_STEP_RESIDUE, /* making sure nothing else is left outside */
    RING_STEP_WATCH,   /* watching the application */
    RING_STEP_WORKERS, /* starting the workers */
    RING_STEP_SANDBOX, /* giving up the system calls that it needs no more */
};

/* What a launch has to do with groups that wait: see progress.c. */
enum ring_crowd {
    RING_CROWD_NONE = 0,
    RING_CROWD_HELPED = 1, /* workers that were added may run its groups */
    RING_CROWD_WAITS = 2,  /* and some of its groups wait: they are claimed one by one */
};

/* What the thread of progress.c does. */
enum ring_watch {
    RING_WATCH_SLEEPS = 0, /* there are no more groups than idle workers */
    RING_WATCH_LOOKS = 1,
    RING_WATCH_STOPS = 2, /* the workers end */
};

struct ring_slot {
    /* Constant while the slot is published. */
    alignas(64) uint64_t id; /* never 0, never used twice */
    uint64_t total;          /* groups */
    struct hmmsvm_launch launch;
    _Atomic uint32_t failed; /* no further group is to be started */
    _Atomic uint32_t crowd;  /* enum ring_crowd */

    alignas(64) _Atomic uint64_t remaining; /* groups nobody has claimed */

    alignas(64) _Atomic uint64_t finished; /* groups run or cancelled */
    _Atomic uint64_t cancelled;            /* how many of them did not run to the end */
    _Atomic uint32_t waits;                /* not 0 until it may start */
    _Atomic uint32_t dependants;           /* slot + 1 of the last that waits for it, RING_ENDED */
    uint32_t next;                         /* slot + 1 of the one before in that list */
    struct hmmsvm_completion end;
};

struct ring {
    /* The same in every version, so that one engine can tell another's library that it is. */
    uint64_t magic;
    uint32_t version;
    uint32_t size;          /* sizeof(struct ring) */
    _Atomic uint32_t state; /* enum ring_state, a futex; the rest says what failed */
    uint32_t step;          /* enum ring_step */
    int32_t error;          /* errno */
    uint32_t debug;
    uint64_t detail; /* an address, as the step has it */

    /* How the workers are to be; constant. */
    uint32_t workers;
    uint32_t spin; /* whether a short wait may be spent spinning */
    uint32_t resident; /* how many there may be while groups wait for each other */
    uint32_t watchdog_ms; /* after how much processor time a group hangs; 0: never */
    uint64_t local_size;
    uint64_t stack_size;

    /* Idle workers sleep on bell, which changes with every launch that may start. */
    alignas(64) _Atomic uint32_t tail;
    _Atomic uint32_t bell;
    _Atomic uint32_t stop;

    alignas(64) _Atomic uint32_t head;

    alignas(64) _Atomic uint32_t sleepers; /* workers that sleep, or are about to */
    _Atomic uint32_t spinners;             /* workers that look again before they do */

    /* Of an engine that ended by itself: the system call that it was refused, + 1. */
    _Atomic uint32_t refused;

    alignas(64) _Atomic uint32_t watch; /* enum ring_watch, a futex */
    _Atomic uint32_t extra;             /* workers there are beyond ring->workers */

    /* Whoever waits for completions sleeps on completed. */
    alignas(64) _Atomic uint32_t completed;
    _Atomic uint32_t waiters;

    alignas(64) _Atomic uint32_t done_next;
    _Atomic uint32_t done[RING_SLOTS]; /* slot + 1 in the order they ended; 0: empty */

    /* The position in the upper half, slot + 1 in the lower; anything else: not there yet. */
    alignas(64) _Atomic uint64_t ready[RING_QUEUE];

    struct ring_slot slots[RING_SLOTS];
};

/* Spinning ends after this many ticks of the time stamp counter: 15 to 30 us. */
#define RING_SPIN_TICKS 60000u

/* About a microsecond. */
#define RING_YIELD_TURNS 32u

static inline uint64_t ring_ticks(void)
{
    return __builtin_ia32_rdtsc();
}

/*
 * Turn number @turn of a spin. Now and then the CPU is offered to others: there are as many workers
 * as CPUs, so the thread whose work is waited for may itself be waiting for this one.
 */
static inline void ring_relax(uint32_t turn)
{
    if (turn % RING_YIELD_TURNS == RING_YIELD_TURNS - 1)
        sched_yield();
    else
        __builtin_ia32_pause();
}

static inline uint64_t ring_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Sleeps while *@word is @value, at most @timeout_ns (UINT64_MAX: no limit). Spurious returns. */
static inline void ring_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
    struct timespec t = {(time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u)};

    syscall(SYS_futex, word, FUTEX_WAIT, value, timeout_ns == UINT64_MAX ? NULL : &t, NULL, 0);
}

static inline void ring_futex_wake(_Atomic uint32_t *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

/* Tells whoever waits for completions to look again. */
static inline void ring_notify(struct ring *ring)
{
    atomic_fetch_add(&ring->completed, 1);
    if (atomic_load(&ring->waiters))
        ring_futex_wake(&ring->completed, INT_MAX);
}

/* The slot of the launch at position @n of the queue; NULL if there is none (yet). */
static inline struct ring_slot *ring_ready(struct ring *ring, uint32_t n)
{
    uint64_t entry = atomic_load(&ring->ready[n % RING_QUEUE]);

    if (!(uint32_t)entry || (uint32_t)(entry >> 32) != n)
        return NULL;
    return &ring->slots[((uint32_t)entry - 1) % RING_SLOTS];
}

/* Lets the launch in slot @i start, which has @total groups. */
static inline void ring_start(struct ring *ring, uint32_t i, uint64_t total)
{
    uint32_t n;

    atomic_store(&ring->slots[i].waits, 0);
    atomic_store(&ring->slots[i].remaining, total);
    n = atomic_fetch_add(&ring->tail, 1);
    atomic_store(&ring->ready[n % RING_QUEUE], (uint64_t)n << 32 | (i + 1));
    atomic_fetch_add(&ring->bell, 1);
}

/* Some group has to wait for a worker: somebody is to look whether the workers get on. */
static inline void ring_watch(struct ring *ring)
{
    if (atomic_load(&ring->watch) == RING_WATCH_SLEEPS &&
        atomic_exchange(&ring->watch, RING_WATCH_LOOKS) == RING_WATCH_SLEEPS)
        ring_futex_wake(&ring->watch, 1);
}

/* Wakes as many workers as have something to do where @wanted would. */
static inline void ring_wake(struct ring *ring, uint64_t wanted)
{
    uint32_t sleepers = atomic_load(&ring->sleepers), spinners = atomic_load(&ring->spinners);

    if (wanted > (uint64_t)sleepers + spinners)
        ring_watch(ring);
    if (!sleepers || wanted <= spinners)
        return;
    wanted -= spinners;
    ring_futex_wake(&ring->bell, (int)(wanted < sleepers ? wanted : sleepers));
}

#endif /* HMMSVM_RING_H */
