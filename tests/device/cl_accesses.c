/* SPDX-License-Identifier: MIT */
/*
 * cl_accesses.c - kernels whose uses of memory are known by hand: strides, gathers, atomics, bytes
 * across the end of a page, structures, local and private memory, functions that are not inlined
 *
 * By itself it looks at the results. With the name of a file it also writes there which pages each
 * kernel reads and writes, which a recording has to agree with (tests/record-command):
 *
 *   KERNEL r|w PAGE     in any order; a page once
 *   KERNEL r|w uses N   where that is known, too
 *   range PAGE COUNT    there, the CPU writes, before each kernel,
 *   KERNEL c PAGE       these, and no others, and OpenCL commands read
 *   KERNEL o PAGE       these
 *
 * With "times" it prints what a triad and a pointer chase take of the processors: more, if they are
 * recorded.
 * With "many" it runs one kernel that uses more pages than a small log has room for.
 */
#include "cl_harness.h"

#include <sys/mman.h>
#include <time.h>

#define PAGE   4096u
#define INTS   1024u /* in a page */
#define ITEMS  1024u
#define GROUP  64u
#define MANY_PAGES  128u
#define MANY_ROUNDS 600u

static const char source[] =
    "kernel void copy(global const int *in, global int *out) {\n"
    "    out[get_global_id(0)] = in[get_global_id(0)] + 1;\n"
    "}\n"
    "kernel void stride(global const int *in, global int *out) {\n"
    "    size_t i = get_global_id(0);\n"
    "    out[i] = in[i * 2048];\n"
    "}\n"
    "kernel void gather(global const int *in, global const uint *at, global int *out) {\n"
    "    out[get_global_id(0)] = in[at[get_global_id(0)]];\n"
    "}\n"
    "kernel void count(global atomic_int *counters) {\n"
    "    atomic_fetch_add_explicit(&counters[get_global_id(0) % 4 * 1024], 1,\n"
    "                              memory_order_relaxed, memory_scope_device);\n"
    "}\n"
    "kernel void bytes(global uchar *out) {\n"
    "    size_t i = get_global_id(0);\n"
    "    vstore4((uchar4)(1, 2, 3, 4), 0, out + (i + 1) * 8192 - 2);\n"
    "}\n"
    "typedef struct { int v[1500]; } large;\n"
    "kernel void structure(global const large *in, global large *out) {\n"
    "    out[get_global_id(0)] = in[get_global_id(0)];\n"
    "}\n"
    "kernel void scratch(global const int *in, global int *out, local int *given) {\n"
    "    local int own[64];\n"
    "    size_t i = get_local_id(0), g = get_global_id(0);\n"
    "    own[i] = in[g];\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    given[63 - i] = own[63 - i] * 2;\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    out[g] = given[i];\n"
    "}\n"
    "constant int table[8] = { 3, 1, 4, 1, 5, 9, 2, 6 };\n"
    "__attribute__((noinline)) void put(global int *to, const int *from, int n) {\n"
    "    *to = from[n];\n"
    "}\n"
    "kernel void private_(global const int *in, global int *out) {\n"
    "    int own[64];\n"
    "    size_t g = get_global_id(0);\n"
    "    for (int k = 0; k < 64; k++)\n"
    "        own[(k * 7 + in[g]) & 63] = k + table[k & 7];\n"
    "    put(&out[g], own, in[g] & 63);\n"
    "}\n"
    "kernel void print(global const int *in, global int *out) {\n"
    "    if (get_global_id(0) == 0)\n"
    "        printf(\"the kernel prints %d\\n\", in[0]);\n"
    "    else\n"
    "        out[0] = 1;\n"
    "}\n"
    "kernel void first(global int *out) { out[get_global_id(0) * 1024] = 1; }\n"
    "kernel void second(global int *out) { out[get_global_id(0) * 1024] += 1; }\n"
    "kernel void triad(global float *a, global const float *b, global const float *c) {\n"
    "    size_t i = get_global_id(0);\n"
    "    a[i] = b[i] + 3.0f * c[i];\n"
    "}\n"
    "kernel void chase(global const ulong *nodes, global ulong *out, uint steps) {\n"
    "    ulong at = get_global_id(0);\n"
    "    for (uint i = 0; i < steps; i++)\n"
    "        at = nodes[at * 8];\n"
    "    out[get_global_id(0)] = at;\n"
    "}\n"
    "kernel void many(global const int *in, global int *out, int pages, int rounds) {\n"
    "    int sum = 0;\n"
    "    for (int round = 0; round < rounds; round++)\n"
    "        for (int page = 0; page < pages; page++)\n"
    "            sum += in[page * 1024 + round % 64 * 16];\n"
    "    *out = sum;\n"
    "}\n";

static FILE *expected;

static int *pages_new(size_t count)
{
    int *p = aligned_alloc(PAGE, count * PAGE);

    CHECK(p != NULL);
    memset(p, 0, count * PAGE);
    return p;
}

static void expect(const char *kernel, char how, const void *start, size_t first, size_t count)
{
    for (size_t i = first; expected != NULL && i < first + count; i++)
        fprintf(expected, "%s %c %" PRIuPTR "\n", kernel, how, (uintptr_t)start / PAGE + i);
}

static void expect_uses(const char *kernel, char how, unsigned uses)
{
    if (expected != NULL)
        fprintf(expected, "%s %c uses %u\n", kernel, how, uses);
}

static cl_kernel kernel_new(cl_program program, const char *name, const void *a, const void *b)
{
    cl_int err;
    cl_kernel kernel = clCreateKernel(program, name, &err);

    CL(err);
    CL(clSetKernelArgSVMPointer(kernel, 0, a));
    if (b != NULL)
        CL(clSetKernelArgSVMPointer(kernel, 1, b));
    return kernel;
}

static void run(cl_kernel kernel, size_t items, size_t group)
{
    cl_run(cl_queue, kernel, items, group, NULL);
    CL(clFinish(cl_queue));
}

static void copy(cl_program program)
{
    int *in = pages_new(1), *out = pages_new(1);

    run(kernel_new(program, "copy", in, out), ITEMS, GROUP);
    for (unsigned i = 0; i < ITEMS; i++)
        EQ(out[i], 1);
    expect("copy", 'r', in, 0, 1);
    expect("copy", 'w', out, 0, 1);
    expect_uses("copy", 'r', PAGE / 64);
    expect_uses("copy", 'w', PAGE / 64);
}

static void stride(cl_program program)
{
    const unsigned items = 64;
    int *in = pages_new(2 * items), *out = pages_new(1);

    for (unsigned i = 0; i < items; i++)
        in[i * 2 * INTS] = (int)i;
    run(kernel_new(program, "stride", in, out), items, GROUP);
    for (unsigned i = 0; i < items; i++) {
        EQ(out[i], (int)i);
        expect("stride", 'r', in, 2 * i, 1);
    }
    expect("stride", 'w', out, 0, 1);
    expect_uses("stride", 'r', items);
}

static void gather(cl_program program)
{
    const unsigned pages = 37;
    int *in = pages_new(pages), *out = pages_new(1);
    cl_uint *at = (cl_uint *)pages_new(1);
    bool used[37] = { false };

    for (unsigned i = 0; i < ITEMS; i++) {
        at[i] = i * i % 29 * INTS + i;
        used[at[i] / INTS] = true;
        in[at[i]] = (int)at[i];
    }
    cl_kernel kernel = kernel_new(program, "gather", in, at);
    CL(clSetKernelArgSVMPointer(kernel, 2, out));
    run(kernel, ITEMS, GROUP);
    for (unsigned i = 0; i < ITEMS; i++)
        EQ(out[i], (int)at[i]);
    for (unsigned page = 0; page < pages; page++)
        expect("gather", 'r', in, page, used[page]);
    expect("gather", 'r', at, 0, 1);
    expect("gather", 'w', out, 0, 1);
}

static void count(cl_program program)
{
    int *counters = pages_new(5);

    run(kernel_new(program, "count", counters, NULL), ITEMS, GROUP);
    for (unsigned i = 0; i < 4; i++)
        EQ(counters[i * INTS], (int)ITEMS / 4);
    expect("count", 'r', counters, 0, 4);
    expect("count", 'w', counters, 0, 4);
}

static void bytes(cl_program program)
{
    const unsigned items = 8;
    unsigned char *out = (unsigned char *)pages_new(2 * items + 1);

    run(kernel_new(program, "bytes", out, NULL), items, items);
    for (unsigned i = 0; i < items; i++) {
        for (unsigned k = 0; k < 4; k++)
            EQ(out[(i + 1) * 2 * PAGE - 2 + k], k + 1);
        expect("bytes", 'w', out, 2 * i + 1, 2);
    }
    expect_uses("bytes", 'w', 2 * items);
}

static void structure(cl_program program)
{
    int *in = pages_new(3), *out = pages_new(3);

    for (unsigned i = 0; i < 3000; i++)
        in[i] = (int)i;
    run(kernel_new(program, "structure", in, out), 2, 1);
    EQ(memcmp(in, out, 3000 * sizeof(int)), 0);
    expect("structure", 'r', in, 0, 3);
    expect("structure", 'w', out, 0, 3);
}

static void scratch(cl_program program)
{
    int *in = pages_new(1), *out = pages_new(1);

    for (unsigned i = 0; i < ITEMS; i++)
        in[i] = (int)i;
    cl_kernel kernel = kernel_new(program, "scratch", in, out);
    CL(clSetKernelArg(kernel, 2, GROUP * sizeof(int), NULL));
    run(kernel, ITEMS, GROUP);
    for (unsigned i = 0; i < ITEMS; i++)
        EQ(out[i], 2 * (int)i);
    expect("scratch", 'r', in, 0, 1);
    expect("scratch", 'w', out, 0, 1);
}

static void private_memory(cl_program program)
{
    static const int table[8] = { 3, 1, 4, 1, 5, 9, 2, 6 };
    int *in = pages_new(1), *out = pages_new(1);

    for (unsigned i = 0; i < ITEMS; i++)
        in[i] = (int)i;
    run(kernel_new(program, "private_", in, out), ITEMS, GROUP);
    for (unsigned i = 0; i < ITEMS; i++) {
        int k = 0;

        while (((k * 7 + (int)i) & 63) != ((int)i & 63))
            k++;
        EQ(out[i], k + table[k & 7]);
    }
    expect("private_", 'r', in, 0, 1);
    expect("private_", 'w', out, 0, 1);
}

static void print(cl_program program)
{
    int *in = pages_new(1), *out = pages_new(1);

    run(kernel_new(program, "print", in, out), 2, 1);
    EQ(out[0], 1);
    expect("print", 'r', in, 0, 1);
    expect("print", 'w', out, 0, 1);
}

/* Kernels and the CPU by turns. */
static void turns(cl_program program)
{
    const size_t block = 512, pages = 2 * block;
    /* fresh memory, whose blocks are its own */
    char *all = mmap(NULL, (pages + block) * PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *start, byte = 2;
    static char copy[PAGE + 2];
    int ends[2];

    CHECK(all != MAP_FAILED);
    start = (char *)(((uintptr_t)all + block * PAGE - 1) / (block * PAGE) * (block * PAGE));
    EQ(madvise(start, pages * PAGE, MADV_NOHUGEPAGE), 0);
    EQ(pipe(ends), 0);
    if (expected != NULL)
        fprintf(expected, "range %" PRIuPTR " %zu\n", (uintptr_t)start / PAGE, pages);

    /* what is there before anybody looks; what is in a block that no kernel uses is not told */
    memset(start + 3 * PAGE, 0, 7 * PAGE);
    start[600 * PAGE] = 1;
    expect("first", 'c', start, 3, 7);
    run(kernel_new(program, "first", start, NULL), 8, 8);
    expect("first", 'w', start, 0, 8);

    /* what the kernel has used, and not; by a system call */
    start[2 * PAGE + 1] = 1;
    memset(start + 20 * PAGE, 1, 2 * PAGE);
    EQ(write(ends[1], &byte, 1), 1);
    EQ(read(ends[0], start + 5 * PAGE + 1, 1), 1);
    start[700 * PAGE] = start[8 * PAGE] + 1;
    CL(clEnqueueSVMMemcpy(cl_queue, CL_TRUE, copy, start + 6 * PAGE - 1, sizeof(copy), 0, NULL, NULL));
    expect("second", 'o', start, 5, 3);
    expect("second", 'c', start, 2, 1);
    expect("second", 'c', start, 5, 1);
    expect("second", 'c', start, 20, 2);
    run(kernel_new(program, "second", start, NULL), 9, 9);
    expect("second", 'r', start, 0, 9);
    expect("second", 'w', start, 0, 9);
    EQ(*(int *)(start + 2 * PAGE), 1 + 256 + 1);
    EQ(*(int *)(start + 8 * PAGE), 1);
}

static void many(cl_program program)
{
    const cl_int pages = MANY_PAGES, rounds = MANY_ROUNDS;
    int *in = pages_new(MANY_PAGES), *out = pages_new(1);
    cl_kernel kernel = kernel_new(program, "many", in, out);

    for (unsigned i = 0; i < MANY_PAGES * INTS; i++)
        in[i] = 1;
    ARG(kernel, 2, pages);
    ARG(kernel, 3, rounds);
    run(kernel, 1, 1);
    EQ(*out, (int)(MANY_PAGES * MANY_ROUNDS));
}

static double processor_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/*
 * The processor time of the shortest of several runs after a first one: on a busy machine it says
 * more than a clock does. In kernel mode the engine has a time of its own.
 */
static double shortest(cl_kernel kernel, size_t items, size_t group)
{
    double best = 0;

    for (unsigned i = 0; i < 16; i++) {
        double start = processor_ms(), took;

        run(kernel, items, group);
        took = processor_ms() - start;
        if (i == 1 || (i > 1 && took < best))
            best = took;
    }
    return best;
}

static void times(cl_program program)
{
    const size_t floats = 2 << 20, nodes = 1 << 20;
    const cl_uint steps = 4096;
    cl_ulong *ring = (cl_ulong *)pages_new(nodes * 64 / PAGE), state = 1;
    cl_uint *order = malloc(nodes * sizeof(*order));
    int *a = pages_new(floats / INTS), *b = pages_new(floats / INTS), *c = pages_new(floats / INTS);
    int *out = pages_new(1);
    cl_kernel triad = kernel_new(program, "triad", a, b), chase = kernel_new(program, "chase", ring, out);

    CHECK(order != NULL);
    for (size_t i = 0; i < nodes; i++)
        order[i] = (cl_uint)i;
    for (size_t i = nodes - 1; i > 0; i--) {
        size_t k = (state = state * 6364136223846793005u + 1442695040888963407u) / 65536 % (i + 1);
        cl_uint t = order[i];

        order[i] = order[k];
        order[k] = t;
    }
    for (size_t i = 0; i < nodes; i++)
        ring[order[i] * 8ul] = order[(i + 1) % nodes];
    CL(clSetKernelArgSVMPointer(triad, 2, c));
    ARG(chase, 2, steps);
    printf("triad %.2f ms\n", shortest(triad, floats, 256));
    printf("chase %.2f ms\n", shortest(chase, 64, 32));
}

int main(int argc, char **argv)
{
    cl_open();

    cl_program program = cl_build_with(source, "-cl-std=CL3.0");

    if (argc > 1 && strcmp(argv[1], "many") == 0) {
        many(program);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "times") == 0) {
        times(program);
        return 0;
    }
    if (argc > 1)
        CHECK((expected = fopen(argv[1], "w")) != NULL);
    copy(program);
    stride(program);
    gather(program);
    count(program);
    bytes(program);
    structure(program);
    scratch(program);
    private_memory(program);
    print(program);
    turns(program);
    if (expected != NULL)
        EQ(fclose(expected), 0);
    return 0;
}
