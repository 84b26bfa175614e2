/* SPDX-License-Identifier: MIT */
/*
 * main.c - the `hmmsvm` command: finds the subcommand and the tree it belongs to. No locking.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} commands[] = {
    { "run", cli_run, "run a program on the hmm device, here or in a test guest" },
    { "info", cli_info, "what the device is, and which mode it would run in and why" },
    { "stat", cli_stat, "watch what the device does with a process's memory" },
    { "policy", cli_policy, "what moves memory unasked: list, show, change" },
    { "limit", cli_limit, "how much device memory a process may have: show, change" },
    { "load", cli_load, "load the kernel module with device memory on the best NUMA node" },
    { "serve", cli_serve, "let programs on other machines use the device through pocl" },
    { "record", cli_record, "record a trace of what a program's kernels do with memory" },
    { "trace", cli_trace, "print, pack or make up traces of memory use" },
    { "sim", cli_sim, "replay traces against migration policies" },
    { "conformance", cli_conformance, "run a build of the OpenCL conformance tests on the device" },
    { "bench", cli_bench, "measure what the device costs and how fast it is" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* One write, so that the line stays whole beside what a program prints. */
static void say(const char *format, va_list args)
{
    char *text;

    if (vasprintf(&text, format, args) < 0)
        return;
    fprintf(stderr, "hmmsvm: %s\n", text);
    free(text);
}

void cli_say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
}

void cli_die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
    exit(CLI_FAILED);
}

char *cli_format(const char *format, ...)
{
    char *text;
    va_list args;
    int n;

    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0)
        cli_die("out of memory");
    return text;
}

void cli_strings_add(struct cli_strings *list, char *text)
{
    list->items = realloc(list->items, (list->count + 2) * sizeof(*list->items));
    if (!list->items)
        cli_die("out of memory");
    list->items[list->count++] = text;
    list->items[list->count] = NULL;
}

void cli_strings_split(struct cli_strings *list, const char *option, const char *text)
{
    char *rest = cli_format("%s", text), *name;
    size_t i;

    while ((name = strsep(&rest, ","))) {
        for (i = 0; i < list->count && strcmp(list->items[i], name); i++)
            ;
        if (*name && i == list->count)
            cli_strings_add(list, name);
    }
    if (!list->count)
        cli_die("%s: nothing is named", option);
}

long cli_number(const char *option, const char *text, long min, long max)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max)
        cli_die("%s takes a number from %ld to %ld, not \"%s\"", option, min, max, text);
    return value;
}

double cli_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

const char *cli_prefix(void)
{
    static char path[PATH_MAX];
    ssize_t n;
    int up;

    if (path[0])
        return path;
    n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n < 0)
        cli_die("cannot find out where this program lies: %s", strerror(errno));
    path[n] = '\0';
    for (up = 0; up < 2; up++) {
        char *slash = strrchr(path, '/');

        if (slash)
            *slash = '\0';
    }
    return path;
}

const char *cli_cache(void)
{
    static char *path;
    const char *text;
    char *p;

    if (path)
        return path;
    if ((text = getenv("HMMSVM_CACHE")) && *text)
        path = cli_format("%s", text);
    else if ((text = getenv("XDG_CACHE_HOME")) && *text)
        path = cli_format("%s/hmmsvm", text);
    else if ((text = getenv("HOME")) && *text)
        path = cli_format("%s/.cache/hmmsvm", text);
    else
        cli_die("there is no place for the cache: set HMMSVM_CACHE or HOME");
    for (p = path + 1; *p; p++) {
        if (*p == '/') {
            *p = '\0';
            mkdir(path, 0755);
            *p = '/';
        }
    }
    if (mkdir(path, 0755) && errno != EEXIST)
        cli_die("cannot create the cache %s: %s; set HMMSVM_CACHE to another folder", path,
                strerror(errno));
    return path;
}

char *cli_output_folder(const char *folder, const char *inner)
{
    char *both = cli_format("%s/%s", folder, inner), *path;

    if ((mkdir(folder, 0777) && errno != EEXIST) || (mkdir(both, 0777) && errno != EEXIST) ||
        !(path = realpath(folder, NULL)))
        cli_die("cannot create %s: %s; --output names another folder", both, strerror(errno));
    free(both);
    return path;
}

static void usage(FILE *out)
{
    size_t i;

    fputs("Usage: hmmsvm COMMAND [OPTION...]\n"
          "An OpenCL device with shared virtual memory down to malloc, for pocl.\n\n", out);
    for (i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].what);
    fputs("\n`hmmsvm COMMAND --help` explains a command. `hmmsvm --version` prints the version.\n",
          out);
}

int main(int argc, char **argv)
{
    size_t i;

    if (argc < 2) {
        usage(stderr);
        return CLI_FAILED;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        usage(stdout);
        return 0;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
        puts("hmmsvm " HMMSVM_VERSION);
        return 0;
    }
    for (i = 0; i < COMMANDS; i++) {
        if (!strcmp(argv[1], commands[i].name)) {
            /* argp names the program by argv[0]. */
            argv[1] = cli_format("hmmsvm %s", commands[i].name);
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    cli_say("there is no command \"%s\"", argv[1]);
    usage(stderr);
    return CLI_FAILED;
}
