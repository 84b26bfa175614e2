/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what the parts of the fuzzer of /dev/hmmsvm know of each other
 *
 *   uapi.c      options, rounds, what must hold afterwards        (top)
 *   roles.c     the processes: applications, engines, strangers
 *   requests.c  ioctl(2): valid structures, and what is done to them
 *   calls.c     the other system calls on the node and on memory
 *   stuck.c     what processes are at that do not end
 *   report.c    counts of calls and how they ended                (bottom)
 *
 * In each round an application opens nodes and makes contexts, starts engines
 * and hands descriptors to strangers; all of them make calls from several
 * threads at random points of the contexts' lives. Each thread's calls follow
 * from the seed, the round and the thread; how they interleave does not.
 *
 * Memory that is fuzzed lies in the arena, at the same address in every process;
 * nothing else of a process lies there.
 *
 * Locking: none. Counts are atomic and in memory that all processes share.
 */
#ifndef HMMSVM_FUZZ_H
#define HMMSVM_FUZZ_H

#include <errno.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <hmmsvm/uapi.h>

#define FUZZ_PAGE       4096ul
#define FUZZ_BLOCK      (2ul << 20)
#define FUZZ_ARENA      0x200000000000ul
#define FUZZ_ARENA_SIZE (32ul << 20)
#define FUZZ_WINDOW     0x300000000000ul /* windows lie here; nothing is mapped there */
#define FUZZ_FIXED      (2 * FUZZ_PAGE)
#define FUZZ_NODES      8u
#define FUZZ_ERRNOS     134u
#define FUZZ_PIDS       16u

/* What is counted. The requests come first, in the order of their numbers. */
#define FUZZ_CALLS(X)                                                                              \
    X(VERSION) X(CREATE) X(ATTACH) X(STATS) X(MEMORY) X(POLICY) X(POLICY_INFO) X(TUNABLE)          \
    X(MIGRATE) X(ADVISE) X(RESIDENCY) X(EVENTS) X(LIMIT) X(other_request) \
    X(open) X(close) X(dup) X(poll) X(read) X(write) X(file) X(map_node) X(map_ring) X(mmap)       \
    X(munmap) X(mprotect) X(mremap) X(madvise) X(memory) X(touch) X(touch_mirror) X(fork) X(pass)  \
    X(engine)

enum fuzz_call {
#define FUZZ_ENUM(name) FUZZ_##name,
    FUZZ_CALLS(FUZZ_ENUM)
#undef FUZZ_ENUM
    FUZZ_NR_CALLS,
};
#define FUZZ_NR_REQUESTS FUZZ_other_request

extern const char *const fuzz_names[FUZZ_NR_CALLS];

/* Shared by all processes; a memfd, which engines get as FUZZ_FD_SHARED. */
struct fuzz_shared {
    uint64_t seed;
    uint32_t threads;
    _Atomic uint64_t calls; /* all that were made */
    _Atomic uint64_t count[FUZZ_NR_CALLS][FUZZ_ERRNOS]; /* [0]: success */
    _Atomic uint32_t pids[FUZZ_PIDS];                   /* for targets */
    _Atomic uint32_t next_pid;
    _Atomic uint32_t contexts, applications, engines, strangers;
};

#define FUZZ_FD_SHARED  200
#define FUZZ_FD_CONTEXT 201

enum fuzz_role { FUZZ_APPLICATION, FUZZ_ENGINE, FUZZ_STRANGER };

/* A thread that makes calls. */
struct fuzz {
    struct fuzz_shared *shared;
    _Atomic int *nodes; /* FUZZ_NODES descriptors, of all threads of the process; -1: none */
    enum fuzz_role role;
    uint64_t random;
    uint8_t *end;   /* of a page that is followed by one that is not accessible */
    uint8_t *fixed; /* FUZZ_FIXED bytes that may only be read */
    int ring;       /* an event ring; -1: none */
    unsigned depth; /* of forks */
};

/* xorshift64*; never 0. */
static inline uint64_t fuzz_random(struct fuzz *f)
{
    f->random ^= f->random >> 12;
    f->random ^= f->random << 25;
    f->random ^= f->random >> 27;
    return f->random * 0x2545f4914f6cdd1dull;
}

/* A number below @n. */
static inline uint64_t fuzz_below(struct fuzz *f, uint64_t n)
{
    return (fuzz_random(f) >> 11) % n;
}

static inline bool fuzz_one_in(struct fuzz *f, unsigned n)
{
    return !fuzz_below(f, n);
}

/* stuck.c */
void fuzz_print_stuck(void);

/* report.c */
long fuzz_ended(struct fuzz *f, enum fuzz_call call, long result);
uint64_t fuzz_count(const struct fuzz_shared *shared, enum fuzz_call call, bool failed);
void fuzz_print(const struct fuzz_shared *shared, bool json, const char *verdict);
bool fuzz_reached(const struct fuzz_shared *shared, bool devmem);

/* requests.c */
void fuzz_request_fixed(struct fuzz *f);
long fuzz_request(struct fuzz *f, int node);
long fuzz_request_valid(struct fuzz *f, int node, enum fuzz_call call);

/* calls.c */
uint64_t fuzz_number(struct fuzz *f);
void fuzz_range(struct fuzz *f, uintptr_t *at, size_t *length);
void fuzz_signals(void);
void fuzz_call_file(struct fuzz *f, int node);
void fuzz_call_memory(struct fuzz *f);
void fuzz_call_mirror(struct fuzz *f, int node);
void fuzz_touch(struct fuzz *f, enum fuzz_call call, uintptr_t at, bool write);

/* roles.c */
int fuzz_application(struct fuzz_shared *shared, int shared_fd, uint64_t seed, unsigned calls);
int fuzz_engine(struct fuzz_shared *shared, uint64_t seed, unsigned calls);

#endif /* HMMSVM_FUZZ_H */
