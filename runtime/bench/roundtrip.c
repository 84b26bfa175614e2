/* SPDX-License-Identifier: MIT */
/*
 * roundtrip.c - how long a kernel that does nothing takes, there and back
 *
 * One work-item. Once with clFinish() after each kernel, which is what a program feels that waits
 * for each result; once with a hundred kernels before one clFinish(). No locking.
 */
#define _GNU_SOURCE
#include "bench-cl.h"

#define SLICE_NS 20000000u /* what one measurement takes at least */
#define BATCH    100

static const char source[] = "kernel void nothing(void) { }\n";

struct side {
    struct bench_cl cl;
    cl_kernel kernel;
    unsigned batch; /* kernels before each clFinish() */
};

static uint64_t run(void *arg, unsigned rounds)
{
    struct side *s = arg;
    const size_t one = 1;
    uint64_t begin = bench_ns();

    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned j = 0; j < s->batch; j++)
            BENCH_CL(clEnqueueNDRangeKernel(s->cl.queue, s->kernel, 1, NULL, &one, &one, 0, NULL,
                                            NULL));
        BENCH_CL(clFinish(s->cl.queue));
    }
    return bench_ns() - begin;
}

static void measure(struct bench *b, const char *name, unsigned batch, struct side *hmm,
                    struct side *cpu)
{
    struct bench_figure *f = bench_figure(b, name, "us/kernel", BENCH_LOWER);
    unsigned rounds;

    bench_progress(b, name);
    hmm->batch = cpu->batch = batch;
    rounds = bench_calibrate(run, cpu, SLICE_NS);
    for (unsigned i = 0; i <= b->repeat; i++) {
        double a = (double)run(hmm, rounds) / 1e3 / rounds / batch;
        double peer = (double)run(cpu, rounds) / 1e3 / rounds / batch;

        if (!i)
            continue;
        bench_pair(f, a, peer);
        bench_count(f, "kernels", rounds * batch);
    }
}

int main(int argc, char **argv)
{
    struct bench b = {
        .name = "roundtrip",
        .title = "how long an empty kernel takes, from its enqueuing to the end of clFinish()",
        .a = "the device hmm",
        .b = "pocl's CPU device in the same process",
        .repeat = 21,
    };
    struct side hmm, cpu;

    bench_begin(&b, argc, argv);
    bench_cl_open(&b, source, &hmm.cl, &cpu.cl);
    hmm.kernel = bench_cl_kernel(&hmm.cl, "nothing");
    cpu.kernel = bench_cl_kernel(&cpu.cl, "nothing");
    measure(&b, "one, then finish", 1, &hmm, &cpu);
    measure(&b, "100, then finish", BATCH, &hmm, &cpu);
    return bench_end(&b);
}
