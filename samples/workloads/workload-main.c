/*
 * The frame of all workloads; workload.h says what it promises.
 *
 * Before the real thing each workload is run once on little memory, so that its kernels are built
 * and loaded, and verified there as well.
 *
 * Locking: none; one thread.
 */
#define _GNU_SOURCE
#include "workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB       ((size_t)1 << 20)
#define ALIGNMENT (2 * MIB)
#define REHEARSAL (2 * MIB) /* enough for the same variant of a kernel that large sizes get */

struct options {
    const char *device, *graph;
    size_t bytes;
    uint64_t seed;
    unsigned repeat;
    bool step;
};

enum { KEY_STEP = 256, KEY_GRAPH };

static const struct argp_option option_table[] = {
    { "size", 's', "MIB", 0, "Memory for the device to use, in MiB; fractions are fine (16)", 0 },
    { "seed", 'S', "N", 0, "For what is random (1)", 0 },
    { "repeat", 'r', "N", 0, "Passes over the memory (8)", 0 },
    { "graph", KEY_GRAPH, "FILE", 0,
      "bfs, spmv: a Matrix Market file, an edge list or a Packages file (the installed packages)",
      0 },
    { "device", 'd', "SUBSTRING", 0, "Only a device with this in its own or its platform's name",
      0 },
    { "step", KEY_STEP, NULL, 0,
      "Print \"ready\" before and \"done\" after the measured part, and wait for a line on "
      "standard "
      "input each time",
      0 },
    { 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    double mib;
    char *end;

    switch (key) {
    case 's':
        mib = strtod(arg, &end);
        if (end == arg || *end || !(mib >= 0.5 && mib <= 1 << 20))
            argp_error(state, "--size takes MiB from 0.5 to 1048576, not '%s'", arg);
        o->bytes = (size_t)(mib * MIB);
        break;
    case 'S':
        o->seed = sample_number(state, "--seed", arg, 0, UINT64_MAX);
        break;
    case 'r':
        o->repeat = sample_number(state, "--repeat", arg, 1, 1000000);
        break;
    case 'd':
        o->device = arg;
        break;
    case KEY_GRAPH:
        if (!workload_kind.reads_graph)
            argp_error(state, "%s reads no graph", workload_kind.name);
        o->graph = arg;
        break;
    case KEY_STEP:
        o->step = true;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static void *keep(struct workload *w, void *piece)
{
    if (w->nr_pieces == WORKLOAD_PIECES)
        sample_die("more than %d pieces of memory", WORKLOAD_PIECES);
    return w->pieces[w->nr_pieces++] = piece;
}

void *workload_memory(struct workload *w, size_t count, size_t size)
{
    w->used += count * size;
    return keep(w, sample_alloc_aligned(ALIGNMENT, count * size));
}

void *workload_alloc(struct workload *w, size_t count, size_t size)
{
    return keep(w, sample_alloc(count, size));
}

size_t workload_count(size_t bytes, size_t size)
{
    size_t count = bytes / size / WORKLOAD_LOCAL * WORKLOAD_LOCAL;

    return count ? count : WORKLOAD_LOCAL;
}

void workload_run(struct workload *w, cl_kernel kernel, size_t count)
{
    sample_run_groups(&w->sample, kernel, 1, &count, (const size_t[]){ WORKLOAD_LOCAL });
}

bool workload_word(const char *what, size_t index, uint64_t is, uint64_t should)
{
    if (is != should)
        fprintf(stderr, "%s %zu is %" PRIu64 ", should be %" PRIu64 "\n", what, index, is, should);
    return is == should;
}

/* Says where the program is, and waits until it may go on. */
static void step(const struct options *o, const char *where)
{
    int c;

    if (!o->step)
        return;
    printf("%s\n", where);
    fflush(stdout);
    do
        c = getchar();
    while (c != EOF && c != '\n');
}

/* All of the workload once; the milliseconds of each pass go to ms, if that is not NULL. */
static void play(struct workload *w, const struct options *o, double *ms)
{
    w->random = sample_seed(o->seed);
    w->used = 0;
    workload_kind.prepare(w);
    if (ms)
        step(o, "ready");
    for (unsigned i = 0; i < w->passes; i++) {
        double start = sample_now_ms();

        workload_kind.pass(w, i);
        if (ms)
            ms[i] = sample_now_ms() - start;
    }
    if (ms)
        step(o, "done");
    if (!workload_kind.verify(w))
        sample_die(
            "wrong: the result is not what the host computes; the same --seed shows it again");
    while (w->nr_pieces)
        free(w->pieces[--w->nr_pieces]);
}

static void print_result(const struct workload *w, const struct options *o, const double *ms)
{
    printf("{\"workload\":\"%s\",\"bytes\":%zu,\"seed\":%" PRIu64 ",\"verified\":true,\"ms\":[",
           workload_kind.name, w->used, o->seed);
    for (unsigned i = 0; i < w->passes; i++)
        printf("%s%.6f", i ? "," : "", ms[i]);
    printf("]}\n");
}

int main(int argc, char **argv)
{
    static char doc[512];
    static const struct argp argp = { .options = option_table, .parser = parse_option, .doc = doc };
    struct options o = { .bytes = 16 * MIB, .seed = 1, .repeat = 8 };
    struct sample_needs needs = {
        .svm = CL_DEVICE_SVM_FINE_GRAIN_SYSTEM,
        .atomics = CL_DEVICE_ATOMIC_SCOPE_DEVICE,
    };
    struct workload w = { 0 };
    double *ms;

    snprintf(
        doc, sizeof(doc),
        "%s\vPrints one line of JSON: the bytes that the device uses and the milliseconds of "
        "each pass. Exit status: 0 verified, 1 wrong or failed, 77 no device with fine-grained "
        "system SVM.",
        workload_kind.what);
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    needs.match = o.device;
    w.file = o.graph;
    ms = sample_alloc(o.repeat, sizeof(*ms));

    sample_open(&w.sample, &needs);
    sample_build(&w.sample, workload_sources, workload_source_count);
    for (int i = 0; i < WORKLOAD_KERNELS && workload_kind.kernels[i]; i++)
        w.kernels[i] = sample_kernel(&w.sample, workload_kind.kernels[i]);

    w.bytes = REHEARSAL;
    w.passes = 1;
    play(&w, &o, NULL);
    w.bytes = o.bytes;
    w.passes = o.repeat;
    play(&w, &o, ms);
    print_result(&w, &o, ms);

    for (int i = 0; i < WORKLOAD_KERNELS && w.kernels[i]; i++)
        clReleaseKernel(w.kernels[i]);
    sample_close(&w.sample);
    free(ms);
    return 0;
}
