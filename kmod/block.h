/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Blocks and the policy's decisions about them. See block.c.
 */
#ifndef HMMSVM_BLOCK_H
#define HMMSVM_BLOCK_H

#include <hmmsvm/policy.h>

#include "hmmsvm.h"

struct hmmsvm_region;
struct hmmsvm_victim;

/*
 * 2 MiB of the application's addresses that the device has used.
 *
 * It is made when the device first faults in it and lives as long as the
 * context's memory. All but the mutex is covered by the device memory's lock.
 */
struct hmmsvm_block {
	struct hmmsvm_policy_block policy;
	struct hmmsvm_region *regions[HMMSVM_BLOCK_REGIONS];
	struct hmmsvm_pages evicted;	/* and not brought back since */
	unsigned int policy_generation;	/* whose policy.priv it is */
	bool withdrawn;			/* no entries, so that an access is seen */
	struct mutex migrate_mutex;	/* see migrate.c */
};

void hmmsvm_blocks_init(struct hmmsvm_context *ctx);
void hmmsvm_blocks_start(struct hmmsvm_context *ctx);
void hmmsvm_blocks_stop(struct hmmsvm_context *ctx);
void hmmsvm_blocks_free(struct hmmsvm_context *ctx);
struct hmmsvm_block *hmmsvm_block_find(struct hmmsvm_context *ctx, unsigned long addr);
struct hmmsvm_block *hmmsvm_block_get(struct hmmsvm_context *ctx, unsigned long addr);

bool hmmsvm_block_device_fault(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
			       unsigned long addr, bool write, bool present, struct page *dpage,
			       struct hmmsvm_policy_decision *decision);
void hmmsvm_block_stall(struct hmmsvm_context *ctx);
void hmmsvm_block_go_on(struct hmmsvm_context *ctx);
void hmmsvm_block_cpu_fault(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
			    const struct hmmsvm_policy_fault *fault,
			    struct hmmsvm_policy_decision *decision);
unsigned long hmmsvm_block_evicting(struct hmmsvm_context *by, const struct hmmsvm_victim *victim);
void hmmsvm_block_migrated(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
			   unsigned long pages, unsigned long zeroed, u64 begin);
void hmmsvm_block_faulted(struct hmmsvm_context *ctx, u64 took);
void hmmsvm_block_came_back(struct hmmsvm_context *ctx, unsigned long pages, u64 begin);
unsigned int hmmsvm_block_resident(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
				   unsigned int first, unsigned int count);
unsigned int hmmsvm_block_forget_evicted(struct hmmsvm_context *ctx, struct hmmsvm_block *block,
					 unsigned int first, unsigned int count);

int hmmsvm_policy_choose(struct hmmsvm_context *ctx, struct hmmsvm_policy_choice *choice);
int hmmsvm_policy_tunable(struct hmmsvm_context *ctx, struct hmmsvm_tunable_value *value);
int hmmsvm_policy_describe(struct hmmsvm_policy_info *info);
int hmmsvm_residency(struct hmmsvm_context *ctx, struct hmmsvm_residency *residency);

/* advice.c */
void hmmsvm_advice_init(struct hmmsvm_context *ctx);
void hmmsvm_advice_free(struct hmmsvm_context *ctx);
unsigned int hmmsvm_advice_at(struct hmmsvm_context *ctx, unsigned long addr);
int hmmsvm_advise(struct hmmsvm_context *ctx, const struct hmmsvm_advise *advise);

#endif /* HMMSVM_BLOCK_H */
