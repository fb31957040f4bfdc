/* Mean of a uniform law on [-h, h] given d, seen through Gaussian noise s: with v = x0 / h, q = h / s and k = h d / s^2
 *
 *     E[x0 | d] = h int v e(v) dv / int e(v) dv,   e(v) = exp(k v - q^2 v^2 / 2),   v in [-1, 1].
 *
 * Close to the mean where the noise is wide, and close to d where it is narrow; in both the obvious
 * d + s (phi(a) - phi(b)) / (Phi(b) - Phi(a)) loses its digits. Here the mean has a relative error of a few 1e-14. */
#ifndef FLAVORDIFF_DIFFUSION_BOX_MEAN_H
#define FLAVORDIFF_DIFFUSION_BOX_MEAN_H

#include "kernels/box_mean_lanes.h"

/* For q < 1 and |k| < FD_BOX_REACH both integrals are power series in k^2 of positive terms:
 *     E = h k (sum_n up[n] k^2n) / (sum_n down[n] k^2n),
 *     up[n] = m(n + 1) / (2n + 1)!,  down[n] = m(n) / (2n)!,  m(n) = int_0^1 v^2n exp(-q^2 v^2 / 2) dv. */
typedef struct fd_box_series {
    double up[FD_BOX_TERMS], down[FD_BOX_TERMS];
} fd_box_series;

/* The coefficients at noise s; 0 < h < s. */
void fd_box_series_at(double h, double s, fd_box_series *series);

/* The means of all lanes, h, s > 0. The same bits from every instruction set. */
void fd_box_mean_solve(const fd_box_mean *problem);

#endif
