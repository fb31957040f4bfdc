/* The seesaw for rows of points: they are laid out in lanes, FD_LANES at a time, for the kernels (kernels/seesaw_body.h). */
#include <math.h>

#include "kernels/kernels.h"
#include "physics/pmns.h"
#include "physics/seesaw.h"

enum { W = FD_LANES };

static const seesaw_kernels *kernels(void) { return fd_kernels_get()->seesaw; }

void seesaw_factorise(seesaw_block *b) { kernels()->factorise(b); }

/* Rows (count, n), 1 <= count <= W, to lanes (n, W); lanes beyond repeat the last row. */
static void to_lanes(int count, int n, const double *rows, double *lanes) {
    for (int w = 0; w < W; w++) {
        const double *row = rows + (ptrdiff_t)(w < count ? w : count - 1) * n;
        for (int i = 0; i < n; i++) lanes[i * W + w] = row[i];
    }
}

/* Lanes (n, W) to rows (count, n). */
static void to_rows(int count, int n, const double *lanes, double *rows) {
    for (int w = 0; w < count; w++)
        for (int i = 0; i < n; i++) rows[w * n + i] = lanes[i * W + w];
}

/* W points at work. */
typedef struct lanes {
    _Alignas(64) double theta[SEESAW_PARAMS * W];
    seesaw_block block;
    double labels[SEESAW_LABELS * W], out[SEESAW_LABELS * W], jacobian[SEESAW_LABELS * SEESAW_PARAMS * W];
} lanes;

static int start(const seesaw_model *model, size_t left, const double *theta, lanes *l) {
    int count = left < W ? (int)left : W;
    to_lanes(count, model->base.n_params, theta, l->theta);
    kernels()->evaluate(&model->setting, l->theta, &l->block);
    return count;
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
    out[SEESAW_DM21] = (d[1] - d[0]) * (d[1] + d[0]) * (scale * scale);
    out[SEESAW_DM3L] = (d[2] - ml) * (d[2] + ml) * (scale * scale);
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
    double m3 = model->setting.heavy / scale;
    out[SEESAW_HEAVY] = fabs(theta[SEESAW_R1]) * m3;
    out[SEESAW_HEAVY + 1] = fabs(theta[SEESAW_R2]) * m3;
    out[SEESAW_HEAVY + 2] = m3;
    out[SEESAW_DIGITS] = yukawa_digits(theta);
}

/* Labels of a row that is not finite are not numbers, and have no slopes. */
static void poison(const lanes *l, int count, int n, double *rows) {
    for (int w = 0; w < count; w++)
        for (int i = 0; i < n && isnan(l->block.poison[w]); i++) rows[w * n + i] = NAN;
}

static void put_labels(const lanes *l, int count, double *labels) {
    to_rows(count, SEESAW_LABELS, l->block.label[0], labels);
    poison(l, count, SEESAW_LABELS, labels);
}

void seesaw_forward(const fd_model *base, size_t n, const double *theta, double *labels, double *observables) {
    const seesaw_model *model = (const seesaw_model *)base;
    size_t n_params = (size_t)base->n_params;
    lanes l;
    for (size_t first = 0; first < n; first += W) {
        int count = start(model, n - first, theta + first * n_params, &l);
        if (labels) put_labels(&l, count, labels + first * SEESAW_LABELS);
        if (!observables) continue;
        double *out = observables + first * SEESAW_OBSERVABLES;
        for (int w = 0; w < count; w++)
            seesaw_observables(model, &l.block, w, theta + (first + (size_t)w) * n_params, out + w * SEESAW_OBSERVABLES);
        poison(&l, count, SEESAW_OBSERVABLES, out);
    }
}

void seesaw_derivatives(const fd_model *base, size_t n, const double *theta, double *labels, double *jacobian) {
    const seesaw_model *model = (const seesaw_model *)base;
    size_t n_params = (size_t)base->n_params;
    int width = SEESAW_LABELS * base->n_params;
    lanes l;
    for (size_t first = 0; first < n; first += W) {
        int count = start(model, n - first, theta + first * n_params, &l);
        double *out = jacobian + first * (size_t)width;
        kernels()->derivatives(&model->setting, l.theta, &l.block, l.jacobian);
        to_rows(count, width, l.jacobian, out);
        poison(&l, count, width, out);
        if (labels) put_labels(&l, count, labels + first * SEESAW_LABELS);
    }
}

void seesaw_surface(const fd_model *base, size_t n, const double *theta, double *c, double *jacobian) {
    const seesaw_model *model = (const seesaw_model *)base;
    size_t n_params = (size_t)base->n_params;
    lanes l;
    for (size_t first = 0; first < n; first += W) {
        int count = start(model, n - first, theta + first * n_params, &l);
        kernels()->surface(&model->setting, l.theta, &l.block, l.out, jacobian ? l.jacobian : NULL);
        to_rows(count, SEESAW_SURFACE, l.out, c + first * SEESAW_SURFACE);
        if (jacobian)
            to_rows(count, SEESAW_SURFACE * base->n_params, l.jacobian, jacobian + first * SEESAW_SURFACE * n_params);
    }
}

void seesaw_approach(const fd_model *base, size_t n, const double *theta, const double *labels, double *residual,
                     double *jacobian) {
    const seesaw_model *model = (const seesaw_model *)base;
    size_t n_params = (size_t)base->n_params;
    lanes l;
    for (size_t first = 0; first < n; first += W) {
        int count = start(model, n - first, theta + first * n_params, &l);
        to_lanes(count, SEESAW_LABELS, labels + first * SEESAW_LABELS, l.labels);
        kernels()->approach(&model->setting, l.theta, &l.block, l.labels, l.out, l.jacobian);
        to_rows(count, SEESAW_SURFACE, l.out, residual + first * SEESAW_SURFACE);
        to_rows(count, SEESAW_SURFACE * base->n_params, l.jacobian, jacobian + first * SEESAW_SURFACE * n_params);
    }
}

void seesaw_approach_lanes(const fd_model *base, bool smooth, const double *unit, const double *theta, const double *labels,
                           double *residual, double *jacobian) {
    seesaw_setting setting = ((const seesaw_model *)base)->setting;
    _Alignas(64) seesaw_block block;
    setting.unit = unit;
    kernels()->evaluate(&setting, theta, &block);
    if (smooth) {
        kernels()->approach(&setting, theta, &block, labels, residual, jacobian);
        return;
    }
    kernels()->derivatives(&setting, theta, &block, jacobian);
    for (int l = 0; l < SEESAW_LABELS; l++)
        for (int w = 0; w < W; w++) residual[l * W + w] = labels[l * W + w] - (block.label[l][w] + block.poison[w]);
}
