/* SPDX-License-Identifier: MIT */
/*
 * pressure.h - what goes on in a system while something else is looked at
 *
 * Each pressure is a process of its own, with settings of the kernel that it wants. It counts what it did,
 * or says why it cannot be: that is named and counted in the end, never left out unseen. The settings are as
 * before when pressure_guarded() returns, whatever has failed.
 *
 * Locking: none; what the processes share is written atomically.
 */
#ifndef HMMSVM_TEST_PRESSURE_H
#define HMMSVM_TEST_PRESSURE_H

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../processes.h"
#include "memory.h"

#define PRESSURE_KNOBS 8

struct pressure_knob {
    const char *path, *value;
    bool wanted_only; /* not every kernel has it, and the pressure is there without */
};

struct pressure_state {
    pid_t pid;
    uint32_t stop;
    uint64_t done;
    char why_not[128];
};

struct pressure {
    const char *name, *unit; /* of what it counts */
    const char *thread;      /* of the kernel, that does it and would be too nice; or NULL */
    /* The process: does it while pressure_on(), and counts. */
    void (*run)(struct pressure_state *s);
    /* Files that have to exist, with what is written to them. */
    struct pressure_knob knobs[PRESSURE_KNOBS];
};

static inline bool pressure_on(const struct pressure_state *s)
{
    return !harness_get(&s->stop);
}

static inline void pressure_did(struct pressure_state *s, uint64_t n)
{
    __atomic_fetch_add(&s->done, n, __ATOMIC_RELAXED);
}

/* Counts up to @n, for those that are counted elsewhere. */
static inline void pressure_has_done(struct pressure_state *s, uint64_t n)
{
    __atomic_store_n(&s->done, n, __ATOMIC_RELAXED);
}

/* It cannot be, for this reason. */
__attribute__((noreturn, format(printf, 2, 3))) static inline void
pressure_not(struct pressure_state *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(s->why_not, sizeof(s->why_not), fmt, ap);
    va_end(ap);
    _exit(0);
}

/** pressure_vmstat - a count of the kernel's; 0 if it does not have it */
static inline uint64_t pressure_vmstat(const char *name)
{
    FILE *f = fopen("/proc/vmstat", "re");
    unsigned long long value;
    char word[64];

    CHECK(f);
    while (fscanf(f, "%63s %llu", word, &value) == 2)
        if (!strcmp(word, name)) {
            fclose(f);
            return value;
        }
    fclose(f);
    return 0;
}

/** pressure_stacks - prints where in the kernel everybody is who waits or works there */
static inline void pressure_stacks(void)
{
    char path[600], text[4096];
    struct dirent *process, *task;
    DIR *processes = opendir("/proc"), *tasks;

    CHECK(processes);
    while ((process = readdir(processes))) {
        snprintf(path, sizeof(path), "/proc/%s/task", process->d_name);
        if (atoi(process->d_name) <= 0 || !(tasks = opendir(path)))
            continue;
        while ((task = readdir(tasks))) {
            static const char *const files[] = {"stat", "stack"};

            for (unsigned i = 0; i < 2 && task->d_name[0] != '.'; i++) {
                ssize_t n;
                int fd;

                snprintf(path, sizeof(path), "/proc/%s/task/%s/%s", process->d_name, task->d_name, files[i]);
                fd = open(path, O_RDONLY | O_CLOEXEC);
                n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
                if (fd >= 0)
                    close(fd);
                text[n < 0 ? 0 : n] = '\0';
                /* Of "stat" the name and the state. */
                printf("%.*s\n", i ? 2000 : (int)strcspn(text, ")") + 3, text);
            }
        }
        closedir(tasks);
    }
    closedir(processes);
}

/**
 * pressure_nice - the kernel's thread @name runs at @nice; what it was at before, or 0
 *
 * One that gets no processor while it has pages locked makes everybody wait.
 */
static inline int pressure_nice(const char *name, int nice)
{
    DIR *dir = opendir("/proc");
    int before = 0, pid;

    CHECK(dir);
    while ((pid = process_next(dir, name))) {
        before = getpriority(PRIO_PROCESS, (id_t)pid);
        setpriority(PRIO_PROCESS, (id_t)pid, nice);
    }
    closedir(dir);
    return before;
}

/** pressure_start - starts all of @p, with their states in memory that is shared */
static inline struct pressure_state *pressure_start(const struct pressure *p, unsigned count)
{
    struct pressure_state *s = mmap(NULL, count * sizeof(*s), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(s != MAP_FAILED);
    for (unsigned i = 0; i < count; i++) {
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid) {
            s[i].pid = pid;
            continue;
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (unsigned k = 0; k < PRESSURE_KNOBS && p[i].knobs[k].path; k++)
            if (memory_put(p[i].knobs[k].path, p[i].knobs[k].value) && !p[i].knobs[k].wanted_only)
                pressure_not(&s[i], "%s: %s", p[i].knobs[k].path, strerror(errno));
        p[i].run(&s[i]);
        _exit(0);
    }
    return s;
}

/** pressure_check - none of them has ended before its time, or in another way than it should */
static inline void pressure_check(const struct pressure *p, struct pressure_state *s, unsigned count)
{
    int status;

    for (unsigned i = 0; i < count; i++) {
        if (!s[i].pid || waitpid(s[i].pid, &status, WNOHANG) != s[i].pid)
            continue;
        s[i].pid = 0;
        if (status || !s[i].why_not[0])
            FAIL("the pressure %s ended with 0x%x", p[i].name, status);
    }
}

/** pressure_all_done - whether each of them that can be has done something */
static inline bool pressure_all_done(struct pressure_state *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!__atomic_load_n(&s[i].done, __ATOMIC_RELAXED) && s[i].pid)
            return false;
    return true;
}

/** pressure_stop - ends them; prints what each did, or that it was left out, and returns how many were */
static inline unsigned pressure_stop(const struct pressure *p, struct pressure_state *s, unsigned count)
{
    unsigned out = 0;
    int status;

    pressure_check(p, s, count);
    for (unsigned i = 0; i < count; i++)
        harness_set(&s[i].stop, 1);
    for (unsigned i = 0; i < count; i++) {
        if (s[i].pid) {
            CHECK(waitpid(s[i].pid, &status, 0) == s[i].pid);
            if (status)
                FAIL("the pressure %s ended with 0x%x", p[i].name, status);
        }
        if (s[i].why_not[0]) {
            out++;
            printf("left out: %s: %s\n", p[i].name, s[i].why_not);
        } else {
            printf("%s: %llu %s\n", p[i].name, (unsigned long long)s[i].done, p[i].unit);
            if (!s[i].done)
                FAIL("the pressure %s did nothing", p[i].name);
        }
    }
    printf("%u of %u pressures were there\n", count - out, count);
    return out;
}

/* What a setting is, as it is written; the chosen one where the file lists them all. */
static inline char *pressure_setting(const char *path)
{
    char text[256] = "", *begin, *end;
    FILE *f = fopen(path, "re");

    if (!f)
        return NULL;
    if (!fgets(text, sizeof(text), f))
        text[0] = '\0';
    fclose(f);
    text[strcspn(text, "\n")] = '\0';
    begin = strchr(text, '[');
    end = begin ? strchr(begin, ']') : NULL;
    if (!end)
        return strdup(text);
    *end = '\0';
    return strdup(begin + 1);
}

/**
 * pressure_guarded - runs @run in a process of its own with the settings of @p, which are as they were after
 * that; returns what it ended with
 */
static inline int pressure_guarded(const struct pressure *p, unsigned count, int (*run)(void))
{
    char *before[64][PRESSURE_KNOBS] = {0};
    int nice[64], status;
    pid_t pid;

    CHECK_LE(count, 64);
    for (unsigned i = 0; i < count; i++) {
        nice[i] = p[i].thread ? pressure_nice(p[i].thread, 0) : 0;
        for (unsigned k = 0; k < PRESSURE_KNOBS && p[i].knobs[k].path; k++) {
            before[i][k] = pressure_setting(p[i].knobs[k].path);
            if (before[i][k])
                memory_put(p[i].knobs[k].path, p[i].knobs[k].value);
        }
    }
    fflush(stdout);
    pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        status = run();
        fflush(stdout);
        _exit(status);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    /* Processes that have lost their parent are on their way. */
    usleep(100000);
    for (unsigned i = 0; i < count; i++) {
        if (p[i].thread)
            pressure_nice(p[i].thread, nice[i]);
        for (unsigned k = PRESSURE_KNOBS; k-- > 0;)
            if (before[i][k])
                memory_put(p[i].knobs[k].path, before[i][k]);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

#endif /* HMMSVM_TEST_PRESSURE_H */
