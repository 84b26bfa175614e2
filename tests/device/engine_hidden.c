/* SPDX-License-Identifier: MIT */
/*
 * engine_hidden.c - the application does not notice that it has an engine
 *
 * No child to wait for, no SIGCHLD, no descriptor of the application's kept
 * open, nothing in the engine's address space but the window and the mirror,
 * no processor time while idle; signals typed at the terminal do not end it,
 * and closing the device does, whatever it is doing and whoever the
 * application has become.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "agent.h"

static volatile sig_atomic_t children;

static void on_sigchld(int sig)
{
    (void)sig;
    children++;
}

static unsigned long cpu_ticks(int pid)
{
    unsigned long user = 0, system = 0;
    char path[64];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "r");
    CHECK(f);
    CHECK_EQ(fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                    &system), 2);
    fclose(f);
    return user + system;
}

/* The engine has its own six descriptors, and what @secret names is not among them. */
static void check_descriptors(int pid, const char *secret)
{
    char path[300], target[256];
    struct dirent *d;
    int count = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    dir = opendir(path);
    CHECK(dir);
    while ((d = readdir(dir))) {
        ssize_t len;

        if (d->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, d->d_name);
        len = readlink(path, target, sizeof(target) - 1);
        CHECK(len > 0);
        target[len] = '\0';
        if (!strcmp(target, secret))
            FAIL("the engine has the application's %s open", secret);
        CHECK_LE(atoi(d->d_name), 6);
        CHECK_NE(atoi(d->d_name), 4); /* the ring is mapped */
        count++;
    }
    closedir(dir);
    CHECK_EQ(count, 6);
}

/* All that the engine has mapped is in the window, or the mirror, which ends at its edges. */
static void check_mappings(struct harness *h)
{
    uint64_t first = h->info.window_start, last = first + h->info.window_len;
    int mirrors = 0;
    char path[64], line[512];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/maps", h->info.engine_pid);
    f = fopen(path, "r");
    CHECK(f);
    while (fgets(line, sizeof(line), f)) {
        unsigned long start, end;

        CHECK_EQ(sscanf(line, "%lx-%lx", &start, &end), 2);
        if (strstr(line, "[vsyscall]") || (start >= first && end <= last))
            continue;
        CHECK(strstr(line, "hmmsvm"));
        CHECK(end == first || start == last);
        mirrors++;
    }
    fclose(f);
    CHECK_EQ(mirrors, 2);
}

static void wait_until_gone(int pid, const char *when)
{
    uint64_t end = harness_ns() + 10000000000u;

    while (harness_process_runs(pid)) {
        if (harness_ns() > end)
            FAIL("the engine still runs 10 s after %s", when);
        usleep(5000);
    }
}

static void check_signals(struct agent *a, struct harness *h, uint64_t *word)
{
    static const int typed[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
    struct hmmsvm_device_info info;

    for (unsigned i = 0; i < sizeof(typed) / sizeof(*typed); i++)
        CHECK(!kill(h->info.engine_pid, typed[i]));
    usleep(100000);
    agent_write(a, word, 5);
    CHECK_EQ(*word, 5);
    hmmsvm_device_info(h->dev, &info);
    CHECK_EQ(info.resets, 0);
    CHECK_EQ(info.engine_pid, h->info.engine_pid);
}

/* In a process of its own: gives up its rights, then closes. */
static void close_as_nobody(void)
{
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (!pid) {
        struct harness h;
        uint64_t start;

        harness_open(&h, 1);
        if (!getuid())
            CHECK(!setresuid(65534, 65534, 65534));
        start = harness_ns();
        harness_close(&h);
        CHECK_LT((harness_ns() - start) / 1000000, 2000);
        wait_until_gone(h.info.engine_pid, "a close by nobody");
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_sigchld};
    struct hmmsvm_device_info info;
    char secret[256] = "";
    unsigned long ticks;
    struct harness h;
    struct agent a;
    int pipe_fd[2];
    uint64_t *word;
    ssize_t len;

    CHECK(!sigaction(SIGCHLD, &action, NULL));
    /* Without O_CLOEXEC, as careless programs do it. */
    CHECK(!pipe(pipe_fd));
    len = readlink("/proc/self/fd/3", secret, sizeof(secret) - 1);
    CHECK(len > 0);
    CHECK(fcntl(pipe_fd[0], F_DUPFD, 100) >= 100);
    /* Signals that the application ignores or has blocked must not matter. */
    signal(SIGSEGV, SIG_IGN);

    agent_open(&a, &h);
    word = harness_map(HARNESS_PAGE);
    check_descriptors(h.info.engine_pid, secret);
    check_mappings(&h);
    check_signals(&a, &h, word);

    /* wait() finds no child and does not block. */
    CHECK(wait(NULL) == -1);
    CHECK_EQ(errno, ECHILD);

    /* A crash in a kernel is the engine's own affair. */
    agent_dies(&a, AGENT_READ, (void *)0x123450);
    agent_begin(&a, &h);
    agent_end(&a);

    /* Idle, it sleeps. */
    usleep(200000);
    ticks = cpu_ticks(h.info.engine_pid);
    usleep(1000000);
    ticks = cpu_ticks(h.info.engine_pid) - ticks;
    CHECK_LE(ticks * 1000 / (unsigned long)sysconf(_SC_CLK_TCK), 100);

    /* Its death and the next one's birth are quiet, too. */
    CHECK(!kill(h.info.engine_pid, SIGKILL));
    do {
        usleep(10000);
        hmmsvm_device_info(h.dev, &info);
    } while (info.resets == 0 || info.engine_pid == -1);
    agent_begin(&a, &h);
    check_descriptors(info.engine_pid, secret);
    CHECK(wait(NULL) == -1);
    CHECK_EQ(errno, ECHILD);
    CHECK_EQ(children, 0);

    /* It is busy, and would be forever. */
    harness_close(&h);
    wait_until_gone(info.engine_pid, "the device was closed");
    CHECK_EQ(children, 0);
    CHECK(wait(NULL) == -1);

    signal(SIGCHLD, SIG_DFL);
    close_as_nobody();
    return 0;
}
