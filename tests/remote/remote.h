/* SPDX-License-Identifier: MIT */
/*
 * remote.h - what the tests of the remote layer start with
 *
 * Each is an OpenCL host program and a client of servers that it starts itself: `hmmsvm serve` on
 * loopback, on ports that are free, in the mode of HMMSVM_MODE. They end with the test. Statuses as in
 * tests/device/cl_harness.h; skipped where the remote layer was left out of the build.
 *
 * Locking: none; one thread.
 */
#ifndef HMMSVM_TEST_REMOTE_H
#define HMMSVM_TEST_REMOTE_H

#include "../device/cl_harness.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define SERVERS 2

struct server {
    pid_t pid;          /* of hmmsvm serve */
    pid_t server_pid;   /* of pocld */
    int port;
    FILE *said;         /* its standard error */
    char parameters[64];
    cl_device_id device;
    cl_command_queue queue;
};

static struct server servers[SERVERS];
static cl_context ctx;

/* A file of the build tree, of which this program is tests/remote/NAME; malloc'ed. */
__attribute__((unused)) static char *built(const char *name)
{
    char path[PATH_MAX], *text;
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    CHECK(n > 0);
    path[n] = '\0';
    for (int up = 0; up < 3; up++)
        *strrchr(path, '/') = '\0';
    CHECK(asprintf(&text, "%s/%s", path, name) > 0);
    return text;
}

/* Takes the number behind "name": out of a line of JSON. */
static long json_number(const char *line, const char *name)
{
    char key[64];
    const char *at;

    snprintf(key, sizeof(key), "\"%s\":", name);
    at = strstr(line, key);
    if (at == NULL)
        FAIL("no %s in %s", key, line);
    return atol(at + strlen(key));
}

/* Shows what a server has said so far. */
__attribute__((unused)) static void server_said(struct server *s)
{
    char line[4096];

    fseek(s->said, 0, SEEK_SET);
    while (fgets(line, sizeof(line), s->said) != NULL)
        fputs(line, stderr);
}

__attribute__((unused)) static void server_start(struct server *s)
{
    char *pocld = built("libexec/hmmsvm/pocld"), *command = built("bin/hmmsvm"), line[1024];
    int out[2];

    if (access(pocld, X_OK) != 0)
        SKIP("the remote layer is not in this build (-DENABLE_REMOTE=ON)");
    s->said = tmpfile();
    CHECK(s->said != NULL && pipe(out) == 0);
    s->pid = fork();
    CHECK(s->pid >= 0);
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(out[1], STDOUT_FILENO);
        dup2(fileno(s->said), STDERR_FILENO);
        close(out[0]);
        close(out[1]);
        setenv("HMMSVM_STATS", "json", 1);
        execl(command, "hmmsvm", "serve", "--port", "any", "--json", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *from = fdopen(out[0], "r");
    CHECK(from != NULL);
    if (fgets(line, sizeof(line), from) == NULL) {
        server_said(s);
        FAIL("hmmsvm serve did not start");
    }
    fclose(from);
    s->port = (int)json_number(line, "port");
    s->server_pid = (pid_t)json_number(line, "server_pid");
    snprintf(s->parameters, sizeof(s->parameters), "127.0.0.1:%d/0", s->port);
    free(pocld);
    free(command);
}

/* Ends a server in order and returns how many kernels it has run. */
__attribute__((unused)) static long server_stop(struct server *s)
{
    char line[4096];
    long launches = -1;
    int status;

    CHECK(kill(s->pid, SIGTERM) == 0);
    CHECK(waitpid(s->pid, &status, 0) == s->pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        FAIL("hmmsvm serve ended with status 0x%x", (unsigned)status);
    s->pid = 0;
    fseek(s->said, 0, SEEK_SET);
    while (fgets(line, sizeof(line), s->said) != NULL)
        if (strstr(line, "\"launches\":") != NULL)
            launches = json_number(line, "launches");
    if (launches < 0)
        FAIL("the server printed no summary");
    return launches;
}

/* The client's side: a device, in one context, and a queue for each server. */
__attribute__((unused)) static void client_open(void)
{
    char devices[64] = "", name[64], *vendors = built("etc/OpenCL/vendors");
    cl_platform_id platforms[16], platform = NULL;
    cl_device_id ids[SERVERS];
    cl_uint n = 0;
    cl_int err;

    for (int i = 0; i < SERVERS; i++) {
        strcat(devices, i != 0 ? " remote" : "remote");
        snprintf(name, sizeof(name), "POCL_REMOTE%d_PARAMETERS", i);
        setenv(name, servers[i].parameters, 1);
    }
    setenv("POCL_DEVICES", devices, 1);
    setenv("OCL_ICD_VENDORS", vendors, 1);
    free(vendors);
    CL(clGetPlatformIDs(16, platforms, &n));
    EQ(n, 1);
    platform = platforms[0];
    CL(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, SERVERS, ids, &n));
    EQ(n, SERVERS);
    ctx = clCreateContext(NULL, SERVERS, ids, NULL, NULL, &err);
    CL(err);
    for (int i = 0; i < SERVERS; i++) {
        cl_queue_properties none[] = { 0 };

        servers[i].device = ids[i];
        servers[i].queue = clCreateCommandQueueWithProperties(ctx, ids[i], none, &err);
        CL(err);
    }
}

__attribute__((unused)) static void open_all(void)
{
    for (int i = 0; i < SERVERS; i++)
        server_start(&servers[i]);
    client_open();
}

/* A program built for all servers. */
__attribute__((unused)) static cl_program build_all(const char *source)
{
    cl_int err;
    cl_program program = clCreateProgramWithSource(ctx, 1, &source, NULL, &err);

    CL(err);
    if (clBuildProgram(program, 0, NULL, "-cl-std=CL3.0", NULL, NULL) != CL_SUCCESS) {
        static char log[65536];

        for (int i = 0; i < SERVERS; i++) {
            clGetProgramBuildInfo(program, servers[i].device, CL_PROGRAM_BUILD_LOG, sizeof(log), log,
                                  NULL);
            fprintf(stderr, "server %d: %s\n", i, log);
            server_said(&servers[i]);
        }
        FAIL("a program does not build");
    }
    return program;
}

__attribute__((unused)) static cl_kernel kernel_of(cl_program program, const char *name)
{
    cl_int err;
    cl_kernel kernel = clCreateKernel(program, name, &err);

    CL(err);
    return kernel;
}

__attribute__((unused)) static cl_mem buffer_of(size_t size)
{
    cl_int err;
    cl_mem buffer = clCreateBuffer(ctx, CL_MEM_READ_WRITE, size, NULL, &err);

    CL(err);
    return buffer;
}

#endif /* HMMSVM_TEST_REMOTE_H */
