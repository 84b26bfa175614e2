/* SPDX-License-Identifier: MIT */
/*
 * hmm_link.c - links kernels that need nothing from anybody else
 *
 * A kernel's code is read by the engine, a process without this one's
 * libraries: nothing in it may lead to the C library, to thread-local
 * variables or into a lazy binding. So the object that pocl made is linked
 * with -nostdlib against our own support library (support/), which has what
 * compilers call behind one's back, and whatever is still unresolved is an
 * error that names the symbol.
 *
 * Locking: none; the two paths are set once, when the device is opened.
 */
#define _GNU_SOURCE
#include "hmm_driver.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hmm_support_hash.h"
#include "pocl_runtime_config.h"

extern char **environ;

#define SUPPORT_FILE "hmm/libhmmkernel.a"

static const char *linker_path(void)
{
    return pocl_get_path("LD", HMM_LINKER);
}

/* The support library lies in a folder beside the driver. */
static int support_path(char *path, size_t size)
{
    Dl_info info;

    if (dladdr((void *)support_path, &info) == 0 || info.dli_fname == NULL)
        return -1;
    const char *slash = strrchr(info.dli_fname, '/');
    int len = slash == NULL ? 0 : (int)(slash - info.dli_fname + 1);
    int n = snprintf(path, size, "%.*s%s", len, info.dli_fname, SUPPORT_FILE);
    return n > 0 && (size_t)n < size ? 0 : -1;
}

/** hmm_link_is_usable - says whether kernels can be linked, and if not why not */
bool hmm_link_is_usable(void)
{
    char support[PATH_MAX];

    if (support_path(support, sizeof(support)) != 0 || access(support, R_OK) != 0) {
        hmm_message("the kernel support library %s cannot be read (%s); install hmmsvm again",
                    support, strerror(errno));
        return false;
    }
    if (access(linker_path(), X_OK) != 0) {
        hmm_message("there is no linker %s; install binutils, or set POCL_PATH_LD", linker_path());
        return false;
    }
    return true;
}

/*
 * Runs a program. Its output goes to @output, cut to @size. Returns its exit
 * status, or -1 if it could not be run or was killed.
 */
static int run(const char *const *argv, char *output, size_t size)
{
    posix_spawn_file_actions_t actions;
    int fds[2];
    pid_t pid;
    size_t len = 0;

    output[0] = '\0';
    if (pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fds[1], STDERR_FILENO);
    int err = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    if (err != 0) {
        snprintf(output, size, "%s: %s", argv[0], strerror(err));
        close(fds[0]);
        return -1;
    }

    for (;;) {
        char chunk[4096];
        ssize_t n = read(fds[0], chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        size_t keep = (size_t)n < size - 1 - len ? (size_t)n : size - 1 - len;
        memcpy(output + len, chunk, keep);
        len += keep;
    }
    output[len] = '\0';
    close(fds[0]);

    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return errno == ECHILD ? 0 : -1; /* the application ignores SIGCHLD */
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/**
 * hmm_finalize_binary - makes a loadable kernel of a kernel's object file
 *
 * Returns 0, or not 0 after saying on stderr what is missing.
 */
int hmm_finalize_binary(cl_device_id device, const char *output, const char *input)
{
    char support[PATH_MAX], said[8192];

    (void)device;
    if (support_path(support, sizeof(support)) != 0)
        return -1;
    const char *const argv[] = {
        linker_path(), "-shared", "-nostdlib", "-Bsymbolic", "--no-undefined", "--gc-sections",
        "-z", "now", "-z", "noexecstack", "--exclude-libs", "ALL", "--build-id=none",
        "-o", output, input, support, NULL,
    };
    int status = run(argv, said, sizeof(said));
    if (status != 0)
        hmm_message("a kernel cannot be linked:\n%s", said);
    return status;
}

/**
 * hmm_build_hash - tells this device's kernels from others' in pocl's cache
 *
 * They differ from those of pocl's CPU device in how they are linked, and from
 * our older ones in what they are linked with. Those that are recorded are
 * compiled differently.
 */
char *hmm_build_hash(cl_device_id device)
{
    char *hash = NULL;

    if (asprintf(&hash, "hmm-%s-%s-%s%s", HOST_DEVICE_BUILD_HASH,
                 device->llvm_cpu != NULL ? device->llvm_cpu : "generic", HMM_SUPPORT_HASH,
                 device->report_accesses ? "-recorded" : "") < 0)
        return NULL;
    return hash;
}
