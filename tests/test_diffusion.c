/* Schedules, samplers and guidance, with the exact denoiser of a Gaussian mixture in the place of a network:
 * x_0 ~ sum_k w_k N(mu_k, S_k)  =>  x_t ~ sum_k w_k N(sqrt(abar) mu_k, abar S_k + (1 - abar) 1), and the best prediction
 * of the noise is -sqrt(1 - abar) times the gradient of the log density of x_t. */
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

/* ---- the exact denoiser ------------------------------------------------------------------------------------------ */

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
} mixture;

typedef struct tile {
    int has_label, shared;
    float label[ROWS]; /* 1 + mode: that mode alone */
} tile;

static void mixture_prepare(const fd_denoiser *self, int rows, const float *labels, int shared, void *scratch) {
    mixture *m = (mixture *)(uintptr_t)self; /* the test counts */
    tile *t = scratch;
    t->has_label = labels != NULL;
    t->shared = shared;
    if (labels) memcpy(t->label, labels, sizeof(float) * (size_t)(shared ? 1 : rows));
    *(labels ? &m->labelled : &m->unlabelled) += 1;
}

static void exact_eps(double abar, int only, const float *x, float *eps) {
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

static void mixture_predict(const fd_denoiser *self, int rows, const float *x, int t, float *eps, void *scratch) {
    const mixture *m = (const mixture *)self;
    const tile *tl = scratch;
    for (int i = 0; i < rows; i++) {
        int only = tl->has_label ? (int)tl->label[tl->shared ? 0 : i] - 1 : -1;
        exact_eps(m->schedule->alpha_bar[t], only, x + i * DIM, eps + i * DIM);
    }
}

static void mixture_destroy(fd_denoiser *self) { (void)self; }

static mixture make_mixture(const fd_schedule *schedule) {
    return (mixture){.base = {.dim = DIM, .n_labels = 1, .max_rows = ROWS, .scratch_bytes = sizeof(tile),
                              .prepare = mixture_prepare, .predict = mixture_predict, .destroy = mixture_destroy},
                     .schedule = schedule};
}

static fd_schedule *make_schedule(fd_schedule_kind kind, int steps, double factor) {
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

static fd_sampler *make_sampler(const fd_schedule *schedule, fd_sampler_kind kind, int steps, double eta,
                                fd_variance variance) {
    fd_sampler_spec spec = {.kind = kind, .steps = steps, .eta = eta, .variance = variance};
    fd_sampler *sampler = NULL;
    assert_int_equal(fd_sampler_create(&spec, schedule, &sampler, NULL), FD_OK);
    return sampler;
}

static void *make_scratch(const fd_sampler *sampler, const fd_denoiser *denoiser) {
    void *scratch = aligned_alloc(64, (fd_sampler_scratch_bytes(sampler, denoiser) + 63) & ~(size_t)63);
    assert_non_null(scratch);
    return scratch;
}

/* n samples in tiles of `rows`; labels NULL or one shared value. */
static void generate(const fd_sampler *sampler, const fd_denoiser *denoiser, uint64_t seed, uint64_t first, int n,
                     int rows, const float *label, float *x) {
    void *scratch = make_scratch(sampler, denoiser);
    for (int i = 0; i < n; i += rows) {
        int here = n - i < rows ? n - i : rows;
        fd_sampler_run(sampler, denoiser, seed, first + (uint64_t)i, here, label, 1, x + i * DIM, scratch);
    }
    free(scratch);
}

static void assert_close(double got, double wanted, double relative, const char *what) {
    if (fabs(got - wanted) <= relative * fabs(wanted)) return;
    fail_msg("%s: %.17g, not %.17g (relative %.2g)", what, got, wanted, fabs(got / wanted - 1));
}

/* ---- schedules ------------------------------------------------------------------------------------------------------- */

static void linear_schedule_is_eq_2_14(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    assert_true(s->beta[0] == 0 && s->alpha_bar[0] == 1);
    assert_close(s->beta[1], 0.999 * 1e-4 + 0.001 * 0.02, 1e-15, "beta_1");
    assert_close(s->beta[500], (1e-4 + 0.02) / 2, 1e-15, "beta_500");
    assert_close(s->beta[1000], 0.02, 1e-15, "beta_1000");
    long double product = 1;
    for (int t = 1; t <= 1000; t++) {
        product *= 1 - ((1 - t / 1000.0L) * 1e-4L + t / 1000.0L * 0.02L);
        assert_close(s->alpha_bar[t], (double)product, 1e-13, "alpha_bar");
    }
    fd_schedule_free(s);
    fd_schedule_free(NULL);
}

static void cosine_schedule_is_nichol_dhariwal(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_COSINE, 400, 1);
    const long double pi = 3.141592653589793238462643L;
    long double f0 = powl(cosl(0.008L / 1.008L * pi / 2), 2);
    for (int t = 1; t < 400; t++) {
        long double f = powl(cosl((t / 400.0L + 0.008L) / 1.008L * pi / 2), 2);
        assert_close(s->alpha_bar[t], (double)(f / f0), 1e-10, "alpha_bar");
    }
    assert_true(s->beta[400] == 0.999); /* clipped: f(T) = 0 */
    fd_schedule_free(s);
}

static void impossible_specs_are_refused(void **state) {
    (void)state;
    fd_schedule_spec spec;
    fd_schedule *s = NULL;
    fd_error err;
    fd_schedule_spec_paper(&spec), spec.steps = 0;
    assert_int_equal(fd_schedule_create(&spec, &s, &err), FD_ERR_CONFIG);
    fd_schedule_spec_paper(&spec), spec.beta_max = 1;
    assert_int_equal(fd_schedule_create(&spec, &s, &err), FD_ERR_CONFIG);
    fd_schedule_spec_paper(&spec), spec.beta_min = (double)NAN;
    assert_int_equal(fd_schedule_create(&spec, &s, &err), FD_ERR_CONFIG);
    assert_null(s);

    s = make_schedule(FD_SCHEDULE_LINEAR, 10, 1);
    fd_sampler *sampler = NULL;
    const fd_sampler_spec bad[] = {{FD_SAMPLER_DDIM, 0, 0, FD_VARIANCE_BETA},
                                   {FD_SAMPLER_DDIM, 11, 0, FD_VARIANCE_BETA},
                                   {FD_SAMPLER_DDIM, 5, 1.5, FD_VARIANCE_BETA},
                                   {FD_SAMPLER_DDIM, 5, (double)NAN, FD_VARIANCE_BETA},
                                   {FD_SAMPLER_DDPM, 5, 0, (fd_variance)7},
                                   {(fd_sampler_kind)9, 5, 0, FD_VARIANCE_BETA}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(fd_sampler_create(&bad[i], s, &sampler, &err), FD_ERR_CONFIG);
        assert_null(sampler);
    }
    mixture m = make_mixture(s);
    fd_denoiser *guided = NULL;
    assert_int_equal(fd_guided_denoiser(&m.base, (double)INFINITY, &guided, &err), FD_ERR_CONFIG);
    assert_int_equal(fd_guided_denoiser(&m.base, (double)NAN, &guided, &err), FD_ERR_CONFIG);
    fd_denoiser_free(NULL);
    fd_sampler_free(NULL);
    fd_schedule_free(s);
}

/* ---- step tables ----------------------------------------------------------------------------------------------------- */

static void times_are_rounded_and_increasing(void **state) {
    (void)state;
    const int cases[][2] = {{1000, 1},  {1000, 2},   {1000, 3},  {1000, 7},    {1000, 30}, {1000, 39}, {1000, 333},
                            {1000, 667}, {1000, 999}, {1000, 1000}, {1, 1},    {7, 5},     {1003, 1001}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int T = cases[c][0], steps = cases[c][1];
        fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, T, 1);
        fd_sampler *sampler = make_sampler(s, FD_SAMPLER_DDIM, steps, 0, FD_VARIANCE_BETA);
        assert_int_equal(sampler->n_steps, steps);
        assert_int_equal(sampler->table[0].t, T);
        assert_int_equal(sampler->table[steps - 1].t_next, 0);
        for (int i = 0; i < steps; i++) {
            const fd_sampler_step *step = &sampler->table[i];
            assert_true(step->t > step->t_next);
            assert_int_equal(step->t, (int)floor((double)(steps - i) * T / steps + 0.5));
            if (i) assert_int_equal(step->t, sampler->table[i - 1].t_next);
        }
        fd_sampler_free(sampler);
        fd_schedule_free(s);
    }
}

/* Coefficients against the printed formulas in long double, with 1 - abar of the whole chain. */
static void ddpm_coefficients_are_eq_a_23(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    fd_sampler *beta = make_sampler(s, FD_SAMPLER_DDPM, 1000, 0, FD_VARIANCE_BETA);
    fd_sampler *tilde = make_sampler(s, FD_SAMPLER_DDPM, 1000, 0, FD_VARIANCE_BETA_TILDE);
    long double abar = 1, before;
    for (int t = 1; t <= 1000; t++) {
        long double b = s->beta[t];
        before = abar;
        abar *= 1 - b;
        const fd_sampler_step *step = &beta->table[1000 - t];
        assert_close(step->from_x, (double)(1 / sqrtl(1 - b)), 1e-12, "from_x");
        assert_close(step->from_eps, (double)(-b / sqrtl(1 - abar) / sqrtl(1 - b)), 1e-12, "from_eps");
        assert_close(step->sigma, t == 1 ? 0 : (double)sqrtl(b), 1e-12, "sigma");
        assert_close(tilde->table[1000 - t].sigma, (double)sqrtl(b * (1 - before) / (1 - abar)), 1e-12, "sigma~");
    }
    fd_sampler_free(beta);
    fd_sampler_free(tilde);
    fd_schedule_free(s);
}

static void ddim_with_eta_1_is_ddpm_with_beta_tilde(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        fd_schedule *s = make_schedule((fd_schedule_kind)kind, 1000, 1);
        const int counts[] = {1000, 333, 20, 1};
        for (int c = 0; c < 4; c++) {
            fd_sampler *ddim = make_sampler(s, FD_SAMPLER_DDIM, counts[c], 1, FD_VARIANCE_BETA);
            fd_sampler *ddpm = make_sampler(s, FD_SAMPLER_DDPM, counts[c], 0, FD_VARIANCE_BETA_TILDE);
            for (int i = 0; i < counts[c]; i++) {
                assert_int_equal(ddim->table[i].t, ddpm->table[i].t);
                assert_close(ddim->table[i].from_x, ddpm->table[i].from_x, 1e-12, "from_x");
                assert_close(ddim->table[i].from_eps, ddpm->table[i].from_eps, 1e-12, "from_eps");
                assert_close(ddim->table[i].sigma, ddpm->table[i].sigma, 1e-12, "sigma");
            }
            fd_sampler_free(ddim);
            fd_sampler_free(ddpm);
        }
        fd_schedule_free(s);
    }
}

/* Fewer steps than T: between kept times the chain must carry the noise that the schedule says. If eps is the noise
 * that is in x, the step leaves abar(t_next) of signal and 1 - abar(t_next) of noise, whatever eta. */
static void respaced_steps_keep_the_marginals(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    for (int e = 0; e <= 2; e++) {
        fd_sampler *sampler = make_sampler(s, FD_SAMPLER_DDIM, 39, 0.5 * e, FD_VARIANCE_BETA);
        for (int i = 0; i < 39; i++) {
            const fd_sampler_step *p = &sampler->table[i];
            double a = s->alpha_bar[p->t], next = s->alpha_bar[p->t_next];
            double noise = p->from_x * sqrt(1 - a) + p->from_eps;
            assert_close(p->from_x * sqrt(a), sqrt(next), 1e-12, "signal");
            if (p->t_next) assert_close(noise * noise + p->sigma * p->sigma, 1 - next, 1e-9, "noise");
            else assert_true(fabs(noise) < 1e-15 && p->sigma == 0); /* the last step is exact */
        }
        fd_sampler_free(sampler);
    }
    fd_schedule_free(s);
}

/* ---- recovered distributions ------------------------------------------------------------------------------------------- */

static void exact_moments(double mean[DIM], double cov[3]) {
    double second[3] = {0};
    mean[0] = mean[1] = 0;
    for (int k = 0; k < MODES; k++) {
        const mode *m = &modes[k];
        for (int j = 0; j < DIM; j++) mean[j] += m->weight * m->mean[j];
        second[0] += m->weight * (m->cov[0] + m->mean[0] * m->mean[0]);
        second[1] += m->weight * (m->cov[1] + m->mean[0] * m->mean[1]);
        second[2] += m->weight * (m->cov[2] + m->mean[1] * m->mean[1]);
    }
    cov[0] = second[0] - mean[0] * mean[0];
    cov[1] = second[1] - mean[0] * mean[1];
    cov[2] = second[2] - mean[1] * mean[1];
}

static int nearest_mode(const float *x) {
    int best = 0;
    double least = INFINITY;
    for (int k = 0; k < MODES; k++) {
        double d = hypot(x[0] - modes[k].mean[0], x[1] - modes[k].mean[1]);
        if (d < least) least = d, best = k;
    }
    return best;
}

/* Fraction of mode k's points that are nearest to mode j: counts are compared after this mixing. */
static void confusion(double share[MODES]) {
    fd_rng rng;
    enum { N = 200000 };
    memset(share, 0, MODES * sizeof *share);
    for (int k = 0; k < MODES; k++) {
        const mode *m = &modes[k];
        double a = sqrt(m->cov[0]), b = m->cov[1] / a, c = sqrt(m->cov[2] - b * b);
        fd_rng_start(&rng, 5, FD_STREAM_TEST, (uint64_t)k, 0);
        for (int i = 0; i < N; i++) {
            double u = fd_rng_normal(&rng), v = fd_rng_normal(&rng);
            float x[DIM] = {(float)(m->mean[0] + a * u), (float)(m->mean[1] + b * u + c * v)};
            share[nearest_mode(x)] += m->weight / N;
        }
    }
}

/* Mean, covariance and mode weights of n samples within 4 standard errors plus `bias` of discretisation. */
static void check_distribution(const char *name, const float *x, int n, double bias) {
    double mean[DIM], cov[3], share[MODES], got[DIM] = {0}, counts[MODES] = {0};
    exact_moments(mean, cov);
    confusion(share);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < DIM; j++) got[j] += x[i * DIM + j] / (double)n;
        counts[nearest_mode(x + i * DIM)] += 1.0 / n;
    }
    for (int j = 0; j < DIM; j++)
        if (fabs(got[j] - mean[j]) > 4 * sqrt(cov[2 * j] / n) + bias)
            fail_msg("%s: mean[%d] %g, not %g", name, j, got[j], mean[j]);
    for (int c = 0; c < 3; c++) {
        double sum = 0, square = 0;
        for (int i = 0; i < n; i++) {
            double dx = x[i * DIM] - mean[0], dy = x[i * DIM + 1] - mean[1];
            double p = c == 0 ? dx * dx : c == 1 ? dx * dy : dy * dy;
            sum += p, square += p * p;
        }
        double average = sum / n, error = sqrt((square / n - average * average) / n);
        if (fabs(average - cov[c]) > 4 * error + bias) fail_msg("%s: cov[%d] %g, not %g", name, c, average, cov[c]);
    }
    for (int k = 0; k < MODES; k++)
        if (fabs(counts[k] - share[k]) > 4 * sqrt(share[k] * (1 - share[k]) / n) + bias)
            fail_msg("%s: mode %d has %g of the samples, not %g", name, k, counts[k], share[k]);
}

static void mixture_is_recovered(void **state) {
    (void)state;
    enum { N = 12800 };
    /* bias: what is left of discretisation; abar_T = 4e-5 alone moves means by 0.006 of a unit */
    const struct {
        const char *name;
        fd_schedule_kind schedule;
        fd_sampler_spec spec;
        double bias;
    } cases[] = {
        {"ddpm beta", FD_SCHEDULE_LINEAR, {FD_SAMPLER_DDPM, 1000, 0, FD_VARIANCE_BETA}, 0.004},
        {"ddpm beta~", FD_SCHEDULE_LINEAR, {FD_SAMPLER_DDPM, 1000, 0, FD_VARIANCE_BETA_TILDE}, 0.004},
        {"ddpm cosine", FD_SCHEDULE_COSINE, {FD_SAMPLER_DDPM, 1000, 0, FD_VARIANCE_BETA_TILDE}, 0.004},
        {"ddim 0", FD_SCHEDULE_LINEAR, {FD_SAMPLER_DDIM, 250, 0, FD_VARIANCE_BETA}, 0.01},
        {"ddim 0.5", FD_SCHEDULE_LINEAR, {FD_SAMPLER_DDIM, 333, 0.5, FD_VARIANCE_BETA}, 0.01},
        {"ddim 1", FD_SCHEDULE_LINEAR, {FD_SAMPLER_DDIM, 1000, 1, FD_VARIANCE_BETA}, 0.004},
    };
    float *x = malloc(N * DIM * sizeof *x);
    assert_non_null(x);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        fd_schedule *s = make_schedule(cases[c].schedule, 1000, 1);
        mixture m = make_mixture(s);
        fd_sampler *sampler = NULL;
        assert_int_equal(fd_sampler_create(&cases[c].spec, s, &sampler, NULL), FD_OK);
        generate(sampler, &m.base, 11, 0, N, ROWS, NULL, x);
        check_distribution(cases[c].name, x, N, cases[c].bias);
        fd_sampler_free(sampler);
        fd_schedule_free(s);
    }
    free(x);
}

/* The label picks its mode, and the mode keeps its shape. */
static void condition_is_recovered(void **state) {
    (void)state;
    enum { N = 6400 };
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    mixture m = make_mixture(s);
    fd_denoiser *guided = NULL;
    assert_int_equal(fd_guided_denoiser(&m.base, 1, &guided, NULL), FD_OK);
    fd_sampler *sampler = make_sampler(s, FD_SAMPLER_DDPM, 500, 0, FD_VARIANCE_BETA_TILDE);
    float *x = malloc(N * DIM * sizeof *x), label = 2;
    generate(sampler, guided, 3, 0, N, ROWS, &label, x);
    double mean[DIM] = {0}, cov[3] = {0};
    for (int i = 0; i < N; i++)
        for (int j = 0; j < DIM; j++) mean[j] += x[i * DIM + j] / (double)N;
    for (int i = 0; i < N; i++) {
        double dx = x[i * DIM] - mean[0], dy = x[i * DIM + 1] - mean[1];
        cov[0] += dx * dx / N, cov[1] += dx * dy / N, cov[2] += dy * dy / N;
    }
    for (int j = 0; j < DIM; j++)
        assert_true(fabs(mean[j] - modes[1].mean[j]) < 4 * sqrt(modes[1].cov[2 * j] / N) + 0.004);
    for (int c = 0; c < 3; c++) assert_true(fabs(cov[c] - modes[1].cov[c]) < 4 * 0.12 * sqrt(2.0 / N) + 0.002);
    free(x);
    fd_denoiser_free(guided);
    fd_sampler_free(sampler);
    fd_schedule_free(s);
}

/* ---- determinism and order -------------------------------------------------------------------------------------------- */

/* eta = 0 uses x_T and nothing else: the same numbers as the bare recursion, to the last bit. */
static void ddim_without_eta_is_deterministic(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    mixture m = make_mixture(s);
    fd_sampler *sampler = make_sampler(s, FD_SAMPLER_DDIM, 37, 0, FD_VARIANCE_BETA);
    float x[ROWS * DIM], again[ROWS * DIM], bare[ROWS * DIM], eps[ROWS * DIM];
    generate(sampler, &m.base, 42, 1000, ROWS, ROWS, NULL, x);
    generate(sampler, &m.base, 42, 1000, ROWS, ROWS, NULL, again);
    assert_memory_equal(x, again, sizeof x);
    uint32_t key[2];
    tile t = {0};
    fd_rng_key(42, FD_STREAM_LATENT, key);
    fd_kernels_get()->normals(key, 1000, 0, ROWS, DIM, bare, DIM);
    for (int i = 0; i < sampler->n_steps; i++) {
        const fd_sampler_step *step = &sampler->table[i];
        assert_true(step->sigma == 0);
        mixture_predict(&m.base, ROWS, bare, step->t, eps, &t);
        for (int j = 0; j < ROWS * DIM; j++) bare[j] = (float)step->from_x * bare[j] + (float)step->from_eps * eps[j];
    }
    for (int j = 0; j < ROWS * DIM; j++) assert_true(fabsf(x[j] - bare[j]) <= 1e-5f * fmaxf(1, fabsf(bare[j])));
#if defined(__x86_64__) /* no contraction there in either file */
    assert_memory_equal(x, bare, sizeof x);
#endif
    generate(sampler, &m.base, 43, 1000, ROWS, ROWS, NULL, again);
    assert_memory_not_equal(x, again, sizeof x);
    fd_sampler_free(sampler);
    fd_schedule_free(s);
}

/* DDIM is a first-order solver of the probability-flow equation: the error against the finest grid halves with the
 * step. T = 16000 with betas scaled down stands for continuous time. */
static void ddim_converges_with_first_order(void **state) {
    (void)state;
    enum { T = 16000 };
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, T, 1000.0 / T);
    mixture m = make_mixture(s);
    float exact[ROWS * DIM], x[ROWS * DIM];
    fd_sampler *sampler = make_sampler(s, FD_SAMPLER_DDIM, T, 0, FD_VARIANCE_BETA);
    float label = 1;
    generate(sampler, &m.base, 7, 0, ROWS, ROWS, &label, exact);
    fd_sampler_free(sampler);
    double before = 0;
    for (int steps = 40; steps <= 320; steps *= 2) {
        sampler = make_sampler(s, FD_SAMPLER_DDIM, steps, 0, FD_VARIANCE_BETA);
        generate(sampler, &m.base, 7, 0, ROWS, ROWS, &label, x);
        double error = 0;
        for (int j = 0; j < ROWS * DIM; j++) error += (x[j] - exact[j]) * (x[j] - exact[j]) / (ROWS * DIM);
        error = sqrt(error);
        double order = before > 0 ? log2(before / error) : 1;
        if (!(order > 0.85 && order < 1.35)) fail_msg("%d steps: error %g, order %g", steps, error, order);
        before = error;
        fd_sampler_free(sampler);
    }
    assert_true(before < 5e-3);
    fd_schedule_free(s);
}

/* ---- guidance --------------------------------------------------------------------------------------------------------- */

static void guidance_identities(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    fd_sampler *sampler = make_sampler(s, FD_SAMPLER_DDPM, 50, 0, FD_VARIANCE_BETA);
    mixture m = make_mixture(s);
    fd_denoiser *one = NULL, *zero = NULL;
    assert_int_equal(fd_guided_denoiser(&m.base, 1, &one, NULL), FD_OK);
    assert_int_equal(fd_guided_denoiser(&m.base, 0, &zero, NULL), FD_OK);
    float plain[ROWS * DIM], x[ROWS * DIM], label = 3;

    generate(sampler, &m.base, 1, 0, ROWS, ROWS, &label, plain);
    m.labelled = m.unlabelled = 0;
    generate(sampler, one, 1, 0, ROWS, ROWS, &label, x);
    assert_memory_equal(x, plain, sizeof x);
    assert_true(m.labelled == 1 && m.unlabelled == 0);

    generate(sampler, &m.base, 1, 0, ROWS, ROWS, NULL, plain);
    m.labelled = m.unlabelled = 0;
    generate(sampler, zero, 1, 0, ROWS, ROWS, &label, x);
    assert_memory_equal(x, plain, sizeof x);
    assert_true(m.labelled == 0 && m.unlabelled == 1);
    generate(sampler, one, 1, 0, ROWS, ROWS, NULL, x); /* no label to follow: unconditional, whatever gamma */
    assert_memory_equal(x, plain, sizeof x);

    fd_denoiser_free(one);
    fd_denoiser_free(zero);
    fd_sampler_free(sampler);
    fd_schedule_free(s);
}

static void guidance_is_linear_in_gamma(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    mixture m = make_mixture(s);
    float x[ROWS * DIM], with[ROWS * DIM], without[ROWS * DIM], eps[ROWS * DIM], labels[ROWS];
    fd_rng rng;
    fd_rng_start(&rng, 9, FD_STREAM_TEST, 0, 0);
    for (int j = 0; j < ROWS * DIM; j++) x[j] = (float)(2 * fd_rng_normal(&rng));
    for (int i = 0; i < ROWS; i++) labels[i] = (float)(1 + i % MODES);
    tile t;
    mixture_prepare(&m.base, ROWS, labels, 0, &t);
    mixture_predict(&m.base, ROWS, x, 400, with, &t);
    mixture_prepare(&m.base, ROWS, NULL, 0, &t);
    mixture_predict(&m.base, ROWS, x, 400, without, &t);
    const double gammas[] = {-2, 0, 0.25, 1, 3.5, 8};
    for (int g = 0; g < 6; g++) {
        fd_denoiser *guided = NULL;
        assert_int_equal(fd_guided_denoiser(&m.base, gammas[g], &guided, NULL), FD_OK);
        void *scratch = aligned_alloc(64, (guided->scratch_bytes + 63) & ~(size_t)63);
        guided->prepare(guided, ROWS, labels, 0, scratch);
        guided->predict(guided, ROWS, x, 400, eps, scratch);
        for (int j = 0; j < ROWS * DIM; j++) {
            double wanted = (1 - gammas[g]) * without[j] + gammas[g] * with[j];
            double scale = fabs((1 - gammas[g]) * without[j]) + fabs(gammas[g] * with[j]);
            assert_true(fabs(eps[j] - wanted) <= 4 * 0x1p-24 * scale);
        }
        free(scratch);
        fd_denoiser_free(guided);
    }
    fd_schedule_free(s);
}

/* ---- tiling ----------------------------------------------------------------------------------------------------------- */

static void tiling_does_not_matter(void **state) {
    (void)state;
    enum { N = 150 };
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    mixture m = make_mixture(s);
    fd_denoiser *guided = NULL;
    assert_int_equal(fd_guided_denoiser(&m.base, 2, &guided, NULL), FD_OK);
    fd_sampler *sampler = make_sampler(s, FD_SAMPLER_DDPM, 60, 0, FD_VARIANCE_BETA);
    float whole[N * DIM], x[N * DIM], label = 1;
    const uint64_t firsts[] = {0, 0xffffffffu - 70}; /* the second crosses 2^32 */
    const int rows[] = {1, 3, 7, 16, 33, 63};
    for (int f = 0; f < 2; f++) {
        generate(sampler, guided, 21, firsts[f], N, ROWS, &label, whole);
        for (int r = 0; r < 6; r++) {
            generate(sampler, guided, 21, firsts[f], N, rows[r], &label, x);
            assert_memory_equal(x, whole, sizeof x);
        }
        generate(sampler, guided, 21, firsts[f] + 40, N - 40, ROWS, &label, x); /* started in the middle */
        assert_memory_equal(x, whole + 40 * DIM, (N - 40) * DIM * sizeof *x);
    }
    fd_denoiser_free(guided);
    fd_sampler_free(sampler);
    fd_schedule_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_schedule_is_eq_2_14),
        cmocka_unit_test(cosine_schedule_is_nichol_dhariwal),
        cmocka_unit_test(impossible_specs_are_refused),
        cmocka_unit_test(times_are_rounded_and_increasing),
        cmocka_unit_test(ddpm_coefficients_are_eq_a_23),
        cmocka_unit_test(ddim_with_eta_1_is_ddpm_with_beta_tilde),
        cmocka_unit_test(respaced_steps_keep_the_marginals),
        cmocka_unit_test(mixture_is_recovered),
        cmocka_unit_test(condition_is_recovered),
        cmocka_unit_test(ddim_without_eta_is_deterministic),
        cmocka_unit_test(ddim_converges_with_first_order),
        cmocka_unit_test(guidance_identities),
        cmocka_unit_test(guidance_is_linear_in_gamma),
        cmocka_unit_test(tiling_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
