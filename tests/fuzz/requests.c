/* SPDX-License-Identifier: MIT */
/*
 * ioctl(2) on the node: a structure that makes sense, and then what is done to
 * it: other numbers, bits, sizes, tails and pointers.
 *
 * A structure lies at the very end of a page that is followed by an inaccessible
 * one, so that the module reads and writes no byte more than its size says.
 *
 * Locking: none, each thread has its own memory.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fuzz.h"

#define REQUEST_MOST 1024u /* bytes of a structure of ours, tail included */

#define REQUEST_STRIDE (FUZZ_FIXED / FUZZ_NR_REQUESTS / 8 * 8)

union request {
    uint32_t size;
    uint32_t words[REQUEST_MOST / 4];
    uint8_t bytes[REQUEST_MOST];
    struct hmmsvm_version version;
    struct hmmsvm_create create;
    struct hmmsvm_attach attach;
    struct hmmsvm_stats stats;
    struct hmmsvm_memory memory;
    struct hmmsvm_policy_choice policy;
    struct hmmsvm_policy_info policy_info;
    struct hmmsvm_tunable_value tunable;
    struct hmmsvm_migrate migrate;
    struct hmmsvm_advise advise;
    struct hmmsvm_residency residency;
    struct hmmsvm_events events;
    struct hmmsvm_limit limit;
};

static const struct {
    unsigned long number;
    uint32_t size;
} requests[FUZZ_NR_REQUESTS] = {
#define REQUEST(NAME, field)                                                                       \
    [FUZZ_##NAME] = {HMMSVM_IOC_##NAME, sizeof(((union request *)NULL)->field)}
    REQUEST(VERSION, version), REQUEST(CREATE, create), REQUEST(ATTACH, attach),
    REQUEST(STATS, stats), REQUEST(MEMORY, memory), REQUEST(POLICY, policy),
    REQUEST(POLICY_INFO, policy_info), REQUEST(TUNABLE, tunable), REQUEST(MIGRATE, migrate),
    REQUEST(ADVISE, advise), REQUEST(RESIDENCY, residency), REQUEST(EVENTS, events),
    REQUEST(LIMIT, limit),
#undef REQUEST
};

/* Mostly the file's own context, or one of a process of ours; seldom a process of others. */
static void request_target(struct fuzz *f, struct hmmsvm_target *target)
{
    static const uint32_t odd[] = {1, 2, 0x7fffffff, 0xffffffff, 0x80000000, 4194304, 1000000};

    if (fuzz_one_in(f, 2))
        return;
    if (fuzz_one_in(f, 4))
        target->pid = odd[fuzz_below(f, sizeof(odd) / sizeof(*odd))];
    else if (fuzz_one_in(f, 2))
        target->pid = (uint32_t)getpid();
    else
        target->pid = f->shared->pids[fuzz_below(f, FUZZ_PIDS)];
    target->context = (uint32_t)fuzz_below(f, 3);
}

/* Fills in a structure that asks for something that could be done. */
static void request_fill(struct fuzz *f, enum fuzz_call call, union request *r)
{
    static const char *const placements[] = {"touch", "hot", "thrash", "adaptive", "nonsense"};
    static const char *const evictions[] = {"lru", "fifo", "clock", "lfu", ""};
    uintptr_t at;
    size_t length;

    memset(r, 0, sizeof(*r));
    r->size = requests[call].size;
    switch (call) {
    case FUZZ_CREATE:
        r->create.window_start = FUZZ_WINDOW + fuzz_below(f, 1 << 18) * FUZZ_PAGE;
        r->create.window_len = (1 + fuzz_below(f, 1 << 18)) * FUZZ_PAGE;
        r->create.fault_around = fuzz_one_in(f, 2) ? 0 : 1u << fuzz_below(f, 10);
        r->create.memory = fuzz_one_in(f, 4) ? (uint32_t)fuzz_below(f, 3) : 0;
        break;
    case FUZZ_STATS:
        request_target(f, &r->stats.target);
        break;
    case FUZZ_MEMORY:
        r->memory.index = (uint32_t)fuzz_below(f, 4);
        break;
    case FUZZ_POLICY:
        request_target(f, &r->policy.target);
        r->policy.flags = (uint32_t)fuzz_below(f, 4);
        strcpy(r->policy.placement, placements[fuzz_below(f, 5)]);
        strcpy(r->policy.eviction, evictions[fuzz_below(f, 5)]);
        break;
    case FUZZ_POLICY_INFO:
        r->policy_info.kind = (uint32_t)fuzz_below(f, 3);
        r->policy_info.index = (uint32_t)fuzz_below(f, 8);
        break;
    case FUZZ_TUNABLE:
        request_target(f, &r->tunable.target);
        r->tunable.flags = fuzz_one_in(f, 2) ? HMMSVM_TUNABLE_SET : 0;
        r->tunable.index = (uint32_t)fuzz_below(f, 6);
        r->tunable.value = (int64_t)fuzz_number(f);
        break;
    case FUZZ_MIGRATE:
        fuzz_range(f, &at, &length);
        r->migrate.flags = 1u << fuzz_below(f, 2);
        r->migrate.start = at + fuzz_below(f, 2);
        r->migrate.length = length;
        break;
    case FUZZ_ADVISE:
        fuzz_range(f, &at, &length);
        r->advise.set = (uint32_t)fuzz_below(f, 8);
        r->advise.clear = fuzz_one_in(f, 4) ? ~0u : (uint32_t)fuzz_below(f, 8);
        r->advise.start = at + fuzz_below(f, 2);
        r->advise.length = length;
        break;
    case FUZZ_RESIDENCY:
        request_target(f, &r->residency.target);
        fuzz_range(f, &at, &length);
        r->residency.count = 1 + (uint32_t)fuzz_below(f, 64);
        r->residency.start = fuzz_one_in(f, 2) ? 0 : at;
        /* Into the arena, which changes meanwhile. */
        r->residency.blocks = at;
        break;
    case FUZZ_EVENTS:
        request_target(f, &r->events.target);
        r->events.entries = 128u << fuzz_below(f, fuzz_one_in(f, 16) ? 14 : 5);
        break;
    case FUZZ_LIMIT:
        request_target(f, &r->limit.target);
        r->limit.flags = fuzz_one_in(f, 2) ? HMMSVM_LIMIT_SET : 0;
        /* Some MiB, so that some of it has to go; or none, for those that come after. */
        r->limit.limit = fuzz_one_in(f, 2) ? fuzz_below(f, 1 << 24) : fuzz_number(f);
        break;
    default:
        break;
    }
}

/** fuzz_request_fixed - puts a structure of each request into memory that will be read-only */
void fuzz_request_fixed(struct fuzz *f)
{
    union request r;

    for (unsigned call = 0; call < FUZZ_NR_REQUESTS; call++) {
        _Static_assert(sizeof(struct hmmsvm_stats) <= REQUEST_STRIDE, "fits");
        request_fill(f, (enum fuzz_call)call, &r);
        memcpy(f->fixed + call * REQUEST_STRIDE, &r, requests[call].size);
    }
}

/* Changes one thing or a few. */
static void request_mutate(struct fuzz *f, union request *r, uint32_t known)
{
    static const uint32_t sizes[] = {0, 1, 3, 4, 5, 8, 12, 16, 4095, 4096, 4097, 0x80000000, ~0u};
    unsigned n = 1 + (unsigned)fuzz_below(f, 3);

    while (n--) {
        uint32_t at = (uint32_t)fuzz_below(f, known / 4) * 4;
        uint64_t number = fuzz_number(f);

        switch (fuzz_below(f, 6)) {
        case 0:
            r->bytes[at + fuzz_below(f, 4)] ^= (uint8_t)(1u << fuzz_below(f, 8));
            break;
        case 1:
            memcpy(r->bytes + at, &number, 4);
            break;
        case 2:
            memcpy(r->bytes + (at & ~7u), &number, 8);
            break;
        case 3: /* a caller of a later or an earlier version, or a wrong one */
            r->size = fuzz_one_in(f, 2) ? sizes[fuzz_below(f, sizeof(sizes) / sizeof(*sizes))] :
                                          known + (uint32_t)fuzz_below(f, 128) - 64;
            break;
        case 4: /* a later version, with something new */
            r->size = known + 1 + (uint32_t)fuzz_below(f, 64);
            if (fuzz_one_in(f, 2))
                r->bytes[known + fuzz_below(f, r->size - known)] = 1;
            break;
        default:
            for (uint32_t i = at; i < known && fuzz_below(f, 4); i++)
                r->bytes[i] = (uint8_t)fuzz_random(f);
        }
    }
}

/* Somewhere that is not, or not wholly, memory of the caller's that may be written. */
static void *request_bad_pointer(struct fuzz *f, uint32_t size)
{
    static const uintptr_t bad[] = {0, 1, 4095, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000,
                                    0xffff888000000000, 0xffffffff81000000, UINTPTR_MAX,
                                    UINTPTR_MAX - 3};
    switch (fuzz_below(f, 4)) {
    case 0:
        return f->end; /* not accessible at all */
    case 1:
        return f->end - fuzz_below(f, size); /* its end is not */
    case 2:
        return (void *)bad[fuzz_below(f, sizeof(bad) / sizeof(*bad))];
    default:
        return NULL; /* the read-only page */
    }
}

static long request_make(struct fuzz *f, int node, enum fuzz_call call, union request *r,
                         bool pointers)
{
    unsigned long number = requests[call].number;
    uint32_t known = requests[call].size;
    uint32_t size = r->size && r->size <= FUZZ_PAGE ? r->size : known;
    uint8_t *at = f->end - size;
    long result;

    if (pointers && fuzz_one_in(f, 12)) {
        uint8_t *bad = request_bad_pointer(f, size);

        if (bad <= f->end && bad > f->end - sizeof(*r))
            memcpy(bad, r, (size_t)(f->end - bad));
        /* Its structure cannot be changed; the page has those of all requests. */
        at = bad ? bad : f->fixed + call * REQUEST_STRIDE;
    } else {
        /* Above what is ours there is whatever was there. */
        memcpy(at, r, size < sizeof(*r) ? size : sizeof(*r));
    }
    if (pointers && fuzz_one_in(f, 40)) {
        switch (fuzz_below(f, 3)) {
        case 0:
            number = _IOC(_IOC_READ | _IOC_WRITE, 'H', fuzz_below(f, 256) | 0x80, 0);
            break;
        case 1:
            number = _IOC(fuzz_below(f, 3), 'H', _IOC_NR(number), known);
            break;
        default:
            number = _IOC(_IOC_READ | _IOC_WRITE, 'Z', _IOC_NR(number), known);
        }
        call = FUZZ_other_request;
    } else if (pointers && fuzz_one_in(f, 8)) {
        /* The size in the number means nothing. */
        number = _IOC(_IOC_READ | _IOC_WRITE, 'H', _IOC_NR(number), fuzz_below(f, 1 << 14));
    }
    result = fuzz_ended(f, call, ioctl(node, number, at));
    if (!result && call == FUZZ_EVENTS && at == f->end - size &&
        size >= offsetof(struct hmmsvm_events, fd) + 4) {
        /* Some stay open to the end, so that there are enough of a context. */
        if (f->ring >= 0 && fuzz_one_in(f, 2))
            close(f->ring);
        memcpy(&f->ring, at + offsetof(struct hmmsvm_events, fd), 4);
    }
    if (!result && call == FUZZ_CREATE)
        atomic_fetch_add(&f->shared->contexts, 1);
    return result;
}

/** fuzz_request_valid - a request that makes sense */
long fuzz_request_valid(struct fuzz *f, int node, enum fuzz_call call)
{
    union request r;

    request_fill(f, call, &r);
    return request_make(f, node, call, &r, false);
}

/** fuzz_request - any request, half of them with something wrong about them */
long fuzz_request(struct fuzz *f, int node)
{
    enum fuzz_call call = (enum fuzz_call)fuzz_below(f, FUZZ_NR_REQUESTS);
    union request r;

    request_fill(f, call, &r);
    if (fuzz_one_in(f, 2))
        request_mutate(f, &r, requests[call].size);
    return request_make(f, node, call, &r, true);
}
