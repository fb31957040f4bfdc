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
#include "base/constants.h"
#include "diffusion/box_mean.h"
#include "inference/least_norm.h"
#include "inference/surface.h"

enum { W = FD_STEP_LANES, MAX_ROWS = 64 };

typedef struct model_informant {
    fd_informant base;
    const fd_model *model;
    fd_informant_spec spec;
    fd_scaler params, labels;
    double lo[FD_MAX_PARAMS], hi[FD_MAX_PARAMS];     /* the prior's box, normalised */
    double inner[FD_MAX_PARAMS], outer[FD_MAX_PARAMS]; /* the same less the margin: where the model is evaluated */
    double centre[FD_MAX_PARAMS], half[FD_MAX_PARAMS]; /* of the box, and its half width */
    int n_surface;                                     /* coordinates of the labels */
    int steps;                                         /* T */
    double *signal, *s;                                /* [0..T] */
    float *waves;                                      /* [0..T][waves] */
    int n_kinds, kind[FD_MAX_PARAMS]; /* components of one half width are of one kind */
    double kind_half[FD_MAX_PARAMS];
    fd_box_series *series; /* [kind][0..T] */
} model_informant;

/* W rows at work. */
typedef struct lanes {
    double z[FD_MAX_PARAMS][W], mu[FD_MAX_PARAMS][W], y[FD_MAX_PARAMS][W], dx[FD_MAX_PARAMS][W];
    double jacobian[FD_MAX_LABELS * FD_MAX_PARAMS * W];
    double wanted[W * FD_MAX_LABELS], residual[FD_MAX_LABELS][W], rho[FD_MAX_LABELS][W], shifted[FD_MAX_LABELS * W];
    double step[FD_MAX_PARAMS * W];
    double s[W], from_d[W], up[FD_BOX_TERMS][W], down[FD_BOX_TERMS][W];
    bool given[W];
    double theta[W * FD_MAX_PARAMS], missing[W * FD_MAX_LABELS], raw[W * FD_MAX_LABELS * FD_MAX_PARAMS];
} lanes;

/* ---- the prior alone -------------------------------------------------------------------------------------------- */

/* Coefficients of all lanes for components of half width h; zeros where the noise is too narrow for the series. */
static void load_series(const model_informant *m, const int *t, int kind, double h, lanes *l) {
    for (int w = 0; w < W; w++) {
        const fd_box_series *series = &m->series[kind * (m->steps + 1) + t[w]];
        for (int n = 0; n < FD_BOX_TERMS; n++) l->up[n][w] = series->up[n], l->down[n][w] = series->down[n];
        l->from_d[w] = h / (l->s[w] * l->s[w]);
    }
}

/* mu of component j. */
static void prior_mean(const model_informant *m, int j, lanes *l) {
    double h = m->half[j], centre = m->centre[j], d[W], k[W], up[W], down[W];
    bool any_wide = false;
    for (int w = 0; w < W; w++) {
        any_wide |= h < l->s[w];
        d[w] = l->z[j][w] - centre;
        k[w] = d[w] * l->from_d[w];
        up[w] = l->up[FD_BOX_TERMS - 1][w];
        down[w] = l->down[FD_BOX_TERMS - 1][w];
    }
    for (int n = FD_BOX_TERMS - 2; n >= 0 && any_wide; n--)
        for (int w = 0; w < W; w++) {
            up[w] = up[w] * (k[w] * k[w]) + l->up[n][w];
            down[w] = down[w] * (k[w] * k[w]) + l->down[n][w];
        }
    for (int w = 0; w < W; w++) {
        bool wide = h < l->s[w] && fabs(k[w]) < FD_BOX_REACH;
        l->mu[j][w] = centre + (wide ? h * k[w] * up[w] / down[w] : fd_box_mean_narrow(d[w], h, l->s[w]));
    }
}

/* ---- label steps ------------------------------------------------------------------------------------------------ */

/* Coordinates of the labels and their Jacobian at y for all lanes; a lane without finite ones is not given any more. */
static void linearise(const model_informant *m, lanes *l) {
    int dim = m->base.dim, nl = m->n_surface;
    for (int w = 0; w < W; w++)
        for (int j = 0; j < dim; j++) l->theta[w * dim + j] = m->params.shift[j] + m->params.scale[j] * l->y[j][w];
    if (m->spec.smooth) fd_approach(m->model, W, l->theta, l->wanted, l->missing, l->raw);
    else fd_label_approach(m->model, W, l->theta, l->wanted, l->missing, l->raw);
    fd_least_norm_load(nl, dim, W, l->raw, m->params.scale, l->jacobian);
    double sum[W] = {0};
    for (int i = 0; i < nl * dim; i++)
        for (int w = 0; w < W; w++) sum[w] += l->jacobian[i * W + w];
    for (int k = 0; k < nl; k++)
        for (int w = 0; w < W; w++) {
            l->residual[k][w] = l->missing[w * nl + k];
            sum[w] += l->residual[k][w];
        }
    for (int w = 0; w < W; w++) {
        if (isfinite(sum[w])) continue;
        l->given[w] = false;
        for (int i = 0; i < nl * dim; i++) l->jacobian[i * W + w] = 0;
        for (int k = 0; k < nl; k++) l->residual[k][w] = 0;
    }
}

/* dx from mu onto the constraint linearised at y, and rho. */
static void label_step(const model_informant *m, lanes *l) {
    int dim = m->base.dim, nl = m->n_surface;
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

static void load_labels(const model_informant *m, const float *labels, lanes *l, int w) {
    for (int k = 0; k < m->base.n_labels; k++)
        l->wanted[w * m->base.n_labels + k] = m->labels.shift[k] + m->labels.scale[k] * (double)labels[k];
}

static void load(const model_informant *m, int rows, const float *x, const int *t, const float *labels,
                 const uint8_t *given, lanes *l) {
    int dim = m->base.dim, nl = m->base.n_labels, time[W];
    for (int w = 0; w < W; w++) {
        int i = w < rows ? w : rows - 1;
        double inverse = 1 / m->signal[t[i]];
        time[w] = t[i];
        l->s[w] = m->s[t[i]];
        l->given[w] = given[i] != 0;
        for (int j = 0; j < dim; j++) l->z[j][w] = (double)x[i * dim + j] * inverse;
        load_labels(m, labels + i * nl, l, w);
    }
    for (int j = 0; j < dim; j++) {
        if (j == 0 || m->kind[j] != m->kind[j - 1]) load_series(m, time, m->kind[j], m->half[j], l);
        prior_mean(m, j, l);
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
    int after = m->spec.label_steps ? 2 * dim + nl : dim;
    for (int k = 0; k < m->spec.waves; k++) features[after + k] = m->waves[t * m->spec.waves + k];
    for (int k = 0; m->spec.label_steps && k < nl; k++)
        features[2 * dim + k] = (float)(l->given[w] && k < m->n_surface ? clamp(l->rho[k][w], -most, most) : 0);
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

static void orient(const fd_informant *self, const float *x, int *source, float *sign) {
    const fd_model *model = ((const model_informant *)self)->model;
    model->orient(model, x, source, sign);
}

/* ---- creation --------------------------------------------------------------------------------------------------- */

void fd_informant_spec_default(fd_informant_spec *spec) {
    *spec = (fd_informant_spec){.prediction = FD_PREDICT_V,
                                .oriented = true,
                                .guess = true,
                                .label_steps = 2,
                                .smooth = true,
                                .waves = 16,
                                .regularisation = 1e-4,
                                .clip = 6,
                                .margin = 0.01,
                                .fade = 0.3,
                                .trust = 4,
                                .trust_floor = 0.02};
}

int fd_informant_features(const fd_informant_spec *spec, int n_params, int n_labels) {
    return n_params + (spec->label_steps ? n_params + n_labels : 0) + spec->waves;
}

fd_status fd_informant_spec_check(const fd_informant_spec *s, fd_error *err) {
    if ((unsigned)s->prediction > FD_PREDICT_V) return fd_fail(err, FD_ERR_CONFIG, "informant: unknown prediction");
    if (s->label_steps < 0 || s->label_steps > 2)
        return fd_fail(err, FD_ERR_CONFIG, "informant: %d label steps, must be 0 to 2", s->label_steps);
    double sum = s->regularisation + s->clip + s->fade + s->trust + s->trust_floor;
    if (!(s->regularisation > 0 && s->clip > 0 && s->fade > 0 && s->trust > 0 && s->trust_floor >= 0) || !isfinite(sum))
        return fd_fail(err, FD_ERR_CONFIG, "informant: regularisation %g, clip %g, fade %g, trust %g must be finite and "
                       "positive, and trust_floor %g not negative", s->regularisation, s->clip, s->fade, s->trust,
                       s->trust_floor);
    if (s->waves < 0 || s->waves > 64) return fd_fail(err, FD_ERR_CONFIG, "informant: %d waves, must be 0 to 64", s->waves);
    if (!(s->margin >= 0 && s->margin < 1))
        return fd_fail(err, FD_ERR_CONFIG, "informant: margin is %g, must be in [0, 1)", s->margin);
    return FD_OK;
}

static void destroy(fd_informant *self) {
    model_informant *m = (model_informant *)self;
    free(m->base.c);
    free(m->series);
    free(m->waves);
    free(m);
}

void fd_informant_free(fd_informant *informant) {
    if (informant) informant->destroy(informant);
}

/* The prior's box in normalised coordinates. */
static void fill_box(model_informant *m) {
    for (int j = 0; j < m->base.dim; j++) {
        const fd_param *p = &m->model->params[j];
        m->half[j] = 0.5 * (p->hi - p->lo) / m->params.scale[j];
        m->centre[j] = (0.5 * (p->lo + p->hi) - m->params.shift[j]) / m->params.scale[j];
        m->lo[j] = m->centre[j] - m->half[j];
        m->hi[j] = m->centre[j] + m->half[j];
        m->inner[j] = m->lo[j] + m->spec.margin * m->half[j];
        m->outer[j] = m->hi[j] - m->spec.margin * m->half[j];
        while (m->kind[j] < m->n_kinds && m->kind_half[m->kind[j]] != m->half[j]) m->kind[j]++;
        if (m->kind[j] == m->n_kinds) m->kind_half[m->n_kinds++] = m->half[j];
    }
}

/* One block holds c, signal and s; the series are another. */
static bool fill_tables(model_informant *m, const fd_schedule *schedule) {
    size_t n = (size_t)m->steps + 1;
    double *table = calloc(3 * n, sizeof *table);
    m->base.c = table;
    m->series = calloc((size_t)m->n_kinds * n, sizeof *m->series);
    m->waves = calloc((size_t)m->spec.waves * n + 1, sizeof *m->waves);
    if (!table || !m->series || !m->waves) return false;
    m->signal = table + n;
    m->s = table + 2 * n;
    double range = log(fd_schedule_s(schedule, m->steps) / fd_schedule_s(schedule, 1));
    for (int t = 1; t <= m->steps; t++) {
        m->signal[t] = sqrt(schedule->alpha_bar[t]);
        m->s[t] = fd_schedule_s(schedule, t);
        m->base.c[t] = m->spec.prediction == FD_PREDICT_NOISE ? m->s[t]
                       : m->spec.prediction == FD_PREDICT_X0  ? 1
                                                              : sqrt(schedule->noise[t]);
        double place = range > 0 ? log(m->s[t] / fd_schedule_s(schedule, 1)) / range : 0;
        for (int k = 0; k < m->spec.waves; k++)
            m->waves[t * m->spec.waves + k] = (float)cos(FD_PI * (k + 1) * place);
        for (int k = 0; k < m->n_kinds; k++)
            if (m->kind_half[k] < m->s[t])
                fd_box_series_at(m->kind_half[k], m->s[t], &m->series[(size_t)k * n + (size_t)t]);
    }
    return true;
}

fd_status fd_model_informant(const fd_model *model, const fd_scaler *params, const fd_scaler *labels,
                             const fd_schedule *schedule, const fd_informant_spec *spec, fd_informant **informant,
                             fd_error *err) {
    *informant = NULL;
    fd_status status = fd_informant_spec_check(spec, err);
    if (status) return status;
    if (params->n != model->n_params || labels->n != model->n_labels)
        return fd_fail(err, FD_ERR_MISMATCH, "informant: scaling of %d parameters and %d labels, the model has %d and %d",
                       params->n, labels->n, model->n_params, model->n_labels);
    model_informant *m = calloc(1, sizeof *m);
    if (!m) return fd_fail(err, FD_ERR_MEMORY, "no memory for an informant");
    *m = (model_informant){.base = {.dim = model->n_params,
                                    .n_labels = model->n_labels,
                                    .n_features = fd_informant_features(spec, model->n_params, model->n_labels),
                                    .max_rows = MAX_ROWS,
                                    .scratch_bytes = (sizeof(lanes) + 63) / 64 * 64,
                                    .inform = inform,
                                    .orient = spec->oriented && model->orient ? orient : NULL,
                                    .destroy = destroy},
                           .model = model,
                           .spec = *spec,
                           .params = *params,
                           .labels = *labels,
                           .n_surface = spec->smooth ? fd_approach_dim(model) : model->n_labels,
                           .steps = schedule->spec.steps};
    fill_box(m);
    if (!fill_tables(m, schedule)) {
        destroy(&m->base);
        return fd_fail(err, FD_ERR_MEMORY, "no memory for an informant");
    }
    *informant = &m->base;
    return FD_OK;
}
