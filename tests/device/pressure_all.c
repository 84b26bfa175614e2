/* SPDX-License-Identifier: MIT */
/*
 * pressure_all.c - no write is lost while everything presses on an application at once
 *
 * The application does what torture.h says, and its device reads and writes memory that a slow pager serves,
 * and memory whose pages KSM merges. Meanwhile its control group is frozen, has to swap, and CPUs come and
 * go; NUMA balancing, khugepaged and compaction are at its pages; other applications of the
 * device are killed for want of memory, or with the device waiting for a file that nobody reads.
 *
 * HMMSVM_PRESSURE_SECONDS says how long at least (default 4).
 */
#include <sys/utsname.h>

#include "cgroup.h"
#include "footprint.h"
#include "fuse.h"
#include "pager.h"
#include "pressure.h"
#include "torture.h"

#define SERVED_PAGES 16ul
#define ALIKE_PAGES  64ul
#define ALIKE        0x5151515151515151u
#define SLACK_KB     (64ul << 10) /* with huge pages for stacks and heaps, too */
#define KSM          "/sys/kernel/mm/ksm/"
#define THP          "/sys/kernel/mm/transparent_hugepage/"
#define CPU          "/sys/devices/system/cpu/cpu1/online"
/*
 * A guest whose CPUs come and go, and get hardly any time, makes 7.3 warn in hrtimer_forward() of the timer of
 * this. Before, the scheduler warns of its own accounting, sooner or later, and of what is written here.
 */
#define FAIR_SERVER  "/sys/kernel/debug/sched/fair_server/"
#define BALANCING    "/sys/kernel/debug/sched/numa_balancing/"

/* Shared by the application and who looks at it. */
static struct all {
    uint32_t ready, stop;
    uint32_t beats;  /* of the application, that it goes on */
    uint32_t enough; /* has happened, however slow all is */
    uint32_t served;
    int no_pager; /* errno: why there is none */
} *all;

static bool old_scheduler;
static const char *no_group; /* why the application is in none */
static struct pager pager = {.pages = SERVED_PAGES, .delay_us = 20000};
static uint64_t *alike;
static struct agent agent;
static unsigned visits;

/* ---- the pressures ---- */

/*
 * The group has to give back some all the time. No limit (memory.high): over that the kernel makes whoever
 * allocates sleep for seconds, with whatever locks it has.
 */
static void swap(struct pressure_state *s)
{
    uint64_t before = pressure_vmstat("pswpout");

    if (no_group)
        pressure_not(s, "%s", no_group);
    if (!memory_has_swap())
        pressure_not(s, "no swap space");
    if (access(cgroup_file("memory.reclaim"), W_OK))
        pressure_not(s, "%s: %s", cgroup_file("memory.reclaim"), strerror(errno));
    while (pressure_on(s)) {
        /* Refused when not all of it could go just now. */
        memory_put(cgroup_file("memory.reclaim"), "2M");
        pressure_has_done(s, pressure_vmstat("pswpout") - before);
        usleep(100000);
    }
}

__attribute__((noreturn)) static void oom_victim(void)
{
    struct harness victim;
    uint64_t *p;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    cgroup_join();
    devmem_open(&victim, 1, "touch");
    p = memory_blocks(2);
    devmem_fill(p, DEVMEM_BLOCK_PAGES, 1);
    devmem_move(&victim, p, DEVMEM_BLOCK, DEVMEM_TO_DEVICE);
    cgroup_set("memory.max", (unsigned long long)(cgroup_pages() + 256) * HARNESS_PAGE);
    memset(harness_map(64ul << 20), 1, 64ul << 20);
    FAIL("64 MiB fitted into one");
}

static void oom(struct pressure_state *s)
{
    const char *why = cgroup_try();
    int status;

    if (why)
        pressure_not(s, "%s", why);
    if (access(cgroup_file("memory.swap.max"), F_OK) == 0)
        cgroup_set("memory.swap.max", 0);
    while (pressure_on(s)) {
        pid_t pid;

        cgroup_set("memory.max", 1ull << 40);
        pid = fork();
        CHECK(pid >= 0);
        if (!pid)
            oom_victim();
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        pressure_did(s, 1);
        usleep(200000);
    }
    CHECK_GE(cgroup_event("oom_kill"), s->done);
    cgroup_remove();
}

static void hotplug(struct pressure_state *s)
{
    if (old_scheduler)
        pressure_not(s, "before Linux 7 the scheduler warns in deadline.c when CPUs come and go often");
    while (pressure_on(s)) {
        pressure_did(s, !memory_put(CPU, "0")); /* busy now and then */
        usleep(200000);
        memory_put(CPU, "1");
        usleep(300000);
    }
}

static void freezing(struct pressure_state *s)
{
    if (no_group)
        pressure_not(s, "%s", no_group);
    while (pressure_on(s)) {
        CHECK(cgroup_freeze(1));
        usleep(50000);
        CHECK(cgroup_freeze(0));
        pressure_did(s, 1);
        usleep(700000);
    }
}

static void balancing(struct pressure_state *s)
{
    uint64_t before = pressure_vmstat("numa_hint_faults");

    if (access("/sys/devices/system/node/node1", F_OK))
        pressure_not(s, "there is one node only");
    while (pressure_on(s)) {
        usleep(100000);
        pressure_has_done(s, pressure_vmstat("numa_hint_faults") - before);
    }
}

/* Merges what is alike, and takes it apart once that is done. */
static void merging(struct pressure_state *s)
{
    while (pressure_on(s)) {
        long merged = memory_get(KSM "pages_sharing");

        if (merged > 0) {
            pressure_did(s, (uint64_t)merged);
            CHECK(!memory_put(KSM "run", "2"));
            CHECK(!memory_put(KSM "run", "1"));
        }
        usleep(500000);
    }
}

static void collapsing(struct pressure_state *s)
{
    long before = memory_get(THP "khugepaged/full_scans");

    while (pressure_on(s)) {
        usleep(100000);
        pressure_has_done(s, (uint64_t)(memory_get(THP "khugepaged/full_scans") - before));
    }
}

static void compaction(struct pressure_state *s)
{
    if (access("/proc/sys/vm/compact_memory", W_OK))
        pressure_not(s, "/proc/sys/vm/compact_memory: %s", strerror(errno));
    while (pressure_on(s)) {
        pressure_did(s, !memory_put("/proc/sys/vm/compact_memory", "1"));
        usleep(500000);
    }
}

/* An application whose device waits for it is killed after a second, and the next one begins. */
static void unanswered(struct pressure_state *s)
{
    while (pressure_on(s)) {
        struct fuse f;
        const char *why = fuse_mount(&f);
        pid_t app;

        if (why)
            pressure_not(s, "%s", why);
        app = fuse_begin(&f, false);
        for (int i = 0; i < 10 && pressure_on(s); i++)
            usleep(100000);
        fuse_kill(&f, app);
        fuse_unmount(&f);
        pressure_did(s, 1);
    }
}

/* Served by a child of the application (serve_pages()), as only that has the descriptor. */
static void paging(struct pressure_state *s)
{
    uint32_t before = harness_get(&all->served);

    if (all->no_pager)
        pressure_not(s, "userfaultfd: %s", strerror(all->no_pager));
    while (pressure_on(s)) {
        usleep(100000);
        pressure_has_done(s, harness_get(&all->served) - before);
    }
}

static struct pressure pressures[] = {
    {"swap", "pages out", NULL, swap, {{0}}},
    {"OOM kills", "applications", NULL, oom, {{0}}},
    {"CPU hotplug", "times", NULL, hotplug,
     {{CPU, "1", false}, {FAIR_SERVER "cpu0/runtime", "0", true}, {FAIR_SERVER "cpu1/runtime", "0", true}}},
    {"freezer", "times", NULL, freezing, {{0}}},
    {"NUMA balancing", "hinting faults", NULL, balancing,
     {{"/proc/sys/kernel/numa_balancing", "1", false}, {BALANCING "scan_delay_ms", "50", true},
      {BALANCING "scan_period_min_ms", "50", true}, {BALANCING "scan_period_max_ms", "200", true}}},
    {"KSM", "pages merged", "ksmd", merging,
     {{KSM "pages_to_scan", "2000", false}, {KSM "sleep_millisecs", "10", false}, {KSM "run", "1", false}}},
    {"khugepaged", "scans of all memory", "khugepaged", collapsing,
     {{THP "enabled", "always", false}, {THP "defrag", "always", false},
      {THP "khugepaged/pages_to_scan", "8192", false}, {THP "khugepaged/scan_sleep_millisecs", "20", false},
      {THP "khugepaged/alloc_sleep_millisecs", "20", false}}},
    {"compaction", "times", NULL, compaction, {{0}}},
    {"file never read", "applications that waited", NULL, unanswered, {{0}}},
    {"slow pager", "pages served", NULL, paging, {{0}}},
};
#define NR_PRESSURES (sizeof(pressures) / sizeof(*pressures))

/* ---- the application ---- */

/* Not in the group, and so never frozen: who waits for a page does not freeze either. */
static void serve_pages(void)
{
    pid_t pid;

    pager.fd = pager_open();
    all->no_pager = pager.fd < 0 ? errno : 0;
    if (pager.fd < 0)
        return;
    pager.memory = devmem_small(1);
    pager_register(&pager);
    pid = fork();
    CHECK(pid >= 0);
    if (pid)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        pager_serve(&pager);
}

static void *visits_thread(void *arg)
{
    (void)arg;
    for (uint64_t n = 0; !harness_get(&all->stop); n++) {
        uint64_t *p = pager.memory + n % SERVED_PAGES * 512;

        /* It comes as the pager has it, whatever was added to it the last time. */
        if (pager.fd >= 0) {
            CHECK_EQ(agent_add(&agent, p, n + 1), PAGER_WORD + n % SERVED_PAGES);
            CHECK_EQ(*p, PAGER_WORD + n % SERVED_PAGES + n + 1);
            CHECK(!madvise(p, HARNESS_PAGE, MADV_DONTNEED));
        }
        /* Becomes another one, and then like all others again. */
        p = alike + n * 7 % ALIKE_PAGES * 512;
        CHECK_EQ(agent_add(&agent, p, n + 1), ALIKE);
        CHECK_EQ(*p, ALIKE + n + 1);
        agent_write(&agent, p, ALIKE);
        if (n % 16 == 0)
            CHECK_EQ(agent_sum_pages(&agent, alike, ALIKE_PAGES), ALIKE_PAGES * ALIKE);
        visits++;
        usleep(5000);
    }
    return NULL;
}

static uint64_t writes(unsigned first, unsigned end)
{
    uint64_t n = 0;

    for (unsigned i = first; i < end; i++)
        n += __atomic_load_n(&w->writes[i], __ATOMIC_RELAXED);
    return n;
}

/* As much as is asserted in the end. */
static bool enough(void)
{
    struct hmmsvm_stats s = harness_delta(&h);

    return writes(0, GROUPS) >= 100 && writes(GROUPS, WRITERS) >= 100 && visits && forks &&
           s.pages_to_device >= 100 && s.pages_to_system_cpu >= 10;
}

static int application(void)
{
    struct footprint before, after;
    struct hmmsvm_completion c;
    struct hmmsvm_stats s;
    uint64_t device, host;
    pthread_t thread;
    void *slot;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve_pages();
    if (!no_group)
        cgroup_join();
    torture_open(1);
    /* The harness keeps NUMA balancing away; here it is to come. Threads have it from who starts them. */
    syscall(SYS_set_mempolicy, 0 /* MPOL_DEFAULT */, NULL, 0ul);
    madvise(w->memory + PAGES / 2 * 512, BLOCKS * DEVMEM_BLOCK / 2, MADV_MERGEABLE);
    alike = devmem_small(1);
    madvise(alike, ALIKE_PAGES * HARNESS_PAGE, MADV_MERGEABLE);
    for (uint64_t i = 0; i < ALIKE_PAGES * 512; i++)
        alike[i] = ALIKE;
    /* All of it is there from the beginning, so that memory can be compared. */
    for (uint64_t i = 0; i < PAGES; i++)
        w->memory[i * 512] = 0;
    agent_begin(&agent, &h);
    torture_begin();
    harness_submit(&h, device_writes, &slot, w, GROUPS);
    CHECK(!pthread_create(&thread, NULL, visits_thread, NULL));
    for (unsigned i = 0; i < GROUPS; i++)
        harness_until(&w->runs[i], 1);
    before = footprint();
    harness_set(&all->ready, 1);
    while (!harness_get(&all->stop)) {
        torture_check();
        harness_set(&all->enough, enough());
        __atomic_fetch_add(&all->beats, 1, __ATOMIC_RELAXED);
        usleep(50000);
    }
    CHECK(!pthread_join(thread, NULL));
    after = footprint();
    harness_set(&w->stop, 1);
    c = harness_wait(&h);
    CHECK_STATUS(&c, HMMSVM_OK);
    agent_end(&agent);
    torture_end(&device, &host);
    s = harness_delta(&h);
    printf("%llu writes by the device, %llu by the host, %u visits; %u policies, %u forks, requests moved %u there "
           "and %u back, %u mprotect, %u madvise; %llu pages to the device, %llu back for the CPU, %llu evicted; %llu busy\n",
           (unsigned long long)device, (unsigned long long)host, visits, policies, forks, there, back, protects,
           advices, (unsigned long long)s.pages_to_device, (unsigned long long)s.pages_to_system_cpu,
           (unsigned long long)s.pages_to_system_evicted, (unsigned long long)s.failed_busy);
    footprint_same(&before, &after, SLACK_KB);
    CHECK_EQ(s.policy_errors + s.failed_faults, 0);
    CHECK_GE(device, 100);
    CHECK_GE(host, 100);
    CHECK_GE(visits, 1);
    CHECK_GE(forks, 1);
    CHECK_GE(s.pages_to_device, 100);
    CHECK_GE(s.pages_to_system_cpu, 10);
    harness_close(&h);
    CHECK_EQ(footprint_engines(), 0);
    return 0;
}

/* ---- and who looks at it ---- */

static int conduct(void)
{
    const char *text = getenv("HMMSVM_PRESSURE_SECONDS");
    unsigned seconds = text && *text ? (unsigned)atoi(text) : 4;
    struct pressure_state *s;
    uint64_t begin, past, beat;
    uint32_t beats = 0;
    int status;
    pid_t app;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    no_group = cgroup_try();
    app = fork();
    CHECK(app >= 0);
    if (!app)
        _exit(application());
    for (begin = harness_ns(); !harness_get(&all->ready); usleep(10000)) {
        if (waitpid(app, &status, WNOHANG) == app)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        if (harness_ns() - begin > HARNESS_PATIENCE_S * 1000000000ull)
            FAIL("the application has not begun after %u s", HARNESS_PATIENCE_S);
    }
    s = pressure_start(pressures, NR_PRESSURES);
    for (begin = harness_ns(), beat = 0;; usleep(50000)) {
        past = (harness_ns() - begin) / 1000000000u;
        /* However slow all is, each has been there. */
        if (past >= seconds && pressure_all_done(s, NR_PRESSURES) && harness_get(&all->enough))
            break;
        if (harness_get(&all->beats) != beats) {
            beats = harness_get(&all->beats);
            beat = past;
        }
        if (past - beat > HARNESS_PATIENCE_S || past >= seconds + HARNESS_PATIENCE_S) {
            pressure_stacks();
            if (past - beat > HARNESS_PATIENCE_S)
                FAIL("the application stands still");
            break;
        }
        pressure_check(pressures, s, NR_PRESSURES);
        if (waitpid(app, &status, WNOHANG) == app)
            FAIL("the application ended with 0x%x after %llu s", status, (unsigned long long)past);
    }
    pressure_stop(pressures, s, NR_PRESSURES);
    harness_set(&all->stop, 1);
    devmem_child_ok(app);
    if (!no_group)
        cgroup_remove();
    return 0;
}

int main(void)
{
    struct utsname kernel;
    int status;

    devmem_any_kind = true;
    devmem_needed();
    if (getenv("HMMSVM_TEST_SLOW") && !getenv("HMMSVM_PRESSURE_SECONDS"))
        SKIP("takes minutes on a kernel that checks itself; ./test --soak pressure runs it there");
    CHECK(!uname(&kernel));
    old_scheduler = atoi(kernel.release) < 7;
    for (unsigned i = 0; i < NR_PRESSURES && old_scheduler; i++)
        for (unsigned k = 0; k < PRESSURE_KNOBS && pressures[i].knobs[k].path; k++)
            if (!strncmp(pressures[i].knobs[k].path, FAIR_SERVER, strlen(FAIR_SERVER)))
                pressures[i].knobs[k].path = NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    all = mmap(NULL, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(all != MAP_FAILED);
    pager.served = &all->served;
    status = pressure_guarded(pressures, NR_PRESSURES, conduct);
    if (!status)
        devmem_used_is(0, 0);
    return status;
}
