/* SPDX-License-Identifier: MIT */
/*
 * run.c - `hmmsvm run`: an environment in which OpenCL programs find the hmm device, and the
 * program in it, natively or in a guest. No locking.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

enum {
    OPT_GUEST = 'g',
    OPT_DEBUG = 'd',
    OPT_ENV = 'e',
    OPT_VERBOSE = 'v',
    OPT_QUIET = 'q',
    OPT_TIMEOUT = 't',
    OPT_KERNEL = 'k',
    OPT_ACCEL = 256,
    OPT_MODULE,
    OPT_NO_MODULE,
    OPT_MODULE_PARAMS,
    OPT_DEVMEM,
    OPT_COHERENT,
    OPT_MEMORY,
    OPT_CPUS,
    OPT_NODES,
    OPT_SWAP,
    OPT_SHARE,
    OPT_LOG,
    OPT_APPEND,
    OPT_VARIANT,
};

static const struct argp_option options[] = {
    { "env", OPT_ENV, "NAME[=VALUE]", 0,
      "Set a variable, or pass one on to the guest", 0 },
    { "guest", OPT_GUEST, NULL, 0,
      "Run in a virtual machine with a test kernel and the module", 1 },
    { NULL, 0, NULL, 0, "With --guest:", 2 },
    { "kernel", OPT_KERNEL, "VERSION", 0, "The test kernel: 7.3 (default) or 6.12", 3 },
    { "debug-kernel", OPT_DEBUG, NULL, 0,
      "Its variant with KASAN, lock checking and more: several times slower", 3 },
    { "variant", OPT_VARIANT, "NAME", 0,
      "Its variant plain (default), debug, or cover, which looks for lost memory and counts lines", 3 },
    { "timeout", OPT_TIMEOUT, "SECONDS", 0,
      "End the guest after that long (default 1800; 0: never)", 3 },
    { "share", OPT_SHARE, "FOLDER", 0,
      "Share a folder read-write, as the current one always is", 3 },
    { "memory", OPT_MEMORY, "MIB", 0, "Memory of the guest (default 3072)", 3 },
    { "cpus", OPT_CPUS, "N", 0, "CPUs of the guest (default 2)", 3 },
    { "nodes", OPT_NODES, "N", 0, "NUMA nodes its memory is split into (default 2)", 3 },
    { "swap", OPT_SWAP, "MIB", 0, "Size of its swap disk (default 1024; 0: none)", 3 },
    { "accel", OPT_ACCEL, "auto|kvm|tcg", 0,
      "Hardware virtualization or emulation (default: what a trial boot says)", 3 },
    { "module", OPT_MODULE, "FILE", 0, "Load this module, not the one built for the kernel", 3 },
    { "module-params", OPT_MODULE_PARAMS, "TEXT", 0, "Parameters for the module", 3 },
    { "devmem", OPT_DEVMEM, "MIB[,MIB...]", 0,
      "Size of the device memory, or of each of several (default 256; 0: none)", 3 },
    { "coherent", OPT_COHERENT, "MIB", 0,
      "Keep so much of its memory for one more device memory, that the CPU reaches in place "
      "(default 0: none); HMMSVM_MEMORY chooses it, as the last one", 3 },
    { "no-module", OPT_NO_MODULE, NULL, 0, "Load no module", 3 },
    { "append", OPT_APPEND, "TEXT", 0, "More words for the kernel's command line", 3 },
    { "log", OPT_LOG, "FILE", 0, "Where the kernel log goes (default: a file in the cache)", 3 },
    { "verbose", OPT_VERBOSE, NULL, 0, "Say what is done", 3 },
    { "quiet", OPT_QUIET, NULL, 0, "Say nothing unless something is wrong", 3 },
    { 0 }
};

struct run {
    bool guest;
    struct guest_options options;
    struct cli_strings env;     /* NAME=VALUE set, or NAME to pass on */
    char **argv;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct run *run = state->input;
    struct guest_options *o = &run->options;

    switch (key) {
    case OPT_GUEST: run->guest = true; break;
    case OPT_DEBUG: o->variant = "debug"; break;
    case OPT_VARIANT:
        if (strcmp(arg, "plain") && strcmp(arg, "debug") && strcmp(arg, "cover"))
            argp_error(state, "--variant takes plain, debug or cover, not \"%s\"", arg);
        o->variant = arg;
        break;
    case OPT_ENV: cli_strings_add(&run->env, arg); break;
    case OPT_VERBOSE: o->verbose = true; break;
    case OPT_QUIET: o->quiet = true; break;
    case OPT_TIMEOUT: o->timeout_s = cli_number("--timeout", arg, 0, 1000000); break;
    case OPT_KERNEL: o->kernel = arg; break;
    case OPT_ACCEL:
        if (strcmp(arg, "auto") && strcmp(arg, "kvm") && strcmp(arg, "tcg"))
            argp_error(state, "--accel takes auto, kvm or tcg, not \"%s\"", arg);
        o->accel = arg;
        break;
    case OPT_MODULE: o->module = arg; break;
    case OPT_DEVMEM:
        /* Each an even number; only a 0 stands alone. */
        for (const char *p = arg; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
            char *end;
            unsigned long size = strtoul(p, &end, 10);

            if (*p < '0' || *p > '9' || (*end && *end != ',') || size % 2 || size > 1 << 24 ||
                (!size && strcmp(arg, "0")))
                argp_error(state, "--devmem takes even numbers of MiB, separated by commas, or 0, "
                                  "not \"%s\"", arg);
        }
        o->devmem = arg;
        break;
    case OPT_COHERENT:
        o->coherent_mb = cli_number("--coherent", arg, 0, GUEST_COHERENT_MAX);
        if (o->coherent_mb % 2)
            argp_error(state, "--coherent takes even numbers: device memory comes in 2 MiB");
        break;
    case OPT_NO_MODULE: o->no_module = true; break;
    case OPT_MODULE_PARAMS: o->module_params = arg; break;
    case OPT_MEMORY: o->memory_mb = cli_number("--memory", arg, 256, 1 << 20); break;
    case OPT_CPUS: o->cpus = cli_number("--cpus", arg, 1, 16); break;
    case OPT_NODES: o->nodes = cli_number("--nodes", arg, 1, 8); break;
    case OPT_SWAP: o->swap_mb = cli_number("--swap", arg, 0, 1 << 20); break;
    case OPT_SHARE: cli_strings_add(&o->shares, arg); break;
    case OPT_LOG: o->log = arg; break;
    case OPT_APPEND: cli_strings_add(&o->append, arg); break;
    case ARGP_KEY_ARGS:
        run->argv = state->argv + state->next;
        break;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which program? (hmmsvm run [OPTION...] -- PROGRAM [ARGUMENT...])");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static void environment_default(const char *name, const char *value)
{
    if (setenv(name, value, 0))
        cli_die("cannot set %s: %s", name, strerror(errno));
}

void cli_environment(void)
{
    char *icd = cli_format("%s/etc/OpenCL/vendors", cli_prefix());
    char *engine = cli_format("%s/libexec/hmmsvm/hmmsvm-engine", cli_prefix());

    if (access(icd, R_OK))
        cli_die("%s is missing: the runtime was not built or installed next to this command",
                icd);
    environment_default("OCL_ICD_VENDORS", icd);
    environment_default("POCL_DEVICES", "hmm");
    environment_default("HMMSVM_ENGINE", engine);
    free(icd);
    free(engine);
}

void cli_guest_kernels(void)
{
    const char *folder = getenv("POCL_CACHE_DIR");
    char *ours;

    if (folder && *folder)
        return;
    ours = cli_format("%s/guest-kernels", cli_cache());
    if (mkdir(ours, 0755) && errno != EEXIST)
        cli_die("cannot create %s: %s", ours, strerror(errno));
    if (setenv("POCL_CACHE_DIR", ours, 1))
        cli_die("cannot set POCL_CACHE_DIR: %s", strerror(errno));
    free(ours);
}

int cli_run_unseen(char **argv, bool quiet)
{
    int status = -1;
    pid_t pid = fork();

    if (pid < 0)
        cli_die("cannot start a process: %s", strerror(errno));
    if (!pid) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

        dup2(null, STDOUT_FILENO);
        if (quiet) {
            dup2(null, STDERR_FILENO);
            setenv("HMMSVM_MODE", "direct", 1);
        }
        execvp(argv[0], argv);
        _exit(CLI_FAILED);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* The guest forgets what it writes, but for folders that it shares. */
static void guest_share_kernels(struct guest_options *o)
{
    const char *folder;

    cli_guest_kernels();
    folder = getenv("POCL_CACHE_DIR");
    if (!access(folder, W_OK))
        cli_strings_add(&o->shares, cli_format("%s", folder));
}

/* The guest is another machine: only what concerns OpenCL, plus what every program expects. */
static bool environment_passes(const char *entry, const struct cli_strings *asked)
{
    static const char *const patterns[] = {
        "HMMSVM_*", "POCL_*", "OCL_*", "OPENCL_*", "PATH=*", "HOME=*", "LANG=*", "LC_*", "TERM=*",
        "TMPDIR=*",
    };
    size_t i;

    for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        if (!fnmatch(patterns[i], entry, 0))
            return true;
    for (i = 0; i < asked->count; i++) {
        size_t n = strcspn(asked->items[i], "=");

        if (!strncmp(entry, asked->items[i], n) && entry[n] == '=')
            return true;
    }
    return false;
}

int cli_run(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "-- PROGRAM [ARGUMENT...]",
        .doc = "Run a program so that OpenCL finds the hmm device."
               "\vExit status: the program's own, 128 + n if signal n killed it; 125 if hmmsvm or "
               "the guest failed, or the guest's kernel log holds a complaint; 126 and 127 if the "
               "program cannot be run or is not there.",
    };
    struct run run = {
        .options = { .kernel = "7.3", .variant = "plain", .accel = "auto", .memory_mb = 3072,
                     .cpus = 2, .nodes = 2, .swap_mb = 1024, .timeout_s = 1800 },
    };
    struct cli_strings env = { 0 };
    size_t i;

    argp_err_exit_status = CLI_FAILED;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &run);

    for (i = 0; i < run.env.count; i++)
        if (strchr(run.env.items[i], '=') && putenv(run.env.items[i]))
            cli_die("cannot set %s: %s", run.env.items[i], strerror(errno));
    cli_environment();
    if (!run.guest) {
        execvp(run.argv[0], run.argv);
        cli_say("cannot run %s: %s", run.argv[0], strerror(errno));
        return errno == ENOENT ? CLI_NOT_FOUND : CLI_NOT_RUNNABLE;
    }

    guest_share_kernels(&run.options);
    for (i = 0; environ[i]; i++)
        if (environment_passes(environ[i], &run.env))
            cli_strings_add(&env, environ[i]);
    cli_strings_add(&env, cli_format("HMMSVM_GUEST=%s-%s", run.options.kernel, run.options.variant));
    return guest_run(&run.options, run.argv, env.items);
}
