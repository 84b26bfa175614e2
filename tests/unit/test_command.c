/* SPDX-License-Identifier: MIT */
/*
 * `hmmsvm policy`, `hmmsvm limit`, `hmmsvm stat` and --set of `hmmsvm bench` on a module that is
 * made up: what they ask, what they print, and the words of every error, to the letter.
 */
#include <fcntl.h>
#include <sys/types.h>
#include <time.h>

#include "command.h"

#include "bench/bench-settings.h"
#include "device/node.h"

/* ---- what main.c gives the commands ---- */

void cli_say(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(said, sizeof(said), format, ap);
    va_end(ap);
}

void cli_strings_add(struct cli_strings *list, char *text)
{
    list->items = realloc(list->items, (list->count + 2) * sizeof(*list->items));
    list->items[list->count++] = text;
    list->items[list->count] = NULL;
}

long cli_number(const char *option, const char *text, long min, long max)
{
    (void)option;
    assert_true(atol(text) >= min && atol(text) <= max);
    return atol(text);
}

void cli_environment(void)
{
}

double cli_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the module, as the tests want it ---- */

static struct {
    int open_error, version_error, target_error;
    uint32_t major, minor;
    unsigned pid; /* that has a context */
    struct hmmsvm_policy_choice set;
    struct hmmsvm_tunable_value tunable;
    struct hmmsvm_limit limit;
    struct hmmsvm_target asked;
    unsigned sets, creates;
} module;

static struct hmmsvm_policy_choice of_process, of_own;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
    /* gcov's runtime, at the end of a process */
    if (strstr(path, ".gcda"))
        return __real_open(path, flags, 0666);
    assert_string_equal(path, "/dev/made-up");
    if (!module.open_error)
        return __real_open("/dev/null", flags);
    errno = module.open_error;
    return -1;
}

static int target_check(const struct hmmsvm_target *target)
{
    module.asked = *target;
    if (module.target_error)
        return module.target_error;
    return target->pid && (target->pid != module.pid || target->context) ? ENOENT : 0;
}

static int answer_info(struct hmmsvm_policy_info *info)
{
    static const char *const names[2][2] = {{"tree", "remote"}, {"lru", "fifo"}};
    static const char *const help[2][2] = {{"by \"density\"", "never"}, {"oldest touch", "oldest"}};

    if (info->index >= 2)
        return ENOENT;
    strcpy(info->name, names[info->kind][info->index]);
    strcpy(info->help, help[info->kind][info->index]);
    info->tunables = !info->kind && !info->index;
    return 0;
}

static int answer_tunable(struct hmmsvm_tunable_value *t)
{
    const struct hmmsvm_policy_choice *choice = t->target.pid ? &of_process : &of_own;
    int err = target_check(&t->target);

    if (err)
        return err;
    if (strcmp(choice->placement, "tree") || t->index || (*t->name && strcmp(t->name, "density")))
        return ENOENT;
    strcpy(t->name, "density");
    strcpy(t->help, "percent");
    t->preset = 51;
    t->min = 1;
    t->max = 100;
    if (t->flags) {
        module.tunable = *t;
        t->clamped = t->value > 100;
        t->value = t->clamped ? 100 : t->value;
    } else {
        t->value = 42;
    }
    return 0;
}

static int answer(unsigned long request, void *arg)
{
    switch (request) {
    case HMMSVM_IOC_VERSION: {
        struct hmmsvm_version *v = arg;

        v->abi_major = module.major;
        v->abi_minor = module.minor;
        v->page_size = 4096;
        strcpy(v->release, "0.0.7");
        return module.version_error;
    }
    case HMMSVM_IOC_CREATE:
        module.creates++;
        return 0;
    case HMMSVM_IOC_POLICY_INFO:
        return answer_info(arg);
    case HMMSVM_IOC_POLICY: {
        struct hmmsvm_policy_choice *c = arg, *now = c->target.pid ? &of_process : &of_own;
        int err = target_check(&c->target);

        if (err)
            return err;
        if (c->target.pid && c->flags) {
            module.set = *c;
            module.sets++;
        }
        if (c->flags & HMMSVM_POLICY_SET_PLACEMENT)
            strcpy(now->placement, c->placement);
        if (c->flags & HMMSVM_POLICY_SET_EVICTION)
            strcpy(now->eviction, c->eviction);
        strcpy(c->placement, now->placement);
        strcpy(c->eviction, now->eviction);
        return 0;
    }
    case HMMSVM_IOC_TUNABLE:
        return answer_tunable(arg);
    case HMMSVM_IOC_STATS: {
        struct hmmsvm_stats *s = arg;

        s->device_pages = 512;
        s->device_pages_share = 1024;
        s->device_pages_limit = 2048;
        s->evictions = 6;
        s->evictions_by_others = 5;
        s->device_faults = 7;
        s->cpu_faults = 9;
        return target_check(&s->target);
    }
    case HMMSVM_IOC_LIMIT: {
        struct hmmsvm_limit *l = arg;

        module.limit = *l;
        if (!(l->flags & HMMSVM_LIMIT_SET))
            l->limit = HMMSVM_NO_LIMIT;
        l->context_max = 48 << 20;
        l->user_max = HMMSVM_NO_LIMIT;
        l->charged = 3 << 20;
        l->user_charged = 5 << 20;
        l->share = 32 << 20;
        l->user = 1000;
        return target_check(&l->target);
    }
    case HMMSVM_IOC_MEMORY: {
        struct hmmsvm_memory *m = arg;

        m->count = 2;
        m->bytes = 32ull << 20 << m->index;
        return 0;
    }
    case HMMSVM_IOC_RESIDENCY: {
        struct hmmsvm_residency *r = arg;
        struct hmmsvm_residency_block *b = (void *)(uintptr_t)r->blocks;

        /* One at a time. */
        b[0] = (struct hmmsvm_residency_block){.start = r->start + 0x200000, .device_pages = 512};
        r->count = 1;
        r->start = r->start ? 0 : 0x200000;
        return target_check(&r->target);
    }
    default:
        return ENOTTY;
    }
}

int __wrap_ioctl(int fd, unsigned long request, void *arg);

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
    int err;

    (void)fd;
    assert_int_equal(*(uint32_t *)arg, _IOC_SIZE(request));
    err = answer(request, arg);
    errno = err;
    return err ? -1 : 0;
}

static int setup(void **state)
{
    (void)state;
    memset(&module, 0, sizeof(module));
    module.major = 1;
    module.minor = 1;
    module.pid = (unsigned)getpid();
    memset(&of_process, 0, sizeof(of_process));
    strcpy(of_process.placement, "tree");
    strcpy(of_process.eviction, "fifo");
    of_own = of_process;
    strcpy(of_own.eviction, "lru");
    said[0] = '\0';
    setenv("HMMSVM_DEVICE", "/dev/made-up", 1);
    return 0;
}

/* Runs a command with @args, separated by spaces; what it printed. "died" if it ended itself. */
static const char *run(int (*command)(int, char **), const char *args)
{
    static char text[16384], words[256];
    FILE *file = tmpfile();
    char *argv[16] = {(char *)"hmmsvm x"}, *rest = words, *word;
    int argc = 1, old = dup(1), status;
    size_t n;

    assert_non_null(file);
    strcpy(words, args);
    while ((word = strsep(&rest, " ")))
        if (*word)
            argv[argc++] = word;
    fflush(stdout);
    dup2(fileno(file), 1);
    status = setjmp(died) ? -1 : command(argc, argv);
    fflush(stdout);
    dup2(old, 1);
    close(old);
    if (status < 0) {
        fclose(file);
        return "died";
    }
    assert_int_equal(status, 0);
    rewind(file);
    n = fread(text, 1, sizeof(text) - 1, file);
    text[n] = '\0';
    fclose(file);
    return text;
}

#define assert_dies(command, args, words)                                                          \
    do {                                                                                           \
        assert_string_equal(run(command, args), "died");                                           \
        assert_string_equal(said, words);                                                          \
    } while (0)

static const char *with_pid(const char *format)
{
    static char text[256];

    snprintf(text, sizeof(text), format, (int)getpid());
    return text;
}

/* ---- no module that can be asked ---- */

static void without_a_module(void **state)
{
    (void)state;
    module.open_error = ENOENT;
    assert_dies(cli_policy, "", "/dev/made-up does not exist: the module is not loaded (sudo "
                "hmmsvm load, or hmmsvm run --guest)");
    assert_dies(cli_stat, "", "/dev/made-up does not exist: the module is not loaded (sudo hmmsvm "
                "load, or hmmsvm run --guest)");
    module.open_error = EACCES;
    assert_dies(cli_policy, "", "cannot open /dev/made-up: Permission denied (ls -l shows "
                "who may)");
    module.open_error = EMFILE;
    assert_dies(cli_policy, "", "cannot open /dev/made-up: Too many open files");
    module.open_error = 0;
    module.version_error = ENOTTY;
    assert_dies(cli_policy, "", "/dev/made-up does not answer as the hmmsvm module does: "
                "Inappropriate ioctl for device");
    module.version_error = 0;
    module.minor = 0;
    assert_dies(cli_stat, "", "the loaded module (0.0.7) speaks ABI 1.0; this command needs 1.1");
    module.major = 2;
    module.minor = 3;
    assert_dies(cli_stat, "", "the loaded module (0.0.7) speaks ABI 2.3; this command needs 1.1");
}

/* ---- processes that cannot be asked about ---- */

static void targets(void **state)
{
    (void)state;
    module.target_error = EPERM;
    assert_dies(cli_policy, "12", "no permission to look into process 12: it is another user's or "
                "has more rights (try with sudo)");
    module.target_error = ESRCH;
    assert_dies(cli_policy, "12", "there is no process 12");
    assert_dies(cli_stat, "4194304", "there is no process 4194304");
    module.target_error = EIO;
    assert_dies(cli_policy, "12 --set density=3", "the module does not answer for process 12: "
                "Input/output error");
    module.target_error = 0;
    assert_dies(cli_policy, "4194304", "process 4194304 has no context: it does not use the "
                "device");
    assert_dies(cli_policy, "4194304 --context 2", "process 4194304 has no context 2");
    assert_int_equal(module.asked.context, 2);
}

/* ---- policies ---- */

static void policies(void **state)
{
    (void)state;
    assert_string_equal(run(cli_policy, ""),
        "Placement: what is brought to device memory, and when:\n"
        "  tree             by \"density\" (default)\n"
        "      density          51 (1 to 100)  percent\n"
        "  remote           never\n"
        "\nEviction: what leaves device memory when there is no room:\n"
        "  lru              oldest touch (default)\n"
        "  fifo             oldest\n");
    assert_int_equal(module.creates, 1);
    assert_string_equal(run(cli_policy, "--json"),
        "{\"placement\":[{\"name\":\"tree\",\"default\":true,\"help\":\"by \\\"density\\\"\","
        "\"tunables\":[{\"name\":\"density\",\"default\":51,\"min\":1,\"max\":100,"
        "\"help\":\"percent\"}]},{\"name\":\"remote\",\"default\":false,\"help\":\"never\"}],"
        "\"eviction\":[{\"name\":\"lru\",\"default\":true,\"help\":\"oldest touch\"},"
        "{\"name\":\"fifo\",\"default\":false,\"help\":\"oldest\"}]}\n");
    assert_int_equal(module.sets, 0);
}

static void policy_of_a_process(void **state)
{
    char expected[256];

    (void)state;
    snprintf(expected, sizeof(expected), "process %d: placement tree, eviction fifo\n"
             "      density          42 (default 51, 1 to 100)  percent\n", (int)getpid());
    assert_string_equal(run(cli_policy, with_pid("%d")), expected);
    snprintf(expected, sizeof(expected), "{\"pid\":%d,\"context\":0,\"placement\":\"tree\","
             "\"eviction\":\"fifo\",\"tunables\":[{\"name\":\"density\",\"value\":42,"
             "\"default\":51,\"min\":1,\"max\":100,\"help\":\"percent\"}]}\n", (int)getpid());
    assert_string_equal(run(cli_policy, with_pid("--json %d")), expected);
    assert_int_equal(module.sets, 0);
}

static void policy_is_changed(void **state)
{
    char expected[256];

    (void)state;
    snprintf(expected, sizeof(expected), "process %d: placement remote, eviction lru\n",
             (int)getpid());
    assert_string_equal(run(cli_policy, with_pid("%d remote --eviction lru")), expected);
    assert_int_equal(module.sets, 1);
    assert_int_equal(module.set.flags, 3);
    assert_int_equal(module.set.target.pid, getpid());
    run(cli_policy, with_pid("%d -e fifo"));
    assert_int_equal(module.set.flags, HMMSVM_POLICY_SET_EVICTION);
    /* Tunables are set after the policy, which resets them. */
    run(cli_policy, with_pid("%d tree --set density=7"));
    assert_int_equal(module.tunable.value, 7);
    assert_string_equal(said, "");
    run(cli_policy, with_pid("%d --set density=700"));
    assert_string_equal(said, "density=700 is out of its limits, 1 to 100: 100 is taken");
    run(cli_policy, with_pid("%d --set tree.density=9"));
    assert_int_equal(module.tunable.value, 9);
    assert_string_equal(module.tunable.name, "density");
}

static void policy_is_wrong(void **state)
{
    static const char *const none[] = {"density", "density=", "density=1x", "=1", "tree.=1",
                                       ".density=1", "density=9999999999999999999"};
    char expected[256];
    size_t i;

    (void)state;
    assert_dies(cli_policy, with_pid("%d tee"),
                "there is no placement policy \"tee\": the module has tree, remote");
    assert_dies(cli_policy, with_pid("%d tree -e mru"),
                "there is no eviction policy \"mru\": the module has lru, fifo");
    assert_int_equal(module.sets, 0);
    snprintf(expected, sizeof(expected), "the process's placement policy has no tunable \"x\": "
             "`hmmsvm policy %d` shows those it has", (int)getpid());
    assert_dies(cli_policy, with_pid("%d --set x=1"), expected);
    assert_dies(cli_policy, with_pid("%d --set remote.density=1"),
                "--set remote.density=1: the process's placement policy is tree");
    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        char args[64];

        snprintf(args, sizeof(args), "%d --set %s", (int)getpid(), none[i]);
        snprintf(expected, sizeof(expected), "--set takes [POLICY.]NAME=VALUE with a whole number, "
                 "not \"%s\"", none[i]);
        assert_dies(cli_policy, args, expected);
    }
    assert_int_equal(module.tunable.value, 0);
}

/* ---- tunables for `hmmsvm bench` ---- */

/* What remote and tree get of settings, separated by spaces. */
static const char *settings_for_tree(const char *texts)
{
    static char words[128];
    struct cli_strings policies = { 0 };
    struct cli_settings set = { 0 }, *all;
    char *rest = words, *word;

    cli_strings_add(&policies, (char *)"remote");
    cli_strings_add(&policies, (char *)"tree");
    strcpy(words, texts);
    if (setjmp(died))
        return "died";
    while ((word = strsep(&rest, " ")))
        if (*word)
            cli_settings_add(&set, word);
    all = bench_settings_make(&set, &policies);
    assert_int_equal(all[0].count, 0);
    return bench_settings_text(&all[1]);
}

static void tunables_for_bench(void **state)
{
    (void)state;
    assert_string_equal(settings_for_tree(""), "");
    assert_int_equal(module.creates, 0);
    assert_string_equal(settings_for_tree("density=7"), "density=7");
    assert_int_equal(module.creates, 1);
    assert_int_equal(module.tunable.target.pid, 0);
    assert_string_equal(said, "");
    assert_string_equal(settings_for_tree("tree.density=7 density=8"), "density=7,density=8");
    /* The runs get what the module takes, and nobody is told again. */
    assert_string_equal(settings_for_tree("tree.density=700"), "density=100");
    assert_string_equal(said, "tree.density=700 is out of its limits, 1 to 100: 100 is taken");
    assert_string_equal(settings_for_tree("tree.density=7 tree.hot=1"), "died");
    assert_string_equal(said, "--set tree.hot=1: none of the policies that are to run has such a "
                              "tunable; they have tree.density");
    assert_string_equal(settings_for_tree("remote.density=7"), "died");
    assert_string_equal(settings_for_tree("density"), "died");
}

/* ---- limits ---- */

static void limits(void **state)
{
    char expected[1024];

    (void)state;
    module.minor = 2;
    assert_string_equal(run(cli_limit, ""),
        "  limit of a context               48.0 MiB  module parameter context_limit_mb\n"
        "  limit of user 1000               none  module parameter user_limit_mb; in use 5.0 MiB\n"
        "  fair share now                   32.0 MiB\n");
    assert_int_equal(module.creates, 1);
    assert_int_equal(module.limit.flags, 0);
    assert_string_equal(run(cli_limit, "--json"),
        "{\"user\":1000,\"context_max\":50331648,\"user_max\":null,\"user_charged\":5242880,"
        "\"share\":33554432}\n");
    snprintf(expected, sizeof(expected), "process %d, context 0:\n"
        "  device memory                     3.0 MiB\n"
        "  its own limit                     7.0 MiB\n"
        "  limit of a context               48.0 MiB  module parameter context_limit_mb\n"
        "  limit of user 1000               none  module parameter user_limit_mb; in use 5.0 MiB\n"
        "  fair share now                   32.0 MiB\n", (int)getpid());
    assert_string_equal(run(cli_limit, with_pid("%d 7")), expected);
    assert_int_equal(module.limit.flags, HMMSVM_LIMIT_SET);
    assert_int_equal(module.limit.limit, 7 << 20);
    snprintf(expected, sizeof(expected), "{\"user\":1000,\"pid\":%d,\"context\":0,"
        "\"charged\":3145728,\"limit\":null,\"context_max\":50331648,\"user_max\":null,"
        "\"user_charged\":5242880,\"share\":33554432}\n", (int)getpid());
    assert_string_equal(run(cli_limit, with_pid("--json %d none")), expected);
    assert_true(module.limit.limit == HMMSVM_NO_LIMIT);

    module.target_error = ENODEV;
    assert_dies(cli_limit, with_pid("%d 7"),
                "the module has no device memory (`hmmsvm load` gives it some)");
    module.target_error = EPERM;
    assert_dies(cli_limit, "12", "no permission to look into process 12: it is another user's or "
                "has more rights (try with sudo)");
    module.minor = 1;
    assert_dies(cli_limit, "", "the loaded module (0.0.7) knows no limits of device memory");
}

/* ---- stat ---- */

#define HEAD                                                                                       \
    "     PID context program               MiB    share    limit  evictions for others  "          \
    "device faults     CPU faults\n"

static void processes(void **state)
{
    char expected[512];
    const char *text;

    (void)state;
    snprintf(expected, sizeof(expected),
             HEAD "%8d       0 command               2.0      4.0      8.0          6          5"
             "              7              9\n", (int)getpid());
    assert_string_equal(run(cli_stat, ""), expected);
    text = run(cli_stat, "--json");
    snprintf(expected, sizeof(expected), "{\"pid\":%d,\"context\":0,\"program\":\"command\","
             "\"resident_mib\":2.000,\"share_mib\":4.000,\"limit_mib\":8.000,"
             "\"device_faults\":7,", (int)getpid());
    assert_int_equal(strncmp(text, expected, strlen(expected)), 0);
    assert_non_null(strstr(text, ",\"evictions_by_others\":5,"));
    assert_string_equal(strchr(text, '\n'), "\n");
    module.pid = 0x7fffffff;
    assert_string_equal(run(cli_stat, ""), HEAD "no process of yours uses the device now\n");
    assert_string_equal(run(cli_stat, "--json"), "");
}

static void watches(void **state)
{
    const char *text = run(cli_stat, with_pid("-i 0.05 -n 2 %d"));

    (void)state;
    assert_non_null(strstr(text, "            0            0          0.0          0.0          0"
                                 "      0         0       2.0      4      8        0\n"));
    text = run(cli_stat, with_pid("-i 0.05 -n 1 --json --map %d"));
    assert_non_null(strstr(text, "\"resident_mib\":2.000,\"total_mib\":96.000,"));
    assert_non_null(strstr(text, ",\"device_pages_share\":1024,\"blocks\":[[2097152,512,0,0,0],"
                                 "[4194304,512,0,0,0]]}\n"));
    text = run(cli_stat, with_pid("-i 0.05 -n 1 --map %d"));
    assert_non_null(strstr(text, "  000000000000 | ##\n"));
    text = run(cli_stat, with_pid("-i 0.05 -n 2 --csv %d"));
    assert_int_equal(strncmp(text, "time_s,", 7), 0);
    assert_null(strstr(text + 1, "time_s,"));
}

/* A program that never has a context ends, and that is said. */
static void watches_a_program(void **state)
{
    (void)state;
    assert_string_equal(run(cli_stat, "-i 0.05 -- true"), "");
    assert_string_equal(said, "there was nothing to watch: true did not open the device itself in "
                              "kernel mode, or not for long");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_a_module, setup),
        cmocka_unit_test_setup(targets, setup),
        cmocka_unit_test_setup(policies, setup),
        cmocka_unit_test_setup(policy_of_a_process, setup),
        cmocka_unit_test_setup(policy_is_changed, setup),
        cmocka_unit_test_setup(policy_is_wrong, setup),
        cmocka_unit_test_setup(tunables_for_bench, setup),
        cmocka_unit_test_setup(limits, setup),
        cmocka_unit_test_setup(processes, setup),
        cmocka_unit_test_setup(watches, setup),
        cmocka_unit_test_setup(watches_a_program, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
