/* SPDX-License-Identifier: MIT */
/*
 * conformance.c - `hmmsvm conformance`: runs a build of the Khronos OpenCL-CTS on the device, here or
 * in a guest, and says what came of it. The parts are described in cts.h. No locking.
 *
 * For a guest it first runs the same tests here in direct mode: kernels are then found in the cache
 * that both share, as compiling under emulation takes many times as long.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <fnmatch.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hmmsvm/client.h>

#include "cli.h"
#include "cts.h"

#define LIMIT_HERE  900     /* seconds for a test */
#define LIMIT_GUEST 3600

enum {
    OPT_DEBUG = 'd',
    OPT_GUEST = 'g',
    OPT_JOBS = 'j',
    OPT_KERNEL = 'k',
    OPT_OUTPUT = 'o',
    OPT_SUBSET = 's',
    OPT_LIMIT = 't',
    OPT_WIMPY = 'w',
    OPT_CTS = 256,
    OPT_COMPARE,
    OPT_COLD,
    OPT_DEVICE,
    OPT_MATCH,
    OPT_MEMORY,
    OPT_MODE,
    OPT_MODULE,
    OPT_NO_SKIPS,
    OPT_PEER,
};

static const struct argp_option options[] = {
    { "cts", OPT_CTS, "DIR", 0, "The folder of the build; its programs are searched for in it", 0 },
    { "subset", OPT_SUBSET, "svm|atomics|memory|core|all", 0,
      "Which part (default all); may be given several times", 0 },
    { "match", OPT_MATCH, "PATTERN", 0,
      "Only tests whose SUITE/TEST matches this shell pattern; may be given several times", 0 },
    { "output", OPT_OUTPUT, "FOLDER", 0,
      "Where results.json, junit.xml and logs/ go (default conformance-results)", 0 },
    { "jobs", OPT_JOBS, "N", 0, "Tests at a time (default: as many as there are CPUs)", 0 },
    { "limit", OPT_LIMIT, "SECONDS", 0, "For each test (default 900; with --guest 3600)", 0 },
    { "no-skips", OPT_NO_SKIPS, NULL, 0, "A skipped test makes the run fail", 0 },
    { "compare", OPT_COMPARE, "FILE", 0,
      "Print what changed since the run with this results.json; what regressed makes this run fail",
      0 },
    { "mode", OPT_MODE, "kernel|direct", 0,
      "Insist on this mode (default: kernel where the module's node opens)", 0 },
    { "device", OPT_DEVICE, "NAME", 0,
      "Run on this device of pocl's (default hmm; pthread is its CPU device)", 0 },
    { "peer", OPT_PEER, "NAME", 0,
      "Run what failed on this device of pocl's too; what it does not pass either is reported, but "
      "does not make the run fail", 0 },
    { "wimpy", OPT_WIMPY, NULL, 0, "Reduced tests, where the CTS has them: no conformance", 0 },
    { "guest", OPT_GUEST, NULL, 0, "Run in a virtual machine with a test kernel and the module",
      1 },
    { NULL, 0, NULL, 0, "With --guest:", 2 },
    { "kernel", OPT_KERNEL, "VERSION", 0, "The test kernel: 7.3 (default) or 6.12", 3 },
    { "debug-kernel", OPT_DEBUG, NULL, 0, "Its variant with KASAN, lock checking and more", 3 },
    { "module", OPT_MODULE, "FILE", 0, "Load this module, not the one built for the kernel", 3 },
    { "memory", OPT_MEMORY, "MIB", 0, "Memory of the guest (default 3072)", 3 },
    { "cold", OPT_COLD, NULL, 0, "Do not run the tests here first to have their kernels compiled",
      3 },
    { 0 }
};

struct conformance {
    struct cts_run run;
    struct cli_strings subsets, matches;
    const char *cts, *output, *compare, *kernel, *module, *memory;
    bool guest, debug, cold;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct conformance *c = state->input;
    struct cts_run *run = &c->run;

    switch (key) {
    case OPT_CTS: c->cts = arg; break;
    case OPT_SUBSET:
        if (!cts_subset_known(arg))
            argp_error(state, "there is no subset \"%s\": svm, atomics, memory, core or all", arg);
        cli_strings_add(&c->subsets, arg);
        break;
    case OPT_MATCH:
        cli_strings_add(&c->matches, arg);
        run->report.partial = true;
        break;
    case OPT_OUTPUT: c->output = arg; break;
    case OPT_JOBS: run->jobs = cli_number("--jobs", arg, 1, 256); break;
    case OPT_LIMIT: run->limit_s = cli_number("--limit", arg, 1, 1000000); break;
    case OPT_NO_SKIPS: run->report.no_skips = true; break;
    case OPT_COMPARE: c->compare = arg; break;
    case OPT_MODE:
        if (strcmp(arg, "kernel") && strcmp(arg, "direct"))
            argp_error(state, "--mode takes kernel or direct, not \"%s\"", arg);
        run->report.mode = arg;
        break;
    case OPT_DEVICE: run->report.device = arg; break;
    case OPT_PEER: run->report.peer = arg; break;
    case OPT_WIMPY: run->wimpy = true; break;
    case OPT_GUEST: c->guest = true; break;
    case OPT_KERNEL: c->kernel = arg; break;
    case OPT_DEBUG: c->debug = true; break;
    case OPT_MODULE: c->module = arg; break;
    case OPT_MEMORY: c->memory = arg; break;
    case OPT_COLD: c->cold = true; break;
    case ARGP_KEY_ARG:
        argp_error(state, "one argument too many: \"%s\"", arg);
        break;
    case ARGP_KEY_END:
        if (!c->cts)
            argp_error(state, "--cts DIR is missing: a build of github.com/KhronosGroup/OpenCL-CTS");
        if (!c->guest && (c->kernel || c->debug || c->module || c->memory || c->cold))
            argp_error(state, "--kernel, --debug-kernel, --module, --memory and --cold are for "
                              "--guest");
        if (c->guest && run->report.mode && strcmp(run->report.mode, "kernel"))
            argp_error(state, "--guest is for kernel mode; direct mode is the same here");
        if (c->guest && strcmp(run->report.device, "hmm"))
            argp_error(state, "--guest is for the device hmm");
        if (run->report.mode && strcmp(run->report.device, "hmm"))
            argp_error(state, "--mode is for the device hmm");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* ---- finding the programs ---- */

static const char *wanted;
static char *found_path;

static int find_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    if (type != FTW_F || strcmp(path + ftw->base, wanted) || !S_ISREG(st->st_mode) ||
        access(path, X_OK))
        return 0;
    found_path = realpath(path, NULL);
    return 1;
}

/* malloc'ed path; NULL if it is not there. */
static char *program_find(const char *folder, const char *name)
{
    wanted = name;
    found_path = NULL;
    if (nftw(folder, find_one, 32, FTW_PHYS) < 0)
        cli_die("cannot search %s: %s", folder, strerror(errno));
    return found_path;
}

/* Whether a pattern for SUITE/TEST can match a test of the suite. */
static bool suite_matches(const struct conformance *c, const struct cts_suite *suite)
{
    size_t i;

    for (i = 0; i < c->matches.count; i++) {
        char *pattern = cli_format("%s", c->matches.items[i]);
        bool matches;

        pattern[strcspn(pattern, "/")] = '\0';
        matches = !strchr(c->matches.items[i], '/') || !fnmatch(pattern, suite->name, 0);
        free(pattern);
        if (matches)
            return true;
    }
    return !c->matches.count;
}

static bool suite_chosen(const struct conformance *c, const struct cts_suite *suite)
{
    size_t i;

    for (i = 0; i < c->subsets.count; i++)
        if (cts_suite_in(suite, c->subsets.items[i]))
            return suite_matches(c, suite);
    return false;
}

/* Leaves those tests that were asked for. */
static void tests_match(struct conformance *c)
{
    struct cts_report *report = &c->run.report;
    size_t i, kept = 0;

    if (!c->matches.count)
        return;
    for (i = 0; i < report->count; i++)
        if (cts_test_matches(&report->tests[i], (const char *const *)c->matches.items,
                             c->matches.count))
            report->tests[kept++] = report->tests[i];
    report->count = kept;
    if (!kept)
        cli_die("no test matches \"%s\"", c->matches.items[0]);
}

static void tests_find(struct conformance *c)
{
    struct cli_strings missing = { 0 };
    char *programs[64] = { NULL };
    size_t i;

    for (i = 0; i < cts_suites_count; i++) {
        if (!suite_chosen(c, &cts_suites[i]))
            continue;
        programs[i] = program_find(c->cts, cts_suites[i].program);
        if (!programs[i] && (!missing.count || strcmp(missing.items[missing.count - 1],
                                                      cts_suites[i].program)))
            cli_strings_add(&missing, cli_format("%s", cts_suites[i].program));
    }
    if (missing.count) {
        for (i = 0; i < missing.count; i++)
            cli_say("there is no program %s in %s", missing.items[i], c->cts);
        cli_die("%s is not a complete build of the OpenCL-CTS: build what is missing, or choose a "
                "--subset without it", c->cts);
    }
    for (i = 0; i < cts_suites_count; i++)
        if (programs[i])
            cts_tests_find(&c->run, &cts_suites[i], programs[i]);
    tests_match(c);
}

/* ---- mode ---- */

/* Settles the mode and makes the environment insist on it. */
static void mode_settle(struct cts_run *run)
{
    struct hmmsvm_open_params params = { 0 };
    struct hmmsvm_device_info info;
    struct hmmsvm_device *device;

    if (strcmp(run->report.device, "hmm")) {
        run->report.mode = "none";
        return;
    }
    if (run->report.mode)
        params.mode = strcmp(run->report.mode, "kernel") ? HMMSVM_MODE_DIRECT :
                      HMMSVM_MODE_KERNEL;
    if (hmmsvm_device_open(&params, &device))
        cli_die("the device does not open%s%s: %s", run->report.mode ? " in the mode " : "",
                run->report.mode ? run->report.mode : "", hmmsvm_last_error());
    hmmsvm_device_info(device, &info);
    run->report.mode = hmmsvm_mode_name(info.mode);
    cli_say("%s", info.reason);
    hmmsvm_device_close(device);
    run->want_device = cli_format("hmm (%s mode,", run->report.mode);
    if (setenv("HMMSVM_MODE", run->report.mode, 1))
        cli_die("cannot set HMMSVM_MODE: %s", strerror(errno));
}

static long cpus(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
}

static const char *system_name(void)
{
    struct utsname host;

    uname(&host);
    return cli_format("%s %s %s", host.sysname, host.release, host.machine);
}

/* ---- results ---- */

static void result_write(const struct cts_run *run, const char *name,
                         int (*write_it)(FILE *out, const struct cts_report *report))
{
    char *path = cli_format("%s/%s", run->results, name);
    FILE *file = fopen(path, "we");

    if (!file || write_it(file, &run->report) || fclose(file))
        cli_die("cannot write %s: %s", path, strerror(errno));
    free(path);
}

/* How many tests regressed. */
static int compare(const struct conformance *c, const char *text)
{
    int regressed;

    if (!text)
        return 0;
    regressed = cts_compare(stdout, &c->run.report, text);
    if (regressed < 0)
        cli_die("%s cannot be compared with", c->compare);
    return regressed;
}

/* All of a text file. */
static char *text_read(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;

    if (!file || (getdelim(&text, &room, '\0', file) < 0 && ferror(file)))
        cli_die("cannot read %s: %s", path, strerror(errno));
    fclose(file);
    return text ? text : cli_format("%s", "");
}

static int conformance_here(struct conformance *c)
{
    struct cts_run *run = &c->run;
    /* Read first: it may be the very file that is written. */
    char *earlier = c->compare ? text_read(c->compare) : NULL, why[160];
    int regressed;

    run->results = cli_output_folder(c->output, "logs");
    snprintf(run->report.system, sizeof(run->report.system), "%s", system_name());
    cli_environment();
    mode_settle(run);
    tests_find(c);
    cli_say("%zu tests, %ld at a time, on %s%s%s; results in %s", run->report.count, run->jobs,
            run->report.device, strcmp(run->report.device, "hmm") ? "" : " in mode ",
            strcmp(run->report.device, "hmm") ? "" : run->report.mode, run->results);
    cts_tests_run(run);
    if (run->report.peer && !run->report.interrupted)
        cts_peer_run(run);
    cts_print(stdout, &run->report);
    regressed = compare(c, earlier);
    free(earlier);
    result_write(run, "results.json", cts_write_json);
    result_write(run, "junit.xml", cts_write_junit);
    if (fflush(stdout) || ferror(stdout))
        cli_die("cannot write the table: %s", strerror(errno));
    return cts_success(&run->report, why, sizeof(why)) && !regressed ? 0 : 1;
}

/* ---- in a guest ---- */

/* What this run and the one in the guest have in common. */
static void args_common(const struct conformance *c, struct cli_strings *args)
{
    char *cts = realpath(c->cts, NULL);
    size_t i;

    if (!cts)
        cli_die("%s: %s", c->cts, strerror(errno));
    cli_strings_add(args, cli_format("--cts=%s", cts));
    for (i = 0; i < c->subsets.count; i++)
        cli_strings_add(args, cli_format("--subset=%s", c->subsets.items[i]));
    for (i = 0; i < c->matches.count; i++)
        cli_strings_add(args, cli_format("--match=%s", c->matches.items[i]));
    if (c->run.wimpy)
        cli_strings_add(args, cli_format("--wimpy"));
}

/* Runs the tests here in direct mode, for the kernels. What comes of it is not judged. */
static void kernels_compile(const struct conformance *c)
{
    struct cli_strings args = { 0 };
    char *folder = cli_format("%s/compiling", c->run.results);
    int status;

    cli_say("running the tests here first, in direct mode: their kernels are compiled for the "
            "guest (--cold leaves that out)");
    cli_strings_add(&args, cli_format("%s/bin/hmmsvm", cli_prefix()));
    cli_strings_add(&args, cli_format("conformance"));
    args_common(c, &args);
    cli_strings_add(&args, cli_format("--mode=direct"));
    cli_strings_add(&args, cli_format("--output=%s", folder));
    status = cli_run_unseen(args.items, false);
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
        cli_die("the tests cannot be run here");
    free(folder);
}

static int conformance_in_guest(struct conformance *c)
{
    struct cli_strings args = { 0 };
    char *earlier = c->compare ? realpath(c->compare, NULL) : NULL;

    if (c->compare && !earlier)
        cli_die("cannot read %s: %s", c->compare, strerror(errno));
    c->run.results = cli_output_folder(c->output, "logs");
    cli_guest_kernels();
    if (!c->cold)
        kernels_compile(c);

    cli_strings_add(&args, "hmmsvm run");
    cli_strings_add(&args, "--guest");
    cli_strings_add(&args, "--timeout=0");
    cli_strings_add(&args, cli_format("--share=%s", c->run.results));
    if (c->kernel)
        cli_strings_add(&args, cli_format("--kernel=%s", c->kernel));
    if (c->debug)
        cli_strings_add(&args, "--debug-kernel");
    if (c->module)
        cli_strings_add(&args, cli_format("--module=%s", c->module));
    if (c->memory)
        cli_strings_add(&args, cli_format("--memory=%s", c->memory));
    cli_strings_add(&args, "--");
    cli_strings_add(&args, cli_format("%s/bin/hmmsvm", cli_prefix()));
    cli_strings_add(&args, "conformance");
    args_common(c, &args);
    cli_strings_add(&args, "--mode=kernel");
    cli_strings_add(&args, cli_format("--output=%s", c->run.results));
    cli_strings_add(&args, cli_format("--limit=%ld",
                                      c->run.limit_s ? c->run.limit_s : LIMIT_GUEST));
    if (c->run.jobs)
        cli_strings_add(&args, cli_format("--jobs=%ld", c->run.jobs));
    if (c->run.report.no_skips)
        cli_strings_add(&args, "--no-skips");
    if (c->run.report.peer)
        cli_strings_add(&args, cli_format("--peer=%s", c->run.report.peer));
    if (earlier)
        cli_strings_add(&args, cli_format("--compare=%s", earlier));
    return cli_run((int)args.count, args.items);
}

int cli_conformance(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "--cts DIR",
        .doc = "Run the Khronos OpenCL conformance tests, of which you have a build, on the device."
               "\vA table says how many of each suite passed, failed and were SKIPPED; the results "
               "are written as JSON and JUnit XML, and logs of all that did not pass are kept. "
               "A test that ran on another device or in another mode has failed. "
               "Subsets: svm: SVM; atomics: c11_atomics, atomics; memory: buffers, allocations, "
               "mem_host_flags, generic_address_space; core: basic, api, compiler, computeinfo, "
               "events, profiling, printf, thread_dimensions, workgroups, subgroups, vectors, "
               "relationals, select, non_uniform_work_group, multiple_device_context. "
               "Exit status: 0; 1 if a test failed, regressed or was not run, or none was "
               "executed; 125 if hmmsvm failed. More in docs/conformance.md.",
    };
    struct conformance c = {
        .run.report = { .device = "hmm", .version = HMMSVM_VERSION },
        .output = "conformance-results",
    };
    size_t i;

    argp_err_exit_status = CLI_FAILED;
    argp_parse(&argp, argc, argv, 0, NULL, &c);
    if (!c.subsets.count)
        cli_strings_add(&c.subsets, "all");
    c.run.report.subset = cli_format("%s", c.subsets.items[0]);
    for (i = 1; i < c.subsets.count; i++)
        c.run.report.subset = cli_format("%s,%s", c.run.report.subset, c.subsets.items[i]);
    if (c.guest)
        return conformance_in_guest(&c);
    if (!c.run.jobs)
        c.run.jobs = cpus();
    if (!c.run.limit_s)
        c.run.limit_s = LIMIT_HERE;
    return conformance_here(&c);
}
