/* Inside of the plot stage: figures are gnuplot scripts with their data as CSV beside them, so that a reader can
 * restyle one and draw it again without this program. */
#ifndef FLAVORDIFF_STAGES_PLOT_H
#define FLAVORDIFF_STAGES_PLOT_H

#include <stdbool.h>

#include "flavordiff/stages.h"
#include "stages/common.h"
#include "stages/regions.h"
#include "stages/table.h"
#include "stages/text.h"

/* Most points drawn in a scatter plot; larger sets are thinned at random, and the figure says so. */
enum { FD_MOST_POINTS = 20000 };

/* Column `class` of the points. */
enum { FD_POINT_NEAREST = 0, FD_POINT_OUTSIDE = 1, FD_POINT_INSIDE = 2, FD_POINT_CLASSES = 3 };

/* What every figure draws from. */
typedef struct fd_plot {
    const fd_run *run;
    const char *folder;             /* where figures are drawn */
    fd_ticker *ticker;              /* NULL: no progress */
    uint64_t done, total;           /* figures */
    fd_table solutions, nearest;    /* as analysed; nearest has no rows when there are enough solutions */
    fd_table points;                /* both, in plot units, best chi2 last, thinned */
    fd_table exact;                 /* solutions of an exact reference, as analysed; without rows: none to draw */
    size_t drawn[FD_POINT_CLASSES]; /* points by class */
    size_t n_inside;                /* solutions inside the prior box */
    double generated;               /* samples behind the set */
    fd_target target, other;        /* the other ordering's set, for its region */
    bool has_other;
} fd_plot;

/* fd_stage_plot with the loss curves of the networks in the folder `networks` (NULL: without any), and without the reference when
 * that is not of the analysis' target set and model, unless it was asked for. */
fd_status fd_draw_figures(const fd_run *run, const char *analysis_folder, const char *networks, const char *reference, bool asked_for,
                          const char *folder, fd_error *err);
/* Adds the points' columns and rows from solutions and nearest. */
fd_status fd_plot_points(fd_plot *plot, uint64_t seed, fd_error *err);
/* Smallest and largest finite positive value of a column of the points; false when there is none. */
bool fd_points_range(const fd_plot *plot, const char *column, double *lo, double *hi);
/* The same of points and exact solutions: what an axis has to hold. */
bool fd_plot_range(const fd_plot *plot, const char *column, double *lo, double *hi);
/* A column of the exact solutions in plot units, fresh (plot->exact.n_rows); NULL without memory. */
double *fd_plot_exact(const fd_plot *plot, const char *column);
/* NAME.csv with the given columns of the points. */
fd_status fd_plot_csv(const fd_plot *plot, const char *name, size_t n, const char *const *columns, fd_error *err);

/* ---- the folder (plot_folder.c) --------------------------------------------------------------------------- */

/* A set of figures being drawn: FOLDER/drawing.part, whose files get their place in FOLDER when all are whole. */
typedef struct fd_plot_folder {
    char *final, *part;
    int lock;  /* descriptor that keeps other processes off `part`; -1: none */
    bool made; /* `final` was not there before */
} fd_plot_folder;

/* Makes the folder, and in it the locked and empty part. Without force FD_ERR_FILE when one of the scripts NAME.gp
 * (a NULL-terminated list) is there: it may have been restyled by hand. On failure nothing is left. */
fd_status fd_plot_folder_begin(const char *path, const char *const *names, bool force, fd_plot_folder *folder,
                               fd_error *err);
/* Moves the files to their place, scripts last, and frees *folder. Whatever fails, the part is removed. */
fd_status fd_plot_folder_commit(fd_plot_folder *folder, fd_error *err);
/* Removes the part, and the folder when it was made for it, and frees *folder; an empty one is fine. */
void fd_plot_folder_abort(fd_plot_folder *folder);

/* ---- script text (plot_script.c) -------------------------------------------------------------------------- */

/* Opening of a script: comment, separators, palette, then the loop over PNG and PDF up to `set multiplot`. Size in
 * units of 200 px: PNG 200 w x 200 h pixels, PDF w x h inches. */
void fd_script_open(fd_text *script, const char *name, const char *what, double width, double height);
void fd_script_close(fd_text *script);
/* 'string' for gnuplot, quotes doubled, control characters as blanks: nothing in it is ever executed. */
void fd_script_quote(fd_text *script, const char *string);
/* Line 1: title; line 2: how many points, and what they are. every: a histogram, which is not thinned. */
void fd_script_title(fd_text *script, const fd_plot *plot, const char *title, bool every);
/* Colour axis of chi2: linear, or logarithmic when nearest points are drawn. */
void fd_script_colours(fd_text *script, const fd_plot *plot);
/* Margins of panel `panel` of `panels` side by side. `colour_bar`: leaves room at the right and shows it. */
void fd_script_panel(fd_text *script, int panel, int panels, bool colour_bar);
/* Plot elements for all classes of points: ", 'NAME.csv' using ..."; x and y are columns; and on top the contours of the exact
 * solutions, when fd_plot_contours() left them. Ends the plot command. */
void fd_script_points(fd_text *script, const fd_plot *plot, const char *name, int panel, const char *x, const char *y);
/* NAME-exact-PANEL.csv (panel counted from 1): where half and nine tenths of the exact solutions are densest, as line segments in
 * the columns x and y and their lengths dx, dy (density.h); turn_y: what a full circle of y is, 0: it is no angle. Does nothing
 * without FD_LEAST_EXACT of them. */
enum { FD_LEAST_EXACT = 100 };
fd_status fd_plot_contours(const fd_plot *plot, const char *name, int panel, const char *x, bool log_x, const char *y,
                           bool log_y, double turn_y, fd_error *err);

/* Legend above the panels, laid out here because gnuplot's own key breaks into columns at the width of one panel.
 * Zero-initialise, add entries, write before the plot command of panel 0. */
typedef enum fd_legend_kind { FD_LEGEND_POINT, FD_LEGEND_LINE, FD_LEGEND_BOX } fd_legend_kind;
enum { FD_LEGEND_ENTRIES = 8 };
typedef struct fd_legend {
    int n;
    struct {
        fd_legend_kind kind;
        int mark;          /* FD_LEGEND_POINT */
        const char *style; /* "lc rgb '#d7191c' lw 1.8", or the colour of a box */
        char text[96];
    } entries[FD_LEGEND_ENTRIES];
} fd_legend;
void fd_legend_add(fd_legend *legend, fd_legend_kind kind, int mark, const char *style, const char *format, ...)
    FD_PRINTF(5, 6);
/* The classes of points that are drawn, with their numbers. */
void fd_legend_points(fd_legend *legend, const fd_plot *plot);
void fd_legend_write(fd_text *script, const fd_legend *legend);
/* The ground of boxed labels: points and lines are seen through it, faintly. */
#define FD_PALE_GROUND "set style textbox opaque margins 0.4,0.2 fillcolor rgb '#50ffffff' noborder\n"
/* The letter that stands for a limit; `notes` collects what letters stand for and goes on counting from panel to panel. */
char fd_limit_letter(fd_text *notes, const char *name);
/* Limits on an observable (eV on an axis in meV) that lie in lo..hi, as dashed verticals (front: over filled regions)
 * with a letter at the top. */
void fd_limit_lines(fd_text *script, const fd_plot *plot, const char *observable, double lo, double hi, bool front,
                    fd_text *notes);
/* The notes as a line at the foot of the figure; before the plot command of the last panel. */
void fd_limit_notes(fd_text *script, const fd_text *notes);
/* Distance between tics: 1, 2 or 5 times a power of ten, at most `most` of them in `width`. */
double fd_tic_step(double width, int most);
/* Writes NAME.gp and runs gnuplot on it in the figures folder (plot_gnuplot.c). FD_ERR_TOOL when gnuplot is missing,
 * fails, is killed or leaves half a figure; FD_ERR_STOPPED when the caller asks to stop or the signal reached gnuplot. */
fd_status fd_script_draw(const fd_plot *plot, const char *name, const fd_text *script, fd_error *err);

/* ---- figures ---------------------------------------------------------------------------------------------- */

fd_status fd_plot_heavy(const fd_plot *plot, fd_error *err);  /* fig2 */
fd_status fd_plot_dirac(const fd_plot *plot, fd_error *err);  /* fig3 */
fd_status fd_plot_phases(const fd_plot *plot, fd_error *err); /* fig4 */
fd_status fd_plot_mbb(const fd_plot *plot, fd_error *err);    /* fig5 */
fd_status fd_plot_views(const fd_plot *plot, fd_error *err);  /* phases: fig5 with both readings of the phases */
/* Loss curves of the model files in the run folder that its configuration has; does nothing but say so when there are none. */
fd_status fd_plot_loss(const fd_plot *plot, const char *run_folder, fd_error *err);

#endif
