/* SPDX-License-Identifier: MIT */
/*
 * coherent_share.c - contexts of one user that ask for more of the device memory that the CPU reaches
 * than there is get equal parts of it, and a small one beside them what it wants
 */
#include "bare.h"

int main(void)
{
    unsigned index = devmem_coherent(), chunks = devmem_chunks(index, 6);

    bare_in_turns(index, (unsigned[]){chunks, chunks}, (unsigned[]){(chunks + 1) / 2, chunks / 2}, 2,
                  "two");
    devmem_used_is(index, 0);
    bare_in_turns(index, (unsigned[]){chunks, 1, chunks},
                  (unsigned[]){chunks / 2, 1, (chunks - 1) / 2}, 3, "two and a small one");
    devmem_used_is(index, 0);
    return 0;
}
