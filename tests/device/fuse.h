/* SPDX-License-Identifier: MIT */
/*
 * fuse.h - a file that is never read, and an application whose device waits for it
 *
 * The file system is a process of the test that speaks the raw FUSE protocol: it answers everything but
 * READ. Until it is unmounted the page that should be read is locked, for which even open() waits, and
 * compaction: one application for each mount.
 *
 * Locking: none; what the processes share is written atomically.
 */
#ifndef HMMSVM_TEST_FUSE_H
#define HMMSVM_TEST_FUSE_H

#include <linux/fuse.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include "devmem.h"

#define FUSE_PAGES 64u /* that the application has in device memory */
#define FUSE_NODE  2u  /* the only file's */

/* Shared by test, file system and application. */
struct fuse_shared {
    uint32_t reads; /* that came and are not answered */
    uint32_t asked; /* the device was told to touch the file */
    int engine;
};

struct fuse {
    struct fuse_shared *shared;
    char folder[32], path[48];
    pid_t server;
    int fd;
};

static void fuse_answer(int fd, const struct fuse_in_header *in, int error, const void *data, size_t size)
{
    uint8_t buffer[512];
    struct fuse_out_header out = {.len = (uint32_t)(sizeof(out) + size), .error = error,
                                  .unique = in->unique};

    memcpy(buffer, &out, sizeof(out));
    if (size)
        memcpy(buffer + sizeof(out), data, size);
    /* Who has asked may have been killed since. */
    if (write(fd, buffer, out.len) != out.len)
        CHECK_EQ(errno, ENOENT);
}

static struct fuse_attr fuse_attributes(uint64_t node)
{
    return (struct fuse_attr){.ino = node, .nlink = 1, .size = node == FUSE_NODE ? HARNESS_PAGE : 0,
                              .blksize = 4096, .mode = node == FUSE_NODE ? 0100644 : 040755};
}

/* The file system. Ends when it is unmounted or killed. */
__attribute__((noreturn)) static void fuse_serve(int fd, struct fuse_shared *shared)
{
    static uint8_t buffer[1 << 18];
    const struct fuse_in_header *in = (const void *)buffer;

    for (;;) {
        ssize_t n = read(fd, buffer, sizeof(buffer));

        if (n < (ssize_t)sizeof(*in)) {
            if (errno == ENODEV)
                _exit(0); /* unmounted */
            continue;
        }
        if (in->opcode == FUSE_INIT) {
            struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION,
                                        .minor = FUSE_KERNEL_MINOR_VERSION,
                                        .max_readahead = 4096, .flags = FUSE_ASYNC_READ,
                                        .max_background = 16, .congestion_threshold = 12,
                                        .max_write = 4096};

            fuse_answer(fd, in, 0, &out, sizeof(out));
        } else if (in->opcode == FUSE_LOOKUP) {
            struct fuse_entry_out out = {.nodeid = FUSE_NODE, .attr_valid = 1000, .entry_valid = 1000,
                                         .attr = fuse_attributes(FUSE_NODE)};

            fuse_answer(fd, in, 0, &out, sizeof(out));
        } else if (in->opcode == FUSE_GETATTR) {
            struct fuse_attr_out out = {.attr_valid = 1000, .attr = fuse_attributes(in->nodeid)};

            fuse_answer(fd, in, 0, &out, sizeof(out));
        } else if (in->opcode == FUSE_OPEN) {
            struct fuse_open_out out = {.fh = 1};

            fuse_answer(fd, in, 0, &out, sizeof(out));
        } else if (in->opcode == FUSE_READ) {
            __atomic_fetch_add(&shared->reads, 1, __ATOMIC_RELEASE);
        } else if (in->opcode != FUSE_FORGET && in->opcode != FUSE_BATCH_FORGET &&
                   in->opcode != FUSE_INTERRUPT) {
            fuse_answer(fd, in, -ENOSYS, NULL, 0);
        }
    }
}

/** fuse_mount - mounts it and starts the file system; NULL, or why that cannot be */
static inline const char *fuse_mount(struct fuse *f)
{
    static char why[96];
    char options[128];

    f->shared = mmap(NULL, HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(f->shared != MAP_FAILED);
    f->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (f->fd < 0) {
        snprintf(why, sizeof(why), "/dev/fuse: %s", strerror(errno));
        return why;
    }
    strcpy(f->folder, "/tmp/hmmsvm-fuse-XXXXXX");
    CHECK(mkdtemp(f->folder));
    snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", f->fd);
    if (mount("fuse", f->folder, "fuse", MS_NOSUID | MS_NODEV, options)) {
        snprintf(why, sizeof(why), "cannot mount: %s", strerror(errno));
        rmdir(f->folder);
        return why;
    }
    snprintf(f->path, sizeof(f->path), "%s/file", f->folder);
    f->server = fork();
    CHECK(f->server >= 0);
    if (!f->server) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fuse_serve(f->fd, f->shared);
    }
    return NULL;
}

static inline void fuse_unmount(struct fuse *f)
{
    int status;

    CHECK(!umount2(f->folder, MNT_DETACH));
    CHECK(!kill(f->server, SIGKILL));
    CHECK(waitpid(f->server, &status, 0) == f->server);
    rmdir(f->folder);
    close(f->fd);
    munmap(f->shared, HARNESS_PAGE);
}

/*
 * An application whose device waits for the file; it is killed. @alone: nobody else uses device memory, so
 * that all pages move.
 */
__attribute__((noreturn)) static void fuse_application(struct fuse *f, bool alone)
{
    struct harness h;
    struct agent a;
    uint64_t *p, moved;
    void *file;
    int fd;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(1);
    devmem_fill(p, FUSE_PAGES, 1);
    moved = devmem_move(&h, p, FUSE_PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE);
    if (alone) {
        CHECK_EQ(moved, FUSE_PAGES);
        CHECK_EQ(devmem_resident(&h), FUSE_PAGES);
    }
    fd = open(f->path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    file = mmap(NULL, HARNESS_PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(file != MAP_FAILED);
    f->shared->engine = h.info.engine_pid;
    agent_ask(&a, AGENT_READ, file, 0, 0, 0);
    harness_set(&f->shared->asked, 1);
    harness_wait(&h);
    FAIL("the device has read what nobody gave it");
}

/** fuse_begin - starts such an application, and waits until its device does */
static inline pid_t fuse_begin(struct fuse *f, bool alone)
{
    pid_t app;
    int status;

    app = fork();
    CHECK(app >= 0);
    if (!app) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(f->fd);
        fuse_application(f, alone);
    }
    harness_until(&f->shared->asked, 1);
    for (unsigned i = 0; i < HARNESS_PATIENCE_S * 100 && !harness_get(&f->shared->reads); i++)
        usleep(10000);
    CHECK_GE(harness_get(&f->shared->reads), 1);
    usleep(100000);
    CHECK_EQ(waitpid(app, &status, WNOHANG), 0); /* they wait */
    CHECK(!kill(f->shared->engine, 0));
    return app;
}

/** fuse_kill - kills it: application and engine have to end */
static inline void fuse_kill(struct fuse *f, pid_t app)
{
    int status;

    CHECK(!kill(app, SIGKILL));
    for (unsigned i = 0; i < HARNESS_PATIENCE_S * 100 && !waitpid(app, &status, WNOHANG); i++)
        usleep(10000);
    CHECK(kill(app, 0)); /* it was waited for */
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    for (unsigned i = 0; i < HARNESS_PATIENCE_S * 100 && !kill(f->shared->engine, 0); i++)
        usleep(10000);
    if (!kill(f->shared->engine, 0))
        FAIL("the engine still waits for the file, %u s after its application was killed", HARNESS_PATIENCE_S);
}

#endif /* HMMSVM_TEST_FUSE_H */
