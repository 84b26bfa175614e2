/* SPDX-License-Identifier: MIT */
/*
 * unit.h - what the native unit tests of libhmmsvm share
 *
 * They are linked with the library's objects, not with the library, so that
 * its inner functions can be called and system calls be replaced.
 *
 * Locking: none, each test uses this from one thread.
 */
#ifndef HMMSVM_TEST_UNIT_H
#define HMMSVM_TEST_UNIT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <hmmsvm/client.h>

#define UNIT_ARG(type, args, n) ((type *)((void **)(void *)(args))[n])

/* Forgets what the environment says, so that each test starts from nothing. */
static inline int unit_clear_environment(void **state)
{
    static const char *const names[] = {
        "HMMSVM_MODE",   "HMMSVM_COMPUTE_UNITS", "HMMSVM_FAULT_AROUND", "HMMSVM_DEVICE",
        "HMMSVM_ENGINE", "HMMSVM_STATS",         "HMMSVM_DEBUG",
        "HMMSVM_POLICY", "HMMSVM_EVICTION",      "HMMSVM_TUNABLES",     "HMMSVM_MEMORY",
        "HMMSVM_EVENTS", "HMMSVM_RESIDENT_GROUPS", "HMMSVM_WATCHDOG_MS",  "HMMSVM_MEMORY_LIMIT",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        unsetenv(names[i]);
    return 0;
}

/* Fails unless the error text contains @part. */
#define assert_error_says(part)                                                                    \
    do {                                                                                           \
        if (!strstr(hmmsvm_last_error(), part))                                                    \
            fail_msg("the error is \"%s\", which does not say \"%s\"", hmmsvm_last_error(), part); \
    } while (0)

/* Opens a device in direct mode. */
static inline struct hmmsvm_device *unit_open(unsigned workers)
{
    struct hmmsvm_open_params params = {
        .mode = HMMSVM_MODE_DIRECT,
        .workers = workers,
        .stack_size = 1u << 18,
    };
    struct hmmsvm_device *dev;

    if (hmmsvm_device_open(&params, &dev))
        fail_msg("hmmsvm_device_open: %s", hmmsvm_last_error());
    return dev;
}

/* A launch of @x * @y * @z groups with one argument, which @args holds. */
static inline struct hmmsvm_launch unit_launch(hmmsvm_workgroup_fn fn, void **args, uint64_t x,
                                               uint64_t y, uint64_t z)
{
    return (struct hmmsvm_launch){
        .name = "unit",
        .fn = fn,
        .groups = {x, y, z},
        .args = args,
        .nargs = args ? 1 : 0,
        HMMSVM_NO_CTX,
    };
}

#endif /* HMMSVM_TEST_UNIT_H */
