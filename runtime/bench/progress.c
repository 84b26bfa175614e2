/* SPDX-License-Identifier: MIT */
/*
 * progress.c - what forward progress costs programs that have no need of it
 *
 * A is a device whose work-groups may wait for each other, B one that lets as many groups be under
 * way as it has workers and does not look after them. Both run the same groups, none of which waits
 * for another: very small ones, where what is added to each group would show; such as read memory;
 * and few that are as long as to be taken for waiting, for which A starts more threads.
 *
 * Throughput, so that A/B is how much faster A is.
 *
 * Locking: none of its own; work-groups write to their own places.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <hmmsvm/client.h>

#define SLICE_NS 20000000u
#define BYTES    (32ul << 20)

struct job {
    const uint64_t *data;
    uint64_t *out;
    uint64_t words;  /* of data that a group reads */
    uint64_t rounds; /* how often it does */
};

/* Runs in the engine: no C library, no system calls. */
static void sum_workgroup(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                          unsigned long z)
{
    const struct job *job = ((struct job **)(void *)args)[0];
    const volatile uint64_t *p = job->data + x * job->words;
    uint64_t sum = 0;

    (void)ctx, (void)y, (void)z;
    for (uint64_t round = 0; round < job->rounds; round++)
        for (uint64_t i = 0; i < job->words; i++)
            sum += p[i];
    job->out[x] = sum;
}

struct question {
    const char *name;
    uint64_t groups, words;
    uint64_t group_ns; /* how long a group is to take, 0: it reads its words once */
};

struct side {
    struct hmmsvm_device *device;
    const struct question *question;
    struct job job;
};

static uint64_t run(void *arg, unsigned rounds)
{
    struct side *side = arg;
    void *args[1] = {&side->job};
    struct hmmsvm_launch launch = {
        .name = "sum",
        .fn = sum_workgroup,
        .groups = {side->question->groups, 1, 1},
        .args = args,
        .nargs = 1,
        HMMSVM_NO_CTX,
    };
    uint64_t begin = bench_ns();

    while (rounds--) {
        struct hmmsvm_completion end;

        if (hmmsvm_run(side->device, &launch, &end))
            bench_die("cannot run work-groups: %s", hmmsvm_last_error());
        if (end.status != HMMSVM_OK || end.groups_run != side->question->groups)
            bench_die("work-groups ended %s", hmmsvm_status_name(end.status));
    }
    return bench_ns() - begin;
}

static unsigned extra(struct hmmsvm_device *device)
{
    struct hmmsvm_device_info info;

    hmmsvm_device_info(device, &info);
    return info.extra;
}

static void measure(struct bench *b, const struct question *q, struct hmmsvm_device *with,
                    struct hmmsvm_device *without, unsigned workers, uint64_t *data,
                    uint64_t *out)
{
    struct bench_figure *figure = bench_figure(b, q->name, "groups/s", BENCH_HIGHER);
    struct job job = {.data = data, .out = out, .words = q->words, .rounds = 1};
    struct side sides[2] = {{with, q, job}, {without, q, job}};
    unsigned rounds = bench_calibrate(run, &sides[1], SLICE_NS);

    bench_progress(b, q->name);
    if (q->group_ns) {
        /* A worker has run its part of the groups that often in that time. */
        uint64_t part = q->groups / workers;

        job.rounds = q->group_ns * rounds * part / run(&sides[1], rounds);
        sides[0].job = sides[1].job = job;
        rounds = 1;
    } else {
        run(&sides[0], 1);
    }
    for (unsigned n = 0; n < b->repeat; n++) {
        uint64_t ns[2];

        /* Turn about, so that neither is always the first. */
        ns[n & 1] = run(&sides[n & 1], rounds);
        ns[!(n & 1)] = run(&sides[!(n & 1)], rounds);
        bench_pair(figure, (double)q->groups * rounds * 1e9 / (double)ns[0],
                   (double)q->groups * rounds * 1e9 / (double)ns[1]);
        bench_count(figure, "workers added", extra(with));
    }
}

static struct hmmsvm_device *open_device(unsigned resident)
{
    struct hmmsvm_open_params params = {.resident = resident};
    struct hmmsvm_device *device;

    if (hmmsvm_device_open(&params, &device))
        bench_die("%s", hmmsvm_last_error());
    return device;
}

int main(int argc, char **argv)
{
    struct bench b = {
        .name = "progress",
        .title = "what looking after groups that wait costs those that do not",
        .a = "groups may wait for each other",
        .b = "they may not",
        .repeat = 9,
    };
    struct hmmsvm_device_info info;
    struct hmmsvm_device *with, *without;
    uint64_t *data, *out;

    bench_begin(&b, argc, argv);
    with = open_device(0);
    without = open_device(1);
    hmmsvm_device_info(with, &info);
    bench_mode(&b, hmmsvm_mode_name(info.mode), info.reason);

    const struct question questions[] = {
        {"groups of one word", 100000, 1, 0},
        {"groups of 4 KiB", 8192, 512, 0},
        {"groups of 1 MiB", 32, 1u << 17, 0},
        {"groups of 1.5 s", 4 * info.workers, 1u << 17, 1500000000},
    };
    data = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    out = calloc(100000, sizeof(*out));
    if (data == MAP_FAILED || !out)
        bench_die("no memory");
    memset(data, 1, BYTES);
    for (unsigned i = 0; i < sizeof(questions) / sizeof(*questions); i++)
        measure(&b, &questions[i], with, without, info.workers, data, out);
    hmmsvm_device_close(with);
    hmmsvm_device_close(without);
    return bench_end(&b);
}
