/* SPDX-License-Identifier: MIT */
/*
 * sim.h - replays traces against migration policies
 *
 *   layout.c   which blocks a trace uses, numbered          (once a trace)
 *   machine.c  what a machine's memory costs                (once a machine)
 *   sim.c      one replay: mirror and policy, as kmod/mirror.c, block.c, migrate.c
 *   devmem.c   its device memory, as kmod/devmem.c
 *   oracle.c   the least that it can cost, and what foresight reaches
 *   matrix.c   many replays at once, each in a process of its own
 *   tune.c     a policy's tunables, searched
 *
 * Locking: none. Layouts and machines do not change once made; a replay has all it changes to
 * itself.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stdint.h>

#include <hmmsvm/policy.h>
#include <hmmsvm/trace.h>

#define SIM_BLOCK_PAGES HMMSVM_POLICY_BLOCK_PAGES
#define SIM_REGION_PAGES HMMSVM_POLICY_REGION_PAGES
#define SIM_REGIONS (SIM_BLOCK_PAGES / SIM_REGION_PAGES)
#define SIM_WORDS HMMSVM_POLICY_WORDS
#define SIM_LINE 64             /* bytes of one use */

/* ---- layout -------------------------------------------------------------------------------- */

/* The blocks that a trace uses or allocates, in the order of their addresses. */
struct sim_layout {
    uint32_t count;
    uint32_t *number;           /* by address in blocks: index + 1; 0 for none */
    uint64_t *start;            /* page number of the block's first page */
    uint64_t device_pages;      /* different pages that the device uses */
    uint64_t pages;             /* different pages that anybody uses */
    uint64_t device_blocks;     /* blocks that the device uses */
};

/* NULL and what is wrong if the trace uses more than this can replay. */
struct sim_layout *sim_layout_new(const struct hmmsvm_trace *trace, char *error,
                                  size_t error_size);
void sim_layout_free(struct sim_layout *layout);

static inline uint32_t sim_layout_block(const struct sim_layout *layout, uint64_t page)
{
    return layout->number[page / SIM_BLOCK_PAGES] - 1;
}

/* ---- machine ------------------------------------------------------------------------------- */

/* What things cost; picoseconds, of which a link of 64 GB/s takes 1000 for a line. */
struct sim_machine {
    char name[32];
    char what[128];
    uint64_t local_line_ps;     /* the device uses a line of its own memory */
    uint64_t remote_line_ps;    /* the device uses a line of system memory */
    uint64_t to_device_page_ps; /* a page is copied to the device */
    uint64_t to_system_page_ps; /* and back */
    uint64_t zero_page_ps;      /* a page of device memory is cleared */
    uint64_t copy_ps;           /* each copy of up to a block costs this besides */
    uint64_t device_fault_ps;
    uint64_t cpu_fault_ps;
    uint64_t withdraw_ps;       /* the entries of a block are taken away */
};

/*
 * The machine in the file, or of that name in the folder of machines (which may be NULL). False and
 * what is wrong.
 */
bool sim_machine_read(const char *name, const char *folder, struct sim_machine *machine,
                      char *error, size_t error_size);
/* Plain costs for tests and examples: 1 GB/s and 10 GB/s and a fault of 10 us. */
extern const struct sim_machine sim_machine_plain;

/* ---- one replay ---------------------------------------------------------------------------- */

/* Counters, named as the module's where they are the module's. */
#define SIM_COUNTERS(X)                                                                            \
    X(device_faults)                                                                               \
    X(device_write_faults)                                                                         \
    X(sampled_faults)                                                                              \
    X(app_faults)                                                                                  \
    X(pages_mirrored)                                                                              \
    X(pages_mirrored_device)                                                                       \
    X(cpu_faults)                                                                                  \
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
    X(failed_no_memory)                                                                            \
    X(policy_errors)                                                                               \
    X(withdrawals)                                                                                 \
    X(device_pages_peak)                                                                           \
    X(accesses_local)   /* page uses by the device that its own memory served */                   \
    X(accesses_remote)  /* and those that system memory served */                                  \
    X(lines_local)                                                                                 \
    X(lines_remote)                                                                                \
    X(shows)            /* ticks that set entries and moved nothing */

struct sim_counters {
#define SIM_COUNTER(name) uint64_t name;
    SIM_COUNTERS(SIM_COUNTER)
#undef SIM_COUNTER
};

/*
 * What moving took on the machine: faults, copies, clearing and withdrawals, by their counters. Not
 * in it are uses of memory, nor copy_ps of what was brought back by request, as by a tick: no
 * counter has these.
 */
uint64_t sim_moving_ps(const struct sim_machine *machine, const struct sim_counters *count);

/* Ways in which a policy can be wrong; the first is kept. */
enum sim_fault {
    SIM_FINE,
    SIM_BAD_RANGE,      /* a range that leaves the block or misses the page of the fault */
    SIM_BAD_ACTION,
    SIM_BAD_VICTIM,     /* a chunk that there is not, or that is not in use */
    SIM_NO_VICTIM,      /* none, though chunks are in use */
    SIM_WROTE,          /* it changed what it may only read */
    SIM_BAD_TUNABLES,
    SIM_CRASHED,        /* of a process, see matrix.c */
    SIM_HUNG,
};

const char *sim_fault_text(enum sim_fault fault);

struct sim_result {
    struct sim_counters count;
    enum sim_fault fault;
    uint64_t faults;            /* how often it was wrong */
    uint64_t accesses;          /* page uses replayed, of both sides */
    uint64_t memory_ps;         /* what faults, copies and the device's uses of memory took */
    uint64_t total_ps;          /* that and the time in the trace */
};

struct sim_setup {
    const struct hmmsvm_trace *trace;
    const struct sim_layout *layout;
    const struct sim_machine *machine;
    const struct hmmsvm_placement *placement;
    const struct hmmsvm_eviction *eviction;
    int64_t tunables[HMMSVM_POLICY_TUNABLES];
    uint32_t chunks;            /* device memory, in 2 MiB */
    uint32_t fault_around;      /* pages, a power of two */
    bool huge;                  /* device pages may be huge, as from Linux 7.0 */
};

/* The tunables' defaults, fault_around 512, huge. */
void sim_setup_defaults(struct sim_setup *setup);

/* False if there is not enough memory. */
bool sim_run(const struct sim_setup *setup, struct sim_result *result);

/* Device memory for an oversubscription of that many percent, in chunks. */
uint32_t sim_chunks_for(const struct sim_layout *layout, unsigned ratio);

/* ---- the oracle ---------------------------------------------------------------------------- */

struct sim_oracle {
    double bound_ps;            /* no policy takes less memory time than this */
    double reached_ps;          /* and foresight gets by with this */
    uint64_t to_device, to_system, lines_local, lines_remote;   /* of what it reached */
};

/*
 * For device memory of so many pages. See oracle.c for what it is a bound of. False if there is not
 * enough memory.
 */
bool sim_oracle_run(const struct hmmsvm_trace *trace, const struct sim_layout *layout,
                    const struct sim_machine *machine, uint64_t pages,
                    struct sim_oracle *oracle);

#endif
