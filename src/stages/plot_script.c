/* Pieces of gnuplot scripts. Nothing of the user's text (limit names, titles) can become a command: it only ever stands
 * inside single quotes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "stages/analyse.h"
#include "stages/plot.h"

void fd_script_quote(fd_text *script, const char *string) {
    fd_text_add(script, "'");
    for (; *string; string++) {
        if (*string == '\'') fd_text_add(script, "'");
        char c = (unsigned char)*string < ' ' ? ' ' : *string;
        fd_text_bytes(script, &c, 1);
    }
    fd_text_add(script, "'");
}

/* viridis of matplotlib (CC0), every 32nd colour: equal steps look equal, also in grey and to the colour-blind. */
static const char palette[] =
    "set palette defined (0 '#440154', 1 '#472d7b', 2 '#3b528b', 3 '#2c728e', 4 '#21918c', \\\n"
    "    5 '#28ae80', 6 '#5ec962', 7 '#addc30', 8 '#fde725')\n";

void fd_script_open(fd_text *script, const char *name, const char *what, double width, double height) {
    fd_text_addf(
        script,
        "# %s: %s\n"
        "# Edit and run `gnuplot %s.gp` in this folder; data are in the CSV files beside it.\n"
        "set encoding utf8\n"
        "set datafile separator comma\n"
        "set datafile columnheaders\n"
        "%s"
        "set border lw 1.2\n"
        "set tics front\n"
        "set samples 1000\n\n"
        "do for [device = 1:2] {\n"
        "if (device == 1) { set terminal pngcairo size %.0f,%.0f font 'Sans,20' linewidth 2 pointscale 1.6; "
        "small = 'Sans,15'; big = 'Sans,24' }\n"
        "if (device == 2) { set terminal pdfcairo size %.2fin,%.2fin font 'Sans,11' linewidth 1.2 pointscale 0.55; "
        "small = 'Sans,8.3'; big = 'Sans,13' }\n"
        "set output (device == 1 ? '%s.png' : '%s.pdf')\n"
        "set multiplot\n"
        "unset label; unset arrow; unset object\n",
        name, what, name, palette, 200 * width, 200 * height, width, height, name, name);
}

void fd_script_close(fd_text *script) { fd_text_add(script, "unset multiplot\nunset output\n}\n"); }

/* "104 solutions among 30,000,000 samples". every: the figure counts all of them, however many. */
static void count_line(fd_text *line, const fd_plot *plot, bool every) {
    char a[32], b[32];
    size_t n = plot->solutions.n_rows, drawn = plot->drawn[FD_POINT_INSIDE] + plot->drawn[FD_POINT_OUTSIDE];
    if (n == 0)
        fd_text_add(line, "no solution");
    else
        fd_text_addf(line, "%s solution%s", fd_text_count(n, a), n == 1 ? "" : "s");
    if (plot->generated > 0) fd_text_addf(line, " among %s samples", fd_text_count((uint64_t)plot->generated, b));
    if (drawn < n && !every) fd_text_addf(line, "; a random %s are drawn", fd_text_count(drawn, a));
    if (n > 0 && n < FD_FEW_SOLUTIONS) fd_text_add(line, ": too few for a distribution");
    size_t near = plot->drawn[FD_POINT_NEAREST];
    if (near == 1) fd_text_add(line, "; also shown: the nearest by χ², NOT a solution");
    if (near > 1) fd_text_addf(line, "; also shown: the %zu nearest by χ², NOT solutions", near);
}

void fd_script_title(fd_text *script, const fd_plot *plot, const char *title, bool every) {
    fd_text line = {0};
    count_line(&line, plot, every);
    fd_text_add(script, "set label 1 ");
    fd_script_quote(script, title);
    fd_text_add(script, " at screen 0.5,0.965 center font big\nset label 2 ");
    fd_script_quote(script, line.data ? line.data : "");
    fd_text_add(script, " at screen 0.5,0.912 center noenhanced\n");
    script->failed |= line.failed;
    fd_text_free(&line);
}

/* Numbers on a colour bar of less than two decades, where powers of ten alone may leave it bare. */
static void tics_1_2_5(fd_text *script, double lo, double hi) {
    static const double steps[] = {1, 2, 5};
    const char *comma = "";
    fd_text_add(script, "set cbtics (");
    for (double decade = pow(10, floor(log10(lo))); decade <= hi; decade *= 10)
        for (int i = 0; i < 3; i++) {
            double at = steps[i] * decade;
            if (at < lo || at > hi) continue;
            fd_text_addf(script, "%s%g", comma, at);
            comma = ", ";
        }
    fd_text_add(script, ")\n");
}

void fd_script_colours(fd_text *script, const fd_plot *plot) {
    double lo, hi;
    bool any = fd_points_range(plot, "chi2", &lo, &hi), log_scale = any && plot->drawn[FD_POINT_NEAREST];
    bool powers_of_ten = log_scale && hi > 50 * fmax(lo, hi * 1e-4); /* narrower numbers than 100, 200, 500 */
    fd_text_addf(script, "set cblabel 'χ^2 of the five observables' offset %s\n",
                 log_scale && powers_of_ten ? "0.4" : "1.4");
    if (log_scale) {
        lo = fmax(lo, hi * 1e-4);
        if (lo > hi / 4) lo = hi / 4;
        fd_text_addf(script, "set logscale cb\nset cbrange [%.3g:%.3g]\nset format cb '%s'\n", lo, hi,
                     hi > 50 * lo ? "10^{%T}" : "%g");
        if (hi <= 50 * lo) tics_1_2_5(script, lo, hi);
    } else {
        fd_text_addf(script, "set cbrange [0:%.3g]\n", any ? fmax(1, ceil(hi)) : 1);
    }
}

void fd_script_panel(fd_text *script, int panel, int panels, bool colour_bar) {
    const double bottom = 0.16, top = 0.795, gap = 0.1;
    double left = 0.08, right = colour_bar ? 0.895 : 0.975;
    double width = (right - left - gap * (panels - 1)) / panels, from = left + panel * (width + gap);
    fd_text_addf(script, "\n# panel %d\nset lmargin at screen %.4f\nset rmargin at screen %.4f\n", panel + 1, from,
                 from + width);
    fd_text_addf(script, "set bmargin at screen %.4f\nset tmargin at screen %.4f\nunset key\n", bottom, top);
    if (panel > 0) fd_text_add(script, "unset label\nunset arrow\nunset object\n");
    if (colour_bar && panel == panels - 1)
        fd_text_addf(script, "set colorbox user origin screen 0.907,%.4f size screen 0.013,%.4f\n", bottom,
                     top - bottom);
    else
        fd_text_add(script, "unset colorbox\n");
}

double fd_tic_step(double width, int most) {
    double power = pow(10, floor(log10(width / most)));
    static const double steps[] = {1, 2, 5, 10};
    for (int i = 0; i < 3; i++)
        if (width / (steps[i] * power) <= most) return steps[i] * power;
    return 10 * power;
}
