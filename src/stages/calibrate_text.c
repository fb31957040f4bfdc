/* A calibration for people, for programs and as a figure. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/json.h"
#include "stages/analyse.h"
#include "stages/calibrate.h"
#include "stages/plot.h"

/* Pulls within this many standard deviations name no reason. */
static const double reason = 2.6;

static bool outside(const fd_rank_verdict *v) { return v->p_value <= FD_CALIBRATION_TAIL; }

static int n_quantities(const fd_network_calibration *c) { return c->ranks.n_rows - FD_TARP_ROWS; }

char *fd_calibration_words(const fd_rank_verdict *v, bool tarp, char out[64]) {
    const char *why = "not uniform";
    if (!outside(v)) why = "uniform";
    else if (tarp && v->width_pull > reason) why = "too narrow or biased";
    else if (v->width_pull > reason && v->width_pull > fabs(v->mean_pull)) why = "samples too narrow";
    else if (v->width_pull < -reason && -v->width_pull > fabs(v->mean_pull)) why = "samples too wide";
    else if (tarp && v->mean_pull > reason) why = "samples too near to them";
    else if (tarp && v->mean_pull < -reason) why = "samples too far from them";
    else if (v->mean_pull > reason) why = "samples too low";
    else if (v->mean_pull < -reason) why = "samples too high";
    snprintf(out, 64, "%s", why);
    return out;
}

static void p_value(double p, char out[16]) {
    if (p < 1e-6) snprintf(out, 16, "< 1e-6");
    else snprintf(out, 16, p < 0.01 ? "%.1e" : "%.3f", p);
}

void fd_calibration_table(fd_text *text, const char *model, const fd_network_calibration *c) {
    char n[32], p[16], words[64];
    double least = 1;
    fd_text_addf(text, "Calibration of %s at %s labels, %zu samples each\nTruths: %s. Samples: %s\n", model,
                 fd_text_count(c->ranks.n, n), c->ranks.m, c->law, c->note);
    fd_text_addf(text, "%-28s %9s %7s %10s %9s  %s\n", "rank of the truth", "mean", "width", "deviation", "p-value", "verdict");
    for (int k = 0; k < c->ranks.n_rows; k++) {
        const fd_rank_verdict *v = &c->ranks.verdicts[k];
        bool tarp = k >= n_quantities(c);
        if (!tarp) least = fmin(least, v->p_value);
        p_value(v->p_value, p);
        fd_text_addf(text, "%-28s %9.3f %7.3f %10.4f %9s  %s\n", c->names[k], v->mean, v->width, v->deviation, p,
                     fd_calibration_words(v, tarp, words));
    }
    p_value(fmin(1, least * n_quantities(c)), p);
    fd_text_addf(text, "mean: 0.5, width: variance of the ranks over that of uniform ones, deviation: of their distribution function\n"
                       "%d of %d quantities outside the 99 %% band, %.1f expected by chance; smallest p-value times their number: %s\n",
                 c->n_outside, n_quantities(c), FD_CALIBRATION_TAIL * n_quantities(c), p);
    if (c->unranked.data) fd_text_addf(text, "Not ranked, the labels fix them: %s\n", c->unranked.data);
}

/* ---- files ----------------------------------------------------------------------------------------------------------- */

static fd_status write_csv(const fd_network_calibration *c, const char *folder, fd_error *err) {
    fd_text text = {0};
    char words[64], *path = fd_path(folder, "calibration.csv");
    fd_text_add(&text, "quantity,kind,mean_rank,width,mean_pull,width_pull,deviation,p_value,outside,verdict\n");
    for (int k = 0; k < c->ranks.n_rows; k++) {
        const fd_rank_verdict *v = &c->ranks.verdicts[k];
        bool tarp = k >= n_quantities(c);
        fd_text_addf(&text, "\"%s\",%s,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%d,%s\n", c->names[k],
                     tarp ? "tarp" : k < c->n_parameters ? "parameter" : "observable", v->mean, v->width, v->mean_pull,
                     v->width_pull, v->deviation, v->p_value, outside(v), fd_calibration_words(v, tarp, words));
    }
    fd_status status = path ? fd_text_write(&text, path, err) : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    fd_text_free(&text);
    free(path);
    return status;
}

/* How often each rank came, 0..m. */
static json_t *rank_counts(const fd_calibration *r, int k) {
    json_t *counts = json_array();
    for (size_t rank = 0; rank <= r->m; rank++) {
        json_int_t n = 0;
        for (size_t i = 0; i < r->n; i++) n += r->ranks[(size_t)k * r->n + i] == rank;
        json_array_append_new(counts, json_integer(n));
    }
    return counts;
}

static fd_status write_json(const char *model, const fd_network_calibration *c, const char *made, const char *folder, fd_error *err) {
    fd_json_watch();
    json_t *rows[2] = {json_array(), json_array()};
    char words[64];
    for (int k = 0; k < c->ranks.n_rows; k++) {
        const fd_rank_verdict *v = &c->ranks.verdicts[k];
        bool tarp = k >= n_quantities(c);
        json_array_append_new(rows[tarp], json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:b, s:s, s:o}", "quantity", c->names[k],
                                                    "mean_rank", v->mean, "width", v->width, "mean_pull", v->mean_pull,
                                                    "width_pull", v->width_pull, "deviation", v->deviation, "p_value", v->p_value,
                                                    "outside", outside(v), "verdict", fd_calibration_words(v, tarp, words),
                                                    "rank_counts", rank_counts(&c->ranks, k)));
    }
    json_t *root = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:f, s:o, s:o}", "format", "flavordiff-calibration",
                             "format_version", 1, "made", made, "network", model, "target", c->target, "truths", c->law, "samples", c->note,
                             "labels", (json_int_t)c->ranks.n, "samples_each", (json_int_t)c->ranks.m, "outside", c->n_outside,
                             "expected_outside", FD_CALIBRATION_TAIL * n_quantities(c), "quantities", rows[0], "tarp", rows[1]);
    bool refused = !root && !fd_json_ran_short(); /* what is not UTF-8 is found while packing */
    char *text = fd_json_text(root, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    char *path = fd_path(folder, "calibration.json");
    fd_status status = FD_OK;
    if (refused) status = fd_fail(err, FD_ERR_VALUE, "%s: the name is not UTF-8", model);
    else if (!path || !text) status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", model);
    else status = fd_write_text(path, text, strlen(text), err);
    json_decref(root);
    free(text);
    free(path);
    return status;
}

/* Columns credibility, lo, hi, then the curve of every row of ranks: all but the first are differences from uniform. */
static fd_status write_ecdf(const fd_network_calibration *c, const char *folder, fd_error *err) {
    const fd_calibration *r = &c->ranks;
    size_t n = (size_t)r->n_rows;
    const char **names = malloc((n + 3) * sizeof *names);
    fd_table table = {0};
    char *path = fd_path(folder, "calibration-ecdf.csv");
    fd_status status = names && path ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (status) goto cleanup;
    names[0] = "credibility", names[1] = "lo", names[2] = "hi";
    for (size_t k = 0; k < n; k++) names[3 + k] = c->names[k];
    names[3 + n - FD_TARP_ROWS + FD_TARP_GIVEN] = "tarp_prior";
    names[3 + n - FD_TARP_ROWS + FD_TARP_OWN] = "tarp_network";
    if ((status = fd_table_create(n + 3, names, &table, err))) goto cleanup;
    for (size_t j = 0; j <= r->m + 1 && !status; j++) { /* nothing below 0, all below m + 1 */
        double *row = fd_table_row(&table);
        bool end = j == 0 || j > r->m;
        if (!row) status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
        if (status) break;
        row[0] = (double)j / (double)(r->m + 1);
        row[1] = end ? 0 : r->lo[j - 1];
        row[2] = end ? 0 : r->hi[j - 1];
        for (size_t k = 0; k < n; k++) row[3 + k] = end ? 0 : r->difference[k * r->m + j - 1];
    }
    if (!status) status = fd_table_write(&table, path, err);
cleanup:
    fd_table_free(&table);
    free(names);
    free(path);
    return status;
}

/* ---- figure ------------------------------------------------------------------------------------------------------------ */

/* Quantities in the band in grey, the worst outside it in colour. */
static void rank_panel(fd_text *script, const fd_network_calibration *c) {
    static const char *const colours[] = {"#d7191c", "#2166ac", "#1b7837", "#e08214", "#762a83", "#8c510a"};
    enum { COLOURS = sizeof colours / sizeof *colours };
    int worst[COLOURS] = {0}, n = 0;
    for (; n < COLOURS; n++) {
        int next = -1;
        for (int k = 0; k < n_quantities(c); k++) {
            bool taken = !outside(&c->ranks.verdicts[k]);
            for (int i = 0; i < n; i++) taken |= worst[i] == k;
            if (!taken && (next < 0 || c->ranks.verdicts[k].deviation > c->ranks.verdicts[next].deviation)) next = k;
        }
        if (next < 0) break;
        worst[n] = next;
    }
    double d = 0;
    for (int k = 0; k < n_quantities(c); k++) d = fmax(d, c->ranks.verdicts[k].deviation);
    for (size_t j = 0; j < c->ranks.m; j++) d = fmax(d, fmax(c->ranks.hi[j], -c->ranks.lo[j]));
    fd_text_addf(script, "set yrange [%.4g:%.4g]\n", -1.1 * d, 2.1 * d); /* room for the key */
    fd_text_add(script, "set key top right font small noenhanced\nset xlabel 'rank of the truth / samples'\n"
                        "set ylabel 'distribution function − uniform' offset 1\nset xrange [0:1]\nplot "
                        "'calibration-ecdf.csv' using 'credibility':'lo':'hi' with filledcurves fc rgb '#dce9f5' title '99 % band'");
    for (int k = 0; k < n_quantities(c); k++)
        fd_text_addf(script, ", \\\n  '' using 'credibility':'%s' with lines lw 0.6 lc rgb '#999999' notitle", c->names[k]);
    for (int i = 0; i < n; i++)
        fd_text_addf(script, ", \\\n  '' using 'credibility':'%s' with lines lw 1.6 lc rgb '%s' title '%s'", c->names[worst[i]],
                     colours[i], c->names[worst[i]]);
    fd_text_add(script, "\n");
}

static void coverage_panel(fd_text *script) {
    fd_text_add(script, "set key top left font small\nset xlabel 'credibility'\nset ylabel 'expected coverage' offset 1\n"
                        "set xrange [0:1]\nset yrange [0:1]\nplot 'calibration-ecdf.csv' using "
                        "'credibility':(column('credibility') + column('lo')):(column('credibility') + column('hi')) with filledcurves "
                        "fc rgb '#dce9f5' title '99 % band'");
    fd_text_add(script, ", \\\n  '' using 'credibility':(column('credibility') + column('tarp_prior')) with lines lw 1.6 lc rgb '#2166ac' "
                        "title 'distance from points of the prior'");
    fd_text_add(script, ", \\\n  '' using 'credibility':(column('credibility') + column('tarp_network')) with lines lw 1.6 lc rgb "
                        "'#b2182b' title 'from points of the network'");
    fd_text_add(script, ", \\\n  x with lines dt 2 lw 0.8 lc rgb '#555555' notitle\n");
}

static fd_status draw_figure(const fd_run *run, const fd_network_calibration *c, const char *folder, fd_error *err) {
    fd_plot plot = {.run = run, .folder = folder};
    fd_text script = {0}, title = {0};
    char n[32];
    fd_script_open(&script, "calibration", "ranks of truths and expected coverage", 9, 4.4);
    fd_text_addf(&title, "%s labels, %zu samples each: %d of %d quantities outside the band", fd_text_count(c->ranks.n, n),
                 c->ranks.m, c->n_outside, n_quantities(c));
    fd_text_add(&script, "set label 1 'Calibration over many labels' at screen 0.5,0.95 center font big\nset label 2 ");
    fd_script_quote(&script, title.data ? title.data : "");
    fd_text_add(&script, " at screen 0.5,0.88 center noenhanced\nset grid lc rgb '#dddddd'\n");
    fd_script_panel(&script, 0, 2, false);
    rank_panel(&script, c);
    fd_script_panel(&script, 1, 2, false);
    coverage_panel(&script);
    fd_script_close(&script);
    script.failed |= title.failed;
    fd_status status = fd_script_draw(&plot, "calibration", &script, err);
    fd_text_free(&title);
    fd_text_free(&script);
    return status;
}

fd_status fd_calibration_write(const fd_run *run, const char *model, const fd_network_calibration *c, const char *made,
                               const char *folder, fd_error *err) {
    fd_status status = write_json(model, c, made, folder, err);
    if (!status) status = write_csv(c, folder, err);
    if (!status) status = write_ecdf(c, folder, err);
    return status ? status : draw_figure(run, c, folder, err);
}
