/* SPDX-License-Identifier: MIT */
/*
 * monitor.c - rates, lines and maps of `hmmsvm stat`; see monitor.h. No locking.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <string.h>

#include "counters.h"
#include "monitor.h"

#define BLOCK_SHIFT 21
#define BLOCK_PAGES 512u

static __u64 grown(__u64 before, __u64 after)
{
    return after >= before ? after - before : after;
}

struct monitor_rates monitor_rates(const struct monitor_sample *before,
                                   const struct monitor_sample *after, unsigned page_size)
{
    const struct hmmsvm_stats *b = &before->stats, *a = &after->stats;
    struct monitor_rates r = {
        .at = after->seconds,
        .seconds = after->seconds - before->seconds,
    };
    double mib = page_size / (double)(1 << 20);

    r.resident_mib = (double)a->device_pages * mib;
    r.share_mib = (double)a->device_pages_share * mib;
    r.limit_mib = (double)a->device_pages_limit * mib;
    r.failures = grown(b->failed_faults, a->failed_faults) +
                 grown(b->failed_no_memory, a->failed_no_memory) +
                 grown(b->failed_no_system_memory, a->failed_no_system_memory) +
                 grown(b->failed_busy, a->failed_busy) +
                 grown(b->policy_errors, a->policy_errors);
    if (r.seconds <= 0)
        return r;
    r.device_faults = grown(b->device_faults, a->device_faults) / r.seconds;
    r.cpu_faults = grown(b->cpu_faults, a->cpu_faults) / r.seconds;
    r.to_device_mib = grown(b->pages_to_device, a->pages_to_device) * mib / r.seconds;
    r.to_system_mib = grown(b->pages_to_system, a->pages_to_system) * mib / r.seconds;
    r.evictions = grown(b->evictions, a->evictions) / r.seconds;
    r.lost = grown(b->evictions_by_others, a->evictions_by_others) / r.seconds;
    r.refaults = grown(b->refaults, a->refaults) / r.seconds;
    return r;
}

/* The most that may be resident. */
static double rates_limit(const struct monitor_rates *r, double total_mib)
{
    return r->limit_mib > 0 ? r->limit_mib : total_mib;
}

void monitor_text_head(FILE *out)
{
    fputs("  time   dev faults   CPU faults    to device    to system  evictions   lost  refaults"
          "  resident  share  limit   failed\n"
          "     s            /s           /s        MiB/s        MiB/s         /s     /s        /s"
          "       MiB    MiB    MiB        \n", out);
}

void monitor_text_line(FILE *out, const struct monitor_rates *r, double total_mib)
{
    fprintf(out, "%6.1f %12.0f %12.0f %12.1f %12.1f %10.0f %6.0f %9.0f %9.1f %6.0f %6.0f %8" PRIu64
            "\n", r->at, r->device_faults, r->cpu_faults, r->to_device_mib, r->to_system_mib,
            r->evictions, r->lost, r->refaults, r->resident_mib, r->share_mib,
            rates_limit(r, total_mib), (uint64_t)r->failures);
}

void monitor_csv_head(FILE *out)
{
    fputs("time_s,interval_s,device_faults_per_s,cpu_faults_per_s,to_device_mib_per_s,"
          "to_system_mib_per_s,evictions_per_s,refaults_per_s,resident_mib,total_mib,failures,"
          "lost_per_s,share_mib,limit_mib", out);
#define NAME(name) fputs("," #name, out);
    MIRROR_COUNTERS(NAME)
    MEMORY_COUNTERS(NAME)
#undef NAME
    fputc('\n', out);
}

void monitor_csv_line(FILE *out, const struct monitor_rates *r, double total_mib,
                      const struct hmmsvm_stats *stats)
{
    fprintf(out, "%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%" PRIu64 ",%.3f,%.3f,%.3f",
            r->at, r->seconds, r->device_faults, r->cpu_faults, r->to_device_mib, r->to_system_mib,
            r->evictions, r->refaults, r->resident_mib, total_mib, (uint64_t)r->failures, r->lost,
            r->share_mib, r->limit_mib);
#define VALUE(name) fprintf(out, ",%" PRIu64, (uint64_t)stats->name);
    MIRROR_COUNTERS(VALUE)
    MEMORY_COUNTERS(VALUE)
#undef VALUE
    fputc('\n', out);
}

void monitor_json_string(FILE *out, const char *name, const char *text)
{
    fprintf(out, "\"%s\":\"", name);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < 0x20)
            fprintf(out, "\\u%04x", c);
        else
            fprintf(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    fputc('"', out);
}

void monitor_json_counters(FILE *out, const struct hmmsvm_stats *stats)
{
#define FIELD(name) fprintf(out, ",\"" #name "\":%" PRIu64, (uint64_t)stats->name);
    MIRROR_COUNTERS(FIELD)
    MEMORY_COUNTERS(FIELD)
#undef FIELD
}

void monitor_json_open(FILE *out, const struct monitor_rates *r, double total_mib,
                       const struct hmmsvm_stats *stats)
{
    fprintf(out,
            "{\"time_s\":%.3f,\"interval_s\":%.3f,\"device_faults_per_s\":%.3f,"
            "\"cpu_faults_per_s\":%.3f,\"to_device_mib_per_s\":%.3f,\"to_system_mib_per_s\":%.3f,"
            "\"evictions_per_s\":%.3f,\"refaults_per_s\":%.3f,\"resident_mib\":%.3f,"
            "\"total_mib\":%.3f,\"failures\":%" PRIu64
            ",\"lost_per_s\":%.3f,\"share_mib\":%.3f,\"limit_mib\":%.3f",
            r->at, r->seconds, r->device_faults, r->cpu_faults, r->to_device_mib, r->to_system_mib,
            r->evictions, r->refaults, r->resident_mib, total_mib, (uint64_t)r->failures, r->lost,
            r->share_mib, r->limit_mib);
    monitor_json_counters(out, stats);
}

static void screen_row(FILE *out, const char *name, double rate, const char *unit, double total,
                       const char *total_unit)
{
    fprintf(out, "  %-14s %12.1f %-6s %14.1f %s\n", name, rate, unit, total, total_unit);
}

void monitor_screen(FILE *out, const struct monitor_rates *r, double total_mib,
                    const struct hmmsvm_stats *stats, const char *title, unsigned columns)
{
    double limit = rates_limit(r, total_mib);
    double part = limit > 0 ? r->resident_mib / limit : 0;
    double page_mib = stats->device_pages ? r->resident_mib / (double)stats->device_pages :
                                            1.0 / 256;
    unsigned filled = (unsigned)(part * columns + 0.5), i;

    fprintf(out, "%s  %.1f s\n\n  resident  [", title, r->at);
    for (i = 0; i < columns; i++)
        fputc(i < filled ? '#' : '.', out);
    fprintf(out, "] %.1f of %.0f MiB", r->resident_mib, limit);
    if (r->limit_mib > 0)
        fprintf(out, ", fair share %.1f", r->share_mib);
    fputs("\n\n", out);
    fprintf(out, "  %-14s %19s %14s\n", "", "now", "in all");
    screen_row(out, "device faults", r->device_faults, "/s", (double)stats->device_faults, "");
    screen_row(out, "CPU faults", r->cpu_faults, "/s", (double)stats->cpu_faults, "");
    screen_row(out, "to device", r->to_device_mib, "MiB/s",
               (double)stats->pages_to_device * page_mib, "MiB");
    screen_row(out, "to system", r->to_system_mib, "MiB/s",
               (double)stats->pages_to_system * page_mib, "MiB");
    screen_row(out, "evictions", r->evictions, "/s", (double)stats->evictions, "");
    screen_row(out, "lost to others", r->lost, "/s", (double)stats->evictions_by_others, "");
    screen_row(out, "refaults", r->refaults, "/s", (double)stats->refaults, "");
    if (stats->failed_faults || stats->failed_no_memory || stats->failed_no_system_memory ||
        stats->failed_busy || stats->policy_errors)
        fprintf(out, "\n  failed: %" PRIu64 " faults; pages: %" PRIu64 " no room, %" PRIu64
                " no system memory, %" PRIu64 " busy; %" PRIu64 " policy errors\n",
                (uint64_t)stats->failed_faults, (uint64_t)stats->failed_no_memory,
                (uint64_t)stats->failed_no_system_memory, (uint64_t)stats->failed_busy,
                (uint64_t)stats->policy_errors);
}

/* ---- the map ---- */

/* How many lines there are if a line is 1 << shift bytes. */
static size_t map_rows(const struct hmmsvm_residency_block *blocks, size_t count, __u64 line)
{
    size_t rows = 0, i;

    for (i = 0; i < count; i++)
        rows += !i || blocks[i].start / line != blocks[i - 1].start / line;
    return rows;
}

/* One character for the pages of `used` blocks, `pages` of which are in device memory. */
static char map_character(__u64 used, __u64 pages)
{
    __u64 all = used * BLOCK_PAGES;

    return !used ? ' ' : !pages ? '.' : pages >= all ? '#' : pages * 4 <= all ? '-' :
           pages * 2 <= all ? '+' : pages * 4 <= all * 3 ? '*' : '%';
}

/* "2 MiB", "64 GiB". */
static void map_size(char *text, size_t size, __u64 bytes)
{
    static const char *const units[] = { "MiB", "GiB", "TiB", "PiB" };
    unsigned unit = 0;

    for (bytes >>= 20; bytes >= 1024 && unit < 3; bytes >>= 10)
        unit++;
    snprintf(text, size, "%" PRIu64 " %s", (uint64_t)bytes, units[unit]);
}

void monitor_map(FILE *out, const struct hmmsvm_residency_block *blocks, size_t count,
                 unsigned columns, unsigned rows)
{
    __u64 cell = 1ull << BLOCK_SHIFT, line, resident = 0;
    char text[32], row[512];
    size_t i = 0;

    if (!count) {
        fputs("  the device has not used any memory\n", out);
        return;
    }
    columns = columns >= sizeof(row) ? sizeof(row) - 1 : columns ? columns : 1;
    /* A line is aligned to its own size, which a power of two of cells divides evenly. */
    while (columns & (columns - 1))
        columns &= columns - 1;
    while (cell < 1ull << 47 && map_rows(blocks, count, cell * columns) > (rows ? rows : 1))
        cell *= 2;
    line = cell * columns;
    while (i < count) {
        __u64 start = blocks[i].start / line * line, last = 0;

        memset(row, ' ', columns);
        while (i < count && blocks[i].start - start < line) {
            __u64 at = (blocks[i].start - start) / cell, used = 0, pages = 0;

            for (; i < count && (blocks[i].start - start) / cell == at; i++, used++)
                pages += blocks[i].device_pages;
            row[at] = map_character(used, pages);
            resident += pages;
            last = at + 1;
        }
        fprintf(out, "  %012" PRIx64 " |%.*s\n", (uint64_t)start, (int)last, row);
    }
    map_size(text, sizeof(text), cell);
    fprintf(out, "  a character is %s; in device memory: . none, - to 25 %%, + to 50 %%, "
            "* to 75 %%, %% more, # all\n", text);
    fprintf(out, "  %.1f MiB of %.1f MiB the device has used are in device memory\n",
            (double)resident / 256, (double)count * 2);
}

void monitor_map_json(FILE *out, const struct hmmsvm_residency_block *blocks, size_t count)
{
    size_t i;

    fputc('[', out);
    for (i = 0; i < count; i++)
        fprintf(out, "%s[%" PRIu64 ",%u,%u,%u,%u]", i ? "," : "", (uint64_t)blocks[i].start,
                blocks[i].device_pages, blocks[i].device_faults, blocks[i].cpu_faults,
                blocks[i].evictions);
    fputc(']', out);
}
