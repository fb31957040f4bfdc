/* Report: what was run, and how many points came through. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "stages/ledger.h"
#include "stages/report.h"

static const char *sampler_text(const fd_sampler_spec *s, char out[96]) {
    if (s->kind == FD_SAMPLER_DDIM)
        snprintf(out, 96, "DDIM, %d steps, eta = %g", s->steps, s->eta);
    else
        snprintf(out, 96, "DDPM, %d steps, variance %s", s->steps,
                 s->variance == FD_VARIANCE_BETA ? "beta" : "beta tilde");
    return out;
}

static const char *label_text(fd_label_choice label) {
    switch (label) {
    case FD_LABEL_WINDOW: return "drawn from inside the 3 sigma window";
    case FD_LABEL_VALUES: return "given by the user";
    default: return "central values of the target set";
    }
}

static void generation_rows(fd_text *html, const char *name, const fd_generate_spec *g) {
    char sampler[96];
    fd_html_row(
        html, name,
        "%s; label: %s; guidance gamma = %g, that is eps = (1 - gamma) eps(no label) + gamma eps(label), or w = "
        "gamma - 1 = %g elsewhere (gamma = 1: the plain conditional network)",
        sampler_text(&g->sampler, sampler), label_text(g->label), g->gamma, g->gamma - 1);
}

static void model_rows(fd_text *html, const fd_model_options *o) {
    fd_html_row(html, "Model", "%s, %s ordering, %d parameters%s", o->kind,
                o->ordering == FD_ORDERING_NORMAL ? "normal" : "inverted", o->real_majorana ? 21 : 23,
                o->real_majorana ? " (arg M1 = arg M2 = 0)" : " (with arg M1, arg M2)");
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

static void config_rows(fd_text *html, const fd_config *c) {
    fd_html_row(html, "Random seed", "%llu", (unsigned long long)c->seed);
    fd_html_row(html, "Training pairs", "%llu prior draws, %.0f %% for training", (unsigned long long)c->simulate.pairs,
                100 * c->simulate.train_fraction);
    fd_html_row(html, "Diffusion", "%s schedule, T = %d", c->diffusion.kind == FD_SCHEDULE_LINEAR ? "linear" : "cosine",
                c->diffusion.steps);
    fd_html_row(html, "Training", "%ld updates of %d pairs for the pre-network; %d round%s of %ld updates of tuning",
                c->train.updates, c->train.batch, c->tune_rounds, c->tune_rounds == 1 ? "" : "s", c->tune.updates);
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

void fd_report_run(fd_report *r) {
    fd_text *html = &r->html;
    fd_text_add(html, "<h2>What was run</h2>\n<div class=\"wide\"><table>\n");
    if (r->has_target) {
        fd_html_row(html, "Target set", "%s: %s", r->target.name, r->target.title);
        fd_html_row(html, "Its source", "%s", r->target.source);
    }
    if (r->has_config || r->has_samples) model_rows(html, r->has_samples ? &r->samples.model : &r->config.model);
    if (r->has_config) config_rows(html, &r->config);
    if (r->has_samples)
        fd_html_row(html, "Samples", "%s; seed %llu", r->samples.note, (unsigned long long)r->samples.seed);
    fd_text_add(html, "</table></div>\n");
    if (!r->has_target) fd_html_missing(html, "The target set is not found; its values are not shown.");
    if (!r->has_config)
        fd_html_missing(html,
                        "config.yaml is missing or cannot be read; settings above are those stored with the samples.");
    if (!r->has_samples) fd_html_missing(html, "samples.h5 is missing or cannot be read.");
    if (r->has_config) {
        fd_text_add(html, "<details><summary>The whole configuration</summary><pre>");
        fd_html_escape(html, r->config_text);
        fd_text_add(html, "</pre></details>\n");
    }
}

/* ---- ledger ----------------------------------------------------------------------------------------------- */

static void window_cell(fd_text *html, uint64_t k, uint64_t n) {
    char count[32];
    double lo, hi;
    fd_wilson(k, n, &lo, &hi);
    fd_text_addf(html, "<td class=\"n\">%s<small>from %.2g</small><small>to %.2g</small></td>", fd_text_count(k, count),
                 lo, hi);
}

static void set_row(fd_text *html, const fd_ledger_entry *e) {
    const fd_tally *t = &e->tally;
    char count[32];
    fd_text_add(html, "<tr><th>");
    fd_html_escape(html, e->set);
    fd_text_addf(html, "</th><td class=\"n\">%s</td>", fd_text_count(t->n, count));
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
        "<p>How many of everything that was generated fall into each 3 σ window. Small print: Wilson 95 % interval of "
        "the fraction. A <i>solution</i> has both mass-squared differences and all nine |U| inside 3 σ.</p>\n"
        "<div class=\"wide\"><table><thead><tr><th>set</th><th>generated</th>");
    for (int w = 0; w < FD_WINDOW_COUNT; w++) fd_text_addf(html, "<th>%s</th>", fd_windows[w].title);
    fd_text_add(html, "<th>outside prior</th><th>not finite</th><th>seconds</th></tr></thead><tbody>\n");
    for (int i = 0; i < r->n_sets; i++) set_row(html, &r->sets[i]);
    fd_text_add(html, "</tbody></table></div>\n<div class=\"wide\"><table>\n");
    for (int i = 0; i < r->n_sets; i++) fd_html_row(html, r->sets[i].set, "%s", r->sets[i].note);
    fd_text_add(html, "</table></div>\n");
}

/* The three counted groups of the selection for transfer learning. */
static void selection_table(fd_report *r) {
    fd_text *html = &r->html;
    char a[32], b[32], c[32], d[32], e[32];
    fd_text_add(
        html,
        "<h2>Selection for tuning</h2>\n<div class=\"wide\"><table><thead><tr><th></th><th>masses only</th><th>mixing "
        "only</th><th>both</th><th>together</th><th>generated</th></tr></thead><tbody>\n"
        "<tr><th>paper</th><td class=\"n\">7,289</td><td class=\"n\">36,529</td><td class=\"n\">78,488</td>"
        "<td class=\"n\">122,306<small>printed: 116,306</small></td><td class=\"n\">–</td></tr>\n");
    for (int i = 0; i < r->n_rounds; i++) {
        const uint64_t *g = r->rounds[i].groups;
        fd_text_addf(
            html,
            "<tr><th>this run, round %d</th><td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td>"
            "<td class=\"n\">%s</td><td class=\"n\">%s</td></tr>\n",
            i + 1, fd_text_count(g[0], a), fd_text_count(g[1], b), fd_text_count(g[2], c),
            fd_text_count(g[0] + g[1] + g[2], d), fd_text_count(r->rounds[i].tally.n, e));
    }
    fd_text_add(html, "</tbody></table></div>\n");
    if (r->n_rounds == 0)
        fd_html_missing(html, "No selected-1.h5: the network was not tuned, or the file cannot be read.");
}

void fd_report_ledger(fd_report *r) {
    bool before = false;
    fd_text_add(&r->html, "<h2>Yields</h2>\n");
    for (int i = 0; i < r->n_sets; i++) before = before || strstr(r->sets[i].set, "pre-network") != NULL;
    if (r->n_sets)
        ledger_table(r);
    else
        fd_html_missing(&r->html, "ledger.json is missing or cannot be read; yields are not shown.");
    if (r->n_sets && !before)
        fd_html_missing(
            &r->html, "No samples of the pre-network (before.h5): the yield before tuning is not known for this run.");
    selection_table(r);
}
