/* SPDX-License-Identifier: MIT */
/*
 * bench-plots.c - writes what gnuplot draws; see bench-plots.h. All of it goes to one gnuplot
 * through a pipe. No locking.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench-plots.h"
#include "bench-report.h"
#include "cli.h"

#define PAGES_PER_MIB 256.0
#define BLOCK_PAGES   512.0
#define TIME_POINTS   100 /* of a line, or twice as many at the most */
#define MAP_COLUMNS   100
#define MAP_ROWS      64

struct drawing {
    FILE *gnuplot;
    const char *folder;
    const struct bench_summary *summary;
    bool png;
};

static char *plot_name(const char *kind, const struct bench_key *key, bool size, bool policies)
{
    char *at = size ? cli_format("-%u", key->ratio) : cli_format("%s", "");
    char *of = policies ? cli_format("-%s-%s", key->policy, key->eviction) : cli_format("%s", "");
    char *name = cli_format("%s-%s%s%s", kind, key->workload, at, of);

    free(at);
    free(of);
    return name;
}

char *bench_plot_bars(const struct bench_key *key)
{
    return plot_name("bars", key, false, false);
}

char *bench_plot_time(const struct bench_key *key)
{
    return plot_name("time", key, true, false);
}

char *bench_plot_map(const struct bench_key *key)
{
    return plot_name("map", key, true, true);
}

/* ---- files ---- */

/* Runs the plot commands once for each kind of file. */
static void draw(const struct drawing *d, const char *name, unsigned width, unsigned height,
                 const char *commands)
{
    char *id = cli_format("%s", name), *c;

    for (c = id; *c; c++)
        if (!isalnum((unsigned char)*c))
            *c = '_';
    /* The name keeps apart what several drawings of one page define. */
    fprintf(d->gnuplot, "set terminal svg size %u,%u name '%s' font 'sans-serif,11'\n", width,
            height, id);
    free(id);
    fprintf(d->gnuplot, "set output '%s/plots/%s.svg'\n%sset output\n", d->folder, name, commands);
    if (!d->png)
        return;
    fprintf(d->gnuplot, "set terminal png size %u,%u\nset output '%s/plots/%s.png'\n%sset output\n",
            width, height, d->folder, name, commands);
}

/* gnuplot has markup in texts; names of policies and programs have none. */
#define RESET                                                                                     \
    "reset\nset encoding utf8\nset grid ytics lc rgb '#dddddd'\nset border 3\nset tics nomirror " \
    "out\n"

/* ---- bars ---- */

/* The pairs of policies that there are, in the order of their first cells; each key is of such a
 * cell. */
static size_t pairs_find(const struct bench_summary *s, const struct bench_key **pairs)
{
    size_t n = 0, i, k;

    for (i = 0; i < s->count; i++) {
        const struct bench_key *key = &s->cells[i].key;

        for (k = 0; k < n && (strcmp(pairs[k]->policy, key->policy) ||
                              strcmp(pairs[k]->eviction, key->eviction)); k++)
            ;
        if (k == n)
            pairs[n++] = key;
    }
    return n;
}

/* A pair's colour, the same in each plot: its number among the pairs, from 1. */
static size_t colour_of(const struct bench_summary *s, const struct bench_key *key)
{
    const struct bench_key **pairs = calloc(s->count, sizeof(*pairs));
    size_t n, i;

    if (!pairs)
        cli_die("out of memory");
    n = pairs_find(s, pairs);
    for (i = 0; i < n && (strcmp(pairs[i]->policy, key->policy) ||
                          strcmp(pairs[i]->eviction, key->eviction)); i++)
        ;
    free(pairs);
    return i + 1;
}

static int compare_ratios(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static size_t ratios_find(const struct bench_summary *s, int *ratios)
{
    size_t n = 0, i, k;

    for (i = 0; i < s->count; i++) {
        for (k = 0; k < n && ratios[k] != (int)s->cells[i].key.ratio; k++)
            ;
        if (k == n)
            ratios[n++] = (int)s->cells[i].key.ratio;
    }
    qsort(ratios, n, sizeof(*ratios), compare_ratios);
    return n;
}

static const struct bench_cell *cell_find(const struct bench_summary *s,
                                          const struct bench_key *pair, const char *workload,
                                          int ratio)
{
    size_t i;

    for (i = 0; i < s->count; i++)
        if ((int)s->cells[i].key.ratio == ratio && !strcmp(s->cells[i].key.workload, workload) &&
            !strcmp(s->cells[i].key.policy, pair->policy) &&
            !strcmp(s->cells[i].key.eviction, pair->eviction))
            return &s->cells[i];
    return NULL;
}

/* What a pair has at a size: of a workload, or (NULL) the geometric mean over all. False: nothing.
 */
static bool bar_value(const struct bench_summary *s, const struct bench_key *pair,
                      const char *workload, int ratio, struct bench_spread *value)
{
    const struct bench_cell *cell = workload ? cell_find(s, pair, workload, ratio) : NULL;
    struct bench_key key = *pair;
    double mean;

    key.ratio = (unsigned)ratio;
    mean = workload ? NAN : bench_mean(s, &key, NULL);
    *value = cell ? cell->ratio : (struct bench_spread){ !isnan(mean), mean, mean, mean };
    if (isnan(value->low))
        value->low = value->high = value->median;
    return value->n > 0;
}

/* Bars side by side for each size; see bar_value(). Nothing is drawn if there is none. */
static void bars_draw(const struct drawing *d, const char *name, const char *workload)
{
    const struct bench_summary *s = d->summary;
    const struct bench_key **pairs = calloc(s->count, sizeof(*pairs));
    int *ratios = calloc(s->count, sizeof(*ratios));
    bool *some = calloc(s->count, sizeof(*some));
    size_t nr_pairs, nr_ratios, i, k, length = 0;
    struct bench_spread value;
    const char *comma = "";
    char *text = NULL;
    FILE *out = open_memstream(&text, &length);

    if (!pairs || !ratios || !some || !out)
        cli_die("out of memory");
    nr_pairs = pairs_find(s, pairs);
    nr_ratios = ratios_find(s, ratios);
    fprintf(out, RESET "$d << EOD\n");
    for (k = 0; k < nr_ratios; k++) {
        fprintf(out, ratios[k] ? "\"%d %%\"" : "\"%d\"", ratios[k]);
        for (i = 0; i < nr_pairs; i++) {
            if (bar_value(s, pairs[i], workload, ratios[k], &value))
                fprintf(out, " %g %g %g", value.median, value.low, value.high);
            else
                fprintf(out, " NaN NaN NaN");
            some[i] |= value.n > 0;
        }
        fputc('\n', out);
    }
    fprintf(out,
            "EOD\nset style data histograms\nset style histogram errorbars gap 1 lw 1\n"
            "set style fill solid 0.8 noborder\nset logscale y\n"
            "set ylabel 'time / %s, logarithmic'\nset key outside right noenhanced\n"
            "set arrow from graph 0, first 1 to graph 1, first 1 nohead lc rgb '#555555'\nplot",
            s->peer);
    for (i = 0; i < nr_pairs; i++) {
        if (!some[i])
            continue;
        fprintf(out, "%s $d using %zu:%zu:%zu:xtic(1) lc %zu title '%s'", comma, 3 * i + 2,
                3 * i + 3, 3 * i + 4, colour_of(s, pairs[i]), bench_policies(pairs[i]));
        comma = ",";
    }
    fputc('\n', out);
    if (fclose(out))
        cli_die("out of memory");
    if (*comma)
        draw(d, name, 640, 260, text);
    free(text);
    free(pairs);
    free(ratios);
    free(some);
}

/* ---- over time ---- */

/* The samples of a cell's run; how many. */
static size_t samples_read(const char *folder, const struct bench_key *key,
                           struct json_object ***out)
{
    char *path = bench_watch_path(folder, key), *line = NULL;
    FILE *file = fopen(path, "re");
    size_t n = 0, room = 0;

    *out = NULL;
    while (file && getline(&line, &room, file) > 0) {
        struct json_object *o = json_tokener_parse(line);

        if (!o)
            continue;
        *out = realloc(*out, (n + 1) * sizeof(**out));
        if (!*out)
            cli_die("out of memory");
        (*out)[n++] = o;
    }
    if (file)
        fclose(file);
    free(line);
    free(path);
    return n;
}

static void samples_free(struct json_object **samples, size_t n)
{
    while (n)
        json_object_put(samples[--n]);
    free(samples);
}

static double number(struct json_object *o, const char *name)
{
    struct json_object *value;

    return json_object_object_get_ex(o, name, &value) ? json_object_get_double(value) : 0;
}

/* What has been counted since the first sample. */
static double since(struct json_object **samples, size_t i, const char *name)
{
    return number(samples[i], name) - number(samples[0], name);
}

/* Three panels, in each a line for each of the group's policies. */
static void time_draw(const struct drawing *d, size_t first, size_t count)
{
    static const char *const titles[] = { "device and CPU faults", "MiB moved, both ways",
                                          "pages that came again" };
    double most[3] = { 0 };
    size_t i, k, p, length = 0, lines = 0;
    char *text = NULL, *name = bench_plot_time(&d->summary->cells[first].key);
    FILE *out = open_memstream(&text, &length);

    if (!out)
        cli_die("out of memory");
    fprintf(out, RESET);
    for (i = first; i < first + count; i++) {
        struct json_object **samples;
        size_t n = samples_read(d->folder, &d->summary->cells[i].key, &samples);

        if (n > 1) {
            fprintf(out, "$d%zu << EOD\n", i - first);
            for (k = 0; k < n; k++) {
                double values[3] = {
                    since(samples, k, "device_faults") + since(samples, k, "cpu_faults"),
                    (since(samples, k, "pages_to_device") + since(samples, k, "pages_to_system")) /
                        PAGES_PER_MIB,
                    since(samples, k, "refaults"),
                };

                if (k % (n / TIME_POINTS + 1) && k + 1 < n)
                    continue;
                fprintf(out, "%g %g %g %g\n", number(samples[k], "time_s"), values[0], values[1],
                        values[2]);
                for (p = 0; p < 3; p++)
                    most[p] = values[p] > most[p] ? values[p] : most[p];
            }
            fprintf(out, "EOD\n");
            lines++;
        }
        samples_free(samples, n);
    }
    fprintf(out, "set multiplot layout 1,3\nset xlabel 'seconds'\n");
    for (k = 0; k < 3; k++) {
        const char *comma = "";

        /* Lines at 0 throughout have no range of their own. */
        fprintf(out, "set yrange [0:%s]\nset title '%s'\nset key %s\nplot", most[k] > 0 ? "*" : "1",
                titles[k], k ? "off" : "top left Left reverse noenhanced");
        for (i = first; i < first + count; i++) {
            char *path = bench_watch_path(d->folder, &d->summary->cells[i].key);
            struct stat st;

            if (!stat(path, &st) && st.st_size) {
                fprintf(out, "%s $d%zu using 1:%zu with lines lw 2 lc %zu title '%s'", comma,
                        i - first, k + 2, colour_of(d->summary, &d->summary->cells[i].key),
                        bench_policies(&d->summary->cells[i].key));
                comma = ",";
            }
            free(path);
        }
        fputc('\n', out);
    }
    fprintf(out, "unset multiplot\n");
    if (fclose(out))
        cli_die("out of memory");
    if (lines == count)
        draw(d, name, 960, 260, text);
    free(text);
    free(name);
}

/* ---- the map ---- */

static int compare_addresses(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static struct json_object *block_at(struct json_object *blocks, size_t i)
{
    return json_object_array_get_idx(blocks, i);
}

static int64_t block_field(struct json_object *block, size_t i)
{
    return json_object_get_int64(json_object_array_get_idx(block, i));
}

/* The addresses of the blocks that had pages in device memory or faults while it was watched; how
 * many. */
static size_t addresses_find(struct json_object **samples, size_t n, uint64_t **out)
{
    struct json_object *first = NULL, *last = NULL, *blocks;
    size_t count = 0, room = 0, i, k, m;

    *out = NULL;
    json_object_object_get_ex(samples[0], "blocks", &first);
    json_object_object_get_ex(samples[n - 1], "blocks", &last);
    for (i = 0; i < n; i++) {
        if (!json_object_object_get_ex(samples[i], "blocks", &blocks))
            continue;
        for (k = 0; k < json_object_array_length(blocks); k++) {
            struct json_object *block = block_at(blocks, k);
            bool used = block_field(block, 1) > 0;

            /* Faults are looked at once, from the first sample to the last. */
            if (!used && blocks == last) {
                used = block_field(block, 2) > 0;
                for (m = 0; used && first && m < json_object_array_length(first); m++)
                    if (block_field(block_at(first, m), 0) == block_field(block, 0))
                        used = block_field(block_at(first, m), 2) < block_field(block, 2);
            }
            if (!used)
                continue;
            if (count == room) {
                room = room ? 2 * room : 256;
                *out = realloc(*out, room * sizeof(**out));
                if (!*out)
                    cli_die("out of memory");
            }
            (*out)[count++] = (uint64_t)block_field(block, 0);
        }
        if (count)
            qsort(*out, count, sizeof(**out), compare_addresses);
        for (k = m = 0; k < count; k++)
            if (!m || (*out)[m - 1] != (*out)[k])
                (*out)[m++] = (*out)[k];
        count = m;
    }
    return count;
}

/* Part of each row's memory that is in device memory, in a sample. */
static void map_column(struct json_object *sample, const uint64_t *addresses, size_t count,
                       size_t merge, double *column)
{
    struct json_object *blocks;
    size_t i, k;

    for (i = 0; i * merge < count; i++)
        column[i] = 0;
    if (!json_object_object_get_ex(sample, "blocks", &blocks))
        return;
    for (i = k = 0; i < json_object_array_length(blocks); i++) {
        uint64_t start = (uint64_t)block_field(block_at(blocks, i), 0);

        while (k < count && addresses[k] < start)
            k++;
        if (k < count && addresses[k] == start) {
            size_t row = k / merge, size = (row + 1) * merge > count ? count - row * merge : merge;

            column[row] += (double)block_field(block_at(blocks, i), 1) / BLOCK_PAGES / (double)size;
        }
    }
}

static void map_draw(const struct drawing *d, const struct bench_cell *cell)
{
    struct json_object **samples;
    size_t n = samples_read(d->folder, &cell->key, &samples), count, merge, rows, c, r, at = 0,
           length = 0;
    char *text = NULL, *name = bench_plot_map(&cell->key);
    double (*map)[MAP_ROWS] = calloc(MAP_COLUMNS, sizeof(*map)), end;
    uint64_t *addresses = NULL;
    FILE *out = open_memstream(&text, &length);

    if (!map || !out)
        cli_die("out of memory");
    count = n > 1 ? addresses_find(samples, n, &addresses) : 0;
    if (count) {
        merge = (count + MAP_ROWS - 1) / MAP_ROWS;
        rows = (count + merge - 1) / merge;
        end = number(samples[n - 1], "time_s");
        for (c = 0; c < MAP_COLUMNS; c++) {
            while (at + 1 < n &&
                   number(samples[at + 1], "time_s") <= end * (double)c / (MAP_COLUMNS - 1))
                at++;
            map_column(samples[at], addresses, count, merge, map[c]);
        }
        fprintf(out, RESET "unset grid\n$d << EOD\n");
        for (r = 0; r < rows; r++)
            for (c = 0; c < MAP_COLUMNS; c++)
                fprintf(out, "%.3f%c", map[c][r], c + 1 < MAP_COLUMNS ? ' ' : '\n');
        fprintf(
            out,
            "EOD\nset palette defined (0 '#eeeeee', 0.01 '#c6dbef', 1 '#08306b')\n"
            "set cbrange [0:1]\nunset colorbox\nset title '%s' noenhanced\nset xlabel 'seconds'\n"
            "set xrange [0:%g]\nset yrange [-0.5:%zu.5]\nset ytics (",
            bench_policies(&cell->key), end, rows - 1);
        /* Where memory begins anew, if there is room for it. */
        for (r = 0, c = 0; r < rows; r++) {
            if (r && (addresses[r * merge] - addresses[r * merge - 1] <= 2 << 20 || r - c < 3))
                continue;
            fprintf(out, "%s'%llx' %zu", r ? "," : "", (unsigned long long)addresses[r * merge], r);
            c = r;
        }
        fprintf(out, ")\nplot $d matrix using ($1*%g):2:3 with image notitle\n",
                end / (MAP_COLUMNS - 1));
    }
    if (fclose(out))
        cli_die("out of memory");
    if (count)
        draw(d, name, 420, 260, text);
    samples_free(samples, n);
    free(addresses);
    free(map);
    free(text);
    free(name);
}

/* ---- all of them ---- */

bool bench_plots_draw(const char *folder, const struct bench_summary *s, bool png)
{
    struct drawing d = { .folder = folder, .summary = s, .png = png };
    size_t i, k, n;
    char *name;

    if (system("command -v gnuplot >/dev/null 2>&1")) {
        cli_say("there is no gnuplot: no plots and no report.html (Debian: apt install "
                "gnuplot-nox; then "
                "`hmmsvm bench report %s`)",
                folder);
        return false;
    }
    free(cli_output_folder(folder, "plots"));
    d.gnuplot = popen("gnuplot", "we");
    if (!d.gnuplot)
        cli_die("cannot start gnuplot: %s", strerror(errno));
    bars_draw(&d, BENCH_PLOT_MEANS, NULL);
    for (i = 0; i < s->count; i += n) {
        n = bench_group(s, i);
        for (k = 0; k < i && strcmp(s->cells[k].key.workload, s->cells[i].key.workload); k++)
            ;
        if (k == i) {
            name = bench_plot_bars(&s->cells[i].key);
            bars_draw(&d, name, s->cells[i].key.workload);
            free(name);
        }
        time_draw(&d, i, n);
        for (k = i; k < i + n; k++)
            map_draw(&d, &s->cells[k]);
    }
    if (pclose(d.gnuplot))
        cli_die("gnuplot failed; what it said is above");
    return true;
}
