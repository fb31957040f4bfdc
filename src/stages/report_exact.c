/* Report: do the informed network's solutions follow the exact posterior? */
#include <stdlib.h>
#include <unistd.h>

#include "flavordiff/compare.h"
#include "stages/analyse.h"
#include "stages/report.h"

static void number_cell(fd_text *html, bool there, double x) {
    if (there)
        fd_text_addf(html, "<td class=\"n\">%.4f</td>", x);
    else
        fd_text_add(html, "<td class=\"n\">–</td>");
}

static void distance_row(fd_text *html, const fd_distance *d) {
    char words[64];
    fd_text_addf(html, "<tr><th>");
    fd_html_escape(html, d->name);
    fd_text_add(html, "</th>");
    number_cell(html, true, d->ks);
    number_cell(html, true, d->ks_null);
    number_cell(html, d->periodic, d->kuiper);
    number_cell(html, d->periodic, d->kuiper_null);
    fd_text_addf(html, d->outside ? "<td><b>%s</b></td></tr>\n" : "<td>%s</td></tr>\n", fd_distance_verdict(d, words));
}

static void table(fd_text *html, const fd_comparison *c) {
    char n[32], m[32];
    fd_text_addf(html,
                 "<p>%s solutions of the informed network (projected where that was asked for) against %s exact ones "
                 "(<code>reference.h5</code>: the prior inside the 3&nbsp;σ windows), all inside the prior box. KS is the largest "
                 "distance of the two distribution functions; two sets drawn from one distribution come further apart than the "
                 "99&nbsp;%% null once in a hundred times. Angles are judged by Kuiper's distance, which does not depend on where the "
                 "circle begins.</p>\n",
                 fd_text_count(c->m, m), fd_text_count(c->n, n));
    fd_text_addf(html,
                 "<p><b>%d of %d quantities lie outside the 99&nbsp;%% null</b>; %.1f are expected there by chance when nothing "
                 "differs.</p>\n<div class=\"wide\"><table><thead><tr><th>quantity</th><th>KS</th><th>99 %% null</th>"
                 "<th>Kuiper</th><th>99 %% null</th><th>verdict</th></tr></thead><tbody>\n",
                 c->n_outside, c->n_distances, FD_COMPARE_TAIL * c->n_distances);
    for (int i = 0; i < c->n_distances; i++) distance_row(html, &c->distances[i]);
    fd_text_add(html, "</tbody></table></div>\n");
}

void fd_report_exact(fd_report *r) {
    if (!r->has_config || !r->config.informed.enabled || !r->config.informed.reference) return;
    fd_text_add(&r->html, "<h2>The informed network beside the exact posterior</h2>\n");
    char *reference = fd_path(r->folder, "reference.h5"), *samples = fd_path(r->folder, "informed-samples.h5");
    const char *const paths[] = {reference, samples};
    const fd_compare_spec all = {0};
    fd_comparison comparison = {0};
    fd_error why = {0};
    fd_status status = reference && samples ? fd_compare(2, paths, &all, &comparison, &why)
                                            : fd_fail(&why, FD_ERR_MEMORY, "out of memory");
    if (!fd_report_takes(r, reference, status, &why))
        fd_html_missing(&r->html, "Not compared: %s.", why.message);
    else
        table(&r->html, &comparison);
    fd_comparison_free(&comparison);
    free(reference);
    free(samples);
}
