/* Figures 2-4 of the paper: heavy masses, Dirac phase, Majorana phases. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/stats.h"
#include "stages/analyse.h"
#include "stages/plot.h"

static const double degree = 57.295779513082320877;

static const fd_measurement *measured(const fd_plot *plot, const char *observable) {
    for (int i = 0; i < plot->target.n_measurements; i++)
        if (!strcmp(plot->target.measurements[i].observable, observable)) return &plot->target.measurements[i];
    return NULL;
}

/* ---- Figure 2 --------------------------------------------------------------------------------------------- */

/* Whole decades around a column, at least one. */
static void decades(const fd_plot *plot, const char *column, double *lo, double *hi) {
    if (!fd_plot_range(plot, column, lo, hi)) *lo = 1e13, *hi = 1e16;
    *lo = pow(10, floor(log10(*lo) + 1e-9));
    *hi = pow(10, ceil(log10(*hi) - 1e-9));
    if (*hi <= *lo) *hi = 10 * *lo;
}

fd_status fd_plot_heavy(const fd_plot *plot, fd_error *err) {
    static const char *const columns[] = {"M1_GeV", "M2_GeV", "M3_GeV", "chi2", "class"};
    fd_text script = {0};
    fd_legend legend = {0};
    double y_lo, y_hi;
    fd_status status = fd_plot_csv(plot, "fig2", 5, columns, err);
    if (status) return status;
    decades(plot, "M3_GeV", &y_lo, &y_hi);
    fd_script_open(&script, "fig2", "masses of the heavy neutrinos", 9, 4.4);
    fd_script_title(&script, plot, "Heavy Majorana masses", false);
    fd_script_colours(&script, plot);
    fd_text_add(&script, "set logscale xy\nset format xy '10^{%T}'\n");
    fd_legend_points(&legend, plot);
    fd_legend_add(&legend, FD_LEGEND_BOX, 0, "#d0d0d0", "excluded: |M_1|, |M_2| > |M_3|");
    for (int panel = 0; panel < 2; panel++) {
        double x_lo, x_hi;
        decades(plot, columns[panel], &x_lo, &x_hi);
        x_lo = fmin(x_lo, y_lo);
        x_hi = fmax(x_hi, y_hi); /* the whole triangle is seen, and points outside the prior may lie in it */
        fd_script_panel(&script, panel, 2, true);
        if (panel == 0) fd_legend_write(&script, &legend);
        fd_text_addf(&script, "set xlabel '|M_%d| [GeV]'\nset ylabel '|M_3| [GeV]' offset 0.2\n", panel + 1);
        fd_text_addf(&script, "set xrange [%.3g:%.3g]\nset yrange [%.3g:%.3g]\n", x_lo, x_hi, y_lo, y_hi);
        fd_text_addf(&script, "plot '+' using 1:(%.3g):($1 > %.3g ? $1 : %.3g) with filledcurves lc rgb '#d0d0d0'",
                     y_lo, y_lo, y_lo);
        fd_text_add(&script, ", \\\n  '+' using 1:1 with lines lc rgb '#777777' lw 1");
        fd_script_points(&script, plot, "fig2", panel + 1, columns[panel], "M3_GeV");
        if (!status) status = fd_plot_contours(plot, "fig2", panel + 1, columns[panel], true, "M3_GeV", true, 0, err);
    }
    fd_script_close(&script);
    if (!status) status = fd_script_draw(plot, "fig2", &script, err);
    fd_text_free(&script);
    return status;
}

/* ---- Figure 3 --------------------------------------------------------------------------------------------- */

/* Best fit and 1 sigma band of delta; drawn once more a turn lower when it runs past 360. */
static void delta_measured(fd_text *script, const fd_measurement *m) {
    if (!m) return;
    double lo = degree * (m->best - m->minus), hi = degree * (m->best + m->plus);
    for (int turn = 0; turn < 2; turn++) {
        double from = fmax(0, lo - 360 * turn), to = fmin(360, hi - 360 * turn);
        if (to > from)
            fd_text_addf(
                script,
                "set object %d rect from graph 0,first %.6g to graph 1,first %.6g behind fillcolor rgb '#f6dfc6' "
                "fillstyle solid noborder\n",
                10 + turn, from, to);
    }
    fd_text_addf(script,
                 "set arrow 10 from graph 0,first %.6g to graph 1,first %.6g nohead back lc rgb '#c8660a' lw 1.5\n",
                 fmod(degree * m->best, 360), fmod(degree * m->best, 360));
}

static void delta_axes(fd_text *script) {
    fd_text_add(script, "set ylabel 'δ_{CP} [deg]' offset 1\nset yrange [0:360]\nset ytics 60\nset mytics 2\n");
}

fd_status fd_plot_dirac(const fd_plot *plot, fd_error *err) {
    static const char *const columns[] = {"sum_m_meV", "s23sq", "delta_deg", "chi2", "class"};
    const fd_measurement *delta = measured(plot, "delta_rad"), *s23 = measured(plot, "s23sq");
    fd_text script = {0};
    fd_legend legend = {0};
    fd_text notes = {0};
    double lo, hi;
    fd_status status = fd_plot_csv(plot, "fig3", 5, columns, err);
    if (status) return status;
    fd_script_open(&script, "fig3", "Dirac phase against the sum of masses and against s23^2", 9, 4.4);
    fd_script_title(&script, plot, "Dirac CP phase", false);
    fd_script_colours(&script, plot);
    fd_legend_points(&legend, plot);
    if (delta) fd_legend_add(&legend, FD_LEGEND_LINE, 0, "lc rgb '#c8660a' lw 1.5", "δ_{CP} measured, 1σ band");
    if (s23) fd_legend_add(&legend, FD_LEGEND_LINE, 0, "lc rgb '#555555' dt '-' lw 1.2", "3σ window of s_{23}^2");
    fd_script_panel(&script, 0, 2, true);
    fd_legend_write(&script, &legend);
    if (!fd_plot_range(plot, "sum_m_meV", &lo, &hi)) lo = 60, hi = 100;
    lo = fmin(55, 0.97 * lo);
    hi = fmax(130, 1.03 * hi);
    fd_text_addf(&script, "set xlabel 'Σm_i [meV]'\nset format x '%%g'\nset xrange [%.6g:%.6g]\nset xtics %g\n", lo, hi,
                 fd_tic_step(hi - lo, 7));
    delta_axes(&script);
    delta_measured(&script, delta);
    fd_limit_lines(&script, plot, "sum_m_eV", lo, hi, false, &notes);
    fd_text_add(&script, "plot NaN");
    fd_script_points(&script, plot, "fig3", 1, "sum_m_meV", "delta_deg");

    fd_script_panel(&script, 1, 2, true);
    if (!fd_plot_range(plot, "s23sq", &lo, &hi)) lo = 0.4, hi = 0.6;
    if (s23) lo = fmin(lo, s23->lo), hi = fmax(hi, s23->hi);
    lo -= 0.02, hi += 0.02;
    fd_text_addf(&script, "set xlabel 's_{23}^2'\nset xrange [%.6g:%.6g]\nset xtics %g\n", lo, hi,
                 fd_tic_step(hi - lo, 6));
    delta_measured(&script, delta);
    if (s23) {
        for (int end = 0; end < 2; end++)
            fd_text_addf(
                &script,
                "set arrow %d from first %.6g,graph 0 to first %.6g,graph 1 nohead lc rgb '#555555' dt '-' lw 1.2\n",
                20 + end, end ? s23->hi : s23->lo, end ? s23->hi : s23->lo);
    }
    fd_limit_notes(&script, &notes);
    fd_text_add(&script, "plot NaN");
    fd_script_points(&script, plot, "fig3", 2, "s23sq", "delta_deg");
    fd_script_close(&script);
    status = fd_plot_contours(plot, "fig3", 1, "sum_m_meV", false, "delta_deg", false, 360, err);
    if (!status) status = fd_plot_contours(plot, "fig3", 2, "s23sq", false, "delta_deg", false, 360, err);
    if (!status) status = fd_script_draw(plot, "fig3", &script, err);
    fd_text_free(&notes);
    fd_text_free(&script);
    return status;
}

/* ---- Figure 4 --------------------------------------------------------------------------------------------- */

enum { BINS = 24, PHASES = 2, KINDS = 4, EXACT = 3 };

/* Histograms of one column of a table of angles. */
static fd_status histogram(const fd_table *table, const char *column, uint64_t counts[BINS], fd_error *err) {
    size_t n = 0;
    int at = fd_table_column(table, column);
    memset(counts, 0, BINS * sizeof *counts);
    if (at < 0) return FD_OK;
    double *x = fd_table_values(table, at, -1, &n);
    if (!x) return fd_fail(err, FD_ERR_MEMORY, "out of memory for a histogram");
    /* -1e-17 mod 2 pi is 2 pi: the same angle as 0, so it belongs to the first bin. */
    for (size_t i = 0; i < n; i++)
        if (x[i] > 6.2831853) x[i] = 0;
    fd_bin_counts(n, x, 0, 6.283185307179586476925, BINS, counts);
    free(x);
    return FD_OK;
}

static const char *const phase_names[PHASES] = {"alpha31", "alpha21"};

/* counts[phase][kind]: solutions, solutions with the paper's phases, nearest, exact. */
static fd_status count_phases(const fd_plot *plot, uint64_t counts[PHASES][KINDS][BINS], fd_error *err) {
    fd_status status = FD_OK;
    for (int p = 0; p < PHASES && !status; p++) {
        char name[FD_TABLE_NAME], paper[FD_TABLE_NAME];
        snprintf(name, sizeof name, "%s_rad", phase_names[p]);
        snprintf(paper, sizeof paper, "%s_rad" FD_PAPER_SUFFIX, phase_names[p]);
        status = histogram(&plot->solutions, name, counts[p][0], err);
        if (!status) status = histogram(&plot->solutions, paper, counts[p][1], err);
        if (!status) status = histogram(&plot->nearest, name, counts[p][2], err);
        if (!status) status = histogram(&plot->exact, name, counts[p][EXACT], err);
    }
    return status;
}

/* What brings the exact solutions to the number of points they are drawn over. */
static double exact_scale(const fd_plot *plot) {
    size_t n = plot->nearest.n_rows ? plot->nearest.n_rows : plot->solutions.n_rows;
    return plot->exact.n_rows ? (double)n / (double)plot->exact.n_rows : 0;
}

static fd_status write_phases(const fd_plot *plot, uint64_t counts[PHASES][KINDS][BINS], fd_error *err) {
    static const char *const names[] = {"bin_centre_deg",
                                        "alpha31_solutions",
                                        "alpha31_solutions_paper_phases",
                                        "alpha31_nearest_not_solutions",
                                        "alpha31_exact_scaled",
                                        "alpha21_solutions",
                                        "alpha21_solutions_paper_phases",
                                        "alpha21_nearest_not_solutions",
                                        "alpha21_exact_scaled"};
    fd_table table = {0};
    fd_status status = fd_table_create(1 + PHASES * KINDS, names, &table, err);
    char *path = fd_path(plot->folder, "fig4.csv");
    if (!status && !path) status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (int b = 0; b < BINS && !status; b++) {
        double *row = fd_table_row(&table);
        if (!row) {
            status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
            break;
        }
        row[0] = (b + 0.5) * 360 / BINS;
        for (int p = 0; p < PHASES; p++)
            for (int k = 0; k < KINDS; k++)
                row[1 + KINDS * p + k] = (double)counts[p][k][b] * (k == EXACT ? exact_scale(plot) : 1);
    }
    if (!status) status = fd_table_write(&table, path, err);
    fd_table_free(&table);
    free(path);
    return status;
}

/* Largest count of a bin. alpha21 with the paper's phases is one spike; it may run out of the panel and is labelled. */
static double tallest(const fd_plot *plot, uint64_t counts[PHASES][KINDS][BINS]) {
    double top = 0;
    for (int p = 0; p < PHASES; p++)
        for (int k = 0; k < KINDS; k++)
            for (int b = 0; b < BINS && !(p == 1 && k == 1); b++)
                top = fmax(top, (double)counts[p][k][b] * (k == EXACT ? exact_scale(plot) : 1));
    return top;
}

static void phases_legend(fd_legend *legend, const fd_plot *plot, bool few) {
    char count[32];
    if (plot->solutions.n_rows > 0) {
        fd_legend_add(legend, FD_LEGEND_BOX, 0, "#6baed6", "solutions, phases of the factorisation");
        fd_legend_add(legend, FD_LEGEND_LINE, 0, "lc rgb '#b2182b' lw 1.6", "the same with the paper's phases");
        if (!few) fd_legend_add(legend, FD_LEGEND_LINE, 0, "lc rgb '#555555' dt '.' lw 1.4", "flat");
    }
    if (few)
        fd_legend_add(legend, FD_LEGEND_LINE, 0, "lc rgb '#777777' dt '-' lw 1.4", "%zu nearest by χ², NOT solutions",
                      plot->drawn[FD_POINT_NEAREST]);
    if (plot->exact.n_rows)
        fd_legend_add(legend, FD_LEGEND_LINE, 0, "lc rgb '#000000' lw 1.8", "exact solutions (%s), scaled to the same number",
                      fd_text_count(plot->exact.n_rows, count));
}

/* Bars and lines of one phase. */
static void phases_panel(fd_text *script, const fd_plot *plot, const char *name, bool few) {
    fd_text_add(script, "plot NaN");
    if (plot->solutions.n_rows > 0) {
        fd_text_addf(script, ", \\\n  'fig4.csv' using 'bin_centre_deg':'%s_solutions' with boxes lc rgb '#6baed6'",
                     name);
        if (!few)
            fd_text_addf(script, ", \\\n  %.6g with lines lc rgb '#555555' dt '.' lw 1.4",
                         (double)plot->solutions.n_rows / BINS);
        fd_text_addf(script,
                     ", \\\n  'fig4.csv' using 'bin_centre_deg':'%s_solutions_paper_phases' with histeps lc rgb "
                     "'#b2182b' lw 1.6",
                     name);
    }
    if (few)
        fd_text_addf(script,
                     ", \\\n  'fig4.csv' using 'bin_centre_deg':'%s_nearest_not_solutions' with histeps lc rgb "
                     "'#777777' dt '-' lw 1.4",
                     name);
    if (plot->exact.n_rows)
        fd_text_addf(script, ", \\\n  'fig4.csv' using 'bin_centre_deg':'%s_exact_scaled' with histeps lc rgb '#000000' lw 1.8", name);
    fd_text_add(script, "\n");
}

fd_status fd_plot_phases(const fd_plot *plot, fd_error *err) {
    uint64_t counts[PHASES][KINDS][BINS];
    char number[32];
    fd_text script = {0};
    fd_legend legend = {0};
    bool few = plot->nearest.n_rows > 0;
    fd_status status = count_phases(plot, counts, err);
    if (!status) status = write_phases(plot, counts, err);
    if (status) return status;
    double top = tallest(plot, counts);
    phases_legend(&legend, plot, few);
    fd_script_open(&script, "fig4", "Majorana phases", 9, 4.4);
    fd_script_title(&script, plot, "Majorana phases", true);
    fd_text_addf(&script, "set boxwidth %g\nset style fill solid 0.75 border lc rgb '#1f4e79'\n", 360.0 / BINS);
    fd_text_addf(&script, "set xrange [0:360]\nset xtics 60\nset mxtics 4\nset yrange [0:%.6g]\n",
                 top > 0 ? 1.25 * top : 1);
    for (int p = 0; p < PHASES; p++) {
        fd_script_panel(&script, p, PHASES, false);
        if (p == 0) fd_legend_write(&script, &legend);
        fd_text_addf(&script, "set xlabel 'α_{%s} [deg]'\nset ylabel 'points per %d deg' offset 1\n", p ? "21" : "31",
                     360 / BINS);
        if (p == 1 && counts[1][1][0] > 0)
            fd_text_addf(&script,
                         "set label 5 'the paper''s phases: α_{21} = 0 for all %s' at graph 0.07,0.94 left font small "
                         "textcolor rgb '#b2182b'\n",
                         fd_text_count(plot->solutions.n_rows, number));
        phases_panel(&script, plot, phase_names[p], few);
    }
    fd_script_close(&script);
    status = fd_script_draw(plot, "fig4", &script, err);
    fd_text_free(&script);
    return status;
}
