/* Takagi factorisation of 3 x 3 complex symmetric matrices, eq. (2.3) of the paper:
 *
 *     U^T m U = diag(d1, d2, d3),   0 <= d1 <= d2 <= d3,   U unitary,   m = U* D U^+.
 *
 * Method: Jacobi congruences. The 2 x 2 block (a b; b d) of rows p, q is made diagonal by
 *
 *     V = ( cos t      e^{ip} sin t )      (V^T A V)_12 = b cos 2t + (1/2) w sin 2t,
 *         ( -e^{-ip} sin t    cos t )      w = a e^{ip} - d e^{-ip}.
 *
 * A real angle t exists when w is parallel to b, that is Im(w b*) = Im(z e^{ip}) = 0 with z = a b* + d* b. So
 * e^{ip} = z* / |z| (any p when z = 0, which is how equal singular values look), and cot 2t = -Re(w b*) / (2 |b|^2).
 * The smaller of the two angles is taken (|t| <= pi/4). Each step takes 2 |b|^2 out of the off-diagonal norm
 * and nothing puts it back, so degenerate, rank-deficient and zero matrices need no case of their own.
 * At the end the column phases exp(-i arg(d_j) / 2) make the diagonal real: these are the Majorana phases.
 * m^+ m is never formed, so no light mass is lost to squaring.
 *
 * The work is done on FD_LANES matrices at a time, one a SIMD lane; a lane's result does not depend on its neighbours,
 * so one matrix and many give the same bits. The lanes are a kernel (kernels/takagi_body.h) with an object for each
 * instruction set, all of which give the same bits as well. */
#ifndef FD_PHYSICS_TAKAGI_H
#define FD_PHYSICS_TAKAGI_H

#include <complex.h>

#include "kernels/takagi_lanes.h"

/* Factorises all lanes. Residual |U^T m U - D| and error of d: a few eps times the largest element. A lane with an element that
 * is not finite comes out as NaN. Where d_j = 0 column j has an arbitrary phase; where d_j = d_l the two columns have
 * an arbitrary real rotation. Thread-safe, never allocates. */
void fd_takagi_batch(fd_takagi_lanes *lanes);

/* One matrix; only the upper triangle of m (3, 3) is read. d (3) ascending, u (3, 3). Same accuracy and same bits. */
void fd_takagi(const double complex m[3][3], double d[3], double complex u[3][3]);

#endif
