/* Small tools for the physics tests, written without the code under test. */
#ifndef TESTS_PHYSICS_ORACLES_H
#define TESTS_PHYSICS_ORACLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/rng.h"

#define TAU 6.283185307179586476925

typedef double complex cmat[3][3];

/* Fails with the numbers, not only the line. */
#define assert_below(value, bound)                                                                     \
    do {                                                                                               \
        double value_ = (value), bound_ = (bound);                                                     \
        if (!(value_ <= bound_)) {                                                                     \
            print_error("%s:%d: %s = %.3g, allowed %.3g\n", __FILE__, __LINE__, #value, value_, bound_); \
            fail();                                                                                    \
        }                                                                                              \
    } while (0)

static inline double complex complex_normal(fd_rng *rng) {
    double re = fd_rng_normal(rng);
    return re + I * fd_rng_normal(rng);
}

/* Haar-distributed unitary: Gram-Schmidt (twice) of a complex Gaussian matrix. */
static inline void random_unitary(fd_rng *rng, cmat u) {
    for (int j = 0; j < 3; j++) {
        for (int i = 0; i < 3; i++) u[i][j] = complex_normal(rng);
        for (int pass = 0; pass < 2; pass++) {
            for (int k = 0; k < j; k++) {
                double complex dot = 0;
                for (int i = 0; i < 3; i++) dot += conj(u[i][k]) * u[i][j];
                for (int i = 0; i < 3; i++) u[i][j] -= dot * u[i][k];
            }
            double norm = 0;
            for (int i = 0; i < 3; i++) norm += creal(u[i][j] * conj(u[i][j]));
            for (int i = 0; i < 3; i++) u[i][j] /= sqrt(norm);
        }
    }
}

/* m = U* D U^+. */
static inline void compose(const double d[3], cmat u, cmat m) {
    for (int i = 0; i < 3; i++)
        for (int j = i; j < 3; j++) {
            double complex sum = 0;
            for (int k = 0; k < 3; k++) sum += d[k] * conj(u[i][k]) * conj(u[j][k]);
            m[i][j] = m[j][i] = sum;
        }
}

static inline double largest(cmat m) {
    double top = 0;
    for (int i = 0; i < 9; i++) top = fmax(top, cabs(m[i / 3][i % 3]));
    return top;
}

/* Largest element of U^T m U - diag(d). */
static inline double residual(cmat m, const double d[3], cmat u) {
    double worst = 0;
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++) {
            double complex sum = a == b ? -d[a] : 0;
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 3; j++) sum += u[i][a] * m[i][j] * u[j][b];
            worst = isnan(cabs(sum)) ? NAN : fmax(worst, cabs(sum));
        }
    return worst;
}

/* Largest element of U^+ U - 1. */
static inline double unitarity_defect(cmat u) {
    double worst = 0;
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++) {
            double complex sum = a == b ? -1 : 0;
            for (int i = 0; i < 3; i++) sum += conj(u[i][a]) * u[i][b];
            worst = isnan(cabs(sum)) ? NAN : fmax(worst, cabs(sum));
        }
    return worst;
}

/* |det m|, in long double: it is a small difference of large products when m is hierarchical. */
static inline double modulus_of_determinant(cmat m) {
    long double complex a[3][3], det = 0;
    for (int i = 0; i < 9; i++) a[i / 3][i % 3] = m[i / 3][i % 3];
    for (int j = 0; j < 3; j++)
        det += a[0][j] * (a[1][(j + 1) % 3] * a[2][(j + 2) % 3] - a[1][(j + 2) % 3] * a[2][(j + 1) % 3]);
    return (double)cabsl(det);
}

/* Distance of two angles on the circle. */
static inline double angle_distance(double a, double b) { return fabs(remainder(a - b, TAU)); }

static inline int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* sqrt(n) times the Kolmogorov-Smirnov distance of x (sorted in place) from uniform on [lo, hi]. Above 2.2: p < 1.3e-4. */
static inline double ks_uniform(double *x, size_t n, double lo, double hi) {
    double worst = 0;
    qsort(x, n, sizeof *x, ascending);
    for (size_t i = 0; i < n; i++) {
        double cdf = (x[i] - lo) / (hi - lo);
        worst = fmax(worst, fmax(fabs(cdf - (double)i / (double)n), fabs(cdf - (double)(i + 1) / (double)n)));
    }
    return worst * sqrt((double)n);
}

#endif
