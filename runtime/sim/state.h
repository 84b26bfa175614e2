/* SPDX-License-Identifier: MIT */
/*
 * state.h - what one replay keeps: blocks, chunks, the clock. No locking: one thread.
 */
#ifndef SIM_STATE_H
#define SIM_STATE_H

#include "sim.h"

#define SIM_NONE UINT32_MAX

/* As struct hmmsvm_block, and what the two page tables and the application's memory look like. */
struct sim_block {
    struct hmmsvm_policy_block policy;
    struct hmmsvm_pages valid;      /* the application may use it: a mapping of one kind */
    struct hmmsvm_pages exists;     /* the application has a page there, in either memory */
    struct hmmsvm_pages zero;       /* of those: the page that all who only read share */
    struct hmmsvm_pages mapped;     /* the engine has an entry */
    struct hmmsvm_pages writable;   /* and may write */
    struct hmmsvm_pages evicted;    /* from device memory, and not brought back since */
    uint32_t regions[SIM_REGIONS];  /* chunk * SIM_REGIONS + slot; SIM_NONE: none */
    bool used;                      /* the device has faulted in it: the policy knows it */
    bool withdrawn;
    bool whole;                     /* its memory, of either kind, is one huge page */
    bool table;                     /* the engine has a table of small entries for it */
    bool huge_entry;                /* the engine has one entry for all of it */
};

struct sim_region {
    uint32_t block, number;         /* whose place it is; SIM_NONE: free */
    uint16_t used;                  /* a bit a page */
    bool reserved;
};

enum sim_list { SIM_FREE, SIM_PARTIAL, SIM_FULL, SIM_EVICTING, SIM_LISTS };

struct sim_chunk {
    uint32_t taken;                 /* a bit a region */
    uint16_t used, reserved;
    bool evicting;
    enum sim_list list;
    uint32_t previous, next;        /* of that list */
    struct sim_region regions[SIM_REGIONS];
};

struct sim_devmem {
    uint32_t count, free_regions, used_pages;
    uint32_t first[SIM_LISTS];
    uint64_t sequence;
    uint64_t eviction_priv[4];
    struct sim_chunk *chunks;
    struct hmmsvm_policy_chunk *policy, *before;
};

struct sim {
    const struct sim_setup *setup;
    const struct sim_machine *machine;
    struct sim_result *result;
    struct sim_counters *count;
    struct sim_block *blocks;
    struct sim_devmem dm;
    struct hmmsvm_policy_env env;
    struct {
        bool device_fault, cpu_fault, copy_page;
    } observed;                     /* costs of which there has been a sample */
    int64_t tunables[HMMSVM_POLICY_TUNABLES];
    uint64_t now_ps, memory_ps;
    uint64_t stalled_ps;            /* of the time: faults, copies, withdrawals */
    uint64_t next_tick_ps;          /* UINT64_MAX: never */
    uint32_t tick_next;             /* block to go on with */
};

/* sim.c: the policy was wrong. */
void sim_wrong(struct sim *s, enum sim_fault fault);

/* devmem.c */
bool sim_devmem_init(struct sim *s);
void sim_devmem_exit(struct sim *s);
uint32_t sim_devmem_reserve(struct sim *s, uint32_t block, uint32_t first, uint32_t count);
void sim_devmem_unreserve(struct sim *s, uint32_t block);
/* Whether there was a place for the page, in which it then is. */
bool sim_devmem_alloc(struct sim *s, uint32_t block, uint32_t page);
/* The same for all of the block, as one huge page. */
bool sim_devmem_alloc_huge(struct sim *s, uint32_t block);
void sim_devmem_free(struct sim *s, uint32_t block, uint32_t page);
void sim_devmem_touch(struct sim *s, uint32_t block, uint32_t page);
uint32_t sim_devmem_victim(struct sim *s);
uint32_t sim_devmem_named(struct sim *s, uint64_t address);
void sim_devmem_evicted(struct sim *s, uint32_t chunk);
/* Whether all of the block lies in one chunk, in order. */
bool sim_devmem_contiguous(const struct sim *s, uint32_t block);

#endif
