/* SPDX-License-Identifier: MIT */
/*
 * The summary of HMMSVM_STATS, on stderr when a device is closed or the
 * process ends: for people (1) or one line of JSON (json).
 *
 * Locking: none; the counters are read as they are.
 */
#include <inttypes.h>
#include <stdio.h>

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

static void stats_json(struct hmmsvm_device *dev, const struct hmmsvm_stats *s, bool mirror)
{
    char reason[2 * sizeof(dev->reason)], line[4096];
    int n;

    stats_quote(reason, sizeof(reason), dev->reason);
    n = snprintf(line, sizeof(line),
                 "{\"hmmsvm\":1,\"mode\":\"%s\",\"reason\":\"%s\",\"workers\":%u,"
                 "\"launches\":%" PRIu64 ",\"failures\":%" PRIu64 ",\"groups\":%" PRIu64
                 ",\"resets\":%u",
                 hmmsvm_mode_name(dev->mode), reason, dev->config.workers,
                 atomic_load(&dev->launches), atomic_load(&dev->failures),
                 atomic_load(&dev->groups), dev->resets);
#define FIELD(name)                                                                                \
    n += snprintf(line + n, sizeof(line) - (size_t)n, ",\"" #name "\":%" PRIu64, (uint64_t)s->name)
    if (mirror) {
        FIELD(device_faults);
        FIELD(device_write_faults);
        FIELD(app_faults);
        FIELD(retries);
        FIELD(failed_faults);
        FIELD(pages_mirrored);
        FIELD(pages_writable);
        FIELD(pages_upgraded);
        FIELD(pages_populated);
        FIELD(invalidations);
        FIELD(invalidations_zapped);
        FIELD(ranges);
        FIELD(fault_ns);
    }
#undef FIELD
    fprintf(stderr, "%s}\n", line);
}

static void stats_text(struct hmmsvm_device *dev, const struct hmmsvm_stats *s, bool mirror)
{
    fprintf(stderr,
            "hmmsvm: %s\n"
            "hmmsvm:   %" PRIu64 " launches (%" PRIu64 " failed), %" PRIu64
            " work-groups on %u workers, %u resets\n",
            dev->reason, atomic_load(&dev->launches), atomic_load(&dev->failures),
            atomic_load(&dev->groups), dev->config.workers, dev->resets);
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
}

/* Prints what HMMSVM_STATS asks for. */
void stats_print(struct hmmsvm_device *dev)
{
    struct hmmsvm_stats s;
    bool mirror;

    if (dev->config.stats == STATS_OFF)
        return;
    mirror = !hmmsvm_device_stats(dev, &s);
    if (dev->config.stats == STATS_JSON)
        stats_json(dev, &s, mirror);
    else
        stats_text(dev, &s, mirror);
}
