/*
 * package-graph: who would break if PACKAGE went? The dependency graph of the machine's own
 * packages (dpkg's and apt's data), tens of thousands of structs from plain malloc that point to
 * each other, is searched breadth-first on the device.
 *
 * The rule: a package breaks when every package that fulfils one of its dependencies is gone. What
 * fulfils a dependency "a | b" is each of the packages a and b, and each that Provides a or b.
 * Depends and Pre-Depends count. Versions and architectures in dependencies do not: a name is one
 * package, its newest version where there are several. A dependency that nothing fulfilled to begin
 * with breaks nothing. On the device each dependency has a counter of what is left; who takes the
 * last one away breaks the owner, which is removed in the next step.
 *
 * The host computes the same with a queue of its own, and then checks the device's answer a second
 * way, from the packages to their dependencies.
 *
 * Locking: none; host and device take turns.
 */
#define _GNU_SOURCE
#include "package-data.h"
#include "sample.h"

#include "package-graph-kernels.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char *device;
    struct package_files files;
    char **wanted;
    size_t wanted_count, names;
    bool json, host_only;
};

/* ---- options ---- */

enum { KEY_HOST_ONLY = 256, KEY_NAMES };

static const struct argp_option option_table[] = {
    { "installed-only", 'i', NULL, 0, "Only the packages that are installed (" DPKG_STATUS ")", 0 },
    { "all", 'a', NULL, 0, "Also all that apt knows of; the default where apt has lists", 0 },
    { "packages", 'p', "FILE", 0,
      "Read this instead: a Packages or status file, compressed or not; may be given several times",
      0 },
    { "json", 'j', NULL, 0, "Write one JSON object with all names", 0 },
    { "names", KEY_NAMES, "N", 0, "Show up to N names a step (4); 0 shows all", 0 },
    { "quick", 'q', NULL, 0, "For slow machines: the same as --installed-only", 0 },
    { "device", 'd', "SUBSTRING", 0, "Only a device with this in its own or its platform's name",
      0 },
    { "host-only", KEY_HOST_ONLY, NULL, 0, "Only the host's answer, without any device", 0 },
    { 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'i':
    case 'q':
        o->files.installed_only = true;
        break;
    case 'a':
        o->files.installed_only = false;
        break;
    case 'p':
        o->files.paths = sample_realloc(o->files.paths, o->files.count + 1,
                                        sizeof(*o->files.paths));
        o->files.paths[o->files.count++] = arg;
        break;
    case 'j':
        o->json = true;
        break;
    case KEY_NAMES:
        o->names = sample_number(state, "--names", arg, 0, 1000000);
        break;
    case 'd':
        o->device = arg;
        break;
    case KEY_HOST_ONLY:
        o->host_only = true;
        break;
    case ARGP_KEY_ARGS:
        o->wanted = state->argv + state->next;
        o->wanted_count = state->argc - state->next;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp argp = {
    .options = option_table,
    .parser = parse_option,
    .args_doc = "[PACKAGE...]",
    .doc =
        "Who would break if PACKAGE (libc6) went? Searches the machine's own package dependencies "
        "on the device.\v"
        "A package breaks when every package that fulfils one of its dependencies is gone: each "
        "alternative, and each package that provides one. Versions and architectures in "
        "dependencies are not looked at.\n\n"
        "Exit status: 0 verified (or, with --host-only, done), 1 wrong or failed, 77 no device "
        "with "
        "fine-grained system SVM.",
};

/* ---- the search ---- */

/* Puts the host's half of the graph to where only the removed packages are gone. */
static void reset_host(struct graph *g, struct package **removed, size_t count)
{
    for (size_t i = 0; i < g->count; i++) {
        struct package *package = g->packages[i];

        package->host_distance = STAYS;
        for (uint32_t c = 0; c < package->clause_count; c++)
            package->clauses[c]->host_left = package->clauses[c]->count;
    }
    for (size_t i = 0; i < count; i++)
        removed[i]->host_distance = 0;
}

/* The same for the device's half. */
static void reset_device(struct graph *g, struct package **removed, size_t count)
{
    for (size_t i = 0; i < g->count; i++) {
        struct package *package = g->packages[i];

        atomic_store_explicit(&package->distance, STAYS, memory_order_relaxed);
        for (uint32_t c = 0; c < package->clause_count; c++)
            atomic_store_explicit(&package->clauses[c]->left, package->clauses[c]->count,
                                  memory_order_relaxed);
    }
    for (size_t i = 0; i < count; i++)
        atomic_store_explicit(&removed[i]->distance, 0, memory_order_relaxed);
}

/* The host's own answer, with one queue; returns the milliseconds it took. */
static double search_on_host(const struct graph *g, struct package **removed, size_t count)
{
    struct package **queue = sample_alloc(g->count, sizeof(*queue));
    double start = sample_now_ms();
    size_t head = 0, tail = count;

    memcpy(queue, removed, count * sizeof(*queue));
    while (head < tail) {
        const struct package *package = queue[head++];

        for (uint32_t i = 0; i < package->fulfils_count; i++) {
            struct clause *clause = package->fulfils[i];

            if (--clause->host_left || clause->owner->host_distance != STAYS)
                continue;
            clause->owner->host_distance = package->host_distance + 1;
            queue[tail++] = clause->owner;
        }
    }
    free(queue);
    return sample_now_ms() - start;
}

/* The device's answer, step by step; returns the milliseconds it took, without building the kernel.
 */
static double search_on_device(struct sample *s, const struct graph *g, struct package **removed,
                               size_t count)
{
    struct package **gone = sample_alloc(g->count, sizeof(*gone));
    struct package **next = sample_alloc(g->count, sizeof(*next));
    atomic_uint next_count = 0; /* on the stack, and the device counts in it */
    cl_kernel kernel = sample_kernel(s, "spread");
    double start = sample_now_ms();

    memcpy(gone, removed, count * sizeof(*gone));
    for (uint32_t distance = 1; count; distance++) {
        size_t global[2] = { count, count < 64 ? 64 : 1 };
        struct package **swap = gone;

        atomic_store(&next_count, 0);
        sample_set_pointer(kernel, 0, gone);
        sample_set_pointer(kernel, 1, next);
        sample_set_pointer(kernel, 2, &next_count);
        sample_set_uint(kernel, 3, distance);
        sample_run(s, kernel, 2, global);
        count = atomic_load(&next_count);
        if (count > g->count)
            sample_die("wrong: the device says that %zu of %zu packages break in step %" PRIu32,
                       count, g->count, distance);
        gone = next;
        next = swap;
    }
    start = sample_now_ms() - start;
    clReleaseKernel(kernel);
    free(gone);
    free(next);
    return start;
}

/*
 * Checks an answer against the rule, from the packages to their dependencies: a package breaks one
 * step after the last package of the first of its dependencies that has nothing left, or not at
 * all. That is enough, as steps only grow: no answer but the right one passes. Returns how many
 * packages are wrong.
 */
static size_t check_rule(const struct graph *g)
{
    size_t wrong = 0;

    for (size_t i = 0; i < g->count; i++) {
        const struct package *package = g->packages[i];
        uint32_t first = STAYS;

        if (!package->host_distance)
            continue;
        for (uint32_t c = 0; c < package->clause_count; c++) {
            uint32_t last = 0;

            for (uint32_t f = 0; f < package->clauses[c]->count; f++)
                if (package->clauses[c]->fulfilled_by[f]->host_distance > last)
                    last = package->clauses[c]->fulfilled_by[f]->host_distance;
            if (last < first)
                first = last;
        }
        if (first != STAYS)
            first++;
        if (first != package->host_distance) {
            if (wrong++ < 5)
                fprintf(stderr,
                        "%s: by the rule it goes in step %" PRId32 ", the host says %" PRId32 "\n",
                        package->name, (int32_t)first, (int32_t)package->host_distance);
        }
    }
    return wrong;
}

/* Compares the device's answer with the host's; returns how many packages differ. */
static size_t compare_answers(struct graph *g)
{
    size_t wrong = 0;

    for (size_t i = 0; i < g->count; i++) {
        struct package *package = g->packages[i];
        uint32_t distance = atomic_load_explicit(&package->distance, memory_order_relaxed);

        if (distance != package->host_distance && wrong++ < 5)
            fprintf(stderr,
                    "%s: the device says step %" PRId32 ", the host %" PRId32 " (-1: it stays)\n",
                    package->name, (int32_t)distance, (int32_t)package->host_distance);
    }
    return wrong;
}

/* ---- showing it ---- */

static void print_json_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
            printf("\\u%04x", (unsigned char)*text);
        else
            putchar(*text);
    }
    putchar('"');
}

/*
 * Returns the packages that break, sorted by step and name. Those of step n lie from (*ends)[n - 1]
 * up to and without (*ends)[n]; *steps is the last n.
 */
static struct package **sort_by_step(const struct graph *g, size_t *steps, size_t **ends)
{
    struct package **sorted = sample_alloc(g->count, sizeof(*sorted));
    size_t *at;

    *steps = 0;
    for (size_t i = 0; i < g->count; i++)
        if (g->packages[i]->host_distance != STAYS && g->packages[i]->host_distance > *steps)
            *steps = g->packages[i]->host_distance;
    *ends = sample_alloc(*steps + 1, sizeof(**ends));
    at = sample_alloc(*steps + 1, sizeof(*at));
    memset(*ends, 0, (*steps + 1) * sizeof(**ends));
    for (size_t i = 0; i < g->count; i++)
        if (g->packages[i]->host_distance != STAYS && g->packages[i]->host_distance)
            (*ends)[g->packages[i]->host_distance]++;
    at[0] = 0;
    for (size_t step = 1; step <= *steps; step++) {
        at[step] = (*ends)[step - 1];
        (*ends)[step] += (*ends)[step - 1];
    }
    for (size_t i = 0; i < g->count; i++)
        if (g->packages[i]->host_distance != STAYS && g->packages[i]->host_distance)
            sorted[at[g->packages[i]->host_distance]++] = g->packages[i];
    free(at);
    return sorted;
}

static void print_steps(const struct graph *g, const struct options *o)
{
    size_t steps, *ends;
    struct package **sorted = sort_by_step(g, &steps, &ends);

    for (size_t step = 1; step <= steps; step++) {
        size_t count = ends[step] - ends[step - 1];
        size_t shown = o->names && o->names < count ? o->names : count;

        printf("step %-3zu %6zu  ", step, count);
        /* names from all over the alphabet say more than the first few */
        for (size_t i = 0; i < shown; i++)
            printf("%s%s", i ? " " : "", sorted[ends[step - 1] + i * count / shown]->name);
        printf("%s\n", shown < count ? " ..." : "");
    }
    printf("breaks   %zu of %zu packages\n", ends[steps], g->count);
    free(sorted);
    free(ends);
}

static void print_json(const struct graph *g, const char *from, const struct sample *s,
                       struct package **removed, size_t count, double device_ms, double host_ms)
{
    size_t steps, *ends;
    struct package **sorted = sort_by_step(g, &steps, &ends);

    printf("{\n  \"device\": ");
    if (s)
        print_json_string(s->device_name);
    else
        printf("null");
    printf(",\n  \"data\": ");
    print_json_string(from);
    printf(",\n  \"packages\": %zu, \"installed\": %zu, \"dependencies\": %zu, \"links\": %zu,\n",
           g->count, g->installed_count, g->clause_count, g->link_count);
    printf("  \"removed\": [");
    for (size_t i = 0; i < count; i++) {
        printf("%s", i ? "," : "");
        print_json_string(removed[i]->name);
    }
    printf("],\n  \"broken\": %zu,\n  \"levels\": [", ends[steps]);
    for (size_t step = 1; step <= steps; step++) {
        printf("%s[", step > 1 ? "," : "");
        for (size_t i = ends[step - 1]; i < ends[step]; i++) {
            printf("%s", i > ends[step - 1] ? "," : "");
            print_json_string(sorted[i]->name);
        }
        printf("]");
    }
    printf("],\n");
    if (s)
        printf("  \"device_ms\": %.3f,\n", device_ms);
    printf("  \"host_ms\": %.3f,\n  \"verified\": %s\n}\n", host_ms, s ? "true" : "null");
    free(sorted);
    free(ends);
}

/* Finds the packages named on the command line; exits with 1 and says so if one is not there. */
static struct package **find_removed(struct graph *g, const struct options *o, const char *from,
                                     size_t *count)
{
    struct package **removed = sample_alloc(o->wanted_count, sizeof(*removed));

    *count = 0;
    for (size_t i = 0; i < o->wanted_count; i++) {
        struct name *name = find_name(g, o->wanted[i], strlen(o->wanted[i]), false);
        bool again = false;

        if (!name || (!name->package && !name->provider_count))
            sample_die(
                "no package is called %s in %s (%zu packages)%s", o->wanted[i], from, g->count,
                o->files.installed_only && !o->files.count ? "; --all also looks in apt's lists"
                                                    : "; name one that is there: PACKAGE...");
        if (!name->package)
            sample_die(
                "%s is not a package but a name that %zu packages provide, such as %s: name those",
                o->wanted[i], name->provider_count, name->providers[0]->name);
        for (size_t j = 0; j < *count; j++)
            again |= removed[j] == name->package;
        if (!again)
            removed[(*count)++] = name->package;
    }
    return removed;
}

int main(int argc, char **argv)
{
    static char *libc[] = { "libc6" };
    struct options o = { .names = 4, .wanted = libc, .wanted_count = 1 };
    struct sample_needs needs = {
        .svm = CL_DEVICE_SVM_FINE_GRAIN_SYSTEM,
        .atomics = CL_DEVICE_ATOMIC_SCOPE_DEVICE,
    };
    struct graph g = { 0 };
    struct sample sample;
    struct package **removed;
    size_t removed_count;
    double start, device_ms = 0, host_ms;
    const char *from;

    argp_parse(&argp, argc, argv, 0, NULL, &o);
    needs.match = o.device;

    start = sample_now_ms();
    from = read_packages(&g, &o.files);
    link_packages(&g);
    if (!g.count)
        sample_die("there is no package in %s; name a file that has some with --packages FILE",
                   from);
    removed = find_removed(&g, &o, from, &removed_count);
    if (!o.json) {
        printf("data     %s, read in %.0f ms\n", from, sample_now_ms() - start);
        printf(
            "graph    %zu packages (%zu installed), %zu dependencies, %zu pointers to what fulfils "
            "them\n",
            g.count, g.installed_count, g.clause_count, g.link_count);
        if (g.unfulfilled_count)
            printf("         %zu dependencies that nothing here fulfils are left out\n",
                   g.unfulfilled_count);
        fflush(stdout);
    }
    reset_host(&g, removed, removed_count);
    host_ms = search_on_host(&g, removed, removed_count);
    if (check_rule(&g))
        sample_die("wrong: the host's answer does not follow the rule");

    if (!o.host_only) {
        size_t wrong;

        sample_open(&sample, &needs);
        if (!o.json)
            printf("device   %s (%s)\n", sample.device_name, sample.platform_name);
        sample_build(&sample, kernel_sources, kernel_source_count);
        /* the first run includes what drivers put off until then; the second is the one to time */
        for (int run = 0; run < 2; run++) {
            reset_device(&g, removed, removed_count);
            device_ms = search_on_device(&sample, &g, removed, removed_count);
            wrong = compare_answers(&g);
            if (wrong)
                sample_die("wrong: device and host differ on %zu of %zu packages", wrong, g.count);
        }
    }
    if (o.json) {
        print_json(&g, from, o.host_only ? NULL : &sample, removed, removed_count, device_ms,
                   host_ms);
    } else {
        printf("removed ");
        for (size_t i = 0; i < removed_count; i++)
            printf(" %s", removed[i]->name);
        printf("\n");
        print_steps(&g, &o);
        if (o.host_only)
            printf("time     host %.2f ms\n", host_ms);
        else
            printf("time     device %.2f ms, host %.2f ms\n"
                   "verified: the device's answer is the host's, and follows the rule\n",
                   device_ms, host_ms);
    }
    if (!o.host_only)
        sample_close(&sample);
    free(removed);
    free(o.files.paths);
    free_graph(&g);
    return 0;
}
