/* SPDX-License-Identifier: MIT */
/*
 * cl_open_errors.c - settings under which there can be no device: the program
 * gets CL_DEVICE_NOT_FOUND, a message names the cause, and nothing crashes
 */
#include "cl_harness.h"

#include <sys/wait.h>

static const struct {
    const char *variable, *value, *more, *more_value, *says;
} cases[] = {
    { "HMMSVM_DEVICE_TYPE", "toaster", NULL, NULL, "HMMSVM_DEVICE_TYPE" },
    { "HMMSVM_SVM", "some", NULL, NULL, "HMMSVM_SVM" },
    { "HMMSVM_MODE", "sideways", NULL, NULL, "HMMSVM_MODE" },
    { "HMMSVM_COMPUTE_UNITS", "-3", NULL, NULL, "HMMSVM_COMPUTE_UNITS" },
    { "HMMSVM_MODE", "kernel", "HMMSVM_DEVICE", "/nonexistent/hmmsvm", "/nonexistent/hmmsvm" },
    { "POCL_PATH_LD", "/nonexistent/ld", NULL, NULL, "/nonexistent/ld" },
    { "POCL_DEVICES", "../hmm", NULL, NULL, "../hmm" },
    { "POCL_DEVICES", "no_such_driver", NULL, NULL, "no_such_driver" },
};

/* What the child does: no device of ours may be found. */
static int look(void)
{
    cl_platform_id platforms[16];
    cl_uint n = 0;

    clGetPlatformIDs(16, platforms, &n);
    for (cl_uint i = 0; i < n; i++) {
        char name[128] = "";
        cl_device_id device;

        clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof(name), name, NULL);
        cl_int err = clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &device, NULL);
        if (strstr(name, "Portable Computing Language") != NULL && err != CL_DEVICE_NOT_FOUND)
            return 2;
    }
    return 0;
}

int main(void)
{
    /* in a child, as an OpenCL implementation looks for devices once */
    pid_t pid = fork();
    int status;

    CHECK(pid >= 0);
    if (pid == 0) {
        cl_open();
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    if (WEXITSTATUS(status) != 0)
        _exit(WEXITSTATUS(status));

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char said[8192];
        size_t len = 0;
        ssize_t n;
        int fds[2];

        CHECK(pipe(fds) == 0);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            dup2(fds[1], STDERR_FILENO);
            close(fds[0]);
            close(fds[1]);
            setenv(cases[i].variable, cases[i].value, 1);
            if (cases[i].more != NULL)
                setenv(cases[i].more, cases[i].more_value, 1);
            _exit(look());
        }
        close(fds[1]);
        while (len < sizeof(said) - 1 && (n = read(fds[0], said + len, sizeof(said) - 1 - len)) > 0)
            len += (size_t)n;
        said[len] = '\0';
        close(fds[0]);
        CHECK(waitpid(pid, &status, 0) == pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            FAIL("%s=%s: status 0x%x\n%s", cases[i].variable, cases[i].value, (unsigned)status,
                 said);
        if (strstr(said, cases[i].says) == NULL)
            FAIL("%s=%s: no \"%s\" in \"%s\"", cases[i].variable, cases[i].value, cases[i].says,
                 said);
    }
    return 0;
}
