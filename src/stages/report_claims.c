/* Report: the paper's claims, in each network's solutions, in exact ones, and a verdict. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "inference/stats.h"
#include "stages/analyse.h"
#include "stages/claims.h"
#include "stages/report.h"

/* Exact solutions and, for the share a prior has without them, the prior inside the mass windows. */
typedef struct sets {
    fd_table exact, prior;
    fd_sample_info exact_info, prior_info;
} sets;

/* A sample file of the folder beside the first part that was analysed; what is wrong with it is said. */
static void read_set(fd_report *r, const char *name, uint8_t needed, fd_table *table, fd_sample_info *info) {
    char *path = fd_path(r->folder, name);
    const json_t *summary = r->parts[0].summary ? r->parts[0].summary : r->parts[r->n_parts - 1].summary;
    fd_error why = {0};
    fd_status status = path ? FD_OK : fd_fail(&why, FD_ERR_MEMORY, "out of memory");
    if (path && access(path, F_OK) == 0) status = fd_rows_read(r->run, path, summary, needed, table, info, &why);
    if (!fd_report_takes(r, path, status, &why)) {
        fd_html_missing(&r->html, "%s is left out: %s.", name, why.message);
        fd_table_free(table);
    }
    free(path);
}

static void quartiles_line(fd_text *html, const fd_claim *c, const fd_table *table) {
    size_t n = 0;
    int at = fd_table_column(table, c->column);
    double q[3], *x = c->unit && at >= 0 ? fd_table_values(table, at, -1, &n) : NULL;
    if (x && n) {
        fd_quartiles(n, x, q);
        fd_text_addf(html, "<small>median %.3g %s (%.3g, %.3g)</small>", c->factor * q[1], c->unit, c->factor * q[0], c->factor * q[2]);
    }
    if (!x && c->unit && at >= 0) html->failed = true;
    free(x);
}

/* 12.3 %, 11.9 to 12.7, and where there is something to compare with, whether it is the same. */
static void share_cell(fd_text *html, const fd_claim *c, const fd_table *table, const fd_share *exact) {
    fd_share s = fd_claim_count(c, table);
    double lo, hi;
    fd_wilson_interval(s.k, s.n, FD_Z95, &lo, &hi);
    fd_text_add(html, "<td>");
    if (s.n == 0) fd_text_add(html, "–");
    else fd_text_addf(html, "%.1f %%<small>%.1f to %.1f</small>", 100.0 * (double)s.k / (double)s.n, 100 * lo, 100 * hi);
    quartiles_line(html, c, table);
    if (exact && fd_shares_differ(s, *exact)) fd_text_add(html, "<small><b>differs from exact</b></small>");
    fd_text_add(html, "</td>");
}

static void head_cell(fd_text *html, const char *name, const fd_table *table, const char *of_none) {
    char n[32];
    fd_text_add(html, "<th>");
    fd_html_escape(html, name);
    if (table->n_rows) fd_text_addf(html, "<br><small>%s points</small></th>", fd_text_count(table->n_rows, n));
    else fd_text_addf(html, "<br><small>%s</small></th>", of_none);
}

static void claim_row(fd_report *r, const fd_claim *c, const sets *s) {
    fd_text *html = &r->html;
    fd_share exact = fd_claim_count(c, &s->exact), prior = fd_claim_count(c, &s->prior);
    fd_text_add(html, "<tr><th>");
    fd_html_escape(html, c->claim);
    fd_text_add(html, "</th><td>");
    fd_html_escape(html, c->statistic);
    fd_text_addf(html, "</td><td>%s<small>%.1f to %.1f %%</small></td>", c->means, 100 * c->lo, 100 * c->hi);
    for (int i = 0; i < r->n_parts; i++) share_cell(html, c, &r->parts[i].solutions, &exact);
    share_cell(html, c, &s->exact, NULL);
    if (s->prior.n_rows) share_cell(html, c, &s->prior, NULL);
    fd_text_add(html, "<td><b>");
    fd_html_escape(html, fd_claim_verdict(c, exact, prior));
    fd_text_add(html, "</b></td></tr>\n");
}

static void remarks(fd_report *r, const sets *s) {
    fd_text *html = &r->html;
    fd_text_add(html, "<p>Shares with their 95&nbsp;% intervals; <i>claimed</i> is the range of shares that bears the paper's words out, where it "
                      "counts: the interval about its 104 solutions. A claim is <b>the posterior's</b> where exact solutions have it, "
                      "<b>the prior's too</b> where prior draws with nothing but the two mass-squared differences in their windows have it as "
                      "well, <b>of the definition</b> where it follows from how the phases are read. A network <i>differs from exact</i> where "
                      "the 99&nbsp;% intervals have no share in common.</p>\n");
    if (s->exact.n_rows) {
        fd_text_add(html, "<p><code>reference.h5</code>: ");
        fd_html_escape(html, s->exact_info.note);
        fd_text_add(html, ".</p>\n");
    } else {
        fd_html_missing(html, "No exact solutions, so no verdict: `flavordiff reference -t %s -o %s/reference.h5` draws some (a run does "
                              "so with informed.reference), then make the report again.",
                        r->has_target ? r->target.name : "TARGET", r->folder);
    }
    if (s->exact.n_rows && !s->prior.n_rows)
        fd_text_add(html, "<p>Whether the prior has as much was not asked: <code>flavordiff attribute RUN/reference.h5 -o RUN/attribution</code> "
                          "draws it, then make the report again.</p>\n");
}

void fd_report_claims(fd_report *r) {
    fd_text *html = &r->html;
    sets s = {0};
    fd_text_add(html, "<h2>The paper's claims: verdicts</h2>\n");
    if (r->has_target && r->target.ordering == FD_ORDERING_INVERTED)
        fd_text_add(html, "<p>This run is of inverted ordering; the paper's claims are of normal ordering, and verdicts say whether they "
                          "would hold here.</p>\n");
    read_set(r, "reference.h5", FD_LABELS, &s.exact, &s.exact_info);
    read_set(r, "attribution/masses.h5", FD_MASSES, &s.prior, &s.prior_info);
    remarks(r, &s);
    fd_text_add(html, "<div class=\"wide\"><table><thead><tr><th>claim in the paper</th><th>share of solutions with</th>"
                      "<th>claimed</th>");
    for (int i = 0; i < r->n_parts; i++) head_cell(html, r->parts[i].name, &r->parts[i].solutions, r->parts[i].has_solutions ? "no solution" : "not analysed");
    head_cell(html, "exact", &s.exact, "no reference");
    if (s.prior.n_rows) head_cell(html, "prior in the mass windows", &s.prior, "");
    fd_text_add(html, "<th>verdict</th></tr></thead><tbody>\n");
    for (int i = 0; i < FD_CLAIMS; i++) claim_row(r, &fd_claims[i], &s);
    fd_text_add(html, "</tbody></table></div>\n");
    fd_table_free(&s.exact);
    fd_table_free(&s.prior);
}
