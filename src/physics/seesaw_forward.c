/* Forward map of the seesaw: parameters to labels and observables, FD_LANES points at a time. Conventions: seesaw.h. */
#include <math.h>

#include "physics/pmns.h"
#include "physics/seesaw.h"

enum { W = FD_LANES };

/* Parameters to Y, x_i and 10^k. */
static void load(const seesaw_model *model, int count, const double *theta, seesaw_block *b) {
    int n_params = model->base.n_params;
    bool phases = n_params == SEESAW_PARAMS;
    for (int w = 0; w < W; w++) {
        const double *row = theta + (size_t)(w < count ? w : count - 1) * (size_t)n_params;
        for (int i = 0; i < 9; i++) {
            b->y_re[i / 3][i % 3][w] = row[i];
            b->y_im[i / 3][i % 3][w] = row[9 + i];
        }
        for (int i = 0; i < 2; i++) {
            double arg = phases ? row[SEESAW_ARG1 + i] : 0.0, r = row[SEESAW_R1 + i];
            b->x_re[i][w] = cos(arg) / r;
            b->x_im[i][w] = -sin(arg) / r;
        }
        b->x_re[2][w] = 1;
        b->x_im[2][w] = 0;
        b->scale[w] = pow(10.0, row[SEESAW_K]);
    }
}

/* One element of n = Y^T x Y in every lane, eq. (2.2). */
static void mass_element(seesaw_block *restrict b, int e, int a, int c) {
#pragma omp simd
    for (int w = 0; w < W; w++) {
        double re = 0, im = 0;
        for (int i = 0; i < 3; i++) {
            double pr = b->y_re[i][a][w], pi = b->y_im[i][a][w], qr = b->y_re[i][c][w], qi = b->y_im[i][c][w];
            double yr = pr * qr - pi * qi, yi = pr * qi + pi * qr;
            re += yr * b->x_re[i][w] - yi * b->x_im[i][w];
            im += yr * b->x_im[i][w] + yi * b->x_re[i][w];
        }
        b->n.m_re[e][w] = re;
        b->n.m_im[e][w] = im;
    }
}

/* Labels of eq. (2.16): the signed mass-squared differences (their logarithms come last) and the moduli. */
static void fill_labels(const seesaw_model *model, seesaw_block *restrict b) {
    const int *column = model->column;
    int low = model->base.options.ordering == FD_ORDERING_NORMAL ? column[0] : column[1];
#pragma omp simd
    for (int w = 0; w < W; w++) {
        double m1 = b->n.d[column[0]][w], m2 = b->n.d[column[1]][w], m3 = b->n.d[column[2]][w], ml = b->n.d[low][w];
        b->label[0][w] = (m2 - m1) * (m2 + m1) * b->scale[w] * b->scale[w];
        b->label[1][w] = (m3 - ml) * (m3 + ml) * b->scale[w] * b->scale[w];
    }
    for (int i = 0; i < 9; i++) {
        const double *re = b->n.u_re[i / 3][column[i % 3]], *im = b->n.u_im[i / 3][column[i % 3]];
        double *out = b->label[2 + i];
#pragma omp simd
        for (int w = 0; w < W; w++) out[w] = sqrt(re[w] * re[w] + im[w] * im[w]);
    }
    for (int w = 0; w < W; w++)
        for (int l = 0; l < 2; l++) b->label[l][w] = log10(fabs(b->label[l][w]));
}

/* M3 in GeV: vev^2 / 10^k, with 10^k in eV. */
static double heavy_scale(const seesaw_model *model, double scale_eV) {
    return model->base.options.vev_GeV * model->base.options.vev_GeV * 1e9 / scale_eV;
}

void seesaw_factorise(seesaw_block *b) {
    for (int e = 0, a = 0; a < 3; a++)
        for (int c = a; c < 3; c++, e++) mass_element(b, e, a, c);
    fd_takagi_batch(&b->n);
}

void seesaw_evaluate(const seesaw_model *model, int count, const double *theta, seesaw_block *b) {
    load(model, count, theta, b);
    seesaw_factorise(b);
    fill_labels(model, b);
    size_t n_params = (size_t)model->base.n_params;
    for (int w = 0; w < W; w++) {
        const double *row = theta + (size_t)(w < count ? w : count - 1) * n_params;
        double sum = heavy_scale(model, b->scale[w]) * (1 + fabs(row[SEESAW_R1]) + fabs(row[SEESAW_R2]));
        for (int l = 0; l < SEESAW_LABELS; l++) sum += fabs(b->label[l][w]);
        b->finite[w] = isfinite(sum);
    }
}

/* round(log10(max/min)) over the 18 absolute values. An exact zero is an endless hierarchy: capped at 99. */
static double yukawa_digits(const double *y) {
    double low = INFINITY, high = 0;
    for (int i = 0; i < 18; i++) {
        low = fmin(low, fabs(y[i]));
        high = fmax(high, fabs(y[i]));
    }
    return low > 0 ? fmin(round(log10(high) - log10(low)), 99) : 99;
}

/* The three masses that are sums over nu_j, with d in units of 10^k eV. m_bb is the sum over m_j U_ej^2, which is
 * eq. (2.9) without a detour over the phases; FD_PHASES_PAPER takes the moduli, as a real first row would. */
static void effective_masses(const seesaw_model *model, const double d[3], double scale, const double complex u[3][3],
                             double *out) {
    double re = 0, im = 0, upper = 0, square = 0, sum = 0;
    for (int j = 0; j < 3; j++) {
        double ur = creal(u[0][j]), ui = cimag(u[0][j]), norm = ur * ur + ui * ui;
        re += d[j] * (ur * ur - ui * ui);
        im += d[j] * (2 * ur * ui);
        upper += d[j] * norm;
        square += d[j] * d[j] * norm;
        sum += d[j];
    }
    out[SEESAW_SUM] = scale * sum;
    out[SEESAW_MBB] = scale * (model->base.options.phases == FD_PHASES_PAPER ? upper : sqrt(re * re + im * im));
    out[SEESAW_MNUE] = scale * sqrt(square);
}

void seesaw_observables(const seesaw_model *model, const seesaw_block *b, int w, const double *theta, double *out) {
    double complex u[3][3];
    double d[3], scale = b->scale[w];
    for (int j = 0; j < 3; j++) {
        d[j] = b->n.d[model->column[j]][w];
        out[SEESAW_M1 + j] = scale * d[j];
        for (int a = 0; a < 3; a++)
            u[a][j] = b->n.u_re[a][model->column[j]][w] + I * b->n.u_im[a][model->column[j]][w];
    }
    double ml = model->base.options.ordering == FD_ORDERING_NORMAL ? d[0] : d[1];
    out[SEESAW_DM21] = (d[1] - d[0]) * (d[1] + d[0]) * scale * scale;
    out[SEESAW_DM3L] = (d[2] - ml) * (d[2] + ml) * scale * scale;
    effective_masses(model, d, scale, u, out);

    fd_mixing mixing;
    fd_mixing_from_matrix(u, &mixing);
    if (model->base.options.phases == FD_PHASES_PAPER) {
        mixing.alpha21 = mixing.eta = 0;
        mixing.alpha31 = fd_wrap_2pi(2 * mixing.delta);
    }
    out[SEESAW_S12] = mixing.s12sq;
    out[SEESAW_S13] = mixing.s13sq;
    out[SEESAW_S23] = mixing.s23sq;
    out[SEESAW_DELTA] = mixing.delta;
    out[SEESAW_ALPHA21] = mixing.alpha21;
    out[SEESAW_ALPHA31] = mixing.alpha31;
    out[SEESAW_ETA] = mixing.eta;
    out[SEESAW_JARLSKOG] = mixing.jarlskog;

    for (int i = 0; i < 9; i++) out[SEESAW_U + i] = b->label[2 + i][w];
    double m3 = heavy_scale(model, scale);
    out[SEESAW_HEAVY] = fabs(theta[SEESAW_R1]) * m3;
    out[SEESAW_HEAVY + 1] = fabs(theta[SEESAW_R2]) * m3;
    out[SEESAW_HEAVY + 2] = m3;
    out[SEESAW_DIGITS] = yukawa_digits(theta);
}

void seesaw_forward(const fd_model *base, size_t n, const double *theta, double *labels, double *observables) {
    const seesaw_model *model = (const seesaw_model *)base;
    size_t n_params = (size_t)base->n_params;
    seesaw_block block;
    for (size_t first = 0; first < n; first += W) {
        int count = n - first < W ? (int)(n - first) : W;
        seesaw_evaluate(model, count, theta + first * n_params, &block);
        for (int w = 0; w < count; w++) {
            size_t row = first + (size_t)w;
            if (labels)
                for (int l = 0; l < SEESAW_LABELS; l++)
                    labels[row * SEESAW_LABELS + (size_t)l] = block.finite[w] ? block.label[l][w] : NAN;
            if (!observables) continue;
            double *out = observables + row * SEESAW_OBSERVABLES;
            if (block.finite[w])
                seesaw_observables(model, &block, w, theta + row * n_params, out);
            else
                for (int o = 0; o < SEESAW_OBSERVABLES; o++) out[o] = NAN;
        }
    }
}
