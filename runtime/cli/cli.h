/* SPDX-License-Identifier: MIT */
/*
 * cli.h - what the parts of the `hmmsvm` command share. One thread; no locking.
 *
 * Exit statuses follow env(1) and timeout(1): the application's own, or 125 when hmmsvm itself
 * failed, 126 when the application cannot be run, 127 when it is not there.
 */
#ifndef HMMSVM_CLI_H
#define HMMSVM_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CLI_FAILED       125
#define CLI_NOT_RUNNABLE 126
#define CLI_NOT_FOUND    127

/* Prints "hmmsvm: TEXT" on standard error. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, then ends the program with CLI_FAILED. */
void cli_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* malloc'ed text; ends the program if there is no memory. */
char *cli_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A list of strings that grows; items[count] is always NULL. */
struct cli_strings {
    char **items;
    size_t count;
};

void cli_strings_add(struct cli_strings *list, char *text);

/* The parts of "a,b,c", each once; ends the program, naming the option, if there is none. */
void cli_strings_split(struct cli_strings *list, const char *option, const char *text);

/* A whole number in [min, max] or the end of the program, naming the option. */
long cli_number(const char *option, const char *text, long min, long max);

/* Seconds of a clock that never goes back. */
double cli_seconds(void);

/*
 * The folder that holds bin/hmmsvm, lib/, libexec/, etc/: where the command was installed, or the
 * build tree, which is laid out the same way.
 */
const char *cli_prefix(void);

/* Where test kernels, logs and verdicts are kept; created if need be. */
const char *cli_cache(void);

/*
 * Sets what an OpenCL program needs to find the device; a choice the caller has made in the
 * environment always wins. Ends the program if the runtime is not there.
 */
void cli_environment(void);

/* Starts a program as `hmmsvm run` does, beside this one; and waits for it: its exit status. */
pid_t cli_program_start(char **argv);
int cli_program_end(pid_t pid);

/*
 * Sees to it that POCL_CACHE_DIR names the folder whose built kernels a guest will find: building
 * is slow under emulation. One that the caller has chosen stays.
 */
void cli_guest_kernels(void);

/*
 * Runs a program here, its standard output thrown away, and returns its status as waitpid() does.
 * With quiet it runs in direct mode and what it says on standard error is thrown away as well. What
 * it compiles is then in pocl's cache, for a guest.
 */
int cli_run_unseen(char **argv, bool quiet);

/* Creates a folder, and one in it, if need be; the malloc'ed absolute path of the former. */
char *cli_output_folder(const char *folder, const char *inner);

/* The subcommands. argv[0] is the subcommand's name. */
int cli_run(int argc, char **argv);
int cli_info(int argc, char **argv);
int cli_bench(int argc, char **argv);
int cli_stat(int argc, char **argv);
int cli_policy(int argc, char **argv);
int cli_limit(int argc, char **argv);
int cli_load(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_conformance(int argc, char **argv);
int cli_record(int argc, char **argv);
int cli_trace(int argc, char **argv);
int cli_sim(int argc, char **argv);

/* MiB of a guest's memory that can be kept for the device: what lies below 2 GiB. */
#define GUEST_COHERENT_MAX 1792

/* Where to run an application, and how. */
struct guest_options {
    const char *kernel;             /* "7.3" */
    const char *variant;            /* of that kernel: "plain" */
    const char *accel;              /* "auto", "kvm", "tcg" */
    const char *module;             /* a file; NULL: the one built for that kernel */
    bool no_module;
    const char *module_params;      /* NULL: none */
    const char *devmem;             /* sizes in MiB; NULL: 256 if the module can; "0": none */
    long coherent_mb;               /* device memory that the CPU reaches; 0: none */
    long memory_mb, cpus, nodes, swap_mb;
    long timeout_s;                 /* 0: none */
    const char *log;                /* NULL: one in the cache */
    struct cli_strings shares;      /* folders shared read-write besides the current one */
    struct cli_strings append;      /* more words for the kernel's command line */
    bool verbose, quiet;
};

/*
 * Boots the guest, runs the application with the environment env and returns its status, or
 * CLI_FAILED if the guest, its kernel log or the module's unloading was not in order.
 */
int guest_run(const struct guest_options *options, char **argv, char **env);

#endif
