/* Report: figures with what is to be seen, and how we read the paper. */
#include <stdio.h>
#include <string.h>

#include "stages/analyse.h"
#include "stages/plot.h"
#include "stages/report.h"

/* "Shown: 37 solutions." or the truth about there being too few. */
static void sample_size(const fd_report *r, char *out, size_t size) {
    size_t n = r->part->solutions.n_rows;
    char number[32], drawn[32];
    if (!r->part->has_solutions)
        snprintf(out, size, "How many points are shown is not known: the analysis folder is missing.");
    else if (n == 0)
        snprintf(out, size,
                 "There is no solution in this run: hollow marks (Figure 4: the dashed line) are the nearest points by "
                 "χ², not solutions.");
    else if (n < FD_FEW_SOLUTIONS)
        snprintf(out, size,
                 "Only %zu solution%s: too few for a distribution. Hollow marks are the nearest points by χ², not "
                 "solutions.",
                 n, n == 1 ? "" : "s");
    else if (n <= FD_MOST_POINTS)
        snprintf(out, size, "Shown: %s solutions; triangles have a parameter outside the prior box.",
                 fd_text_count(n, number));
    else
        snprintf(
            out, size,
            "Shown: a random %s of %s solutions (Figure 4: all); triangles have a parameter outside the prior box.",
            fd_text_count(FD_MOST_POINTS, drawn), fd_text_count(n, number));
}

static const struct {
    const char *name, *title, *caption;
    bool points; /* followed by the sample size */
} figures[] = {
    {"fig2", "Figure 2: heavy Majorana masses",
     "Moduli of the heavy masses; the grey triangle is excluded by |M1|, |M2| ≤ |M3|. Colour: χ² of the five "
     "observables.",
     true},
    {"fig3", "Figure 3: Dirac phase",
     "δ against the sum of the light masses and against s23². Dashed: limits on the sum, and the 3 σ window of s23². "
     "The line with its band "
     "is the measured δ, which is never cut on.",
     true},
    {"fig4", "Figure 4: Majorana phases",
     "Bars: phases of the factorisation. Red line: the same points when the eigenvectors of m†m are taken as a "
     "numerical library "
     "returns them, which forces α21 = 0 and α31 = 2δ.",
     true},
    {"fig5", "Figure 5: effective Majorana mass",
     "White inside the red line: what the oscillation data of the target set allow for its ordering, with both phases "
     "free, any "
     "lightest mass and each of Δm²21, Δm²3ℓ, s12², s13² inside its own 95 % interval. Darker grey: the other "
     "ordering. Shaded "
     "strips and lines: limits and reach of searches, as named.",
     true},
    {"phases", "Both readings of the Majorana phases",
     "The same points twice. Left: phases of the factorisation; mββ takes values all over the allowed region. Right: "
     "α21 = 0 and η = α31 − 2δ = 0, "
     "so all three terms add up and every point lies on the upper edge of what its masses and angles allow: a property "
     "of that reading "
     "and not of the solutions.",
     true},
    {"loss", "Loss of the networks",
     "Mean squared error on the noise. Pale: training batches; dark: validation pairs (at most the first 4,096), with "
     "fixed noise.",
     false},
};

void fd_report_figures(fd_report *r) {
    char size[300], caption[1000];
    const char *note = r->has_config && r->config.informed.enabled
                           ? "The informed network's loss is on what its first guess leaves to be predicted."
                           : "";
    sample_size(r, size, sizeof size);
    fd_text_addf(
        &r->html,
        "<h2>Figures%s%s</h2>\n<p>Each is in the folder <code>%sfigures</code> as PNG and PDF, with its data as CSV and the "
        "gnuplot script that drew it. Where the run has exact solutions (<code>reference.h5</code>), black contours hold half and 90&nbsp;%% "
        "of them (smoothed, so that they reach a little over sharp edges), and a black step line is their histogram, scaled to the "
        "points'.</p>\n",
        r->n_parts > 1 ? ": " : "", r->n_parts > 1 ? r->part->name : "", r->part->folder);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        if (!figures[i].points && r->part != r->parts) continue; /* the losses of all networks are in one figure */
        snprintf(caption, sizeof caption, "%s %s", figures[i].caption, figures[i].points ? size : note);
        fd_html_figure(r, figures[i].name, figures[i].title, caption);
    }
}

static const char reading[] =
    "<h2>How we read the paper</h2>\n"
    "<p>Where the paper leaves a choice open, or two of its numbers do not fit together, the program has a setting. "
    "What follows is our "
    "inference from the printed numbers and from running the recipe; the authors may well have had reasons we do not "
    "see.</p>\n<ul>\n"
    "<li><b>Unit of ⟨H⟩²/M3.</b> Eq. 2.18 sets −1.22 … 2.78 in eV equal to 10<sup>14</sup> … 10<sup>18</sup> GeV. With "
    "⟨H⟩ = 246 GeV "
    "those masses are 6.05e-5 … 6.05e-1 eV, that is, the printed numbers fit in meV, and so do the masses of Fig. 2. "
    "Default: meV; "
    "<code>as-printed</code> keeps the other.</li>\n"
    "<li><b>Majorana phases.</b> α21 = 0 for every solution, none near α31 = 0, and mββ along the boundary all follow "
    "when the column phases of "
    "the eigenvectors of m†m are left as the numerical library returns them. Both readings are shown above.</li>\n"
    "<li><b>23 or 21 parameters.</b> Eq. 2.15 counts 23 with arg M1 and arg M2, Table 2 has 21. Default 23.</li>\n"
    "<li><b>Counts of the selection.</b> 7,289 + 36,529 + 78,488 is 122,306; the text says 116,306. We print our own "
    "counts.</li>\n"
    "<li><b>Table 1.</b> Angles and δ agree with NuFIT 6.0, the mass-squared differences with NuFIT 5.2, the label of "
    "eqs. 2.19 and 2.20 with "
    "6.0 again. The set <code>paper-table1</code> keeps all as printed.</li>\n"
    "<li><b>Label of |U|.</b> The central values (eq. 2.21) are middles of 3 σ ranges. They are not one unitary "
    "matrix, and |Uμ1| = 0.377 alone "
    "asks for cos δ near −0.27, that is δ near 105° or 255°: a preference that comes with the label. Labels drawn from "
    "inside the window are "
    "offered as well.</li>\n"
    "<li><b>Digits of hierarchy.</b> Of prior draws, 94.7 % are within two digits when log10(max/min) is rounded; the "
    "paper says about 94.8 %. Cutting it would give 98.3 %, rounding it up 84.3 %.</li>\n"
    "</ul>\n";

void fd_report_reading(fd_report *r) { fd_text_add(&r->html, reading); }
