/* Points that solve the seesaw exactly for chosen light masses and mixing (Casas and Ibarra 2001):
 *
 *     Y_ia = 10^(-k/2) sqrt(r_i e^{i arg M_i}) sum_j R_ij sqrt(m_j) U*_aj,   R R^T = 1 complex,
 *
 * reproduces m_nu = U* diag(m) U^dagger. Written from that formula alone, so that tests can hold the library to it. */
#ifndef FD_TESTS_SOLVED_POINTS_H
#define FD_TESTS_SOLVED_POINTS_H

#include <complex.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "flavordiff/target.h"

typedef struct solved_point {
    double m[3], s12sq, s13sq, s23sq, delta, alpha21, alpha31; /* chosen */
    double theta[23];                                          /* what gives them */
} solved_point;

static double solved_uniform(fd_rng *rng, double lo, double hi) { return lo + (hi - lo) * fd_rng_uniform(rng); }

static double solved_window(const fd_target *target, const char *name, fd_rng *rng) {
    for (int i = 0; i < target->n_measurements; i++)
        if (!strcmp(target->measurements[i].observable, name))
            return solved_uniform(rng, target->measurements[i].lo, target->measurements[i].hi);
    return NAN;
}

/* Standard parametrisation times diag(1, e^{i alpha21/2}, e^{i alpha31/2}). */
static void solved_mixing(const solved_point *p, double complex u[3][3]) {
    double s12 = sqrt(p->s12sq), c12 = sqrt(1 - p->s12sq), s13 = sqrt(p->s13sq), c13 = sqrt(1 - p->s13sq);
    double s23 = sqrt(p->s23sq), c23 = sqrt(1 - p->s23sq);
    double complex e = cexp(I * p->delta), majorana[3] = {1, cexp(0.5 * I * p->alpha21), cexp(0.5 * I * p->alpha31)};
    const double complex plain[3][3] = {
        {c12 * c13, s12 * c13, s13 / e},
        {-s12 * c23 - c12 * s23 * s13 * e, c12 * c23 - s12 * s23 * s13 * e, s23 * c13},
        {s12 * s23 - c12 * c23 * s13 * e, -c12 * s23 - s12 * c23 * s13 * e, c23 * c13},
    };
    for (int a = 0; a < 3; a++)
        for (int j = 0; j < 3; j++) u[a][j] = plain[a][j] * majorana[j];
}

/* r <- r times a rotation by the complex angle z in the plane (a, b). */
static void solved_rotate(double complex r[3][3], int a, int b, double complex z) {
    for (int i = 0; i < 3; i++) {
        double complex x = r[i][a], y = r[i][b];
        r[i][a] = x * ccos(z) + y * csin(z);
        r[i][b] = -x * csin(z) + y * ccos(z);
    }
}

/* Yukawas, r, k and phases for the chosen values; the largest entry of Y is `largest`. */
static void solved_yukawa(solved_point *p, double largest, fd_rng *rng) {
    double complex u[3][3], r[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, y[3][3];
    double a = solved_uniform(rng, 1e-3, 1), b = solved_uniform(rng, 1e-3, 1), most = 0;
    double ratio[3] = {fmin(a, b), fmax(a, b), 1},
           phase[3] = {solved_uniform(rng, -3.1, 3.1), solved_uniform(rng, -3.1, 3.1), 0};
    solved_mixing(p, u);
    for (int plane = 0; plane < 3; plane++)
        solved_rotate(r, plane == 2, plane == 0 ? 1 : 2, solved_uniform(rng, 0, 6.28) + 0.2 * I * fd_rng_normal(rng));
    for (int i = 0; i < 3; i++)
        for (int e = 0; e < 3; e++) {
            y[i][e] = 0;
            for (int j = 0; j < 3; j++) y[i][e] += r[i][j] * sqrt(p->m[j]) * conj(u[e][j]);
            y[i][e] *= sqrt(ratio[i]) * cexp(0.5 * I * phase[i]);
            most = fmax(most, fmax(fabs(creal(y[i][e])), fabs(cimag(y[i][e]))));
        }
    for (int i = 0; i < 3; i++)
        for (int e = 0; e < 3; e++) {
            p->theta[3 * i + e] = creal(y[i][e]) * largest / most;
            p->theta[9 + 3 * i + e] = cimag(y[i][e]) * largest / most;
        }
    p->theta[18] = ratio[0];
    p->theta[19] = ratio[1];
    p->theta[20] = 2 * log10(most / largest);
    p->theta[21] = phase[0];
    p->theta[22] = phase[1];
}

/* Masses and angles uniform in the target's 3 sigma windows, phases uniform, lightest mass log-uniform; entries of Y up
 * to `largest`. Whether the nine moduli are inside too is for the judge. */
static void solved_draw(const fd_target *target, double largest, fd_rng *rng, solved_point *p) {
    double lightest = pow(10, solved_uniform(rng, -4, -1.5)), square = lightest * lightest;
    double dm21 = solved_window(target, "dm21_eV2", rng), dm3l = fabs(solved_window(target, "dm3l_eV2", rng));
    bool normal = target->ordering == FD_ORDERING_NORMAL;
    p->m[0] = normal ? lightest : sqrt(square + dm3l - dm21);
    p->m[1] = normal ? sqrt(square + dm21) : sqrt(square + dm3l);
    p->m[2] = normal ? sqrt(square + dm3l) : lightest;
    p->s12sq = solved_window(target, "s12sq", rng);
    p->s13sq = solved_window(target, "s13sq", rng);
    p->s23sq = solved_window(target, "s23sq", rng);
    p->delta = solved_uniform(rng, 0, 6.28318);
    p->alpha21 = solved_uniform(rng, 0, 6.28318);
    p->alpha31 = solved_uniform(rng, 0, 6.28318);
    solved_yukawa(p, largest, rng);
}

#endif
