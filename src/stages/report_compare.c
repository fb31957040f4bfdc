/* Report: the paper's counts beside this run's, and limits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/analyse.h"
#include "stages/report.h"

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
        fd_html_missing(html, "Only %zu solution%s: what is said of them is of so few points and means little.",
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
    if (digits) {
        digits_row(html, json_object_get(digits, "solutions"), "Hierarchy of the Yukawas",
                   "95.2 % within two digits (1 / 2 / 3 / 4 digits: 49 / 50 / 3 / 2)");
        digits_row(html, json_object_get(digits, "prior"), "The same for prior draws",
                   "about 94.8 % within two digits");
    }
    fd_text_add(html, "</tbody></table></div>\n");
    limits_table(r);
}
