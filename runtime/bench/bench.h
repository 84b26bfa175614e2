/* SPDX-License-Identifier: MIT */
/*
 * bench.h - what the micro benchmarks share: options, repetitions, figures and how they are printed
 *
 * A benchmark is one program about one question. It measures A (what this project does) against its
 * peer B (what there is without it) in the same run and in turns, so that what disturbs the machine
 * disturbs both. A figure is a list of such pairs. There are no limits to keep: a benchmark that
 * could measure ends with 0, whatever came out.
 *
 * Locking: none; one thread calls all of this.
 */
#ifndef HMMSVM_BENCH_H
#define HMMSVM_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_FAILED  1
#define BENCH_NOTHING 77 /* there is nothing to measure here, e.g. no mirror in direct mode */

/* One pair of lists of measurements. Everything in it belongs to the struct bench. */
struct bench_figure;

struct bench {
    const char *name;
    const char *title;
    const char *a, *b; /* what A and B are */
    unsigned repeat;
    bool json;
    char mode[32];     /* "kernel" or "direct" */
    char reason[256];  /* why that mode */
    struct bench_figure *first, *last;
};

enum bench_better { BENCH_LOWER, BENCH_HIGHER };

/**
 * bench_begin - reads the command line
 * @b: name, title, a, b and repeat (the default) are filled in
 *
 * Ends the program on --help and wrong usage.
 */
void bench_begin(struct bench *b, int argc, char **argv);

/** bench_mode - the mode the device runs in and why, for the header */
void bench_mode(struct bench *b, const char *mode, const char *reason);

/** bench_figure - a new figure; the texts stay the caller's and must last */
struct bench_figure *bench_figure(struct bench *b, const char *name, const char *unit,
                                  enum bench_better better);

/** bench_pair - adds a pair to a figure */
void bench_pair(struct bench_figure *f, double a, double b);

/**
 * bench_count - something counted while a pair was measured
 *
 * The figure shows the mean over its pairs: call it once a pair for each @name.
 */
void bench_count(struct bench_figure *f, const char *name, double value);

/** bench_end - prints all figures and returns the program's exit status */
int bench_end(struct bench *b);

/** bench_progress - says on standard error what is measured now */
void bench_progress(const struct bench *b, const char *what);

/** bench_die - says on standard error what went wrong and ends the program with BENCH_FAILED */
__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);

/** bench_nothing - says why there is nothing to measure, as the result, and ends the program */
__attribute__((noreturn, format(printf, 2, 3))) void bench_nothing(const struct bench *b,
                                                                   const char *format, ...);

/** bench_ns - CLOCK_MONOTONIC in nanoseconds */
uint64_t bench_ns(void);

/**
 * bench_calibrate - how many rounds take at least @target_ns
 * @run: runs that many rounds and returns the nanoseconds they took
 */
unsigned bench_calibrate(uint64_t (*run)(void *arg, unsigned rounds), void *arg,
                         uint64_t target_ns);

#endif
