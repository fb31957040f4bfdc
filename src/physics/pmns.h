/* The mixing matrix: standard parametrisation (eq. 2.4), angles (eq. 2.5) and phases from rephasing invariants.
 *
 * Rows are e, mu, tau; columns are nu1, nu2, nu3 in physical order. Angles in rad. Everything here is a pure function. */
#ifndef FD_PHYSICS_PMNS_H
#define FD_PHYSICS_PMNS_H

#include <complex.h>

typedef struct fd_mixing {
    double s12sq, s13sq, s23sq;     /* sin^2 of the angles */
    double delta, alpha21, alpha31; /* in [0, 2 pi) */
    double eta;                     /* alpha31 - 2 delta in [0, 2 pi): what m_bb sees; defined also when s13 -> 0 */
    double jarlskog;                /* eq. (2.6) */
} fd_mixing;

/* Angles, phases and J of a unitary u (3, 3) whose column phases are those of the Takagi factorisation. Row phases and column
 * signs drop out. Where a phase is undefined (a vanishing element) it is 0; where an angle is, its sin^2 is 0. */
void fd_mixing_from_matrix(const double complex u[3][3], fd_mixing *mixing);
/* Eq. (2.4) without Majorana phases, as real and imaginary parts, from sin^2 of the angles, cos delta and sin delta. */
void fd_mixing_dirac(double s12sq, double s13sq, double s23sq, double cos_delta, double sin_delta, double re[3][3],
                     double im[3][3]);
/* u of eq. (2.4) from s12sq, s13sq, s23sq, delta, alpha21, alpha31; eta and jarlskog are not read. */
void fd_mixing_to_matrix(const fd_mixing *mixing, double complex u[3][3]);
/* The nine |U| of eq. (2.4), row-major; Majorana phases do not enter. */
void fd_mixing_moduli(double s12sq, double s13sq, double s23sq, double delta, double moduli[9]);

/* x reduced to [0, 2 pi), for x in [-4 pi, 8 pi]. */
double fd_wrap_2pi(double x);

#endif
