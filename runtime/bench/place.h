/* SPDX-License-Identifier: MIT */
/*
 * place.h - where a measurement was made: kernel, processor, and whether it is a real one
 *
 * Locking: none.
 */
#ifndef HMMSVM_BENCH_PLACE_H
#define HMMSVM_BENCH_PLACE_H

struct place {
    char kernel[256];
    char cpu[128];
    char machine[64]; /* "native", "virtual machine", "emulated" */
    char guest[64];   /* the guest's name, "" if this is none */
    unsigned cpus;
};

void place_find(struct place *p);

#endif
