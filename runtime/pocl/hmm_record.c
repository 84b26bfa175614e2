/* SPDX-License-Identifier: MIT */
/*
 * hmm_record.c - tells `hmmsvm record` what kernels, and the CPU between them, do with memory
 *
 * Only where HMMSVM_RECORD names its socket. Kernels are then compiled to report their accesses
 * (support/record.c), into a log that each launch has. When it has ended, the log is sent, and before
 * it what is mapped where, if that has changed, and what the CPU wrote since no launch was under way
 * (hmm_record_cpu.c). Sending waits for the reader: a recording is slow, and complete.
 *
 * Locking: the lock below guards all of it and is a leaf, but for that of libhmmsvm's device. It is
 * held while a launch is sent, so messages do not mix.
 */
#define _GNU_SOURCE
#include "hmm_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pocl_runtime_config.h"

#define DEFAULT_MB 256
#define MAX_MB     32768 /* records are counted with 32 bits */

#define BLOCK ((size_t)2 << 20)

/* A log that used less than this is cleared in place. */
#define CLEAR_BYTES (256u * 1024)

static struct {
    pthread_mutex_t lock;
    int fd; /* -1: nothing is recorded (any more) */
    uint64_t room;
    struct record_log *spare;
    unsigned active; /* launches that have a log */
    char *maps;      /* as they were sent last */
    size_t maps_size;
} recorder = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

static bool on;

bool hmm_record_is_on(void)
{
    return on;
}

static size_t log_bytes(void)
{
    return (sizeof(struct record_log) + recorder.room * sizeof(struct record) + BLOCK - 1) / BLOCK
           * BLOCK;
}

static void send_bytes(const void *bytes, size_t size)
{
    const char *p = bytes;

    while (size != 0 && recorder.fd >= 0) {
        ssize_t n = send(recorder.fd, p, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            hmm_message("nothing more is recorded of process %d: %s", (int)getpid(), strerror(errno));
            close(recorder.fd);
            recorder.fd = -1;
            return;
        }
        p += n;
        size -= (size_t)n;
    }
}

static void send_message(enum record_type type, const void *bytes, size_t size)
{
    struct record_message message = { .type = type, .size = size };

    send_bytes(&message, sizeof(message));
    send_bytes(bytes, size);
}

/* The whole of a file of procfs, or NULL. */
static char *read_all(const char *path, size_t *size)
{
    size_t room = 65536, used = 0;
    char *text = malloc(room);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;

    while (fd >= 0 && text != NULL && (n = read(fd, text + used, room - used)) > 0) {
        used += (size_t)n;
        if (used == room) {
            char *more = realloc(text, room *= 2);

            if (more == NULL)
                free(text);
            text = more;
        }
    }
    if (fd >= 0)
        close(fd);
    if (n != 0) {
        free(text);
        return NULL;
    }
    *size = used;
    return text;
}

/* Whether that is something else than the last time. */
static bool send_maps(void)
{
    size_t size = 0;
    char *maps = read_all("/proc/self/maps", &size);
    bool changed = maps != NULL
                   && (recorder.maps == NULL || size != recorder.maps_size
                       || memcmp(maps, recorder.maps, size) != 0);

    if (!changed) {
        free(maps);
        return false;
    }
    send_message(RECORD_MAPS, maps, size);
    free(recorder.maps);
    recorder.maps = maps;
    recorder.maps_size = size;
    return true;
}

/**
 * hmm_record_open - begins to record if HMMSVM_RECORD says so
 *
 * The device is open. Returns false, with a message, if it says so and that
 * cannot be done.
 */
bool hmm_record_open(const struct hmm_device *d)
{
    const char *path = pocl_get_string_option("HMMSVM_RECORD", "");
    int mb = pocl_get_int_option("HMMSVM_RECORD_MB", DEFAULT_MB);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct record_hello hello = {
        .version = RECORD_VERSION,
        .mode = d->info.mode,
        .pid = (uint32_t)getpid(),
        .workers = d->info.workers,
    };

    if (path[0] == '\0')
        return true;
    if (mb < 1 || mb > MAX_MB) {
        hmm_message("HMMSVM_RECORD_MB is %d; it has to be a number from 1 to %d", mb, MAX_MB);
        return false;
    }
    if (strlen(path) >= sizeof(address.sun_path)) {
        hmm_message("HMMSVM_RECORD is too long for the name of a socket");
        return false;
    }
    strcpy(address.sun_path, path);
    recorder.room = ((uint64_t)mb << 20) / sizeof(struct record) / RECORD_PIECE * RECORD_PIECE;
    recorder.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (recorder.fd < 0
        || connect(recorder.fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        hmm_message("HMMSVM_RECORD: nobody listens at %s (%s); `hmmsvm record` sets it", path,
                    strerror(errno));
        if (recorder.fd >= 0)
            close(recorder.fd);
        recorder.fd = -1;
        return false;
    }
    on = true;
    hello.cpu = hmm_record_cpu_open();
    send_message(RECORD_HELLO, &hello, sizeof(hello));
    return true;
}

/* It shares no block with what is recorded. */
static struct record_log *log_new(void)
{
    size_t bytes = log_bytes();
    char *start = mmap(NULL, bytes + BLOCK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char *aligned = (char *)(((uintptr_t)start + BLOCK - 1) / BLOCK * BLOCK);
    struct record_log *log = (struct record_log *)aligned;

    if (start == MAP_FAILED)
        return NULL;
    if (aligned != start)
        munmap(start, (size_t)(aligned - start));
    if (aligned + bytes != start + bytes + BLOCK)
        munmap(aligned + bytes, (size_t)(start + BLOCK - aligned));
    madvise(log, log_bytes(), MADV_DONTFORK);
    /* it must not take the room of what is recorded; where there is none, that fails */
    hmmsvm_device_advise(hmm_device.svm, log, log_bytes(), HMMSVM_ADVICE_SYSTEM, 0);
    return log;
}

/* What the CPU wrote since no launch was left. */
static void send_written(void)
{
    size_t count;
    struct record_run *runs = hmm_record_cpu_written(&count);

    if (count != 0)
        send_message(RECORD_WRITTEN, runs, count * sizeof(*runs));
    free(runs);
}

/**
 * hmm_record_command - what a command that runs on the CPU reads of memory that kernels may have used
 *
 * Writes are found with all others.
 */
void hmm_record_command(const _cl_command_node *node)
{
    const _cl_command_t *cmd = &node->command;
    const cl_device_id device = node->device;
    const char *start = NULL;
    size_t size = 0;

    switch (node->type) {
    case CL_COMMAND_READ_BUFFER:
        start = POCL_MEM_BS(cmd->read.src)->device_ptrs[device->global_mem_id].mem_ptr;
        start += cmd->read.offset;
        size = cmd->read.size;
        break;
    case CL_COMMAND_COPY_BUFFER:
        start = POCL_MEM_BS(cmd->copy.src)->device_ptrs[device->global_mem_id].mem_ptr;
        start += cmd->copy.src_offset;
        size = cmd->copy.size;
        break;
    case CL_COMMAND_SVM_MEMCPY:
        start = cmd->svm_memcpy.src;
        size = cmd->svm_memcpy.size;
        break;
    default:
        break;
    }
    if (!on || size == 0)
        return;

    struct record_run run = { .page = (uintptr_t)start >> RECORD_PAGE_SHIFT };

    run.count = (((uintptr_t)start + size - 1) >> RECORD_PAGE_SHIFT) - run.page + 1;
    pthread_mutex_lock(&recorder.lock);
    send_message(RECORD_READ, &run, sizeof(run));
    pthread_mutex_unlock(&recorder.lock);
}

/** hmm_record_begin - a log for a launch that is about to start; NULL if there is no memory */
struct record_log *hmm_record_begin(void)
{
    struct record_log *log;

    pthread_mutex_lock(&recorder.lock);
    log = recorder.spare;
    if (log != NULL)
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): the pointer itself */
        memcpy(&recorder.spare, log->unused, sizeof(recorder.spare));
    else
        log = log_new();
    if (log != NULL) {
        memset(log, 0, sizeof(*log));
        log->room = recorder.room;
        if (recorder.active++ == 0 && recorder.fd >= 0)
            send_written();
    }
    pthread_mutex_unlock(&recorder.lock);
    return log;
}

/* Takes out what is no record, and the driver's own memory; returns how many are left. */
static uint64_t log_pack(struct record_log *log, uint64_t used, const struct hmm_record_range *own,
                         unsigned nown)
{
    uint64_t kept = 0;

    for (uint64_t i = 0; i < used; i++) {
        uint64_t address = log->records[i].key >> 1 << RECORD_PAGE_SHIFT;
        /* an engine that was ended may have left half a record */
        bool keep = log->records[i].key != 0 && log->records[i].weight != 0;

        for (unsigned k = 0; k < nown; k++)
            keep &= address - (uintptr_t)own[k].start >= own[k].size;
        if (keep)
            log->records[kept++] = log->records[i];
    }
    return kept;
}

/**
 * hmm_record_end - sends the log of a launch that has ended, or was never made
 * @c: NULL: it was never made
 * @own: ranges that are the driver's, of whole pages
 */
void hmm_record_end(struct record_log *log, const char *name, const struct hmmsvm_completion *c,
                    const struct hmm_record_range *own, unsigned nown)
{
    /* a stray write of the kernel may have changed log->room */
    uint64_t used = log->next < recorder.room ? log->next : recorder.room;
    size_t bytes = used * sizeof(struct record);

    pthread_mutex_lock(&recorder.lock);
    if (c != NULL && recorder.fd >= 0) {
        struct record_launch launch = { .lost = log->lost, .status = c->status };
        uint64_t kept = log_pack(log, used, own, nown);
        bool new = hmm_record_cpu_used(log->records, kept);
        struct record_message message = {
            .type = RECORD_LAUNCH,
            .size = sizeof(launch) + kept * sizeof(struct record),
        };

        strncpy(launch.name, name, sizeof(launch.name) - 1);
        if (send_maps() || new)
            hmm_record_cpu_watch(recorder.maps, recorder.maps_size);
        send_bytes(&message, sizeof(message));
        send_bytes(&launch, sizeof(launch));
        send_bytes(log->records, kept * sizeof(struct record));
    }
    if (bytes < CLEAR_BYTES)
        memset(log->records, 0, bytes);
    else
        madvise(log, log_bytes(), MADV_DONTNEED);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the pointer itself */
    memcpy(log->unused, &recorder.spare, sizeof(recorder.spare));
    recorder.spare = log;
    if (--recorder.active == 0)
        hmm_record_cpu_protect();
    pthread_mutex_unlock(&recorder.lock);
}
