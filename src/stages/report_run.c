/* Report: what was run, and how many points came through. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "stages/common.h"
#include "stages/ledger.h"
#include "stages/report.h"

static void generation_rows(fd_text *html, const char *name, const fd_generate_spec *g) {
    char how[400];
    fd_generate_note(g, how, sizeof how);
    fd_html_row(html, name,
                "%s. gamma = 1 is the plain conditional network; elsewhere w = gamma - 1 = %g is called the scale", how,
                g->gamma - 1);
}

static void model_rows(fd_text *html, const fd_model_options *o) {
    fd_model *model = NULL;
    if (fd_model_create(o, &model, NULL)) html->failed = true; /* it was made for the samples */
    else
        fd_html_row(html, "Model", "%s, %s ordering, %d parameters%s", model->name, fd_ordering_name(o->ordering),
                    model->n_params, o->real_majorana ? " (arg M1 = arg M2 = 0)" : " (with arg M1, arg M2)");
    fd_model_free(model);
    fd_html_row(html, "Scale window", "%s",
                o->scale == FD_SCALE_MEV
                    ? "log10(<H>^2/M3 / eV) uniform in [-4.22, -0.22]: the paper's printed numbers read as meV"
                    : "log10(<H>^2/M3 / eV) uniform in [-1.22, 2.78], as printed in the paper");
    fd_html_row(html, "Masses in GeV", "M3 = vev^2 1e9 / 10^k with vev = %g GeV", o->vev_GeV);
    fd_html_row(html, "Majorana phases", "%s",
                o->phases == FD_PHASES_TAKAGI
                    ? "of the factorisation U^T m U = diag itself; the paper's reading is shown beside it"
                    : "the paper's reading was asked for (eigenvectors with a real first row); this report shows both");
}

/* The informed network's settings. */
static void informed_rows(fd_text *html, const fd_informed_spec *s) {
    fd_html_row(html, "Informed network", "%d hidden layer%s of %d%s, told the residual of the labels and %d Gauss-Newton step%s",
                s->hidden, s->hidden == 1 ? "" : "s", s->width, s->last ? " and a last one" : "", s->told.label_steps,
                s->told.label_steps == 1 ? "" : "s");
    fd_html_row(html, "Its training", "%ld updates of %d pairs, drawn while it trains from the prior%s", s->train.updates,
                s->train.batch, s->draws == FD_DRAWS_PRIOR ? "" : " inside widened windows");
    generation_rows(html, "Its generation", &s->sample.generate);
}

static void paper_rows(fd_text *html, const fd_config *c) {
    fd_html_row(html, "Training pairs", "%llu prior draws, %.0f %% for training", (unsigned long long)c->simulate.pairs,
                100 * c->simulate.train_fraction);
    fd_html_row(html, "Diffusion", "%s schedule, T = %d", fd_schedule_name(c->diffusion.kind),
                c->diffusion.steps);
    fd_html_row(html, "Training", "%ld updates of %d pairs for the pre-network", c->train.updates, c->train.batch);
    if (c->tune_rounds > 0)
        fd_html_row(html, "Tuning", "%d round%s of %ld updates of %d pairs", c->tune_rounds,
                    c->tune_rounds == 1 ? "" : "s", c->tune.updates, c->tune.batch);
    else
        fd_html_row(html, "Tuning", "none (tune.rounds = 0): the samples are those of the pre-network");
    if (c->tune_rounds > 0)
        fd_html_row(html, "Selection for tuning",
                    "chi2 of all labels below %g, of masses alone below %g, of mixing alone below %g",
                    c->select.chi2_all, c->select.chi2_mass, c->select.chi2_mixing);
    generation_rows(html, "Generation", &c->sample.generate);
    if (c->sample.keep_chi2_below < 1e300)
        fd_html_row(html, "Rows kept",
                    "solutions, and points with five-observable chi2 below %g; all points are counted",
                    c->sample.keep_chi2_below);
}

static void config_rows(fd_text *html, const fd_config *c) {
    fd_html_row(html, "Random seed", "%llu", (unsigned long long)c->seed);
    if (c->paper) paper_rows(html, c);
    if (c->informed.enabled) informed_rows(html, &c->informed);
}

void fd_report_run(fd_report *r) {
    fd_text *html = &r->html;
    fd_text_add(html, "<h2>What was run</h2>\n<div class=\"wide\"><table>\n");
    if (r->has_target) {
        fd_html_row(html, "Target set", "%s: %s", r->target.name, r->target.title);
        fd_html_row(html, "Its source", "%s", r->target.source);
    }
    const fd_report_part *p = r->part;
    if (r->has_config || p->has_samples) model_rows(html, p->has_samples ? &p->samples.model : &r->config.model);
    if (r->has_config) config_rows(html, &r->config);
    for (int i = 0; i < r->n_parts; i++, p++)
        if (p->has_samples)
            fd_html_row(html, r->n_parts == 1 ? "Samples" : i ? "Samples of the paper's network" : "Samples of the informed network",
                        "%s; seed %llu", p->samples.note, (unsigned long long)p->samples.seed);
    fd_text_add(html, "</table></div>\n");
    if (!r->has_target) fd_html_missing(html, "The target set is not found; its values are not shown.");
    if (!r->has_config)
        fd_html_missing(html,
                        "config.yaml is missing or cannot be read; settings above are those stored with the samples.");
    for (int i = 0; i < r->n_parts; i++)
        if (!r->parts[i].has_samples) fd_html_missing(html, "%s is missing or cannot be read.", r->parts[i].file);
    if (r->has_config) {
        fd_text_add(html, "<details><summary>The whole configuration</summary><pre>");
        fd_html_escape(html, r->config_text);
        fd_text_add(html, "</pre></details>\n");
    }
}

/* ---- ledger ----------------------------------------------------------------------------------------------- */

static void window_cell(fd_text *html, uint64_t k, uint64_t n) {
    char count[32], from[32], to[32];
    double lo, hi;
    fd_wilson(k, n, &lo, &hi);
    fd_text_addf(html, "<td class=\"n\">%s<small>from %s</small><small>to %s</small></td>", fd_text_count(k, count),
                 fd_text_fraction(lo, 3, from), fd_text_fraction(hi, 3, to));
}

static void set_row(fd_text *html, const fd_ledger_entry *e) {
    const fd_tally *t = &e->tally;
    char count[32];
    fd_text_add(html, "<tr><th>");
    fd_html_escape(html, e->set);
    fd_text_addf(html, "</th><td class=\"n\">%s</td>", fd_text_count(t->n, count));
    if (e->exact) { /* solutions by construction: no yield, no rate */
        fd_text_addf(html, "<td colspan=\"%d\">exact solutions, drawn to compare with</td><td class=\"n\">%.1f</td></tr>\n",
                     FD_WINDOW_COUNT + 2, t->seconds);
        return;
    }
    for (int w = 0; w < FD_WINDOW_COUNT; w++) window_cell(html, fd_window_count(t, w), t->n);
    if (t->finite)
        fd_text_addf(html, "<td class=\"n\">%.3g&nbsp;%%</td>",
                     100 * (double)(t->finite - t->in_prior) / (double)t->finite);
    else
        fd_text_add(html, "<td class=\"n\">–</td>");
    if (t->n)
        fd_text_addf(html, "<td class=\"n\">%.3g&nbsp;%%</td>", 100 * (double)(t->n - t->finite) / (double)t->n);
    else
        fd_text_add(html, "<td class=\"n\">–</td>");
    fd_text_addf(html, "<td class=\"n\">%.1f", t->seconds);
    if (t->seconds > 0)
        fd_text_addf(html, "<small>%s/s</small>", fd_text_count((uint64_t)((double)t->n / t->seconds + 0.5), count));
    fd_text_add(html, "</td></tr>\n");
}

static void ledger_table(fd_report *r) {
    fd_text *html = &r->html;
    fd_text_add(
        html,
        "<p>How many of everything that was generated fall into each 3&nbsp;σ window. Small print: Wilson 95&nbsp;% "
        "interval of "
        "the fraction. A <i>solution</i> has both mass-squared differences and all nine |U| inside 3&nbsp;σ.</p>\n"
        "<div class=\"wide\"><table><thead><tr><th>set</th><th>generated</th>");
    for (int w = 0; w < FD_WINDOW_COUNT; w++) fd_text_addf(html, "<th>%s</th>", fd_windows[w].title);
    fd_text_add(html, "<th>outside prior</th><th>not finite</th><th>seconds</th></tr></thead><tbody>\n");
    for (int i = 0; i < r->n_sets; i++) set_row(html, &r->sets[i]);
    fd_text_add(html, "</tbody></table></div>\n<div class=\"wide\"><table>\n");
    for (int i = 0; i < r->n_sets; i++) fd_html_row(html, r->sets[i].set, "%s", r->sets[i].note);
    fd_text_add(html, "</table></div>\n");
}

static void selection_row(fd_text *html, int round, const fd_sample_info *info, uint64_t in_prior) {
    const uint64_t *g = info->groups;
    const uint64_t counts[] = {g[0], g[1], g[2], g[0] + g[1] + g[2], in_prior, info->tally.n};
    char text[32];
    fd_text_addf(html, "<tr><th>this run, round %d</th>", round);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        fd_text_addf(html, "<td class=\"n\">%s</td>", fd_text_count(counts[i], text));
    fd_text_add(html, "</tr>\n");
}

/* The three counted groups of the selection for transfer learning. */
static void selection_table(fd_report *r) {
    fd_text *html = &r->html;
    fd_text_add(html, "<h2>Selection for tuning</h2>\n");
    if (r->has_config && r->config.tune_rounds == 0) {
        fd_text_add(html, "<p>The network was not tuned (<code>tune.rounds: 0</code>).</p>\n");
        return;
    }
    fd_text_add(
        html,
        "<p>Generated points that the network is tuned on. They are selected by χ² alone and need not lie inside the "
        "prior box.</p>\n<div class=\"wide\"><table><thead><tr><th></th><th>masses only</th><th>mixing only</th>"
        "<th>both</th><th>together</th><th>of them inside the prior</th><th>generated</th></tr></thead><tbody>\n"
        "<tr><th>paper</th><td class=\"n\">7,289</td><td class=\"n\">36,529</td><td class=\"n\">78,488</td>"
        "<td class=\"n\">122,306<small>printed: 116,306</small></td><td class=\"n\">–</td><td class=\"n\">–</td>"
        "</tr>\n");
    for (int i = 0; i < r->n_rounds; i++) selection_row(html, i + 1, &r->rounds[i], r->rounds_in_prior[i]);
    fd_text_add(html, "</tbody></table></div>\n");
    if (r->has_config && r->n_rounds < r->config.tune_rounds)
        fd_html_missing(html, "selected-%d.h5 is missing or cannot be read.", r->n_rounds + 1);
    else if (r->n_rounds == 0)
        fd_html_missing(html, "No selected-1.h5: the network was not tuned, or the file cannot be read.");
}

void fd_report_ledger(fd_report *r) {
    bool paper = !r->has_config || r->config.paper;
    bool before = r->has_config && r->config.tune_rounds == 0; /* what was sampled is the pre-network */
    fd_text_add(&r->html, "<h2>Yields</h2>\n");
    for (int i = 0; i < r->n_sets; i++) before = before || strstr(r->sets[i].set, "pre-network") != NULL;
    if (r->n_sets)
        ledger_table(r);
    else
        fd_html_missing(&r->html, "ledger.json is missing or cannot be read; yields are not shown.");
    if (r->n_sets && paper && !before)
        fd_html_missing(
            &r->html, "No samples of the pre-network (before.h5): the yield before tuning is not known for this run.");
    if (paper) selection_table(r);
}
