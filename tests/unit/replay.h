/* SPDX-License-Identifier: MIT */
/*
 * replay.h - a trace, given as text or by the name of a pattern, and its replay. Include it after
 * cmocka.h. No locking.
 */
#ifndef TEST_REPLAY_H
#define TEST_REPLAY_H

#include <stdlib.h>
#include <string.h>

#include "matrix.h"
#include "trace-make.h"

struct replay {
    struct hmmsvm_trace *trace;
    struct sim_layout *layout;
    struct sim_setup setup;
    struct sim_result result;
};

static inline void replay_begin(struct replay *r, const void *bytes, size_t size)
{
    char error[256] = "";

    memset(r, 0, sizeof(*r));
    r->trace = hmmsvm_trace_parse(bytes, size, error, sizeof(error));
    if (!r->trace)
        fail_msg("%s", error);
    r->layout = sim_layout_new(r->trace, error, sizeof(error));
    if (!r->layout)
        fail_msg("%s", error);
    r->setup.trace = r->trace;
    r->setup.layout = r->layout;
    r->setup.machine = &sim_machine_plain;
    r->setup.chunks = 16;
}

static inline void replay_text(struct replay *r, const char *text)
{
    replay_begin(r, text, strlen(text));
}

static inline void replay_pattern(struct replay *r, const char *name, uint64_t pages)
{
    struct hmmsvm_trace_writer *w = hmmsvm_trace_create_memory();
    void *bytes;
    size_t size;

    assert_true(trace_make(w, name, pages, 1));
    bytes = hmmsvm_trace_finish_memory(w, &size);
    assert_non_null(bytes);
    replay_begin(r, bytes, size);
    free(bytes);
}

static inline void replay_policies(struct replay *r, const struct hmmsvm_placement *placement,
                                   const char *eviction)
{
    r->setup.placement = placement;
    r->setup.eviction = hmmsvm_eviction_find(eviction);
    assert_non_null(r->setup.placement);
    assert_non_null(r->setup.eviction);
    sim_setup_defaults(&r->setup);
}

static inline void replay_set(struct replay *r, const char *name, int64_t value)
{
    const struct hmmsvm_placement *p = r->setup.placement;

    for (uint32_t i = 0; i < p->nr_tunables; i++) {
        if (!strcmp(p->tunables[i].name, name)) {
            r->setup.tunables[i] = value;
            return;
        }
    }
    fail_msg("%s has no tunable %s", p->name, name);
}

static inline void replay_run(struct replay *r)
{
    assert_true(sim_run(&r->setup, &r->result));
}

static inline void replay_end(struct replay *r)
{
    sim_layout_free(r->layout);
    hmmsvm_trace_close(r->trace);
}

#endif
