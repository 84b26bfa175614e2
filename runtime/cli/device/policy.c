/* SPDX-License-Identifier: MIT */
/*
 * policy.c - `hmmsvm policy`: which migration policies there are, which one a process has, and
 * another one while it runs. All of it comes from the module. No locking.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "monitor.h"
#include "node.h"
#include "settings.h"

enum {
    OPT_EVICTION = 'e',
    OPT_SET = 's',
    OPT_JSON = 256,
    OPT_CONTEXT,
};

static const struct argp_option options[] = {
    { "eviction", OPT_EVICTION, "NAME", 0, "Choose what to evict when there is no room", 0 },
    { "set", OPT_SET, "[POLICY.]NAME=VALUE", 0, "Set a tunable; may be given several times", 0 },
    { "json", OPT_JSON, NULL, 0, "Print JSON", 0 },
    { "context", OPT_CONTEXT, "N", 0, "Which of the process's contexts (default 0, the oldest)",
      0 },
    { 0 }
};

struct policy_options {
    struct hmmsvm_target target;
    const char *placement, *eviction;
    struct cli_strings set;
    bool json;
};

static const char *const kinds[] = { "placement", "eviction" };

/* ---- tunables ---- */

static void tunables_text(int fd, const struct hmmsvm_target *target, bool values)
{
    struct hmmsvm_tunable_value t;
    unsigned i;

    for (i = 0; !node_tunable_at(fd, target, i, &t); i++) {
        printf("      %-16s ", t.name);
        if (values)
            printf("%lld (default %lld, ", (long long)t.value, (long long)t.preset);
        else
            printf("%lld (", (long long)t.preset);
        printf("%lld to %lld)  %s\n", (long long)t.min, (long long)t.max, t.help);
    }
}

static void tunables_json(int fd, const struct hmmsvm_target *target, bool values)
{
    struct hmmsvm_tunable_value t;
    unsigned i;

    printf("\"tunables\":[");
    for (i = 0; !node_tunable_at(fd, target, i, &t); i++) {
        printf("%s{", i ? "," : "");
        monitor_json_string(stdout, "name", t.name);
        if (values)
            printf(",\"value\":%lld", (long long)t.value);
        printf(",\"default\":%lld,\"min\":%lld,\"max\":%lld,", (long long)t.preset,
               (long long)t.min, (long long)t.max);
        monitor_json_string(stdout, "help", t.help);
        putchar('}');
    }
    putchar(']');
}

/* ---- what there is ---- */

/* A policy of either kind; tunables belong to the one that a context has, so own takes it first. */
static void policy_print(int fd, const struct hmmsvm_policy_info *info, bool is_default, bool own,
                         bool json, bool first)
{
    struct hmmsvm_policy_choice choice = { .size = sizeof(choice),
                                           .flags = HMMSVM_POLICY_SET_PLACEMENT };
    static const struct hmmsvm_target mine;
    bool tunables = own && info->kind == HMMSVM_POLICY_PLACEMENT && info->tunables;

    if (tunables) {
        memcpy(choice.placement, info->name, sizeof(choice.placement));
        tunables = !node_ask(fd, HMMSVM_IOC_POLICY, &choice);
    }
    if (!json) {
        printf("  %-16s %s%s\n", info->name, info->help, is_default ? " (default)" : "");
        if (tunables)
            tunables_text(fd, &mine, false);
        return;
    }
    printf("%s{", first ? "" : ",");
    monitor_json_string(stdout, "name", info->name);
    printf(",\"default\":%s,", is_default ? "true" : "false");
    monitor_json_string(stdout, "help", info->help);
    if (tunables) {
        putchar(',');
        tunables_json(fd, &mine, false);
    }
    putchar('}');
}

/* Lists the policies of the module; an unused context of our own has the defaults. */
static void policies_list(int fd, bool json)
{
    struct hmmsvm_policy_choice presets = { .size = sizeof(presets) };
    bool own = node_context(fd) && !node_ask(fd, HMMSVM_IOC_POLICY, &presets);
    unsigned kind, i;

    if (json)
        putchar('{');
    for (kind = 0; kind < 2; kind++) {
        const char *preset = kind == HMMSVM_POLICY_PLACEMENT ? presets.placement
                                                             : presets.eviction;

        if (json)
            printf("%s\"%s\":[", kind ? "," : "", kinds[kind]);
        else
            printf("%s:\n", kind ? "\nEviction: what leaves device memory when there is no room"
                                 : "Placement: what is brought to device memory, and when");
        for (i = 0;; i++) {
            struct hmmsvm_policy_info info = { .size = sizeof(info), .kind = kind, .index = i };

            if (node_ask(fd, HMMSVM_IOC_POLICY_INFO, &info))
                break;
            policy_print(fd, &info, own && !strcmp(info.name, preset), own, json, !i);
        }
        if (json)
            putchar(']');
    }
    if (json)
        puts("}");
}

/* ---- a process ---- */

static void policy_change(int fd, const struct policy_options *o)
{
    int err;

    if (o->placement)
        node_policy_check(fd, HMMSVM_POLICY_PLACEMENT, o->placement);
    if (o->eviction)
        node_policy_check(fd, HMMSVM_POLICY_EVICTION, o->eviction);
    err = node_policy_set(fd, &o->target, o->placement, o->eviction);
    if (err)
        node_target_failed(err, &o->target);
}

static void tunable_change(int fd, const struct policy_options *o, const struct cli_setting *s)
{
    struct hmmsvm_policy_choice choice = { .size = sizeof(choice), .target = o->target };
    struct hmmsvm_tunable_value t;
    int err = node_ask(fd, HMMSVM_IOC_POLICY, &choice);

    if (!err && s->policy && strcmp(s->policy, choice.placement))
        cli_die("--set %s: the process's placement policy is %s", s->text, choice.placement);
    if (!err)
        err = node_tunable_set(fd, &o->target, s, &t);
    if (err == -ENOENT)
        cli_die("the process's placement policy has no tunable \"%s\": `hmmsvm policy %u` shows "
                "those it has", s->name, o->target.pid);
    if (err)
        node_target_failed(err, &o->target);
}

static void policy_show(int fd, const struct policy_options *o)
{
    struct hmmsvm_policy_choice choice = { .size = sizeof(choice), .target = o->target };
    int err = node_ask(fd, HMMSVM_IOC_POLICY, &choice);

    if (err)
        node_target_failed(err, &o->target);
    if (!o->json) {
        printf("process %u: placement %s, eviction %s\n", o->target.pid, choice.placement,
               choice.eviction);
        tunables_text(fd, &o->target, true);
        return;
    }
    printf("{\"pid\":%u,\"context\":%u,", o->target.pid, o->target.context);
    monitor_json_string(stdout, "placement", choice.placement);
    putchar(',');
    monitor_json_string(stdout, "eviction", choice.eviction);
    putchar(',');
    tunables_json(fd, &o->target, true);
    puts("}");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct policy_options *o = state->input;

    switch (key) {
    case OPT_EVICTION: o->eviction = arg; break;
    case OPT_SET: cli_strings_add(&o->set, arg); break;
    case OPT_JSON: o->json = true; break;
    case OPT_CONTEXT:
        o->target.context = (unsigned)cli_number("--context", arg, 0, 65535);
        break;
    case ARGP_KEY_ARG: node_target_argument(state, arg, &o->target, &o->placement); break;
    case ARGP_KEY_END:
        if (!o->target.pid && (o->eviction || o->set.count))
            argp_error(state, "which process? (for one that is to start: HMMSVM_POLICY, "
                              "HMMSVM_EVICTION, HMMSVM_TUNABLES)");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int cli_policy(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "\nPID [PLACEMENT]",
        .doc = "List the migration policies and their tunables; or show which ones a process has, "
               "or give it others while it runs."
               "\vA placement policy decides what moves and when, an eviction policy what leaves "
               "device memory when there is no room. Choosing a placement policy sets its "
               "tunables to their defaults. Programs that are to start take HMMSVM_POLICY, "
               "HMMSVM_EVICTION and HMMSVM_TUNABLES. Exit status: 0, or 125 if hmmsvm failed.",
    };
    struct policy_options o = { 0 };
    struct cli_settings set = { 0 };
    struct hmmsvm_version version;
    size_t i;
    int fd;

    argp_err_exit_status = CLI_FAILED;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    for (i = 0; i < o.set.count; i++)
        cli_settings_add(&set, o.set.items[i]);
    fd = node_open(&version);
    if (!o.target.pid) {
        policies_list(fd, o.json);
    } else {
        policy_change(fd, &o);
        for (i = 0; i < set.count; i++)
            tunable_change(fd, &o, &set.items[i]);
        policy_show(fd, &o);
    }
    close(fd);
    return 0;
}
