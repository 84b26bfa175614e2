/* SPDX-License-Identifier: MIT */
/*
 * The declarations of OpenCL C's built-in functions are compiled once for each set of options, and
 * programs see what they would see without: their own macros, also where the headers look at them,
 * versions, errors with their lines; a damaged file is as good as none.
 */
#include <dirent.h>
#include <ftw.h>

#include "cl_harness.h"

static char folder[] = "/tmp/cl_precompiled_headers.XXXXXX";

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* How many precompiled headers there are; @change: each is cut in the middle. */
static int headers(bool change)
{
    char path[512];
    struct dirent *d;
    struct stat st;
    int count = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "%s/headers", folder);
    dir = opendir(path);
    if (dir == NULL)
        return 0;
    while ((d = readdir(dir)) != NULL) {
        if (strstr(d->d_name, ".pch") == NULL)
            continue;
        count++;
        snprintf(path, sizeof(path), "%s/headers/%s", folder, d->d_name);
        CHECK(stat(path, &st) == 0);
        /* The declarations are 20,000 lines. */
        CHECK(st.st_size > 100000 || change);
        CHECK(!change || truncate(path, st.st_size / 2) == 0);
    }
    closedir(dir);
    return count;
}

/* What the kernel stores that is built of @source and @options. */
static int value_of(const char *source, const char *options)
{
    cl_program program = cl_build_with(source, options);
    cl_kernel kernel;
    cl_mem buffer;
    int out = -1;
    cl_int err;

    kernel = clCreateKernel(program, "k", &err);
    CL(err);
    buffer = cl_new_buffer(sizeof(out), &out);
    ARG(kernel, 0, buffer);
    cl_run(cl_queue, kernel, 1, 1, NULL);
    CL(clEnqueueReadBuffer(cl_queue, buffer, CL_TRUE, 0, sizeof(out), &out, 0, NULL, NULL));
    CL(clReleaseMemObject(buffer));
    CL(clReleaseKernel(kernel));
    CL(clReleaseProgram(program));
    return out;
}

/* The log of @source, which must not build, has @text. */
static void refused(const char *source, const char *text)
{
    static char log[65536];
    cl_program program;
    cl_int err;

    program = clCreateProgramWithSource(cl_ctx, 1, &source, NULL, &err);
    CL(err);
    EQ(clBuildProgram(program, 1, &cl_device, "", NULL, NULL), CL_BUILD_PROGRAM_FAILURE);
    CL(clGetProgramBuildInfo(program, cl_device, CL_PROGRAM_BUILD_LOG, sizeof(log), log, NULL));
    if (strstr(log, text) == NULL)
        FAIL("the build log does not have \"%s\": \"%s\"", text, log);
    CL(clReleaseProgram(program));
}

int main(void)
{
    const char *number = "kernel void k(global int *out) { *out = max(N, 1); }";
    const char *version = "kernel void k(global int *out) { *out = __OPENCL_C_VERSION__; }";
    const char *fast = "#ifdef __FAST_RELAXED_MATH__\n#define N 2\n#else\n#define N 1\n#endif\n"
                       "kernel void k(global int *out) { *out = N; }";
    /* M_PI_F and max are macros of the headers. */
    const char *constant = "kernel void k(global int *out) { *out = (int)(M_PI_F * 100); }";
    const char *renamed = "#define max min\nkernel void k(global int *out) { *out = max(5, 3); }";
    int before;

    CHECK(mkdtemp(folder) != NULL);
    atexit(remove_folder);
    CHECK(setenv("POCL_CACHE_DIR", folder, 1) == 0);
    cl_open();
    before = headers(false);

    EQ(value_of(number, "-DN=7"), 7);
    EQ(headers(false), before + 1);
    EQ(value_of(number, "-D N=8"), 8);
    EQ(value_of("kernel void k(global int *out) { *out = N; }", "-DN=\"4 + 5\""), 9);
    EQ(value_of(constant, ""), 314);
    EQ(value_of(renamed, ""), 3);
    EQ(value_of(version, ""), 300);
    EQ(headers(false), before + 1);

    /* Options that change what the headers declare have headers of their own. */
    EQ(value_of(version, "-cl-std=CL1.2"), 120);
    EQ(headers(false), before + 2);
    EQ(value_of(fast, ""), 1);
    EQ(value_of(fast, "-cl-fast-relaxed-math"), 2);
    EQ(headers(false), before + 3);

    /* Macros that the headers have too: theirs come later, so theirs count. */
    EQ(value_of(constant, "-DM_PI_F=2.0f"), 314);
    EQ(value_of("kernel void k(global int *out) { *out = max(5, 3); }", "-Dmax=min"), 5);
    EQ(headers(false), before + 3);

    /* Errors are where they are, with the program's own lines. */
    refused("\n\nkernel void k(global int *out) { *out = nothing; }", "3:41");
    refused("\n#error \"of mine\"\n", "of mine");
    refused("kernel void k(global int *out) { *out = max(1); }", "max");

    EQ(headers(true), before + 3);
    EQ(value_of(number, "-DN=10"), 10);
    return 0;
}
