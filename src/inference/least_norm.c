#include "inference/least_norm.h"

#include <math.h>

#include "flavordiff/model.h"

enum { W = FD_STEP_LANES };

/* Rounding leaves about this much of the diagonal where a pivot should be zero; below it the factor is noise. */
static const double least_relative = 1e-13;

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
        for (int j = 0; j <= i; j++) {
            const double(*jj)[W] = (const double(*)[W])(q->jacobian + (size_t)(j * q->dim) * W);
            double sum[W] = {0};
            for (int p = 0; p < q->dim; p++)
#pragma omp simd
                for (int w = 0; w < W; w++) sum[w] += row[p][w] * jj[p][w];
#pragma omp simd
            for (int w = 0; w < W; w++) a[i][j][w] = sum[w];
        }
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

void fd_least_norm_solve(const fd_least_norm *q, double *step) {
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

void fd_least_norm_load(int n_labels, int dim, int count, const double *jacobian, const double *scale, double *lanes) {
    for (int i = 0; i < n_labels; i++)
        for (int p = 0; p < dim; p++)
            for (int w = 0; w < W; w++)
                lanes[(i * dim + p) * W + w] = w < count ? jacobian[(w * n_labels + i) * dim + p] * scale[p] : 0.0;
}
