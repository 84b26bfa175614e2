/* SPDX-License-Identifier: MIT */
/*
 * Which mode a device is opened in, why, and every way in which kernel mode
 * can fail: each has its error number, and words that name the cause and the
 * way out. The module's answers are made up here; the engine is the real one
 * where one is started, on a node that is none.
 *
 * A failed open must leave nothing behind: no descriptor, no process, no
 * mapping.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "unit.h"

#include "internal.h"

/* ---- the module, as the tests want it ---- */

static struct {
    bool on;
    int version_error, create_error;
    uint32_t major, minor;
    uint64_t features;
    struct hmmsvm_create create; /* the last one */
    unsigned creates, memories;
    bool no_files;      /* access() finds none */
    bool other_version; /* of the ring */
} module;

int __real_pthread_setcancelstate(int state, int *old);
int __wrap_pthread_setcancelstate(int state, int *old);

/* Called when the ring is ready and the engine about to be started. */
int __wrap_pthread_setcancelstate(int state, int *old)
{
    if (module.other_version) {
        char line[256];
        FILE *f = fopen("/proc/self/maps", "r");

        assert_non_null(f);
        while (fgets(line, sizeof(line), f))
            if (strstr(line, "hmmsvm-ring"))
                ((struct ring *)(uintptr_t)strtoull(line, NULL, 16))->version = RING_VERSION + 1;
        fclose(f);
    }
    return __real_pthread_setcancelstate(state, old);
}

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);

int __wrap_access(const char *path, int mode)
{
    if (!module.no_files)
        return __real_access(path, mode);
    errno = ENOENT;
    return -1;
}

int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
    struct hmmsvm_version *v = arg;
    int err;

    if (!module.on)
        return __real_ioctl(fd, request, arg);
    if (request == HMMSVM_IOC_VERSION) {
        err = module.version_error;
        v->abi_major = module.major;
        v->abi_minor = module.minor;
        v->page_size = 4096;
        v->features = module.features;
        strcpy(v->release, "0.0.7");
    } else if (request == HMMSVM_IOC_CREATE) {
        err = module.create_error;
        module.create = *(struct hmmsvm_create *)arg;
        module.creates++;
    } else if (request == HMMSVM_IOC_MEMORY) {
        ((struct hmmsvm_memory *)arg)->count = module.memories;
        err = ENODEV;
    } else {
        err = ENOTTY;
    }
    errno = err;
    return err ? -1 : 0;
}

static int setup(void **state)
{
    memset(&module, 0, sizeof(module));
    module.major = HMMSVM_ABI_MAJOR;
    module.minor = HMMSVM_ABI_MINOR;
    module.features = HMMSVM_FEATURE_MIRROR;
    return unit_clear_environment(state);
}

/* A node that opens, behind which the made-up module is. */
static void with_module(void)
{
    module.on = true;
    setenv("HMMSVM_DEVICE", "/dev/null", 1);
    setenv("HMMSVM_ENGINE", TEST_ENGINE, 1);
}

static int open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static int mappings_of(const char *what)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[512];
    int n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        n += !!strstr(line, what);
    fclose(f);
    return n;
}

/* Opens, which must fail with @err, and checks that nothing is left. */
static void open_fails(int err)
{
    struct hmmsvm_device *dev = (void *)1;
    int files = open_files(), rings = mappings_of("hmmsvm-ring");

    assert_int_equal(hmmsvm_device_open(NULL, &dev), err);
    assert_null(dev);
    assert_int_equal(open_files(), files);
    assert_int_equal(mappings_of("hmmsvm-ring"), rings);
    /* Neither the engine nor what started it is a child of this process. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    assert_int_equal(errno, ECHILD);
}

/* ---- direct ---- */

static void direct_is_chosen(const char *reason)
{
    struct hmmsvm_device_info info;
    struct hmmsvm_device *dev;
    struct hmmsvm_stats stats;

    assert_int_equal(hmmsvm_device_open(NULL, &dev), 0);
    hmmsvm_device_info(dev, &info);
    assert_int_equal(info.mode, HMMSVM_MODE_DIRECT);
    assert_string_equal(info.reason, reason);
    assert_int_equal(info.engine_pid, getpid());
    assert_int_equal(info.window_len, 0);
    assert_int_equal(info.resets, 0);
    assert_int_equal(info.kernel.abi_major, 0);
    assert_int_equal(hmmsvm_device_stats(dev, &stats), -ENOTSUP);
    assert_int_equal(stats.device_faults, 0);
    hmmsvm_device_close(dev);
}

static void direct_by_the_environment(void **state)
{
    (void)state;
    setenv("HMMSVM_MODE", "direct", 1);
    direct_is_chosen("direct: chosen by HMMSVM_MODE");
}

static void direct_by_the_program(void **state)
{
    struct hmmsvm_device *dev = unit_open(1);
    struct hmmsvm_device_info info;

    (void)state;
    hmmsvm_device_info(dev, &info);
    assert_string_equal(info.reason, "direct: chosen by the program");
    hmmsvm_device_close(dev);
}

static void direct_as_there_is_no_node(void **state)
{
    (void)state;
    setenv("HMMSVM_DEVICE", "/nowhere/hmmsvm", 1);
    direct_is_chosen("direct: /nowhere/hmmsvm does not exist (is the module loaded? "
                     "sudo modprobe hmmsvm)");
}

static void direct_as_it_may_not_be_opened(void **state)
{
    char path[] = "/tmp/hmmsvm-unit-XXXXXX", reason[256];
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(chmod(path, 0), 0);
    setenv("HMMSVM_DEVICE", path, 1);
    if (!geteuid())
        assert_int_equal(seteuid(65534), 0);
    snprintf(reason, sizeof(reason),
             "direct: no permission to open %s (ls -l %s shows who has it)", path, path);
    direct_is_chosen(reason);
    if (!getuid())
        assert_int_equal(seteuid(0), 0);
    unlink(path);
}

/* ---- kernel mode that cannot be ---- */

/* A file or folder by the node's name, say of a container that bind-mounts what is not there. */
static void direct_as_the_node_is_no_device(void **state)
{
    char folder[] = "/tmp/hmmsvm-mode.XXXXXX", file[64], fifo[64], reason[256];
    const char *const nodes[] = {folder, file, fifo};
    int fd;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof(file), "%s/file", folder);
    snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
    fd = open(file, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    for (size_t i = 0; i < 3; i++) {
        int files = open_files();

        unsetenv("HMMSVM_MODE");
        setenv("HMMSVM_DEVICE", nodes[i], 1);
        snprintf(reason, sizeof(reason), "direct: %s is not a character device, so nothing of the "
                 "module's (ls -l %s shows what it is)", nodes[i], nodes[i]);
        direct_is_chosen(reason);
        assert_int_equal(open_files(), files);

        setenv("HMMSVM_MODE", "kernel", 1);
        open_fails(-ENOTTY);
        assert_error_says(nodes[i]);
        assert_error_says("is not a character device");
        assert_error_says("kernel mode was asked for");
    }
    unlink(file);
    unlink(fifo);
    rmdir(folder);
}

static void no_silent_direct_when_kernel_was_asked(void **state)
{
    (void)state;
    setenv("HMMSVM_MODE", "kernel", 1);
    setenv("HMMSVM_DEVICE", "/nowhere/hmmsvm", 1);
    open_fails(-ENOENT);
    assert_error_says("/nowhere/hmmsvm does not exist");
    assert_error_says("modprobe hmmsvm");
    assert_error_says("hmmsvm run --guest");
}

static void a_node_that_fails_strangely_is_an_error(void **state)
{
    (void)state;
    setenv("HMMSVM_DEVICE", "/dev/null/hmmsvm", 1);
    open_fails(-ENOTDIR);
    assert_error_says("cannot open /dev/null/hmmsvm");
    assert_error_says("HMMSVM_MODE=direct");
}

static void a_node_that_is_none(void **state)
{
    (void)state;
    setenv("HMMSVM_DEVICE", "/dev/null", 1);
    open_fails(-EPROTO);
    assert_error_says("/dev/null does not answer as the hmmsvm module does");
    assert_error_says("HMMSVM_DEVICE");
}

static void another_abi(void **state)
{
    (void)state;
    with_module();
    module.major = HMMSVM_ABI_MAJOR + 1;
    module.minor = 1;
    open_fails(-EPROTO);
    assert_error_says("the loaded module (0.0.7) speaks ABI 2.1, this library needs 1.0");
    assert_error_says("HMMSVM_MODE=direct");
    assert_int_equal(module.creates, 0);
}

static void no_mirror(void **state)
{
    (void)state;
    with_module();
    module.features = 0;
    open_fails(-ENOTSUP);
    assert_error_says("cannot mirror memory");
    assert_int_equal(module.creates, 0);
}

static void bind_fails(void **state)
{
    (void)state;
    with_module();
    module.create_error = ENOMEM;
    open_fails(-ENOMEM);
    assert_error_says("cannot bind");
    module.create_error = EBUSY;
    open_fails(-EBUSY);
    assert_error_says("itself the engine of another");
    assert_int_equal(module.creates, 2);
}

/* What the module is told: the window is reserved and out of everybody's way. */
static void the_window(void **state)
{
    (void)state;
    with_module();
    module.create_error = ENOMEM;
    setenv("HMMSVM_FAULT_AROUND", "32", 1);
    open_fails(-ENOMEM);
    assert_int_equal(module.create.size, sizeof(module.create));
    assert_int_equal(module.create.window_len, 64ull << 30);
    assert_int_equal(module.create.window_start % (1 << 21), 0);
    assert_int_equal(module.create.fault_around, 32);
    assert_int_equal(module.create.flags, 0);
}

static void too_many_workers_for_the_window(void **state)
{
    struct hmmsvm_open_params params = {.workers = 1024, .stack_size = 1 << 30};
    struct hmmsvm_device *dev;

    (void)state;
    with_module();
    assert_int_equal(hmmsvm_device_open(&params, &dev), -EINVAL);
    assert_error_says("do not fit into a window");
}

/* Device memory is chosen with the context; all that is older mirrors without. */
static void which_device_memory(void **state)
{
    (void)state;
    with_module();
    setenv("HMMSVM_MEMORY", "2", 1);
    module.create_error = ENODEV;
    module.memories = 2;
    open_fails(-ENODEV);
    assert_int_equal(module.create.memory, 2);
    assert_string_equal(hmmsvm_last_error(), "HMMSVM_MEMORY is \"2\", but the module has only 2 "
                        "(they count from 0)");
    module.minor = 0;
    open_fails(-ENOTSUP);
    assert_string_equal(hmmsvm_last_error(), "HMMSVM_MEMORY is \"2\", but the loaded module "
                        "(0.0.7) knows no device memory: load the module that was installed with "
                        "the library");
    assert_int_equal(module.creates, 1);
}

/* It is found out before an engine is started, and the way out is said. */
static void policies_need_a_module_that_has_them(void **state)
{
    (void)state;
    with_module();
    module.minor = 0;
    setenv("HMMSVM_POLICY", "touch", 1);
    open_fails(-ENOTSUP);
    assert_error_says("speaks ABI 1.0 and knows no device memory");
    unsetenv("HMMSVM_POLICY");
    open_fails(-ENOTTY);
    assert_error_says("the module does not take the engine");
}

/* ---- the engine ---- */

static void engine_missing(void **state)
{
    (void)state;
    with_module();
    setenv("HMMSVM_ENGINE", "/nowhere/engine", 1);
    open_fails(-ENOENT);
    assert_error_says("HMMSVM_ENGINE is \"/nowhere/engine\"");
    assert_int_equal(module.creates, 0);
}

static void engine_missing_beside_the_library(void **state)
{
    (void)state;
    with_module();
    unsetenv("HMMSVM_ENGINE");
    module.no_files = true;
    open_fails(-ENOENT);
    assert_error_says("../libexec/hmmsvm/hmmsvm-engine");
    assert_error_says("set HMMSVM_ENGINE");
    assert_int_equal(module.creates, 0);
}

/* The build tree is laid out like the install tree, so it is found from here. */
static void engine_is_found_beside_the_library(void **state)
{
    (void)state;
    with_module();
    unsetenv("HMMSVM_ENGINE");
    open_fails(-ENOTTY);
    assert_error_says("the module does not take the engine");
    assert_int_equal(module.creates, 1);
}

static void engine_is_no_program(void **state)
{
    char path[] = "/tmp/hmmsvm-unit-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "neither\n", 8), 8);
    assert_int_equal(fchmod(fd, 0755), 0);
    close(fd);
    with_module();
    setenv("HMMSVM_ENGINE", path, 1);
    open_fails(-ENOEXEC);
    assert_error_says("cannot run the engine program");
    unlink(path);
}

static void engine_is_another_program(void **state)
{
    (void)state;
    with_module();
    setenv("HMMSVM_ENGINE", "/bin/true", 1);
    open_fails(-EIO);
    assert_error_says("/bin/true ended before it was ready");
}

/* The real engine, and a ring of a version that is still to come. */
static void engine_is_of_another_version(void **state)
{
    (void)state;
    with_module();
    module.other_version = true;
    open_fails(-EPROTO);
    assert_error_says("of another version than libhmmsvm");
}

/* The real engine, which finds that its descriptor is no context. */
static void engine_is_not_taken(void **state)
{
    (void)state;
    with_module();
    open_fails(-ENOTTY);
    assert_error_says("the module does not take the engine");
    assert_int_equal(module.creates, 1);
}

static void on_sigchld(int sig)
{
    (void)sig;
    _exit(99);
}

/* An application that collects its children must not hear of ours. */
static void engine_is_nobodys_child(void **state)
{
    struct hmmsvm_device *dev;
    int status;
    pid_t pid;

    (void)state;
    with_module();
    signal(SIGCHLD, on_sigchld);
    for (int i = 0; i < 10; i++)
        open_fails(-ENOTTY);
    signal(SIGCHLD, SIG_DFL);

    /* And what the application has to collect is left to it. */
    pid = fork();
    if (!pid)
        _exit(7);
    assert_true(pid > 0);
    assert_int_equal(hmmsvm_device_open(NULL, &dev), -ENOTTY);
    assert_int_equal(waitpid(-1, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 7);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(direct_by_the_environment, setup),
        cmocka_unit_test_setup(direct_by_the_program, setup),
        cmocka_unit_test_setup(direct_as_there_is_no_node, setup),
        cmocka_unit_test_setup(direct_as_it_may_not_be_opened, setup),
        cmocka_unit_test_setup(direct_as_the_node_is_no_device, setup),
        cmocka_unit_test_setup(no_silent_direct_when_kernel_was_asked, setup),
        cmocka_unit_test_setup(a_node_that_fails_strangely_is_an_error, setup),
        cmocka_unit_test_setup(a_node_that_is_none, setup),
        cmocka_unit_test_setup(another_abi, setup),
        cmocka_unit_test_setup(no_mirror, setup),
        cmocka_unit_test_setup(bind_fails, setup),
        cmocka_unit_test_setup(the_window, setup),
        cmocka_unit_test_setup(too_many_workers_for_the_window, setup),
        cmocka_unit_test_setup(which_device_memory, setup),
        cmocka_unit_test_setup(policies_need_a_module_that_has_them, setup),
        cmocka_unit_test_setup(engine_missing, setup),
        cmocka_unit_test_setup(engine_missing_beside_the_library, setup),
        cmocka_unit_test_setup(engine_is_found_beside_the_library, setup),
        cmocka_unit_test_setup(engine_is_no_program, setup),
        cmocka_unit_test_setup(engine_is_another_program, setup),
        cmocka_unit_test_setup(engine_is_of_another_version, setup),
        cmocka_unit_test_setup(engine_is_not_taken, setup),
        cmocka_unit_test_setup(engine_is_nobodys_child, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
