/* SPDX-License-Identifier: MIT */
/*
 * settings.c - values for policies' tunables, as --set takes them; see settings.h. No locking.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "settings.h"

void cli_settings_add(struct cli_settings *settings, const char *text)
{
    struct cli_setting s = { .text = text };
    const char *equals = strchrnul(text, '='), *dot = memchr(text, '.', (size_t)(equals - text));
    const char *name = dot ? dot + 1 : text;
    char *end = NULL;

    errno = 0;
    if (*equals)
        s.value = strtoll(equals + 1, &end, 10);
    if (!end || end == equals + 1 || *end || errno || name == equals || dot == text)
        cli_die("--set takes [POLICY.]NAME=VALUE with a whole number, not \"%s\"", text);
    s.policy = dot ? cli_format("%.*s", (int)(dot - text), text) : NULL;
    s.name = cli_format("%.*s", (int)(equals - name), name);
    settings->items = realloc(settings->items, (settings->count + 1) * sizeof(s));
    if (!settings->items)
        cli_die("out of memory");
    settings->items[settings->count++] = s;
}

bool cli_setting_fits(const struct cli_setting *setting, const char *policy, const char *tunable)
{
    return (!setting->policy || !strcmp(setting->policy, policy)) &&
           !strcmp(setting->name, tunable);
}
