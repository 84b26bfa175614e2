/*
 * What host threads and device share in shared-atomics, in the one form that host (C) and device
 * (OpenCL C) compile. A cache line for each thing that both sides write to.
 *
 * Locking: atomics only. A queue's slot belongs to whom its sequence number says (see struct slot).
 */
#ifdef __OPENCL_VERSION__
#define GLOBAL __global
#define U32 uint
#else
#include <stdatomic.h>
#include <stdint.h>
#define GLOBAL
#define U32 uint32_t
#endif
#define OWN_LINE __attribute__((aligned(64)))

/* Set by the host, seen by everybody while they run. */
struct control {
    OWN_LINE atomic_uint stop;           /* give up: time is over, or something failed */
    OWN_LINE atomic_uint device_is_here; /* the device has taken a ticket */
    OWN_LINE atomic_uint host_is_here;   /* a host thread has taken one after that */
    OWN_LINE atomic_uint closed;         /* no more items will be put into the first queue */
};

/* Part 1: who draws a ticket deals with the value of that number. */
struct tickets {
    OWN_LINE atomic_uint next;
    OWN_LINE atomic_uint by_device;
    OWN_LINE atomic_uint by_host;
    OWN_LINE GLOBAL const U32 *values;
    GLOBAL atomic_uint *taken;     /* how often each ticket was dealt with */
    GLOBAL atomic_uint *histogram; /* HISTOGRAM_SIZE counters */
    U32 count;
};

#define HISTOGRAM_SIZE 64
#define BIN(value) ((value) >> 26)

/*
 * Part 2: a bounded queue for any number of producers and consumers. With a slot count of n a power
 * of two, slot i starts with sequence i. The producer of position p waits for sequence p, and
 * leaves p + 1; the consumer of position p waits for that and leaves p + n, which is the producer's
 * next turn.
 */
struct slot {
    atomic_uint sequence;
    U32 item;
    U32 value;
};

struct queue {
    OWN_LINE atomic_uint put; /* the next position to put into */
    OWN_LINE atomic_uint get; /* the next position to take from */
    OWN_LINE GLOBAL struct slot *slots;
    U32 mask; /* slot count - 1 */
};

#define ANSWER(value) (((value) ^ 0x5bd1e995u) * 2654435761u)

/*
 * Part 3: a message that goes back and forth; `turn` says to whom it belongs (even: host, odd:
 * device).
 */
#define MESSAGE_WORDS 24
struct message {
    OWN_LINE atomic_uint turn;
    OWN_LINE U32 words[MESSAGE_WORDS]; /* not atomic: turn orders them */
};
