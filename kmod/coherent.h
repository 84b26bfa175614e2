/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reserved ranges of memory for coherent device memory. See coherent.c.
 */
#ifndef HMMSVM_COHERENT_H
#define HMMSVM_COHERENT_H

#include <linux/range.h>

unsigned int hmmsvm_coherent_count(void);
int hmmsvm_coherent_claim(unsigned int index, struct range *range, int *node);

#endif /* HMMSVM_COHERENT_H */
