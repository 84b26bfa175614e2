/* SPDX-License-Identifier: MIT */
/*
 * share_user.c - the contexts of a user together never have more than the user's limit, which is the
 * administrator's: they make room for each other, other users lose nothing, and neither an own
 * limit nor a user namespace of his gives him more
 */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include "bare.h"

#define BLOCKS 3u
#define PAGES  (BLOCKS * DEVMEM_BLOCK_PAGES)
#define USER   1234
#define MAPPED 5000

/* What a process of a user's does; see user_start(). */
struct user {
    pid_t pid;
    uint32_t turn; /* it is to move its memory, and has: twice what it did */
    uint32_t stop;
    struct hmmsvm_stats stats;
    struct hmmsvm_limit limit;
};

/* A context of its own, memory that is moved each time it is told to, and checked at the end. */
static void user_process(struct user *u, int fd, uint64_t seed)
{
    uint64_t *p = devmem_small(BLOCKS);

    /* Not before: it ends with a change of rights. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bare_context(fd, 0);
    devmem_fill(p, PAGES, seed);
    for (uint32_t turn = 0; !harness_get(&u->stop);) {
        if (harness_get(&u->turn) != 2 * turn + 1) {
            usleep(1000);
            continue;
        }
        bare_move(fd, p, PAGES);
        u->stats = bare_stats(fd);
        u->limit = bare_limit(fd, turn > 0, HMMSVM_NO_LIMIT);
        turn++;
        harness_set(&u->turn, 2 * turn);
    }
    devmem_check(p, PAGES, seed);
    _exit(0);
}

static void user_start(struct user *u, int fd, unsigned uid, uint64_t seed)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid) {
        u->pid = pid;
        return;
    }
    CHECK(!setresgid(uid, uid, uid));
    CHECK(!setresuid(uid, uid, uid));
    user_process(u, fd, seed);
}

/* The same as a user that another one made up in a user namespace. */
static void user_start_mapped(struct user *u, int fd, uint64_t seed)
{
    char path[64], map[64];
    int ready[2], mapped[2];
    char byte = 0;
    pid_t pid;

    CHECK(!pipe(ready) && !pipe(mapped));
    pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        CHECK(!setresgid(USER, USER, USER));
        CHECK(!setresuid(USER, USER, USER));
        CHECK(!unshare(CLONE_NEWUSER));
        CHECK_EQ(write(ready[1], &byte, 1), 1);
        CHECK_EQ(read(mapped[0], &byte, 1), 1);
        CHECK(!setresuid(3, 3, 3));
        user_process(u, fd, seed);
    }
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    u->pid = pid;
    snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
    snprintf(map, sizeof(map), "0 %d 10", MAPPED);
    CHECK(!memory_put(path, map));
    CHECK_EQ(write(mapped[1], &byte, 1), 1);
}

/* Lets it have its turn; its counters afterwards. */
static struct hmmsvm_stats user_turn(struct user *u)
{
    uint32_t turn = harness_get(&u->turn);

    harness_set(&u->turn, turn + 1);
    harness_until(&u->turn, turn + 2);
    return u->stats;
}

static void user_stop(struct user *u)
{
    harness_set(&u->stop, 1);
    devmem_child_ok(u->pid);
}

static void user_limit(unsigned uid, const char *name, const char *text, bool may)
{
    char path[128];
    pid_t pid = fork();

    CHECK(pid >= 0);
    snprintf(path, sizeof(path), BARE_PARAMETERS "%s", name);
    if (!pid) {
        CHECK(!setresuid(uid, uid, uid));
        _exit(!memory_put(path, text) != may);
    }
    devmem_child_ok(pid);
}

int main(void)
{
    struct hmmsvm_memory memory;
    struct hmmsvm_stats s;
    struct user *u;
    int fd[4];

    devmem_needed();
    if (geteuid())
        SKIP("only root can become another user");
    CHECK(devmem_memory(0, &memory));
    if (memory.bytes < 7 * DEVMEM_BLOCK)
        SKIP("with less than 14 MiB of device memory it is full before a limit is reached");
    u = mmap(NULL, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(u != MAP_FAILED);
    for (unsigned i = 0; i < 4; i++)
        fd[i] = devmem_node();
    bare_parameter("user_limit_mb", 8);

    /* Two contexts of one user, in turns: 3 and 1 chunks, then 2 and 2. */
    user_start(&u[0], fd[0], USER, 100);
    user_start(&u[1], fd[1], USER, 200);
    s = user_turn(&u[0]);
    CHECK_EQ(s.device_pages, 3 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.device_pages_limit, 4 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.evictions, 0);
    s = user_turn(&u[1]);
    CHECK_EQ(s.device_pages, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.device_pages_share, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(u[1].limit.user, USER);
    CHECK_EQ(u[1].limit.user_max, 4 * DEVMEM_BLOCK);
    CHECK_EQ(u[1].limit.user_charged, 4 * DEVMEM_BLOCK);
    /* One from the other, whose share that was not; the next one is its own. */
    CHECK_EQ(s.evictions, 1);
    CHECK_EQ(s.evictions_limit, 1);
    CHECK_EQ(s.evictions_by_others, 0);
    s = user_turn(&u[0]);
    CHECK_EQ(s.device_pages, 2 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.evictions_by_others, 1);
    CHECK_EQ(s.evictions_limit, s.evictions);
    printf("a user with 8 MiB: his contexts have %llu and %llu pages\n",
           (unsigned long long)u[0].stats.device_pages, (unsigned long long)u[1].stats.device_pages);

    /* Another user has a limit of his own; root, too. */
    user_start(&u[2], fd[2], USER + 1, 300);
    s = user_turn(&u[2]);
    CHECK_EQ(s.device_pages, 3 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.evictions + s.failed_no_memory, 0);
    CHECK_EQ(u[2].limit.user_charged, 3 * DEVMEM_BLOCK);

    /* A user of the first one's own is himself. */
    user_start_mapped(&u[3], fd[3], 400);
    s = user_turn(&u[3]);
    CHECK_EQ(u[3].limit.user_charged, 4 * DEVMEM_BLOCK);
    CHECK_EQ(s.device_pages, DEVMEM_BLOCK_PAGES);
    printf("as a user of his own namespace he has %llu pages more, and %llu in all\n",
           (unsigned long long)s.device_pages,
           (unsigned long long)(u[3].limit.user_charged / HARNESS_PAGE));

    /* The other user has lost nothing, and what was lost there was to their own. */
    s = user_turn(&u[2]);
    CHECK_EQ(s.device_pages, 3 * DEVMEM_BLOCK_PAGES);
    CHECK_EQ(s.evictions, 0);

    user_limit(USER, "user_limit_mb", "1000", false);
    user_limit(USER, "context_limit_mb", "1000", false);
    CHECK_EQ(memory_get(BARE_PARAMETERS "user_limit_mb"), 8);
    bare_parameter("user_limit_mb", 0);
    for (unsigned i = 0; i < 4; i++) {
        user_stop(&u[i]);
        close(fd[i]);
    }
    devmem_used_is(0, 0);
    return 0;
}
