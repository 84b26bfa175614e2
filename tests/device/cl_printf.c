/* SPDX-License-Identifier: MIT */
/*
 * cl_printf.c - what kernels print is on standard output once they are
 * complete: every line once, in whatever order of the groups
 */
#include "cl_harness.h"

#include <fcntl.h>

#define GROUPS 500

static const char source[] =
    "kernel void k(int round) {\n"
    "    printf(\"%d group %d %s %5.2f %v4hld\\n\", round, (int)get_group_id(0), \"of many\",\n"
    "           get_group_id(0) * 0.25f, (int4)(1, 2, 3, 4));\n"
    "}\n"
    "kernel void quiet(global int *a) { a[get_global_id(0)] = 1; }\n";

int main(void)
{
    static int seen[2][GROUPS];
    char path[] = "/tmp/cl_printf.XXXXXX";

    cl_open();
    cl_int err;
    cl_program program = cl_build_with(source, "-cl-std=CL3.0");
    cl_kernel k = clCreateKernel(program, "k", &err);
    CL(err);

    fflush(stdout);
    int terminal = dup(STDOUT_FILENO), file = mkstemp(path);
    CHECK(terminal >= 0 && file >= 0);
    unlink(path);
    dup2(file, STDOUT_FILENO);
    for (cl_int round = 0; round < 2; round++) {
        ARG(k, 0, round);
        cl_run(cl_queue, k, GROUPS, 1, NULL);
    }
    CL(clFinish(cl_queue));
    dup2(terminal, STDOUT_FILENO);

    FILE *f = fdopen(file, "r");
    char line[256];
    int lines = 0;
    rewind(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        char wanted[256];
        int round, group;

        CHECK(sscanf(line, "%d group %d", &round, &group) == 2);
        CHECK(round >= 0 && round < 2 && group >= 0 && group < GROUPS);
        snprintf(wanted, sizeof(wanted), "%d group %d of many %5.2f 1,2,3,4\n", round, group,
                 group * 0.25);
        if (strcmp(line, wanted) != 0)
            FAIL("printed \"%s\", not \"%s\"", line, wanted);
        seen[round][group]++;
        lines++;
    }
    EQ(lines, 2 * GROUPS);
    for (int i = 0; i < 2 * GROUPS; i++)
        EQ(seen[i / GROUPS][i % GROUPS], 1);
    return 0;
}
