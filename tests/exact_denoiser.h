/* The exact denoiser of a Gaussian mixture in the place of a network, and what the tests of schedules, samplers and guidance
 * share: x_0 ~ sum_k w_k N(mu_k, S_k)  =>  x_t ~ sum_k w_k N(sqrt(abar) mu_k, abar S_k + (1 - abar) 1), and the best
 * prediction of the noise is -sqrt(1 - abar) times the gradient of the log density of x_t. */
#ifndef FD_TESTS_EXACT_DENOISER_H
#define FD_TESTS_EXACT_DENOISER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>

#include "flavordiff/rng.h"
#include "flavordiff/sampler.h"
#include "kernels/kernels.h"

enum { DIM = 2, MODES = 3, ROWS = 64 };

/* ---- the exact denoiser ------------------------------------------------------------------------------------------- */

typedef struct mode {
    double weight, mean[DIM], cov[3]; /* xx, xy, yy */
} mode;

static const mode modes[MODES] = {
    {0.5, {-1.0, 0.6}, {0.10, 0.04, 0.08}},
    {0.3, {1.2, 0.5}, {0.06, -0.02, 0.12}},
    {0.2, {0.3, -1.3}, {0.15, 0.0, 0.05}},
};

typedef struct mixture {
    fd_denoiser base;
    const fd_schedule *schedule;
    int labelled, unlabelled; /* how often prepare() was called with and without labels */
    long calls;               /* of predict() */
} mixture;

typedef struct tile {
    int has_label, shared;
    float label[ROWS]; /* 1 + mode: that mode alone */
} tile;

static inline void mixture_prepare(const fd_denoiser *self, int rows, const float *labels, int shared, void *scratch) {
    mixture *m = (mixture *)(uintptr_t)self; /* the test counts */
    tile *t = scratch;
    t->has_label = labels != NULL;
    t->shared = shared;
    if (labels) memcpy(t->label, labels, sizeof(float) * (size_t)(shared ? 1 : rows));
    *(labels ? &m->labelled : &m->unlabelled) += 1;
}

static inline void exact_eps(double abar, int only, const float *x, float *eps) {
    double score[DIM] = {0}, total = 0, top = -INFINITY, logs[MODES], pull[MODES][DIM];
    for (int k = 0; k < MODES; k++) {
        const mode *m = &modes[k];
        double a = abar * m->cov[0] + 1 - abar, b = abar * m->cov[1], c = abar * m->cov[2] + 1 - abar;
        double det = a * c - b * b, dx = x[0] - sqrt(abar) * m->mean[0], dy = x[1] - sqrt(abar) * m->mean[1];
        pull[k][0] = -(c * dx - b * dy) / det;
        pull[k][1] = -(a * dy - b * dx) / det;
        logs[k] = log(m->weight) - 0.5 * log(det) + 0.5 * (dx * pull[k][0] + dy * pull[k][1]);
        if (only >= 0 && k != only) logs[k] = -INFINITY;
        top = fmax(top, logs[k]);
    }
    for (int k = 0; k < MODES; k++) {
        double p = exp(logs[k] - top);
        total += p;
        for (int j = 0; j < DIM; j++) score[j] += p * pull[k][j];
    }
    for (int j = 0; j < DIM; j++) eps[j] = (float)(-sqrt(1 - abar) * score[j] / total);
}

static inline void mixture_predict(const fd_denoiser *self, int rows, const float *x, int t, float *eps, void *scratch) {
    mixture *m = (mixture *)(uintptr_t)self; /* the test counts */
    const tile *tl = scratch;
    m->calls++;
    for (int i = 0; i < rows; i++) {
        int only = tl->has_label ? (int)tl->label[tl->shared ? 0 : i] - 1 : -1;
        exact_eps(m->schedule->alpha_bar[t], only, x + i * DIM, eps + i * DIM);
    }
}

static inline void mixture_destroy(fd_denoiser *self) { (void)self; }

static inline mixture make_mixture(const fd_schedule *schedule) {
    return (mixture){.base = {.dim = DIM, .n_labels = 1, .max_rows = ROWS, .scratch_bytes = sizeof(tile),
                              .prepare = mixture_prepare, .predict = mixture_predict, .destroy = mixture_destroy},
                     .schedule = schedule};
}

static inline fd_schedule *make_schedule(fd_schedule_kind kind, int steps, double factor) {
    fd_schedule_spec spec;
    fd_schedule *schedule = NULL;
    fd_schedule_spec_paper(&spec);
    spec.kind = kind;
    spec.steps = steps;
    spec.beta_min *= factor;
    spec.beta_max *= factor;
    assert_int_equal(fd_schedule_create(&spec, &schedule, NULL), FD_OK);
    return schedule;
}

static inline fd_sampler *sampler_of(const fd_schedule *schedule, fd_sampler_spec spec) {
    fd_sampler *sampler = NULL;
    fd_error err;
    if (fd_sampler_create(&spec, schedule, &sampler, &err)) fail_msg("%s", err.message);
    return sampler;
}

static inline fd_sampler *make_sampler(const fd_schedule *schedule, fd_sampler_kind kind, int steps, double eta,
                                       fd_variance variance) {
    return sampler_of(schedule, (fd_sampler_spec){.kind = kind, .steps = steps, .eta = eta, .variance = variance});
}

static const char *const sampler_names[] = {"ddpm", "ddim", "dpmpp_2m", "dpmpp_2m_sde", "heun"};
enum { KINDS = 5, SCHEDULES = 3, GRIDS = 3 };

static inline void *make_scratch(const fd_sampler *sampler, const fd_denoiser *denoiser) {
    void *scratch = aligned_alloc(64, (fd_sampler_scratch_bytes(sampler, denoiser) + 63) & ~(size_t)63);
    assert_non_null(scratch);
    return scratch;
}

/* n samples in tiles of `rows`; labels NULL or one shared value. */
static inline void generate(const fd_sampler *sampler, const fd_denoiser *denoiser, uint64_t seed, uint64_t first, int n,
                     int rows, const float *label, float *x) {
    void *scratch = make_scratch(sampler, denoiser);
    for (int i = 0; i < n; i += rows) {
        int here = n - i < rows ? n - i : rows;
        fd_sampler_run(sampler, denoiser, seed, first + (uint64_t)i, here, label, 1, x + i * DIM, scratch);
    }
    free(scratch);
}

static inline void assert_close(double got, double wanted, double relative, const char *what) {
    if (fabs(got - wanted) <= relative * fabs(wanted)) return;
    fail_msg("%s: %.17g, not %.17g (relative %.2g)", what, got, wanted, fabs(got / wanted - 1));
}

#endif
