/* SPDX-License-Identifier: MIT */
/*
 * limit.c - `hmmsvm limit`: how much device memory a process may have, and less of it while it
 * runs. All of it comes from the module. No locking.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "node.h"

#define MINOR 2 /* of the ABI, which brought limits */

enum {
    OPT_JSON = 256,
    OPT_CONTEXT,
};

static const struct argp_option options[] = {
    { "json", OPT_JSON, NULL, 0, "Print JSON, in bytes", 0 },
    { "context", OPT_CONTEXT, "N", 0, "Which of the process's contexts (default 0, the oldest)",
      0 },
    { 0 }
};

struct limit_options {
    struct hmmsvm_target target;
    const char *limit;
    bool json;
};

/* A line of text: a number of MiB, or none. */
static void line_print(const char *what, __u64 bytes, const char *more)
{
    printf("  %-26s ", what);
    if (bytes == HMMSVM_NO_LIMIT)
        printf("      none");
    else
        printf("%10.1f MiB", (double)bytes / (1 << 20));
    printf("%s%s\n", *more ? "  " : "", more);
}

static void limit_text(const struct limit_options *o, const struct hmmsvm_limit *l)
{
    char user[32], more[96];

    if (o->target.pid) {
        printf("process %u, context %u:\n", o->target.pid, o->target.context);
        line_print("device memory", l->charged, "");
        line_print("its own limit", l->limit, "");
    }
    line_print("limit of a context", l->context_max, "module parameter context_limit_mb");
    snprintf(user, sizeof(user), "limit of user %u", l->user);
    snprintf(more, sizeof(more), "module parameter user_limit_mb; in use %.1f MiB",
             (double)l->user_charged / (1 << 20));
    line_print(user, l->user_max, more);
    line_print("fair share now", l->share, "");
}

static void field_print(const char *name, __u64 bytes)
{
    printf(",\"%s\":", name);
    if (bytes == HMMSVM_NO_LIMIT)
        printf("null");
    else
        printf("%llu", (unsigned long long)bytes);
}

static void limit_json(const struct limit_options *o, const struct hmmsvm_limit *l)
{
    printf("{\"user\":%u", l->user);
    if (o->target.pid) {
        printf(",\"pid\":%u,\"context\":%u", o->target.pid, o->target.context);
        field_print("charged", l->charged);
        field_print("limit", l->limit);
    }
    field_print("context_max", l->context_max);
    field_print("user_max", l->user_max);
    field_print("user_charged", l->user_charged);
    field_print("share", l->share);
    puts("}");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct limit_options *o = state->input;

    switch (key) {
    case OPT_JSON: o->json = true; break;
    case OPT_CONTEXT:
        o->target.context = (unsigned)cli_number("--context", arg, 0, 65535);
        break;
    case ARGP_KEY_ARG: node_target_argument(state, arg, &o->target, &o->limit); break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int cli_limit(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "\nPID [MIB|none]",
        .doc = "Show how much device memory your processes may have, or a process of yours may; or "
               "give that one a limit of its own while it runs."
               "\vWho has reached a limit makes room of his own memory. Limits for all are the "
               "administrator's: `hmmsvm load --limit MIB --user-limit MIB`, or the parameters in "
               "/sys/module/hmmsvm/parameters/. Programs that are to start take "
               "HMMSVM_MEMORY_LIMIT. The fair share is what a process can have while others keep "
               "as much, if they have it. Exit status: 0, or 125 if hmmsvm failed.",
    };
    struct limit_options o = { 0 };
    struct hmmsvm_version version;
    struct hmmsvm_limit limit;
    int fd, err;

    argp_err_exit_status = CLI_FAILED;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    fd = node_open(&version);
    if (version.abi_minor < MINOR)
        cli_die("the loaded module (%.32s) knows no limits of device memory", version.release);
    limit = (struct hmmsvm_limit){ .size = sizeof(limit), .target = o.target };
    if (o.limit) {
        limit.flags = HMMSVM_LIMIT_SET;
        limit.limit = !strcmp(o.limit, "none") ? HMMSVM_NO_LIMIT :
                      (__u64)cli_number("a limit in MiB (or \"none\")", o.limit, 0, 1 << 24) << 20;
    }
    /* Without a process: what an unused context of our own is told. */
    if (!o.target.pid && !node_context(fd))
        cli_die("the module makes no context for this process");
    err = node_ask(fd, HMMSVM_IOC_LIMIT, &limit);
    if (err == -ENODEV)
        cli_die("the module has no device memory (`hmmsvm load` gives it some)");
    if (err)
        node_target_failed(err, &o.target);
    if (o.json)
        limit_json(&o, &limit);
    else
        limit_text(&o, &limit);
    close(fd);
    return 0;
}
