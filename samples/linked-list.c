/*
 * linked-list: the device walks linked lists that plain malloc built, and changes them in place.
 *
 * Every node is a malloc of its own; the nodes of a list lie all over the heap. In each round the
 * device unlinks nodes, changes values and reverses each list; the host compares every node, link
 * and value with what it worked out on a copy, frees what the device unlinked and links fresh nodes
 * in. No copy, no map, no SVM allocation: both sides follow the same pointers.
 *
 * Locking: none; host and device take turns.
 */
#define _GNU_SOURCE
#include "linked-list.h"
#include "sample.h"

#include "linked-list-kernels.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct options {
    const char *device;
    size_t lists, nodes, rounds;
    uint64_t seed;
};

/* A list as it has to be: the nodes in their order and their values. */
struct copy {
    struct node **nodes;
    uint64_t *values;
    size_t length;
};

static const struct argp_option option_table[] = {
    { "lists", 'l', "N", 0, "Lists, one work-item each (128)", 0 },
    { "nodes", 'n', "N", 0, "Nodes in each list at the start (2000)", 0 },
    { "rounds", 'r', "N", 0, "Rounds of device and host changing the lists in turn (3)", 0 },
    { "quick", 'q', NULL, 0, "Small numbers, for slow machines: 16 lists, 500 nodes, 2 rounds", 0 },
    { "device", 'd', "SUBSTRING", 0, "Only a device with this in its own or its platform's name",
      0 },
    { "seed", 's', "N", 0, "Seed of the values and of the nodes' order (1)", 0 },
    { 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'l':
        o->lists = sample_number(state, "--lists", arg, 1, 1000000);
        break;
    case 'n':
        o->nodes = sample_number(state, "--nodes", arg, 1, 100000000);
        break;
    case 'r':
        o->rounds = sample_number(state, "--rounds", arg, 1, 1000000);
        break;
    case 'q':
        o->lists = 16;
        o->nodes = 500;
        o->rounds = 2;
        break;
    case 'd':
        o->device = arg;
        break;
    case 's':
        o->seed = sample_number(state, "--seed", arg, 0, UINT64_MAX);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp argp = {
    .options = option_table,
    .parser = parse_option,
    .doc = "The device walks linked lists built with plain malloc and changes them in place.\v"
           "Exit status: 0 verified, 1 wrong or failed, 77 no device with fine-grained system SVM.",
};

/* A node on its own, of uneven size so that nodes do not lie in step. */
static struct node *new_node(uint64_t *random)
{
    struct node *node = sample_alloc(1, sizeof(*node) + sample_random(random) % 96);

    node->next = NULL;
    node->value = sample_random(random) & 0xffffffffu;
    return node;
}

/* Makes the lists; which node comes next in a list has nothing to do with where it lies. */
static struct list **make_lists(const struct options *o, uint64_t *random)
{
    size_t total = o->lists * o->nodes;
    struct list **lists = sample_alloc(o->lists, sizeof(*lists));
    struct node **nodes = sample_alloc(total, sizeof(*nodes));

    for (size_t i = 0; i < total; i++)
        nodes[i] = new_node(random);
    for (size_t i = total - 1; i > 0; i--) {
        size_t j = sample_random(random) % (i + 1);
        struct node *node = nodes[i];

        nodes[i] = nodes[j];
        nodes[j] = node;
    }
    for (size_t l = 0; l < o->lists; l++) {
        lists[l] = sample_alloc(1, sizeof(*lists[l]));
        *lists[l] = (struct list){ 0 };
        for (size_t n = 0; n < o->nodes; n++) {
            struct node *node = nodes[l * o->nodes + n];

            node->next = lists[l]->head;
            lists[l]->head = node;
        }
    }
    free(nodes);
    return lists;
}

static struct copy copy_list(const struct list *list)
{
    struct copy copy = { 0 };
    size_t n = 0;

    for (struct node *node = list->head; node; node = node->next)
        copy.length++;
    copy.nodes = sample_alloc(copy.length, sizeof(*copy.nodes));
    copy.values = sample_alloc(copy.length, sizeof(*copy.values));
    for (struct node *node = list->head; node; node = node->next) {
        copy.nodes[n] = node;
        copy.values[n++] = node->value;
    }
    return copy;
}

/*
 * The edit as arrays see it: splits the copy into what stays (last first) and what goes (last
 * first).
 */
static void edit_copy(const struct copy *before, struct copy *kept, struct copy *removed)
{
    for (struct copy *part = kept;; part = removed) {
        *part = (struct copy){ 0 };
        part->nodes = sample_alloc(before->length, sizeof(*part->nodes));
        part->values = sample_alloc(before->length, sizeof(*part->values));
        if (part == removed)
            break;
    }
    for (size_t n = before->length; n-- > 0;) {
        uint64_t value = before->values[n];
        bool stays = value % REMOVE_DIVISOR != 0;
        struct copy *part = stays ? kept : removed;

        part->nodes[part->length] = before->nodes[n];
        part->values[part->length++] = stays ? CHANGED(value) : value;
    }
}

static void free_copy(struct copy *copy)
{
    free(copy->nodes);
    free(copy->values);
}

/*
 * Says where a chain differs from what it has to be; true if nowhere. A wrong link is never
 * followed.
 */
static bool same_chain(const struct node *node, const struct copy *want, size_t list,
                       const char *what)
{
    for (size_t n = 0; n < want->length; n++, node = node->next) {
        if (node != want->nodes[n]) {
            fprintf(stderr, "list %zu, %s node %zu: is %p, should be %p\n", list, what, n,
                    (const void *)node, (const void *)want->nodes[n]);
            return false;
        }
        if (node->value != want->values[n]) {
            fprintf(stderr, "list %zu, %s node %zu: value %" PRIu64 ", should be %" PRIu64 "\n",
                    list, what, n, (uint64_t)node->value, want->values[n]);
            return false;
        }
    }
    if (node) {
        fprintf(stderr, "list %zu: %s nodes go on after the last of %zu\n", list, what,
                want->length);
        return false;
    }
    return true;
}

/* Compares one list with its copy from before the edit; true if it is as it has to be. */
static bool check_list(const struct list *list, const struct copy *before, size_t number)
{
    struct copy kept, removed;
    uint64_t sum = 0;
    bool ok;

    edit_copy(before, &kept, &removed);
    for (size_t n = 0; n < kept.length; n++)
        sum += kept.values[n];
    ok = same_chain(list->head, &kept, number, "kept") &&
         same_chain(list->removed, &removed, number, "unlinked");
    if (ok && (list->length != kept.length || list->sum != sum)) {
        fprintf(stderr,
                "list %zu: length %" PRIu64 " and sum %" PRIu64 ", should be %zu and %" PRIu64 "\n",
                number, (uint64_t)list->length, (uint64_t)list->sum, kept.length, sum);
        ok = false;
    }
    free_copy(&kept);
    free_copy(&removed);
    return ok;
}

static void free_chain(struct node *node)
{
    while (node) {
        struct node *next = node->next;

        free(node);
        node = next;
    }
}

/* The host's turn: frees what was unlinked and links as many fresh nodes in, here and there. */
static size_t refill_list(struct list *list, uint64_t *random)
{
    struct node **link = &list->head;
    size_t fresh = 0, gap;

    for (struct node *node = list->removed; node; node = node->next)
        fresh++;
    free_chain(list->removed);
    list->removed = NULL;
    gap = fresh ? list->length / fresh + 1 : 1;
    for (size_t i = 0; i < fresh; i++) {
        struct node *node = new_node(random);

        for (size_t step = sample_random(random) % (2 * gap); step > 0 && *link; step--)
            link = &(*link)->next;
        node->next = *link;
        *link = node;
    }
    return fresh;
}

int main(int argc, char **argv)
{
    struct options o = { .lists = 128, .nodes = 2000, .rounds = 3, .seed = 1 };
    struct sample_needs needs = { .svm = CL_DEVICE_SVM_FINE_GRAIN_SYSTEM };
    struct list **lists;
    struct copy *before;
    struct sample sample;
    cl_kernel kernel;
    uint64_t random;
    bool ok = true;

    argp_parse(&argp, argc, argv, 0, NULL, &o);
    needs.match = o.device;
    random = sample_seed(o.seed);

    sample_open(&sample, &needs);
    printf("device   %s (%s)\n", sample.device_name, sample.platform_name);
    sample_build(&sample, kernel_sources, kernel_source_count);
    kernel = sample_kernel(&sample, "edit");

    lists = make_lists(&o, &random);
    before = sample_alloc(o.lists, sizeof(*before));
    printf("lists    %zu of %zu nodes, each node a malloc of its own\n", o.lists, o.nodes);

    for (size_t round = 1; ok && round <= o.rounds; round++) {
        size_t kept = 0, total = 0;
        double start, took;

        for (size_t l = 0; l < o.lists; l++) {
            before[l] = copy_list(lists[l]);
            total += before[l].length;
        }
        start = sample_now_ms();
        sample_set_pointer(kernel, 0, lists);
        sample_run(&sample, kernel, 1, &o.lists);
        took = sample_now_ms() - start;
        for (size_t l = 0; l < o.lists; l++) {
            /* after the first wrong list the rest is only freed */
            ok = ok && check_list(lists[l], &before[l], l);
            kept += lists[l]->length;
            free_copy(&before[l]);
        }
        if (!ok)
            break;
        printf("round %zu  the device unlinked %zu nodes, changed and reversed %zu, in %.2f ms",
               round, total - kept, kept, took);
        if (round < o.rounds) {
            size_t fresh = 0;

            for (size_t l = 0; l < o.lists; l++)
                fresh += refill_list(lists[l], &random);
            printf("; the host linked in %zu", fresh);
        }
        printf("\n");
        fflush(stdout);
    }
    clReleaseKernel(kernel);
    sample_close(&sample);
    if (!ok)
        sample_die(
            "the lists are not what they have to be; the same numbers and --seed show it again");

    for (size_t l = 0; l < o.lists; l++) {
        free_chain(lists[l]->head);
        free_chain(lists[l]->removed);
        free(lists[l]);
    }
    free(lists);
    free(before);
    printf("verified: every node, link and value is what the host's copy says\n");
    return 0;
}
