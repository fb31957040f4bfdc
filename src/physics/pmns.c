#include "physics/pmns.h"

#include <math.h>

#include "base/constants.h"

double fd_wrap_2pi(double x) {
    while (x < 0) x += FD_TWO_PI;
    while (x >= FD_TWO_PI) x -= FD_TWO_PI; /* also what -1e-20 + 2 pi rounds to */
    return x;
}

typedef struct pair {
    double re, im;
} pair;

/* a b*, without the library call that C requires for complex products. */
static pair times_conj(double complex a, double complex b) {
    double ar = creal(a), ai = cimag(a), br = creal(b), bi = cimag(b);
    return (pair){ar * br + ai * bi, ai * br - ar * bi};
}

static double norm2(double complex a) { return creal(a) * creal(a) + cimag(a) * cimag(a); }

/* arg of a squared, in [0, 2 pi). + 0.0: the sign of a zero is not a phase. */
static double arg_of_square(pair a) { return fd_wrap_2pi(2 * atan2(a.im + 0.0, a.re + 0.0)); }

/* delta from the invariant of rows e, mu and columns 1, 3:
 *     U_e3 U_mu1 U_e1* U_mu3* = -K (s12 c23 e^{-i delta} + c12 s23 s13),   K = c12 c13^2 s23 s13,
 * so K s12 c23 e^{i delta} = -(invariant* + K c12 s23 s13). This is J = K s12 c23 sin delta together with what |U_mu1|^2
 * says about cos delta, but both sides are proportional to s13, so a small s13 costs no digits. */
static double dirac_phase(const double complex u[3][3], double e1, double e3, double mu3, double c13sq) {
    pair e = times_conj(u[0][2], u[0][0]), mu = times_conj(u[1][0], u[1][2]);
    double re = e.re * mu.re - e.im * mu.im, im = e.re * mu.im + e.im * mu.re;
    double shift = c13sq > 0 ? e1 * mu3 * e3 / c13sq : 0;
    return fd_wrap_2pi(atan2(im + 0.0, -(re + shift) + 0.0));
}

void fd_mixing_from_matrix(const double complex u[3][3], fd_mixing *mixing) {
    double e1 = norm2(u[0][0]), e2 = norm2(u[0][1]), e3 = norm2(u[0][2]), mu3 = norm2(u[1][2]), tau3 = norm2(u[2][2]);
    double c13sq = e1 + e2, column = mu3 + tau3; /* both are 1 - |U_e3|^2, without the cancellation */
    mixing->s13sq = e3;
    mixing->s12sq = c13sq == 0 ? 0 : e2 / c13sq;
    mixing->s23sq = column == 0 ? 0 : mu3 / column;
    pair e = times_conj(u[0][0], u[0][1]), mu = times_conj(u[1][1], u[1][0]);
    mixing->jarlskog = e.re * mu.im + e.im * mu.re;
    mixing->delta = dirac_phase(u, e1, e3, mu3, c13sq);
    mixing->alpha21 = arg_of_square(times_conj(u[0][1], u[0][0]));
    mixing->eta = arg_of_square(times_conj(u[0][2], u[0][0]));
    mixing->alpha31 = fd_wrap_2pi(mixing->eta + 2 * mixing->delta);
}

void fd_mixing_dirac(double s12sq, double s13sq, double s23sq, double cos_delta, double sin_delta, double re[3][3],
                     double im[3][3]) {
    double s12 = sqrt(s12sq), c12 = sqrt(1 - s12sq), s13 = sqrt(s13sq), c13 = sqrt(1 - s13sq);
    double s23 = sqrt(s23sq), c23 = sqrt(1 - s23sq);
    re[0][0] = c12 * c13, im[0][0] = 0;
    re[0][1] = s12 * c13, im[0][1] = 0;
    re[0][2] = s13 * cos_delta, im[0][2] = -s13 * sin_delta;
    re[1][0] = -s12 * c23 - c12 * s23 * s13 * cos_delta, im[1][0] = -(c12 * s23 * s13 * sin_delta);
    re[1][1] = c12 * c23 - s12 * s23 * s13 * cos_delta, im[1][1] = -(s12 * s23 * s13 * sin_delta);
    re[1][2] = s23 * c13, im[1][2] = 0;
    re[2][0] = s12 * s23 - c12 * c23 * s13 * cos_delta, im[2][0] = -(c12 * c23 * s13 * sin_delta);
    re[2][1] = -c12 * s23 - s12 * c23 * s13 * cos_delta, im[2][1] = -(s12 * c23 * s13 * sin_delta);
    re[2][2] = c23 * c13, im[2][2] = 0;
}

void fd_mixing_to_matrix(const fd_mixing *mixing, double complex u[3][3]) {
    double re[3][3], im[3][3];
    const double complex phase[3] = {1, cexp(0.5 * I * mixing->alpha21), cexp(0.5 * I * mixing->alpha31)};
    fd_mixing_dirac(mixing->s12sq, mixing->s13sq, mixing->s23sq, cos(mixing->delta), sin(mixing->delta), re, im);
    for (int i = 0; i < 9; i++) u[i / 3][i % 3] = (re[i / 3][i % 3] + I * im[i / 3][i % 3]) * phase[i % 3];
}

void fd_mixing_moduli(double s12sq, double s13sq, double s23sq, double delta, double moduli[9]) {
    fd_mixing mixing = {.s12sq = s12sq, .s13sq = s13sq, .s23sq = s23sq, .delta = delta};
    double complex u[3][3];
    fd_mixing_to_matrix(&mixing, u);
    for (int i = 0; i < 9; i++) moduli[i] = cabs(u[i / 3][i % 3]);
}
