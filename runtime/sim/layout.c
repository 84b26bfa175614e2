/* SPDX-License-Identifier: MIT */
/*
 * layout.c - numbers the blocks that a trace uses, so that a replay finds them by index.
 * No locking.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim.h"

enum {
    LAYOUT_ADDRESSES = (int)(HMMSVM_TRACE_PAGES / SIM_BLOCK_PAGES),
    LAYOUT_BLOCKS = 1 << 20,    /* 2 TiB */
};

#define LAYOUT_TABLE (LAYOUT_ADDRESSES * sizeof(uint32_t))

/* Which pages of a block are used by whom. */
struct layout_use {
    struct hmmsvm_pages device, cpu;
};

struct layout_uses {
    struct layout_use *use;
    uint32_t count, room;
};

/* Numbers are given out as blocks come up. False if there are too many, or no memory. */
static bool layout_add(struct sim_layout *l, struct layout_uses *uses, uint64_t block)
{
    if (l->number[block])
        return true;
    if (uses->count == LAYOUT_BLOCKS)
        return false;
    if (uses->count == uses->room) {
        uint32_t room = uses->room ? 2 * uses->room : 256;
        struct layout_use *use = realloc(uses->use, room * sizeof(*use));
        uint64_t *start = use ? realloc(l->start, room * sizeof(*start)) : NULL;

        if (use)
            uses->use = use;
        if (!start)
            return false;
        l->start = start;
        uses->room = room;
    }
    memset(&uses->use[uses->count], 0, sizeof(*uses->use));
    l->start[uses->count] = block * SIM_BLOCK_PAGES;
    l->number[block] = ++uses->count;
    return true;
}

static bool layout_run(struct sim_layout *l, struct layout_uses *uses,
                       const struct hmmsvm_trace_event *e)
{
    bool access = e->type == HMMSVM_TRACE_ACCESS;
    uint64_t stride = access ? e->stride : 1, page = e->page, left = e->count;

    while (left) {
        uint32_t first = page % SIM_BLOCK_PAGES, n;
        struct hmmsvm_pages *pages;

        if (!layout_add(l, uses, page / SIM_BLOCK_PAGES))
            return false;
        n = (uint32_t)((SIM_BLOCK_PAGES - 1 - first) / stride + 1);
        if (n > left)
            n = (uint32_t)left;
        if (access) {
            struct layout_use *use = &uses->use[l->number[page / SIM_BLOCK_PAGES] - 1];

            pages = e->cpu ? &use->cpu : &use->device;
            if (n == 1)
                pages->bits[first / 64] |= 1ull << (first % 64);
            else if (stride == 1)
                hmmsvm_pages_set(pages, first, n);
            else
                for (uint32_t i = 0; i < n; i++)
                    pages->bits[(first + i * stride) / 64] |= 1ull
                                                              << ((first + i * stride) % 64);
        }
        page += n * stride;
        left -= n;
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Numbers them anew, in the order of their addresses, as the module walks them. */
static void layout_sort(struct sim_layout *l)
{
    qsort(l->start, l->count, sizeof(*l->start), compare);
    for (uint32_t i = 0; i < l->count; i++)
        l->number[l->start[i] / SIM_BLOCK_PAGES] = i + 1;
}

struct sim_layout *sim_layout_new(const struct hmmsvm_trace *trace, char *error,
                                  size_t error_size)
{
    struct sim_layout *l = calloc(1, sizeof(*l));
    struct hmmsvm_trace_cursor cursor = { 0 };
    struct layout_uses uses = { 0 };
    struct hmmsvm_trace_event e;
    bool ok = l != NULL;

    if (ok) {
        l->number = mmap(NULL, LAYOUT_TABLE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ok = l->number != MAP_FAILED;
    }
    while (ok && hmmsvm_trace_next(trace, &cursor, &e))
        if (e.type == HMMSVM_TRACE_ACCESS || e.type == HMMSVM_TRACE_ALLOC)
            ok = layout_run(l, &uses, &e);
    if (!ok && uses.count == LAYOUT_BLOCKS)
        snprintf(error, error_size, "it uses more than %d blocks (2 TiB) of memory",
                 LAYOUT_BLOCKS);
    else if (!ok)
        snprintf(error, error_size, "out of memory");
    else if (!uses.count)
        snprintf(error, error_size, "there is no access in it");
    if (!ok || !uses.count) {
        free(uses.use);
        sim_layout_free(l);
        return NULL;
    }
    l->count = uses.count;
    for (uint32_t i = 0; i < l->count; i++) {
        struct layout_use *use = &uses.use[i];
        uint32_t device = hmmsvm_pages_count(&use->device, 0, SIM_BLOCK_PAGES);

        l->device_pages += device;
        l->device_blocks += device != 0;
        for (uint32_t w = 0; w < SIM_WORDS; w++)
            use->cpu.bits[w] |= use->device.bits[w];
        l->pages += hmmsvm_pages_count(&use->cpu, 0, SIM_BLOCK_PAGES);
    }
    free(uses.use);
    layout_sort(l);
    return l;
}

void sim_layout_free(struct sim_layout *l)
{
    if (!l)
        return;
    if (l->number && l->number != MAP_FAILED)
        munmap(l->number, LAYOUT_TABLE);
    free(l->start);
    free(l);
}

uint32_t sim_chunks_for(const struct sim_layout *l, unsigned ratio)
{
    uint64_t pages = l->device_pages * 100 / ratio;

    return (uint32_t)(pages < SIM_BLOCK_PAGES ? 1 :
                      (pages + SIM_BLOCK_PAGES / 2) / SIM_BLOCK_PAGES);
}
