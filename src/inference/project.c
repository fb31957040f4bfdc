#define _GNU_SOURCE
#include "flavordiff/project.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "inference/least_norm.h"
#include "inference/surface.h"

/* On entry and in the first REFLECTIONS steps a component that left is reflected by its wall: points that leaked out of a
 * smooth density come back as one, where clamping would heap them on the wall. Later steps clamp and freeze, which
 * converges where the surface only touches the inside near a wall. Every RELEASE steps all components may move again. */
enum { W = FD_LANES, TILE = 64, REFLECTIONS = 2, RELEASE = 3, LOGARITHMIC = 4 };

struct fd_projector {
    const fd_model *model;
    fd_project_spec spec;
    fd_scaler scaler;
    double lo[FD_MAX_PARAMS], hi[FD_MAX_PARAMS]; /* walls in normalised coordinates; infinite where periodic */
    double gap[FD_MAX_ORDERED];                  /* of an ordered pair, in the parameters' own unit */
    int n_surface;      /* coordinates of the labels */
    bool contradiction; /* labels may contradict each other: they themselves are the coordinates, and there is one Lambda for
                         * all, so that every point makes the same compromise */
};

/* Lambda over the diagonal of J J^T, and over its trace (least_norm.h). */
static const double of_diagonal = 1e-10, of_trace = 1e-13;

/* W points on their way. */
typedef struct block {
    double x[FD_MAX_PARAMS][W], movable[FD_MAX_PARAMS][W], step[FD_MAX_PARAMS][W];
    double theta[FD_MAX_PARAMS][W], wanted[FD_MAX_LABELS][W], residual[FD_MAX_LABELS][W];
    double jacobian[FD_MAX_LABELS * FD_MAX_PARAMS * W];
    double size[W], entered[W]; /* max |residual| now and at the start; infinite where a label is not a number */
    bool moving[W], reached[W];
} block;

void fd_project_spec_default(fd_project_spec *spec) {
    spec->steps = 0;
    spec->trust = 0.5;
    spec->tolerance = 1e-6;
}

/* A few units of the last place of what theta is rounded to: x in float32, then theta in float32. */
static double inset(const fd_model *model, const fd_scaler *scaler, int i) {
    const fd_param *p = &model->params[i];
    return 4 * FLT_EPSILON * fmax(fmax(fabs(p->lo), fabs(p->hi)), fabs(scaler->shift[i]));
}

fd_status fd_projector_create(const fd_model *model, const fd_scaler *params, const fd_project_spec *spec,
                              fd_projector **projector, fd_error *err) {
    *projector = NULL;
    if (spec->steps < 1 || !(spec->trust > 0) || !(spec->tolerance > 0))
        return fd_fail(err, FD_ERR_CONFIG, "project: %d steps, trust %g, tolerance %g; all must be positive", spec->steps,
                       spec->trust, spec->tolerance);
    if (params->n != model->n_params)
        return fd_fail(err, FD_ERR_MISMATCH, "project: scaling of %d parameters, the model has %d", params->n,
                       model->n_params);
    fd_projector *p = calloc(1, sizeof *p);
    if (!p) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    p->model = model;
    p->n_surface = fd_approach_dim(model);
    p->spec = *spec;
    p->scaler = *params;
    for (int i = 0; i < model->n_params; i++) {
        const fd_param *q = &model->params[i];
        double margin = inset(model, params, i);
        p->lo[i] = q->periodic ? -INFINITY : (q->lo + margin - params->shift[i]) / params->scale[i];
        p->hi[i] = q->periodic ? INFINITY : (q->hi - margin - params->shift[i]) / params->scale[i];
    }
    for (int k = 0; k < model->n_ordered; k++)
        p->gap[k] = fmax(inset(model, params, model->ordered[k][0]), inset(model, params, model->ordered[k][1]));
    *projector = p;
    return FD_OK;
}

void fd_projector_free(fd_projector *projector) { free(projector); }

/* x brought into [lo, hi]: reflected where that suffices, else put on the wall. What is not finite stays so. */
static double inside(double x, double lo, double hi, bool reflect) {
    double wall = x < lo ? lo : hi, mirrored = 2 * wall - x;
    if (!(x < lo || x > hi) || !isfinite(x)) return x;
    return reflect && mirrored >= lo && mirrored <= hi ? mirrored : wall;
}

/* Puts lane w inside the box. Clamped components are frozen. */
static void keep_box(const fd_projector *p, block *b, int w, bool reflect) {
    for (int i = 0; i < p->model->n_params; i++) {
        double x = inside(b->x[i][w], p->lo[i], p->hi[i], reflect);
        if (x == b->x[i][w] || isnan(x)) continue;
        b->x[i][w] = x;
        if (!reflect) b->movable[i][w] = 0;
    }
}

/* Puts the ordered pairs of lane w in order, by the shortest way to equality; reflected, twice as far. */
static void keep_order(const fd_projector *p, block *b, int w, bool reflect) {
    const double *shift = p->scaler.shift, *scale = p->scaler.scale;
    for (int k = 0; k < p->model->n_ordered; k++) {
        int i = p->model->ordered[k][0], j = p->model->ordered[k][1];
        double low = b->x[i][w], high = b->x[j][w];
        double excess = shift[i] + scale[i] * low - (shift[j] + scale[j] * high) + p->gap[k];
        if (!(excess > 0)) continue;
        double unit = excess / (scale[i] * scale[i] + scale[j] * scale[j]);
        if (reflect && low - 2 * unit * scale[i] >= p->lo[i] && high + 2 * unit * scale[j] <= p->hi[j]) unit *= 2;
        b->x[i][w] = low - unit * scale[i];
        b->x[j][w] = high + unit * scale[j];
        if (!reflect) b->movable[i][w] = b->movable[j][w] = 0;
    }
}

/* What is missing to the labels, and derivatives, at x; a lane that is near enough, or not a number, stops. */
static void evaluate(const fd_projector *p, block *b) {
    int dim = p->model->n_params, n = p->n_surface;
    for (int i = 0; i < dim; i++)
        for (int w = 0; w < W; w++) b->theta[i][w] = p->scaler.shift[i] + p->scaler.scale[i] * b->x[i][w];
    fd_approach_lanes(p->model, p->contradiction, p->scaler.scale, b->theta[0], b->wanted[0], b->residual[0], b->jacobian);
    memset(b->size, 0, sizeof b->size);
    for (int k = 0; k < n; k++)
        for (int w = 0; w < W; w++) {
            double r = fabs(b->residual[k][w]);
            b->size[w] = r <= b->size[w] ? b->size[w] : isnan(r) ? INFINITY : r;
        }
    for (int w = 0; w < W; w++) {
        if (b->moving[w] && b->size[w] <= p->spec.tolerance) b->reached[w] = true;
        if (b->reached[w] || !(b->size[w] < INFINITY)) b->moving[w] = false;
    }
}

/* Whether what the step can still gain, |J dx|, is within the tolerance. With labels that contradict each other, as moduli
 * that belong to no unitary matrix, the residual itself never vanishes. */
static bool nothing_to_gain(const fd_projector *p, const block *b, int w) {
    int dim = p->model->n_params;
    for (int k = 0; k < p->n_surface; k++) {
        double gain = 0;
        for (int i = 0; i < dim; i++) gain += b->jacobian[(k * dim + i) * W + w] * b->step[i][w];
        if (!(fabs(gain) <= p->spec.tolerance)) return false;
    }
    return true;
}

static bool by_labels(const fd_projector *p) { return p->contradiction || !p->model->approach_reaches_further; }

/* For a label log10 |y| that is r < 0 away, the linear step of y instead of its logarithm's: (10^r - 1) / ln 10. One of the
 * logarithm by more than 1 / ln 10 carries y through zero; where y is a small difference of masses it does so again and
 * again. The first steps stay logarithmic, which is quick where y spans decades. */
static void soften_falls(const fd_projector *p, block *b) {
    const double ln10 = 2.302585092994045684018;
    for (int k = 0; by_labels(p) && k < p->n_surface; k++)
        for (int w = 0; w < W && p->model->labels[k].log10; w++)
            if (b->residual[k][w] < 0) b->residual[k][w] = expm1(b->residual[k][w] * ln10) / ln10;
}

/* Step s of the lanes that still move. */
static void advance(const fd_projector *p, block *b, int s) {
    int dim = p->model->n_params;
    bool reflect = s < REFLECTIONS, release = s % RELEASE == 0;
    for (int i = 0; release && i < dim; i++)
        for (int w = 0; w < W; w++) b->movable[i][w] = 1;
    if (s >= LOGARITHMIC) soften_falls(p, b);
    double lambda[W] = {0};
    for (int i = 0; p->contradiction && i < p->n_surface * dim; i++)
        for (int w = 0; w < W; w++) lambda[w] += of_trace * b->jacobian[i * W + w] * b->jacobian[i * W + w];
    const fd_least_norm q = {.n_labels = p->n_surface, .dim = dim, .jacobian = b->jacobian, .residual = b->residual[0],
                             .movable = b->movable[0], .relative = p->contradiction ? 0 : of_diagonal,
                             .absolute = p->contradiction ? lambda : NULL};
    fd_least_norm_solve(&q, b->step[0]);
    for (int w = 0; w < W; w++) {
        double square = 0;
        if (b->moving[w] && by_labels(p) && release && nothing_to_gain(p, b, w))
            b->moving[w] = false, b->reached[w] = true;
        if (!b->moving[w]) continue;
        for (int i = 0; i < dim; i++) square += b->step[i][w] * b->step[i][w];
        double factor = square > p->spec.trust * p->spec.trust ? p->spec.trust / sqrt(square) : 1;
        for (int i = 0; i < dim; i++) b->x[i][w] += factor * b->step[i][w];
        keep_box(p, b, w, reflect);
        keep_order(p, b, w, reflect);
    }
}

size_t fd_projector_scratch_bytes(const fd_projector *p) {
    (void)p;
    return (sizeof(block) + 63) / 64 * 64;
}

/* Lanes without a row repeat the last one and do not move. */
static void load(const fd_projector *p, block *b, int count, const float *x, const double *labels) {
    int dim = p->model->n_params, n_labels = p->model->n_labels;
    for (int w = 0; w < W; w++) {
        int row = w < count ? w : count - 1;
        b->moving[w] = w < count;
        b->reached[w] = false;
        for (int i = 0; i < dim; i++) b->x[i][w] = (double)x[row * dim + i];
        for (int k = 0; k < n_labels; k++) b->wanted[k][w] = labels[row * n_labels + k];
        keep_box(p, b, w, true);
        keep_order(p, b, w, true);
    }
}

static void store(const fd_projector *p, const block *b, int w, float *x) {
    const double *shift = p->scaler.shift, *scale = p->scaler.scale;
    for (int i = 0; i < p->model->n_params; i++) {
        const fd_param *q = &p->model->params[i];
        double y = b->x[i][w], period = (q->hi - q->lo) / scale[i];
        if (q->periodic) y -= period * floor((y - (q->lo - shift[i]) / scale[i]) / period);
        x[i] = (float)y;
    }
}

static bool any_moving(const block *b) {
    bool moving = false;
    for (int w = 0; w < W; w++) moving = moving || b->moving[w];
    return moving;
}

/* At most W rows. */
static void project_block(const fd_projector *p, int count, float *x, const double *labels, uint8_t *converged, block *b) {
    int dim = p->model->n_params;
    load(p, b, count, x, labels);
    evaluate(p, b);
    memcpy(b->entered, b->size, sizeof b->entered);
    for (int s = 0; s < p->spec.steps && any_moving(b); s++) {
        advance(p, b, s);
        evaluate(p, b);
    }
    for (int w = 0; w < count; w++) {
        converged[w] = b->reached[w];
        if (b->reached[w] || b->size[w] < b->entered[w]) store(p, b, w, x + w * dim);
    }
}

void fd_project_tile(const fd_projector *p, size_t n, float *x, const double *labels, uint8_t *converged, void *scratch) {
    size_t dim = (size_t)p->model->n_params, n_labels = (size_t)p->model->n_labels;
    for (size_t first = 0; first < n; first += W)
        project_block(p, n - first < W ? (int)(n - first) : W, x + first * dim, labels + first * n_labels,
                      converged + first, scratch);
}

fd_status fd_projector_nearest_label(const fd_projector *p, double *label, fd_error *err) {
    enum { TRIES = 64, STEPS = 300 };
    const fd_model *model = p->model;
    int dim = model->n_params, n_labels = model->n_labels;
    float x[TRIES * FD_MAX_PARAMS];
    double targets[TRIES * FD_MAX_LABELS], theta[FD_MAX_PARAMS], labels[FD_MAX_LABELS];
    uint8_t converged[TRIES];
    fd_projector patient = *p;
    patient.spec.steps = STEPS;
    patient.contradiction = true;
    patient.n_surface = n_labels;
    for (int i = 0; i < TRIES; i++) {
        fd_rng rng;
        fd_rng_start(&rng, fd_derive_seed(0, "nearest label"), FD_STREAM_PRIOR, (uint64_t)i, 0);
        model->draw_prior(model, &rng, theta);
        for (int j = 0; j < dim; j++) x[i * dim + j] = (float)((theta[j] - p->scaler.shift[j]) / p->scaler.scale[j]);
        memcpy(targets + i * n_labels, label, (size_t)n_labels * sizeof *label);
    }
    fd_status status = fd_project(&patient, TRIES, x, targets, converged, err);
    double best = INFINITY;
    for (int i = 0; !status && i < TRIES; i++) {
        double distance = 0;
        if (!converged[i]) continue;
        for (int j = 0; j < dim; j++) theta[j] = p->scaler.shift[j] + p->scaler.scale[j] * (double)x[i * dim + j];
        model->forward(model, 1, theta, labels, NULL);
        for (int k = 0; k < n_labels; k++) distance += pow(labels[k] - targets[k], 2);
        if (!(distance < best)) continue;
        best = distance;
        memcpy(label, labels, (size_t)n_labels * sizeof *label);
    }
    if (!status && isinf(best))
        status = fd_fail(err, FD_ERR_VALUE, "project: none of %d prior draws reaches this label, or one near it", TRIES);
    return status;
}

fd_status fd_project(const fd_projector *p, size_t n, float *x, const double *labels, uint8_t *converged, fd_error *err) {
    size_t dim = (size_t)p->model->n_params, n_labels = (size_t)p->model->n_labels;
    size_t bytes = (fd_projector_scratch_bytes(p) + 63) / 64 * 64;
    long tiles = (long)((n + TILE - 1) / TILE);
    int failed = 0;
#pragma omp parallel reduction(| : failed)
    {
        void *scratch = aligned_alloc(64, bytes);
        failed = scratch == NULL;
#pragma omp for schedule(dynamic, 1)
        for (long k = 0; k < tiles; k++) {
            size_t start = (size_t)k * TILE, rows = n - start < TILE ? n - start : TILE;
            if (scratch)
                fd_project_tile(p, rows, x + start * dim, labels + start * n_labels, converged + start, scratch);
        }
        free(scratch);
    }
    return failed ? fd_fail(err, FD_ERR_MEMORY, "out of memory for %zu bytes of scratch", bytes) : FD_OK;
}
