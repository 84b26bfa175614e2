/* SPDX-License-Identifier: MIT */
/*
 * HMMSVM_EVENTS: a thread that writes what the module reports to a CSV file,
 * from before the engine starts until the device is closed or the process ends.
 *
 * A line is ns,type,address,pages,flags,tid,took_ns; see struct hmmsvm_event.
 * Events that came too fast are a line of type "lost" with their number as pages.
 *
 * Locking: none; the thread alone reads and writes until it is joined. A forked
 * child has no such thread and never writes.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "internal.h"

#define LOG_ENTRIES 65536
#define LOG_BATCH   512
#define LOG_PAUSE   20 /* ms; the ring holds what three million events a second fill in it */
#define LOG_LINE    160

struct event_log {
    struct hmmsvm_event_reader *reader;
    pthread_t thread;
    int file, stop_fd;
    bool failed; /* to write */
    struct hmmsvm_event events[LOG_BATCH];
    char text[(LOG_BATCH + 1) * LOG_LINE];
};

static const char *const types[] = {
    [HMMSVM_EVENT_DEVICE_FAULT] = "device-fault",
    [HMMSVM_EVENT_CPU_FAULT] = "cpu-fault",
    [HMMSVM_EVENT_TO_DEVICE] = "to-device",
    [HMMSVM_EVENT_TO_SYSTEM] = "to-system",
    [HMMSVM_EVENT_EVICT] = "evict",
    [HMMSVM_EVENT_WITHDRAW] = "withdraw",
    [HMMSVM_EVENT_FAILED] = "failed",
};

/* Writes the event as a line, at most LOG_LINE - 1 characters; returns how many. */
size_t event_log_line(char *line, const struct hmmsvm_event *event)
{
    static const char *const names[] = {"write", "remote", "huge", "sampled"};
    char type[16] = "", flags[64] = "";
    size_t n = 0;

    if (event->type < sizeof(types) / sizeof(*types) && types[event->type])
        snprintf(type, sizeof(type), "%s", types[event->type]);
    else
        snprintf(type, sizeof(type), "%u", event->type);
    for (unsigned i = 0; i < 4; i++)
        if (event->flags & (1u << i))
            n += (size_t)snprintf(flags + n, sizeof(flags) - n, "%s%s", n ? "|" : "", names[i]);
    return (size_t)snprintf(line, LOG_LINE, "%" PRIu64 ",%s,0x%" PRIx64 ",%u,%s,%u,%u\n",
                            (uint64_t)event->ns, type, (uint64_t)event->address, event->pages,
                            flags, event->tid, event->took_ns);
}

static void log_write(struct event_log *log, const char *text, size_t n)
{
    while (n && !log->failed) {
        ssize_t done = write(log->file, text, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            fprintf(stderr, "hmmsvm: HMMSVM_EVENTS: cannot write: %s\n", strerror(errno));
            log->failed = true;
            return;
        }
        text += done;
        n -= (size_t)done;
    }
}

/* Writes what is there. */
static void log_drain(struct event_log *log)
{
    size_t count;

    do {
        uint64_t lost = 0;
        size_t n = 0;

        count = hmmsvm_event_reader_next(log->reader, log->events, LOG_BATCH, &lost);
        if (lost)
            n += (size_t)snprintf(log->text, LOG_LINE, "%" PRIu64 ",lost,0x0,%" PRIu64 ",,0,0\n",
                                  count ? (uint64_t)log->events[0].ns : 0, lost);
        for (size_t i = 0; i < count; i++)
            n += event_log_line(log->text + n, &log->events[i]);
        log_write(log, log->text, n);
    } while (count);
}

static void *log_run(void *arg)
{
    struct event_log *log = arg;
    struct pollfd stop = {.fd = log->stop_fd, .events = POLLIN};

    while (poll(&stop, 1, LOG_PAUSE) <= 0)
        log_drain(log);
    log_drain(log);
    return NULL;
}

/* Opens the file: "%p" in its name becomes the process id. */
static int log_open(const char *name)
{
    static const char head[] = "ns,type,address,pages,flags,tid,took_ns\n";
    const char *at = strstr(name, "%p");
    char path[4096];
    int fd, n;

    n = at ? snprintf(path, sizeof(path), "%.*s%d%s", (int)(at - name), name, (int)getpid(), at + 2)
           : snprintf(path, sizeof(path), "%s", name);
    if (n >= (int)sizeof(path))
        return error_set(-ENAMETOOLONG, "HMMSVM_EVENTS has %d characters, at most %zu are allowed",
                         n, sizeof(path) - 1);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0 || write(fd, head, sizeof(head) - 1) < 0) {
        int err = -errno;

        if (fd >= 0)
            close(fd);
        return error_set(err, "HMMSVM_EVENTS: cannot write %s: %s", path, strerror(-err));
    }
    return fd;
}

/* Starts the thread, if HMMSVM_EVENTS asks for it. */
int event_log_start(struct hmmsvm_device *dev)
{
    struct hmmsvm_events events;
    struct event_log *log;
    sigset_t old;
    int err;

    if (!dev->config.events)
        return 0;
    log = calloc(1, sizeof(*log));
    if (!log)
        return error_set(-ENOMEM, "no memory for the event log");
    log->stop_fd = -1;
    log->file = err = log_open(dev->config.events);
    if (err >= 0)
        err = hmmsvm_device_events(dev, LOG_ENTRIES, &events);
    if (!err) {
        err = hmmsvm_event_reader_open(&events, &log->reader);
        close(events.fd);
    }
    if (!err) {
        log->stop_fd = eventfd(0, EFD_CLOEXEC);
        device_block_signals(&old);
        err = log->stop_fd < 0 ? -errno : -pthread_create(&log->thread, NULL, log_run, log);
        device_restore_signals(&old);
        if (err)
            error_set(err, "cannot start the event log: %s", strerror(-err));
    }
    if (!err) {
        dev->event_log = log;
        return 0;
    }
    hmmsvm_event_reader_close(log->reader);
    if (log->file >= 0)
        close(log->file);
    if (log->stop_fd >= 0)
        close(log->stop_fd);
    free(log);
    return err;
}

/* Writes the rest and ends the thread, if there is one. */
void event_log_stop(struct hmmsvm_device *dev)
{
    struct event_log *log = dev->event_log;

    if (!log)
        return;
    dev->event_log = NULL;
    eventfd_write(log->stop_fd, 1);
    pthread_join(log->thread, NULL);
    hmmsvm_event_reader_close(log->reader);
    close(log->file);
    close(log->stop_fd);
    free(log);
}
