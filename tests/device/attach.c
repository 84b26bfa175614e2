/* SPDX-License-Identifier: MIT */
/*
 * attach.c - the engine is another process and sees this one's heap
 *
 * One work-group reads a malloc'ed array and writes another; the host checks
 * every word. That it was not this address space that did it is proved three
 * times: by the process id, by the faults the module counted, and by a
 * mapping of this process that the engine does not have.
 */
#include "harness.h"

#define WORDS 4096u

struct work {
    uint64_t *in, *out;
    uint64_t sum;
    uint64_t stack_address; /* of a variable of the work-group */
};

HARNESS_WG static void add_one(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                               unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);
    volatile uint64_t sum = 0;

    (void)ctx, (void)x, (void)y, (void)z;
    for (unsigned i = 0; i < WORDS; i++) {
        sum += w->in[i];
        w->out[i] = w->in[i] + 1;
    }
    w->sum = sum;
    w->stack_address = (uint64_t)&sum;
}

/* Whether process @pid has a mapping that begins at @address. */
static int has_mapping(int pid, uint64_t address)
{
    unsigned long start, end;
    char path[64], line[512];
    int found = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    f = fopen(path, "r");
    CHECK(f);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start == address)
            found = 1;
    fclose(f);
    return found;
}

int main(void)
{
    struct work *w = malloc(sizeof(*w));
    struct hmmsvm_stats s;
    struct harness h;
    uint64_t sum = 0;
    uint8_t *lone;

    harness_open(&h, 0);

    /* Heap, both ways. */
    CHECK(w);
    w->in = malloc(WORDS * sizeof(*w->in));
    w->out = calloc(WORDS, sizeof(*w->out));
    CHECK(w->in && w->out);
    for (unsigned i = 0; i < WORDS; i++)
        sum += w->in[i] = i * 2654435761ull;
    harness_run_ok(&h, add_one, w, 1);
    CHECK_EQ(w->sum, sum);
    for (unsigned i = 0; i < WORDS; i++)
        CHECK_EQ(w->out[i], w->in[i] + 1);

    /* It faulted, for reading and for writing, and nothing went wrong. */
    s = harness_delta(&h);
    CHECK_GT(s.device_faults, 0);
    CHECK_GT(s.device_write_faults, 0);
    CHECK_GE(s.device_faults, s.device_write_faults);
    /* in, out, *w, the argument array, the code: at least 16 different pages. */
    CHECK_GE(s.pages_mirrored, 2 * WORDS * sizeof(uint64_t) / HARNESS_PAGE);
    CHECK_GE(s.pages_writable, WORDS * sizeof(uint64_t) / HARNESS_PAGE);
    CHECK_EQ(s.failed_faults, 0);
    CHECK_GT(s.ranges, 0);
    CHECK_GT(s.fault_ns, 0);

    /* Its stack was in the window, which is not this process's memory. */
    CHECK_NE(h.info.window_start, 0);
    CHECK(w->stack_address >= h.info.window_start &&
          w->stack_address < h.info.window_start + h.info.window_len);

    /* A mapping between two holes is one of its own here, and no start of one there. */
    lone = harness_map(3 * HARNESS_PAGE);
    CHECK(!mprotect(lone, HARNESS_PAGE, PROT_NONE));
    CHECK(!mprotect(lone + 2 * HARNESS_PAGE, HARNESS_PAGE, PROT_NONE));
    CHECK(has_mapping(getpid(), (uint64_t)lone + HARNESS_PAGE));
    CHECK(!has_mapping(h.info.engine_pid, (uint64_t)lone + HARNESS_PAGE));

    printf("engine %d, this %d: %" PRIu64 " device faults, %" PRIu64 " pages mirrored\n",
           h.info.engine_pid, getpid(), (uint64_t)s.device_faults, (uint64_t)s.pages_mirrored);
    harness_close(&h);
    return 0;
}
