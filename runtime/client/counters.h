/* SPDX-License-Identifier: MIT */
/*
 * counters.h - the counters of struct hmmsvm_stats by name, for what prints them all
 *
 * Locking: none.
 */
#ifndef HMMSVM_COUNTERS_H
#define HMMSVM_COUNTERS_H

/* Those of the mirror, which every module has. */
#define MIRROR_COUNTERS(X)                                                                         \
    X(device_faults)                                                                               \
    X(device_write_faults)                                                                         \
    X(app_faults)                                                                                  \
    X(retries)                                                                                     \
    X(failed_faults)                                                                               \
    X(pages_mirrored)                                                                              \
    X(pages_writable)                                                                              \
    X(pages_upgraded)                                                                              \
    X(pages_populated)                                                                             \
    X(invalidations)                                                                               \
    X(invalidations_zapped)                                                                        \
    X(ranges)                                                                                      \
    X(fault_ns)

/* Those of device memory. */
#define MEMORY_COUNTERS(X)                                                                         \
    X(device_pages)                                                                                \
    X(device_pages_peak)                                                                           \
    X(pages_mirrored_device)                                                                       \
    X(huge_mirrored)                                                                               \
    X(cpu_faults)                                                                                  \
    X(cpu_fault_ns)                                                                                \
    X(migrations_to_device)                                                                        \
    X(pages_to_device)                                                                             \
    X(pages_zeroed)                                                                                \
    X(pages_to_system)                                                                             \
    X(pages_to_system_cpu)                                                                         \
    X(pages_to_system_evicted)                                                                     \
    X(evictions)                                                                                   \
    X(refaults)                                                                                    \
    X(huge_to_device)                                                                              \
    X(huge_to_system)                                                                              \
    X(migrate_ns)                                                                                  \
    X(failed_no_memory)                                                                            \
    X(failed_no_system_memory)                                                                     \
    X(failed_busy)                                                                                 \
    X(failed_kind)                                                                                 \
    X(policy_errors)                                                                               \
    X(withdrawals)                                                                                 \
    X(sampled_faults)                                                                              \
    X(evictions_by_others)                                                                         \
    X(evictions_limit)                                                                             \
    X(failed_limit)                                                                                \
    X(device_pages_charged)                                                                        \
    X(device_pages_limit)                                                                          \
    X(device_pages_share)

#endif /* HMMSVM_COUNTERS_H */
