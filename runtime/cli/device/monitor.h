/* SPDX-License-Identifier: MIT */
/*
 * monitor.h - what `hmmsvm stat` computes and prints: rates between two looks at the counters, and
 * a map of where memory is. It asks nobody for anything, so that it can be tested on made-up data.
 *
 * Locking: none.
 */
#ifndef HMMSVM_CLI_MONITOR_H
#define HMMSVM_CLI_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <hmmsvm/uapi.h>

/* A look at the counters, seconds after watching began. */
struct monitor_sample {
    double seconds;
    struct hmmsvm_stats stats;
};

/*
 * What happened between two looks; faults, evictions and refaults a second, MiB a second. What may
 * be resident, and what is the fair share of that, are 0 if the module does not say.
 */
struct monitor_rates {
    double at, seconds;
    double device_faults, cpu_faults;
    double to_device_mib, to_system_mib;
    double evictions, lost, refaults; /* lost: chunks that others took */
    double resident_mib, share_mib, limit_mib;
    __u64 failures; /* not a rate: how many */
};

/*
 * A counter that went back is one that began anew (another context): all of it is new then. No
 * rates if no time passed.
 */
struct monitor_rates monitor_rates(const struct monitor_sample *before,
                                   const struct monitor_sample *after, unsigned page_size);

/* A table: its head, and a line of it. total_mib: size of the device memory. */
void monitor_text_head(FILE *out);
void monitor_text_line(FILE *out, const struct monitor_rates *rates, double total_mib);

/* CSV: the same and then each counter as it stands. */
void monitor_csv_head(FILE *out);
void monitor_csv_line(FILE *out, const struct monitor_rates *rates, double total_mib,
                      const struct hmmsvm_stats *stats);

/* "name":"text" of an object. */
void monitor_json_string(FILE *out, const char *name, const char *text);

/* Each counter as it stands, with a comma before it. */
void monitor_json_counters(FILE *out, const struct hmmsvm_stats *stats);

/* An object without its closing brace, so that more can follow. */
void monitor_json_open(FILE *out, const struct monitor_rates *rates, double total_mib,
                       const struct hmmsvm_stats *stats);

/* A screenful for a terminal, with a bar of `columns` characters. */
void monitor_screen(FILE *out, const struct monitor_rates *rates, double total_mib,
                    const struct hmmsvm_stats *stats, const char *title, unsigned columns);

/*
 * The map: one character for as few blocks as let it fit into `rows` lines of `columns` characters,
 * a line for each piece of address space that the device has used. Blocks are in order of address.
 */
void monitor_map(FILE *out, const struct hmmsvm_residency_block *blocks, size_t count,
                 unsigned columns, unsigned rows);

/* Blocks as a JSON array of [address, device_pages, device_faults, cpu_faults, evictions]. */
void monitor_map_json(FILE *out, const struct hmmsvm_residency_block *blocks, size_t count);

#endif
