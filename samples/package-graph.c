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
#include "package-graph.h"
#include "sample.h"

#include "package-graph-kernels.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DPKG_STATUS "/var/lib/dpkg/status"
#define APT_LISTS "/var/lib/apt/lists/*_Packages*"
#define APT_HELPER "/usr/lib/apt/apt-helper"

extern char **environ;

struct options {
    const char *device;
    const char **files;
    char **wanted;
    size_t file_count, wanted_count, names;
    bool installed_only, json, host_only;
};

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
        o->installed_only = true;
        break;
    case 'a':
        o->installed_only = false;
        break;
    case 'p':
        o->files = sample_realloc(o->files, o->file_count + 1, sizeof(*o->files));
        o->files[o->file_count++] = arg;
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

/* ---- names ---- */

static uint64_t hash_text(const char *text, size_t length)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    return hash;
}

static void grow_buckets(struct graph *g)
{
    size_t count = g->bucket_count ? 4 * g->bucket_count : 4096;
    struct name **buckets = sample_alloc(count, sizeof(*buckets));

    for (size_t i = 0; i < count; i++)
        buckets[i] = NULL;
    for (size_t i = 0; i < g->bucket_count; i++) {
        for (struct name *name = g->buckets[i], *next; name; name = next) {
            size_t slot = hash_text(name->text, strlen(name->text)) % count;

            next = name->next;
            name->next = buckets[slot];
            buckets[slot] = name;
        }
    }
    free(g->buckets);
    g->buckets = buckets;
    g->bucket_count = count;
}

/* Returns the name, a new one if need be and make says so; NULL otherwise. */
static struct name *find_name(struct graph *g, const char *text, size_t length, bool make)
{
    struct name *name;
    size_t slot;

    if (make && g->name_count >= g->bucket_count)
        grow_buckets(g);
    if (!g->bucket_count)
        return NULL;
    slot = hash_text(text, length) % g->bucket_count;
    for (name = g->buckets[slot]; name; name = name->next)
        if (!strncmp(name->text, text, length) && !name->text[length])
            return name;
    if (!make)
        return NULL;
    name = sample_alloc(1, sizeof(*name));
    *name = (struct name){ .next = g->buckets[slot], .text = sample_alloc(length + 1, 1) };
    memcpy(name->text, text, length);
    name->text[length] = '\0';
    g->buckets[slot] = name;
    g->name_count++;
    return name;
}

/* ---- versions ---- */

/* How a character sorts in a version's part that is no number: ~, end, letters, the rest. */
static int rank_char(char c)
{
    if (c == '~')
        return -1;
    if (!c || isdigit((unsigned char)c))
        return 0;
    return isalpha((unsigned char)c) ? (unsigned char)c : (unsigned char)c + 256;
}

/* Compares two versions without their epochs by Debian policy 5.6.12: text and numbers in turn. */
static int compare_parts(const char *a, const char *b)
{
    while (*a || *b) {
        size_t digits_a, digits_b;
        int order;

        while ((*a && !isdigit((unsigned char)*a)) || (*b && !isdigit((unsigned char)*b))) {
            order = rank_char(*a) - rank_char(*b);
            if (order)
                return order;
            a++;
            b++;
        }
        a += strspn(a, "0");
        b += strspn(b, "0");
        digits_a = strspn(a, "0123456789");
        digits_b = strspn(b, "0123456789");
        if (digits_a != digits_b)
            return digits_a < digits_b ? -1 : 1;
        order = strncmp(a, b, digits_a);
        if (order)
            return order;
        a += digits_a;
        b += digits_b;
    }
    return 0;
}

/* Cuts the epoch off a version; returns it and moves *version behind it. */
static unsigned long cut_epoch(const char **version)
{
    const char *colon = strchr(*version, ':');
    unsigned long epoch;

    if (!colon)
        return 0;
    epoch = strtoul(*version, NULL, 10);
    *version = colon + 1;
    return epoch;
}

/* Splits the revision off at the last '-', for "1.0" is older than "1.0-1" but "1.0a-1" is newer.
 */
static char *split_revision(char *version)
{
    char *dash = strrchr(version, '-');

    if (!dash)
        return version + strlen(version);
    *dash = '\0';
    return dash + 1;
}

/* Less than, equal to or more than 0 as version a is older than, the same as or newer than b. */
static int compare_versions(const char *a, const char *b)
{
    unsigned long epoch_a = cut_epoch(&a), epoch_b = cut_epoch(&b);
    char *copy_a, *copy_b, *revision_a, *revision_b;
    int order;

    if (epoch_a != epoch_b)
        return epoch_a < epoch_b ? -1 : 1;
    copy_a = strdup(a);
    copy_b = strdup(b);
    if (!copy_a || !copy_b)
        sample_die("no memory for a version");
    revision_a = split_revision(copy_a);
    revision_b = split_revision(copy_b);
    order = compare_parts(copy_a, copy_b);
    if (!order)
        order = compare_parts(revision_a, revision_b);
    free(copy_a);
    free(copy_b);
    return order;
}

/* ---- reading packages ---- */

/* The fields of the paragraph being read; all malloc'ed or NULL. */
struct paragraph {
    char *package, *version, *status, *depends, *pre_depends, *provides;
};

static void clear_paragraph(struct paragraph *p)
{
    free(p->package);
    free(p->version);
    free(p->status);
    free(p->depends);
    free(p->pre_depends);
    free(p->provides);
    *p = (struct paragraph){ 0 };
}

/* Joins two malloc'ed lists of dependencies, either of which may be NULL, and takes both over. */
static char *join_lists(char *a, char *b)
{
    char *both;

    if (!a || !b)
        return a ? a : b;
    if (asprintf(&both, "%s,%s", a, b) < 0)
        sample_die("no memory for a list of dependencies");
    free(a);
    free(b);
    return both;
}

/* Takes over a paragraph's package, unless there is a newer one of that name already. */
static void add_paragraph(struct graph *g, struct paragraph *p)
{
    /* the third word of Status says what is on the disk; a Packages file has no Status */
    bool installed = p->status &&
                     (strstr(p->status, " installed") || strstr(p->status, " triggers-"));
    const char *version = p->version ? p->version : "";
    struct package *package;
    struct name *name;

    if (!p->package || !*p->package || (p->status && !installed)) {
        clear_paragraph(p);
        return;
    }
    name = find_name(g, p->package, strlen(p->package), true);
    package = name->package;
    if (package) {
        package->installed |= installed;
        if (compare_versions(version, package->version) <= 0) {
            clear_paragraph(p);
            return;
        }
    } else {
        package = sample_alloc(1, sizeof(*package));
        *package = (struct package){ .name = name->text, .installed = installed };
        name->package = package;
        if (g->count == g->room) {
            g->room = g->room ? 2 * g->room : 4096;
            g->packages = sample_realloc(g->packages, g->room, sizeof(*g->packages));
        }
        g->packages[g->count++] = package;
    }
    free(package->version);
    free(package->depends);
    free(package->provides);
    package->version = p->version ? p->version : strdup("");
    package->depends = join_lists(p->pre_depends, p->depends);
    package->provides = p->provides;
    if (!package->version)
        sample_die("no memory for a version");
    p->version = p->depends = p->pre_depends = p->provides = NULL;
    clear_paragraph(p);
}

/*
 * Reads paragraphs of "Field: value" lines until the end of the stream; returns how many lines it
 * saw.
 */
static size_t read_paragraphs(struct graph *g, FILE *in)
{
    struct paragraph p = { 0 };
    const struct {
        const char *name;
        char **value;
    } fields[] = {
        { "Package:", &p.package },         { "Version:", &p.version },
        { "Status:", &p.status },           { "Depends:", &p.depends },
        { "Pre-Depends:", &p.pre_depends }, { "Provides:", &p.provides },
    };
    char **current = NULL; /* where a line that goes on belongs */
    char *line = NULL;
    size_t room = 0, lines = 0;
    ssize_t length;

    while ((length = getline(&line, &room, in)) >= 0) {
        lines++;
        while (length > 0 && isspace((unsigned char)line[length - 1]))
            line[--length] = '\0';
        if (!length) {
            add_paragraph(g, &p);
            current = NULL;
        } else if (line[0] == ' ' || line[0] == '\t') {
            if (current) {
                size_t had = strlen(*current);

                *current = sample_realloc(*current, had + length + 1, 1);
                memcpy(*current + had, line, length + 1);
            }
        } else {
            current = NULL;
            for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
                size_t n = strlen(fields[i].name);

                if (strncasecmp(line, fields[i].name, n))
                    continue;
                current = fields[i].value;
                free(*current);
                *current = strdup(line + n + strspn(line + n, " \t"));
                if (!*current)
                    sample_die("no memory for a field");
                break;
            }
        }
    }
    add_paragraph(g, &p);
    free(line);
    return lines;
}

/*
 * The program that turns a compressed file into text, by the file's first bytes; NULL if it is
 * text.
 */
static const char *unpacker_of(FILE *in)
{
    static const struct {
        const char *magic;
        size_t length;
        const char *program;
    } kinds[] = {
        { "\x1f\x8b", 2, "gzip" },
        { "\3757zXZ", 5, "xz" },
        { "\x28\xb5\x2f\xfd", 4, "zstd" },
        { "\x04\x22\x4d\x18", 4, "lz4" },
        { "BZh", 3, "bzip2" },
    };
    char start[8] = { 0 };
    size_t got = fread(start, 1, sizeof(start), in);

    rewind(in);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (got >= kinds[i].length && !memcmp(start, kinds[i].magic, kinds[i].length))
            return kinds[i].program;
    return NULL;
}

/*
 * Reads the packages that a program writes to its standard output; what is for the messages.
 * Returns how many lines there were, or -1 if there is no such program; exits with 1 if it fails.
 */
static ssize_t read_program(struct graph *g, char *const *argv, const char *what)
{
    posix_spawn_file_actions_t actions;
    int ends[2], error, status;
    size_t lines;
    pid_t child;
    FILE *in;

    if (pipe(ends))
        sample_die("cannot make a pipe: %s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    error = posix_spawnp(&child, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error == ENOENT) {
        close(ends[0]);
        return -1;
    }
    if (error)
        sample_die(
            "cannot read %s: cannot start %s: %s; unpack the data and name it with --packages FILE",
            what, argv[0], strerror(error));
    in = fdopen(ends[0], "r");
    if (!in)
        sample_die("cannot read from %s: %s", argv[0], strerror(errno));
    lines = read_paragraphs(g, in);
    fclose(in);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            sample_die("cannot wait for %s: %s", argv[0], strerror(errno));
    if (status)
        sample_die("cannot read %s: %s failed with status %d; name other data with --packages FILE",
                   what, argv[0], WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return lines;
}

/* Reads one file of packages, compressed or not; exits with 1 and says why if it cannot. */
static void read_file(struct graph *g, const char *path)
{
    const char *program;
    FILE *in = fopen(path, "r");

    if (!in)
        sample_die("cannot read %s: %s; name another file of packages with --packages FILE", path,
                   strerror(errno));
    program = unpacker_of(in);
    if (!program) {
        read_paragraphs(g, in);
        if (ferror(in))
            sample_die("cannot read %s: %s; name another file of packages with --packages FILE",
                       path, strerror(errno));
    } else {
        char *unpack[] = { (char *)program, "-dc", (char *)path, NULL };
        /* apt's own reader knows all that apt writes, but takes a cut-off file for a whole one */
        char *apt_reader[] = { APT_HELPER, "cat-file", (char *)path, NULL };

        if (read_program(g, unpack, path) < 0 && read_program(g, apt_reader, path) < 0)
            sample_die(
                "cannot read %s: it takes the program %s; install it, or unpack the file and name "
                "it with --packages FILE",
                path, program);
    }
    fclose(in);
}

/* Reads what apt knows; returns false if it knows nothing beyond what is installed. */
static bool read_apt(struct graph *g)
{
    static const char *const endings[] = { "", ".lz4", ".gz", ".xz", ".zst", ".bz2" };
    glob_t lists = { 0 };
    bool any = false;

    if (!glob(APT_LISTS, 0, NULL, &lists)) {
        for (size_t i = 0; i < lists.gl_pathc; i++) {
            const char *ending = strstr(lists.gl_pathv[i], "_Packages") + strlen("_Packages");

            for (size_t e = 0; e < sizeof(endings) / sizeof(endings[0]); e++) {
                if (strcmp(ending, endings[e]))
                    continue;
                read_file(g, lists.gl_pathv[i]);
                any = true;
            }
        }
    }
    globfree(&lists);
    if (!any && !access("/usr/bin/apt-cache", X_OK)) {
        /* the lists lie elsewhere (Dir::State::lists): apt knows where */
        char *argv[] = { "apt-cache", "dumpavail", NULL };

        any = read_program(g, argv, "what apt knows") > 0;
    }
    return any;
}

/* Reads the packages that the options ask for; describes where they came from. */
static const char *read_packages(struct graph *g, const struct options *o)
{
    const char *from = DPKG_STATUS;

    if (o->file_count) {
        for (size_t i = 0; i < o->file_count; i++)
            read_file(g, o->files[i]);
        return o->file_count == 1 ? o->files[0] : "the files given";
    }
    if (access(DPKG_STATUS, R_OK))
        sample_die("cannot read %s: %s. This machine seems to have no dpkg; any Packages file of a "
                   "Debian-like system will do: --packages FILE",
                   DPKG_STATUS, strerror(errno));
    read_file(g, DPKG_STATUS);
    if (!o->installed_only) {
        size_t installed = g->count;

        if (read_apt(g) && g->count > installed)
            from = "dpkg's status and apt's lists";
        else
            fprintf(stderr,
                    "%s: apt has no lists here, so only installed packages count ('apt-get update' "
                    "fetches lists)\n",
                    program_invocation_short_name);
    }
    return from;
}

/* ---- building the graph ---- */

/*
 * Takes the next name off a list and moves *list behind it. *separator becomes what ended it: ',',
 * '|' or, at the end of the list, 0. Versions, architectures and build profiles are passed over.
 * Returns the name's length; 0 for an empty item.
 */
static size_t next_item(const char **list, const char **item, char *separator)
{
    const char *text = *list + strspn(*list, " \t\n");
    size_t length = strcspn(text, " \t\n:,|([<");
    size_t whole = strcspn(text, ",|");

    *item = text;
    *separator = text[whole];
    *list = text + whole + (text[whole] != '\0');
    return length;
}

static int compare_packages(const void *a, const void *b)
{
    return strcmp((*(struct package *const *)a)->name, (*(struct package *const *)b)->name);
}

/* Adds a package to those that fulfil the clause, once. */
static void add_fulfiller(struct clause *clause, struct package *package)
{
    for (uint32_t i = 0; i < clause->count; i++)
        if (clause->fulfilled_by[i] == package)
            return;
    clause->fulfilled_by = sample_realloc(clause->fulfilled_by, clause->count + 1,
                                          sizeof(*clause->fulfilled_by));
    clause->fulfilled_by[clause->count++] = package;
}

/*
 * Makes one clause of the alternatives that start at *list; moves *list behind them. NULL if none
 * is named.
 */
static struct clause *make_clause(struct graph *g, struct package *owner, const char **list)
{
    struct clause *clause = sample_alloc(1, sizeof(*clause));
    bool named = false;
    char separator;

    *clause = (struct clause){ .owner = owner };
    do {
        const char *item;
        size_t length = next_item(list, &item, &separator);
        struct name *name = length ? find_name(g, item, length, false) : NULL;

        named |= length > 0;
        if (!name)
            continue;
        if (name->package)
            add_fulfiller(clause, name->package);
        for (size_t i = 0; i < name->provider_count; i++)
            add_fulfiller(clause, name->providers[i]);
    } while (separator == '|');
    if (named)
        return clause;
    free(clause);
    return NULL;
}

/* Tells the packages that fulfil the clause about it, or drops it if there are none. */
static void add_clause(struct graph *g, struct clause *clause)
{
    struct package *owner = clause->owner;

    if (!clause->count) {
        g->unfulfilled_count++;
        free(clause);
        return;
    }
    for (uint32_t i = 0; i < clause->count; i++) {
        struct package *package = clause->fulfilled_by[i];

        if (package->fulfils_count == package->fulfils_room) {
            package->fulfils_room = package->fulfils_room ? 2 * package->fulfils_room : 2;
            package->fulfils = sample_realloc(package->fulfils, package->fulfils_room,
                                              sizeof(*package->fulfils));
        }
        package->fulfils[package->fulfils_count++] = clause;
    }
    owner->clauses = sample_realloc(owner->clauses, owner->clause_count + 1,
                                    sizeof(*owner->clauses));
    owner->clauses[owner->clause_count++] = clause;
    g->clause_count++;
    g->link_count += clause->count;
}

/* Turns the lists of names into pointers between packages. */
static void link_packages(struct graph *g)
{
    if (g->count) /* qsort must not get NULL */
        qsort(g->packages, g->count, sizeof(*g->packages), compare_packages);
    for (size_t i = 0; i < g->count; i++) {
        const char *list = g->packages[i]->provides;
        char separator = ',';

        g->installed_count += g->packages[i]->installed;
        while (list && separator) {
            const char *item;
            size_t length = next_item(&list, &item, &separator);
            struct name *name;

            if (!length)
                continue;
            name = find_name(g, item, length, true);
            name->providers = sample_realloc(name->providers, name->provider_count + 1,
                                             sizeof(*name->providers));
            name->providers[name->provider_count++] = g->packages[i];
        }
    }
    for (size_t i = 0; i < g->count; i++) {
        const char *list = g->packages[i]->depends;

        while (list && *list) {
            struct clause *clause = make_clause(g, g->packages[i], &list);

            if (clause)
                add_clause(g, clause);
        }
    }
}

static void free_graph(struct graph *g)
{
    for (size_t i = 0; i < g->bucket_count; i++) {
        for (struct name *name = g->buckets[i], *next; name; name = next) {
            next = name->next;
            free(name->text);
            free(name->providers);
            free(name);
        }
    }
    for (size_t i = 0; i < g->count; i++) {
        struct package *package = g->packages[i];

        for (uint32_t c = 0; c < package->clause_count; c++) {
            free(package->clauses[c]->fulfilled_by);
            free(package->clauses[c]);
        }
        free(package->clauses);
        free(package->fulfils);
        free(package->version);
        free(package->depends);
        free(package->provides);
        free(package);
    }
    free(g->buckets);
    free(g->packages);
}

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
                o->installed_only && !o->file_count ? "; --all also looks in apt's lists"
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
    from = read_packages(&g, &o);
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
    free(o.files);
    free_graph(&g);
    return 0;
}
