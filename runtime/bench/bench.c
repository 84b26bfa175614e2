/* SPDX-License-Identifier: MIT */
/*
 * bench.c - options, statistics and output of the micro benchmarks; see bench.h. No locking.
 */
#define _GNU_SOURCE
#include "bench.h"
#include "place.h"

#include <argp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_COUNTS 12
#define MAX_REPEAT 10000

struct bench_figure {
    struct bench_figure *next;
    const char *name, *unit;
    enum bench_better better;
    double *a, *b;
    unsigned pairs, room;
    struct {
        const char *name;
        double sum;
    } counts[MAX_COUNTS];
    unsigned ncounts;
};

struct spread {
    double median, min, max;
};

void bench_die(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(BENCH_FAILED);
}

uint64_t bench_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

unsigned bench_calibrate(uint64_t (*run)(void *arg, unsigned rounds), void *arg,
                         uint64_t target_ns)
{
    unsigned rounds = 1;

    run(arg, 1); /* what happens only once shall not count */
    for (;;) {
        uint64_t ns = run(arg, rounds);

        if (ns >= target_ns || rounds > 1u << 24)
            return rounds;
        /* Not in one leap: a few rounds are too short to be measured well. */
        if (ns * 8 < target_ns)
            rounds *= 4;
        else
            rounds = (unsigned)((double)rounds * (double)target_ns / (double)ns) + 1;
    }
}

/* ---- figures ------------------------------------------------------------------ */

struct bench_figure *bench_figure(struct bench *b, const char *name, const char *unit,
                                  enum bench_better better)
{
    struct bench_figure *f = calloc(1, sizeof(*f));

    if (!f)
        bench_die("out of memory");
    f->name = name;
    f->unit = unit;
    f->better = better;
    if (b->last)
        b->last->next = f;
    else
        b->first = f;
    b->last = f;
    return f;
}

void bench_pair(struct bench_figure *f, double a, double b)
{
    if (f->pairs == f->room) {
        f->room = f->room ? 2 * f->room : 32;
        f->a = realloc(f->a, f->room * sizeof(*f->a));
        f->b = realloc(f->b, f->room * sizeof(*f->b));
        if (!f->a || !f->b)
            bench_die("out of memory");
    }
    f->a[f->pairs] = a;
    f->b[f->pairs] = b;
    f->pairs++;
}

void bench_count(struct bench_figure *f, const char *name, double value)
{
    unsigned i;

    for (i = 0; i < f->ncounts; i++)
        if (!strcmp(f->counts[i].name, name))
            break;
    if (i == MAX_COUNTS)
        bench_die("more than %d counts in \"%s\"", MAX_COUNTS, f->name);
    if (i == f->ncounts)
        f->counts[f->ncounts++].name = name;
    f->counts[i].sum += value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static struct spread spread_of(const double *values, unsigned n)
{
    double *sorted = malloc(n * sizeof(*sorted));
    struct spread s;

    if (!sorted)
        bench_die("out of memory");
    memcpy(sorted, values, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare);
    s.min = sorted[0];
    s.max = sorted[n - 1];
    s.median = n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
    free(sorted);
    return s;
}

/* Of the ratios of the pairs: not the ratio of the medians. */
static struct spread spread_of_ratios(const struct bench_figure *f)
{
    double *ratios = malloc(f->pairs * sizeof(*ratios));
    struct spread s;

    if (!ratios)
        bench_die("out of memory");
    for (unsigned i = 0; i < f->pairs; i++)
        ratios[i] = f->a[i] / f->b[i];
    s = spread_of(ratios, f->pairs);
    free(ratios);
    return s;
}

/* ---- text --------------------------------------------------------------------- */

/* Three digits that count, however large the value. */
static void print_number(char *out, size_t size, double value)
{
    int digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : value >= 0.1 ? 3 : 4;

    snprintf(out, size, "%.*f", digits, value);
}

static void print_spread(struct spread s)
{
    char median[32], min[32], max[32], range[80];

    print_number(median, sizeof(median), s.median);
    print_number(min, sizeof(min), s.min);
    print_number(max, sizeof(max), s.max);
    snprintf(range, sizeof(range), "(%s..%s)", min, max);
    printf(" %8s %-18s", median, range);
}

static void print_header(const struct bench *b)
{
    struct place p;

    place_find(&p);
    printf("%s: %s\n", b->name, b->title);
    if (b->mode[0])
        printf("  %s mode (%s)\n", b->mode, b->reason);
    printf("  Linux %s, %s, %u CPUs (%s)%s%s\n", p.kernel, p.machine, p.cpus, p.cpu,
           p.guest[0] ? ", guest " : "", p.guest);
}

static void print_text(const struct bench *b)
{
    print_header(b);
    printf("  A: %s\n  B: %s\n", b->a, b->b);
    printf("  %u pairs, A B A B ...; median (min..max)\n\n", b->repeat);
    printf("  %-32s %-13s %-27s %-27s %-18s\n", "", "unit", "       A", "       B", "     A/B");
    for (const struct bench_figure *f = b->first; f; f = f->next) {
        if (!f->pairs)
            continue;
        printf("  %-32s %-12s", f->name, f->unit);
        print_spread(spread_of(f->a, f->pairs));
        print_spread(spread_of(f->b, f->pairs));
        print_spread(spread_of_ratios(f));
        printf(" %s is better\n", f->better == BENCH_LOWER ? "lower" : "higher");
        for (unsigned i = 0; i < f->ncounts; i++)
            printf("%s%.6g %s%s", i == 0 ? "      " : i % 5 ? ", " : "\n      ",
                   f->counts[i].sum / f->pairs, f->counts[i].name,
                   i + 1 == f->ncounts ? "\n" : i % 5 == 4 ? "," : "");
    }
    putchar('\n');
}

/* ---- JSON ----------------------------------------------------------------------- */

static void json_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void json_field(const char *name, const char *text)
{
    printf("\"%s\": ", name);
    json_string(text);
    fputs(", ", stdout);
}

static void json_spread(const char *name, struct spread s, const double *values, unsigned n)
{
    printf("     \"%s\": {\"median\": %.6g, \"min\": %.6g, \"max\": %.6g", name, s.median, s.min,
           s.max);
    if (values) {
        fputs(", \"values\": [", stdout);
        for (unsigned i = 0; i < n; i++)
            printf("%s%.6g", i ? ", " : "", values[i]);
        putchar(']');
    }
    fputs("},\n", stdout);
}

static void json_header(const struct bench *b)
{
    struct place p;

    place_find(&p);
    fputs("{", stdout);
    json_field("bench", b->name);
    json_field("title", b->title);
    json_field("mode", b->mode);
    json_field("reason", b->reason);
    fputs("\n ", stdout);
    json_field("kernel", p.kernel);
    json_field("machine", p.machine);
    json_field("cpu", p.cpu);
    json_field("guest", p.guest);
    printf("\"cpus\": %u,\n ", p.cpus);
}

static void print_json(const struct bench *b)
{
    const char *comma = "";

    json_header(b);
    json_field("a", b->a);
    json_field("b", b->b);
    fputs("\"figures\": [", stdout);
    for (const struct bench_figure *f = b->first; f; f = f->next) {
        if (!f->pairs)
            continue;
        printf("%s\n    {", comma);
        json_field("name", f->name);
        json_field("unit", f->unit);
        printf("\"better\": \"%s\",\n", f->better == BENCH_LOWER ? "lower" : "higher");
        json_spread("a", spread_of(f->a, f->pairs), f->a, f->pairs);
        json_spread("b", spread_of(f->b, f->pairs), f->b, f->pairs);
        json_spread("ratio", spread_of_ratios(f), NULL, 0);
        fputs("     \"counts\": {", stdout);
        for (unsigned i = 0; i < f->ncounts; i++) {
            fputs(i ? ", " : "", stdout);
            json_string(f->counts[i].name);
            printf(": %.6g", f->counts[i].sum / f->pairs);
        }
        fputs("}}", stdout);
        comma = ",";
    }
    fputs("]}\n", stdout);
}

/* ---- the frame ---------------------------------------------------------------- */

void bench_nothing(const struct bench *b, const char *format, ...)
{
    char why[512];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    if (b->json) {
        json_header(b);
        fputs("\"nothing\": ", stdout);
        json_string(why);
        fputs("}\n", stdout);
    } else {
        print_header(b);
        printf("  nothing to measure: %s\n\n", why);
    }
    exit(BENCH_NOTHING);
}

void bench_mode(struct bench *b, const char *mode, const char *reason)
{
    snprintf(b->mode, sizeof(b->mode), "%s", mode);
    snprintf(b->reason, sizeof(b->reason), "%s", reason);
}

void bench_progress(const struct bench *b, const char *what)
{
    fprintf(stderr, "%s: %s\n", b->name, what);
}

int bench_end(struct bench *b)
{
    if (b->json)
        print_json(b);
    else
        print_text(b);
    if (fflush(stdout) || ferror(stdout))
        bench_die("cannot write the results: %m");
    return 0;
}

static const struct argp_option options[] = {
    { "json", 'j', NULL, 0, "Print JSON, with every measurement", 0 },
    { "repeat", 'r', "N", 0, "How many pairs to measure for a figure", 0 },
    { 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct bench *b = state->input;
    unsigned long n;
    char *end;

    switch (key) {
    case 'j':
        b->json = true;
        break;
    case 'r':
        n = strtoul(arg, &end, 10);
        if (*arg < '0' || *arg > '9' || *end || n < 1 || n > MAX_REPEAT)
            argp_error(state, "--repeat takes a number from 1 to %d, not \"%s\"", MAX_REPEAT, arg);
        b->repeat = (unsigned)n;
        break;
    case ARGP_KEY_ARG:
        argp_error(state, "there are no arguments, but \"%s\" was given", arg);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

void bench_begin(struct bench *b, int argc, char **argv)
{
    char doc[1024];
    struct argp argp = { .options = options, .parser = parse, .doc = doc };

    snprintf(doc, sizeof(doc),
             "Measure %s.\vA: %s.\nB: %s.\nBoth are measured in turns. Default: %u pairs a figure. "
             "Exit status: 0 measured, 77 there is nothing to measure here, 1 failed. "
             "`hmmsvm bench micro` runs this with the environment that it needs.",
             b->title, b->a, b->b, b->repeat);
    argp_err_exit_status = BENCH_FAILED;
    argp_parse(&argp, argc, argv, 0, NULL, b);
}
