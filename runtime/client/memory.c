/* SPDX-License-Identifier: MIT */
/*
 * Device memory: what there is, moving memory there and back, advice, the
 * policies that move it unasked, where memory is now, and the event ring.
 *
 * All of it is the module's; what is added here are the words for what went
 * wrong. A module older than these requests still mirrors: then, as in direct
 * mode, they are -ENOTSUP and nothing else changes.
 *
 * Locking: none. An event reader belongs to one thread at a time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

#define MEMORY_MINOR 1 /* of the ABI, which brought all of this */
#define LIMIT_MINOR 2u /* limits */

struct hmmsvm_event_reader {
    const struct hmmsvm_event_ring *ring;
    size_t bytes;
    uint64_t next; /* number of the next event to read */
    uint32_t entries, entry_size;
    const uint8_t *first;
};

/* Whether the device can be asked; sets the error if not. */
static int memory_ready(struct hmmsvm_device *dev)
{
    if (!device_usable(dev))
        return -ENODEV;
    if (dev->mode == HMMSVM_MODE_DIRECT)
        return error_set(-ENOTSUP, "there is no device memory in direct mode");
    if (dev->version.abi_minor < MEMORY_MINOR)
        return error_set(-ENOTSUP, "the loaded module (%s) speaks ABI %u.%u and knows no device "
                         "memory, which came with %u.%u: load the module that was installed with "
                         "the library", dev->version.release, dev->version.abi_major,
                         dev->version.abi_minor, HMMSVM_ABI_MAJOR, MEMORY_MINOR);
    return 0;
}

/* Keeps words for an error that each of these requests may meet. */
static int memory_error(int err, const char *what)
{
    if (err == -ENODEV)
        return error_set(err, "%s: the module has no device memory (it is loaded with devmem_mb= "
                         "or devmem_range=, which `hmmsvm load` sets; its kernel log says why it has none)",
                         what);
    if (err == -EPERM)
        return error_set(err, "%s: only the process that opened the device may do that", what);
    return error_set(err, "%s: %s", what, strerror(-err));
}

/* Whether [@start, @start + @length) is a range of addresses; sets the error if not. */
static int memory_check_range(const void *start, size_t length)
{
    if ((uintptr_t)start + length < (uintptr_t)start)
        return error_set(-EINVAL, "%p and %zu bytes from there are no range of addresses", start,
                         length);
    return 0;
}

HMMSVM_API int hmmsvm_device_migrate(struct hmmsvm_device *dev, const void *start, size_t length,
                                     unsigned flags, struct hmmsvm_migrate *out)
{
    struct hmmsvm_migrate migrate = {
        .size = sizeof(migrate),
        .flags = flags,
        .start = (uintptr_t)start,
        .length = length,
    };
    int err;

    if (out)
        *out = migrate;
    err = memory_ready(dev);
    if (err)
        return err;
    if (flags != HMMSVM_MIGRATE_TO_DEVICE && flags != HMMSVM_MIGRATE_TO_SYSTEM)
        return error_set(-EINVAL, "migration with flags 0x%x: they have to be "
                         "HMMSVM_MIGRATE_TO_DEVICE or HMMSVM_MIGRATE_TO_SYSTEM", flags);
    err = memory_check_range(start, length);
    if (err || !length)
        return err;
    err = device_ioctl(dev->fd, HMMSVM_IOC_MIGRATE, &migrate);
    if (out)
        *out = migrate;
    if (err == -EFAULT)
        return error_set(err, "a part of the %zu bytes from %p on is not mapped; what is was moved",
                         length, start);
    return err ? memory_error(err, "memory cannot be moved") : 0;
}

HMMSVM_API int hmmsvm_device_advise(struct hmmsvm_device *dev, const void *start, size_t length,
                                    unsigned set, unsigned clear)
{
    const unsigned both = HMMSVM_ADVICE_DEVICE | HMMSVM_ADVICE_SYSTEM;
    struct hmmsvm_advise advise = {
        .size = sizeof(advise),
        .set = set,
        .clear = clear,
        .start = (uintptr_t)start,
        .length = length,
    };
    int err = memory_ready(dev);

    if (err)
        return err;
    if (set & ~(both | HMMSVM_ADVICE_READ_MOSTLY) || (set & both) == both)
        return error_set(-EINVAL, "advice 0x%x: it has to be HMMSVM_ADVICE_* bits, and not both "
                         "DEVICE and SYSTEM", set);
    err = memory_check_range(start, length);
    if (err || !length)
        return err;
    err = device_ioctl(dev->fd, HMMSVM_IOC_ADVISE, &advise);
    if (err == -ENOSPC)
        return error_set(err, "there is advice for 65536 ranges, which is the most: clear some");
    return err ? memory_error(err, "advice is not taken") : 0;
}

HMMSVM_API int hmmsvm_device_memory(struct hmmsvm_device *dev, struct hmmsvm_memory *out)
{
    int err;

    *out = (struct hmmsvm_memory){.size = sizeof(*out), .index = dev->config.memory};
    err = memory_ready(dev);
    if (err)
        return err;
    err = device_ioctl(dev->fd, HMMSVM_IOC_MEMORY, out);
    return err ? memory_error(err, "device memory cannot be described") : 0;
}

HMMSVM_API int hmmsvm_device_limit(struct hmmsvm_device *dev, const uint64_t *bytes,
                                   struct hmmsvm_limit *out)
{
    struct hmmsvm_limit limit = {
        .size = sizeof(limit),
        .flags = bytes ? HMMSVM_LIMIT_SET : 0,
        .limit = bytes ? *bytes : 0,
    };
    int err = memory_ready(dev);

    if (!err && dev->version.abi_minor < LIMIT_MINOR)
        err = error_set(-ENOTSUP, "the loaded module (%s) knows no limits of device memory: load "
                        "the one that was installed with the library", dev->version.release);
    if (!err) {
        err = device_ioctl(dev->fd, HMMSVM_IOC_LIMIT, &limit);
        if (err)
            err = memory_error(err, "device memory cannot be limited");
    }
    if (out)
        *out = limit;
    return err;
}

/* ---- policies --------------------------------------------------------------- */

/* Appends "@name" to a list of names, as far as there is room. */
static void names_add(char *list, size_t size, const char *name, size_t max)
{
    size_t n = strlen(list);

    snprintf(list + n, size - n, "%s%.*s", n ? ", " : "", (int)max, name);
}

/* The names of all policies of a kind; true if @name is among them. */
static bool policy_names(struct hmmsvm_device *dev, uint32_t kind, const char *name, char *list,
                         size_t size)
{
    bool found = false;

    *list = '\0';
    for (uint32_t i = 0; i < 64; i++) {
        struct hmmsvm_policy_info info = {.size = sizeof(info), .kind = kind, .index = i};

        if (device_ioctl(dev->fd, HMMSVM_IOC_POLICY_INFO, &info))
            break;
        found |= !strncmp(info.name, name, sizeof(info.name));
        names_add(list, size, info.name, sizeof(info.name));
    }
    return found;
}

/* Says that there is no such policy; 0 if there is. */
static int policy_unknown(struct hmmsvm_device *dev, uint32_t kind, const char *name)
{
    char list[512];

    if (!name || policy_names(dev, kind, name, list, sizeof(list)))
        return 0;
    return error_set(-EINVAL, "there is no %s policy \"%s\": the module has %s",
                     kind == HMMSVM_POLICY_PLACEMENT ? "placement" : "eviction", name,
                     *list ? list : "none");
}

/* Sets one of the names; one that is too long is not cut, as another might have that name. */
static bool policy_put(char *to, const char *name)
{
    if (strlen(name) >= HMMSVM_POLICY_NAME)
        return false;
    strcpy(to, name);
    return true;
}

HMMSVM_API int hmmsvm_device_policy(struct hmmsvm_device *dev, const char *placement,
                                    const char *eviction)
{
    struct hmmsvm_policy_choice choice = {.size = sizeof(choice)};
    bool fit = true;
    int err = memory_ready(dev);

    if (err)
        return err;
    if (placement) {
        choice.flags |= HMMSVM_POLICY_SET_PLACEMENT;
        fit &= policy_put(choice.placement, placement);
    }
    if (eviction) {
        choice.flags |= HMMSVM_POLICY_SET_EVICTION;
        fit &= policy_put(choice.eviction, eviction);
    }
    if (!choice.flags)
        return 0;
    err = fit ? device_ioctl(dev->fd, HMMSVM_IOC_POLICY, &choice) : -EINVAL;
    if (err == -EINVAL) {
        err = policy_unknown(dev, HMMSVM_POLICY_PLACEMENT, placement);
        if (!err)
            err = policy_unknown(dev, HMMSVM_POLICY_EVICTION, eviction);
        if (err)
            return err;
        err = -EINVAL;
    }
    return err ? memory_error(err, "the policy cannot be changed") : 0;
}

/* Asks for or sets a tunable; @tunable holds the answer. */
static int tunable_request(struct hmmsvm_device *dev, const char *name, bool set, int64_t value,
                           struct hmmsvm_tunable_value *tunable)
{
    char list[1024] = "";
    int err = -ENOENT;

    *tunable = (struct hmmsvm_tunable_value){
        .size = sizeof(*tunable),
        .flags = set ? HMMSVM_TUNABLE_SET : 0,
        .value = set ? value : 0,
    };
    /* No name would stand for the first one. */
    if (*name && strlen(name) < sizeof(tunable->name)) {
        strcpy(tunable->name, name);
        err = device_ioctl(dev->fd, HMMSVM_IOC_TUNABLE, tunable);
    }
    if (err != -ENOENT)
        return err ? memory_error(err, "the tunable cannot be reached") : 0;

    for (uint32_t i = 0; i < 64; i++) {
        struct hmmsvm_tunable_value other = {.size = sizeof(other), .index = i};

        if (device_ioctl(dev->fd, HMMSVM_IOC_TUNABLE, &other))
            break;
        names_add(list, sizeof(list), other.name, sizeof(other.name));
    }
    return error_set(-ENOENT, "the placement policy has no tunable \"%s\": it has %s", name,
                     *list ? list : "none");
}

HMMSVM_API int hmmsvm_device_tunable(struct hmmsvm_device *dev, const char *name, int64_t *value,
                                     bool set, bool *clamped)
{
    struct hmmsvm_tunable_value tunable;
    int err = memory_ready(dev);

    if (clamped)
        *clamped = false;
    if (!err)
        err = tunable_request(dev, name, set, *value, &tunable);
    if (err)
        return err;
    *value = tunable.value;
    if (clamped)
        *clamped = tunable.clamped;
    return 0;
}

/* Carries out what the environment says of limits and policies; once, when the device is opened. */
int memory_configure(struct hmmsvm_device *dev)
{
    const struct config *config = &dev->config;
    const uint64_t limit = (uint64_t)config->memory_limit << 20;
    int err;

    if (!config->placement && !config->eviction && !config->nr_tunables &&
        config->memory_limit == NO_MEMORY_LIMIT)
        return 0;
    err = memory_ready(dev);
    if (!err && config->memory_limit != NO_MEMORY_LIMIT)
        err = hmmsvm_device_limit(dev, &limit, NULL);
    if (!err)
        err = hmmsvm_device_policy(dev, config->placement, config->eviction);
    for (unsigned i = 0; !err && i < config->nr_tunables; i++) {
        const struct config_tunable *asked = &config->tunables[i];
        struct hmmsvm_tunable_value got;

        err = tunable_request(dev, asked->name, true, asked->value, &got);
        if (!err && got.clamped)
            fprintf(stderr, "hmmsvm: HMMSVM_TUNABLES: %s=%" PRId64 " is out of its limits, %" PRId64
                    " to %" PRId64 ": %" PRId64 " is taken\n", asked->name, asked->value,
                    (int64_t)got.min, (int64_t)got.max, (int64_t)got.value);
    }
    return err;
}

/* ---- where memory is ----------------------------------------------------------- */

HMMSVM_API int hmmsvm_device_residency(struct hmmsvm_device *dev, uint64_t *start,
                                       struct hmmsvm_residency_block *blocks, uint32_t *count)
{
    struct hmmsvm_residency residency = {
        .size = sizeof(residency),
        .start = *start,
        .count = *count < HMMSVM_RESIDENCY_MAX ? *count : HMMSVM_RESIDENCY_MAX,
        .blocks = (uintptr_t)blocks,
    };
    int err = memory_ready(dev);

    *count = 0;
    if (!err && !residency.count)
        err = error_set(-EINVAL, "there is no room for a single block");
    if (err)
        return err;
    err = device_ioctl(dev->fd, HMMSVM_IOC_RESIDENCY, &residency);
    if (err)
        return memory_error(err, "the module does not say where memory is");
    *start = residency.start;
    *count = residency.count;
    return 0;
}

/* ---- the event ring ---------------------------------------------------------------- */

HMMSVM_API int hmmsvm_device_events(struct hmmsvm_device *dev, uint32_t entries,
                                    struct hmmsvm_events *out)
{
    int err;

    *out = (struct hmmsvm_events){.size = sizeof(*out), .entries = entries, .fd = -1};
    err = memory_ready(dev);
    if (err)
        return err;
    if (entries < 128 || entries > 1u << 20 || entries & (entries - 1))
        return error_set(-EINVAL, "an event ring of %u entries: it has to be a power of two from "
                         "128 to 1048576", entries);
    err = device_ioctl(dev->fd, HMMSVM_IOC_EVENTS, out);
    if (!err)
        return 0;
    out->fd = -1;
    if (err == -EBUSY)
        return error_set(err, "the device has four event rings, which is the most");
    return memory_error(err, "no event ring");
}

HMMSVM_API int hmmsvm_event_reader_open(const struct hmmsvm_events *events,
                                        struct hmmsvm_event_reader **out)
{
    struct hmmsvm_event_reader *reader = calloc(1, sizeof(*reader));
    const struct hmmsvm_event_ring *ring;
    int err;

    *out = NULL;
    if (!reader)
        return error_set(-ENOMEM, "no memory for an event reader");
    ring = mmap(NULL, events->bytes, PROT_READ, MAP_SHARED, events->fd, 0);
    if (ring == MAP_FAILED) {
        err = -errno;
        free(reader);
        return error_set(err, "cannot map the event ring: %s", strerror(-err));
    }
    madvise((void *)(uintptr_t)ring, events->bytes, MADV_DONTFORK);
    if (events->bytes < sizeof(*ring) || !ring->entries || ring->entries & (ring->entries - 1) ||
        !ring->entry_size || ring->entry_size % 8 || ring->offset % 8 ||
        ring->offset > events->bytes ||
        (events->bytes - ring->offset) / ring->entry_size < ring->entries) {
        munmap((void *)(uintptr_t)ring, events->bytes);
        free(reader);
        return error_set(-EPROTO, "the event ring is none that this library can read");
    }
    *reader = (struct hmmsvm_event_reader){
        .ring = ring,
        .bytes = events->bytes,
        .entries = ring->entries,
        .entry_size = ring->entry_size,
        .first = (const uint8_t *)ring + ring->offset,
    };
    *out = reader;
    return 0;
}

/* Counts the events below number @oldest as lost. */
static void reader_skip(struct hmmsvm_event_reader *reader, uint64_t oldest, uint64_t *lost)
{
    if (reader->next >= oldest)
        return;
    if (lost)
        *lost += oldest - reader->next;
    reader->next = oldest;
}

/* The oldest event that is whole when @head were written. */
static uint64_t reader_oldest(const struct hmmsvm_event_reader *reader, uint64_t head)
{
    return head >= reader->entries ? head - reader->entries + 1 : 0;
}

HMMSVM_API size_t hmmsvm_event_reader_next(struct hmmsvm_event_reader *reader,
                                           struct hmmsvm_event *events, size_t count,
                                           uint64_t *lost)
{
    const size_t size = reader->entry_size < sizeof(*events) ? reader->entry_size : sizeof(*events);
    uint64_t head = __atomic_load_n(&reader->ring->head, __ATOMIC_ACQUIRE), begin, oldest;
    size_t n = 0, torn;

    reader_skip(reader, reader_oldest(reader, head), lost);
    begin = reader->next;
    for (; n < count && begin + n < head; n++) {
        uint64_t at = (begin + n) & (reader->entries - 1);

        /* A module that knows less fills in less. */
        memset(&events[n], 0, sizeof(*events));
        memcpy(&events[n], reader->first + at * reader->entry_size, size);
    }
    /* What was overwritten meanwhile is not passed on. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    oldest = reader_oldest(reader, __atomic_load_n(&reader->ring->head, __ATOMIC_RELAXED));
    torn = oldest <= begin ? 0 : oldest - begin < n ? (size_t)(oldest - begin) : n;
    memmove(events, events + torn, (n - torn) * sizeof(*events));
    if (lost)
        *lost += torn;
    reader->next = begin + n;
    return n - torn;
}

HMMSVM_API void hmmsvm_event_reader_close(struct hmmsvm_event_reader *reader)
{
    if (!reader)
        return;
    munmap((void *)(uintptr_t)reader->ring, reader->bytes);
    free(reader);
}
