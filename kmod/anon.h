/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The reverse maps of anonymous pages that are on their way. See anon.c.
 */
#ifndef HMMSVM_ANON_H
#define HMMSVM_ANON_H

#include <linux/mm_types.h>

#include "hmmsvm.h"

struct anon_vma;

/* The reverse maps that are held for one migration by number; .nr = 0 at first. */
struct hmmsvm_anon_hold {
	unsigned int nr;
	struct anon_vma *held[HMMSVM_BLOCK_PAGES];
};

bool hmmsvm_anon_hold(struct hmmsvm_anon_hold *hold, struct page *page);
bool hmmsvm_anon_is_held(const struct hmmsvm_anon_hold *hold, struct page *page);
void hmmsvm_anon_release(struct hmmsvm_anon_hold *hold);

#endif /* HMMSVM_ANON_H */
