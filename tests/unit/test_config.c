/* SPDX-License-Identifier: MIT */
/*
 * The environment and the parameters: what is taken, what wins, and that each
 * bad value is an error that names the variable, the value and what is allowed.
 */
#include <sched.h>
#include <sys/resource.h>

#include "unit.h"

#include "internal.h"

static struct config config;

static int read_with(const char *name, const char *value)
{
    int err;

    setenv(name, value, 1);
    err = config_read(NULL, &config);
    unsetenv(name);
    return err;
}

static void defaults(void **state)
{
    cpu_set_t cpus;

    (void)state;
    assert_int_equal(config_read(NULL, &config), 0);
    assert_int_equal(config.mode, HMMSVM_MODE_AUTO);
    assert_null(config.mode_source);
    assert_string_equal(config.node, "/dev/hmmsvm");
    assert_null(config.engine);
    assert_int_equal(config.fault_around, 0);
    assert_int_equal(config.local_size, 1 << 20);
    assert_int_equal(config.stack_size, 16 << 20);
    assert_int_equal(config.stats, STATS_OFF);
    assert_false(config.debug);
    assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
    assert_int_equal(config.workers, CPU_COUNT(&cpus));
}

static void workers_follow_the_affinity(void **state)
{
    cpu_set_t all, one;
    int first = 0;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    while (!CPU_ISSET(first, &all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(config_read(NULL, &config), 0);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
    assert_int_equal(config.workers, 1);
    assert_false(config.spin);
}

static void the_environment_is_taken(void **state)
{
    (void)state;
    assert_int_equal(read_with("HMMSVM_MODE", "kernel"), 0);
    assert_int_equal(config.mode, HMMSVM_MODE_KERNEL);
    assert_string_equal(config.mode_source, "HMMSVM_MODE");
    assert_int_equal(read_with("HMMSVM_MODE", "direct"), 0);
    assert_int_equal(config.mode, HMMSVM_MODE_DIRECT);
    assert_int_equal(read_with("HMMSVM_MODE", "auto"), 0);
    assert_int_equal(config.mode, HMMSVM_MODE_AUTO);
    assert_int_equal(read_with("HMMSVM_COMPUTE_UNITS", "7"), 0);
    assert_int_equal(config.workers, 7);
    assert_int_equal(read_with("HMMSVM_FAULT_AROUND", "64"), 0);
    assert_int_equal(config.fault_around, 64);
    assert_int_equal(read_with("HMMSVM_STATS", "json"), 0);
    assert_int_equal(config.stats, STATS_JSON);
    assert_int_equal(read_with("HMMSVM_STATS", "1"), 0);
    assert_int_equal(config.stats, STATS_TEXT);
    assert_int_equal(read_with("HMMSVM_STATS", "0"), 0);
    assert_int_equal(config.stats, STATS_OFF);
    assert_int_equal(read_with("HMMSVM_DEBUG", "1"), 0);
    assert_true(config.debug);
    /* Empty is as good as not there. */
    assert_int_equal(read_with("HMMSVM_MODE", ""), 0);
    assert_int_equal(read_with("HMMSVM_COMPUTE_UNITS", ""), 0);
}

static void the_program_wins(void **state)
{
    struct hmmsvm_open_params params = {
        .mode = HMMSVM_MODE_DIRECT,
        .workers = 3,
        .fault_around = 8,
        .local_size = 5000,
        .stack_size = 1 << 20,
    };

    (void)state;
    setenv("HMMSVM_MODE", "kernel", 1);
    setenv("HMMSVM_COMPUTE_UNITS", "9", 1);
    setenv("HMMSVM_FAULT_AROUND", "16", 1);
    assert_int_equal(config_read(&params, &config), 0);
    assert_int_equal(config.mode, HMMSVM_MODE_DIRECT);
    assert_string_equal(config.mode_source, "the program");
    assert_int_equal(config.workers, 3);
    assert_int_equal(config.fault_around, 8);
    assert_int_equal(config.local_size, 8192); /* whole pages */
    assert_int_equal(config.stack_size, 1 << 20);
}

/* ---- bad values ---- */

static void bad_value(const char *name, const char *value, const char *allowed)
{
    char both[128];

    snprintf(both, sizeof(both), "%s is \"%s\"", name, value);
    assert_int_equal(read_with(name, value), -EINVAL);
    assert_error_says(both);
    assert_error_says(allowed);
}

static void bad_mode(void **state)
{
    (void)state;
    bad_value("HMMSVM_MODE", "Kernel", "auto, kernel or direct");
    bad_value("HMMSVM_MODE", "1", "auto, kernel or direct");
}

static void bad_compute_units(void **state)
{
    static const char *const bad[] = {"0", "1025", "-1", "2x", " 2", "x", "99999999999999999999"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        bad_value("HMMSVM_COMPUTE_UNITS", bad[i], "from 1 to 1024");
}

static void resident_groups(void **state)
{
    struct hmmsvm_open_params params = {.workers = 3, .resident = 2};
    struct rlimit old, limit;

    (void)state;
    bad_value("HMMSVM_RESIDENT_GROUPS", "0", "from 1 to 4096");
    bad_value("HMMSVM_RESIDENT_GROUPS", "4097", "from 1 to 4096");
    assert_int_equal(read_with("HMMSVM_RESIDENT_GROUPS", "700"), 0);
    assert_int_equal(config.resident, 700);
    assert_int_equal(config_read(&params, &config), 0);
    assert_int_equal(config.resident, 3); /* never fewer than workers */
    params.resident = HMMSVM_MAX_RESIDENT + 1;
    assert_int_equal(config_read(&params, &config), -EINVAL);
    assert_error_says("resident is 4097");

    /* Where address space is limited there are none to spare, unless they are wanted. */
    assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
    limit = old;
    limit.rlim_cur = 1ul << 40;
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    assert_int_equal(config_read(NULL, &config), 0);
    assert_int_equal(config.resident, config.workers);
    assert_int_equal(read_with("HMMSVM_RESIDENT_GROUPS", "700"), 0);
    assert_int_equal(config.resident, 700);
    assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
}

static void watchdog(void **state)
{
    (void)state;
    assert_int_equal(config_read(NULL, &config), 0);
    assert_int_equal(config.watchdog_ms, 0);
    bad_value("HMMSVM_WATCHDOG_MS", "-1", "from 0 to 86400000");
    bad_value("HMMSVM_WATCHDOG_MS", "86400001", "from 0 to 86400000");
    assert_int_equal(read_with("HMMSVM_WATCHDOG_MS", "250"), 0);
    assert_int_equal(config.watchdog_ms, 250);
    assert_int_equal(read_with("HMMSVM_WATCHDOG_MS", "0"), 0);
    assert_int_equal(config.watchdog_ms, 0);
}

static void bad_fault_around(void **state)
{
    (void)state;
    bad_value("HMMSVM_FAULT_AROUND", "0", "from 1 to 512");
    bad_value("HMMSVM_FAULT_AROUND", "513", "from 1 to 512");
    bad_value("HMMSVM_FAULT_AROUND", "48", "power of two from 1 to 512");
}

static void bad_stats_and_debug(void **state)
{
    (void)state;
    bad_value("HMMSVM_STATS", "yes", "0, 1 or json");
    bad_value("HMMSVM_DEBUG", "2", "from 0 to 1");
    bad_value("HMMSVM_DEBUG", "on", "from 0 to 1");
}

/* Also where the program's own value would be taken: nobody is to find out later. */
static void bad_values_count_even_if_not_used(void **state)
{
    struct hmmsvm_open_params params = {.mode = HMMSVM_MODE_DIRECT, .workers = 2};

    (void)state;
    setenv("HMMSVM_COMPUTE_UNITS", "many", 1);
    assert_int_equal(config_read(&params, &config), -EINVAL);
    assert_error_says("HMMSVM_COMPUTE_UNITS is \"many\"");
}

static void bad_parameters(void **state)
{
    struct hmmsvm_open_params p;

    (void)state;
    p = (struct hmmsvm_open_params){.mode = (enum hmmsvm_mode)3};
    assert_int_equal(config_read(&p, &config), -EINVAL);
    assert_error_says("mode is 3");
    p = (struct hmmsvm_open_params){.workers = HMMSVM_MAX_WORKERS + 1};
    assert_int_equal(config_read(&p, &config), -EINVAL);
    assert_error_says("workers is 1025");
    p = (struct hmmsvm_open_params){.fault_around = 3};
    assert_int_equal(config_read(&p, &config), -EINVAL);
    assert_error_says("fault_around is 3");
    p = (struct hmmsvm_open_params){.stack_size = 4096};
    assert_int_equal(config_read(&p, &config), -EINVAL);
    assert_error_says("stack_size is 4096");
    p = (struct hmmsvm_open_params){.local_size = SIZE_MAX};
    assert_int_equal(config_read(&p, &config), -EINVAL);
    assert_error_says("local_size is");
}

static void policies_are_taken(void **state)
{
    (void)state;
    assert_int_equal(config_read(NULL, &config), 0);
    assert_null(config.placement);
    assert_null(config.eviction);
    assert_int_equal(config.memory, 0);
    assert_int_equal(config.memory_limit, NO_MEMORY_LIMIT);
    assert_int_equal(config.nr_tunables, 0);
    assert_int_equal(read_with("HMMSVM_MEMORY", "3"), 0);
    assert_int_equal(config.memory, 3);
    assert_int_equal(read_with("HMMSVM_MEMORY_LIMIT", "0"), 0);
    assert_int_equal(config.memory_limit, 0);
    assert_int_equal(read_with("HMMSVM_MEMORY_LIMIT", "16777216"), 0);
    assert_int_equal(config.memory_limit, 16777216);
    assert_int_equal(read_with("HMMSVM_TUNABLES", "a=1"), 0);
    assert_int_equal(config.nr_tunables, 1);
    assert_int_equal(read_with("HMMSVM_TUNABLES", "density=51,window_ms=-9223372036854775808"), 0);
    assert_int_equal(config.nr_tunables, 2);
    assert_string_equal(config.tunables[0].name, "density");
    assert_int_equal(config.tunables[0].value, 51);
    assert_string_equal(config.tunables[1].name, "window_ms");
    assert_int_equal(config.tunables[1].value, INT64_MIN);
    setenv("HMMSVM_POLICY", "adaptive", 1);
    setenv("HMMSVM_EVICTION", "lru", 1);
    assert_int_equal(config_read(NULL, &config), 0);
    assert_string_equal(config.placement, "adaptive");
    assert_string_equal(config.eviction, "lru");
}

static void bad_policies(void **state)
{
    static const char *const tunables[] = {
        "a", "a=", "=1", "a=x", "a=1,", ",a=1", "a=1,b", "a=1;b=2", "a= 1", "a=+1", "a=1 ", "a=-",
        "a=9223372036854775808", "a=0x10", "a123456789012345678901234567890=1,",
        "a1234567890123456789012345678901=1",
    };
    char expected[256], many[256] = "a=1";

    (void)state;
    for (size_t i = 0; i < sizeof(tunables) / sizeof(*tunables); i++) {
        assert_int_equal(read_with("HMMSVM_TUNABLES", tunables[i]), -EINVAL);
        snprintf(expected, sizeof(expected), "HMMSVM_TUNABLES is \"%s\": it has to be NAME=NUMBER, "
                 "several of them separated by commas", tunables[i]);
        assert_string_equal(hmmsvm_last_error(), expected);
    }
    for (int i = 1; i < MAX_TUNABLES; i++)
        strcat(many, ",a=1");
    assert_int_equal(read_with("HMMSVM_TUNABLES", many), 0);
    assert_int_equal(config.nr_tunables, MAX_TUNABLES);
    strcat(many, ",a=1");
    assert_int_equal(read_with("HMMSVM_TUNABLES", many), -EINVAL);
    assert_string_equal(hmmsvm_last_error(), "HMMSVM_TUNABLES has more than 16 tunables");
    assert_int_equal(read_with("HMMSVM_POLICY", "sixteen-letters!"), -EINVAL);
    assert_string_equal(hmmsvm_last_error(), "HMMSVM_POLICY is \"sixteen-letters!\": a policy's "
                        "name has at most 15 characters");
    assert_int_equal(read_with("HMMSVM_EVICTION", "sixteen-letters!"), -EINVAL);
    assert_error_says("HMMSVM_EVICTION is");
    assert_int_equal(read_with("HMMSVM_MEMORY", "256"), -EINVAL);
    assert_string_equal(hmmsvm_last_error(),
                        "HMMSVM_MEMORY is \"256\": it has to be a number from 0 to 255");
    assert_int_equal(read_with("HMMSVM_MEMORY_LIMIT", "16777217"), -EINVAL);
    assert_string_equal(hmmsvm_last_error(), "HMMSVM_MEMORY_LIMIT is \"16777217\": it has to be "
                        "a number from 0 to 16777216");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults, unit_clear_environment),
        cmocka_unit_test_setup(workers_follow_the_affinity, unit_clear_environment),
        cmocka_unit_test_setup(the_environment_is_taken, unit_clear_environment),
        cmocka_unit_test_setup(the_program_wins, unit_clear_environment),
        cmocka_unit_test_setup(bad_mode, unit_clear_environment),
        cmocka_unit_test_setup(bad_compute_units, unit_clear_environment),
        cmocka_unit_test_setup(resident_groups, unit_clear_environment),
        cmocka_unit_test_setup(watchdog, unit_clear_environment),
        cmocka_unit_test_setup(bad_fault_around, unit_clear_environment),
        cmocka_unit_test_setup(bad_stats_and_debug, unit_clear_environment),
        cmocka_unit_test_setup(bad_values_count_even_if_not_used, unit_clear_environment),
        cmocka_unit_test_setup(bad_parameters, unit_clear_environment),
        cmocka_unit_test_setup(policies_are_taken, unit_clear_environment),
        cmocka_unit_test_setup(bad_policies, unit_clear_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
