/*
 * shared-atomics: host threads and the device work on the same atomics at the same time, in memory
 * from malloc, globals and the stack.
 *
 * Part 1  tickets: both sides draw from one counter and count in one histogram. Neither gets them
 * all: the host's threads wait for the device's first ticket, and the device then for the host's.
 * Part 2  relay: host threads put items into a bounded queue, the running kernel takes them, works
 * on them and puts them into a second bounded queue, other host threads take them from there. Far
 * more items go through than the queues hold, so all three must run at once. Part 3  echo: a
 * message in plain memory goes back and forth, handed over by one atomic word.
 *
 * Each part shows that everything was dealt with exactly once and came out as the host computes it.
 * One work-group that runs at a time is enough; nothing waits for a group that may not have
 * started.
 *
 * Locking: the atomics of shared-atomics.h. The main thread watches the kernel and the clock and
 * sets `stop`; every loop on both sides looks at it.
 */
#define _GNU_SOURCE
#include "shared-atomics.h"
#include "sample.h"

#include "shared-atomics-kernels.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP_SIZE 4     /* work-items in a work-group */
#define GRACE_SECONDS 10 /* how long a kernel may take to see `stop` */
#define MAX_THREADS 256

struct options {
    const char *device;
    uint32_t items, rounds, threads, groups, slots, timeout;
    uint64_t seed;
};

static struct control control; /* a global: the device reaches that as well */
static double deadline;        /* of the whole program; set before any thread starts */

/* ---- options ---- */

static const struct argp_option option_table[] = {
    { "items", 'n', "N", 0, "Tickets in part 1, and ten times the items of part 2 (1000000)", 0 },
    { "rounds", 'r', "N", 0, "Times that the message goes to the device and back in part 3 (5000)",
      0 },
    { "host-threads", 't', "N", 0, "Host threads in part 1, and on each side in part 2 (2)", 0 },
    { "work-groups", 'g', "N", 0, "Work-groups, of 4 work-items each (8)", 0 },
    { "queue-slots", 'k', "N", 0, "Slots in each queue, a power of two (256)", 0 },
    { "timeout", 'o', "SECONDS", 0, "Give up after this long (300)", 0 },
    { "quick", 'q', NULL, 0, "Small numbers, for slow machines: 50000 items, 200 rounds", 0 },
    { "device", 'd', "SUBSTRING", 0, "Only a device with this in its own or its platform's name",
      0 },
    { "seed", 's', "N", 0, "Seed of the values (1)", 0 },
    { 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'n':
        o->items = sample_number(state, "--items", arg, 1, 1u << 30);
        break;
    case 'r':
        o->rounds = sample_number(state, "--rounds", arg, 1, 1u << 30);
        break;
    case 't':
        o->threads = sample_number(state, "--host-threads", arg, 1, MAX_THREADS);
        break;
    case 'g':
        o->groups = sample_number(state, "--work-groups", arg, 1, 1u << 20);
        break;
    case 'k':
        o->slots = sample_number(state, "--queue-slots", arg, 2, 1u << 24);
        if (o->slots & (o->slots - 1))
            argp_error(state, "--queue-slots takes a power of two, not '%s'", arg);
        break;
    case 'o':
        o->timeout = sample_number(state, "--timeout", arg, 1, 1000000);
        break;
    case 'q':
        o->items = 50000;
        o->rounds = 200;
        break;
    case 'd':
        o->device = arg;
        break;
    case 's':
        o->seed = sample_number(state, "--seed", arg, 0, UINT64_MAX);
        break;
    case ARGP_KEY_END: {
        /*
         * else the queues could hold all items, or the device draw all tickets, with nobody else
         * there
         */
        uint64_t least = 10 * (2 * (uint64_t)o->slots + GROUP_SIZE * (uint64_t)o->groups + 1);

        if (o->items < least)
            argp_error(state,
                       "%" PRIu32
                       " --items are too few to show that host and device run at once; with "
                       "these --queue-slots and --work-groups it takes at least %" PRIu64,
                       o->items, least);
        break;
    }
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp argp = {
    .options = option_table,
    .parser = parse_option,
    .doc =
        "Host threads and the device work on the same atomics at the same time.\v"
        "Exit status: 0 verified, 1 wrong, failed or out of time, 77 no device with fine-grained "
        "system SVM and SVM atomics.",
};

/* ---- what the parts share ---- */

static bool stopped(void)
{
    return atomic_load_explicit(&control.stop, memory_order_relaxed);
}

static pthread_t start_thread(void *(*body)(void *), void *arg)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, body, arg);

    if (error)
        sample_die("cannot start a thread: %s; fewer --host-threads may do", strerror(error));
    return thread;
}

static void join_threads(const pthread_t *threads, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

/*
 * Watches the kernel until it ends. On an error or at the deadline sets `stop`, so that all threads
 * end, and returns what went wrong; NULL if nothing did. A kernel that does not see `stop` ends the
 * program: there is no way to take a kernel back.
 */
static const char *watch_kernel(cl_event event)
{
    static char message[128];
    bool late = false;
    cl_int status;

    for (;;) {
        sample_check(
            clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL),
            "clGetEventInfo");
        if (status <= CL_COMPLETE)
            break;
        if (!late && sample_now_ms() > deadline) {
            late = true;
            atomic_store(&control.stop, 1);
        }
        if (late && sample_now_ms() > deadline + GRACE_SECONDS * 1e3) {
            fflush(stdout);
            fprintf(stderr,
                    "%s: out of time, and the kernel does not see what the host writes: it did not "
                    "stop "
                    "within %d s\n",
                    program_invocation_short_name, GRACE_SECONDS);
            _exit(SAMPLE_EXIT_FAILED);
        }
        usleep(500);
    }
    clReleaseEvent(event);
    if (status < 0) {
        atomic_store(&control.stop, 1);
        snprintf(message, sizeof(message), "the kernel ended with an error on the device: %s (%d)",
                 sample_error_name(status), status);
        return message;
    }
    return late ? "out of time; a longer --timeout or smaller numbers (--quick) may do" : NULL;
}

/* ---- part 1: tickets ---- */

static void *draw_on_host(void *arg)
{
    struct tickets *tickets = arg;
    uint32_t mine = 0;

    while (!atomic_load(&control.device_is_here)) {
        if (stopped())
            return NULL;
        sched_yield();
    }
    while (!stopped()) {
        uint32_t ticket = atomic_fetch_add_explicit(&tickets->next, 1, memory_order_relaxed);

        if (!mine)
            atomic_store(&control.host_is_here, 1);
        if (ticket >= tickets->count)
            break;
        atomic_fetch_add_explicit(&tickets->taken[ticket], 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&tickets->histogram[BIN(tickets->values[ticket])], 1,
                                  memory_order_relaxed);
        mine++;
    }
    atomic_fetch_add(&tickets->by_host, mine);
    return NULL;
}

static atomic_uint *new_counters(size_t count)
{
    atomic_uint *counters = sample_alloc(count, sizeof(*counters));

    for (size_t i = 0; i < count; i++)
        atomic_init(&counters[i], 0);
    return counters;
}

static void run_tickets(struct sample *s, const struct options *o, uint64_t *random)
{
    struct tickets tickets = { .count = o->items }; /* on the stack; the counters are malloc'ed */
    uint32_t *values = sample_alloc(o->items, sizeof(*values));
    uint32_t histogram[HISTOGRAM_SIZE] = { 0 };
    size_t global = (size_t)o->groups * GROUP_SIZE, local = GROUP_SIZE;
    cl_kernel kernel = sample_kernel(s, "draw_tickets");
    pthread_t threads[MAX_THREADS];
    uint32_t by_device, by_host;
    const char *problem;
    double start;

    for (uint32_t i = 0; i < o->items; i++) {
        values[i] = sample_random(random) >> 32;
        histogram[BIN(values[i])]++;
    }
    tickets.values = values;
    tickets.taken = new_counters(o->items);
    tickets.histogram = new_counters(HISTOGRAM_SIZE);

    start = sample_now_ms();
    for (uint32_t i = 0; i < o->threads; i++)
        threads[i] = start_thread(draw_on_host, &tickets);
    sample_set_pointer(kernel, 0, &control);
    sample_set_pointer(kernel, 1, &tickets);
    problem = watch_kernel(sample_start(s, kernel, 1, &global, &local));
    join_threads(threads, o->threads);
    if (problem)
        sample_die("tickets: %s", problem);

    by_device = atomic_load(&tickets.by_device);
    by_host = atomic_load(&tickets.by_host);
    printf("tickets  %" PRIu32 " drawn: %" PRIu32 " by the device, %" PRIu32 " by %" PRIu32
           " host threads, in %.1f ms\n",
           by_device + by_host, by_device, by_host, o->threads, sample_now_ms() - start);
    fflush(stdout);
    for (uint32_t i = 0; i < o->items; i++)
        if (atomic_load(&tickets.taken[i]) != 1)
            sample_die("wrong: ticket %" PRIu32 " was drawn %u times", i,
                       atomic_load(&tickets.taken[i]));
    for (uint32_t i = 0; i < HISTOGRAM_SIZE; i++)
        if (atomic_load(&tickets.histogram[i]) != histogram[i])
            sample_die("wrong: bin %" PRIu32 " of the histogram has %u, should have %" PRIu32, i,
                       atomic_load(&tickets.histogram[i]), histogram[i]);
    if (by_device + by_host != o->items || !by_device || !by_host)
        sample_die("wrong: device and host say they drew %" PRIu32 " and %" PRIu32 " of %" PRIu32
                   " tickets; each has to have some",
                   by_device, by_host, o->items);
    clReleaseKernel(kernel);
    free(values);
    free(tickets.taken);
    free(tickets.histogram);
}

/* ---- part 2: relay ---- */

/* What the host's threads of part 2 work on. */
struct relay {
    struct queue *in, *out;
    const uint32_t *values;
    atomic_uint *seen;     /* how often each item came out */
    atomic_uint next_item; /* what producers put next */
    atomic_uint producers; /* that still run */
    atomic_uint arrived;   /* items that came out */
    atomic_uint wrong;     /* items that came out with another answer than the host's */
    atomic_uint kernel_ended;
    uint32_t count;
};

static struct queue *new_queue(uint32_t slots)
{
    struct queue *queue = sample_alloc_aligned(_Alignof(struct queue), sizeof(*queue));

    *queue = (struct queue){ .mask = slots - 1 };
    queue->slots = sample_alloc(slots, sizeof(*queue->slots));
    for (uint32_t i = 0; i < slots; i++)
        queue->slots[i] = (struct slot){ .sequence = i };
    return queue;
}

static void free_queue(struct queue *queue)
{
    free(queue->slots);
    free(queue);
}

/* As the device's functions of these names. */
static bool try_put(struct queue *queue, uint32_t item, uint32_t value)
{
    uint32_t position = atomic_load_explicit(&queue->put, memory_order_relaxed);
    struct slot *slot = &queue->slots[position & queue->mask];

    if (atomic_load_explicit(&slot->sequence, memory_order_acquire) != position)
        return false;
    if (!atomic_compare_exchange_strong_explicit(&queue->put, &position, position + 1,
                                                 memory_order_relaxed, memory_order_relaxed))
        return false;
    slot->item = item;
    slot->value = value;
    atomic_store_explicit(&slot->sequence, position + 1, memory_order_release);
    return true;
}

static int try_get(struct queue *queue, uint32_t *item, uint32_t *value)
{
    uint32_t position = atomic_load_explicit(&queue->get, memory_order_relaxed);
    struct slot *slot = &queue->slots[position & queue->mask];
    int32_t ahead = (int32_t)(atomic_load_explicit(&slot->sequence, memory_order_acquire) -
                              (position + 1));

    if (ahead)
        return ahead < 0 ? 0 : -1;
    if (!atomic_compare_exchange_strong_explicit(&queue->get, &position, position + 1,
                                                 memory_order_relaxed, memory_order_relaxed))
        return -1;
    *item = slot->item;
    *value = slot->value;
    atomic_store_explicit(&slot->sequence, position + queue->mask + 1, memory_order_release);
    return 1;
}

static void *put_items(void *arg)
{
    struct relay *relay = arg;
    uint32_t item;

    while (!stopped() && (item = atomic_fetch_add(&relay->next_item, 1)) < relay->count)
        while (!try_put(relay->in, item, relay->values[item]) && !stopped())
            sched_yield();
    if (atomic_fetch_sub(&relay->producers, 1) == 1)
        atomic_store_explicit(&control.closed, 1, memory_order_release);
    return NULL;
}

static void *collect_items(void *arg)
{
    struct relay *relay = arg;

    while (!stopped()) {
        /* looked at before the queue: what the kernel put before it ended is still seen */
        bool ended = atomic_load(&relay->kernel_ended);
        uint32_t item, value;
        int got = try_get(relay->out, &item, &value);

        if (got > 0) {
            if (item >= relay->count || value != ANSWER(relay->values[item]))
                atomic_fetch_add(&relay->wrong, 1);
            else
                atomic_fetch_add(&relay->seen[item], 1);
            atomic_fetch_add(&relay->arrived, 1);
        } else if (!got && ended) {
            break;
        } else {
            sched_yield();
        }
    }
    return NULL;
}

static void run_relay(struct sample *s, const struct options *o, uint64_t *random)
{
    struct relay relay = { .count = o->items / 10, .producers = o->threads };
    uint32_t *values = sample_alloc(relay.count, sizeof(*values));
    size_t global = (size_t)o->groups * GROUP_SIZE, local = GROUP_SIZE;
    cl_kernel kernel = sample_kernel(s, "relay");
    pthread_t threads[2 * MAX_THREADS];
    const char *problem;
    double start, took;

    for (uint32_t i = 0; i < relay.count; i++)
        values[i] = sample_random(random) >> 32;
    relay.values = values;
    relay.in = new_queue(o->slots);
    relay.out = new_queue(o->slots);
    relay.seen = new_counters(relay.count);

    start = sample_now_ms();
    sample_set_pointer(kernel, 0, &control);
    sample_set_pointer(kernel, 1, relay.in);
    sample_set_pointer(kernel, 2, relay.out);
    for (uint32_t i = 0; i < 2 * o->threads; i++)
        threads[i] = start_thread(i < o->threads ? put_items : collect_items, &relay);
    problem = watch_kernel(sample_start(s, kernel, 1, &global, &local));
    atomic_store(&relay.kernel_ended, 1);
    join_threads(threads, 2 * o->threads);
    took = sample_now_ms() - start;
    if (problem)
        sample_die("relay: %s", problem);

    printf(
        "relay    %u items from host threads through the running kernel to host threads, with two "
        "queues of %" PRIu32 " slots, in %.1f ms\n",
        atomic_load(&relay.arrived), o->slots, took);
    fflush(stdout);
    if (atomic_load(&relay.wrong))
        sample_die("wrong: %u items came out with a wrong number or answer",
                   atomic_load(&relay.wrong));
    for (uint32_t i = 0; i < relay.count; i++)
        if (atomic_load(&relay.seen[i]) != 1)
            sample_die("wrong: item %" PRIu32 " came out %u times", i, atomic_load(&relay.seen[i]));
    clReleaseKernel(kernel);
    free(values);
    free(relay.seen);
    free_queue(relay.in);
    free_queue(relay.out);
}

/* ---- part 3: echo ---- */

/* What the host's thread of part 3 works on. */
struct echo {
    struct message *message;
    uint32_t rounds, done;
    uint32_t wrong_round; /* the first whose answer was wrong; 0: none */
    uint64_t random;
    double took;
};

static void *echo_on_host(void *arg)
{
    struct echo *echo = arg;
    struct message *message = echo->message;
    double start = 0;

    for (uint32_t round = 0; round < echo->rounds; round++) {
        uint32_t want[MESSAGE_WORDS];

        for (uint32_t i = 0; i < MESSAGE_WORDS; i++) {
            uint32_t word = sample_random(&echo->random) >> 32;

            message->words[i] = word;
            want[i] = ANSWER(word) + i;
        }
        atomic_store_explicit(&message->turn, 2 * round + 1, memory_order_release);
        for (uint32_t spins = 0;
             atomic_load_explicit(&message->turn, memory_order_acquire) != 2 * round + 2; spins++) {
            if (stopped())
                return NULL;
            if (spins > 1000)
                sched_yield();
        }
        if (memcmp(want, message->words, sizeof(want)) && !echo->wrong_round)
            echo->wrong_round = round + 1;
        /* the first round also waits for the kernel to start */
        if (!round)
            start = sample_now_ms();
        echo->done++;
    }
    echo->took = sample_now_ms() - start;
    return NULL;
}

static void run_echo(struct sample *s, const struct options *o, uint64_t *random)
{
    struct echo echo = { .rounds = o->rounds + 1, .random = *random };
    cl_kernel kernel = sample_kernel(s, "echo");
    const size_t one = 1;
    const char *problem;
    pthread_t thread;

    echo.message = sample_alloc_aligned(_Alignof(struct message), sizeof(*echo.message));
    *echo.message = (struct message){ 0 };
    sample_set_pointer(kernel, 0, &control);
    sample_set_pointer(kernel, 1, echo.message);
    sample_set_uint(kernel, 2, echo.rounds);
    thread = start_thread(echo_on_host, &echo);
    problem = watch_kernel(sample_start(s, kernel, 1, &one, &one));
    join_threads(&thread, 1);
    if (problem)
        sample_die("echo: %s", problem);

    printf("echo     %" PRIu32 " messages to the running kernel and back, %.2f us each\n",
           o->rounds, echo.took * 1e3 / o->rounds);
    if (echo.wrong_round)
        sample_die("wrong: the message of round %" PRIu32
                   " came back with other words than it should",
                   echo.wrong_round);
    if (echo.done != echo.rounds)
        sample_die("wrong: %" PRIu32 " of %" PRIu32 " messages came back", echo.done, echo.rounds);
    clReleaseKernel(kernel);
    free(echo.message);
}

int main(int argc, char **argv)
{
    struct options o = {
        .items = 1000000,
        .rounds = 5000,
        .threads = 2,
        .groups = 8,
        .slots = 256,
        .timeout = 300,
        .seed = 1,
    };
    struct sample_needs needs = {
        .svm = CL_DEVICE_SVM_FINE_GRAIN_SYSTEM | CL_DEVICE_SVM_ATOMICS,
        .atomics = CL_DEVICE_ATOMIC_ORDER_ACQ_REL | CL_DEVICE_ATOMIC_SCOPE_ALL_DEVICES,
    };
    struct sample sample;
    uint64_t random;

    argp_parse(&argp, argc, argv, 0, NULL, &o);
    needs.match = o.device;
    random = sample_seed(o.seed);
    deadline = sample_now_ms() + o.timeout * 1e3;

    sample_open(&sample, &needs);
    printf("device   %s (%s)\n", sample.device_name, sample.platform_name);
    sample_build(&sample, kernel_sources, kernel_source_count);
    run_tickets(&sample, &o, &random);
    run_relay(&sample, &o, &random);
    run_echo(&sample, &o, &random);
    sample_close(&sample);
    printf("verified: every ticket, item and message was dealt with exactly once, and rightly\n");
    return 0;
}
