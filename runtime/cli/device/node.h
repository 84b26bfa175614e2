/* SPDX-License-Identifier: MIT */
/*
 * node.h - the node of the module as the command uses it. No locking.
 */
#ifndef HMMSVM_CLI_NODE_H
#define HMMSVM_CLI_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hmmsvm/uapi.h>

/* Where the node is: HMMSVM_DEVICE or /dev/hmmsvm. */
const char *node_path(void);

/* Opens the node of a module that knows device memory; ends the program if there is none. */
int node_open(struct hmmsvm_version *version);

/* An ioctl, started over when a signal comes in between; 0 or a negative errno value. */
int node_ask(int fd, unsigned long request, void *arg);

/* Ends the program with words for what a request about another process met. */
void node_target_failed(int err, const struct hmmsvm_target *target) __attribute__((noreturn));

/*
 * An argument of a command on a process: its id, or what follows it, which goes to *more. Ends the
 * program if there are more. For argp's ARGP_KEY_ARG.
 */
struct argp_state;
void node_target_argument(const struct argp_state *state, const char *arg,
                          struct hmmsvm_target *target, const char **more);

/* What a context counted; 0 or a negative errno value. */
int node_stats(int fd, const struct hmmsvm_target *target, struct hmmsvm_stats *stats);

/* Blocks in order of address; items is malloc'ed and kept from one call to the next. */
struct node_blocks {
    struct hmmsvm_residency_block *items;
    size_t count, room;
};

/* Where the memory of a context is now; what is known so far if its process ends meanwhile. */
void node_residency(int fd, const struct hmmsvm_target *target, struct node_blocks *blocks);

/* The name of a policy of that kind (HMMSVM_POLICY_PLACEMENT or _EVICTION), by number; malloc'ed or
 * NULL. */
char *node_policy_name(int fd, unsigned kind, unsigned index);

/* Ends the program if there is no such policy, and names those there are. */
void node_policy_check(int fd, unsigned kind, const char *name);

/* Gives a context policies; NULL leaves one as it is. 0 or a negative errno value. */
int node_policy_set(int fd, const struct hmmsvm_target *target, const char *placement,
                    const char *eviction);

/* A tunable of a context's placement policy, by number. 0 or a negative errno value. */
int node_tunable_at(int fd, const struct hmmsvm_target *target, unsigned index,
                    struct hmmsvm_tunable_value *tunable);

/*
 * Sets the tunable of that name of a context's placement policy, whichever that is, and fills in
 * what it is now; says so if that is another value. 0 or a negative errno value, -ENOENT also if
 * there is no such tunable.
 */
struct cli_setting;
int node_tunable_set(int fd, const struct hmmsvm_target *target, const struct cli_setting *setting,
                     struct hmmsvm_tunable_value *tunable);

/* The size of all device memories together; 0 if there is none. */
double node_memory_mib(int fd);

/*
 * Makes a context of this process's own, which ends with the file. It is never used, only asked
 * what a new context has.
 */
bool node_context(int fd);

/* Calls f for each context of processes that the caller may look into; how many there are. */
unsigned node_contexts(int fd, void (*f)(const struct hmmsvm_stats *stats));

#endif
