/* SPDX-License-Identifier: MIT */
/*
 * Device memory through libhmmsvm: what the module is asked, what its answers
 * become, the words of every error, and the summary of HMMSVM_STATS to the
 * letter. The module is made up; the device is one that no engine stands behind.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "unit.h"

#include "internal.h"

/* ---- the module, as the tests want it ---- */

static const char *const placements[] = {"remote", "touch", "adaptive"};
static const char *const evictions[] = {"fifo", "lru"};

static struct {
    int error; /* of the request that is tested */
    unsigned asked, policies_asked;
    unsigned long request; /* the last one that is not POLICY_INFO, or TUNABLE by number */
    struct hmmsvm_migrate migrate;
    struct hmmsvm_advise advise;
    struct hmmsvm_policy_choice choice;
    struct hmmsvm_tunable_value tunable;
    struct hmmsvm_residency residency;
    struct hmmsvm_events events;
    struct hmmsvm_create create;
    struct hmmsvm_limit limit;
    uint32_t memories;
} module;

static struct hmmsvm_events ring_answer; /* a ring that is there, if it has bytes */

static int answer_tunable(struct hmmsvm_tunable_value *t)
{
    static const char *const names[] = {"threshold", "window_ms"};

    if (!*t->name) {
        if (t->index >= 2)
            return ENOENT;
        strcpy(t->name, names[t->index]);
        return 0;
    }
    if (strcmp(t->name, "threshold") && strcmp(t->name, "window_ms"))
        return ENOENT;
    t->min = 1;
    t->max = 100;
    t->preset = 51;
    if (!(t->flags & HMMSVM_TUNABLE_SET))
        t->value = 42;
    t->clamped = t->value > t->max;
    if (t->clamped)
        t->value = t->max;
    return 0;
}

static int answer_policy(const struct hmmsvm_policy_choice *c)
{
    bool placement = !(c->flags & HMMSVM_POLICY_SET_PLACEMENT);
    bool eviction = !(c->flags & HMMSVM_POLICY_SET_EVICTION);

    for (unsigned i = 0; i < 3; i++)
        placement |= !strcmp(c->placement, placements[i]);
    for (unsigned i = 0; i < 2; i++)
        eviction |= !strcmp(c->eviction, evictions[i]);
    return placement && eviction ? 0 : EINVAL;
}

static int answer(unsigned long request, void *arg)
{
    int err = module.error;

    switch (request) {
    case HMMSVM_IOC_POLICY_INFO: {
        struct hmmsvm_policy_info *info = arg;
        bool placement = info->kind == HMMSVM_POLICY_PLACEMENT;

        module.policies_asked++;
        if (info->index >= (placement ? 3u : 2u))
            return ENOENT;
        strcpy(info->name, (placement ? placements : evictions)[info->index]);
        return 0;
    }
    case HMMSVM_IOC_MIGRATE:
        module.migrate = *(struct hmmsvm_migrate *)arg;
        ((struct hmmsvm_migrate *)arg)->pages_moved = 5;
        ((struct hmmsvm_migrate *)arg)->pages_there = 6;
        ((struct hmmsvm_migrate *)arg)->pages_failed = 7;
        return err;
    case HMMSVM_IOC_ADVISE:
        module.advise = *(struct hmmsvm_advise *)arg;
        return err;
    case HMMSVM_IOC_POLICY:
        module.choice = *(struct hmmsvm_policy_choice *)arg;
        return err ? err : answer_policy(arg);
    case HMMSVM_IOC_TUNABLE:
        module.tunable = *(struct hmmsvm_tunable_value *)arg;
        return err ? err : answer_tunable(arg);
    case HMMSVM_IOC_MEMORY: {
        struct hmmsvm_memory *memory = arg;

        memory->count = module.memories;
        memory->kind = HMMSVM_MEMORY_PRIVATE;
        memory->node = 1;
        memory->bytes = 256ull << 20;
        memory->used_bytes = 3ull << 20;
        return err ? err : memory->index < module.memories ? 0 : ENODEV;
    }
    case HMMSVM_IOC_RESIDENCY: {
        struct hmmsvm_residency *r = arg;

        module.residency = *r;
        if (err)
            return err;
        ((struct hmmsvm_residency_block *)(uintptr_t)r->blocks)->start = 0x200000;
        r->start = 0x400000;
        r->count = 1;
        return 0;
    }
    case HMMSVM_IOC_LIMIT:
        module.limit = *(struct hmmsvm_limit *)arg;
        ((struct hmmsvm_limit *)arg)->charged = 4 << 20;
        return err;
    case HMMSVM_IOC_EVENTS:
        module.events = *(struct hmmsvm_events *)arg;
        ((struct hmmsvm_events *)arg)->fd = ring_answer.bytes ? ring_answer.fd : 77;
        ((struct hmmsvm_events *)arg)->bytes = ring_answer.bytes ? ring_answer.bytes : 8192;
        return err;
    case HMMSVM_IOC_STATS: {
        const struct hmmsvm_stats *s = arg;
        __u64 *word = arg;
        uint64_t n = 1;

        /* All but the size and the target. */
        for (size_t i = 1; i < sizeof(*s) / sizeof(*word); i++)
            if (i != offsetof(struct hmmsvm_stats, target) / sizeof(*word))
                word[i] = n++ * 1000;
        return err;
    }
    default:
        return ENOTTY;
    }
}

int __wrap_ioctl(int fd, unsigned long request, void *arg);

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
    int err;

    assert_int_equal(fd, 1234);
    assert_int_equal(*(uint32_t *)arg, _IOC_SIZE(request));
    module.asked++;
    err = answer(request, arg);
    errno = err;
    return err ? -1 : 0;
}

static struct hmmsvm_device device;

static int setup(void **state)
{
    (void)state;
    memset(&module, 0, sizeof(module));
    module.memories = 1;
    memset(&device, 0, sizeof(device));
    device.mode = HMMSVM_MODE_KERNEL;
    device.fd = 1234;
    device.version.abi_major = 1;
    device.version.abi_minor = 1;
    device.version.page_size = 4096;
    device.version.features = HMMSVM_FEATURE_MIRROR | HMMSVM_FEATURE_DEVICE_MEMORY;
    strcpy(device.version.release, "0.0.7");
    strcpy(device.reason, "kernel: made \"up\"");
    device.config.workers = 4;
    device.config.memory_limit = NO_MEMORY_LIMIT;
    return unit_clear_environment(state);
}

#define assert_error(call, err, words)                                                             \
    do {                                                                                           \
        assert_int_equal(call, err);                                                               \
        assert_string_equal(hmmsvm_last_error(), words);                                           \
    } while (0)

#define P(address) ((void *)(uintptr_t)(address))

/* ---- who can be asked ---- */

static void every_call_fails(int err, const char *words)
{
    struct hmmsvm_residency_block block;
    struct hmmsvm_migrate migrate = {.pages_moved = 1};
    struct hmmsvm_memory memory = {.bytes = 1};
    struct hmmsvm_events events = {.fd = 3};
    uint32_t count = 1;
    uint64_t start = 0;
    int64_t value = 1;
    bool clamped = true;

    assert_error(hmmsvm_device_migrate(&device, P(4096), 1, HMMSVM_MIGRATE_TO_DEVICE, &migrate),
                 err, words);
    assert_int_equal(migrate.pages_moved, 0);
    assert_error(hmmsvm_device_advise(&device, P(4096), 1, HMMSVM_ADVICE_DEVICE, 0), err, words);
    assert_error(hmmsvm_device_memory(&device, &memory), err, words);
    assert_int_equal(memory.bytes, 0);
    assert_error(hmmsvm_device_policy(&device, "touch", NULL), err, words);
    assert_error(hmmsvm_device_tunable(&device, "threshold", &value, true, &clamped), err, words);
    assert_false(clamped);
    assert_error(hmmsvm_device_residency(&device, &start, &block, &count), err, words);
    assert_int_equal(count, 0);
    assert_error(hmmsvm_device_events(&device, 128, &events), err, words);
    assert_int_equal(events.fd, -1);
    assert_int_equal(module.asked, 0);
}

static void direct_mode(void **state)
{
    (void)state;
    device.mode = HMMSVM_MODE_DIRECT;
    every_call_fails(-ENOTSUP, "there is no device memory in direct mode");
}

static void an_older_module(void **state)
{
    (void)state;
    device.version.abi_minor = 0;
    every_call_fails(-ENOTSUP,
                     "the loaded module (0.0.7) speaks ABI 1.0 and knows no device memory, which "
                     "came with 1.1: load the module that was installed with the library");
}

static void a_forked_child(void **state)
{
    (void)state;
    device.generation = 1;
    every_call_fails(-ENODEV, "this process was forked from the one that opened the device: "
                              "open one of its own");
}

#define NO_MEMORY                                                                                  \
    "the module has no device memory (it is loaded with devmem_mb= or devmem_range=, which "        \
    "`hmmsvm load` sets; its kernel log says why it has none)"

/* ---- migrate, advise, memory ---- */

static void migrate(void **state)
{
    struct hmmsvm_migrate out;

    (void)state;
    assert_int_equal(hmmsvm_device_migrate(&device, P(0x12345), 0x6789, HMMSVM_MIGRATE_TO_DEVICE,
                                           &out), 0);
    assert_int_equal(module.migrate.flags, HMMSVM_MIGRATE_TO_DEVICE);
    assert_int_equal(module.migrate.start, 0x12345);
    assert_int_equal(module.migrate.length, 0x6789);
    assert_int_equal(out.pages_moved, 5);
    assert_int_equal(out.pages_there, 6);
    assert_int_equal(out.pages_failed, 7);
    assert_int_equal(hmmsvm_device_migrate(&device, P(4096), 1, HMMSVM_MIGRATE_TO_SYSTEM, NULL),
                     0);
    assert_int_equal(module.migrate.flags, HMMSVM_MIGRATE_TO_SYSTEM);
    assert_int_equal(module.asked, 2);
    assert_int_equal(hmmsvm_device_migrate(&device, P(4096), 0, HMMSVM_MIGRATE_TO_SYSTEM, &out),
                     0);
    assert_int_equal(out.pages_moved, 0);
    assert_int_equal(module.asked, 2);
}

static void migrate_errors(void **state)
{
    struct hmmsvm_migrate out;

    (void)state;
    assert_error(hmmsvm_device_migrate(&device, P(4096), 1, 3, &out), -EINVAL,
                 "migration with flags 0x3: they have to be HMMSVM_MIGRATE_TO_DEVICE or "
                 "HMMSVM_MIGRATE_TO_SYSTEM");
    assert_error(hmmsvm_device_migrate(&device, P(4096), SIZE_MAX, 1, &out), -EINVAL,
                 "0x1000 and 18446744073709551615 bytes from there are no range of addresses");
    assert_int_equal(module.asked, 0);
    module.error = EFAULT;
    assert_error(hmmsvm_device_migrate(&device, P(4096), 100, 1, &out), -EFAULT,
                 "a part of the 100 bytes from 0x1000 on is not mapped; what is was moved");
    assert_int_equal(out.pages_moved, 5);
    module.error = EPERM;
    assert_error(hmmsvm_device_migrate(&device, P(4096), 100, 1, &out), -EPERM,
                 "memory cannot be moved: only the process that opened the device may do that");
    module.error = ENODEV;
    assert_error(hmmsvm_device_migrate(&device, P(4096), 100, 1, &out), -ENODEV,
                 "memory cannot be moved: " NO_MEMORY);
    module.error = ENOMEM;
    assert_error(hmmsvm_device_migrate(&device, P(4096), 100, 1, &out), -ENOMEM,
                 "memory cannot be moved: Cannot allocate memory");
}

static void advise(void **state)
{
    (void)state;
    assert_int_equal(hmmsvm_device_advise(&device, P(0x2001), 7, HMMSVM_ADVICE_SYSTEM, ~0u), 0);
    assert_int_equal(module.advise.set, HMMSVM_ADVICE_SYSTEM);
    assert_int_equal(module.advise.clear, ~0u);
    assert_int_equal(module.advise.start, 0x2001);
    assert_int_equal(module.advise.length, 7);
    assert_int_equal(hmmsvm_device_advise(&device, P(0x2001), 0, HMMSVM_ADVICE_SYSTEM, 0), 0);
    assert_int_equal(module.asked, 1);
    assert_error(hmmsvm_device_advise(&device, P(4096), 1, 3, 0), -EINVAL,
                 "advice 0x3: it has to be HMMSVM_ADVICE_* bits, and not both DEVICE and SYSTEM");
    assert_error(hmmsvm_device_advise(&device, P(4096), 1, 8, 0), -EINVAL,
                 "advice 0x8: it has to be HMMSVM_ADVICE_* bits, and not both DEVICE and SYSTEM");
    assert_int_equal(module.asked, 1);
    module.error = ENOSPC;
    assert_error(hmmsvm_device_advise(&device, P(4096), 1, 1, 0), -ENOSPC,
                 "there is advice for 65536 ranges, which is the most: clear some");
    module.error = EPERM;
    assert_error(hmmsvm_device_advise(&device, P(4096), 1, 1, 0), -EPERM,
                 "advice is not taken: only the process that opened the device may do that");
}

static void memory(void **state)
{
    struct hmmsvm_memory out;

    (void)state;
    module.memories = 3;
    device.config.memory = 2;
    assert_int_equal(hmmsvm_device_memory(&device, &out), 0);
    assert_int_equal(out.index, 2);
    assert_int_equal(out.count, 3);
    assert_int_equal(out.bytes, 256 << 20);
    module.memories = 0;
    assert_error(hmmsvm_device_memory(&device, &out), -ENODEV,
                 "device memory cannot be described: " NO_MEMORY);
}

/* ---- limits ---- */

static void limit(void **state)
{
    const uint64_t bytes = 3 << 20;
    struct hmmsvm_limit out;

    (void)state;
    device.version.abi_minor = 2;
    assert_int_equal(hmmsvm_device_limit(&device, NULL, &out), 0);
    assert_int_equal(module.limit.flags, 0);
    assert_int_equal(out.charged, 4 << 20);
    assert_int_equal(hmmsvm_device_limit(&device, &bytes, NULL), 0);
    assert_int_equal(module.limit.flags, HMMSVM_LIMIT_SET);
    assert_int_equal(module.limit.limit, bytes);
    module.error = ENODEV;
    assert_error(hmmsvm_device_limit(&device, &bytes, NULL), -ENODEV,
                 "device memory cannot be limited: " NO_MEMORY);
    module.error = 0;
    module.asked = 0;
    device.version.abi_minor = 1;
    assert_error(hmmsvm_device_limit(&device, &bytes, NULL), -ENOTSUP,
                 "the loaded module (0.0.7) knows no limits of device memory: load the one that was "
                 "installed with the library");
    assert_int_equal(module.asked, 0);

    /* As the environment has it. */
    assert_int_equal(memory_configure(&device), 0);
    device.config.memory_limit = 5;
    assert_int_equal(memory_configure(&device), -ENOTSUP);
    device.version.abi_minor = 2;
    assert_int_equal(memory_configure(&device), 0);
    assert_int_equal(module.limit.limit, 5 << 20);
    assert_int_equal(module.asked, 1);
}

/* ---- policies ---- */

static void policy(void **state)
{
    (void)state;
    assert_int_equal(hmmsvm_device_policy(&device, NULL, NULL), 0);
    assert_int_equal(module.asked, 0);
    assert_int_equal(hmmsvm_device_policy(&device, "touch", NULL), 0);
    assert_int_equal(module.choice.flags, HMMSVM_POLICY_SET_PLACEMENT);
    assert_string_equal(module.choice.placement, "touch");
    assert_int_equal(hmmsvm_device_policy(&device, NULL, "lru"), 0);
    assert_int_equal(module.choice.flags, HMMSVM_POLICY_SET_EVICTION);
    assert_string_equal(module.choice.eviction, "lru");
    assert_int_equal(hmmsvm_device_policy(&device, "adaptive", "fifo"), 0);
    assert_int_equal(module.choice.flags, 3);
    assert_int_equal(module.policies_asked, 0);
}

static void policy_errors(void **state)
{
    (void)state;
    assert_error(hmmsvm_device_policy(&device, "tuoch", "lru"), -EINVAL,
                 "there is no placement policy \"tuoch\": the module has remote, touch, adaptive");
    assert_error(hmmsvm_device_policy(&device, "touch", "mru"), -EINVAL,
                 "there is no eviction policy \"mru\": the module has fifo, lru");
    assert_error(hmmsvm_device_policy(&device, "touch-and-then-more", NULL), -EINVAL,
                 "there is no placement policy \"touch-and-then-more\": the module has remote, "
                 "touch, adaptive");
    module.error = EINVAL;
    assert_error(hmmsvm_device_policy(&device, "touch", "lru"), -EINVAL,
                 "the policy cannot be changed: Invalid argument");
    module.error = ENOTCONN;
    assert_error(hmmsvm_device_policy(&device, "touch", "lru"), -ENOTCONN,
                 "the policy cannot be changed: Transport endpoint is not connected");
}

static void tunable(void **state)
{
    int64_t value = 7;
    bool clamped;

    (void)state;
    assert_int_equal(hmmsvm_device_tunable(&device, "threshold", &value, false, &clamped), 0);
    assert_int_equal(module.tunable.flags, 0);
    assert_int_equal(module.tunable.value, 0);
    assert_int_equal(value, 42);
    assert_false(clamped);
    value = 99;
    assert_int_equal(hmmsvm_device_tunable(&device, "window_ms", &value, true, NULL), 0);
    assert_string_equal(module.tunable.name, "window_ms");
    assert_int_equal(module.tunable.flags, HMMSVM_TUNABLE_SET);
    assert_int_equal(module.tunable.value, 99);
    assert_int_equal(value, 99);
    value = 1000;
    assert_int_equal(hmmsvm_device_tunable(&device, "threshold", &value, true, &clamped), 0);
    assert_int_equal(value, 100);
    assert_true(clamped);
    assert_error(hmmsvm_device_tunable(&device, "treshold", &value, true, &clamped), -ENOENT,
                 "the placement policy has no tunable \"treshold\": it has threshold, window_ms");
    assert_error(hmmsvm_device_tunable(&device, "", &value, false, NULL), -ENOENT,
                 "the placement policy has no tunable \"\": it has threshold, window_ms");
    module.error = ESRCH;
    assert_error(hmmsvm_device_tunable(&device, "threshold", &value, false, NULL), -ESRCH,
                 "the tunable cannot be reached: No such process");
}

/* ---- the environment ---- */

/* Runs @f with standard error in a file, and returns what it wrote. */
static const char *stderr_of(void (*f)(void))
{
    static char text[16384];
    FILE *file = tmpfile();
    int old = dup(2);
    size_t n;

    assert_non_null(file);
    fflush(stderr);
    dup2(fileno(file), 2);
    f();
    fflush(stderr);
    dup2(old, 2);
    close(old);
    rewind(file);
    n = fread(text, 1, sizeof(text) - 1, file);
    text[n] = '\0';
    fclose(file);
    return text;
}

static int configured;

static void configure(void)
{
    configured = config_read(NULL, &device.config);
    if (!configured)
        configured = memory_configure(&device);
}

static void nothing_is_asked_for(void **state)
{
    (void)state;
    assert_string_equal(stderr_of(configure), "");
    assert_int_equal(configured, 0);
    assert_int_equal(module.asked, 0);
    /* Nor is it an error then that nothing can be. */
    device.version.abi_minor = 0;
    configure();
    assert_int_equal(configured, 0);
}

static void the_environment_is_carried_out(void **state)
{
    (void)state;
    setenv("HMMSVM_POLICY", "touch", 1);
    setenv("HMMSVM_EVICTION", "fifo", 1);
    setenv("HMMSVM_TUNABLES", "threshold=1000,window_ms=-3", 1);
    assert_string_equal(stderr_of(configure),
                        "hmmsvm: HMMSVM_TUNABLES: threshold=1000 is out of its limits, 1 to 100: "
                        "100 is taken\n");
    assert_int_equal(configured, 0);
    assert_string_equal(module.choice.placement, "touch");
    assert_string_equal(module.choice.eviction, "fifo");
    assert_string_equal(module.tunable.name, "window_ms");
    assert_int_equal(module.tunable.value, -3);
    assert_int_equal(module.asked, 3);
}

static void the_environment_is_wrong(void **state)
{
    (void)state;
    setenv("HMMSVM_POLICY", "x", 1);
    configure();
    assert_error(configured, -EINVAL,
                 "there is no placement policy \"x\": the module has remote, touch, adaptive");
    device.version.abi_minor = 0;
    configure();
    assert_int_equal(configured, -ENOTSUP);
    device.version.abi_minor = 1;
    unsetenv("HMMSVM_POLICY");
    setenv("HMMSVM_TUNABLES", "no=1", 1);
    configure();
    assert_error(configured, -ENOENT,
                 "the placement policy has no tunable \"no\": it has threshold, window_ms");
}

/* ---- residency, events ---- */

static void residency(void **state)
{
    struct hmmsvm_residency_block block[2];
    uint64_t start = 4096;
    uint32_t count = 2;

    (void)state;
    assert_int_equal(hmmsvm_device_residency(&device, &start, block, &count), 0);
    assert_int_equal(module.residency.start, 4096);
    assert_int_equal(module.residency.count, 2);
    assert_int_equal(count, 1);
    assert_int_equal(start, 0x400000);
    assert_int_equal(block[0].start, 0x200000);
    count = 1u << 20;
    assert_int_equal(hmmsvm_device_residency(&device, &start, block, &count), 0);
    assert_int_equal(module.residency.count, 4096);
    count = 0;
    assert_error(hmmsvm_device_residency(&device, &start, block, &count), -EINVAL,
                 "there is no room for a single block");
    module.error = ENOTCONN;
    count = 2;
    assert_error(hmmsvm_device_residency(&device, &start, block, &count), -ENOTCONN,
                 "the module does not say where memory is: Transport endpoint is not connected");
    assert_int_equal(count, 0);
}

static void events(void **state)
{
    struct hmmsvm_events out;

    (void)state;
    assert_int_equal(hmmsvm_device_events(&device, 4096, &out), 0);
    assert_int_equal(module.events.entries, 4096);
    assert_int_equal(out.fd, 77);
    assert_int_equal(out.bytes, 8192);
    assert_error(hmmsvm_device_events(&device, 129, &out), -EINVAL,
                 "an event ring of 129 entries: it has to be a power of two from 128 to 1048576");
    assert_int_equal(hmmsvm_device_events(&device, 64, &out), -EINVAL);
    assert_int_equal(hmmsvm_device_events(&device, 1 << 21, &out), -EINVAL);
    module.error = EBUSY;
    assert_error(hmmsvm_device_events(&device, 128, &out), -EBUSY,
                 "the device has four event rings, which is the most");
    assert_int_equal(out.fd, -1);
    module.error = EMFILE;
    assert_error(hmmsvm_device_events(&device, 128, &out), -EMFILE,
                 "no event ring: Too many open files");
}

/* A ring of 128 entries as a module would make it, whose entries have @entry_size bytes. */
static struct hmmsvm_event_ring *ring_make(uint32_t entry_size, struct hmmsvm_events *out)
{
    struct hmmsvm_event_ring *ring;

    out->bytes = 4096 + 128 * entry_size;
    out->fd = memfd_create("events", MFD_CLOEXEC);
    assert_true(out->fd >= 0);
    assert_int_equal(ftruncate(out->fd, (off_t)out->bytes), 0);
    ring = mmap(NULL, out->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, out->fd, 0);
    assert_true(ring != MAP_FAILED);
    ring->entries = 128;
    ring->entry_size = entry_size;
    ring->offset = 4096;
    return ring;
}

static void ring_write(struct hmmsvm_event_ring *ring, unsigned count)
{
    for (; count; count--) {
        struct hmmsvm_event *e = (void *)((char *)ring + ring->offset +
                                          ring->head % 128 * ring->entry_size);

        memset(e, 0xee, ring->entry_size);
        e->ns = ring->head++;
    }
}

static void reads_events(void **state)
{
    struct hmmsvm_event_reader *reader;
    struct hmmsvm_event got[200];
    struct hmmsvm_event_ring *ring;
    struct hmmsvm_events ev;
    uint64_t lost = 0;

    (void)state;
    ring = ring_make(48, &ev); /* of a module that knows more */
    assert_int_equal(hmmsvm_event_reader_open(&ev, &reader), 0);
    close(ev.fd);
    assert_int_equal(hmmsvm_event_reader_next(reader, got, 200, &lost), 0);
    ring_write(ring, 10);
    assert_int_equal(hmmsvm_event_reader_next(reader, got, 4, &lost), 4);
    assert_int_equal(got[3].ns, 3);
    assert_int_equal(hmmsvm_event_reader_next(reader, got, 200, &lost), 6);
    assert_int_equal(got[0].ns, 4);
    assert_int_equal(got[5].ns, 9);
    assert_int_equal(lost, 0);

    /* As many as surely are whole: one less than the ring holds. */
    ring_write(ring, 127);
    assert_int_equal(hmmsvm_event_reader_next(reader, got, 200, &lost), 127);
    assert_int_equal(got[0].ns, 10);
    assert_int_equal(lost, 0);
    ring_write(ring, 1128);
    assert_int_equal(hmmsvm_event_reader_next(reader, got, 200, &lost), 127);
    assert_int_equal(lost, 1001);
    assert_int_equal(got[0].ns, 137 + 1001);
    assert_int_equal(got[126].ns, 137 + 1127);
    assert_int_equal(hmmsvm_event_reader_next(reader, got, 200, NULL), 0);
    hmmsvm_event_reader_close(reader);
    munmap(ring, ev.bytes);
    hmmsvm_event_reader_close(NULL);
}

static struct hmmsvm_event_ring *busy_ring;

/* The module overwrites while the reader reads: only what is whole is passed on. */
static void *writes_on(void *arg)
{
    _Atomic bool *stop = arg;

    while (!*stop) {
        struct hmmsvm_event *e = (void *)((char *)busy_ring + 4096 + busy_ring->head % 128 * 32);

        __atomic_store_n(&e->ns, busy_ring->head, __ATOMIC_RELAXED);
        __atomic_store_n(&e->address, busy_ring->head * 3, __ATOMIC_RELAXED);
        __atomic_store_n(&busy_ring->head, busy_ring->head + 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void reads_while_it_is_written(void **state)
{
    struct hmmsvm_event_reader *reader;
    uint64_t lost = 0, next = 0, got = 0;
    struct hmmsvm_event batch[64];
    _Atomic bool stop = false;
    struct hmmsvm_events ev;
    pthread_t thread;

    (void)state;
    busy_ring = ring_make(32, &ev);
    assert_int_equal(hmmsvm_event_reader_open(&ev, &reader), 0);
    assert_int_equal(pthread_create(&thread, NULL, writes_on, &stop), 0);
    for (int i = 0; i < 200000; i++) {
        uint64_t before = lost;
        size_t n = hmmsvm_event_reader_next(reader, batch, 64, &lost);

        next += lost - before;
        for (size_t k = 0; k < n; k++, next++)
            if (batch[k].ns != next || batch[k].address != next * 3)
                fail_msg("event %lu is said to be %lu", batch[k].ns, next);
        got += n;
    }
    stop = true;
    pthread_join(thread, NULL);
    for (size_t n = 1; n; got += n)
        n = hmmsvm_event_reader_next(reader, batch, 64, &lost);
    assert_int_equal(got + lost, busy_ring->head);
    hmmsvm_event_reader_close(reader);
    munmap(busy_ring, ev.bytes);
    close(ev.fd);
}

static void rings_that_are_none(void **state)
{
    struct hmmsvm_event_reader *reader = (void *)1;
    struct hmmsvm_event_ring *ring, good;
    struct hmmsvm_events ev;

    (void)state;
    ring = ring_make(32, &ev);
    good = *ring;
#define BAD(field, value)                                                                          \
    ring->field = (value);                                                                         \
    assert_error(hmmsvm_event_reader_open(&ev, &reader), -EPROTO,                                  \
                 "the event ring is none that this library can read");                             \
    assert_null(reader);                                                                           \
    *ring = good
    BAD(entries, 0);
    BAD(entries, 127);
    BAD(entries, 256);
    BAD(entry_size, 0);
    BAD(entry_size, 33);
    BAD(entry_size, 40);
    BAD(offset, 4097);
    BAD(offset, 1 << 20);
    munmap(ring, ev.bytes);
    close(ev.fd);
    ev.fd = -1;
    assert_error(hmmsvm_event_reader_open(&ev, &reader), -EBADF,
                 "cannot map the event ring: Bad file descriptor");
}

/* ---- the event log ---- */

static void event_lines(void **state)
{
    struct hmmsvm_event e = {.ns = 123, .address = 0x7f0000001000, .pages = 16, .type = 1,
                             .flags = 15, .tid = 77, .took_ns = 4200};
    char line[160];
    size_t n;

    (void)state;
    n = event_log_line(line, &e);
    assert_int_equal(n, strlen(line));
    assert_string_equal(line, "123,device-fault,0x7f0000001000,16,write|remote|huge|sampled,77,"
                              "4200\n");
    memset(&e, 0xff, sizeof(e));
    n = event_log_line(line, &e);
    assert_int_equal(n, strlen(line));
    assert_string_equal(line, "18446744073709551615,65535,0xffffffffffffffff,4294967295,"
                              "write|remote|huge|sampled,4294967295,4294967295\n");
    e = (struct hmmsvm_event){.type = HMMSVM_EVENT_EVICT};
    event_log_line(line, &e);
    assert_string_equal(line, "0,evict,0x0,0,,0,0\n");
}

/* From the module's ring to the file, loss included. */
static void event_log(void **state)
{
    char path[] = "/tmp/hmmsvm-unit-XXXXXX", name[64], text[256];
    static const char begin3[] = "ns,type,address,pages,flags,tid,took_ns\n3,lost,0x0,3,,0,0\n3,";
    static const char begin4[] = "ns,type,address,pages,flags,tid,took_ns\n4,lost,0x0,4,,0,0\n4,";
    struct hmmsvm_event_ring *ring;
    FILE *file;
    size_t n;

    (void)state;
    assert_true(mkdtemp(path) != NULL);
    snprintf(name, sizeof(name), "%s/%%p.csv", path);
    device.config.events = name;
    ring = ring_make(32, &ring_answer);
    ring_answer.fd = dup(ring_answer.fd); /* the log closes it */
    ring_write(ring, 130);
    assert_int_equal(event_log_start(&device), 0);
    assert_int_equal(module.events.entries, 65536);
    ring_write(ring, 1);
    event_log_stop(&device);
    assert_null(device.event_log);
    event_log_stop(&device);
    snprintf(name, sizeof(name), "%s/%d.csv", path, (int)getpid());
    file = fopen(name, "r");
    assert_non_null(file);
    n = fread(text, 1, sizeof(text) - 1, file);
    text[n] = '\0';
    fclose(file);
    /* The thread may have been there before the last one was written, or not. */
    if (strncmp(text, begin3, strlen(begin3)) && strncmp(text, begin4, strlen(begin4)))
        fail_msg("the log begins with %s", text);
    unlink(name);
    rmdir(path);
    munmap(ring, ring_answer.bytes);
    memset(&ring_answer, 0, sizeof(ring_answer));
}

static void event_log_errors(void **state)
{
    (void)state;
    device.config.events = "/nowhere/events";
    assert_error(event_log_start(&device), -ENOENT,
                 "HMMSVM_EVENTS: cannot write /nowhere/events: No such file or directory");
    assert_int_equal(module.asked, 0);
    device.config.events = "/dev/null";
    module.error = EBUSY;
    assert_error(event_log_start(&device), -EBUSY,
                 "the device has four event rings, which is the most");
    device.version.abi_minor = 0;
    assert_int_equal(event_log_start(&device), -ENOTSUP);
    assert_null(device.event_log);
}

/* ---- the summary ---- */

static void print(void)
{
    stats_print(&device);
}

#define TEXT_MIRROR                                                                                \
    "hmmsvm: kernel: made \"up\"\n"                                                                \
    "hmmsvm:   7 launches (2 failed), 9 work-groups on 4 workers, 1 resets\n"                      \
    "hmmsvm:   device faults         1000  (2000 writes, 5000 failed, 4000 started over), "        \
    "0.013 ms\n"                                                                                   \
    "hmmsvm:   pages mirrored        6000  (7000 writable, 8000 upgraded, 9000 ahead of use, "     \
    "3000 brought in first)\n"                                                                     \
    "hmmsvm:   invalidations        10000  (11000 took pages away), 12000 GiB watched\n"

#define TEXT_MEMORY                                                                                \
    "hmmsvm:   device memory         54.7 MiB of 256.0 on node 1 (58.6 at most), "                 \
    "16000 pages mirrored there, 17000 huge mirrored\n"                                            \
    "hmmsvm:   to the device         82.0 MiB  (21000 pages in 20000 migrations, "                 \
    "22000 not copied, 28000 huge, 27000 refaults), 0.030 ms\n"                                    \
    "hmmsvm:   to the system         89.8 MiB  (23000 pages: 24000 for CPU faults, "               \
    "25000 in 26000 evictions, 38000 of them for others; 29000 huge)\n"                            \
    "hmmsvm:   CPU faults           18000  0.019 ms\n"                                             \
    "hmmsvm:   did not move         96000 pages  (31000 no room, 40000 of them within a limit, "   \
    "32000 no system memory, "                                                                     \
    "33000 busy), 34000 faults on files and the like\n"                                            \
    "hmmsvm:   policy               35000 errors, 36000 blocks withdrawn to see accesses, "        \
    "37000 seen\n"

static void summary(enum stats_format format, const char *expected)
{
    atomic_store(&device.launches, 7);
    atomic_store(&device.failures, 2);
    atomic_store(&device.groups, 9);
    device.resets = 1;
    device.config.stats = format;
    assert_string_equal(stderr_of(print), expected);
}

static void text_summary(void **state)
{
    (void)state;
    summary(STATS_TEXT, TEXT_MIRROR TEXT_MEMORY);
    summary(STATS_OFF, "");
}

static void text_summary_without_device_memory(void **state)
{
    (void)state;
    device.version.features = HMMSVM_FEATURE_MIRROR;
    summary(STATS_TEXT, TEXT_MIRROR);
    /* And with a module that knows of none. */
    device.version.abi_minor = 0;
    summary(STATS_TEXT, TEXT_MIRROR);
}

#define JSON_MIRROR                                                                                \
    "{\"hmmsvm\":1,\"mode\":\"kernel\",\"reason\":\"kernel: made \\\"up\\\"\",\"workers\":4,\"extra_workers\":0,"      \
    "\"launches\":7,\"failures\":2,\"groups\":9,\"resets\":1,\"device_faults\":1000,"              \
    "\"device_write_faults\":2000,\"app_faults\":3000,\"retries\":4000,\"failed_faults\":5000,"    \
    "\"pages_mirrored\":6000,\"pages_writable\":7000,\"pages_upgraded\":8000,"                     \
    "\"pages_populated\":9000,\"invalidations\":10000,\"invalidations_zapped\":11000,"             \
    "\"ranges\":12000,\"fault_ns\":13000"

static void json_summary(void **state)
{
    (void)state;
    summary(STATS_JSON,
            JSON_MIRROR ",\"device_pages\":14000,\"device_pages_peak\":15000,"
            "\"pages_mirrored_device\":16000,\"huge_mirrored\":17000,\"cpu_faults\":18000,"
            "\"cpu_fault_ns\":19000,\"migrations_to_device\":20000,\"pages_to_device\":21000,"
            "\"pages_zeroed\":22000,\"pages_to_system\":23000,\"pages_to_system_cpu\":24000,"
            "\"pages_to_system_evicted\":25000,\"evictions\":26000,\"refaults\":27000,"
            "\"huge_to_device\":28000,\"huge_to_system\":29000,\"migrate_ns\":30000,"
            "\"failed_no_memory\":31000,\"failed_no_system_memory\":32000,\"failed_busy\":33000,"
            "\"failed_kind\":34000,\"policy_errors\":35000,\"withdrawals\":36000,"
            "\"sampled_faults\":37000,\"evictions_by_others\":38000,\"evictions_limit\":39000,"
            "\"failed_limit\":40000,\"device_pages_charged\":41000,\"device_pages_limit\":42000,"
            "\"device_pages_share\":43000,\"device_bytes\":268435456,\"device_node\":1}\n");
    device.version.features = HMMSVM_FEATURE_MIRROR;
    summary(STATS_JSON, JSON_MIRROR "}\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(direct_mode, setup),
        cmocka_unit_test_setup(an_older_module, setup),
        cmocka_unit_test_setup(a_forked_child, setup),
        cmocka_unit_test_setup(migrate, setup),
        cmocka_unit_test_setup(migrate_errors, setup),
        cmocka_unit_test_setup(advise, setup),
        cmocka_unit_test_setup(memory, setup),
        cmocka_unit_test_setup(limit, setup),
        cmocka_unit_test_setup(policy, setup),
        cmocka_unit_test_setup(policy_errors, setup),
        cmocka_unit_test_setup(tunable, setup),
        cmocka_unit_test_setup(nothing_is_asked_for, setup),
        cmocka_unit_test_setup(the_environment_is_carried_out, setup),
        cmocka_unit_test_setup(the_environment_is_wrong, setup),
        cmocka_unit_test_setup(residency, setup),
        cmocka_unit_test_setup(events, setup),
        cmocka_unit_test_setup(reads_events, setup),
        cmocka_unit_test_setup(reads_while_it_is_written, setup),
        cmocka_unit_test_setup(rings_that_are_none, setup),
        cmocka_unit_test_setup(event_lines, setup),
        cmocka_unit_test_setup(event_log, setup),
        cmocka_unit_test_setup(event_log_errors, setup),
        cmocka_unit_test_setup(text_summary, setup),
        cmocka_unit_test_setup(text_summary_without_device_memory, setup),
        cmocka_unit_test_setup(json_summary, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
