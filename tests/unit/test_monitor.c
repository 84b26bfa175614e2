/* SPDX-License-Identifier: MIT */
/*
 * What `hmmsvm stat` computes and prints, on made-up data, to the letter.
 */
#include "unit.h"

#include "device/monitor.h"

static char *text;
static size_t text_size;
static FILE *out;

static int setup(void **state)
{
    (void)state;
    free(text);
    text = NULL;
    out = open_memstream(&text, &text_size);
    return !out;
}

#define assert_printed(expected)                                                                   \
    do {                                                                                           \
        fclose(out);                                                                               \
        assert_string_equal(text, expected);                                                       \
    } while (0)

/* Counters that all differ. */
static struct hmmsvm_stats stats_make(uint64_t factor)
{
    struct hmmsvm_stats s = {.size = sizeof(s)};
    __u64 *word = (__u64 *)&s;
    uint64_t n = 1;

    for (size_t i = 0; i < sizeof(s) / sizeof(*word); i++)
        if (i != 0 && i != offsetof(struct hmmsvm_stats, target) / sizeof(*word))
            word[i] = n++ * factor;
    return s;
}

static void rates(void **state)
{
    struct monitor_sample before = {.seconds = 2}, after = {.seconds = 4};
    struct monitor_rates r;

    (void)state;
    before.stats = stats_make(1000);
    after.stats = stats_make(1512);
    r = monitor_rates(&before, &after, 4096);
    assert_true(r.at == 4 && r.seconds == 2);
    assert_true(r.device_faults == 256);             /* 1 */
    assert_true(r.cpu_faults == 18 * 256);
    assert_true(r.to_device_mib == 21 * 256 / 256);  /* pages of 4 KiB */
    assert_true(r.to_system_mib == 23 * 256 / 256);
    assert_true(r.evictions == 26 * 256);
    assert_true(r.refaults == 27 * 256);
    assert_true(r.lost == 38 * 256);
    assert_true(r.resident_mib == 14 * 1512 / 256.0);
    assert_true(r.limit_mib == 42 * 1512 / 256.0);
    assert_true(r.share_mib == 43 * 1512 / 256.0);
    assert_int_equal(r.failures, (5 + 31 + 32 + 33 + 35) * 512);

    /* Another context: its counters began at zero. */
    r = monitor_rates(&after, &(struct monitor_sample){.seconds = 5, .stats = stats_make(10)},
                      4096);
    assert_true(r.seconds == 1);
    assert_true(r.device_faults == 10);
    assert_true(r.cpu_faults == 180);
    assert_int_equal(r.failures, (5 + 31 + 32 + 33 + 35) * 10);

    /* No time passed: no rates, and nothing is divided by it. */
    r = monitor_rates(&before, &(struct monitor_sample){.seconds = 2, .stats = after.stats}, 4096);
    assert_true(r.device_faults == 0 && r.to_device_mib == 0);
    assert_int_equal(r.failures, (5 + 31 + 32 + 33 + 35) * 512);
}

static const struct monitor_rates example = {
    .at = 12.5,
    .seconds = 1,
    .device_faults = 123456,
    .cpu_faults = 7,
    .to_device_mib = 1234.56,
    .to_system_mib = 0.04,
    .evictions = 17,
    .lost = 5,
    .refaults = 3.4,
    .resident_mib = 127.9,
    .share_mib = 128,
    .limit_mib = 192,
    .failures = 42,
};

static void table(void **state)
{
    (void)state;
    monitor_text_head(out);
    monitor_text_line(out, &example, 256);
    /* A module that knows no limits. */
    monitor_text_line(out, &(struct monitor_rates){.at = 1}, 256);
    assert_printed(
        "  time   dev faults   CPU faults    to device    to system  evictions   lost  refaults"
        "  resident  share  limit   failed\n"
        "     s            /s           /s        MiB/s        MiB/s         /s     /s        /s"
        "       MiB    MiB    MiB        \n"
        "  12.5       123456            7       1234.6          0.0         17      5         3"
        "     127.9    128    192       42\n"
        "   1.0            0            0          0.0          0.0          0      0         0"
        "       0.0      0    256        0\n");
}

#define COUNTERS                                                                                   \
    "device_faults,device_write_faults,app_faults,retries,failed_faults,pages_mirrored,"           \
    "pages_writable,pages_upgraded,pages_populated,invalidations,invalidations_zapped,ranges,"     \
    "fault_ns,device_pages,device_pages_peak,pages_mirrored_device,huge_mirrored,cpu_faults,"      \
    "cpu_fault_ns,migrations_to_device,pages_to_device,pages_zeroed,pages_to_system,"              \
    "pages_to_system_cpu,pages_to_system_evicted,evictions,refaults,huge_to_device,"               \
    "huge_to_system,migrate_ns,failed_no_memory,failed_no_system_memory,failed_busy,failed_kind,"  \
    "policy_errors,withdrawals,sampled_faults,evictions_by_others,evictions_limit,failed_limit,"   \
    "device_pages_charged,device_pages_limit,device_pages_share"

static void csv(void **state)
{
    struct hmmsvm_stats s = stats_make(1);

    (void)state;
    monitor_csv_head(out);
    monitor_csv_line(out, &example, 256, &s);
    assert_printed(
        "time_s,interval_s,device_faults_per_s,cpu_faults_per_s,to_device_mib_per_s,"
        "to_system_mib_per_s,evictions_per_s,refaults_per_s,resident_mib,total_mib,failures,"
        "lost_per_s,share_mib,limit_mib," COUNTERS "\n"
        "12.500,1.000,123456.000,7.000,1234.560,0.040,17.000,3.400,127.900,256.000,42,"
        "5.000,128.000,192.000,"
        "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,"
        "33,34,35,36,37,38,39,40,41,42,43\n");
}

static void json(void **state)
{
    struct hmmsvm_stats s = stats_make(1);

    (void)state;
    monitor_json_open(out, &example, 256, &s);
    assert_printed(
        "{\"time_s\":12.500,\"interval_s\":1.000,\"device_faults_per_s\":123456.000,"
        "\"cpu_faults_per_s\":7.000,\"to_device_mib_per_s\":1234.560,"
        "\"to_system_mib_per_s\":0.040,\"evictions_per_s\":17.000,\"refaults_per_s\":3.400,"
        "\"resident_mib\":127.900,\"total_mib\":256.000,\"failures\":42,\"lost_per_s\":5.000,"
        "\"share_mib\":128.000,\"limit_mib\":192.000,\"device_faults\":1,"
        "\"device_write_faults\":2,\"app_faults\":3,\"retries\":4,\"failed_faults\":5,"
        "\"pages_mirrored\":6,\"pages_writable\":7,\"pages_upgraded\":8,\"pages_populated\":9,"
        "\"invalidations\":10,\"invalidations_zapped\":11,\"ranges\":12,\"fault_ns\":13,"
        "\"device_pages\":14,\"device_pages_peak\":15,\"pages_mirrored_device\":16,"
        "\"huge_mirrored\":17,\"cpu_faults\":18,\"cpu_fault_ns\":19,\"migrations_to_device\":20,"
        "\"pages_to_device\":21,\"pages_zeroed\":22,\"pages_to_system\":23,"
        "\"pages_to_system_cpu\":24,\"pages_to_system_evicted\":25,\"evictions\":26,"
        "\"refaults\":27,\"huge_to_device\":28,\"huge_to_system\":29,\"migrate_ns\":30,"
        "\"failed_no_memory\":31,\"failed_no_system_memory\":32,\"failed_busy\":33,"
        "\"failed_kind\":34,\"policy_errors\":35,\"withdrawals\":36,\"sampled_faults\":37,"
        "\"evictions_by_others\":38,\"evictions_limit\":39,\"failed_limit\":40,"
        "\"device_pages_charged\":41,\"device_pages_limit\":42,\"device_pages_share\":43");
}

static void screen(void **state)
{
    struct hmmsvm_stats s = {.size = sizeof(s), .device_pages = 32768, .device_faults = 1000,
                             .cpu_faults = 20, .pages_to_device = 65536, .pages_to_system = 256,
                             .evictions_by_others = 6};
    struct monitor_rates r = example;

    (void)state;
    r.resident_mib = 128;
    monitor_screen(out, &r, 256, &s, "process 5", 16);
    s.failed_busy = 2;
    fputs("--", out);
    monitor_screen(out, &(struct monitor_rates){0}, 0, &s, "process 5", 4);
    assert_printed(
        "process 5  12.5 s\n\n"
        "  resident  [###########.....] 128.0 of 192 MiB, fair share 128.0\n\n"
        "                                 now         in all\n"
        "  device faults      123456.0 /s             1000.0 \n"
        "  CPU faults              7.0 /s               20.0 \n"
        "  to device            1234.6 MiB/s           256.0 MiB\n"
        "  to system               0.0 MiB/s             1.0 MiB\n"
        "  evictions              17.0 /s                0.0 \n"
        "  lost to others          5.0 /s                6.0 \n"
        "  refaults                3.4 /s                0.0 \n"
        "--process 5  0.0 s\n\n"
        "  resident  [....] 0.0 of 0 MiB\n\n"
        "                                 now         in all\n"
        "  device faults           0.0 /s             1000.0 \n"
        "  CPU faults              0.0 /s               20.0 \n"
        "  to device               0.0 MiB/s             0.0 MiB\n"
        "  to system               0.0 MiB/s             0.0 MiB\n"
        "  evictions               0.0 /s                0.0 \n"
        "  lost to others          0.0 /s                6.0 \n"
        "  refaults                0.0 /s                0.0 \n"
        "\n  failed: 0 faults; pages: 0 no room, 0 no system memory, 2 busy; 0 policy errors\n");
}

#define B(number, pages) {.start = (uint64_t)(number) << 21, .device_pages = (pages)}

static void map_of_levels(void **state)
{
    static const struct hmmsvm_residency_block blocks[] = {
        B(8, 0),   B(9, 1),   B(10, 128), B(11, 129), B(12, 256), B(13, 257),
        B(14, 384), B(15, 385), B(17, 511), B(18, 512), B(24, 512),
    };

    (void)state;
    monitor_map(out, blocks, 11, 8, 10);
    assert_printed(
        "  000001000000 |.--++**%\n"
        "  000002000000 | %#\n"
        "  000003000000 |#\n"
        "  a character is 2 MiB; in device memory: . none, - to 25 %, + to 50 %, * to 75 %, "
        "% more, # all\n"
        "  12.0 MiB of 22.0 MiB the device has used are in device memory\n");
}

/* Neighbours share a character where there are too many lines otherwise. */
static void map_that_must_fit(void **state)
{
    struct hmmsvm_residency_block blocks[64];

    (void)state;
    for (unsigned i = 0; i < 64; i++)
        blocks[i] = (struct hmmsvm_residency_block)B(i, i < 32 ? 512 : i % 2 * 512);
    blocks[63].start = 0x7fff00000000;
    monitor_map(out, blocks, 64, 5, 3);
    assert_printed(
        "  000000000000 |####\n"
        "  000004000000 |++++\n"
        "  7fff00000000 |#\n"
        "  a character is 16 MiB; in device memory: . none, - to 25 %, + to 50 %, * to 75 %, "
        "% more, # all\n"
        "  96.0 MiB of 128.0 MiB the device has used are in device memory\n");
}

static void map_in_one_line(void **state)
{
    static const struct hmmsvm_residency_block blocks[] = {B(0, 512), B(0x3ffffff, 512)};

    (void)state;
    monitor_map(out, blocks, 2, 1, 0);
    assert_printed(
        "  000000000000 |#\n"
        "  a character is 128 TiB; in device memory: . none, - to 25 %, + to 50 %, * to 75 %, "
        "% more, # all\n"
        "  4.0 MiB of 4.0 MiB the device has used are in device memory\n");
}

static void map_of_nothing(void **state)
{
    (void)state;
    monitor_map(out, NULL, 0, 64, 24);
    monitor_map_json(out, NULL, 0);
    assert_printed("  the device has not used any memory\n[]");
}

static void map_for_programs(void **state)
{
    static const struct hmmsvm_residency_block blocks[] = {
        {.start = 0x200000, .device_pages = 1, .device_faults = 2, .cpu_faults = 3,
         .evictions = 4},
        {.start = 0x7fffffe00000, .device_pages = 512},
    };

    (void)state;
    monitor_map_json(out, blocks, 2);
    assert_printed("[[2097152,1,2,3,4],[140737486258176,512,0,0,0]]");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates),
        cmocka_unit_test_setup(table, setup),
        cmocka_unit_test_setup(csv, setup),
        cmocka_unit_test_setup(json, setup),
        cmocka_unit_test_setup(screen, setup),
        cmocka_unit_test_setup(map_of_levels, setup),
        cmocka_unit_test_setup(map_that_must_fit, setup),
        cmocka_unit_test_setup(map_in_one_line, setup),
        cmocka_unit_test_setup(map_of_nothing, setup),
        cmocka_unit_test_setup(map_for_programs, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
