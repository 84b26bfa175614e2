/* SPDX-License-Identifier: MIT */
/*
 * Counts of calls and how they ended, and what has to be among them: a fuzzer
 * that is only refused proves nothing.
 *
 * Locking: none, atomics.
 */
#include <json-c/json.h>
#include <string.h>

#include "fuzz.h"

const char *const fuzz_names[FUZZ_NR_CALLS] = {
#define FUZZ_NAME(name) [FUZZ_##name] = #name,
    FUZZ_CALLS(FUZZ_NAME)
#undef FUZZ_NAME
};

/* Counts a call that returned @result, with errno if that is negative; returns @result. */
long fuzz_ended(struct fuzz *f, enum fuzz_call call, long result)
{
    unsigned err = result < 0 ? (unsigned)errno : 0;

    atomic_fetch_add(&f->shared->count[call][err < FUZZ_ERRNOS ? err : FUZZ_ERRNOS - 1], 1);
    atomic_fetch_add(&f->shared->calls, 1);
    return result;
}

/* How often @call succeeded, or failed. */
uint64_t fuzz_count(const struct fuzz_shared *shared, enum fuzz_call call, bool failed)
{
    uint64_t n = 0;

    for (unsigned e = failed; e < (failed ? FUZZ_ERRNOS : 1); e++)
        n += shared->count[call][e];
    return n;
}

static void print_json(const struct fuzz_shared *shared, const char *verdict)
{
    struct json_object *all = json_object_new_object(), *calls = json_object_new_object();

    json_object_object_add(all, "seed", json_object_new_uint64(shared->seed));
    json_object_object_add(all, "threads", json_object_new_uint64(shared->threads));
    json_object_object_add(all, "calls", json_object_new_uint64(shared->calls));
    json_object_object_add(all, "applications", json_object_new_uint64(shared->applications));
    json_object_object_add(all, "engines", json_object_new_uint64(shared->engines));
    json_object_object_add(all, "contexts", json_object_new_uint64(shared->contexts));
    json_object_object_add(all, "strangers", json_object_new_uint64(shared->strangers));
    for (unsigned c = 0; c < FUZZ_NR_CALLS; c++) {
        struct json_object *ends = json_object_new_object();

        for (unsigned e = 0; e < FUZZ_ERRNOS; e++)
            if (shared->count[c][e])
                json_object_object_add(ends, e ? strerrorname_np((int)e) : "ok",
                                       json_object_new_uint64(shared->count[c][e]));
        json_object_object_add(calls, fuzz_names[c], ends);
    }
    json_object_object_add(all, "ends", calls);
    json_object_object_add(all, "verdict", json_object_new_string(verdict));
    puts(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY));
    json_object_put(all);
}

/** fuzz_print - a line for each call, with how often it ended how */
void fuzz_print(const struct fuzz_shared *shared, bool json, const char *verdict)
{
    if (json) {
        print_json(shared, verdict);
        return;
    }
    for (unsigned c = 0; c < FUZZ_NR_CALLS; c++) {
        printf("%-13s %9llu ok %9llu failed:", fuzz_names[c],
               (unsigned long long)fuzz_count(shared, c, false),
               (unsigned long long)fuzz_count(shared, c, true));
        for (unsigned e = 1; e < FUZZ_ERRNOS; e++)
            if (shared->count[c][e])
                printf(" %s %llu", strerrorname_np((int)e) ? strerrorname_np((int)e) : "?",
                       (unsigned long long)shared->count[c][e]);
        putchar('\n');
    }
    printf("%llu calls by %u applications, %u engines and %u strangers in %u contexts\n",
           (unsigned long long)shared->calls, shared->applications, shared->engines,
           shared->strangers, shared->contexts);
    printf("seed %llu, %u threads: %s\n", (unsigned long long)shared->seed, shared->threads,
           verdict);
}

/*
 * Whether every request got so far that it was refused for each of the reasons
 * here and that it succeeded; names what did not. @devmem: there is device memory.
 */
bool fuzz_reached(const struct fuzz_shared *shared, bool devmem)
{
    static const struct {
        enum fuzz_call call;
        bool devmem; /* only where there is some */
        uint8_t ends[8]; /* 0: success, and the end of the list */
    } wanted[] = {
        {FUZZ_VERSION, false, {EINVAL, E2BIG, EFAULT}},
        {FUZZ_CREATE, false, {EINVAL, EBUSY, ENODEV, EFAULT}},
        {FUZZ_ATTACH, false, {EINVAL, EPERM, EBUSY, ENOTCONN}},
        {FUZZ_STATS, false, {EINVAL, EPERM, ESRCH, ENOENT, ENOTCONN}},
        {FUZZ_MEMORY, true, {EINVAL, ENODEV, EFAULT}},
        {FUZZ_POLICY, false, {EINVAL, EPERM, ENOTCONN}},
        {FUZZ_POLICY_INFO, false, {EINVAL, ENOENT}},
        {FUZZ_TUNABLE, true, {EINVAL, ENOENT, ENOTCONN}},
        {FUZZ_MIGRATE, true, {EINVAL, EPERM, EFAULT, ENOTCONN}},
        {FUZZ_ADVISE, true, {EINVAL, EPERM, ENOTCONN}},
        {FUZZ_RESIDENCY, true, {EINVAL, EFAULT, EPERM}},
        {FUZZ_EVENTS, false, {EINVAL, EBUSY}},
        {FUZZ_LIMIT, true, {EINVAL, EPERM, ENOTCONN}},
        {FUZZ_map_node, false, {EPERM, EINVAL}},
        {FUZZ_touch, false, {EFAULT}},
        {FUZZ_touch_mirror, false, {EFAULT}},
        {FUZZ_mremap, false, {EINVAL}},
    };
    bool all = true;

    for (unsigned i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
        unsigned e = 0;

        if (wanted[i].devmem && !devmem)
            continue;
        do {
            unsigned end = wanted[i].ends[e];

            if (shared->count[wanted[i].call][end])
                continue;
            fprintf(stderr, "%s never ended with %s\n", fuzz_names[wanted[i].call],
                    end ? strerrorname_np((int)end) : "success");
            all = false;
        } while (wanted[i].ends[e++]);
    }
    if (fuzz_count(shared, FUZZ_other_request, false)) {
        fprintf(stderr, "a request that there is not succeeded\n");
        all = false;
    }
    return all;
}
