/* SPDX-License-Identifier: MIT */
/*
 * bench-settings.h - the tunables that --set of `hmmsvm bench` gives to policies. No locking.
 */
#ifndef HMMSVM_CLI_BENCH_SETTINGS_H
#define HMMSVM_CLI_BENCH_SETTINGS_H

#include "cli.h"
#include "settings.h"

/*
 * What each of the placement policies gets, in their order: its own tunables, with values within
 * their limits, as the module says. Ends the command if a setting is for none of them.
 */
struct cli_settings *bench_settings_make(const struct cli_settings *set,
                                         const struct cli_strings *policies);

/* As HMMSVM_TUNABLES takes them; malloc'ed. */
char *bench_settings_text(const struct cli_settings *settings);

#endif
