/* Steps of least norm towards prescribed labels, FD_LANES points at a time. For every point, with J = d label / d x
 * (n_labels, dim) and the residual r = L* - L(x) (n_labels),
 *
 *     dx = J^T (J J^T + Lambda)^-1 r,   Lambda_kk = relative (J J^T)_kk + absolute,
 *
 * the Gauss-Newton step: of all dx that remove r, the shortest. Labels may depend on each other (the nine moduli of a
 * unitary matrix have rank 4): a small Lambda chooses the least-squares solution, of every label in units of its own gradient
 * with `relative`, of all labels in one unit with `absolute`. Frozen components of x do not move: their columns of J count as
 * zero.
 *
 * Structure of arrays: the last index of every array is the lane, so that loops over lanes become SIMD. Lanes never mix: a
 * lane that is not a number leaves the others alone. */
#ifndef FLAVORDIFF_INFERENCE_LEAST_NORM_H
#define FLAVORDIFF_INFERENCE_LEAST_NORM_H

#include "kernels/least_norm_lanes.h"

/* dx into step (dim, lanes), which overlaps no input. A label that no movable component changes is left out. Thread-safe;
 * never allocates. The same bits from every instruction set. */
void fd_least_norm_solve(const fd_least_norm *problem, double *step);

#endif
