/* SPDX-License-Identifier: MIT */
/*
 * settings.h - values for policies' tunables, as --set of several commands takes them. No locking.
 */
#ifndef HMMSVM_CLI_SETTINGS_H
#define HMMSVM_CLI_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

/* [POLICY.]NAME=VALUE */
struct cli_setting {
    const char *text;   /* all of it, as it was given */
    const char *policy; /* NULL: any that has the tunable */
    const char *name;
    long long value;
};

struct cli_settings {
    struct cli_setting *items;
    size_t count;
};

/* Adds an argument of --set; ends the program if it is none. The text has to stay. */
void cli_settings_add(struct cli_settings *settings, const char *text);

/* Whether it is about that tunable of that policy. */
bool cli_setting_fits(const struct cli_setting *setting, const char *policy, const char *tunable);

#endif
