/* compare, for people and for programs. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/compare.h"
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

char *fd_compare_json(int n, const fd_comparison *comparisons, const fd_compare_spec *spec) {
    json_t *sets = json_array();
    for (int i = 0; i < n; i++) {
        const fd_comparison *c = &comparisons[i];
        json_t *distances = json_array();
        for (int j = 0; j < c->n_distances; j++) json_array_append_new(distances, distance_json(&c->distances[j]));
        json_array_append_new(
            sets, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:f, s:o}", "set", c->set, "reference", c->reference,
                            "target", c->target, "reference_target", c->reference_target, "rows", (json_int_t)c->m,
                            "reference_rows", (json_int_t)c->n, "outside", c->n_outside, "expected_outside",
                            FD_COMPARE_TAIL * c->n_distances, "quantities", distances));
    }
    json_t *root = json_pack("{s:s, s:i, s:s, s:o}", "format", "flavordiff-comparison", "format_version", 1, "rows",
                             spec->all_rows ? "finite" : "solutions inside the prior", "sets", sets);
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(root);
    return text;
}
