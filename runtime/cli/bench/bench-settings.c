/* SPDX-License-Identifier: MIT */
/*
 * bench-settings.c - what --set of `hmmsvm bench` comes to for each policy; see bench-settings.h.
 * No locking.
 *
 * The module tells of a policy's tunables, and of their limits, through a context that has it: one
 * of the command's own, which is never used.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench-settings.h"
#include "device/node.h"

static const struct hmmsvm_target own;

/* What is for that tunable of the policy, as the module takes it. */
static void settings_put(int node, struct cli_settings *to, const struct cli_settings *set,
                         const char *policy, const char *tunable, bool *used)
{
    struct hmmsvm_tunable_value t;
    size_t i;
    int err;

    for (i = 0; i < set->count; i++) {
        if (!cli_setting_fits(&set->items[i], policy, tunable))
            continue;
        err = node_tunable_set(node, &own, &set->items[i], &t);
        if (err)
            cli_die("--set %s: the module refuses: %s", set->items[i].text, strerror(-err));
        cli_settings_add(to, cli_format("%s.%s=%lld", policy, tunable, (long long)t.value));
        used[i] = true;
    }
}

struct cli_settings *bench_settings_make(const struct cli_settings *set,
                                         const struct cli_strings *policies)
{
    struct cli_settings *all = calloc(policies->count, sizeof(*all));
    bool *used = calloc(set->count + 1, sizeof(*used));
    char *known = cli_format("%s", ""), *longer;
    struct hmmsvm_version version;
    struct hmmsvm_tunable_value t;
    int node = -1, err;
    size_t p, i;
    unsigned n;

    if (!all || !used)
        cli_die("out of memory");
    if (set->count) {
        node = node_open(&version);
        if (!node_context(node))
            cli_die("the module does not say which tunables there are: it gives no context");
    }
    for (p = 0; p < policies->count && set->count; p++) {
        err = node_policy_set(node, &own, policies->items[p], NULL);
        if (err)
            cli_die("the module does not say which tunables %s has: %s", policies->items[p],
                    strerror(-err));
        for (n = 0; !node_tunable_at(node, &own, n, &t); n++) {
            longer = cli_format("%s%s%s.%s", known, *known ? ", " : "", policies->items[p],
                                t.name);
            free(known);
            known = longer;
            settings_put(node, &all[p], set, policies->items[p], t.name, used);
        }
    }
    for (i = 0; i < set->count; i++)
        if (!used[i])
            cli_die("--set %s: none of the policies that are to run has such a tunable; they "
                    "have %s", set->items[i].text, *known ? known : "none");
    if (set->count)
        close(node);
    free(known);
    free(used);
    return all;
}

char *bench_settings_text(const struct cli_settings *settings)
{
    char *text = cli_format("%s", ""), *longer;
    size_t i;

    for (i = 0; i < settings->count; i++) {
        longer = cli_format("%s%s%s=%lld", text, i ? "," : "", settings->items[i].name,
                            settings->items[i].value);
        free(text);
        text = longer;
    }
    return text;
}
