/* Classifier-free guidance, eq. B.5 (Ho and Salimans 2022):
 *
 *   eps_hat(x, c) = (1 - gamma) eps(x, null) + gamma eps(x, c).
 *
 * Outside an interval of noise levels gamma may be 1: guidance is harmful where noise is high and hardly needed where it is
 * low (Kynkaanniemi et al. 2024, for images).
 *
 * A denoiser around a denoiser. Its scratch: one header, the inner scratch of the conditional evaluation, that of the
 * unconditional one (each is prepared once and keeps its label), and the second prediction. */
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "flavordiff/sampler.h"

typedef struct guided {
    fd_denoiser base;
    const fd_denoiser *inner;
    float gamma;
    int t_first, t_last; /* gamma applies at these times, 1 elsewhere */
} guided;

typedef struct header {
    int has_label;
} header;

static size_t aligned(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static void *conditional(void *scratch) { return (char *)scratch + aligned(sizeof(header)); }
static void *unconditional(const guided *g, void *scratch) {
    return (char *)conditional(scratch) + aligned(g->inner->scratch_bytes);
}
static float *second_prediction(const guided *g, void *scratch) {
    return (float *)((char *)unconditional(g, scratch) + aligned(g->inner->scratch_bytes));
}

static void prepare(const fd_denoiser *self, int rows, const float *labels, int shared, void *scratch) {
    const guided *g = (const guided *)self;
    header *tile = scratch;
    bool everywhere = g->t_first <= 1 && g->t_last == INT_MAX;
    tile->has_label = labels != NULL;
    if (labels && (g->gamma != 0 || !everywhere))
        g->inner->prepare(g->inner, rows, labels, shared, conditional(scratch));
    if (!labels || g->gamma != 1) g->inner->prepare(g->inner, rows, NULL, 0, unconditional(g, scratch));
}

static float gamma_at(const guided *g, int t) { return t >= g->t_first && t <= g->t_last ? g->gamma : 1; }

static void predict(const fd_denoiser *self, int rows, const float *x, int t, float *eps, void *scratch) {
    const guided *g = (const guided *)self;
    const header *tile = scratch;
    float gamma = gamma_at(g, t), rest = 1 - gamma;
    /* Without a label both terms are eps(x, null) and the weights add up to one. */
    if (!tile->has_label || gamma == 0) {
        g->inner->predict(g->inner, rows, x, t, eps, unconditional(g, scratch));
        return;
    }
    g->inner->predict(g->inner, rows, x, t, eps, conditional(scratch));
    if (gamma == 1) return;
    float *null = second_prediction(g, scratch);
    g->inner->predict(g->inner, rows, x, t, null, unconditional(g, scratch));
    size_t n = (size_t)rows * (size_t)self->dim;
    for (size_t j = 0; j < n; j++) eps[j] = rest * null[j] + gamma * eps[j];
}

static void destroy(fd_denoiser *self) { free(self); }

fd_status fd_guided_denoiser(const fd_denoiser *inner, double gamma, fd_denoiser **denoiser, fd_error *err) {
    *denoiser = NULL;
    if (!isfinite(gamma) || !isfinite((float)gamma))
        return fd_fail(err, FD_ERR_CONFIG, "guidance %g: must be a finite number", gamma);
    guided *g = calloc(1, sizeof *g);
    if (!g) return fd_fail(err, FD_ERR_MEMORY, "no memory for a guided denoiser");
    size_t prediction = (size_t)inner->max_rows * (size_t)inner->dim * sizeof(float);
    g->base = (fd_denoiser){.dim = inner->dim,
                            .n_labels = inner->n_labels,
                            .max_rows = inner->max_rows,
                            .scratch_bytes = aligned(sizeof(header)) + 2 * aligned(inner->scratch_bytes) +
                                             aligned(prediction),
                            .prepare = prepare,
                            .predict = predict,
                            .destroy = destroy};
    g->inner = inner;
    g->gamma = (float)gamma;
    g->t_first = 1;
    g->t_last = INT_MAX;
    *denoiser = &g->base;
    return FD_OK;
}

fd_status fd_guidance_between(fd_denoiser *denoiser, const fd_schedule *schedule, double s_min, double s_max,
                              fd_error *err) {
    guided *g = (guided *)denoiser;
    if (!(s_min >= 0 && s_min <= s_max))
        return fd_fail(err, FD_ERR_CONFIG, "guidance from s = %g to %g: 0 <= guidance_s_min <= guidance_s_max is needed",
                       s_min, s_max);
    int T = schedule->spec.steps;
    g->t_first = 1;
    while (g->t_first <= T && fd_schedule_s(schedule, g->t_first) < s_min) g->t_first++;
    g->t_last = INT_MAX;
    if (fd_schedule_s(schedule, T) <= s_max) return FD_OK;
    g->t_last = T;
    while (g->t_last > 0 && fd_schedule_s(schedule, g->t_last) > s_max) g->t_last--;
    return FD_OK;
}

long fd_guided_evaluations(const fd_denoiser *denoiser, const fd_sampler *sampler) {
    const guided *g = (const guided *)denoiser;
    long n = 0;
    for (int i = 0; i < sampler->n_steps; i++) {
        const fd_sampler_step *step = &sampler->table[i];
        float gamma = gamma_at(g, step->t), next = gamma_at(g, step->t_next);
        n += gamma == 0 || gamma == 1 ? 1 : 2;
        if (sampler->spec.kind == FD_SAMPLER_HEUN && step->t_next > 0) n += next == 0 || next == 1 ? 1 : 2;
    }
    return n;
}
