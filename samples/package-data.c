/*
 * Reads package data into a graph; package-data.h says what each function promises.
 *
 * Locking: none; one thread, before the device sees anything of it.
 */
#define _GNU_SOURCE
#include "package-data.h"
#include "sample.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define APT_LISTS "/var/lib/apt/lists/*_Packages*"
#define APT_HELPER "/usr/lib/apt/apt-helper"

extern char **environ;

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

struct name *find_name(struct graph *g, const char *text, size_t length, bool make)
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

const char *read_packages(struct graph *g, const struct package_files *files)
{
    const char *from = DPKG_STATUS;

    if (files->count) {
        for (size_t i = 0; i < files->count; i++)
            read_file(g, files->paths[i]);
        return files->count == 1 ? files->paths[0] : "the files given";
    }
    if (access(DPKG_STATUS, R_OK))
        sample_die("cannot read %s: %s. This machine seems to have no dpkg; any Packages file of a "
                   "Debian-like system will do: --packages FILE",
                   DPKG_STATUS, strerror(errno));
    read_file(g, DPKG_STATUS);
    if (!files->installed_only) {
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

void link_packages(struct graph *g)
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

void free_graph(struct graph *g)
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
