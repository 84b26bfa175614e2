/* SPDX-License-Identifier: MIT */
/*
 * standard_input.c - the client's driver leaves the program's standard input alone.
 */
#include "remote.h"

int main(void)
{
    const char text[] = "of the program";
    char got[sizeof(text)] = "";
    cl_uint a = 7;
    int in[2];

    CHECK(pipe(in) == 0);
    CHECK(write(in[1], text, sizeof(text)) == sizeof(text));
    CHECK(dup2(in[0], STDIN_FILENO) == STDIN_FILENO);
    open_all();
    cl_mem m = buffer_of(sizeof(a));
    for (int i = 0; i < 100; i++)
        CL(clEnqueueWriteBuffer(servers[i % 2].queue, m, CL_TRUE, 0, sizeof(a), &a, 0, NULL, NULL));
    CHECK(read(STDIN_FILENO, got, sizeof(got)) == sizeof(got));
    EQ(memcmp(got, text, sizeof(text)), 0);
    EQ(server_stop(&servers[0]), 0);
    EQ(server_stop(&servers[1]), 0);
    return 0;
}
