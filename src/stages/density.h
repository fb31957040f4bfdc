/* Contours of the density of a cloud of points: what a figure shows of a set too large, or too much like another, to be drawn as
 * points. */
#ifndef FLAVORDIFF_STAGES_DENSITY_H
#define FLAVORDIFF_STAGES_DENSITY_H

#include <stdbool.h>
#include <stddef.h>

#include "stages/table.h"

/* One coordinate of n points. */
typedef struct fd_density_axis {
    const double *values; /* (n), borrowed; those that are not finite (log10: not positive) count as outside of every contour */
    bool log10;           /* density is taken in the logarithm */
    double turn;          /* an angle, with this full circle beginning at 0; 0: it is none */
} fd_density_axis;

/* Appends to `segments` (columns x, y, dx, dy, share) the borders of the smallest regions that hold each of the n_shares `shares`
 * (in (0, 1)) of n points: level lines (marching squares on a grid of 96 x 96) of a Gaussian kernel estimate with Scott's widths
 * sigma n^(-1/6), sigma from the quartiles (an angle: at most that of a flat one). A segment
 * runs from (x, y) to (x + dx, y + dy), in units of the values. Nothing where all points share a coordinate. */
fd_status fd_density_contours(size_t n, const fd_density_axis *x, const fd_density_axis *y, int n_shares, const double *shares,
                              fd_table *segments, fd_error *err);

#endif
