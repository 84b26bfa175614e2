/* SPDX-License-Identifier: MIT */
/*
 * The summary of HMMSVM_STATS, on stderr when a device is closed or the
 * process ends: for people (1) or one line of JSON (json).
 *
 * Locking: none; the counters are read as they are.
 */
#include <inttypes.h>
#include <stdio.h>

#include "counters.h"
#include "internal.h"

/* Copies a string as the inside of a JSON string. */
static void stats_quote(char *out, size_t size, const char *in)
{
    size_t n = 0;

    for (; *in && n + 7 < size; in++) {
        unsigned char c = (unsigned char)*in;

        if (c == '"' || c == '\\') {
            out[n++] = '\\';
            out[n++] = (char)c;
        } else if (c < 0x20) {
            n += (size_t)snprintf(out + n, size - n, "\\u%04x", c);
        } else {
            out[n++] = (char)c;
        }
    }
    out[n] = '\0';
}

/* How many workers were added because groups waited for each other. */
static unsigned stats_extra(const struct hmmsvm_device *dev)
{
    return dev->ring ? atomic_load(&dev->ring->extra) : 0;
}

static void stats_json(struct hmmsvm_device *dev, const struct hmmsvm_stats *s, bool mirror,
                       const struct hmmsvm_memory *memory)
{
    char reason[2 * sizeof(dev->reason)], line[4096];
    int n;

    stats_quote(reason, sizeof(reason), dev->reason);
    n = snprintf(line, sizeof(line),
                 "{\"hmmsvm\":1,\"mode\":\"%s\",\"reason\":\"%s\",\"workers\":%u,"
                 "\"extra_workers\":%u,\"launches\":%" PRIu64 ",\"failures\":%" PRIu64 ",\"groups\":%" PRIu64
                 ",\"resets\":%u",
                 hmmsvm_mode_name(dev->mode), reason, dev->config.workers,
                 stats_extra(dev), atomic_load(&dev->launches), atomic_load(&dev->failures),
                 atomic_load(&dev->groups), dev->resets);
/* A name has at most 23 characters and a number 20: less than 2 KiB in all. */
#define FIELD(name)                                                                                \
    n += snprintf(line + n, sizeof(line) - (size_t)n, ",\"" #name "\":%" PRIu64, (uint64_t)s->name);
    if (mirror) {
        MIRROR_COUNTERS(FIELD)
    }
    if (memory) {
        MEMORY_COUNTERS(FIELD)
        snprintf(line + n, sizeof(line) - (size_t)n,
                 ",\"device_bytes\":%" PRIu64 ",\"device_node\":%d", (uint64_t)memory->bytes,
                 memory->node);
    }
#undef FIELD
    fprintf(stderr, "%s}\n", line);
}

static double mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

/* What device memory adds to the summary. */
static void stats_text_memory(struct hmmsvm_device *dev, const struct hmmsvm_stats *s,
                              const struct hmmsvm_memory *memory)
{
    const uint64_t page = dev->version.page_size;
    char node[32] = "";

    if (memory->node >= 0)
        snprintf(node, sizeof(node), " on node %d", memory->node);
    fprintf(stderr,
            "hmmsvm:   device memory   %10.1f MiB of %.1f%s (%.1f at most), %" PRIu64
            " pages mirrored there, %" PRIu64 " huge mirrored\n",
            mib(s->device_pages * page), mib(memory->bytes), node,
            mib(s->device_pages_peak * page), (uint64_t)s->pages_mirrored_device,
            (uint64_t)s->huge_mirrored);
    fprintf(stderr,
            "hmmsvm:   to the device   %10.1f MiB  (%" PRIu64 " pages in %" PRIu64
            " migrations, %" PRIu64 " not copied, %" PRIu64 " huge, %" PRIu64
            " refaults), %.3f ms\n",
            mib(s->pages_to_device * page), (uint64_t)s->pages_to_device,
            (uint64_t)s->migrations_to_device, (uint64_t)s->pages_zeroed,
            (uint64_t)s->huge_to_device, (uint64_t)s->refaults, (double)s->migrate_ns / 1e6);
    fprintf(stderr,
            "hmmsvm:   to the system   %10.1f MiB  (%" PRIu64 " pages: %" PRIu64
            " for CPU faults, %" PRIu64 " in %" PRIu64 " evictions, %" PRIu64
            " of them for others; %" PRIu64 " huge)\n",
            mib(s->pages_to_system * page), (uint64_t)s->pages_to_system,
            (uint64_t)s->pages_to_system_cpu, (uint64_t)s->pages_to_system_evicted,
            (uint64_t)s->evictions, (uint64_t)s->evictions_by_others,
            (uint64_t)s->huge_to_system);
    fprintf(stderr, "hmmsvm:   CPU faults      %10" PRIu64 "  %.3f ms\n", (uint64_t)s->cpu_faults,
            (double)s->cpu_fault_ns / 1e6);
    fprintf(stderr,
            "hmmsvm:   did not move    %10" PRIu64 " pages  (%" PRIu64 " no room, %" PRIu64
            " of them within a limit, %" PRIu64 " no system memory, %" PRIu64 " busy), %" PRIu64 " faults on files and the like\n",
            (uint64_t)(s->failed_no_memory + s->failed_no_system_memory + s->failed_busy),
            (uint64_t)s->failed_no_memory, (uint64_t)s->failed_limit,
            (uint64_t)s->failed_no_system_memory, (uint64_t)s->failed_busy, (uint64_t)s->failed_kind);
    fprintf(stderr,
            "hmmsvm:   policy          %10" PRIu64 " errors, %" PRIu64
            " blocks withdrawn to see accesses, %" PRIu64 " seen\n",
            (uint64_t)s->policy_errors, (uint64_t)s->withdrawals, (uint64_t)s->sampled_faults);
}

static void stats_text(struct hmmsvm_device *dev, const struct hmmsvm_stats *s, bool mirror,
                       const struct hmmsvm_memory *memory)
{
    char more[32] = "";

    if (stats_extra(dev))
        snprintf(more, sizeof(more), " and %u more", stats_extra(dev));
    fprintf(stderr,
            "hmmsvm: %s\n"
            "hmmsvm:   %" PRIu64 " launches (%" PRIu64 " failed), %" PRIu64
            " work-groups on %u workers%s, %u resets\n",
            dev->reason, atomic_load(&dev->launches), atomic_load(&dev->failures),
            atomic_load(&dev->groups), dev->config.workers, more, dev->resets);
    if (!mirror) {
        fprintf(stderr, "hmmsvm:   no mirror%s\n",
                dev->mode == HMMSVM_MODE_DIRECT ? " in direct mode" : "'s counters to be had");
        return;
    }
    fprintf(stderr,
            "hmmsvm:   device faults   %10" PRIu64 "  (%" PRIu64 " writes, %" PRIu64
            " failed, %" PRIu64 " started over), %.3f ms\n",
            (uint64_t)s->device_faults, (uint64_t)s->device_write_faults,
            (uint64_t)s->failed_faults, (uint64_t)s->retries, (double)s->fault_ns / 1e6);
    fprintf(stderr,
            "hmmsvm:   pages mirrored  %10" PRIu64 "  (%" PRIu64 " writable, %" PRIu64
            " upgraded, %" PRIu64 " ahead of use, %" PRIu64 " brought in first)\n",
            (uint64_t)s->pages_mirrored, (uint64_t)s->pages_writable, (uint64_t)s->pages_upgraded,
            (uint64_t)s->pages_populated, (uint64_t)s->app_faults);
    fprintf(stderr,
            "hmmsvm:   invalidations   %10" PRIu64 "  (%" PRIu64
            " took pages away), %" PRIu64 " GiB watched\n",
            (uint64_t)s->invalidations, (uint64_t)s->invalidations_zapped, (uint64_t)s->ranges);
    if (memory)
        stats_text_memory(dev, s, memory);
}

/* Prints what HMMSVM_STATS asks for. */
void stats_print(struct hmmsvm_device *dev)
{
    const struct hmmsvm_memory *memory = NULL;
    struct hmmsvm_memory m;
    struct hmmsvm_stats s;
    bool mirror;

    if (dev->config.stats == STATS_OFF)
        return;
    mirror = !hmmsvm_device_stats(dev, &s);
    if (mirror && dev->version.features & HMMSVM_FEATURE_DEVICE_MEMORY &&
        !hmmsvm_device_memory(dev, &m))
        memory = &m;
    if (dev->config.stats == STATS_JSON)
        stats_json(dev, &s, mirror, memory);
    else
        stats_text(dev, &s, mirror, memory);
}
