/* Steps of least norm for FD_STEP_LANES points at a time, written once. The file that includes this defines FD_LEAST_NORM,
 * the name of the function. Included once per instruction set: this is a template, not a header.
 *
 * As takagi_body.h: compiled with -ffp-contract=off, nothing but + - * / and sqrt, so all instruction sets give the same
 * bits. */
#include <math.h>
#include <stddef.h>

#include "flavordiff/model.h"
#include "kernels/least_norm_lanes.h"

enum { W = FD_STEP_LANES, CHAINS = 4 };

/* Rounding leaves about this much of the diagonal where a pivot should be zero; below it the factor is noise. */
static const double least_relative = 1e-13;

/* row . J_j for `count` labels from j on, CHAINS side by side: one sum alone would wait for its own additions. */
static inline void products(const fd_least_norm *q, double row[][W], int j, int count, double out[][W]) {
    double sum[CHAINS][W] = {{0}};
    const double *jj[CHAINS];
    for (int c = 0; c < CHAINS; c++) jj[c] = q->jacobian + (size_t)((j + (c < count ? c : 0)) * q->dim) * W;
    for (int p = 0; p < q->dim; p++)
        for (int c = 0; c < CHAINS; c++)
#pragma omp simd
            for (int w = 0; w < W; w++) sum[c][w] += row[p][w] * jj[c][p * W + w];
    for (int c = 0; c < count; c++)
        for (int w = 0; w < W; w++) out[c][w] = sum[c][w];
}

/* Lower triangle of J J^T + Lambda over the movable components, and Lambda. */
static void normal_matrix(const fd_least_norm *q, double a[][FD_MAX_LABELS][W], double lambda[][W]) {
    double relative = q->absolute ? q->relative : fmax(q->relative, least_relative);
    for (int i = 0; i < q->n_labels; i++) {
        double row[FD_MAX_PARAMS][W];
        const double(*ji)[W] = (const double(*)[W])(q->jacobian + (size_t)(i * q->dim) * W);
        const double(*movable)[W] = (const double(*)[W])q->movable;
        for (int p = 0; p < q->dim; p++)
#pragma omp simd
            for (int w = 0; w < W; w++) row[p][w] = movable ? ji[p][w] * movable[p][w] : ji[p][w];
        for (int j = 0; j <= i; j += CHAINS) products(q, row, j, i - j + 1 < CHAINS ? i - j + 1 : CHAINS, a[i] + j);
        for (int w = 0; w < W; w++) {
            lambda[i][w] = relative * a[i][i][w] + (q->absolute ? q->absolute[w] : 0.0);
            a[i][i][w] += lambda[i][w];
            /* Nothing moves this label: an identity row instead of a division by zero; its column of J^T is zero. */
            if (a[i][i][w] == 0) a[i][i][w] = 1;
        }
    }
}

/* Lower triangle in place to its Cholesky factor, the diagonal to its inverse. A pivot that rounding has eaten becomes
 * the smallest that Lambda allows. */
static void factorise(int n, double a[][FD_MAX_LABELS][W], const double lambda[][W]) {
    for (int j = 0; j < n; j++) {
        for (int k = 0; k < j; k++)
#pragma omp simd
            for (int w = 0; w < W; w++) a[j][j][w] -= a[j][k][w] * a[j][k][w];
#pragma omp simd
        for (int w = 0; w < W; w++) {
            double floor = 0.5 * lambda[j][w], pivot = a[j][j][w] < floor ? floor : a[j][j][w];
            a[j][j][w] = 1.0 / sqrt(pivot);
        }
        for (int i = j + 1; i < n; i++) {
            for (int k = 0; k < j; k++)
#pragma omp simd
                for (int w = 0; w < W; w++) a[i][j][w] -= a[i][k][w] * a[j][k][w];
#pragma omp simd
            for (int w = 0; w < W; w++) a[i][j][w] *= a[j][j][w];
        }
    }
}

/* y <- (L L^T)^-1 y. */
static void substitute(int n, double a[][FD_MAX_LABELS][W], double y[][W]) {
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < i; k++)
#pragma omp simd
            for (int w = 0; w < W; w++) y[i][w] -= a[i][k][w] * y[k][w];
#pragma omp simd
        for (int w = 0; w < W; w++) y[i][w] *= a[i][i][w];
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int k = i + 1; k < n; k++)
#pragma omp simd
            for (int w = 0; w < W; w++) y[i][w] -= a[k][i][w] * y[k][w];
#pragma omp simd
        for (int w = 0; w < W; w++) y[i][w] *= a[i][i][w];
    }
}

void FD_LEAST_NORM(const fd_least_norm *q, double *step) {
    double a[FD_MAX_LABELS][FD_MAX_LABELS][W], lambda[FD_MAX_LABELS][W], y[FD_MAX_LABELS][W];
    double(*dx)[W] = (double(*)[W])step;
    normal_matrix(q, a, lambda);
    factorise(q->n_labels, a, (const double(*)[W])lambda);
    for (int i = 0; i < q->n_labels; i++)
        for (int w = 0; w < W; w++) y[i][w] = q->residual[i * W + w];
    substitute(q->n_labels, a, y);
    for (int p = 0; p < q->dim; p++) {
        double sum[W] = {0};
        for (int i = 0; i < q->n_labels; i++) {
            const double *j = q->jacobian + (size_t)(i * q->dim + p) * W;
#pragma omp simd
            for (int w = 0; w < W; w++) sum[w] += j[w] * y[i][w];
        }
#pragma omp simd
        for (int w = 0; w < W; w++) dx[p][w] = q->movable ? sum[w] * q->movable[p * W + w] : sum[w];
    }
}
