/* SPDX-License-Identifier: MIT */
/*
 * bench.c - `hmmsvm bench`: which of its commands is meant; and `hmmsvm bench micro`, which runs the
 * micro benchmarks (libexec/hmmsvm/bench), natively or all of them in one guest, and puts their
 * results together. No locking.
 *
 * In a guest it runs itself there, through `hmmsvm run --guest`.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench-matrix.h"
#include "cli.h"

#define NOTHING_TO_MEASURE 77

enum {
    OPT_GUEST = 'g',
    OPT_JSON = 'j',
    OPT_KERNEL = 'k',
    OPT_OUTPUT = 'o',
    OPT_REPEAT = 'r',
    OPT_ONLY = 256,
    OPT_MODULE,
};

static const struct {
    const char *name, *what;
    bool compiles; /* OpenCL kernels */
} benches[] = {
    { "fault", "a page that the device touches for the first time, against the kernel's own "
               "shared-memory minor fault", false },
    { "migrate", "moving memory to device memory and back, against memcpy, move_pages(2) and the "
                 "kernel's test_hmm", false },
    { "kernels", "throughput of warm kernels, against pocl's CPU device", true },
    { "progress", "groups that do not wait for each other, with and without forward progress", false },
    { "roundtrip", "an empty kernel there and back, against pocl's CPU device", true },
    { "idle", "mmap, mprotect, madvise and fork in a process with an idle device, against one "
              "without", false },
};

#define BENCHES (sizeof(benches) / sizeof(benches[0]))

static const struct argp_option options[] = {
    { "only", OPT_ONLY, "NAME", 0, "Run this one; may be given several times", 0 },
    { "repeat", OPT_REPEAT, "N", 0, "Pairs to measure for a figure (default: each its own)", 0 },
    { "json", OPT_JSON, NULL, 0, "Print JSON, with every measurement", 0 },
    { "output", OPT_OUTPUT, "FILE", 0, "Write the results there, not to standard output", 0 },
    { "guest", OPT_GUEST, NULL, 0, "Run in a virtual machine with a test kernel and the module",
      1 },
    { "kernel", OPT_KERNEL, "VERSION", 0, "With --guest: the test kernel, 7.3 (default) or 6.12",
      2 },
    { "module", OPT_MODULE, "FILE", 0,
      "With --guest: load this module, not the one built for the kernel", 2 },
    { 0 }
};

struct micro {
    bool chosen[BENCHES], any_chosen;
    bool json, guest;
    char *repeat, *output, *kernel, *module;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct micro *m = state->input;
    size_t i;

    switch (key) {
    case OPT_ONLY:
        for (i = 0; i < BENCHES; i++)
            if (!strcmp(arg, benches[i].name))
                break;
        if (i == BENCHES)
            argp_error(state, "there is no benchmark \"%s\"; --help lists them", arg);
        m->chosen[i] = m->any_chosen = true;
        break;
    case OPT_REPEAT:
        cli_number("--repeat", arg, 1, 10000);
        m->repeat = arg;
        break;
    case OPT_JSON: m->json = true; break;
    case OPT_OUTPUT: m->output = arg; break;
    case OPT_GUEST: m->guest = true; break;
    case OPT_KERNEL: m->kernel = arg; break;
    case OPT_MODULE: m->module = arg; break;
    case ARGP_KEY_ARG:
        argp_error(state, "one argument too many: \"%s\"", arg);
        break;
    case ARGP_KEY_END:
        if (!m->guest && (m->kernel || m->module))
            argp_error(state, "--kernel and --module are for --guest");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/*
 * Has a benchmark's kernels compiled here: pocl's cache serves the guest too, where the compiler is
 * emulated and what it makes is lost. Nothing depends on it, so failures are not reported.
 */
static void kernels_compile(const char *name)
{
    char *path = cli_format("%s/libexec/hmmsvm/bench/%s", cli_prefix(), name);

    cli_run_unseen((char *[]){ path, "--repeat=1", NULL }, true);
    free(path);
}

/* All of it again, in the guest: one boot for all benchmarks. */
static int micro_in_guest(const struct micro *m)
{
    struct cli_strings args = { 0 };
    char *test_hmm;
    size_t i;

    cli_environment();
    cli_guest_kernels();
    for (i = 0; i < BENCHES; i++) {
        if (!benches[i].compiles || (m->any_chosen && !m->chosen[i]))
            continue;
        fprintf(stderr, "%s: compiling the kernels for the guest\n", benches[i].name);
        kernels_compile(benches[i].name);
    }

    cli_strings_add(&args, "hmmsvm run");
    cli_strings_add(&args, "--guest");
    if (m->kernel)
        cli_strings_add(&args, cli_format("--kernel=%s", m->kernel));
    if (m->module)
        cli_strings_add(&args, cli_format("--module=%s", m->module));
    /* The kernel's own HMM driver, a peer of the benchmark migrate. */
    test_hmm = cli_format("%s/kernel-%s-plain/lib/test_hmm.ko", cli_cache(),
                          m->kernel ? m->kernel : "7.3");
    if (!access(test_hmm, R_OK))
        cli_strings_add(&args, cli_format("--env=HMMSVM_TEST_HMM=%s", test_hmm));
    cli_strings_add(&args, "--");
    cli_strings_add(&args, cli_format("%s/bin/hmmsvm", cli_prefix()));
    cli_strings_add(&args, "bench");
    cli_strings_add(&args, "micro");
    if (m->json)
        cli_strings_add(&args, "--json");
    if (m->repeat)
        cli_strings_add(&args, cli_format("--repeat=%s", m->repeat));
    for (i = 0; i < BENCHES; i++)
        if (m->chosen[i])
            cli_strings_add(&args, cli_format("--only=%s", benches[i].name));
    return cli_run((int)args.count, args.items);
}

/* Copies what a benchmark printed to standard output. */
static void results_copy(int fd)
{
    char buffer[65536];
    ssize_t n;

    lseek(fd, 0, SEEK_SET);
    while ((n = read(fd, buffer, sizeof(buffer))) > 0)
        if (fwrite(buffer, 1, (size_t)n, stdout) != (size_t)n)
            cli_die("cannot write the results: %s", strerror(errno));
    fflush(stdout);
}

/*
 * Runs one benchmark and returns its exit status. Its output is held back until it is complete, so
 * that one which fails halfway leaves nothing behind.
 */
static int bench_run(const struct micro *m, const char *name, const char *separator)
{
    char *path = cli_format("%s/libexec/hmmsvm/bench/%s", cli_prefix(), name);
    FILE *results = tmpfile();
    struct cli_strings args = { 0 };
    int status = -1;
    pid_t pid;

    if (!results)
        cli_die("cannot make a temporary file: %s", strerror(errno));
    cli_strings_add(&args, path);
    if (m->json)
        cli_strings_add(&args, "--json");
    if (m->repeat)
        cli_strings_add(&args, cli_format("--repeat=%s", m->repeat));
    fflush(stdout);
    pid = fork();
    if (pid < 0)
        cli_die("cannot start a process: %s", strerror(errno));
    if (!pid) {
        dup2(fileno(results), STDOUT_FILENO);
        execv(path, args.items);
        cli_say("cannot run %s: %s; build or install it again", path, strerror(errno));
        _exit(errno == ENOENT ? CLI_NOT_FOUND : CLI_NOT_RUNNABLE);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        cli_say("%s was ended by signal %d", name, WTERMSIG(status));
    status = WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILED;
    if (!status || status == NOTHING_TO_MEASURE) {
        fputs(separator, stdout);
        results_copy(fileno(results));
    }
    fclose(results);
    free(args.items);
    free(path);
    return status;
}

static int micro_here(const struct micro *m)
{
    bool some = false, failed = false, measured = false;
    size_t i;

    cli_environment();
    if (m->json)
        puts("[");
    for (i = 0; i < BENCHES; i++) {
        int status;

        if (m->any_chosen && !m->chosen[i])
            continue;
        status = bench_run(m, benches[i].name, m->json && some ? ",\n" : "");
        some |= !status || status == NOTHING_TO_MEASURE;
        measured |= !status;
        if (status && status != NOTHING_TO_MEASURE) {
            cli_say("the benchmark %s failed", benches[i].name);
            failed = true;
        }
    }
    if (m->json)
        puts("]");
    if (fflush(stdout) || ferror(stdout))
        cli_die("cannot write the results: %s", strerror(errno));
    return failed ? CLI_FAILED : measured ? 0 : NOTHING_TO_MEASURE;
}

static int bench_micro(int argc, char **argv)
{
    char *doc = cli_format("Measure what the device costs and how fast it is, each time against a "
                           "peer in the same run.\v");
    struct argp argp = { .options = options, .parser = parse };
    struct micro m = { 0 };
    size_t i;
    int fd;

    for (i = 0; i < BENCHES; i++)
        doc = cli_format("%s%s: %s.\n", doc, benches[i].name, benches[i].what);
    argp.doc = cli_format("%sMore in docs/benchmarks.md. Exit status: 0 measured, 77 there was "
                          "nothing to measure (fault needs kernel mode), 125 failed. Slow is no "
                          "failure.", doc);
    argp_err_exit_status = CLI_FAILED;
    argp_parse(&argp, argc, argv, 0, NULL, &m);

    if (m.output) {
        fd = open(m.output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
            cli_die("cannot write %s: %s", m.output, strerror(errno));
        close(fd);
    }
    return m.guest ? micro_in_guest(&m) : micro_here(&m);
}

int cli_bench(int argc, char **argv)
{
    if (argc >= 2 && !strcmp(argv[1], "micro")) {
        argv[1] = cli_format("%s micro", argv[0]);
        return bench_micro(argc - 1, argv + 1);
    }
    if (argc >= 2 && !strcmp(argv[1], "report")) {
        argv[1] = cli_format("%s report", argv[0]);
        return bench_report(argc - 1, argv + 1);
    }
    return bench_matrix(argc, argv);
}
