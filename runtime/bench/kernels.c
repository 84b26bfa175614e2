/* SPDX-License-Identifier: MIT */
/*
 * kernels.c - how fast kernels run that are warm
 *
 * Both devices run the same kernels over the same host arrays, with the same work-group sizes: so
 * neither has the better pages or caches, and the results can be compared bit by bit. What is
 * built, mapped and cached by a first run is not measured.
 *
 * Throughput, so that A/B is how much faster A is. No locking.
 */
#define _GNU_SOURCE
#include "bench-cl.h"

#include <stdlib.h>
#include <string.h>

#define SLICE_NS 20000000u /* what one measurement takes at least */

#define TRIAD   (2730u << 10) /* three arrays of floats: 32 MiB */
#define IMAGE   256u
#define GRID    1024u
#define GROUPS  16384u
#define BUFFERS 3

static const char source[] =
    "kernel void triad(global float *a, global const float *b, global const float *c)\n"
    "{\n"
    "    size_t i = get_global_id(0);\n"
    "    a[i] = b[i] + 3.0f * c[i];\n"
    "}\n"
    "\n"
    "kernel void mandelbrot(global uint *out, global const float *b, global const float *c)\n"
    "{\n"
    "    uint x = get_global_id(0), y = get_global_id(1), n;\n"
    "    float cr = -2.2f + x * (3.2f / get_global_size(0));\n"
    "    float ci = -1.6f + y * (3.2f / get_global_size(1));\n"
    "    float r = 0.0f, i = 0.0f;\n"
    "    for (n = 0; n < 128 && r * r + i * i < 4.0f; n++) {\n"
    "        float t = r * r - i * i + cr;\n"
    "        i = 2.0f * r * i + ci;\n"
    "        r = t;\n"
    "    }\n"
    "    out[y * get_global_size(0) + x] = n;\n"
    "}\n"
    "\n"
    "kernel void stencil(global float *a, global const float *b, global const float *c)\n"
    "{\n"
    "    int w = get_global_size(0), h = get_global_size(1);\n"
    "    int x = get_global_id(0), y = get_global_id(1), i = y * w + x;\n"
    "    float sum = b[i];\n"
    "    if (x > 0) sum += b[i - 1];\n"
    "    if (x < w - 1) sum += b[i + 1];\n"
    "    if (y > 0) sum += b[i - w];\n"
    "    if (y < h - 1) sum += b[i + w];\n"
    "    a[i] = sum * 0.2f;\n"
    "}\n"
    "\n"
    "kernel void small(global uint *out, global const uint *b, global const uint *c)\n"
    "{\n"
    "    size_t i = get_global_id(0);\n"
    "    out[i] = b[i] * 2654435761u + (uint)get_group_id(0);\n"
    "}\n";

static const struct question {
    const char *name, *kernel, *unit;
    cl_uint dimensions;
    size_t global[2], local[2];
    size_t items;     /* of each array; the first is written, the others are read */
    double per_run;   /* of what the unit counts, in millions */
} questions[] = {
    { "triad, 32 MiB", "triad", "MB/s", 1, { TRIAD }, { 256 }, TRIAD, TRIAD * 12 / 1e6 },
    { "mandelbrot, 256x256", "mandelbrot", "Mitems/s", 2, { IMAGE, IMAGE }, { 16, 16 },
      IMAGE * IMAGE, IMAGE * IMAGE / 1e6 },
    { "5-point stencil, 1024x1024", "stencil", "Mitems/s", 2, { GRID, GRID }, { 64, 4 },
      GRID * GRID, GRID * GRID / 1e6 },
    { "16384 work-groups of 8", "small", "Mitems/s", 1, { GROUPS * 8 }, { 8 }, GROUPS * 8,
      GROUPS * 8 / 1e6 },
};

struct side {
    struct bench_cl cl;
    const struct question *question;
    cl_kernel kernel;
    cl_mem buffers[BUFFERS];
};

static void side_begin(struct side *s, const struct question *q, void *const *arrays)
{
    cl_int err;

    s->question = q;
    s->kernel = bench_cl_kernel(&s->cl, q->kernel);
    for (unsigned i = 0; i < BUFFERS; i++) {
        s->buffers[i] = clCreateBuffer(s->cl.context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR,
                                       q->items * sizeof(cl_uint), arrays[i], &err);
        bench_cl_check(err, "clCreateBuffer");
        BENCH_CL(clSetKernelArg(s->kernel, i, sizeof(cl_mem), &s->buffers[i]));
    }
}

static void side_end(struct side *s)
{
    for (unsigned i = 0; i < BUFFERS; i++)
        clReleaseMemObject(s->buffers[i]);
    clReleaseKernel(s->kernel);
}

static uint64_t run(void *arg, unsigned rounds)
{
    struct side *s = arg;
    const struct question *q = s->question;
    uint64_t begin = bench_ns();

    for (unsigned i = 0; i < rounds; i++)
        BENCH_CL(clEnqueueNDRangeKernel(s->cl.queue, s->kernel, q->dimensions, NULL, q->global,
                                        q->local, 0, NULL, NULL));
    BENCH_CL(clFinish(s->cl.queue));
    return bench_ns() - begin;
}

/* What the device makes of an array that was cleared; the caller frees it. */
static void *result(struct side *s, void *array)
{
    size_t size = s->question->items * sizeof(cl_uint);
    void *copy = malloc(size); /* NOLINT(clang-analyzer-optin.portability.UnixAPI): never 0 */

    if (!copy)
        bench_die("out of memory");
    memset(array, 0xee, size);
    run(s, 1);
    BENCH_CL(clEnqueueReadBuffer(s->cl.queue, s->buffers[0], CL_TRUE, 0, size, copy, 0, NULL,
                                 NULL));
    return copy;
}

static void measure(struct bench *b, const struct question *q, struct side *hmm, struct side *cpu)
{
    struct bench_figure *f = bench_figure(b, q->name, q->unit, BENCH_HIGHER);
    void *arrays[BUFFERS], *a, *peer;
    size_t size = q->items * sizeof(cl_uint);
    unsigned rounds;

    bench_progress(b, q->name);
    for (unsigned i = 0; i < BUFFERS; i++) {
        float *values = arrays[i] = aligned_alloc(4096, (size + 4095) & ~(size_t)4095);

        if (!values)
            bench_die("out of memory");
        /*
         * Numbers whose sums are not exact: emulators are fast only once the flag for that is set,
         * and the two devices do not clear it equally often.
         */
        for (size_t j = 0; j < q->items; j++)
            values[j] = (float)(j % 1013) * 0.3f + (float)i;
    }
    side_begin(hmm, q, arrays);
    side_begin(cpu, q, arrays);

    a = result(hmm, arrays[0]);
    peer = result(cpu, arrays[0]);
    if (memcmp(a, peer, size))
        bench_die("%s: the two devices do not agree on the result", q->name);
    free(a);
    free(peer);

    rounds = bench_calibrate(run, cpu, SLICE_NS);
    for (unsigned i = 0; i <= b->repeat; i++) {
        double millions = q->per_run * rounds;
        double ours = millions / ((double)run(hmm, rounds) / 1e9);
        double theirs = millions / ((double)run(cpu, rounds) / 1e9);

        if (!i)
            continue;
        bench_pair(f, ours, theirs);
        bench_count(f, "kernels", rounds);
    }
    side_end(hmm);
    side_end(cpu);
    for (unsigned i = 0; i < BUFFERS; i++)
        free(arrays[i]);
}

int main(int argc, char **argv)
{
    struct bench b = {
        .name = "kernels",
        .title = "how fast warm kernels run",
        .a = "the device hmm",
        .b = "pocl's CPU device in the same process, on the same arrays",
        .repeat = 11,
    };
    struct side hmm, cpu;

    bench_begin(&b, argc, argv);
    bench_cl_open(&b, source, &hmm.cl, &cpu.cl);
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
        measure(&b, &questions[i], &hmm, &cpu);
    return bench_end(&b);
}
