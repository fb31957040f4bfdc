/* Does a set fill the space a reference fills, every mode of it and with the right share? Space is cut into cells and rows are
 * counted, N_i of the reference and M_i of the set:
 *
 *     chi^2 = sum_i (sqrt(m/n) N_i - sqrt(n/m) M_i)^2 / (N_i + M_i)   ->  chi^2 of (cells not empty in both) - 1 degrees. */
#ifndef FLAVORDIFF_CELLS_H
#define FLAVORDIFF_CELLS_H

#include <stddef.h>
#include <stdint.h>

#include "flavordiff/api.h"
#include "flavordiff/status.h"

FD_DECLS_BEGIN

typedef struct fd_cells {
    int cells;       /* with rows of the reference; 0: fewer than two, nothing to compare */
    int filled;      /* of these by the set */
    double expected; /* filled in the mean by as many rows of the reference's law: sum_i 1 - (1 - N_i/n)^m */
    double chi2, tail; /* tail: chance of a larger chi^2 by draws of one law */
    int freedom;
} fd_cells;

enum { FD_CELLS_MOST = 256, FD_CELLS_ROWS = 20 };

/* Counts of the reference and of the set in cells that were there before (images under a symmetry). */
void fd_cells_counts(int cells, const uint64_t *reference, const uint64_t *set, fd_cells *result);

/* Cells made for the reference x (n, d); y (m, d) is the set; all finite. The first half of x makes them: a cell is cut in two in the
 * quantity, and between the quarters at the place, that leaves the smallest share of the variance inside the parts (1/4 of a flat
 * law, 0.36 of a normal one, next to nothing of two peaks), so that separate modes fall into separate cells before a mode is cut,
 * for as long as FD_CELLS_ROWS rows of the half, and of as large a share of the set, are in it, and 2 / FD_CELLS_MOST of all. The second half is counted: it knows nothing
 * of the cuts, and the null above holds. FD_ERR_MEMORY. */
fd_status fd_cells_cut(size_t n, size_t m, int d, const double *x, const double *y, fd_cells *result, fd_error *err);

FD_DECLS_END

#endif
