/*
 * hot-buffer: host and device take turns with one large malloc'ed buffer, of which a part is hot.
 *
 * The host fills the buffer, the device reads all of it once, then updates the hot part again and
 * again; then the host reads and changes the hot part; and so on. Where pages lie is nobody's
 * business here: there is no copy, no map and no hint. On a device that moves what it uses often
 * to memory of its own, the updates get faster after the first ones, and the host's first touch
 * afterwards takes page faults that bring the pages back; the program prints the times and the
 * host's faults, and whether every word is what a computation on the host alone says.
 *
 * Locking: none; host and device take turns.
 */
#define _GNU_SOURCE
#include "hot-buffer.h"
#include "sample.h"

#include "hot-buffer-kernels.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define MIB        ((size_t)1 << 20)
#define WORK_ITEMS 1024 /* of add_up; a MiB has 1024 times 32 vectors of 8 words */

struct options {
    const char *device;
    size_t mib, hot, sweeps, rounds;
};

static const struct argp_option option_table[] = {
    { "mib", 'm', "N", 0, "Size of the buffer in MiB (64)", 0 },
    { "hot", 'H', "N", 0, "Size of its hot part in MiB, in the middle (16)", 0 },
    { "sweeps", 'n', "N", 0, "Updates of the hot part by the device in each round (20)", 0 },
    { "rounds", 'r', "N", 0, "Rounds of device and host in turn (2)", 0 },
    { "quick", 'q', NULL, 0, "Small numbers, for slow machines: 8 MiB, 2 MiB hot, 6 updates", 0 },
    { "device", 'd', "SUBSTRING", 0, "Only a device with this in its own or its platform's name",
      0 },
    { 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'm':
        o->mib = sample_number(state, "--mib", arg, 1, 8192);
        break;
    case 'H':
        o->hot = sample_number(state, "--hot", arg, 1, 8192);
        break;
    case 'n':
        o->sweeps = sample_number(state, "--sweeps", arg, 1, 1000000);
        break;
    case 'r':
        o->rounds = sample_number(state, "--rounds", arg, 1, 1000);
        break;
    case 'q':
        o->mib = 8;
        o->hot = 2;
        o->sweeps = 6;
        break;
    case 'd':
        o->device = arg;
        break;
    case ARGP_KEY_END:
        if (o->hot > o->mib)
            argp_error(state, "the hot part (--hot %zu) is larger than the buffer (--mib %zu)",
                       o->hot, o->mib);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp argp = {
    .options = option_table,
    .parser = parse_option,
    .doc = "Host and device take turns with a large malloc'ed buffer, of which a part is hot.\v"
           "The page faults are the main thread's. Exit status: 0 verified, 1 wrong or failed, 77 "
           "no device with fine-grained system SVM.",
};

/* A phase begins: what it does, and when. */
struct phase {
    double start;
    long faults;
};

static long host_faults(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

static struct phase phase_begin(const char *what)
{
    printf("%-46s", what);
    fflush(stdout);
    return (struct phase){ .faults = host_faults(), .start = sample_now_ms() };
}

static void phase_end(struct phase phase)
{
    double took = sample_now_ms() - phase.start;

    printf("%9.2f ms %7ld host page faults\n", took, host_faults() - phase.faults);
    fflush(stdout);
}

/* Runs both kernels once on little memory: what is measured later has them built. */
static void build_first(struct sample *s, cl_kernel update, cl_kernel add_up)
{
    const size_t items = WORK_ITEMS, count = MIB / sizeof(uint32_t);
    uint32_t *words = sample_alloc(count, sizeof(*words));
    uint32_t *sums = sample_alloc(items, sizeof(*sums));

    for (size_t i = 0; i < count; i++)
        words[i] = 0;
    sample_set_pointer(update, 0, words);
    sample_set_uint(update, 1, 0);
    sample_run(s, update, 1, &count);
    sample_set_pointer(add_up, 0, words);
    sample_set_uint(add_up, 1, count / items / 8);
    sample_set_pointer(add_up, 2, sums);
    sample_run(s, add_up, 1, &items);
    free(sums);
    free(words);
}

/* The device's turn: updates the hot part, and says how the first and the last time compare. */
static void update_hot(struct sample *s, cl_kernel update, uint32_t *words, size_t first,
                       size_t count, size_t sweeps)
{
    double first_ms = 0, least_ms = 0, last_ms = 0;

    printf("device: updates the hot part, %zu times%*s", sweeps, sweeps < 10 ? 9 : 8, "");
    fflush(stdout);
    sample_set_pointer(update, 0, words);
    sample_set_uint(update, 1, first);
    for (size_t i = 0; i < sweeps; i++) {
        double start = sample_now_ms();

        sample_run(s, update, 1, &count);
        last_ms = sample_now_ms() - start;
        if (i == 0)
            first_ms = least_ms = last_ms;
        else if (last_ms < least_ms)
            least_ms = last_ms;
    }
    printf("first %.2f ms, best %.2f ms, last %.2f ms\n", first_ms, least_ms, last_ms);
    fflush(stdout);
}

/* What word i has to be in the end, from nothing but the rules. */
static uint32_t final_value(const struct options *o, uint32_t i, bool hot)
{
    uint32_t value = FIRST_VALUE(i);

    if (!hot)
        return value;
    for (size_t round = 0; round < o->rounds; round++) {
        for (size_t n = 0; n < o->sweeps; n++)
            value = UPDATED(value, i);
        value = CHANGED(value);
    }
    return value;
}

static bool verify(const struct options *o, const uint32_t *words, size_t count, size_t first,
                   size_t hot)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t want = final_value(o, (uint32_t)i, i >= first && i < first + hot);

        if (words[i] != want) {
            fprintf(stderr, "word %zu is %" PRIu32 ", should be %" PRIu32 "\n", i, words[i], want);
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options o = { .mib = 64, .hot = 16, .sweeps = 20, .rounds = 2 };
    struct sample_needs needs = { .svm = CL_DEVICE_SVM_FINE_GRAIN_SYSTEM };
    const size_t items = WORK_ITEMS;
    uint32_t *words, *sums, wanted = 0, sum = 0;
    size_t count, first, hot;
    struct sample sample;
    cl_kernel add_up, update;
    struct phase phase;
    bool ok;

    argp_parse(&argp, argc, argv, 0, NULL, &o);
    needs.match = o.device;
    count = o.mib * MIB / sizeof(*words);
    hot = o.hot * MIB / sizeof(*words);
    first = (count - hot) / 2;

    sample_open(&sample, &needs);
    printf("device   %s (%s)\n", sample.device_name, sample.platform_name);
    sample_build(&sample, kernel_sources, kernel_source_count);
    add_up = sample_kernel(&sample, "add_up");
    update = sample_kernel(&sample, "update");
    words = sample_alloc(count, sizeof(*words));
    build_first(&sample, update, add_up);
    sums = sample_alloc(items, sizeof(*sums));
    printf("buffer   %zu MiB from malloc, of which %zu MiB in the middle are hot\n\n", o.mib,
           o.hot);

    phase = phase_begin("host:   writes all of it");
    for (size_t i = 0; i < count; i++) {
        words[i] = FIRST_VALUE((uint32_t)i);
        wanted += words[i];
    }
    phase_end(phase);

    phase = phase_begin("device: reads all of it once");
    sample_set_pointer(add_up, 0, words);
    sample_set_uint(add_up, 1, count / items / 8);
    sample_set_pointer(add_up, 2, sums);
    sample_run(&sample, add_up, 1, &items);
    phase_end(phase);
    for (size_t i = 0; i < items; i++)
        sum += sums[i];
    ok = sum == wanted;
    if (!ok)
        fprintf(stderr, "the words add up to %" PRIu32 ", the device says %" PRIu32 "\n", wanted,
                sum);

    for (size_t round = 0; ok && round < o.rounds; round++) {
        update_hot(&sample, update, words, first, hot, o.sweeps);
        phase = phase_begin("host:   reads and changes the hot part");
        for (size_t i = first; i < first + hot; i++)
            words[i] = CHANGED(words[i]);
        phase_end(phase);
    }

    if (ok) {
        phase = phase_begin("host:   checks all of it");
        ok = verify(&o, words, count, first, hot);
        phase_end(phase);
    }
    clReleaseKernel(add_up);
    clReleaseKernel(update);
    sample_close(&sample);
    free(sums);
    free(words);
    if (!ok)
        sample_die("the buffer is not what it has to be; the same numbers show it again");
    printf("verified: all %zu words are what the host alone computes\n", count);
    return 0;
}
