/* compare, for people and for programs. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/compare.h"
#include "io/json.h"
#include "stages/text.h"

/* A chance below what the asymptotic formula can mean is not printed. */
char *fd_distance_verdict(const fd_distance *d, char out[64]) {
    double tail = d->periodic ? d->kuiper_tail : d->ks_tail;
    char count[32];
    if (d->n == 0 || d->m == 0)
        snprintf(out, 64, "no finite values");
    else if (!d->outside)
        snprintf(out, 64, "as two draws of one");
    else if (tail < 1e-6)
        snprintf(out, 64, "DIFFERENT: by chance less than once in 1,000,000");
    else
        snprintf(out, 64, "different: by chance once in %s", fd_text_count((uint64_t)(1 / tail), count));
    return out;
}

static bool chance(double tail) { return tail >= FD_COMPARE_TAIL; }

char *fd_comparison_verdict(const fd_comparison *c, char out[256]) {
    double worst = 1;
    char why[160] = "";
    size_t used = 0;
    for (int i = 0; i < c->n_distances; i++)
        if (c->distances[i].n && c->distances[i].m)
            worst = fmin(worst, c->distances[i].periodic ? c->distances[i].kuiper_tail : c->distances[i].ks_tail);
    const struct { const char *name; bool found; } finders[] = {
        {"single quantities", !chance(worst * c->n_distances)},
        {"the classifier", c->c2st.rows && !chance(c->c2st.tail)},
        {"the cells", c->cells.cells && !chance(c->cells.tail)},
        {"the symmetry images", c->images.cells && !chance(c->images.tail)}};
    for (size_t i = 0; i < sizeof finders / sizeof *finders; i++)
        if (finders[i].found) used += (size_t)snprintf(why + used, sizeof why - used, "%s%s", used ? ", " : "", finders[i].name);
    if (!used)
        snprintf(out, 256, "not told apart from the reference");
    else if (c->c2st.rows && c->c2st.accuracy <= 0.55)
        snprintf(out, 256, "close to the reference, but told apart by %s", why);
    else
        snprintf(out, 256, "DIFFERENT from the reference: told apart by %s", why);
    return out;
}

static const char *chance_text(double tail, char out[32]) {
    snprintf(out, 32, tail < 1e-6 ? "< 1e-6" : "%.2g", tail);
    return out;
}

static void cells_line(fd_text *text, const fd_cells *c, const char *name, const char *none) {
    char p[32];
    if (c->cells)
        fd_text_addf(text, "%s: %d of %d filled, %.1f expected; chi2 %.1f for %d, p %s\n", name, c->filled, c->cells, c->expected,
                     c->chi2, c->freedom, chance_text(c->tail, p));
    else
        fd_text_addf(text, "%s: %s\n", name, none);
}

static void whole_rows(fd_text *text, const fd_comparison *c) {
    const fd_c2st *t = &c->c2st;
    char n[32], p[32], words[256];
    if (t->rows)
        fd_text_addf(text, "classifier: right in %.4f of %s + %s rows it had not seen; null %.4f +- %.4f, 99 %% below %.4f "
                     "(%d dealings of the labels, %d of them as right); p %s\n", t->accuracy, fd_text_count(t->rows, n), n,
                     t->null_mean, t->null_deviation, t->null99, t->permutations, t->exceeding, chance_text(t->tail, p));
    else
        fd_text_addf(text, "classifier: fewer than %d rows in a set\n", FD_C2ST_LEAST);
    cells_line(text, &c->cells, "cells of the reference", "too few rows");
    cells_line(text, &c->images, "images under discrete symmetries", "the model has none");
    fd_text_addf(text, "verdict: %s\n", fd_comparison_verdict(c, words));
}

static void one_table(fd_text *text, const fd_comparison *c, const fd_compare_spec *spec) {
    char n[32], m[32], words[64];
    fd_text_addf(text, "%s (%s rows) against the reference %s (%s rows), %s\n", c->set, fd_text_count(c->m, m),
                 c->reference, fd_text_count(c->n, n),
                 spec->all_rows ? "all finite rows" : "solutions inside the prior");
    if (strcmp(c->target, c->reference_target) != 0)
        fd_text_addf(text, "The sets are of different targets: %s, and %s for the reference\n", c->target,
                     c->reference_target);
    fd_text_addf(text, "%-16s %8s %9s %8s %9s  %s\n", "quantity", "KS", "99 % null", "Kuiper", "99 % null", "verdict");
    for (int i = 0; i < c->n_distances; i++) {
        const fd_distance *d = &c->distances[i];
        fd_text_addf(text, "%-16s %8.4f %9.4f ", d->name, d->ks, d->ks_null);
        if (d->periodic)
            fd_text_addf(text, "%8.4f %9.4f  ", d->kuiper, d->kuiper_null);
        else
            fd_text_addf(text, "%8s %9s  ", "", "");
        fd_text_addf(text, "%s\n", fd_distance_verdict(d, words));
    }
    fd_text_addf(text, "%d of %d quantities outside the 99 %% null; %.1f are expected by chance when nothing differs\n",
                 c->n_outside, c->n_distances, FD_COMPARE_TAIL * c->n_distances);
    if (c->together) whole_rows(text, c);
}

char *fd_compare_text(int n, const fd_comparison *comparisons, const fd_compare_spec *spec) {
    fd_text text = {0};
    for (int i = 0; i < n; i++) {
        if (i) fd_text_add(&text, "\n");
        one_table(&text, &comparisons[i], spec);
    }
    if (text.failed) fd_text_free(&text);
    return text.data;
}

/* A field of CSV: in quotes, quotes doubled. */
static void quoted(fd_text *text, const char *field) {
    fd_text_add(text, "\"");
    for (; *field; field++) fd_text_bytes(text, *field == '"' ? "\"\"" : field, *field == '"' ? 2 : 1);
    fd_text_add(text, "\"");
}

char *fd_compare_csv(int n, const fd_comparison *comparisons) {
    fd_text text = {0};
    fd_text_add(&text, "set,quantity,unit,kind,periodic,n_reference,n_set,ks,ks_null99,ks_tail,kuiper,kuiper_null99,"
                       "kuiper_tail,outside\n");
    for (int i = 0; i < n; i++)
        for (int j = 0; j < comparisons[i].n_distances; j++) {
            const fd_distance *d = &comparisons[i].distances[j];
            quoted(&text, comparisons[i].set);
            fd_text_addf(&text, ",%s,%s,%s,%d,%zu,%zu,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%d\n", d->name, d->unit,
                         d->parameter ? "parameter" : "observable", d->periodic, d->n, d->m, d->ks, d->ks_null, d->ks_tail,
                         d->kuiper, d->kuiper_null, d->kuiper_tail, d->outside);
        }
    if (text.failed) fd_text_free(&text);
    return text.data;
}

static json_t *number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static json_t *distance_json(const fd_distance *d) {
    return json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "quantity", d->name, "unit",
                     d->unit, "kind", d->parameter ? "parameter" : "observable", "periodic", d->periodic, "n_reference",
                     (json_int_t)d->n, "n_set", (json_int_t)d->m, "ks", number(d->ks), "ks_null99", number(d->ks_null),
                     "ks_tail", number(d->ks_tail), "kuiper", number(d->kuiper), "kuiper_null99", number(d->kuiper_null),
                     "kuiper_tail", number(d->kuiper_tail), "outside", d->outside);
}

static json_t *cells_json(const fd_cells *c) {
    if (!c->cells) return json_null();
    return json_pack("{s:i, s:i, s:f, s:f, s:i, s:f}", "cells", c->cells, "filled", c->filled, "expected_filled", c->expected,
                     "chi2", c->chi2, "degrees", c->freedom, "tail", c->tail);
}

static json_t *c2st_json(const fd_c2st *t) {
    if (!t->rows) return json_null();
    return json_pack("{s:I, s:f, s:i, s:i, s:f, s:f, s:f, s:f}", "rows", (json_int_t)t->rows, "accuracy", t->accuracy,
                     "permutations", t->permutations, "exceeding", t->exceeding, "null_mean", t->null_mean, "null_deviation",
                     t->null_deviation, "null99", t->null99, "tail", t->tail);
}

static void add_whole_rows(json_t *set, const fd_comparison *c) {
    char words[256];
    json_object_set_new(set, "c2st", c2st_json(&c->c2st));
    json_object_set_new(set, "cells", cells_json(&c->cells));
    json_object_set_new(set, "images", cells_json(&c->images));
    json_object_set_new(set, "verdict", json_string(fd_comparison_verdict(c, words)));
}

char *fd_compare_json(int n, const fd_comparison *comparisons, const fd_compare_spec *spec) {
    fd_json_watch();
    json_t *sets = json_array();
    for (int i = 0; i < n; i++) {
        const fd_comparison *c = &comparisons[i];
        json_t *distances = json_array();
        for (int j = 0; j < c->n_distances; j++) json_array_append_new(distances, distance_json(&c->distances[j]));
        json_t *set = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:f, s:o}", "set", c->set, "reference", c->reference,
                                "target", c->target, "reference_target", c->reference_target, "rows", (json_int_t)c->m,
                                "reference_rows", (json_int_t)c->n, "outside", c->n_outside, "expected_outside",
                                FD_COMPARE_TAIL * c->n_distances, "quantities", distances);
        if (set && c->together) add_whole_rows(set, c);
        json_array_append_new(sets, set);
    }
    json_t *root = json_pack("{s:s, s:i, s:s, s:o}", "format", "flavordiff-comparison", "format_version", 1, "rows",
                             spec->all_rows ? "finite" : "solutions inside the prior", "sets", sets);
    char *text = fd_json_text(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    json_decref(root);
    return text;
}
