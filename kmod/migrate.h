/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Migration between system and device memory. See migrate.c.
 */
#ifndef HMMSVM_MIGRATE_H
#define HMMSVM_MIGRATE_H

#include "devmem.h"

/* What became of a range. */
struct hmmsvm_moved {
	unsigned long pages;		/* moved */
	unsigned long zeroed;		/* of those: nobody had used them */
	unsigned long there;		/* were there already */
	unsigned long no_memory;	/* stayed: no room */
	unsigned long excepted;		/* stayed: the policy wants it so */
	bool limited;			/* a limit left none */
	unsigned long stayed;		/* (to system) still in device memory */
};

/* A page that was found not to be in device memory, as long as nothing has changed. */
struct hmmsvm_absent {
	unsigned int page;		/* in its block */
	struct mmu_interval_notifier *notifier;
	unsigned long seq;
};

bool hmmsvm_migrate_possible(const struct vm_area_struct *vma);
void hmmsvm_migrate_to_device(struct hmmsvm_context *ctx, struct vm_area_struct *vma,
			      struct hmmsvm_block *block, unsigned int first, unsigned int count,
			      const struct hmmsvm_policy_decision *decision,
			      const struct hmmsvm_absent *absent, struct hmmsvm_moved *moved);
void hmmsvm_migrate_to_limit(struct hmmsvm_context *ctx);
void hmmsvm_migrate_to_system(struct hmmsvm_context *ctx, struct vm_area_struct *vma,
			      unsigned long start, unsigned long end,
			      const struct hmmsvm_policy_decision *decision,
			      struct hmmsvm_moved *moved);
vm_fault_t hmmsvm_migrate_cpu_fault(struct vm_fault *vmf);
int hmmsvm_migrate_piece(struct hmmsvm_context *ctx, unsigned long start, unsigned long end,
			 u32 flags, const struct hmmsvm_policy_decision *decision,
			 struct hmmsvm_moved *moved);
int hmmsvm_migrate_request(struct hmmsvm_context *ctx, struct hmmsvm_migrate *request);
void hmmsvm_migrate_empty_of(struct hmmsvm_context *ctx);
void hmmsvm_migrate_empty(struct hmmsvm_devmem *dm);

#endif /* HMMSVM_MIGRATE_H */
