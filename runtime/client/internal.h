/* SPDX-License-Identifier: MIT */
/*
 * internal.h - what the parts of libhmmsvm know of each other
 *
 *   device.c   opening, closing, fork                     (top)
 *   launch.c   launches and completions
 *   memory.c   device memory, limits, policies, events
 *   eventlog.c the file of HMMSVM_EVENTS
 *   engine.c   starting the engine and noticing its end
 *   stats.c    the summary of HMMSVM_STATS
 *   config.c   the environment, and which mode it is
 *   error.c    words for what went wrong                  (bottom)
 *
 * Lock order: devices_lock (device.c), then a device's lock. Neither is held
 * while sleeping, but for the time an engine needs to start.
 */
#ifndef HMMSVM_INTERNAL_H
#define HMMSVM_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/types.h>

#include <hmmsvm/client.h>

#include "../engine/ring.h"
#include "../engine/worker.h"

#define DEFAULT_NODE       "/dev/hmmsvm"
#define DEFAULT_LOCAL_SIZE (1ull << 20)
#define DEFAULT_STACK_SIZE (16ull << 20)
#define DEFAULT_RESIDENT   2048u

enum stats_format { STATS_OFF, STATS_TEXT, STATS_JSON };

#define MAX_TUNABLES 16

#define NO_MEMORY_LIMIT UINT_MAX

/* A tunable as the environment sets it. */
struct config_tunable {
    char name[32];
    int64_t value;
};

/* What the parameters and the environment say; strings belong to the environment. */
struct config {
    enum hmmsvm_mode mode;
    const char *mode_source; /* who chose it, NULL: nobody */
    const char *node;
    const char *engine; /* NULL: beside the library */
    unsigned workers;
    unsigned resident; /* workers there may be while groups wait for each other */
    unsigned fault_around;
    unsigned watchdog_ms; /* 0: no group is taken for one that hangs */
    size_t local_size;
    size_t stack_size;
    enum stats_format stats;
    bool debug;
    bool spin; /* there is more than one CPU */
    unsigned memory;                       /* which device memory */
    unsigned memory_limit;                 /* MiB of it, or NO_MEMORY_LIMIT */
    const char *placement, *eviction;      /* NULL: the module's choice */
    unsigned nr_tunables;
    struct config_tunable tunables[MAX_TUNABLES];
    const char *events; /* the file of the event log; NULL: none */
};

/* A completion on its way to whoever waits for it. */
struct done {
    struct done *next;
    uint64_t id;   /* counts up as launches are submitted */
    uint64_t name; /* launch.id */
    bool run;      /* for hmmsvm_run() */
    struct hmmsvm_completion end;
};

/* libhmmsvm's own copy of what a slot of the ring holds. */
struct pending {
    bool busy;
    uint64_t total;
    struct hmmsvm_launch launch;
    struct done *done; /* for its completion */
};

struct hmmsvm_device {
    struct hmmsvm_device *next; /* devices; devices_lock */
    unsigned generation;        /* of fork(), see device.c */

    /* Constant from open to close. */
    struct config config;
    enum hmmsvm_mode mode;
    char reason[256];
    char node[256];
    char engine_path[4096];
    struct hmmsvm_version version;
    uint64_t window_start, window_len;
    int fd;      /* the context; -1 in direct mode */
    int ring_fd; /* the memfd; -1 in direct mode */
    int stop_fd; /* tells the engine to end */
    int kick_fd; /* tells the monitor to look again */
    struct ring *ring;
    pthread_t monitor;
    struct event_log *event_log; /* NULL: none */

    struct hmmsvm_pool pool; /* direct mode */

    pthread_mutex_t lock; /* all that follows */
    struct pending slots[RING_SLOTS];
    uint64_t ids[RING_SLOTS];        /* launch.id of those that are busy, else 0 */
    uint32_t free_slots[RING_SLOTS]; /* a stack of those that are not, nfree high */
    unsigned nfree;
    uint64_t looked_ns, unsound_ns; /* at the ring; since when it makes no sense, 0: it does */
    uint32_t done_head; /* ring->done[] up to here was fetched */
    uint64_t last_id;
    unsigned outstanding; /* busy slots */
    struct done *done_first, **done_last, *done_free;
    unsigned wakes;

    int engine_pid, engine_pidfd; /* -1: none */
    uint64_t engine_started_ns;
    bool engine_worked;     /* it ended a launch */
    unsigned engine_deaths; /* in a row, soon after the start and with no work done */
    bool closing;
    unsigned resets;

    /* Counted for the summary; read without the lock. */
    _Atomic uint64_t launches, failures, groups;
};

/* error.c */
__attribute__((format(printf, 2, 3))) int error_set(int err, const char *fmt, ...);
void error_clear(void);
__attribute__((format(printf, 2, 3))) void debug_say(const struct hmmsvm_device *dev,
                                                     const char *fmt, ...);

/* config.c */
int config_read(const struct hmmsvm_open_params *params, struct config *config);

/* engine.c */
int engine_find(struct hmmsvm_device *dev);
int engine_start(struct hmmsvm_device *dev);
void engine_kill(struct hmmsvm_device *dev);
void engine_end(struct hmmsvm_device *dev);
int engine_monitor_start(struct hmmsvm_device *dev);
void engine_monitor_stop(struct hmmsvm_device *dev);

/* launch.c */
void launch_ring_init(struct hmmsvm_device *dev);
void launch_fetch(struct hmmsvm_device *dev);
bool launch_ring_sound(const struct hmmsvm_device *dev);
void launch_recover(struct hmmsvm_device *dev, bool lost);
void launch_free(struct hmmsvm_device *dev);

/* eventlog.c */
size_t event_log_line(char *line, const struct hmmsvm_event *event);
int event_log_start(struct hmmsvm_device *dev);
void event_log_stop(struct hmmsvm_device *dev);

/* memory.c */
int memory_configure(struct hmmsvm_device *dev);

/* device.c */
int device_ioctl(int fd, unsigned long request, void *arg);
bool device_usable(struct hmmsvm_device *dev);
void device_block_signals(void *old);
void device_restore_signals(const void *old);

/* stats.c */
void stats_print(struct hmmsvm_device *dev);

#endif /* HMMSVM_INTERNAL_H */
