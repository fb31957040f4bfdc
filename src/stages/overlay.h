/* Figures of several sample sets over each other: histograms of every quantity, and a corner plot of some. */
#ifndef FLAVORDIFF_STAGES_OVERLAY_H
#define FLAVORDIFF_STAGES_OVERLAY_H

#include "stages/columns.h"
#include "stages/plot.h"

enum { FD_OVERLAY_BINS = 40, FD_OVERLAY_SETS = 8, FD_CORNER_MOST = 8, FD_CORNER_POINTS = 2000 };

typedef struct fd_overlay {
    const fd_model *model;
    const char *title;
    int n_sets; /* at most FD_OVERLAY_SETS; the first is drawn as grey areas, the others as lines */
    struct {
        const char *name; /* in the legend */
        const fd_columns *columns;
    } sets[FD_OVERLAY_SETS];
} fd_overlay;

/* Axis of one quantity: angles in degrees, masses that spread over more than a factor of 30 as log10. */
typedef struct fd_axis {
    int column;
    fd_quantity quantity;
    double lo, hi, factor;
    bool log10;
} fd_axis;

/* Finds an axis that shows all but the outermost 0.2 % of every set at either end. FD_ERR_MEMORY. */
fd_status fd_overlay_axis(const fd_overlay *overlay, int column, fd_axis *axis, fd_error *err);
/* A value on the axis. */
double fd_axis_value(const fd_axis *axis, double x);
/* Its name and unit for gnuplot, quoted. */
void fd_axis_label(fd_text *script, const fd_axis *axis);

/* Figure NAME (PNG, PDF, CSV, script) with histograms, each of unit area, of n columns; plot.folder is where. */
fd_status fd_overlay_histograms(const fd_overlay *overlay, const fd_plot *plot, const char *name, int n, const int *columns,
                                fd_error *err);
/* Figure `corner` of n <= FD_CORNER_MOST columns: histograms on the diagonal (corner-histograms.csv), the first
 * FD_CORNER_POINTS rows of every set below it (corner.csv). */
fd_status fd_overlay_corner(const fd_overlay *overlay, const fd_plot *plot, int n, const int *columns, fd_error *err);
/* The figures `parameters`, `observables` and `corner` into `folder`, all or none. corner: names of quantities, separated
 * by commas; NULL: those of the model's usual predictions. FD_ERR_USAGE on a name the model has not. */
fd_status fd_overlay_draw(const fd_overlay *overlay, const fd_run *run, const char *folder, const char *corner, fd_error *err);

#endif
