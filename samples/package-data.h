/*
 * The machine's packages and what they depend on, read from dpkg's and apt's data into the structs
 * of package-graph.h. The head of package-graph.c has the rule of what depends on what.
 *
 * Locking: none. What goes wrong is said, and ends the program with 1.
 */
#ifndef PACKAGE_DATA_H
#define PACKAGE_DATA_H

#include "package-graph.h"

#include <stdbool.h>
#include <stddef.h>

#define DPKG_STATUS "/var/lib/dpkg/status"

/* What a name in a dependency stands for. */
struct name {
    struct name *next; /* in its bucket */
    char *text;
    struct package *package;    /* the package of that name, or NULL */
    struct package **providers; /* those that Provide it */
    size_t provider_count;
};

struct graph {
    struct name **buckets;
    size_t bucket_count, name_count;
    struct package **packages; /* sorted by name once it is complete */
    size_t count, room;
    size_t clause_count, link_count, unfulfilled_count, installed_count;
};

/* What to read: these files; without any, the machine's own data. */
struct package_files {
    const char **paths;
    size_t count;
    bool installed_only; /* not what apt knows besides */
};

/* Reads packages; describes where they came from. */
const char *read_packages(struct graph *g, const struct package_files *files);

/* Turns the lists of names into pointers between packages. */
void link_packages(struct graph *g);

/* Returns the name, a new one if need be and make says so; NULL otherwise. */
struct name *find_name(struct graph *g, const char *text, size_t length, bool make);

void free_graph(struct graph *g);

#endif
