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

static const char *ordering_key(fd_ordering ordering) { return ordering == FD_ORDERING_NORMAL ? "normal" : "inverted"; }

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
    snprintf(file, sizeof file, "fig5-%s-%s.csv", abscissae[abscissa].key, ordering_key(target->ordering));
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

/* Outline: the left end as an error bar over its interval, then the lower and the upper edge. */
static void outline(fd_text *script, const char *file, const char *column, double floor_, const char *style,
                    const char *title) {
    fd_text_addf(
        script,
        ", \\\n  '%s' every ::0::0 using '%s':(0.5*(column(2)+column(3))):(column(2)):(column(3)) with yerrorbars "
        "pt -1 ps 0 %s notitle",
        file, column, style);
    fd_text_addf(script, ", \\\n  '%s' using '%s':(column(2) > %.4g ? column(2) : %.4g) with lines %s notitle", file,
                 column, floor_, floor_, style);
    fd_text_addf(script, ", \\\n  '%s' using '%s':'mbb_max_meV' with lines %s title '%s'", file, column, style, title);
}

static void fill(fd_text *script, const char *file, const char *column, double floor_, const char *colour) {
    fd_text_addf(script,
                 ", \\\n  '%s' using '%s':(column(2) > %.4g ? column(2) : %.4g):'mbb_max_meV' with filledcurves fs "
                 "solid 1 noborder lc rgb '%s' notitle",
                 file, column, floor_, floor_, colour);
}

/* Grey outside, the other ordering darker, this one white with the paper's red outline. */
static void regions(fd_text *script, const fd_plot *plot, int abscissa, const frame *f, bool legend) {
    static const char *const short_names[] = {"NO", "IO"};
    char own[64], other[64], own_title[80] = "", other_title[80] = "";
    double floor_ = f->y[0] / 100;
    const char *column = abscissae[abscissa].column;
    snprintf(own, sizeof own, "fig5-%s-%s.csv", abscissae[abscissa].key, ordering_key(plot->target.ordering));
    snprintf(other, sizeof other, "fig5-%s-%s.csv", abscissae[abscissa].key, ordering_key(plot->other.ordering));
    if (legend) snprintf(own_title, sizeof own_title, "allowed (95%%), %s", short_names[plot->target.ordering]);
    if (legend) snprintf(other_title, sizeof other_title, "allowed (95%%), %s", short_names[plot->other.ordering]);
    fd_text_add(script, "plot NaN notitle");
    if (plot->has_other) fill(script, other, column, floor_, "#cfcfcf");
    fill(script, own, column, floor_, "#ffffff");
    if (plot->has_other) outline(script, other, column, floor_, "lc rgb '#777777' lw 1.2 dt 2", other_title);
    outline(script, own, column, floor_, "lc rgb '#d7191c' lw 1.8", own_title);
}

/* ---- limits ----------------------------------------------------------------------------------------------- */

/* Horizontal: limits on mbb. A band (range over nuclear matrix elements) is shaded, its name stands at its upper
 * edge; names change sides so that two near ones do not meet. */
static void mbb_limits(fd_text *script, const fd_plot *plot, const frame *f, bool named) {
    int n = 0;
    for (int i = 0; i < plot->target.n_limits; i++) {
        const fd_limit *limit = &plot->target.limits[i];
        double lo = fmax(1e3 * limit->lo, f->y[0]), hi = fmin(1e3 * limit->hi, f->y[1]);
        if (strcmp(limit->observable, "mbb_eV") || !(hi > lo)) continue;
        const char *colour = n % 2 ? "#7b3294" : "#2166ac";
        if (limit->band)
            fd_text_addf(
                script,
                "set object %d rect from graph 0,first %.6g to graph 1,first %.6g fillcolor rgb '%s' fillstyle "
                "transparent solid 0.13 noborder front\n",
                30 + n, lo, hi, colour);
        else
            fd_text_addf(
                script,
                "set arrow %d from graph 0,first %.6g to graph 1,first %.6g nohead front lc rgb '%s' dt 2 lw 1.2\n",
                30 + n, hi, hi, colour);
        if (named) {
            fd_text_addf(script, "set label %d ", 30 + n);
            fd_script_quote(script, limit->name);
            fd_text_addf(script,
                         " at graph %s,first %.6g offset 0,-0.55 font ',-6' textcolor rgb '%s' noenhanced front\n",
                         n % 2 ? "0.98" : "0.02", hi, colour);
            if (n % 2) fd_text_addf(script, "set label %d right\n", 30 + n);
        }
        n++;
    }
}

/* Vertical: limits on the abscissa, dashed, with their names along them, above the region. */
static void abscissa_limits(fd_text *script, const fd_plot *plot, const char *observable, const frame *f) {
    int n = 0;
    for (int i = 0; i < plot->target.n_limits; i++) {
        const fd_limit *limit = &plot->target.limits[i];
        if (strcmp(limit->observable, observable) || limit->band) continue;
        const double ends[2] = {1e3 * limit->lo, 1e3 * limit->hi};
        for (int end = 0; end < 2; end++) {
            if (!(ends[end] > f->x[0] && ends[end] < f->x[1])) continue;
            fd_text_addf(script,
                         "set arrow %d from first %.6g,graph 0 to first %.6g,graph 1 nohead lc rgb '#1b7837' dt 3 lw "
                         "1.2 front\n",
                         50 + n, ends[end], ends[end]);
            fd_text_addf(script, "set label %d ", 50 + n);
            fd_script_quote(script, limit->name);
            fd_text_addf(
                script,
                " at first %.6g,graph 0.03 left rotate by 90 offset character %s,0 font ',-6' textcolor rgb '#1b7837' "
                "noenhanced front\n",
                ends[end], n % 2 ? "-0.4" : "0.5");
            n++;
        }
    }
}

/* ---- the figures ------------------------------------------------------------------------------------------ */

static fd_status both_regions(const fd_plot *plot, int abscissa, double x_end, fd_error *err) {
    fd_status status = write_region(plot, &plot->target, abscissa, x_end, err);
    if (!status && plot->has_other) status = write_region(plot, &plot->other, abscissa, x_end, err);
    return status;
}

static void panel(fd_text *script, int index, int abscissa, const frame *f) {
    fd_script_panel(script, index, 2, 0.16, 0.78, true);
    fd_text_addf(script, "set xlabel '%s'\nset ylabel 'm_{ββ} [meV]' offset 1\n", abscissae[abscissa].label);
    fd_text_addf(script, "set logscale xy\nset xrange [%.6g:%.6g]\nset yrange [%.6g:%.6g]\n", f->x[0], f->x[1], f->y[0],
                 f->y[1]);
    fd_text_add(
        script,
        "set xtics (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)\nset format y '%g'\n"
        "set object 1 rect from graph 0,0 to graph 1,1 behind fillcolor rgb '#ececec' fillstyle solid noborder\n");
}

fd_status fd_plot_mbb(const fd_plot *plot, fd_error *err) {
    static const char *const columns[] = {"sum_m_meV", "mnue_meV", "mbb_meV", "chi2", "class"};
    fd_text script = {0};
    fd_status status = fd_plot_csv(plot, "fig5", 5, columns, err);
    fd_script_open(&script, "fig5", "effective Majorana mass against the sum of masses and against m_nue", 9, 4.6);
    fd_script_title(&script, plot, "Effective Majorana mass");
    fd_script_colours(&script, plot);
    for (int p = 0; p < 2 && !status; p++) {
        frame f = frame_of(plot, p);
        if ((status = both_regions(plot, p, f.x[1], err))) break;
        panel(&script, p, p, &f);
        mbb_limits(&script, plot, &f, true);
        abscissa_limits(&script, plot, abscissae[p].observable, &f);
        regions(&script, plot, p, &f, p == 0);
        fd_script_points(&script, plot, "fig5", abscissae[p].column, "mbb_meV", p == 0);
    }
    fd_script_close(&script);
    if (!status) status = fd_script_draw(plot, "fig5", &script, err);
    fd_text_free(&script);
    return status;
}

fd_status fd_plot_views(const fd_plot *plot, fd_error *err) {
    static const char *const columns[] = {"sum_m_meV", "mbb_meV", "mbb_paper_phases_meV", "chi2", "class"};
    static const char *const titles[] = {"phases of the factorisation", "the paper''s phases: α_{21} = 0, α_{31} = 2δ"};
    fd_text script = {0};
    frame f = frame_of(plot, 0);
    fd_status status = fd_plot_csv(plot, "phases", 5, columns, err);
    if (!status) status = both_regions(plot, 0, f.x[1], err);
    if (status) return status;
    fd_script_open(&script, "phases", "effective Majorana mass with both readings of the Majorana phases", 9, 4.6);
    fd_script_title(&script, plot, "Effective Majorana mass, same points, two readings of the Majorana phases");
    fd_script_colours(&script, plot);
    for (int p = 0; p < 2; p++) {
        panel(&script, p, 0, &f);
        fd_text_addf(&script, "set label 5 '%s' at graph 0.03,0.94 left front\n", titles[p]);
        regions(&script, plot, 0, &f, p == 0);
        fd_script_points(&script, plot, "phases", "sum_m_meV", columns[1 + p], p == 0);
    }
    fd_script_close(&script);
    status = fd_script_draw(plot, "phases", &script, err);
    fd_text_free(&script);
    return status;
}
