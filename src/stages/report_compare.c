/* Report: the paper's numbers beside this run's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/stats.h"
#include "stages/analyse.h"
#include "stages/report.h"

static const double degree = 57.295779513082320877;

/* Quartiles of a column of the solutions in another unit; returns the number of values. */
static size_t quartiles(const fd_table *table, const char *column, double factor, double q[3]) {
    size_t n = 0;
    int at = fd_table_column(table, column);
    double *x = at < 0 ? NULL : fd_table_values(table, at, -1, &n);
    q[0] = q[1] = q[2] = NAN;
    if (x) fd_quartiles(n, x, q);
    for (int i = 0; i < 3; i++) q[i] *= factor;
    free(x);
    return n;
}

/* Fraction of solutions with an angle within `width` degrees of 0. */
static double near_zero(const fd_table *table, const char *column, double width) {
    int at = fd_table_column(table, column);
    size_t near = 0;
    for (size_t i = 0; at >= 0 && i < table->n_rows; i++) near += cos(fd_table_at(table, i, at)) >= cos(width / degree);
    return at >= 0 && table->n_rows ? (double)near / (double)table->n_rows : NAN;
}

/* Fraction of solutions with mbb above 99 % of the largest value their own masses and angles allow, which all phases
 * aligned would give: m1 c12^2 c13^2 + m2 s12^2 c13^2 + m3 s13^2. */
static double at_upper_edge(const fd_table *t, const char *mbb_column) {
    static const char *const names[] = {"m1_eV", "m2_eV", "m3_eV", "s12sq", "s13sq"};
    int at[5], mbb = fd_table_column(t, mbb_column);
    size_t edge = 0;
    if (mbb < 0 || t->n_rows == 0) return NAN;
    for (int i = 0; i < 5; i++)
        if ((at[i] = fd_table_column(t, names[i])) < 0) return NAN;
    for (size_t i = 0; i < t->n_rows; i++) {
        double v[5];
        for (int j = 0; j < 5; j++) v[j] = fd_table_at(t, i, at[j]);
        double most = (v[0] * (1 - v[3]) + v[1] * v[3]) * (1 - v[4]) + v[2] * v[4];
        edge += fd_table_at(t, i, mbb) > 0.99 * most;
    }
    return (double)edge / (double)t->n_rows;
}

static double within(const fd_table *t, const char *column, double lo, double hi) {
    int at = fd_table_column(t, column);
    size_t n = 0;
    for (size_t i = 0; at >= 0 && i < t->n_rows; i++) n += fd_table_at(t, i, at) >= lo && fd_table_at(t, i, at) <= hi;
    return at >= 0 && t->n_rows ? (double)n / (double)t->n_rows : NAN;
}

/* "0, 49, 50, 3, 2; 95.2 % within two" of summary.json's digits. */
static void digits_row(fd_text *html, const json_t *digits, const char *name, const char *paper) {
    char list[200];
    size_t used = 0;
    const json_t *counts = json_object_get(digits, "counts");
    list[0] = '\0';
    for (size_t i = 0; i < json_array_size(counts) && used + 24 < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%lld", i ? " / " : "",
                                 (long long)json_integer_value(json_array_get(counts, i)));
    double within_two = json_number_value(json_object_get(digits, "within_two"));
    if (json_integer_value(json_object_get(digits, "n")) > 0)
        fd_html_pair(html, name, paper, "%.1f %% within two digits (0 / 1 / 2 / ... digits: %s)", 100 * within_two,
                     list);
    else
        fd_html_pair(html, name, paper, "no solution");
}

static void mass_rows(fd_text *html, const fd_table *t) {
    static const char *const names[] = {"M1_GeV", "M2_GeV", "M3_GeV"};
    double q[3];
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "|M%d| in GeV", i + 1);
        if (quartiles(t, names[i], 1, q))
            fd_html_pair(html, name, i == 2 ? "about 1e15 to 1e16" : "1e15 to 1e16",
                         "median %.2e, quartiles %.2e and %.2e", q[1], q[0], q[2]);
    }
}

static void solution_rows(fd_text *html, const fd_table *t) {
    double q[3];
    if (quartiles(t, "sum_m_eV", 1e3, q))
        fd_html_pair(html, "Sum of masses", "median 60.3 meV, clustered", "median %.1f meV, quartiles %.1f and %.1f",
                     q[1], q[0], q[2]);
    if (quartiles(t, "delta_rad", degree, q))
        fd_html_pair(html, "Dirac phase, quartiles of [0°, 360°)", "106° and 228°; few near 0° and 180°",
                     "%.0f° and %.0f° (median %.0f°); within 30° of 0° or 180°: %.0f %% (33 %% if flat)", q[0], q[2],
                     q[1], 100 * (near_zero(t, "delta_rad", 30) + within(t, "delta_rad", 150 / degree, 210 / degree)));
    fd_html_pair(html, "α21", "0 for all solutions",
                 "within 1° of 0: %.1f %% with the phases of the factorisation, %.1f %% with the paper's",
                 100 * near_zero(t, "alpha21_rad", 1), 100 * near_zero(t, "alpha21_rad" FD_PAPER_SUFFIX, 1));
    fd_html_pair(
        html, "α31", "none near 0",
        "within 15° of 0: %.1f %% with the phases of the factorisation (8.3 %% if flat), %.1f %% with the paper's",
        100 * near_zero(t, "alpha31_rad", 15), 100 * near_zero(t, "alpha31_rad" FD_PAPER_SUFFIX, 15));
    if (quartiles(t, "mbb_eV", 1e3, q))
        fd_html_pair(html, "Effective mass mββ", "2 to 4 meV at small χ²",
                     "median %.2f meV, quartiles %.2f and %.2f; in 2 to 4 meV: %.0f %%", q[1], q[0], q[2],
                     100 * within(t, "mbb_eV", 2e-3, 4e-3));
    fd_html_pair(html, "mββ on the boundary", "along the outline of the allowed region",
                 "within 1 %% of the largest value the point's masses and angles allow: %.1f %% with the phases of the "
                 "factorisation, %.1f %% with the paper's",
                 100 * at_upper_edge(t, "mbb_eV"), 100 * at_upper_edge(t, "mbb_eV" FD_PAPER_SUFFIX));
    mass_rows(html, t);
}

/* Observables as people write them, in meV. */
static const struct {
    const char *observable, *text;
} mass_names[] = {{"sum_m_eV", "Σm"}, {"mbb_eV", "mββ"}, {"mnue_eV", "mνe"}};

/* Quantity and range of a limit: two cells. */
static void limit_cells(fd_text *html, const json_t *limit, bool band) {
    const char *observable = json_string_value(json_object_get(limit, "observable")), *name = observable, *unit = "";
    double factor = 1;
    for (size_t i = 0; observable && i < sizeof mass_names / sizeof *mass_names; i++)
        if (!strcmp(observable, mass_names[i].observable)) name = mass_names[i].text, unit = " meV", factor = 1e3;
    double lo = factor * json_number_value(json_object_get(limit, "lo")),
           hi = factor * json_number_value(json_object_get(limit, "hi"));
    bool open_below = !json_is_number(json_object_get(limit, "lo")) || lo <= 0;
    bool open_above = !json_is_number(json_object_get(limit, "hi"));
    fd_html_escape(html, name ? name : "");
    fd_text_add(html, "</td><td>");
    if (band)
        fd_text_addf(html, "below %g to %g%s, by nuclear matrix element", lo, hi, unit);
    else if (open_above)
        fd_text_addf(html, "above %g%s", lo, unit);
    else if (open_below)
        fd_text_addf(html, "below %g%s", hi, unit);
    else
        fd_text_addf(html, "%g to %g%s", lo, hi, unit);
}

static void limits_table(fd_report *r) {
    fd_text *html = &r->html;
    const json_t *limits = json_object_get(r->part->summary, "limits"), *limit;
    size_t i;
    if (json_array_size(limits) == 0 || r->part->solutions.n_rows == 0) return;
    fd_text_add(html, "<h2>Limits</h2>\n<p>Drawn in the figures, never cut on.</p>\n<div "
                      "class=\"wide\"><table><thead><tr><th>limit</th>"
                      "<th>quantity</th><th>range</th><th>solutions that satisfy it</th></tr></thead><tbody>\n");
    json_array_foreach(limits, i, limit) {
        const char *name = json_string_value(json_object_get(limit, "name"));
        bool band = json_is_true(json_object_get(limit, "band"));
        fd_text_add(html, "<tr><th>");
        fd_html_escape(html, name ? name : "");
        fd_text_add(html, "</th><td>");
        limit_cells(html, limit, band);
        fd_text_addf(html, "</td><td>%lld of %zu", (long long)json_integer_value(json_object_get(limit, "satisfied")),
                     r->part->solutions.n_rows);
        if (band)
            fd_text_addf(html, " (below the lower end: %lld)",
                         (long long)json_integer_value(json_object_get(limit, "below_all")));
        fd_text_add(html, "</td></tr>\n");
    }
    fd_text_add(html, "</tbody></table></div>\n");
}

void fd_report_compare(fd_report *r) {
    fd_text *html = &r->html;
    const json_t *digits = json_object_get(r->part->summary, "digits");
    const fd_ledger_entry *last = r->part->result;
    const fd_tally *t = last ? &last->tally : r->part->has_samples ? &r->part->samples.tally : NULL;
    char a[32], b[32];
    fd_text_addf(html, "<h2>The paper and this run%s%s</h2>\n", r->n_parts > 1 ? ": " : "",
                 r->n_parts > 1 ? r->part->name : "");
    if (r->has_target && r->target.ordering == FD_ORDERING_INVERTED)
        fd_text_add(html, "<p>This run is of inverted ordering; the paper's numbers are of normal ordering and stand "
                          "here for orientation.</p>\n");
    if (!r->part->has_solutions)
        fd_html_missing(html, "%sanalysis/solutions.csv is missing; `flavordiff analyse` makes it.", r->part->folder);
    if (r->part->has_solutions && r->part->solutions.n_rows == 0)
        fd_html_missing(html, "No solution in this run: predictions cannot be compared. Points shown in the figures "
                              "are only the nearest by χ².");
    else if (r->part->has_solutions && r->part->solutions.n_rows < FD_FEW_SOLUTIONS)
        fd_html_missing(html, "Only %zu solution%s: medians and quartiles below are of so few points and mean little.",
                        r->part->solutions.n_rows, r->part->solutions.n_rows == 1 ? "" : "s");
    json_int_t changed = json_integer_value(json_object_get(json_object_get(r->part->summary, "samples"), "flags_changed"));
    if (changed > 0)
        fd_html_missing(html,
                        "The target set has been edited since the samples were made: %lld of their rows have another "
                        "verdict now. Predictions and figures use the set as it is; yields count verdicts of then.",
                        (long long)changed);
    fd_text_add(html,
                "<div class=\"wide\"><table><thead><tr><th></th><th>paper</th><th>this run</th></tr></thead><tbody>\n");
    if (t) {
        double lo, hi;
        fd_wilson(t->labels, t->n, &lo, &hi);
        fd_html_pair(html, "Solutions", "104 of 30,000,000", "%s of %s; %llu inside the prior box",
                     fd_text_count(t->labels, a), fd_text_count(t->n, b), (unsigned long long)t->labels_in_prior);
        fd_html_pair(html, "Yield", "3.5e-06 (2.9e-06 to 4.2e-06, 95 %)", "%.2g (%.2g to %.2g, 95 %%)",
                     t->n ? (double)t->labels / (double)t->n : 0.0, lo, hi);
    }
    if (r->part->has_solutions && r->part->solutions.n_rows > 0) solution_rows(html, &r->part->solutions);
    if (digits) {
        digits_row(html, json_object_get(digits, "solutions"), "Hierarchy of the Yukawas",
                   "95.2 % within two digits (1 / 2 / 3 / 4 digits: 49 / 50 / 3 / 2)");
        digits_row(html, json_object_get(digits, "prior"), "The same for prior draws",
                   "about 94.8 % within two digits");
    }
    fd_text_add(html, "</tbody></table></div>\n");
    limits_table(r);
}
