/* SPDX-License-Identifier: MIT */
/*
 * The other calls: on descriptors of the node, on the arena, on mappings of the
 * node; and accesses to memory, which may raise a signal.
 *
 * Locking: none; where the handler goes on is a thread's own.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

static __thread sigjmp_buf *volatile touching;

/* A number that is likely to be a limit of something. */
uint64_t fuzz_number(struct fuzz *f)
{
    static const uint64_t odd[] = {0, 1, 2, 3, 7, 127, 128, 511, 512, 513, 4095, 4096, 4097, 65535,
                                   65536, 0x10000000, 0x7fffffff, 0x80000000, 0xffffffff,
                                   0x100000000, 0x7ffffffff000, 0x800000000000,
                                   0x7fffffffffffffff, 0x8000000000000000, 0xffff888000000000,
                                   UINT64_MAX, UINT64_MAX - 4095, FUZZ_ARENA, FUZZ_WINDOW};

    if (fuzz_one_in(f, 4))
        return fuzz_random(f) >> fuzz_below(f, 64);
    return odd[fuzz_below(f, sizeof(odd) / sizeof(*odd))];
}

/* A range of the arena, mostly: pages, now and then blocks; seldom all that there can be. */
void fuzz_range(struct fuzz *f, uintptr_t *at, size_t *length)
{
    if (fuzz_one_in(f, 400)) {
        *at = 0x10000;
        *length = 0x7ffffffe0000;
        return;
    }
    if (fuzz_one_in(f, 8)) {
        *at = FUZZ_ARENA + fuzz_below(f, FUZZ_ARENA_SIZE / FUZZ_BLOCK) * FUZZ_BLOCK;
        *length = (1 + fuzz_below(f, 2)) * FUZZ_BLOCK;
    } else {
        *at = FUZZ_ARENA + fuzz_below(f, FUZZ_ARENA_SIZE / FUZZ_PAGE) * FUZZ_PAGE;
        *length = (1 + fuzz_below(f, 64)) * FUZZ_PAGE;
    }
    if (*at + *length > FUZZ_ARENA + FUZZ_ARENA_SIZE)
        *length = FUZZ_ARENA + FUZZ_ARENA_SIZE - *at;
}

static void calls_signal(int signal)
{
    static const char text[] = "fuzz: a signal where none is expected\n";

    if (touching)
        siglongjmp(*touching, signal);
    if (write(2, text, sizeof(text) - 1) < 0)
        _exit(98);
    _exit(99);
}

/** fuzz_signals - from here on fuzz_touch() can be used */
void fuzz_signals(void)
{
    struct sigaction act = {.sa_handler = calls_signal, .sa_flags = SA_NODEFER};

    sigaction(SIGSEGV, &act, NULL);
    sigaction(SIGBUS, &act, NULL);
}

/** fuzz_touch - reads or writes a word; counted as EFAULT if that raises a signal */
void fuzz_touch(struct fuzz *f, enum fuzz_call call, uintptr_t at, bool write)
{
    volatile uint64_t *p = (volatile uint64_t *)(at & ~7ul);
    sigjmp_buf here;

    if (sigsetjmp(here, 0)) {
        touching = NULL;
        errno = EFAULT;
        fuzz_ended(f, call, -1);
        return;
    }
    touching = &here;
    if (write)
        *p = at;
    else
        (void)*p;
    touching = NULL;
    fuzz_ended(f, call, 0);
}

/** fuzz_call_file - what can be done with any descriptor, on one of the node */
void fuzz_call_file(struct fuzz *f, int node)
{
    uint64_t a = fuzz_number(f), b = fuzz_number(f);
    uint8_t *buffer = f->end - fuzz_below(f, 64);
    struct pollfd p = {.fd = node, .events = (short)fuzz_random(f)};
    struct stat st;

    switch (fuzz_below(f, 12)) {
    case 0:
        fuzz_ended(f, FUZZ_read, read(node, buffer, a & 0xffff));
        break;
    case 1:
        fuzz_ended(f, FUZZ_write, write(node, buffer, a & 0xffff));
        break;
    case 2:
    case 3:
        fuzz_ended(f, FUZZ_poll, poll(&p, 1, (int)fuzz_below(f, 3)));
        break;
    case 4:
        fuzz_ended(f, FUZZ_file, pread(node, buffer, a & 0xffff, (off_t)b));
        break;
    case 5:
        fuzz_ended(f, FUZZ_file, lseek(node, (off_t)a, (int)fuzz_below(f, 6)));
        break;
    case 6:
        fuzz_ended(f, FUZZ_file, fcntl(node, F_SETFL, (int)(a & (O_NONBLOCK | O_ASYNC | O_APPEND |
                                                                 O_DIRECT | O_NOATIME))));
        break;
    case 7:
        fuzz_ended(f, FUZZ_file, syscall(SYS_fadvise64, node, a, b, fuzz_below(f, 8)));
        break;
    case 8:
        fuzz_ended(f, FUZZ_file, syscall(SYS_readahead, node, a, b));
        break;
    case 9:
        fuzz_ended(f, FUZZ_file, fuzz_one_in(f, 2) ? fsync(node) :
                   syscall(SYS_sync_file_range, node, a, b, fuzz_below(f, 8)));
        break;
    case 10:
        fuzz_ended(f, FUZZ_file, fuzz_one_in(f, 2) ? fstat(node, &st) :
                   fallocate(node, (int)fuzz_below(f, 8), (off_t)a, (off_t)b));
        break;
    default:
        fuzz_ended(f, FUZZ_file, syscall(SYS_cachestat, node, buffer, f->end - 40, 0));
    }
}

/** fuzz_call_memory - changes the arena, or looks at it */
void fuzz_call_memory(struct fuzz *f)
{
    static const int advices[] = {MADV_DONTNEED, MADV_FREE, MADV_PAGEOUT, MADV_COLD, MADV_HUGEPAGE,
                                  MADV_NOHUGEPAGE, MADV_COLLAPSE, MADV_DONTFORK, MADV_DOFORK,
                                  MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_MERGEABLE,
                                  MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_REMOVE,
                                  MADV_WILLNEED, MADV_DONTDUMP, MADV_DODUMP, 12345};
    static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_WRITE,
                                PROT_READ | PROT_WRITE | PROT_EXEC};
    uintptr_t at, to;
    size_t length, other;
    unsigned char pages[1024];
    int flags;
    void *p;

    do
        fuzz_range(f, &at, &length);
    while (length > FUZZ_ARENA_SIZE);
    switch (fuzz_below(f, 16)) {
    case 0:
    case 1:
        flags = fuzz_one_in(f, 6) ? MAP_SHARED : MAP_PRIVATE;
        p = mmap((void *)at, length, prots[fuzz_below(f, 8) ? 2 : fuzz_below(f, 5)],
                 flags | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        fuzz_ended(f, FUZZ_mmap, p == MAP_FAILED ? -1 : 0);
        break;
    case 2:
        fuzz_ended(f, FUZZ_munmap, munmap((void *)(at + fuzz_one_in(f, 8)), length));
        break;
    case 3:
        fuzz_ended(f, FUZZ_mprotect, mprotect((void *)at, length, prots[fuzz_below(f, 5)]));
        break;
    case 4:
        do
            fuzz_range(f, &to, &other);
        while (other > FUZZ_ARENA_SIZE);
        if (to + length > FUZZ_ARENA + FUZZ_ARENA_SIZE)
            to = FUZZ_ARENA;
        /* Never out of the arena. */
        p = fuzz_one_in(f, 2) ? mremap((void *)at, length, length,
                                       MREMAP_MAYMOVE | MREMAP_FIXED, (void *)to) :
                                mremap((void *)at, length, other > length ? length : other, 0);
        fuzz_ended(f, FUZZ_mremap, p == MAP_FAILED ? -1 : 0);
        break;
    case 5:
    case 6:
    case 7:
        fuzz_ended(f, FUZZ_madvise,
                   madvise((void *)at, length,
                           advices[fuzz_below(f, sizeof(advices) / sizeof(*advices))]));
        break;
    case 8:
        fuzz_ended(f, FUZZ_memory, mlock((void *)at, FUZZ_PAGE));
        fuzz_ended(f, FUZZ_memory, munlock((void *)at, length));
        break;
    case 9:
        fuzz_ended(f, FUZZ_memory, mincore((void *)at, length, pages));
        break;
    default:
        fuzz_touch(f, f->role == FUZZ_ENGINE ? FUZZ_touch_mirror : FUZZ_touch,
                   at + fuzz_below(f, length), fuzz_one_in(f, 2));
    }
}

/** fuzz_call_mirror - maps the node, rightly and wrongly, or an event ring */
void fuzz_call_mirror(struct fuzz *f, int node)
{
    int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED;
    uintptr_t at, offset;
    size_t length;
    void *p;

    if (f->ring >= 0 && fuzz_one_in(f, 3)) {
        length = fuzz_one_in(f, 4) ? 1 + fuzz_below(f, 1 << 20) : 2 * FUZZ_PAGE;
        p = mmap(NULL, length, fuzz_one_in(f, 4) ? (int)fuzz_below(f, 8) : PROT_READ,
                 fuzz_one_in(f, 4) ? MAP_PRIVATE : MAP_SHARED, f->ring,
                 fuzz_one_in(f, 4) ? (off_t)(fuzz_below(f, 64) * FUZZ_PAGE) : 0);
        fuzz_ended(f, FUZZ_map_ring, p == MAP_FAILED ? -1 : 0);
        if (p == MAP_FAILED)
            return;
        fuzz_touch(f, FUZZ_touch, (uintptr_t)p + fuzz_below(f, length), fuzz_one_in(f, 4));
        fuzz_ended(f, FUZZ_mprotect, mprotect(p, length, (int)fuzz_below(f, 8)));
        munmap(p, length);
        return;
    }
    fuzz_range(f, &at, &length);
    if (length > FUZZ_ARENA_SIZE) {
        /* As an engine does: terabytes. */
        at = FUZZ_ARENA;
        length = fuzz_one_in(f, 2) ? FUZZ_ARENA_SIZE : 1ul << 40;
    }
    offset = at;
    if (fuzz_one_in(f, 3)) {
        switch (fuzz_below(f, 5)) {
        case 0:
            prot = (int)fuzz_below(f, 8);
            break;
        case 1:
            flags = MAP_PRIVATE;
            break;
        case 2:
            offset = fuzz_number(f) & ~(FUZZ_PAGE - 1);
            break;
        case 3:
            at = offset = FUZZ_WINDOW + fuzz_below(f, 1 << 18) * FUZZ_PAGE;
            break;
        default:
            length = fuzz_number(f) & 0xffffffffffff;
            if (at + length > FUZZ_WINDOW)
                length = 0;
        }
    }
    p = mmap((void *)at, length, prot, flags | MAP_FIXED, node, (off_t)offset);
    fuzz_ended(f, FUZZ_map_node, p == MAP_FAILED ? -1 : 0);
}
