/* SPDX-License-Identifier: MIT */
/*
 * uapi.c - the fuzzer of /dev/hmmsvm: options, rounds, and what must hold afterwards
 *
 * After the last round every process has ended by itself or by the signal it
 * sent itself, device memory and the module have as many users as before, and the
 * kernel has not lost memory. That the kernel did not complain is for run-tests
 * to see.
 *
 * Locking: none; this process has one thread and makes no calls to be counted.
 */
#include <argp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define UAPI_SKIP         77
#define UAPI_NODE         "/dev/hmmsvm"
#define UAPI_MEMORIES     8
#define UAPI_APPLICATIONS 2    /* at a time */
#define UAPI_ROUND_CALLS  1200 /* of an application, without its children */
#define UAPI_ROUND_S      400  /* a debug kernel in an emulated machine takes its time */
#define UAPI_SETTLE_S     60

struct options {
    unsigned long long calls, seed;
    unsigned threads, round_s;
    bool json, seeded;
};

/* What must be as before when all is over, and what may not grow. */
struct state {
    long refcount;
    unsigned memories;
    uint64_t used[UAPI_MEMORIES];
    long slab_kb, available_kb;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    char *end = arg;

    switch (key) {
    case 'c':
        o->calls = strtoull(arg, &end, 0);
        break;
    case 't':
        o->threads = (unsigned)strtoul(arg, &end, 0);
        if (!o->threads || o->threads > 64)
            argp_error(state, "--threads takes a number from 1 to 64");
        break;
    case 'l':
        o->round_s = (unsigned)strtoul(arg, &end, 0);
        break;
    case 's':
        o->seed = strtoull(arg, &end, 0);
        o->seeded = true;
        break;
    case 'j':
        o->json = true;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    if (end && (*end || end == arg))
        argp_error(state, "\"%s\" is not a number", arg);
    return 0;
}

static const struct argp_option argp_options[] = {
    {"calls", 'c', "N", 0, "make at least N calls (default 20000)", 0},
    {"threads", 't', "N", 0, "threads of an application (default 4)", 0},
    {"seed", 's', "N", 0, "what every thread's calls follow from (default: the time; it is printed)",
     0},
    {"limit", 'l', "SECONDS", 0, "what has not ended by then hangs: a round of some thousand calls "
     "(default 400); says where", 0},
    {"json", 'j', NULL, 0, "print the counts as JSON", 0},
    {0},
};

static const struct argp argp = {
    argp_options, parse, NULL,
    "Makes random and almost valid calls on /dev/hmmsvm, as applications, engines and strangers, from "
    "several threads at once, and prints how they ended."
    "\vExit status: 0 if nothing hung, crashed or leaked and every request was reached, 1 if not, 77 "
    "where there is no node. How calls of several threads interleave differs from run to run.",
    NULL, NULL, NULL,
};

/* ---- the state of the system ---------------------------------------------------- */

static long file_number(const char *path, const char *field)
{
    FILE *f = fopen(path, "re");
    char line[256];
    long value = -1;

    while (f && value < 0 && fgets(line, sizeof(line), f))
        if (!strncmp(line, field, strlen(field)))
            sscanf(line + strlen(field), "%ld", &value);
    if (f)
        fclose(f);
    return value;
}

static void state_read(struct state *s)
{
    int node = open(UAPI_NODE, O_RDWR | O_CLOEXEC);

    *s = (struct state){0};
    for (unsigned i = 0; node >= 0 && i < UAPI_MEMORIES; i++) {
        struct hmmsvm_memory m = {.size = sizeof(m), .index = i};

        if (ioctl(node, HMMSVM_IOC_MEMORY, &m))
            break;
        s->used[s->memories++] = m.used_bytes;
    }
    if (node >= 0)
        close(node);
    s->refcount = file_number("/sys/module/hmmsvm/refcnt", "");
}

/* What the kernel holds, after it has let go of what it can. */
static void state_memory(struct state *s)
{
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        if (write(fd, "3", 1) < 0)
            fprintf(stderr, "fuzz: caches were not dropped\n");
        close(fd);
    }
    s->slab_kb = file_number("/proc/meminfo", "SUnreclaim:");
    s->available_kb = file_number("/proc/meminfo", "MemAvailable:");
}

/* Whether users are as they were; what was freed last may take its time. */
static bool state_settled(const struct state *before)
{
    struct state now;

    for (int i = 0; i < UAPI_SETTLE_S * 50; i++) {
        state_read(&now);
        if (now.refcount == before->refcount &&
            !memcmp(now.used, before->used, sizeof(now.used)))
            return true;
        usleep(20000);
    }
    fprintf(stderr, "the module has %ld users, %ld before\n", now.refcount, before->refcount);
    for (unsigned i = 0; i < now.memories; i++)
        fprintf(stderr, "device memory %u: %llu bytes in use, %llu before\n", i,
                (unsigned long long)now.used[i], (unsigned long long)before->used[i]);
    return false;
}

/* Slab that grew by more than what a KASAN kernel keeps of freed memory (a 32nd) and some is lost. */
static bool state_kept(const struct state *early, const struct state *late)
{
    long limit = file_number("/proc/meminfo", "MemTotal:") / 32 + (16 << 10);

    fprintf(stderr, "unreclaimable slab: %ld kB early, %ld kB late; available: %ld kB, %ld kB\n",
            early->slab_kb, late->slab_kb, early->available_kb, late->available_kb);
    return late->slab_kb - early->slab_kb < limit && early->available_kb - late->available_kb < 2 * limit;
}

/* ---- rounds ------------------------------------------------------------------------ */

/* Waits for all processes of a round; false if one did not end, or not as it should. */
static bool round_wait(unsigned limit_s)
{
    time_t end = time(NULL) + limit_s;
    bool good = true;

    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid < 0)
            return good;
        if (!pid) {
            if (time(NULL) < end) {
                usleep(2000);
                continue;
            }
            fprintf(stderr, "a process did not end within %u s\n", limit_s);
            fuzz_print_stuck();
            return false;
        }
        if (WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status) != SIGKILL) {
            fprintf(stderr, "process %d ended with status 0x%x\n", pid, (unsigned)status);
            good = false;
        }
    }
}

static bool rounds(const struct options *o, struct fuzz_shared *shared, int fd, struct state *early)
{
    for (uint64_t round = 0; shared->calls < o->calls; round++) {
        for (unsigned i = 0; i < UAPI_APPLICATIONS; i++) {
            pid_t pid;

            fflush(NULL);
            pid = fork();
            if (!pid)
                _exit(fuzz_application(shared, fd, o->seed + round * UAPI_APPLICATIONS + i,
                                       UAPI_ROUND_CALLS));
            if (pid < 0) {
                perror("fuzz: fork");
                return false;
            }
        }
        if (!round_wait(o->round_s)) {
            fprintf(stderr, "that was round %llu of seed %llu\n", (unsigned long long)round,
                    o->seed);
            return false;
        }
        /* The kernel's own caches have grown by then. */
        if (!early->slab_kb && shared->calls > o->calls / 5)
            state_memory(early);
        if (round % 50 == 49)
            fprintf(stderr, "%llu calls in %llu rounds\n", (unsigned long long)shared->calls,
                    (unsigned long long)round + 1);
    }
    return true;
}

static int run_engine(const char *seed)
{
    struct fuzz_shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED,
                                      FUZZ_FD_SHARED, 0);

    return shared == MAP_FAILED ? 91 : fuzz_engine(shared, strtoull(seed, NULL, 10), 0);
}

int main(int argc, char **argv)
{
    struct options o = {.calls = 20000, .threads = 4, .round_s = UAPI_ROUND_S};
    const char *mode = getenv("HMMSVM_TEST_MODE");
    struct state before, early = {0}, late = {0};
    struct fuzz_shared *shared;
    bool good;
    int fd;

    if (argc == 3 && !strcmp(argv[1], "--engine"))
        return run_engine(argv[2]);
    if (argc == 2 && !strcmp(argv[1], "--leave"))
        return 0;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (mode && !strcmp(mode, "direct")) {
        fprintf(stderr, "SKIP: direct mode has no node\n");
        return UAPI_SKIP;
    }
    if (access(UAPI_NODE, R_OK | W_OK)) {
        fprintf(stderr, "%s: " UAPI_NODE ": %s\n", mode ? "FAIL" : "SKIP", strerror(errno));
        return mode ? 1 : UAPI_SKIP;
    }
    if (!o.seeded)
        o.seed = (unsigned long long)time(NULL);
    fprintf(stderr, "seed %llu, %u threads\n", o.seed, o.threads);
    fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, sizeof(*shared)) ||
        (shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) ==
            MAP_FAILED) {
        perror("fuzz: shared memory");
        return 1;
    }
    shared->seed = o.seed;
    shared->threads = o.threads;
    /* Children of applications that have ended are this process's. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    state_read(&before);

    good = rounds(&o, shared, fd, &early);
    if (good) {
        good = state_settled(&before);
        state_memory(&late);
        if (good && !state_kept(&early, &late)) {
            fprintf(stderr, "the kernel has lost memory\n");
            good = false;
        }
        /* Fewer calls need not get everywhere. */
        if (o.calls >= 20000 && !fuzz_reached(shared, before.memories))
            good = false;
    }
    fuzz_print(shared, o.json, good ? "nothing wrong" : "failed");
    return !good;
}
