/* Figure 5 of the paper: effective Majorana mass with the regions the oscillation data allow; and the same with both
 * readings of the Majorana phases. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/stats.h"
#include "stages/analyse.h"
#include "stages/plot.h"

enum { REGION_POINTS = 300 };

/* The two abscissae. */
static const struct {
    const char *key, *column, *observable, *label;
    fd_region_axis axis;
    double lo, hi; /* meV: least width of the panel */
} abscissae[] = {
    {"sum", "sum_m_meV", "sum_m_eV", "Σm_i [meV]", FD_REGION_SUM, 45, 700},
    {"mnue", "mnue_meV", "mnue_eV", "m_{νe} [meV]", FD_REGION_MNUE, 6, 700},
};

/* Axis ranges of one panel, meV. */
typedef struct frame {
    double x[2], y[2];
} frame;

/* Two columns of the same thing share the ordinate's range. */
static frame frame_of(const fd_plot *plot, int abscissa) {
    frame f = {{abscissae[abscissa].lo, abscissae[abscissa].hi}, {0.1, 300}};
    double lo, hi;
    if (fd_plot_range(plot, abscissae[abscissa].column, &lo, &hi)) {
        f.x[0] = fmin(f.x[0], 0.85 * lo);
        f.x[1] = fmax(f.x[1], 1.2 * hi);
    }
    for (int paper = 0; paper < 2; paper++)
        if (fd_plot_range(plot, paper ? "mbb_paper_phases_meV" : "mbb_meV", &lo, &hi)) {
            f.y[0] =
                fmax(1e-3, fmin(f.y[0], 0.7 * lo)); /* a cancellation to 1e-6 meV is no reason for an empty panel */
            f.y[1] = fmax(f.y[1], 1.5 * hi);
        }
    return f;
}

/* ---- regions ---------------------------------------------------------------------------------------------- */

/* fig5-AXIS-ORDERING.csv: abscissa, smallest and largest mbb, from the region's left end on, denser there. */
static fd_status write_region(const fd_plot *plot, const fd_target *target, int abscissa, double x_end, fd_error *err) {
    const char *names[] = {abscissae[abscissa].column, "mbb_min_meV", "mbb_max_meV"};
    fd_region_axis axis = abscissae[abscissa].axis;
    char file[64];
    fd_box box;
    fd_table table = {0};
    snprintf(file, sizeof file, "fig5-%s-%s.csv", abscissae[abscissa].key, fd_ordering_name(target->ordering));
    char *path = fd_path(plot->folder, file);
    fd_status status = path ? fd_region_box(target, FD_Z95, &box, err) : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status) status = fd_table_create(3, names, &table, err);
    double start = status ? 1 : fd_region_start(&box, axis), decades = log10(fmax(1e-3 * x_end / start, 2));
    for (int i = 0; i < REGION_POINTS && !status; i++) {
        double u = (double)i / (REGION_POINTS - 1), x = start * (1 + 1e-9) * pow(10, decades * u * u), lo, hi;
        if (!fd_region_at(&box, axis, x, &lo, &hi)) continue;
        double *row = fd_table_row(&table);
        if (!row) {
            status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
            break;
        }
        row[0] = 1e3 * x, row[1] = 1e3 * lo, row[2] = 1e3 * hi;
    }
    if (!status) status = fd_table_write(&table, path, err);
    fd_table_free(&table);
    free(path);
    return status;
}

/* Outline: the left end, then the lower and the upper edge. */
static void outline(fd_text *script, const char *file, const char *column, double bottom, const char *style) {
    fd_text_addf(script,
                 ", \\\n  '%s' every ::0::0 using '%s':'mbb_min_meV':(0):(column(3)-column(2)) with vectors nohead %s",
                 file, column, style);
    fd_text_addf(script, ", \\\n  '%s' using '%s':(column(2) > %.4g ? column(2) : %.4g) with lines %s", file, column,
                 bottom, bottom, style);
    fd_text_addf(script, ", \\\n  '%s' using '%s':'mbb_max_meV' with lines %s", file, column, style);
}

static void fill(fd_text *script, const char *file, const char *column, double bottom, const char *style) {
    fd_text_addf(script,
                 ", \\\n  '%s' using '%s':(column(2) > %.4g ? column(2) : %.4g):'mbb_max_meV' with filledcurves %s",
                 file, column, bottom, bottom, style);
}

static const char own_style[] = "lc rgb '#d7191c' lw 1.8", other_style[] = "lc rgb '#777777' lw 1.2 dt '-'";

/* Grey outside; this ordering white with the paper's red outline, the other one shaded. */
static void regions(fd_text *script, const fd_plot *plot, int abscissa, const frame *f) {
    char own[64], other[64];
    double bottom = f->y[0] / 100; /* stands for 0 on the logarithmic axis */
    const char *column = abscissae[abscissa].column;
    snprintf(own, sizeof own, "fig5-%s-%s.csv", abscissae[abscissa].key, fd_ordering_name(plot->target.ordering));
    snprintf(other, sizeof other, "fig5-%s-%s.csv", abscissae[abscissa].key, fd_ordering_name(plot->other.ordering));
    fd_text_add(script, "plot NaN");
    fill(script, own, column, bottom, "fillstyle solid 1 noborder lc rgb '#ffffff'");
    if (plot->has_other)
        fill(script, other, column, bottom, "fillstyle transparent solid 0.25 noborder lc rgb '#555555'");
    if (plot->has_other) outline(script, other, column, bottom, other_style);
    outline(script, own, column, bottom, own_style);
}

static void region_legend(fd_legend *legend, const fd_plot *plot) {
    fd_legend_points(legend, plot);
    fd_legend_add(legend, FD_LEGEND_LINE, 0, own_style, "allowed (95%%), %s ordering",
                  fd_ordering_name(plot->target.ordering));
    if (plot->has_other)
        fd_legend_add(legend, FD_LEGEND_LINE, 0, other_style, "allowed (95%%), %s ordering",
                      fd_ordering_name(plot->other.ordering));
}

/* ---- limits ----------------------------------------------------------------------------------------------- */

static const char *limit_colour(int n) {
    static const char *const colours[] = {"#2166ac", "#7b3294", "#b35806"};
    return colours[n % 3];
}

/* Limits on mbb as horizontal lines, or strips where a limit is a range over nuclear matrix elements: plot elements, so
 * that points lie on top. */
static void mbb_limits(fd_text *script, const fd_plot *plot, const frame *f) {
    for (int i = 0, n = 0; i < plot->target.n_limits; i++) {
        const fd_limit *limit = &plot->target.limits[i];
        double lo = fmax(1e3 * limit->lo, f->y[0]), hi = fmin(1e3 * limit->hi, f->y[1]);
        if (strcmp(limit->observable, "mbb_eV") != 0 || !(hi > lo)) continue;
        if (limit->band)
            fd_text_addf(script,
                         ", \\\n  '+' using 1:(%.6g):(%.6g) with filledcurves fillstyle transparent solid 0.12 "
                         "noborder lc rgb '%s'",
                         lo, hi, limit_colour(n));
        else
            fd_text_addf(script, ", \\\n  %.6g with lines lc rgb '%s' dt 4 lw 1.2", hi, limit_colour(n));
        n++;
    }
}

/* The letters of lines at their right ends; the names of strips at their upper ends, on a pale ground. On the left, where no
 * point is expected above the regions, unless another name is near or the limit is as low as the points are. */
static void mbb_limit_names(fd_text *script, const fd_plot *plot, const frame *f, fd_text *notes) {
    double taken[FD_MAX_LIMITS];
    fd_text_add(script, FD_PALE_GROUND);
    for (int i = 0, n = 0, left = 0; i < plot->target.n_limits; i++) {
        const fd_limit *limit = &plot->target.limits[i];
        double lo = fmax(1e3 * limit->lo, f->y[0]), hi = fmin(1e3 * limit->hi, f->y[1]);
        if (strcmp(limit->observable, "mbb_eV") != 0 || !(hi > lo)) continue;
        bool right = !limit->band || hi < (plot->target.ordering == FD_ORDERING_NORMAL ? 30 : 60);
        for (int k = 0; k < left; k++) right = right || fabs(log10(hi / taken[k])) < 0.14;
        if (!right) taken[left++] = hi;
        const char letter[2] = {limit->band ? '\0' : fd_limit_letter(notes, limit->name), '\0'};
        fd_text_addf(script, "set label %d ", 30 + n);
        fd_script_quote(script, limit->band ? limit->name : letter);
        fd_text_addf(script, " at graph %s,first %.6g %s offset 0,%s font small textcolor rgb '%s' noenhanced%s front\n",
                     right ? "0.98" : "0.02", hi, right ? "right" : "left", limit->band ? "-0.5" : "0.5",
                     limit_colour(n), limit->band ? " boxed" : "");
        n++;
    }
}

/* ---- the figures ------------------------------------------------------------------------------------------ */

static fd_status both_regions(const fd_plot *plot, int abscissa, double x_end, fd_error *err) {
    fd_status status = write_region(plot, &plot->target, abscissa, x_end, err);
    if (!status && plot->has_other) status = write_region(plot, &plot->other, abscissa, x_end, err);
    return status;
}

static void panel(fd_text *script, int index, int abscissa, const frame *f) {
    fd_script_panel(script, index, 2, true);
    fd_text_addf(script, "set xlabel '%s'\nset ylabel 'm_{ββ} [meV]' offset 0.8\n", abscissae[abscissa].label);
    fd_text_addf(script, "set logscale xy\nset xrange [%.6g:%.6g]\nset yrange [%.6g:%.6g]\n", f->x[0], f->x[1], f->y[0],
                 f->y[1]);
    fd_text_addf(script, "set xtics %s\n",
                 f->x[1] > 150 * f->x[0] ? "autofreq"
                                         : "(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)");
    fd_text_add(
        script,
        "set format xy '%g'\n"
        "set object 1 rect from graph 0,0 to graph 1,1 behind fillcolor rgb '#ececec' fillstyle solid noborder\n");
}

fd_status fd_plot_mbb(const fd_plot *plot, fd_error *err) {
    static const char *const columns[] = {"sum_m_meV", "mnue_meV", "mbb_meV", "chi2", "class"};
    fd_text script = {0};
    fd_legend legend = {0};
    fd_text notes = {0};
    fd_status status = fd_plot_csv(plot, "fig5", 5, columns, err);
    fd_script_open(&script, "fig5", "effective Majorana mass against the sum of masses and against m_nue", 9, 4.6);
    fd_script_title(&script, plot, "Effective Majorana mass", false);
    fd_script_colours(&script, plot);
    region_legend(&legend, plot);
    for (int p = 0; p < 2 && !status; p++) {
        frame f = frame_of(plot, p);
        if ((status = both_regions(plot, p, f.x[1], err))) break;
        panel(&script, p, p, &f);
        if (p == 0) fd_legend_write(&script, &legend);
        mbb_limit_names(&script, plot, &f, &notes);
        fd_limit_lines(&script, plot, abscissae[p].observable, f.x[0], f.x[1], true, &notes);
        if (p == 1) fd_limit_notes(&script, &notes);
        regions(&script, plot, p, &f);
        mbb_limits(&script, plot, &f);
        fd_script_points(&script, plot, "fig5", p + 1, abscissae[p].column, "mbb_meV");
        status = fd_plot_contours(plot, "fig5", p + 1, abscissae[p].column, true, "mbb_meV", true, 0, err);
    }
    fd_script_close(&script);
    if (!status) status = fd_script_draw(plot, "fig5", &script, err);
    fd_text_free(&notes);
    fd_text_free(&script);
    return status;
}

fd_status fd_plot_views(const fd_plot *plot, fd_error *err) {
    static const char *const columns[] = {"sum_m_meV", "mbb_meV", "mbb_paper_phases_meV", "chi2", "class"};
    static const char *const titles[] = {"phases of the factorisation", "the paper''s phases: α_{21} = 0, α_{31} = 2δ"};
    fd_text script = {0};
    fd_legend legend = {0};
    frame f = frame_of(plot, 0);
    fd_status status = fd_plot_csv(plot, "phases", 5, columns, err);
    if (!status) status = both_regions(plot, 0, f.x[1], err);
    if (status) return status;
    fd_script_open(&script, "phases", "effective Majorana mass with both readings of the Majorana phases", 9, 4.6);
    fd_script_title(&script, plot, "Effective Majorana mass, same points, two readings of the Majorana phases", false);
    fd_script_colours(&script, plot);
    region_legend(&legend, plot);
    for (int p = 0; p < 2; p++) {
        panel(&script, p, 0, &f);
        fd_text_addf(&script, "set label 5 '%s' at graph 0.03,0.94 left front\n", titles[p]);
        if (p == 0) fd_legend_write(&script, &legend);
        regions(&script, plot, 0, &f);
        fd_script_points(&script, plot, "phases", p + 1, "sum_m_meV", columns[1 + p]);
        if (!status) status = fd_plot_contours(plot, "phases", p + 1, "sum_m_meV", true, columns[1 + p], true, 0, err);
    }
    fd_script_close(&script);
    if (!status) status = fd_script_draw(plot, "phases", &script, err);
    fd_text_free(&script);
    return status;
}
