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

enum { W = FD_LANES, MAX_ROWS = 64 };

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

/* W rows at work; the last index is the lane. */
typedef struct lanes {
    double z[FD_MAX_PARAMS][W], mu[FD_MAX_PARAMS][W], y[FD_MAX_PARAMS][W], dx[FD_MAX_PARAMS][W], offset[FD_MAX_PARAMS][W];
    double theta[FD_MAX_PARAMS][W], wanted[FD_MAX_LABELS][W], residual[FD_MAX_LABELS][W], rho[FD_MAX_LABELS][W];
    double jacobian[FD_MAX_LABELS * FD_MAX_PARAMS * W], diagonal[FD_MAX_LABELS][W];
    double s[W], up[FD_BOX_TERMS][W], down[FD_BOX_TERMS][W];
    bool given[W];
    float features[2 * FD_MAX_PARAMS + FD_MAX_LABELS][W], guess[FD_MAX_PARAMS][W];
} lanes;

/* ---- the prior alone -------------------------------------------------------------------------------------------- */

/* mu of components first .. end - 1, all of one half width h. */
static void prior_mean(const model_informant *m, const int *t, int first, int end, lanes *l) {
    double h = m->half[first];
    for (int w = 0; w < W; w++) {
        const fd_box_series *series = &m->series[m->kind[first] * (m->steps + 1) + t[w]];
        for (int n = 0; n < FD_BOX_TERMS && h < l->s[w]; n++) l->up[n][w] = series->up[n], l->down[n][w] = series->down[n];
    }
    for (int j = first; j < end; j++)
        for (int w = 0; w < W; w++) l->mu[j][w] = l->z[j][w] - m->centre[j];
    fd_box_mean_solve(&(fd_box_mean){end - first, h, l->s, l->up[0], l->down[0], l->mu[first], l->mu[first]});
    for (int j = first; j < end; j++)
        for (int w = 0; w < W; w++) l->mu[j][w] += m->centre[j];
}

/* ---- label steps ------------------------------------------------------------------------------------------------ */

/* dx from mu onto the constraint linearised at y, and rho; a lane whose labels are no numbers there is not given any more. */
static void label_step(const model_informant *m, lanes *l) {
    int dim = m->base.dim, n = m->n_surface;
    double sum[W] = {0}, factor[W];
    for (int j = 0; j < dim; j++)
        for (int w = 0; w < W; w++) {
            l->theta[j][w] = m->params.shift[j] + m->params.scale[j] * l->y[j][w];
            l->offset[j][w] = l->mu[j][w] - l->y[j][w];
        }
    fd_approach_lanes(m->model, !m->spec.smooth, m->params.scale, l->theta[0], l->wanted[0], l->residual[0], l->jacobian);
    fd_least_norm_solve(&(fd_least_norm){.n_labels = n,
                                         .dim = dim,
                                         .jacobian = l->jacobian,
                                         .residual = l->residual[0],
                                         .relative = m->spec.regularisation,
                                         .offset = l->offset[0],
                                         .diagonal = l->diagonal[0]},
                        l->dx[0]);
    for (int k = 0; k < n; k++)
        for (int w = 0; w < W; w++) {
            sum[w] += l->residual[k][w] + l->diagonal[k][w];
            l->rho[k][w] = l->residual[k][w] / (l->s[w] * sqrt(l->diagonal[k][w]) + 0.003);
        }
    for (int w = 0; w < W; w++) l->given[w] = l->given[w] && isfinite(sum[w]), factor[w] = 0;
    for (int j = 0; j < dim; j++)
        for (int w = 0; w < W; w++) factor[w] += l->dx[j][w] * l->dx[j][w];
    for (int w = 0; w < W; w++) {
        double most = m->spec.trust * l->s[w] + m->spec.trust_floor, length = sqrt(factor[w]);
        factor[w] = length > most ? most / length : 1;
        if (l->given[w] && isfinite(length)) continue;
        factor[w] = 0;
        for (int j = 0; j < dim; j++) l->dx[j][w] = 0;
    }
    for (int j = 0; j < dim; j++)
        for (int w = 0; w < W; w++) l->dx[j][w] *= factor[w];
}

static double clamp(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }

/* The point the model is asked about: inside the box, or anywhere for a periodic parameter. */
static double evaluable(const model_informant *m, int j, double x) {
    return m->model->params[j].periodic ? x : clamp(x, m->inner[j], m->outer[j]);
}

static void label_steps(const model_informant *m, lanes *l) {
    int dim = m->base.dim;
    for (int j = 0; j < dim; j++)
        for (int w = 0; w < W; w++) l->y[j][w] = evaluable(m, j, l->z[j][w]);
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
    int dim = m->base.dim, nl = m->base.n_labels, time[W];
    for (int w = 0; w < W; w++) {
        int i = w < rows ? w : rows - 1;
        double inverse = 1 / m->signal[t[i]];
        time[w] = t[i];
        l->s[w] = m->s[t[i]];
        l->given[w] = given[i] != 0;
        for (int j = 0; j < dim; j++) l->z[j][w] = (double)x[i * dim + j] * inverse;
        for (int k = 0; k < nl; k++) l->wanted[k][w] = m->labels.shift[k] + m->labels.scale[k] * (double)labels[i * nl + k];
    }
    for (int first = 0, end; first < dim; first = end) {
        for (end = first + 1; end < dim && m->kind[end] == m->kind[first];) end++;
        prior_mean(m, time, first, end, l);
    }
}

/* The first guess of x0 of component j; plain: without one, that of the prediction. */
static void fill_guess(const model_informant *m, int j, const double *gate, const double *plain, lanes *l) {
    bool wall = !m->model->params[j].periodic;
    for (int w = 0; w < W; w++) {
        double x0 = l->mu[j][w] + gate[w] * l->dx[j][w], inside = clamp(x0, m->lo[j], m->hi[j]);
        l->guess[j][w] = (float)(!m->spec.guess ? plain[w] * l->z[j][w] : wall ? inside : x0);
    }
}

/* Features but for the waves, and the guess. */
static void fill_features(const model_informant *m, const int *t, int rows, lanes *l) {
    int dim = m->base.dim, nl = m->base.n_labels;
    double most = m->spec.clip, inverse[W], gate[W], plain[W];
    for (int w = 0; w < W; w++) {
        double ratio = l->s[w] / m->spec.fade, signal = m->signal[t[w < rows ? w : rows - 1]];
        inverse[w] = 1 / l->s[w];
        gate[w] = l->given[w] ? 1 / (1 + ratio * ratio) : 0;
        plain[w] = m->spec.prediction == FD_PREDICT_NOISE ? 1 : m->spec.prediction == FD_PREDICT_X0 ? 0 : signal * signal;
    }
    for (int j = 0; j < dim; j++) {
        for (int w = 0; w < W; w++) l->features[j][w] = (float)clamp((l->z[j][w] - l->mu[j][w]) * inverse[w], -most, most);
        for (int w = 0; w < W; w++) l->features[dim + j][w] = (float)clamp(l->dx[j][w] * inverse[w], -most, most);
        fill_guess(m, j, gate, plain, l);
    }
    for (int k = 0; k < nl; k++)
        for (int w = 0; w < W; w++)
            l->features[2 * dim + k][w] = k < m->n_surface && l->given[w] ? (float)clamp(l->rho[k][w], -most, most) : 0;
}

/* Lane w as a row. */
static void store(const model_informant *m, int w, const lanes *l, int t, float *features, float *guess) {
    int dim = m->base.dim, n = m->spec.label_steps ? 2 * dim + m->base.n_labels : dim;
    for (int i = 0; i < n; i++) features[i] = l->features[i][w];
    memcpy(features + n, m->waves + t * m->spec.waves, (size_t)m->spec.waves * sizeof *features);
    for (int j = 0; j < dim; j++) guess[j] = l->guess[j][w];
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
        memset(l->dx, 0, (size_t)self->dim * sizeof *l->dx);
        if (any) label_steps(m, l);
        fill_features(m, t + first, count, l);
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
