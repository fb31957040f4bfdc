/* The ledger: how many of everything that was generated pass each window, set by set. Counts are kept, and every
 * fraction is shown with its Wilson interval, because the interesting ones are a few in a million. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/stages.h"
#include "inference/stats.h"
#include "io/json.h"
#include "stages/analyse.h"
#include "stages/ledger.h"
#include "stages/text.h"

const fd_window fd_windows[FD_WINDOW_COUNT] = {
    {"masses", "masses", offsetof(fd_tally, masses), "both mass-squared differences"},
    {"angles", "angles", offsetof(fd_tally, angles), "the three mixing angles"},
    {"five_observables", "five observables", offsetof(fd_tally, five), "masses and angles"},
    {"all_labels", "all labels", offsetof(fd_tally, labels), "masses and the nine |U|: a solution"},
    {"five_observables_in_prior", "five, in prior", offsetof(fd_tally, five_in_prior),
     "masses and angles, parameters inside the prior"},
    {"all_labels_in_prior", "labels, in prior", offsetof(fd_tally, labels_in_prior),
     "a solution, parameters inside the prior"},
};

uint64_t fd_window_count(const fd_tally *tally, int window) {
    uint64_t count;
    memcpy(&count, (const char *)tally + fd_windows[window].offset, sizeof count);
    return count;
}

fd_tally fd_exact_tally(uint64_t n) {
    fd_tally tally = {.n = n, .finite = n, .in_prior = n};
    for (int w = 0; w < FD_WINDOW_COUNT; w++) memcpy((char *)&tally + fd_windows[w].offset, &n, sizeof n);
    return tally;
}

void fd_wilson(uint64_t k, uint64_t n, double *lo, double *hi) { fd_wilson_interval(k, n, FD_Z95, lo, hi); }

int fd_ledger_entries(const char *set, const fd_sample_info *info, fd_ledger_entry entries[2]) {
    int n = info->alone.n ? 2 : 1;
    entries[0] = entries[n - 1] = (fd_ledger_entry){.tally = info->tally};
    if (n == 2) entries[0].tally = info->alone;
    for (int i = 0; i < n; i++) {
        snprintf(entries[i].set, sizeof entries[i].set, "%.40s%s", set,
                 n == 1 ? "" : i == 0 ? ", network alone" : ", projected");
        snprintf(entries[i].note, sizeof entries[i].note, "%s", info->note);
    }
    return n;
}

/* ---- text --------------------------------------------------------------------------------------------- */

/* "tuned network, projected" in two pieces, since the columns leave 16 characters: "tuned network", "  projected". */
typedef struct set_name {
    char first[64], second[64];
} set_name;

static set_name split_name(const char *set) {
    set_name name = {.second = ""};
    size_t n = strcspn(set, ",");
    snprintf(name.first, sizeof name.first, "%.*s", (int)n, set);
    if (set[n]) snprintf(name.second, sizeof name.second, " %s", set + n + 1);
    return name;
}

static void window_rows(fd_text *text, const fd_ledger_entry *entry) {
    char count[32];
    set_name name = split_name(entry->set);
    fd_text_addf(text, "%-16.16s %13s", name.first, fd_text_count(entry->tally.n, count));
    for (int w = 0; w < 4; w++) fd_text_addf(text, " %19s", fd_text_count(fd_window_count(&entry->tally, w), count));
    fd_text_addf(text, "\n%-16.16s %13s", name.second, "95 % interval");
    for (int w = 0; w < 4; w++) {
        char cell[66], from[32], to[32];
        double lo, hi;
        fd_wilson(fd_window_count(&entry->tally, w), entry->tally.n, &lo, &hi);
        snprintf(cell, sizeof cell, "%s, %s", fd_text_fraction(lo, 3, from), fd_text_fraction(hi, 3, to));
        fd_text_addf(text, " %19s", entry->tally.n ? cell : "-");
    }
    fd_text_add(text, "\n");
}

/* What the projection did not achieve. */
static void projection_row(fd_text *text, const fd_ledger_entry *entry) {
    const fd_tally *t = &entry->tally;
    char left[32], n[32];
    if (t->projected || t->unreached)
        fd_text_addf(text, "%s: %s of %s samples did not reach their label\n", entry->set,
                     fd_text_count(t->unreached, left), fd_text_count(t->n, n));
}

static void exact_row(fd_text *text, const fd_ledger_entry *entry) {
    char n[32];
    fd_text_addf(text, "%s: %s exact solutions\n", entry->set, fd_text_count(entry->tally.n, n));
}

/* A set's name has a line of its own before its first piece. */
static void quality_row(fd_text *text, const fd_ledger_entry *entry, const fd_ledger_entry *previous) {
    const fd_tally *t = &entry->tally;
    set_name name = split_name(entry->set);
    if (name.second[0] && (!previous || strcmp(name.first, split_name(previous->set).first) != 0))
        fd_text_addf(text, "%s\n", name.first);
    char five[32], labels[32], outside[16] = "-", bad[16] = "-", rate[32] = "-";
    if (t->finite)
        snprintf(outside, sizeof outside, "%.3g %%", 100 * (double)(t->finite - t->in_prior) / (double)t->finite);
    if (t->n) snprintf(bad, sizeof bad, "%.3g %%", 100 * (double)(t->n - t->finite) / (double)t->n);
    if (t->seconds > 0) fd_text_count((uint64_t)((double)t->n / t->seconds + 0.5), rate);
    fd_text_addf(text, "%-16.16s %14s %14s %18s %18s %11.1f %13s\n", name.second[0] ? name.second : name.first, outside, bad,
                 fd_text_count(t->five_in_prior, five), fd_text_count(t->labels_in_prior, labels), t->seconds, rate);
}

char *fd_ledger_text(int n, const fd_ledger_entry *entries) {
    fd_text text = {0};
    fd_text_addf(&text, "Samples inside the 3 sigma windows, and the Wilson 95 %% interval of their fraction\n");
    fd_text_addf(&text, "%-16s %13s", "set", "samples");
    for (int w = 0; w < 4; w++) fd_text_addf(&text, " %19s", fd_windows[w].title);
    fd_text_add(&text, "\n");
    for (int i = 0; i < n; i++)
        if (!entries[i].exact) window_rows(&text, &entries[i]);
    fd_text_addf(&text, "\n%-16s %14s %14s %18s %18s %11s %13s\n", "set", "outside prior", "not finite",
                 fd_windows[4].title, fd_windows[5].title, "seconds", "samples/s");
    for (int i = 0; i < n; i++)
        if (!entries[i].exact) quality_row(&text, &entries[i], i ? &entries[i - 1] : NULL);
    for (int i = 0; i < n; i++)
        if (entries[i].exact)
            exact_row(&text, &entries[i]);
        else
            projection_row(&text, &entries[i]);
    if (text.failed) fd_text_free(&text);
    return text.data;
}

/* ---- JSON --------------------------------------------------------------------------------------------- */

static const char ledger_format[] = "flavordiff-ledger";

/* {"count", "fraction", "wilson95": [lo, hi]} */
static json_t *window_json(uint64_t k, uint64_t n) {
    double lo, hi;
    fd_wilson(k, n, &lo, &hi);
    return json_pack("{s:I, s:f, s:[f, f]}", "count", (json_int_t)k, "fraction", n ? (double)k / (double)n : 0.0,
                     "wilson95", lo, hi);
}

/* NULL when memory is out or a name is not UTF-8. */
static json_t *entry_json(const fd_ledger_entry *entry) {
    const fd_tally *t = &entry->tally;
    if (entry->exact)
        return json_pack("{s:s, s:s, s:b, s:I, s:f}", "set", entry->set, "note", entry->note, "exact", true, "solutions",
                         (json_int_t)t->n, "seconds", t->seconds);
    json_t *windows = json_object();
    for (int w = 0; w < FD_WINDOW_COUNT; w++)
        if (json_object_set_new(windows, fd_windows[w].key, window_json(fd_window_count(t, w), t->n))) {
            json_decref(windows);
            return NULL;
        }
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:o}", "set", entry->set, "note", entry->note, "n",
                     (json_int_t)t->n, "finite", (json_int_t)t->finite, "non_finite", (json_int_t)(t->n - t->finite),
                     "in_prior", (json_int_t)t->in_prior, "out_of_prior", (json_int_t)(t->finite - t->in_prior),
                     "projected", (json_int_t)t->projected, "unreached", (json_int_t)t->unreached, "seconds", t->seconds,
                     "samples_per_second", t->seconds > 0 ? (double)t->n / t->seconds : 0.0,
                     "windows", windows);
}

/* Finite and in-prior counts within n, windows within finite: else the differences above would wrap round. */
static bool tally_possible(const fd_tally *t) {
    bool ok =
        t->n <= INT64_MAX && t->finite <= t->n && t->in_prior <= t->finite && isfinite(t->seconds) && t->seconds >= 0 &&
        t->projected <= t->n && t->unreached <= t->n;
    for (int w = 0; w < FD_WINDOW_COUNT; w++) ok = ok && fd_window_count(t, w) <= t->finite;
    return ok;
}

fd_status fd_ledger_write(const char *path, int n, const fd_ledger_entry *entries, fd_error *err) {
    fd_status status = FD_OK;
    char *text = NULL;
    fd_json_watch();
    json_t *sets = json_array(), *root = NULL;
    for (int i = 0; i < n; i++) {
        if (!tally_possible(&entries[i].tally)) {
            status =
                fd_fail(err, FD_ERR_VALUE, "%s: set '%s' has counts that contradict each other", path, entries[i].set);
            goto cleanup;
        }
        json_t *entry = entry_json(&entries[i]);
        if (!entry || json_array_append_new(sets, entry)) {
            status = fd_json_ran_short() ? fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path)
                                         : fd_fail(err, FD_ERR_VALUE, "%s: set %d: name or note is not UTF-8", path, i + 1);
            goto cleanup;
        }
    }
    root = json_pack("{s:s, s:i, s:s, s:s, s:O}", "format", ledger_format, "format_version", 1, "windows_are",
                     "3 sigma ranges of the target set; fractions are of n with Wilson 95 % intervals", "tool_version",
                     fd_version(), "sets", sets);
    text = fd_json_text(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    if (text)
        status = fd_write_text(path, text, strlen(text), err);
    else
        status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
cleanup:
    free(text);
    json_decref(root);
    json_decref(sets);
    return status;
}

/* A count of `object`; false when missing, negative or no integer. */
static bool get_count(const json_t *object, const char *key, uint64_t *count) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *count = (uint64_t)json_integer_value(value);
    return true;
}

static bool get_string(const json_t *object, const char *key, size_t room, char *out) {
    const char *value = json_string_value(json_object_get(object, key));
    if (!value || strlen(value) >= room) return false;
    strcpy(out, value);
    return true;
}

static bool read_exact(const json_t *json, double seconds, fd_tally *t) {
    uint64_t n;
    if (!get_count(json, "solutions", &n)) return false;
    *t = fd_exact_tally(n);
    t->seconds = seconds;
    return tally_possible(t);
}

static bool read_entry(const json_t *json, fd_ledger_entry *entry) {
    *entry = (fd_ledger_entry){0};
    fd_tally *t = &entry->tally;
    const json_t *seconds = json_object_get(json, "seconds"), *windows = json_object_get(json, "windows");
    if (!get_string(json, "set", sizeof entry->set, entry->set) ||
        !get_string(json, "note", sizeof entry->note, entry->note) || !json_is_number(seconds))
        return false;
    t->seconds = json_number_value(seconds);
    if ((entry->exact = json_is_true(json_object_get(json, "exact")))) return read_exact(json, t->seconds, t);
    if (!get_count(json, "n", &t->n) || !get_count(json, "finite", &t->finite) ||
        !get_count(json, "in_prior", &t->in_prior))
        return false;
    /* Ledgers from before there was a projection have no counts of it. */
    if (json_object_get(json, "projected") && (!get_count(json, "projected", &t->projected) ||
                                               !get_count(json, "unreached", &t->unreached)))
        return false;
    for (int w = 0; w < FD_WINDOW_COUNT; w++) {
        uint64_t count;
        if (!get_count(json_object_get(windows, fd_windows[w].key), "count", &count)) return false;
        memcpy((char *)t + fd_windows[w].offset, &count, sizeof count);
    }
    return tally_possible(t);
}

fd_status fd_ledger_read(const char *path, int max, int *n, fd_ledger_entry *entries, fd_error *err) {
    fd_status status = FD_OK;
    json_t *root = NULL;
    *n = 0;
    if ((status = fd_json_load(path, &root, err))) return status;
    const char *format = json_string_value(json_object_get(root, "format"));
    const json_t *sets = json_object_get(root, "sets");
    if (!format || strcmp(format, ledger_format) != 0 || json_integer_value(json_object_get(root, "format_version")) != 1 ||
        !json_is_array(sets)) {
        status = fd_fail(err, FD_ERR_FORMAT, "%s: not a flavordiff ledger of version 1", path);
        goto cleanup;
    }
    if (json_array_size(sets) > (size_t)(max > 0 ? max : 0)) {
        status = fd_fail(err, FD_ERR_FORMAT, "%s: %zu sets, at most %d expected", path, json_array_size(sets), max);
        goto cleanup;
    }
    for (size_t i = 0; i < json_array_size(sets); i++)
        if (!read_entry(json_array_get(sets, i), &entries[i])) {
            status = fd_fail(err, FD_ERR_FORMAT, "%s: set %zu has a missing or impossible field", path, i + 1);
            goto cleanup;
        }
    *n = (int)json_array_size(sets);
cleanup:
    json_decref(root);
    return status;
}
