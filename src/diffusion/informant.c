/* The informant of any flavour model with label derivatives. In normalised coordinates, at noise s = sqrt((1-abar)/abar)
 * and z = x_t / sqrt(abar):
 *
 *   mu  = E[x0 | z] for the prior alone: a uniform law on [lo, hi], seen through noise s, component by component
 *         mu = z + s (phi(a) - phi(b)) / (Phi(b) - Phi(a)),   a = (lo - z)/s,  b = (hi - z)/s
 *   dx  = J^T (J J^T + lambda D)^-1 (L* - L(y) - J (mu - y)),   J = dL/dx at y, D = diag(J J^T)
 *         the shortest step from mu onto the constraint {L = L*} linearised at y; y is z brought into the box, and for a
 *         second step the point the first one reached.
 *
 * The guess of x0 is mu + g dx, g = 1 / (1 + (s/fade)^2); the features are (z - mu)/s, dx/s and the residual
 * (L* - L(y)) / (s sqrt(D) + 0.003), each clipped. As s -> 0 the exact posterior mean is mu + dx for a constraint without
 * curvature and away from walls: what is left to the network is the rest. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/informant.h"
#include "inference/least_norm.h"

enum { W = FD_STEP_LANES, MAX_ROWS = 64 };

typedef struct model_informant {
    fd_informant base;
    const fd_model *model;
    fd_informant_spec spec;
    fd_scaler params, labels;
    double lo[FD_MAX_PARAMS], hi[FD_MAX_PARAMS];     /* the prior's box, normalised */
    double inner[FD_MAX_PARAMS], outer[FD_MAX_PARAMS]; /* the same less the margin: where the model is evaluated */
    double *signal, *s;                              /* [0..T] */
} model_informant;

/* W rows at work. */
typedef struct lanes {
    double z[FD_MAX_PARAMS][W], mu[FD_MAX_PARAMS][W], y[FD_MAX_PARAMS][W], dx[FD_MAX_PARAMS][W];
    double jacobian[FD_MAX_LABELS * FD_MAX_PARAMS * W];
    double wanted[FD_MAX_LABELS][W], residual[FD_MAX_LABELS][W], rho[FD_MAX_LABELS][W], shifted[FD_MAX_LABELS * W];
    double step[FD_MAX_PARAMS * W];
    double s[W];
    bool given[W];
    double theta[W * FD_MAX_PARAMS], label[W * FD_MAX_LABELS], raw[W * FD_MAX_LABELS * FD_MAX_PARAMS];
} lanes;

/* ---- the prior alone -------------------------------------------------------------------------------------------- */

/* Mills ratio (1 - Phi(x)) / phi(x) for x > -9. */
static double mills(double x) {
    if (x < 6) return 1.2533141373155002512 * erfc(x * 0.70710678118654752440) * exp(0.5 * x * x);
    double f = x; /* Laplace's continued fraction, 1e-9 here */
    for (int k = 12; k >= 1; k--) f = x + k / f;
    return 1 / f;
}

/* E[x0 | z] of a uniform law on [lo, hi] seen through Gaussian noise s. */
static double box_mean(double z, double s, double lo, double hi) {
    double centre = 0.5 * (lo + hi), sign = z > centre ? -1 : 1;
    double near = centre - 0.5 * (hi - lo), x = centre - fabs(z - centre); /* mirrored: the nearest wall is the lower one */
    double a = (near - x) / s, b = a + (hi - lo) / s;
    if (a < -8) return z;
    double ratio = exp(0.5 * (a - b) * (a + b)); /* phi(b) / phi(a) */
    double shift = s * (1 - ratio) / (mills(a) - ratio * mills(b));
    if (ratio > 0.999) shift = centre - x; /* s is more than ten times the box wide in each unit of z */
    return z + sign * shift;
}

/* ---- label steps ------------------------------------------------------------------------------------------------ */

/* Labels and Jacobian at y for all lanes; a lane without finite ones is not given any more. */
static void linearise(const model_informant *m, lanes *l) {
    int dim = m->base.dim, nl = m->base.n_labels;
    for (int w = 0; w < W; w++)
        for (int j = 0; j < dim; j++) l->theta[w * dim + j] = m->params.shift[j] + m->params.scale[j] * l->y[j][w];
    m->model->derivatives(m->model, W, l->theta, l->label, l->raw);
    fd_least_norm_load(nl, dim, W, l->raw, m->params.scale, l->jacobian);
    for (int w = 0; w < W; w++) {
        double sum = 0;
        for (int i = 0; i < nl * dim; i++) sum += l->jacobian[i * W + w];
        for (int k = 0; k < nl; k++) {
            l->residual[k][w] = l->wanted[k][w] - l->label[w * nl + k];
            sum += l->residual[k][w];
        }
        if (isfinite(sum)) continue;
        l->given[w] = false;
        for (int i = 0; i < nl * dim; i++) l->jacobian[i * W + w] = 0;
        for (int k = 0; k < nl; k++) l->residual[k][w] = 0;
    }
}

/* dx from mu onto the constraint linearised at y, and rho. */
static void label_step(const model_informant *m, lanes *l) {
    int dim = m->base.dim, nl = m->base.n_labels;
    linearise(m, l);
    for (int k = 0; k < nl; k++) {
        double norm[W] = {0}, moved[W] = {0};
        for (int j = 0; j < dim; j++) {
            const double *row = l->jacobian + (k * dim + j) * W;
            for (int w = 0; w < W; w++) {
                norm[w] += row[w] * row[w];
                moved[w] += row[w] * (l->mu[j][w] - l->y[j][w]);
            }
        }
        for (int w = 0; w < W; w++) {
            l->shifted[k * W + w] = l->residual[k][w] - moved[w];
            l->rho[k][w] = l->residual[k][w] / (l->s[w] * sqrt(norm[w]) + 0.003);
        }
    }
    fd_least_norm_solve(&(fd_least_norm){.n_labels = nl,
                                         .dim = dim,
                                         .jacobian = l->jacobian,
                                         .residual = l->shifted,
                                         .relative = m->spec.regularisation},
                        l->step);
    double length[W] = {0};
    for (int j = 0; j < dim; j++)
        for (int w = 0; w < W; w++) length[w] += l->step[j * W + w] * l->step[j * W + w];
    for (int w = 0; w < W; w++) {
        double most = m->spec.trust * l->s[w] + m->spec.trust_floor, norm = sqrt(length[w]);
        double factor = !l->given[w] || !isfinite(norm) ? 0 : norm > most ? most / norm : 1;
        for (int j = 0; j < dim; j++) l->dx[j][w] = factor > 0 ? factor * l->step[j * W + w] : 0;
    }
}

static double clamp(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }

/* The point the model is asked about: inside the box, or anywhere for a periodic parameter. */
static double evaluable(const model_informant *m, int j, double x) {
    return m->model->params[j].periodic ? x : clamp(x, m->inner[j], m->outer[j]);
}

static void label_steps(const model_informant *m, lanes *l) {
    int dim = m->base.dim;
    for (int j = 0; j < dim; j++)
        for (int w = 0; w < W; w++) {
            l->y[j][w] = evaluable(m, j, l->z[j][w]);
            l->dx[j][w] = 0;
        }
    for (int step = 0; step < m->spec.label_steps; step++) {
        if (step)
            for (int j = 0; j < dim; j++)
                for (int w = 0; w < W; w++) l->y[j][w] = evaluable(m, j, l->mu[j][w] + l->dx[j][w]);
        label_step(m, l);
    }
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static void load(const model_informant *m, int rows, const float *x, const int *t, const float *labels,
                 const uint8_t *given, lanes *l) {
    int dim = m->base.dim, nl = m->base.n_labels;
    for (int w = 0; w < W; w++) {
        int i = w < rows ? w : rows - 1;
        double s = m->s[t[i]], inverse = 1 / m->signal[t[i]];
        l->s[w] = s;
        l->given[w] = given[i] != 0;
        for (int j = 0; j < dim; j++) {
            l->z[j][w] = (double)x[i * dim + j] * inverse;
            l->mu[j][w] = box_mean(l->z[j][w], s, m->lo[j], m->hi[j]);
        }
        for (int k = 0; k < nl; k++)
            l->wanted[k][w] = m->labels.shift[k] + m->labels.scale[k] * (double)labels[i * nl + k];
    }
}

static void store(const model_informant *m, int w, lanes *l, int t, float *features, float *guess) {
    int dim = m->base.dim, nl = m->base.n_labels;
    double s = l->s[w], most = m->spec.clip, gate = 1 / (1 + (s / m->spec.fade) * (s / m->spec.fade));
    for (int j = 0; j < dim; j++) {
        double mu = l->mu[j][w], dx = l->given[w] ? l->dx[j][w] : 0, x0 = mu + gate * dx;
        features[j] = (float)clamp((l->z[j][w] - mu) / s, -most, most);
        if (m->spec.label_steps) features[dim + j] = (float)clamp(dx / s, -most, most);
        guess[j] = (float)(m->model->params[j].periodic ? x0 : clamp(x0, m->lo[j], m->hi[j]));
        if (m->spec.guess) continue;
        double signal = m->signal[t], z = l->z[j][w];
        guess[j] = (float)(m->spec.prediction == FD_PREDICT_NOISE ? z
                           : m->spec.prediction == FD_PREDICT_X0  ? 0
                                                                  : signal * signal * z);
    }
    for (int k = 0; m->spec.label_steps && k < nl; k++)
        features[2 * dim + k] = (float)(l->given[w] ? clamp(l->rho[k][w], -most, most) : 0);
}

static void inform(const fd_informant *self, int rows, const float *x, const int *t, const float *labels,
                   const uint8_t *given, float *features, ptrdiff_t feature_row, float *guess, void *scratch) {
    const model_informant *m = (const model_informant *)self;
    lanes *l = scratch;
    for (int first = 0; first < rows; first += W) {
        int count = rows - first < W ? rows - first : W;
        bool any = false;
        load(m, count, x + first * self->dim, t + first, labels + first * self->n_labels, given + first, l);
        for (int w = 0; w < count; w++) any |= l->given[w];
        if (any) label_steps(m, l);
        for (int w = 0; w < count; w++)
            store(m, w, l, t[first + w], features + (first + w) * feature_row, guess + (first + w) * self->dim);
    }
}

/* ---- creation --------------------------------------------------------------------------------------------------- */

void fd_informant_spec_default(fd_informant_spec *spec) {
    *spec = (fd_informant_spec){.prediction = FD_PREDICT_V,
                                .guess = true,
                                .label_steps = 2,
                                .regularisation = 1e-4,
                                .clip = 6,
                                .margin = 0.01,
                                .fade = 0.3,
                                .trust = 4,
                                .trust_floor = 0.02};
}

int fd_informant_features(const fd_informant_spec *spec, int n_params, int n_labels) {
    return n_params + (spec->label_steps ? n_params + n_labels : 0);
}

fd_status fd_informant_spec_check(const fd_informant_spec *s, fd_error *err) {
    if ((unsigned)s->prediction > FD_PREDICT_V) return fd_fail(err, FD_ERR_CONFIG, "informant: unknown prediction");
    if (s->label_steps < 0 || s->label_steps > 2)
        return fd_fail(err, FD_ERR_CONFIG, "informant: %d label steps, must be 0 to 2", s->label_steps);
    if (!(s->regularisation > 0 && s->clip > 0 && s->fade > 0 && s->trust > 0 && s->trust_floor >= 0))
        return fd_fail(err, FD_ERR_CONFIG, "informant: regularisation, clip, fade and trust must be positive");
    if (!(s->margin >= 0 && s->margin < 1))
        return fd_fail(err, FD_ERR_CONFIG, "informant: margin is %g, must be in [0, 1)", s->margin);
    return FD_OK;
}

static void destroy(fd_informant *self) {
    model_informant *m = (model_informant *)self;
    free(m->base.c);
    free(m);
}

void fd_informant_free(fd_informant *informant) {
    if (informant) informant->destroy(informant);
}

static void fill_tables(model_informant *m, const fd_schedule *schedule) {
    for (int t = 1; t <= schedule->spec.steps; t++) {
        double abar = schedule->alpha_bar[t], spread = sqrt(1 - abar);
        m->signal[t] = sqrt(abar);
        m->s[t] = spread / m->signal[t];
        m->base.c[t] = m->spec.prediction == FD_PREDICT_NOISE ? m->s[t] : m->spec.prediction == FD_PREDICT_X0 ? 1 : spread;
    }
}

fd_status fd_model_informant(const fd_model *model, const fd_scaler *params, const fd_scaler *labels,
                             const fd_schedule *schedule, const fd_informant_spec *spec, fd_informant **informant,
                             fd_error *err) {
    *informant = NULL;
    fd_status status = fd_informant_spec_check(spec, err);
    if (status) return status;
    size_t n = (size_t)schedule->spec.steps + 1;
    model_informant *m = calloc(1, sizeof *m);
    double *table = calloc(3 * n, sizeof *table);
    if (!m || !table) {
        free(m), free(table);
        return fd_fail(err, FD_ERR_MEMORY, "no memory for an informant");
    }
    *m = (model_informant){.base = {.dim = model->n_params,
                                    .n_labels = model->n_labels,
                                    .n_features = fd_informant_features(spec, model->n_params, model->n_labels),
                                    .max_rows = MAX_ROWS,
                                    .scratch_bytes = (sizeof(lanes) + 63) / 64 * 64,
                                    .c = table,
                                    .inform = inform,
                                    .destroy = destroy},
                           .model = model,
                           .spec = *spec,
                           .params = *params,
                           .labels = *labels,
                           .signal = table + n,
                           .s = table + 2 * n};
    for (int j = 0; j < model->n_params; j++) {
        m->lo[j] = (model->params[j].lo - params->shift[j]) / params->scale[j];
        m->hi[j] = (model->params[j].hi - params->shift[j]) / params->scale[j];
        double half = 0.5 * spec->margin * (m->hi[j] - m->lo[j]);
        m->inner[j] = m->lo[j] + half;
        m->outer[j] = m->hi[j] - half;
    }
    fill_tables(m, schedule);
    *informant = &m->base;
    return FD_OK;
}
