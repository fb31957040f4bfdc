/* distortion: what guidance costs. For every gamma the yield of a network, the distance of its solutions from exact ones and
 * its calibration: a larger yield is no gain when the distribution behind it is another. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/compare.h"
#include "stages/analyse.h"
#include "stages/calibrate.h"
#include "stages/plot.h"

enum { FEWEST = 50 /* solutions that are compared */, DEALINGS = 20 /* behind the classifier's null */, NAME = 64 };

/* One gamma. NaN and empty where too few solutions were found to compare. */
typedef struct level {
    double gamma;
    fd_tally tally, alone;
    int compared, outside;                 /* quantities */
    double worst, null;                    /* the largest KS distance and its 99 % null */
    char where[48];
    fd_c2st c2st;                          /* rows 0: none */
    int ranked, uncalibrated;              /* quantities */
    double coverage[FD_TARP_ROWS], coverage_p[FD_TARP_ROWS]; /* largest deviation from the credibility, p-value */
} level;

static double yield(const fd_tally *t) { return t->n ? (double)t->labels_in_prior / (double)t->n : NAN; }

/* Samples of one gamma in FOLDER/gamma-G.h5, and their tallies. */
static fd_status sample_level(const fd_run *run, const fd_sample_spec *spec, const char *model, const char *path, level *l,
                              fd_error *err) {
    fd_sample_reader *reader = NULL;
    fd_sample_info info;
    fd_run quiet = *run;
    quiet.message = NULL;
    fd_status status = fd_stage_sample(&quiet, spec, model, path, err);
    if (!status) status = fd_samples_open(path, &reader, &info, err);
    if (status) return status;
    fd_samples_close(reader);
    l->tally = info.tally;
    l->alone = info.alone.n ? info.alone : info.tally;
    return FD_OK;
}

static fd_status compare_level(const fd_run *run, const char *reference, const char *samples, level *l, fd_error *err) {
    const char *const paths[] = {reference, samples};
    uint64_t most = run->config->distortion.n;
    const fd_compare_spec spec = {.most = most, .together = true,
                                  .c2st = {.most = (size_t)most, .permutations = DEALINGS,
                                           .seed = fd_derive_seed(run->config->seed, "distortion")}};
    fd_comparison c;
    l->worst = l->null = NAN;
    if (l->tally.labels_in_prior < FEWEST) return FD_OK;
    fd_status status = fd_compare(2, paths, &spec, &c, err);
    if (status) return status;
    l->compared = c.n_distances;
    l->outside = c.n_outside;
    l->c2st = c.c2st;
    for (int i = 0; i < c.n_distances; i++) {
        const fd_distance *d = &c.distances[i];
        if (!(isnan(l->worst) || d->ks > l->worst)) continue;
        l->worst = d->ks, l->null = d->ks_null;
        snprintf(l->where, sizeof l->where, "%s", d->name);
    }
    fd_comparison_free(&c);
    return FD_OK;
}

static fd_status calibrate_level(const fd_run *run, const fd_generate_spec *spec, const char *model, level *l, fd_error *err) {
    const fd_calibrate_spec size = {.draws = run->config->distortion.draws, .samples = run->config->calibrate.samples};
    fd_network_calibration c;
    fd_status status = fd_calibrate_network(run, "distortion", spec, model, &size, NULL, &c, err);
    if (status) return status;
    l->ranked = c.ranks.n_rows - FD_TARP_ROWS;
    l->uncalibrated = c.n_outside;
    for (int k = 0; k < FD_TARP_ROWS; k++) {
        l->coverage[k] = c.ranks.verdicts[l->ranked + k].deviation;
        l->coverage_p[k] = c.ranks.verdicts[l->ranked + k].p_value;
    }
    fd_network_calibration_free(&c);
    return FD_OK;
}

static fd_status measure(const fd_run *run, const fd_generate_spec *generate, const char *model, const char *reference,
                         const char *folder, double gamma, level *l, fd_error *err) {
    char file[NAME];
    fd_sample_spec spec = {.generate = *generate, .n = run->config->distortion.n, .keep_chi2_below = INFINITY};
    *l = (level){.gamma = spec.generate.gamma = gamma};
    snprintf(file, sizeof file, "gamma-%.6g.h5", gamma);
    char *path = fd_path(folder, file);
    fd_status status = path ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status) status = sample_level(run, &spec, model, path, l, err);
    if (!status) status = compare_level(run, reference, path, l, err);
    if (!status) status = calibrate_level(run, &spec.generate, model, l, err);
    free(path);
    return status;
}

/* ---- what it says ------------------------------------------------------------------------------------------------------- */

static double accuracy(const level *l) { return l->c2st.rows ? l->c2st.accuracy : NAN; }
static double accuracy_null(const level *l) { return l->c2st.rows ? l->c2st.null99 : NAN; }

static void table(fd_text *text, int n, const level *levels) {
    fd_text_addf(text, "%7s %8s %8s  %-9s %8s %8s  %-12s %8s %8s  %-9s %12s %14s\n", "gamma", "alone", "yield", "outside", "worst KS",
                 "null", "where", "C2ST", "null", "ranks out", "TARP, prior", "TARP, network");
    for (int i = 0; i < n; i++) {
        const level *l = &levels[i];
        char outside[24] = "-", ranks[24];
        if (l->compared) snprintf(outside, sizeof outside, "%d of %d", l->outside, l->compared);
        snprintf(ranks, sizeof ranks, "%d of %d", l->uncalibrated, l->ranked);
        fd_text_addf(text, "%7g %8.4f %8.4f  %-9s %8.4f %8.4f  %-12s %8.4f %8.4f  %-9s", l->gamma, yield(&l->alone), yield(&l->tally),
                     outside, l->worst, l->null, l->where, accuracy(l), accuracy_null(l), ranks);
        for (int k = 0; k < FD_TARP_ROWS; k++)
            fd_text_addf(text, " %*.3f%c", k == 0 ? 11 : 13, l->coverage[k], l->coverage_p[k] <= FD_CALIBRATION_TAIL ? '*' : ' ');
        fd_text_add(text, "\n");
    }
    fd_text_add(text, "alone, yield: solutions inside the prior per sample, of the network alone and in the end; the rest is of the end\n"
                      "outside: quantities farther from exact solutions than 99 % of pairs of equal sets; C2ST: rows a classifier tells from "
                      "exact ones\nranks out: quantities whose truths do not rank uniformly; TARP: largest gap of coverage and credibility; "
                      "*: outside the 99 % band\n");
}

static fd_status write_csv(int n, const level *levels, const char *folder, fd_error *err) {
    fd_text text = {0};
    char *path = fd_path(folder, "distortion.csv");
    fd_text_add(&text, "gamma,samples,alone,solutions,yield_alone,yield,outside,compared,worst_ks,ks_null99,where,c2st,"
                       "c2st_null99,uncalibrated,ranked,tarp_prior,tarp_prior_p,tarp_network,tarp_network_p\n");
    for (int i = 0; i < n; i++) {
        const level *l = &levels[i];
        fd_text_addf(&text, "%.17g,%llu,%llu,%llu,%.17g,%.17g,%d,%d,%.17g,%.17g,%s,%.17g,%.17g,%d,%d", l->gamma,
                     (unsigned long long)l->tally.n, (unsigned long long)l->alone.labels_in_prior,
                     (unsigned long long)l->tally.labels_in_prior, yield(&l->alone), yield(&l->tally), l->outside, l->compared,
                     l->worst, l->null, l->where, accuracy(l), accuracy_null(l), l->uncalibrated, l->ranked);
        for (int k = 0; k < FD_TARP_ROWS; k++) fd_text_addf(&text, ",%.17g,%.17g", l->coverage[k], l->coverage_p[k]);
        fd_text_add(&text, "\n");
    }
    fd_status status = path ? fd_text_write(&text, path, err) : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    fd_text_free(&text);
    free(path);
    return status;
}

static fd_status draw_figure(const fd_run *run, const char *folder, fd_error *err) {
    static const char *const curves[][3] = {{"(column('c2st') - 0.5)", "C2ST accuracy − 1/2", "#1b7837"},
                                            {"'tarp_prior'", "coverage, points of the prior", "#2166ac"},
                                            {"'tarp_network'", "coverage, points of the network", "#762a83"}};
    fd_plot plot = {.run = run, .folder = folder};
    fd_text script = {0};
    fd_script_open(&script, "distortion", "yield and distortion against guidance", 9, 4.4);
    fd_text_add(&script, "set label 1 'What guidance costs' at screen 0.5,0.94 center font big\nset datafile missing 'nan'\n"
                         "set grid lc rgb '#dddddd'\nset xlabel 'guidance γ'\nset offsets graph 0.04, graph 0.04\n");
    fd_script_panel(&script, 0, 2, false);
    fd_text_add(&script, "set ylabel 'solutions per sample' offset 1\nset yrange [-0.02:1.3]\nset key top right font small\n"
                         "plot 'distortion.csv' using 'gamma':'yield' with linespoints pt 7 lw 1.6 lc rgb '#1b7837' title 'in the end', "
                         "\\\n  '' using 'gamma':'yield_alone' with linespoints pt 7 lw 1.6 lc rgb '#2166ac' title 'network alone'\n");
    fd_script_panel(&script, 1, 2, false);
    fd_text_add(&script, "set ylabel 'distortion' offset 1\nset yrange [0:0.85]\nset key top left font small\nplot 'distortion.csv' using "
                         "'gamma':'worst_ks' with linespoints pt 7 lw 1.6 lc rgb '#d7191c' title 'largest KS distance', "
                         "\\\n  '' using 'gamma':'ks_null99' with lines dt 2 lw 1.2 lc rgb '#d7191c' title 'its 99 % null'");
    for (int i = 0; i < 3; i++)
        fd_text_addf(&script, ", \\\n  '' using 'gamma':%s with linespoints pt 7 lw 1.6 lc rgb '%s' title '%s'", curves[i][0],
                     curves[i][2], curves[i][1]);
    fd_text_add(&script, "\n");
    fd_script_close(&script);
    fd_status status = fd_script_draw(&plot, "distortion", &script, err);
    fd_text_free(&script);
    return status;
}

fd_status fd_stage_distortion(const fd_run *run, const fd_generate_spec *spec, const char *model, const char *reference,
                              const char *folder, fd_error *err) {
    static const char *const figures[] = {"distortion", NULL};
    const fd_distortion_spec *d = &run->config->distortion;
    level levels[FD_MAX_GAMMAS];
    fd_plot_folder out;
    fd_sample_reader *reader = NULL;
    fd_text text = {0};
    fd_status status = fd_samples_open(reference, &reader, NULL, err); /* before minutes are spent */
    if (status) return status;
    fd_samples_close(reader);
    status = fd_plot_folder_begin(folder, figures, run->force, &out, err);
    if (status) return status;
    for (int i = 0; i < d->n_gammas && !status; i++)
        status = measure(run, spec, model, reference, out.part, d->gammas[i], &levels[i], err);
    if (!status) status = write_csv(d->n_gammas, levels, out.part, err);
    if (!status) status = draw_figure(run, out.part, err);
    if (!status) status = fd_plot_folder_commit(&out, err);
    fd_plot_folder_abort(&out);
    if (!status) {
        table(&text, d->n_gammas, levels);
        if (text.data && run->message) run->message(run->user, text.data);
        fd_say(run, "distortion: %d values of gamma -> %s", d->n_gammas, folder);
    }
    fd_text_free(&text);
    return status;
}
