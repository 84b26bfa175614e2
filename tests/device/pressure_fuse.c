/* SPDX-License-Identifier: MIT */
/*
 * pressure_fuse.c - a device fault on a page that never comes can be killed
 *
 * The page is of a file whose file system (this test, by the raw FUSE protocol) is asked to read it and
 * does not answer. The application is killed while the device waits for it: both end, and
 * device memory is free again.
 */
#include <linux/fuse.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "devmem.h"

#define PAGES 64u
#define NODE  2u /* the only file's */

struct shared {
    uint32_t reads; /* that came and are not answered */
    uint32_t asked; /* the device was told to touch the file */
    int engine;
};

static void answer(int fuse, const struct fuse_in_header *in, int error, const void *data,
                   size_t size)
{
    uint8_t buffer[512];
    struct fuse_out_header out = {.len = (uint32_t)(sizeof(out) + size), .error = error,
                                  .unique = in->unique};

    memcpy(buffer, &out, sizeof(out));
    if (size)
        memcpy(buffer + sizeof(out), data, size);
    CHECK_EQ(write(fuse, buffer, out.len), out.len);
}

static struct fuse_attr attributes(uint64_t node)
{
    return (struct fuse_attr){.ino = node, .nlink = 1, .size = node == NODE ? HARNESS_PAGE : 0,
                              .blksize = 4096, .mode = node == NODE ? 0100644 : 040755};
}

/* The file system: answers everything but READ. Ends when it is killed. */
static void serve(int fuse, struct shared *shared)
{
    static uint8_t buffer[1 << 18];
    const struct fuse_in_header *in = (const void *)buffer;

    for (;;) {
        ssize_t n = read(fuse, buffer, sizeof(buffer));

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

            answer(fuse, in, 0, &out, sizeof(out));
        } else if (in->opcode == FUSE_LOOKUP) {
            struct fuse_entry_out out = {.nodeid = NODE, .attr_valid = 1000, .entry_valid = 1000,
                                         .attr = attributes(NODE)};

            answer(fuse, in, 0, &out, sizeof(out));
        } else if (in->opcode == FUSE_GETATTR) {
            struct fuse_attr_out out = {.attr_valid = 1000, .attr = attributes(in->nodeid)};

            answer(fuse, in, 0, &out, sizeof(out));
        } else if (in->opcode == FUSE_OPEN) {
            struct fuse_open_out out = {.fh = 1};

            answer(fuse, in, 0, &out, sizeof(out));
        } else if (in->opcode == FUSE_READ) {
            __atomic_fetch_add(&shared->reads, 1, __ATOMIC_RELEASE);
        } else if (in->opcode != FUSE_FORGET && in->opcode != FUSE_BATCH_FORGET &&
                   in->opcode != FUSE_INTERRUPT) {
            answer(fuse, in, -ENOSYS, NULL, 0);
        }
    }
}

/* An application whose device waits for the file; it is killed. */
static void application(const char *path, struct shared *shared)
{
    struct harness h;
    struct agent a;
    uint64_t *p;
    void *file;
    int fd;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(1);
    devmem_fill(p, PAGES, 1);
    CHECK_EQ(devmem_move(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE), PAGES);
    CHECK_EQ(devmem_resident(&h), PAGES);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    file = mmap(NULL, HARNESS_PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(file != MAP_FAILED);
    shared->engine = h.info.engine_pid;
    agent_ask(&a, AGENT_READ, file, 0, 0, 0);
    harness_set(&shared->asked, 1);
    harness_wait(&h);
    FAIL("the device has read what nobody gave it");
}

int main(void)
{
    char folder[] = "/tmp/hmmsvm-fuse-XXXXXX", options[128], path[64];
    struct shared *shared = mmap(NULL, HARNESS_PAGE, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t server, app;
    int fuse, status;

    devmem_needed();
    CHECK(shared != MAP_FAILED);
    fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fuse < 0)
        SKIP("/dev/fuse: %s", strerror(errno));
    CHECK(mkdtemp(folder));
    snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
    if (mount("fuse", folder, "fuse", MS_NOSUID | MS_NODEV, options)) {
        rmdir(folder);
        SKIP("cannot mount: %s", strerror(errno));
    }
    snprintf(path, sizeof(path), "%s/file", folder);
    server = fork();
    CHECK(server >= 0);
    if (!server)
        serve(fuse, shared);

    app = fork();
    CHECK(app >= 0);
    if (!app) {
        close(fuse);
        application(path, shared);
    }
    harness_until(&shared->asked, 1);
    for (int i = 0; i < 6000 && !harness_get(&shared->reads); i++)
        usleep(10000);
    CHECK_GE(harness_get(&shared->reads), 1);
    usleep(100000);
    CHECK_EQ(waitpid(app, &status, WNOHANG), 0); /* they wait */
    CHECK(!kill(shared->engine, 0));

    CHECK(!kill(app, SIGKILL));
    for (int i = 0; i < 3000 && !waitpid(app, &status, WNOHANG); i++)
        usleep(10000);
    CHECK(kill(app, 0)); /* it was waited for */
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    for (int i = 0; i < 3000 && !kill(shared->engine, 0); i++)
        usleep(10000);
    if (!kill(shared->engine, 0))
        FAIL("the engine still waits for the file, half a minute after its application was killed");
    devmem_used_is(0, 0);

    CHECK(!umount2(folder, MNT_DETACH));
    CHECK(!kill(server, SIGKILL));
    CHECK(waitpid(server, &status, 0) == server);
    rmdir(folder);
    return 0;
}
